/* GET /api/v1/registrations: the addresses of record that are known, and the state of each. Attempts: route_search.c */
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/ip.h"
#include "base/json_out.h"
#include "base/when.h"
#include "filter/glob.h"

#define LIMIT_DEFAULT 200
#define LIMIT_MAX     1000               /* some 4 kB each at the most: API_BODY_MAX */
#define AOR_MAX       ((size_t)12 << 10) /* octets of one */
#define PATTERN_MAX   300
#define NAME_MAX_LEN  ((size_t)TRACK_TEXT_MAX * 2 + 2)

/* One that is among the newest so far. */
struct shown {
    int64_t last;
    uint32_t place;
    struct buf json;
};

struct listing {
    uint8_t pattern[PATTERN_MAX];
    size_t pattern_len;
    enum { ANY, USER, HOST, BOTH } where; /* that the pattern is for */
    unsigned state;                       /* 0: any; else 1 + enum reg_state */
    size_t limit, count;
    struct shown *all; /* a heap: the oldest one is the first */
    uint64_t total, states[REG_STATES];
    bool failed;
};

/* ------------------------------------------------------------------------------------------------ JSON */

static void put_time(struct buf *out, bool *first, const char *key, int64_t us)
{
    char text[WHEN_TEXT_MAX];
    if (us == TRACK_NO_TIME)
        return;
    (void)when_format(us, text);
    json_out_key(out, first, key);
    json_out_text(out, text);
}

static void put_slice(struct buf *out, bool *first, const char *key, struct hep_slice text)
{
    if (text.len == 0)
        return;
    json_out_key(out, first, key);
    (void)json_out_string(out, text.ptr, text.len);
}

static void put_number(struct buf *out, bool *first, const char *key, uint64_t n)
{
    json_out_key(out, first, key);
    json_out_number(out, n);
}

static void put_word(struct buf *out, bool *first, const char *key, const char *word)
{
    json_out_key(out, first, key);
    json_out_text(out, word);
}

static void put_address(struct buf *out, bool *first, const char *ip_key, const char *port_key,
                        const struct track_addr *a)
{
    char ip[IP_TEXT_MAX];
    if (a->ip.len == 0)
        return;
    (void)ip_format(&a->ip, ip);
    put_word(out, first, ip_key, ip);
    put_number(out, first, port_key, a->port);
}

static void put_binding(struct buf *out, const struct reg_binding_record *b)
{
    bool first = true;
    buf_putc(out, '{');
    put_slice(out, &first, "contact", b->contact);
    json_out_key(out, &first, "holds");
    buf_puts(out, b->holds ? "true" : "false");
    put_time(out, &first, "expires_at", b->expires_at);
    put_time(out, &first, "since", b->since);
    put_time(out, &first, "refreshed", b->refreshed);
    put_slice(out, &first, "user_agent", b->agent);
    put_address(out, &first, "src_ip", "src_port", &b->src);
    put_address(out, &first, "dst_ip", "dst_port", &b->dst);
    buf_putc(out, '}');
}

static struct hep_slice name_of(const struct reg_aor *a, uint8_t *room)
{
    size_t at = 0;
    if (a->user.len > 0) {
        memcpy(room, a->user.ptr, a->user.len);
        at = a->user.len;
        room[at++] = '@';
    }
    memcpy(room + at, a->host.ptr, a->host.len);
    return (struct hep_slice){ room, at + a->host.len };
}

static void put_last(struct buf *out, bool *first, const struct reg_aor *a)
{
    put_time(out, first, "last_attempt", a->last_attempt);
    put_time(out, first, "last_success", a->last_success);
    put_word(out, first, "result", reg_result_name(a->result));
    if (a->status > 0)
        put_number(out, first, "status", (uint64_t)a->status);
    put_slice(out, first, "reason", a->reason);
    put_slice(out, first, "call_id", a->call_id);
    put_slice(out, first, "user_agent", a->agent);
    put_address(out, first, "src_ip", "src_port", &a->src);
    put_address(out, first, "dst_ip", "dst_port", &a->dst);
}

static void put_aor(struct buf *out, const struct reg_aor *a)
{
    uint8_t name[NAME_MAX_LEN];
    bool first = true;
    buf_puts(out, "\n{");
    put_slice(out, &first, "aor", name_of(a, name));
    put_word(out, &first, "state", reg_state_name(a->state));
    put_time(out, &first, "since", a->since);
    put_last(out, &first, a);
    put_number(out, &first, "attempts", a->attempts);
    put_number(out, &first, "succeeded", a->succeeded);
    put_number(out, &first, "failed", a->failed);
    put_number(out, &first, "failed_in_a_row", a->failed_in_a_row);
    put_number(out, &first, "changes", a->changes);
    put_number(out, &first, "contacts", a->holding);
    json_out_key(out, &first, "bindings");
    buf_putc(out, '[');
    for (size_t i = 0; i < a->binding_count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        put_binding(out, &a->bindings[i]);
    }
    buf_puts(out, "]}");
}

/* ------------------------------------------------------------------------------------------------ the newest ones */

