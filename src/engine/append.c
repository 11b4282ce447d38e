/* The sink: a frame into the log, its row into the store. */
#include <errno.h>

#include "engine/internal.h"

/* The store is asked for its state once in so many rows of a writer. */
#define LOOK_EVERY 256

static struct wal_record log_record(const struct sink_frame *frame)
{
    return (struct wal_record){
        .time_us = (uint64_t)frame->received_us,
        .kind = frame->source,
        .transport = frame->transport,
        .local_port = frame->local_port,
        .peer_port = frame->peer_port,
        .peer = frame->peer,
        .frame = frame->data,
        .len = frame->len,
    };
}

static void lower(_Atomic uint64_t *least, uint64_t seq)
{
    uint64_t now = atomic_load(least);
    while (seq < now && !atomic_compare_exchange_weak(least, &now, seq))
        ;
}

/*
 * The log refuses (disk full, or an error that sticks): the row goes on in memory, and is durable when it is sealed.
 * The watermark is held before the number is taken, as a commit that works again takes numbers given out for logged.
 */
static uint64_t without_log(struct engine *e, struct engine_writer *w, struct record *record)
{
    if (w->unlogged_from == 0) {
        w->unlogged_from = wal_reserve_seq(e->wal, 0);
        lower(&e->unlogged_from, w->unlogged_from);
    }
    atomic_fetch_add_explicit(&e->unlogged, 1, memory_order_relaxed);
    record->flags |= RECORD_FLAG_NO_WAL;
    return wal_reserve_seq(e->wal, 1);
}

/* Under the writer's lock. */
static enum sink_result append_both(struct engine *e, unsigned writer, const struct sink_frame *frame,
                                    struct record *record, uint64_t *ret_seq)
{
    struct wal_record log = log_record(frame);
    int rc = wal_append(e->wal, writer, &log, 1, ret_seq);
    if (rc == -EMSGSIZE)
        return SINK_REFUSED;
    if (rc != 0)
        *ret_seq = without_log(e, &e->writers[writer], record);
    record->seq = *ret_seq;
    if (e->store->ops->append(e->store, writer, record) == 0)
        return SINK_OK;
    /* Out of memory. It is in the log, until that is cut: to ask for it again could store it twice. */
    atomic_fetch_add_explicit(&e->not_kept, 1, memory_order_relaxed);
    return rc == 0 ? SINK_OK : SINK_FULL;
}

static void press(struct engine *e)
{
    if (!atomic_exchange(&e->pressed, true))
        engine_request_seal(e);
}

static void look(struct engine *e, struct engine_writer *w)
{
    if (w->until_look-- > 0)
        return;
    w->until_look = LOOK_EVERY;
    if (e->store->ops->pressed(e->store))
        press(e);
    else
        atomic_store_explicit(&e->pressed, false, memory_order_relaxed);
}

static enum sink_result append(void *ctx, unsigned writer, const struct sink_frame *frame, struct record *record,
                               uint64_t *ret_seq)
{
    struct engine *e = ctx;
    struct engine_writer *w = &e->writers[writer];
    if (e->store->ops->full(e->store)) {
        press(e);
        return SINK_FULL;
    }
    bool event = e->calls != NULL && calls_prepare(e->calls, writer, record);
    pthread_mutex_lock(&w->lock);
    enum sink_result rc = append_both(e, writer, frame, record, ret_seq);
    if (rc == SINK_OK && event)
        w->event_seq = *ret_seq;
    pthread_mutex_unlock(&w->lock);
    if (rc == SINK_OK && event)
        calls_push(e->calls, writer, *ret_seq);
    look(e, w);
    return rc;
}

/* In the log, or in sealed files; but for rows that are in neither. */
static uint64_t durable(void *ctx)
{
    struct engine *e = ctx;
    uint64_t logged = wal_durable(e->wal);
    uint64_t sealed = atomic_load(&e->sealed_seq);
    uint64_t unlogged = atomic_load(&e->unlogged_from);
    uint64_t up_to = logged > sealed ? logged : sealed;
    return up_to < unlogged ? up_to : unlogged - 1;
}

static void request(void *ctx, uint64_t seq)
{
    struct engine *e = ctx;
    if (seq >= atomic_load(&e->unlogged_from) || wal_error(e->wal) != 0)
        engine_request_seal(e); /* the log will not do it */
    else
        wal_request(e->wal, seq);
}

static void on_wake(void *ctx, unsigned writer, sink_wake_fn *wake, void *arg)
{
    struct engine *e = ctx;
    e->writers[writer].wake_arg = arg;
    atomic_store(&e->writers[writer].wake, wake);
}

static bool pressed(void *ctx)
{
    struct engine *e = ctx;
    return e->store->ops->pressed(e->store);
}

const struct sink_ops engine_sink_ops = {
    .append = append,
    .durable = durable,
    .request = request,
    .on_wake = on_wake,
    .pressed = pressed,
};

void engine_wake_all(struct engine *e)
{
    for (unsigned i = 0; i < e->o.writers; i++) {
        sink_wake_fn *wake = atomic_load(&e->writers[i].wake);
        if (wake != NULL)
            wake(e->writers[i].wake_arg);
    }
}
