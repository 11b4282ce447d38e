#include "query/call_legs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "filter/filter_text.h"

#define ROUNDS_MAX 8
#define TEXTS_MAX  512  /* keys and groups that are followed */
#define ROWS_MAX   5000 /* of a look-up */
#define PAGE       500
#define BATCH      100                           /* texts of one look-up */
#define BATCH_MOST ((size_t)FILTER_TEXT_MAX / 4) /* octets of them: each may need a backslash */

/* Texts, each once; the first `done` of them were looked up. */
struct texts {
    struct hep_slice *list;
    size_t count, done, max;
    bool cut, failed;
};

struct finding {
    struct store *store;
    const struct call_legs_options *o;
    struct texts calls;  /* Call-IDs of the legs */
    struct texts groups; /* their groups */
    struct texts keys;   /* their keys */
    struct texts named;  /* of these, what may be the Call-ID of another call */
    struct errmsg problem;
};

/* ------------------------------------------------------------------------------------------------ sets of texts */

static bool has(const struct texts *t, struct hep_slice s)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].len == s.len && memcmp(t->list[i].ptr, s.ptr, s.len) == 0)
            return true;
    return false;
}

/* What a sender put into a header need not be what a filter can ask for (control characters): that joins nothing. */
static bool can_be_asked_for(struct hep_slice s)
{
    struct filter *filter = NULL;
    struct errmsg ignored;
    bool can = s.len < BATCH_MOST && filter_text_parse(&filter, "key", &s, 1, &ignored) == 0;
    filter_free(filter);
    return can;
}

static void add(struct texts *t, struct hep_slice s)
{
    if (s.len == 0 || has(t, s) || !can_be_asked_for(s))
        return;
    t->cut = t->cut || t->count == t->max;
    if (t->count == t->max)
        return;
    char *copy = malloc(s.len + 1);
    struct hep_slice *list = realloc(t->list, (t->count + 1) * sizeof(*list));
    if (list != NULL)
        t->list = list;
    if (copy == NULL || list == NULL) {
        free(copy);
        t->failed = true;
        return;
    }
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    t->list[t->count++] = (struct hep_slice){ (const uint8_t *)copy, s.len };
}

static void clear(struct texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        free((void *)(uintptr_t)t->list[i].ptr);
    free(t->list);
    *t = (struct texts){ .max = t->max };
}

/* ------------------------------------------------------------------------------------------------ one look-up */

/* Two columns of the rows that it finds. */
struct lookup {
    enum record_table table;
    const char *field;
    unsigned columns[2];
    void (*take)(void *arg, struct hep_slice first, struct hep_slice second);
    void *arg;
};

static struct hep_slice text_of(const struct record_cell *cell)
{
    return cell->null ? (struct hep_slice){ NULL, 0 } : cell->octets;
}

static int on_row(void *arg, enum record_table table, const struct record_cell *cells,
                  const struct store_columns *columns)
{
    const struct lookup *l = arg;
    (void)table;
    (void)columns;
    l->take(l->arg, text_of(&cells[l->columns[0]]), text_of(&cells[l->columns[1]]));
    return 0;
}

static void note_problem(struct finding *f, const struct search_result *r)
{
    if (f->problem.text[0] != '\0')
        return;
    if (r->problem.text[0] != '\0')
        f->problem = r->problem;
    else if (r->count == ROWS_MAX)
        (void)errmsg_set(&f->problem, "more than %d rows have something in common with this call", ROWS_MAX);
}

static int look_up_batch(struct finding *f, const struct hep_slice *texts, size_t count, struct lookup *l,
                         struct errmsg *err)
{
    struct filter *filter = NULL;
    struct search *search = NULL;
    struct search_options o = { .tables = 1u << l->table,
                                .from_us = INT64_MIN,
                                .to_us = INT64_MAX,
                                .limit = ROWS_MAX,
                                .budget_us = f->o->budget_us,
                                .cancel = f->o->cancel };
    for (size_t i = 0; i < 2; i++)
        store_columns_add(&o.columns.table[l->table], l->columns[i]);
    int rc = filter_text_parse(&filter, l->field, texts, count, err);
    o.filter = filter;
    if (rc == 0)
        rc = search_open(&search, f->store, &o, err);
    if (rc == 0)
        note_problem(f, search_result(search));
    for (bool more = rc == 0; more; more = rc > 0)
        rc = search_next(search, PAGE, on_row, l, err);
    search_close(search);
    filter_free(filter);
    return rc;
}

