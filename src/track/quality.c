#include "track/quality.h"

#include <stdlib.h>
#include <string.h>

#include "track/quality_internal.h"

static void preset(uint32_t *option, uint32_t value)
{
    if (*option == 0)
        *option = value;
}

static void on_drop(void *arg, const void *key, void *value)
{
    (void)key;
    quality_call_free(arg, value);
}

struct quality *quality_new(const struct quality_options *options)
{
    struct quality *q = calloc(1, sizeof(*q));
    if (q == NULL)
        return NULL;
    q->o = *options;
    q->waiting_end = &q->waiting;
    preset(&q->o.max_calls, 200000);
    preset(&q->o.max_waiting, 20000);
    preset(&q->o.wait_ms, 10000);
    const struct lru_options calls = { .key_size = 8,
                                       .value_size = sizeof(struct quality_call),
                                       .capacity = q->o.max_calls,
                                       .on_drop = on_drop,
                                       .arg = q };
    const struct lru_options pairs = { .key_size = 8, .value_size = 8, .capacity = 2 * (size_t)q->o.max_calls };
    q->calls = lru_new(&calls);
    q->pairs = lru_new(&pairs);
    if (q->calls != NULL && q->pairs != NULL)
        return q;
    quality_free(q);
    return NULL;
}

/* Of a message that waits. */
static size_t octets_of(const struct quality_message *m)
{
    return sizeof(struct quality_waiting) + m->len + m->id_len;
}

static struct quality_waiting *take_first(struct quality *q)
{
    struct quality_waiting *w = q->waiting;
    q->waiting = w->next;
    if (q->waiting == NULL)
        q->waiting_end = &q->waiting;
    q->stats.waiting--;
    q->stats.octets -= octets_of(&w->message);
    return w;
}

void quality_free(struct quality *q)
{
    if (q == NULL)
        return;
    while (q->waiting != NULL)
        free(take_first(q));
    lru_free(q->calls);
    lru_free(q->pairs);
    quality_index_free(q);
    free(q);
}

/* ------------------------------------------------------------------------------------------------ reports */

struct adding {
    struct quality *q;
    const struct quality_message *m;
    enum quality_match match;
    int64_t now_us;
};

/* The reports that were read, to the call that was found. */
static void add_to_call(void *arg, const struct call_record *call)
{
    const struct adding *a = arg;
    struct quality_call *c = quality_call_of(a->q, call, a->now_us);
    if (c == NULL)
        a->q->stats.no_memory++;
    for (size_t i = 0; i < a->q->reports.count && c != NULL; i++) {
        struct quality_report r = {
            .message = a->m, .call = call, .report = &a->q->reports.list[i], .match = a->match
        };
        quality_add(a->q, c, &r);
    }
}

static void add_to(struct quality *q, const struct quality_message *m, const struct quality_keys *keys,
                   enum quality_match match, uint64_t call, int64_t now_us)
{
    struct adding a = { q, m, match, now_us };
    q->stats.matched[match]++;
    (void)tracker_show(q->o.tracker, call, add_to_call, &a);
    quality_learn(q, keys, call, (uint64_t)now_us);
}

static void tell_alone(struct quality *q, const struct quality_message *m, const uint8_t *octets)
{
    const struct hep_slice id = { octets + m->len, m->id_len };
    q->stats.matched[QUALITY_NONE]++;
    for (size_t i = 0; i < q->reports.count; i++)
        quality_tell_alone(q, m, id, &q->reports.list[i]);
}

static bool read_reports(struct quality *q, const struct quality_message *m, const uint8_t *octets)
{
    (void)media_read((enum media_form)m->form, (struct hep_slice){ octets, m->len }, &q->reports);
    return q->reports.count > 0;
}

/* ------------------------------------------------------------------------------------------------ waiting */

/* One that waited: to its call, or to none. */
static void settle(struct quality *q, struct quality_waiting *w, int64_t now_us)
{
    uint64_t call;
    enum quality_match match = quality_find(q, &w->keys, &call);
    if (read_reports(q, &w->message, w->octets)) {
        if (match != QUALITY_NONE)
            add_to(q, &w->message, &w->keys, match, call, now_us);
        else
            tell_alone(q, &w->message, w->octets);
    }
    free(w);
}

static void wait_for_call(struct quality *q, const struct quality_message *m, const uint8_t *octets,
                          const struct quality_keys *keys, int64_t now_us)
{
    struct quality_waiting *w = malloc(octets_of(m));
    if (w == NULL) {
        q->stats.no_memory++;
        tell_alone(q, m, octets);
        return;
    }
    *w = (struct quality_waiting){ .since_us = now_us, .keys = *keys, .message = *m };
    memcpy(w->octets, octets, m->len + m->id_len);
    *q->waiting_end = w;
    q->waiting_end = &w->next;
    q->stats.waiting++;
    q->stats.octets += octets_of(m);
    if (q->stats.waiting > q->o.max_waiting)
        settle(q, take_first(q), now_us);
}

void quality_take(struct quality *q, const struct quality_message *m, const uint8_t *octets, int64_t now_us)
{
    struct quality_keys keys;
    uint64_t call;
    q->stats.messages++;
    if (!read_reports(q, m, octets)) {
        q->stats.bad += q->reports.error != NULL;
        return;
    }
    q->stats.reports += q->reports.count;
    q->stats.dropped += q->reports.dropped;
    quality_keys_of(q, m, &keys);
    enum quality_match match = quality_find(q, &keys, &call);
    if (match != QUALITY_NONE)
        add_to(q, m, &keys, match, call, now_us);
    else
        wait_for_call(q, m, octets, &keys, now_us);
}

/* Those whose call has come by now leave the list; the others stay in their order. */
void quality_tick(struct quality *q, int64_t now_us)
{
    struct quality_waiting *list = q->waiting;
    q->waiting = NULL;
    q->waiting_end = &q->waiting;
    while (list != NULL) {
        struct quality_waiting *w = list;
        uint64_t call;
        list = w->next;
        w->next = NULL;
        bool over = now_us - w->since_us > (int64_t)q->o.wait_ms * 1000;
        if (over || quality_find(q, &w->keys, &call) != QUALITY_NONE) {
            q->stats.waiting--;
            q->stats.octets -= octets_of(&w->message);
            settle(q, w, now_us);
            continue;
        }
        *q->waiting_end = w;
        q->waiting_end = &w->next;
    }
}

void quality_finish(struct quality *q)
{
    while (q->waiting != NULL) {
        struct quality_waiting *w = take_first(q);
        settle(q, w, w->since_us);
    }
}

void quality_forget(struct quality *q, const struct call_record *call)
{
    if (lru_count(q->calls) == 0)
        return;
    uint64_t key = track_call_hash(call->texts.of[TRACK_TEXT_CALL_ID], q->o.seed);
    struct quality_call *c = lru_find(q->calls, &key);
    if (c != NULL && c->uid == call->uid)
        lru_remove(q->calls, c);
}

void quality_stats(const struct quality *q, struct quality_stats *ret)
{
    *ret = q->stats;
    ret->calls = lru_count(q->calls);
    ret->evicted = lru_evicted(q->calls);
    ret->octets += lru_count(q->calls) * (sizeof(struct quality_call) + 64) + lru_count(q->pairs) * 80 +
                   (q->endpoints != NULL ? lru_count(q->endpoints) * 76 : 0);
}
