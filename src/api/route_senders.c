/* GET /api/v1/senders: who sends, how much of it is stored, and what is not and why. */
#include "api/internal.h"
#include "base/ip.h"
#include "base/json_out.h"
#include "base/when.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX     4000 /* a kilobyte each at the most: API_BODY_MAX */

struct listing {
    struct buf *out;
    uint64_t limit, count, all;
};

static void put_time(struct buf *out, const char *key, int64_t us)
{
    char text[WHEN_TEXT_MAX];
    (void)when_format(us, text);
    buf_printf(out, ",\"%s\":\"%s\"", key, text);
}

/* Counters of a kind: all that are no drops, or the drops that came up. */
static void put_counters(struct buf *out, const struct ingest_sender *s, bool drops)
{
    static const char *const names[INGEST_COUNTERS] = {
#define NAME(id, name, text)          [INGEST_##id] = (name),
#define DROP(id, name, text)          [INGEST_DROP_##id] = (name),
#define HEP_DROP(id, name, text, err) [INGEST_DROP_##id] = (name),
        INGEST_FRAME_COUNTERS(NAME) INGEST_HEP_DROPS(HEP_DROP) INGEST_OTHER_DROPS(DROP)
#undef NAME
#undef DROP
#undef HEP_DROP
    };
    bool first = true;
    buf_puts(out, drops ? ",\"dropped\":{" : ",\"counters\":{");
    for (unsigned i = 0; i < INGEST_COUNTERS; i++) {
        if (ingest_is_drop((enum ingest_counter)i) != drops || (drops && s->counters[i] == 0))
            continue;
        json_out_key(out, &first, names[i]);
        json_out_number(out, s->counters[i]);
    }
    buf_putc(out, '}');
}

static void put_sender(struct buf *out, const struct ingest_sender *s)
{
    char ip[IP_TEXT_MAX];
    (void)ip_format(&s->addr, ip);
    buf_printf(out, "\n{\"ip\":\"%s\",\"transport\":\"%s\"", ip, net_transport_name(s->transport));
    put_time(out, "first_seen", s->first_us);
    put_time(out, "last_seen", s->last_us);
    put_counters(out, s, false);
    put_counters(out, s, true);
    if (s->has_capture_id)
        buf_printf(out, ",\"capture_id\":%u", (unsigned)s->capture_id);
    if (s->node[0] != '\0') {
        buf_puts(out, ",\"node\":");
        json_out_text(out, s->node);
    }
    if (s->has_skew)
        buf_printf(out, ",\"clock_skew_us\":{\"last\":%lld,\"min\":%lld,\"max\":%lld,\"mean\":%lld}",
                   (long long)s->skew_us, (long long)s->skew_min_us, (long long)s->skew_max_us,
                   (long long)s->skew_mean_us);
    buf_putc(out, '}');
}

static void on_sender(void *arg, const struct ingest_sender *sender)
{
    struct listing *l = arg;
    l->all++;
    if (l->count == l->limit)
        return; /* counted all the same */
    if (l->count++ > 0)
        buf_putc(l->out, ',');
    put_sender(l->out, sender);
}

void api_get_senders(struct api_request *r, struct api_reply *reply)
{
    const struct api_sources *s = &r->api->sources;
    struct listing l = { .out = &reply->body, .limit = LIMIT_DEFAULT };
    if (!api_param_number(r, reply, "limit", 0, LIMIT_MAX, &l.limit))
        return;
    buf_puts(&reply->body, "{\"senders\":[");
    if (s->senders != NULL && s->senders(s->arg, on_sender, &l) != 0) {
        (void)api_problem(reply, 503, "out of memory");
        return;
    }
    buf_printf(&reply->body, "],\"count\":%llu,\"total\":%llu}\n", (unsigned long long)l.count,
               (unsigned long long)l.all);
}