/* Rows whose field is one of these texts: by equality alone, for bloom filters. */
static int look_up(struct finding *f, const struct hep_slice *texts, size_t count, struct lookup *l, struct errmsg *err)
{
    int rc = 0;
    for (size_t at = 0, n; at < count && rc == 0; at += n) {
        size_t octets = texts[at].len;
        for (n = 1; n < BATCH && at + n < count && octets + texts[at + n].len < BATCH_MOST; n++)
            octets += texts[at + n].len;
        rc = look_up_batch(f, texts + at, n, l, err);
    }
    return rc;
}

/* The same of what was added to a set since it was looked up last. */
static int look_up_new(struct finding *f, struct texts *t, struct lookup *l, struct errmsg *err)
{
    size_t from = t->done;
    t->done = t->count;
    return look_up(f, t->list + from, t->count - from, l, err);
}

/* ------------------------------------------------------------------------------------------------ what is found */

/* Kinds of keys whose value is the Call-ID of another leg, mostly. */
static bool names_a_call(struct hep_slice kind)
{
    static const char *const kinds[] = { "replaces", "refer-to", "header", "call-id", "correlation-id" };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strlen(kinds[i]) == kind.len && memcmp(kinds[i], kind.ptr, kind.len) == 0)
            return true;
    return false;
}

/* "kind value" */
static void take_key(struct finding *f, struct hep_slice line)
{
    const uint8_t *blank = line.len > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
    if (blank == NULL)
        return;
    struct hep_slice kind = { line.ptr, (size_t)(blank - line.ptr) };
    struct hep_slice value = { blank + 1, line.len - kind.len - 1 };
    add(&f->keys, value);
    if (names_a_call(kind))
        add(&f->named, value);
}

/* Of a leg: its group, and its keys by lines. */
static void take_call(void *arg, struct hep_slice group, struct hep_slice keys)
{
    struct finding *f = arg;
    add(&f->groups, group);
    while (keys.len > 0) {
        const uint8_t *end = memchr(keys.ptr, '\n', keys.len);
        size_t len = end != NULL ? (size_t)(end - keys.ptr) : keys.len, step = len + (end != NULL);
        take_key(f, (struct hep_slice){ keys.ptr, len });
        keys = (struct hep_slice){ keys.ptr + step, keys.len - step };
    }
}

static void take_leg(void *arg, struct hep_slice call_id, struct hep_slice again)
{
    struct finding *f = arg;
    (void)again;
    add(&f->calls, call_id);
}

/* ------------------------------------------------------------------------------------------------ calls of a key */

/* Which calls have the keys that are looked up: one that too many have says nothing of any of them. */
struct tally {
    const struct hep_slice *keys;
    size_t count;
    struct texts *calls; /* of each key */
};

static void take_key_row(void *arg, struct hep_slice key, struct hep_slice call_id)
{
    const struct tally *t = arg;
    for (size_t i = 0; i < t->count; i++)
        if (t->keys[i].len == key.len && memcmp(t->keys[i].ptr, key.ptr, key.len) == 0)
            add(&t->calls[i], call_id);
}

static int look_up_keys(struct finding *f, const struct hep_slice *keys, size_t count, struct errmsg *err)
{
    struct tally t = { keys, count, calloc(count + 1, sizeof(*t.calls)) };
    struct lookup l = {
        RECORD_CALL_KEY, "key", { RECORD_CALL_KEY_COL_key, RECORD_CALL_KEY_COL_call_id }, take_key_row, &t
    };
    if (t.calls == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        t.calls[i].max = CALL_LEGS_MAX;
    int rc = look_up(f, keys, count, &l, err);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < t.calls[i].count && !t.calls[i].cut; k++)
            add(&f->calls, t.calls[i].list[k]);
        clear(&t.calls[i]);
    }
    free(t.calls);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ rounds */

