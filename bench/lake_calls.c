#include "lake_calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/call_row.h"

#define SEED 7

struct lake_calls {
    struct store *store;
    struct tracker *tracker;
    int64_t now_us;
};

static void append(struct lake_calls *c, const struct record *row)
{
    if (c->store->ops->append(c->store, 0, row) == 0)
        return;
    fprintf(stderr, "no memory for a call\n");
    exit(1);
}

static void on_call(void *arg, const struct call_record *call)
{
    static const struct quality_figures none = { .mos = QUALITY_UNKNOWN,
                                                 .mos_min = QUALITY_UNKNOWN,
                                                 .loss_pct = QUALITY_UNKNOWN,
                                                 .loss_max_pct = QUALITY_UNKNOWN,
                                                 .jitter_ms = QUALITY_UNKNOWN,
                                                 .jitter_max_ms = QUALITY_UNKNOWN,
                                                 .rtt_ms = QUALITY_UNKNOWN,
                                                 .rtt_max_ms = QUALITY_UNKNOWN };
    const struct quality_of_call quality = { .worse = none, .heard = { none, none } };
    struct lake_calls *c = arg;
    struct call_row_texts texts;
    struct record row;
    for (size_t i = 0; i < call->key_count; i++)
        if (call_row_key(call, i, RECORD_NETWORK, c->now_us, &row))
            append(c, &row);
    call_row_make(call, &quality, RECORD_NETWORK, c->now_us, &texts, &row);
    append(c, &row);
}

struct lake_calls *lake_calls_new(struct store *store)
{
    struct lake_calls *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->store = store;
    c->tracker = tracker_new(&(struct track_options){ .on_call = on_call, .arg = c });
    if (c->tracker != NULL)
        return c;
    free(c);
    return NULL;
}

void lake_calls_take(struct lake_calls *c, const struct record *message)
{
    struct track_event event;
    struct track_texts texts;
    if (message->received - c->now_us >= 1000000)
        tracker_tick(c->tracker, message->received);
    c->now_us = message->received;
    if (track_event_make(message, SEED, &event, &texts))
        (void)tracker_take(c->tracker, &event, &texts, c->now_us);
}

void lake_calls_free(struct lake_calls *c)
{
    if (c == NULL)
        return;
    tracker_finish(c->tracker);
    tracker_free(c->tracker);
    free(c);
}