static bool is_older(const struct shown *a, const struct shown *b)
{
    return a->last != b->last ? a->last < b->last : a->place > b->place;
}

static void sink(struct shown *all, size_t count, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++)
            least = is_older(&all[child], &all[least]) ? child : least;
        if (least == i)
            return;
        struct shown swap = all[i];
        all[i] = all[least];
        all[least] = swap;
        i = least;
    }
}

static void rise(struct shown *all, size_t i)
{
    while (i > 0 && is_older(&all[i], &all[(i - 1) / 2])) {
        struct shown swap = all[i];
        all[i] = all[(i - 1) / 2];
        all[(i - 1) / 2] = swap;
        i = (i - 1) / 2;
    }
}

static void keep(struct listing *l, const struct reg_aor *a)
{
    const struct shown key = { .last = a->last_attempt, .place = a->place };
    size_t i = 0;
    if (l->limit == 0 || (l->count == l->limit && !is_older(&l->all[0], &key)))
        return;
    if (l->count < l->limit) {
        i = l->count++;
        buf_init(&l->all[i].json, AOR_MAX);
    }
    buf_reset(&l->all[i].json);
    l->all[i].last = key.last;
    l->all[i].place = key.place;
    put_aor(&l->all[i].json, a);
    l->failed = l->failed || l->all[i].json.failed;
    if (i == 0)
        sink(l->all, l->count, 0);
    else
        rise(l->all, i);
}

static bool matches(const struct listing *l, const struct reg_aor *a)
{
    uint8_t name[NAME_MAX_LEN];
    struct hep_slice what = l->where == USER ? a->user : l->where == HOST ? a->host : name_of(a, name);
    return l->where == ANY || glob_match_nocase(what.ptr, what.len, l->pattern, l->pattern_len);
}

static bool on_aor(void *arg, const struct reg_aor *a)
{
    struct listing *l = arg;
    if (!matches(l, a))
        return true;
    l->states[a->state]++;
    if (l->state != 0 && l->state != 1u + a->state)
        return true;
    l->total++;
    keep(l, a);
    return !l->failed;
}

/* ------------------------------------------------------------------------------------------------ the answer */

/* "user", "user@host", "@host"; * stands for anything. */
static bool take_pattern(struct api_request *r, struct api_reply *reply, struct listing *l)
{
    const char *text = api_param(r, "aor");
    if (text == NULL || text[0] == '\0')
        return true;
    l->where = text[0] == '@' ? HOST : strchr(text, '@') != NULL ? BOTH : USER;
    text += l->where == HOST;
    l->pattern_len = strlen(text);
    if (l->pattern_len > PATTERN_MAX)
        return api_problem_at(reply, "aor", SIZE_MAX, "longer than %d octets", PATTERN_MAX);
    glob_lower(l->pattern, (const uint8_t *)text, l->pattern_len);
    for (size_t i = 0; i < l->pattern_len; i++)
        if (l->pattern[i] == '*')
            l->pattern[i] = GLOB_STAR;
    return true;
}

static bool take_params(struct api_request *r, struct api_reply *reply, struct listing *l)
{
    static const char *const states[] = { "any",
#define NAME(id, name) name,
                                          REG_STATE_LIST(NAME)
#undef NAME
                                              NULL };
    uint64_t limit = LIMIT_DEFAULT;
    if (!take_pattern(r, reply, l) || !api_param_word(r, reply, "state", states, &l->state) ||
        !api_param_number(r, reply, "limit", 0, LIMIT_MAX, &limit))
        return false;
    l->limit = (size_t)limit;
    l->all = calloc(l->limit + 1, sizeof(*l->all));
    return l->all != NULL || api_problem(reply, 503, "out of memory");
}

static int by_age(const void *a, const void *b)
{
    return is_older(a, b) ? 1 : -1; /* no two are the same */
}

static void put_listing(struct buf *out, const struct listing *l)
{
    bool first = true;
    buf_puts(out, "{\"registrations\":[");
    for (size_t i = 0; i < l->count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        buf_put(out, l->all[i].json.ptr, l->all[i].json.len);
    }
    buf_printf(out, "],\"count\":%zu,\"total\":%llu,\"states\":{", l->count, (unsigned long long)l->total);
    for (unsigned i = 0; i < REG_STATES; i++)
        put_number(out, &first, reg_state_name((enum reg_state)i), l->states[i]);
    buf_puts(out, "}}\n");
}

void api_get_registrations(struct api_request *r, struct api_reply *reply)
{
    const struct api_sources *s = &r->api->sources;
    struct listing l = { .where = ANY };
    if (!take_params(r, reply, &l))
        goto out;
    if (s->registrations != NULL)
        s->registrations(s->arg, on_aor, &l);
    if (l.failed) {
        (void)api_problem(reply, 503, "out of memory");
        goto out;
    }
    if (l.count > 1)
        qsort(l.all, l.count, sizeof(*l.all), by_age);
    put_listing(&reply->body, &l);
out:
    for (size_t i = 0; i < l.count; i++)
        buf_free(&l.all[i].json);
    free(l.all);
}