static int look_at_groups_and_names(struct finding *f, struct errmsg *err)
{
    struct lookup by_group = {
        RECORD_CALL, "group", { RECORD_CALL_COL_call_id, RECORD_CALL_COL_call_id }, take_leg, f
    };
    struct lookup by_name = {
        RECORD_CALL, "callid", { RECORD_CALL_COL_call_id, RECORD_CALL_COL_call_id }, take_leg, f
    };
    int rc = look_up_new(f, &f->groups, &by_group, err);
    return rc == 0 ? look_up_new(f, &f->named, &by_name, err) : rc;
}

/* Of the legs found since the last round: what they have, and who else has it. */
static int look_around(struct finding *f, struct errmsg *err)
{
    struct lookup l = { RECORD_CALL, "callid", { RECORD_CALL_COL_group_id, RECORD_CALL_COL_keys }, take_call, f };
    size_t calls = f->calls.done, keys = f->keys.done;
    int rc = look_up_new(f, &f->calls, &l, err);
    size_t calls_end = f->calls.done;
    f->keys.done = f->keys.count;
    if (rc == 0)
        rc = look_at_groups_and_names(f, err);
    if (rc == 0)
        rc = look_up_keys(f, f->keys.list + keys, f->keys.done - keys, err);
    if (rc == 0) /* a key of theirs may be the Call-ID of ours */
        rc = look_up_keys(f, f->calls.list + calls, calls_end - calls, err);
    return rc;
}

int call_legs_find(struct call_legs *ret, struct store *store, const struct call_legs_options *o, struct errmsg *err)
{
    struct finding f = { .store = store,
                         .o = o,
                         .calls = { .max = CALL_LEGS_MAX },
                         .groups = { .max = TEXTS_MAX },
                         .keys = { .max = TEXTS_MAX },
                         .named = { .max = TEXTS_MAX } };
    int rc = 0;
    *ret = (struct call_legs){ .count = 0 };
    add(&f.calls, (struct hep_slice){ (const uint8_t *)o->call_id, o->call_id_len });
    for (unsigned i = 0; i < ROUNDS_MAX && rc == 0 && f.calls.done < f.calls.count; i++)
        rc = look_around(&f, err);
    if (rc == 0 && (f.calls.failed || f.keys.failed || f.groups.failed || f.named.failed || f.calls.count == 0)) {
        (void)errmsg_set(err, "out of memory");
        rc = -ENOMEM;
    }
    if (rc == 0) {
        ret->count = f.calls.count;
        ret->cut = f.calls.cut || f.keys.cut || f.groups.cut || f.calls.done < f.calls.count;
        ret->problem = f.problem;
        memcpy(ret->call_ids, f.calls.list, f.calls.count * sizeof(*f.calls.list));
        free(f.calls.list); /* its texts are the caller's now */
    } else {
        clear(&f.calls);
    }
    clear(&f.groups);
    clear(&f.keys);
    clear(&f.named);
    return rc;
}

void call_legs_free(struct call_legs *l)
{
    for (size_t i = 0; i < l->count; i++)
        free((void *)(uintptr_t)l->call_ids[i].ptr);
    l->count = 0;
}

void call_legs_json(struct buf *out, const struct call_legs *l)
{
    buf_puts(out, "\"call_ids\":[");
    for (size_t i = 0; i < l->count; i++) {
        buf_puts(out, i > 0 ? "," : "");
        (void)json_out_string(out, l->call_ids[i].ptr, l->call_ids[i].len);
    }
    buf_printf(out, "],\"cut\":%s", l->cut ? "true" : "false");
    if (l->problem.text[0] == '\0')
        return;
    buf_puts(out, ",\"problem\":");
    json_out_text(out, l->problem.text);
}
