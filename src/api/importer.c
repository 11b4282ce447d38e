#include "api/importer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/importer_internal.h"
#include "base/clock.h"
#include "base/lru.h"

#define ROOM_WAIT_MS    10000
#define DURABLE_WAIT_MS 20000
#define LOOK_MS         100 /* a wake that comes too early for us is made up for after so long */
#define FIRST_TIME_US   INT64_C(1)

/* What is known of a key. */
struct entry {
    uint64_t body;       /* hash */
    int64_t received_us; /* of the first frame */
    uint64_t next;       /* frames before it are with the sink, or never will be */
    uint64_t seq;        /* of the last one stored; 0: none, or not known */
    bool look_up;        /* frames from `next` on may be there, too: of a former server */
};

struct importer {
    struct importer_options o;
    const struct vfs *vfs;
    pthread_mutex_t lock; /* one body at a time */
    struct record_reader *reader;
    struct record record;
    struct lru *keys;
    struct import_journal journal;
    int64_t next_us; /* no frame has this time of reception, or a later one */

    pthread_mutex_t wake_lock;
    pthread_cond_t wake;
    atomic_bool stopping;
    atomic_uint_fast64_t bodies, repeated, stored, bad, full, looked_up;
};

/* One body under way. */
struct taking {
    struct importer *imp;
    struct entry *entry; /* of the key, or `once` */
    struct entry once;
    struct hep_slice body; /* frames */
    struct hep_slice sent; /* the body as it came: what its hash is of */
    struct importer_result *result;
    struct import_rows rows;
    uint64_t now_stored, until_ms;
};

/* ------------------------------------------------------------------------------------------------ waiting */

static uint64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void on_wake(void *arg)
{
    struct importer *imp = arg;
    (void)pthread_mutex_lock(&imp->wake_lock);
    (void)pthread_cond_broadcast(&imp->wake);
    (void)pthread_mutex_unlock(&imp->wake_lock);
}

/* Until woken, or LOOK_MS. False: the time is over, or the importer is to stop. */
static bool wait_until(struct importer *imp, uint64_t until_ms)
{
    struct timespec ts;
    if (atomic_load(&imp->stopping) || now_ms() >= until_ms)
        return false;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += LOOK_MS * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000L;
    }
    (void)pthread_mutex_lock(&imp->wake_lock);
    (void)pthread_cond_timedwait(&imp->wake, &imp->wake_lock, &ts);
    (void)pthread_mutex_unlock(&imp->wake_lock);
    return true;
}

/* ------------------------------------------------------------------------------------------------ open and close */

static bool init_waiting(struct importer *imp)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&imp->lock, NULL);
    (void)pthread_mutex_init(&imp->wake_lock, NULL);
    int rc = pthread_cond_init(&imp->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    return rc == 0;
}

/* A body that a former server began, and may have finished. */
static void on_note(void *arg, const struct import_note *note)
{
    struct importer *imp = arg;
    bool fresh;
    struct entry *e = lru_put(imp->keys, &note->key, note->number, &fresh);
    if (e != NULL)
        *e = (struct entry){ .body = note->body, .received_us = note->received_us, .look_up = true };
    int64_t behind = note->received_us + (int64_t)note->frames;
    if (behind > imp->next_us)
        imp->next_us = behind;
}

int importer_open(struct importer **ret, const struct importer_options *options, struct errmsg *err)
{
    const struct lru_options keys = { .key_size = sizeof(XXH128_hash_t),
                                      .value_size = sizeof(struct entry),
                                      .capacity = IMPORTER_KEYS };
    struct importer *imp = calloc(1, sizeof(*imp));
    err->text[0] = '\0';
    if (imp == NULL || !init_waiting(imp)) {
        free(imp);
        return errmsg_set(err, "out of memory");
    }
    imp->o = *options;
    imp->vfs = options->vfs != NULL ? options->vfs : vfs_posix();
    imp->journal.file = -1;
    imp->next_us = FIRST_TIME_US;
    imp->reader = record_reader_new(&options->record);
    imp->keys = lru_new(&keys);
    if (imp->reader == NULL || imp->keys == NULL) {
        importer_free(imp);
        return errmsg_set(err, "out of memory");
    }
    if (options->data_dir != NULL)
        (void)import_journal_open(&imp->journal, imp->vfs, options->data_dir, on_note, imp, err);
    if (options->sink->ops->on_wake != NULL)
        options->sink->ops->on_wake(options->sink->ctx, options->writer, on_wake, imp);
    *ret = imp;
    return 0;
}

void importer_stop(struct importer *imp)
{
    atomic_store(&imp->stopping, true);
    on_wake(imp);
}

void importer_free(struct importer *imp)
{
    if (imp == NULL)
        return;
    import_journal_close(&imp->journal);
    lru_free(imp->keys);
    record_reader_free(imp->reader);
    (void)pthread_cond_destroy(&imp->wake);
    (void)pthread_mutex_destroy(&imp->wake_lock);
    (void)pthread_mutex_destroy(&imp->lock);
    free(imp);
}

/* ------------------------------------------------------------------------------------------------ frames */

/* Calls take() for each frame with its number, until it returns other than 0; that, or 0. */
static int each_frame(struct taking *t, int (*take)(struct taking *t, uint64_t i, struct hep_slice frame))
{
    struct hep_stream s = { .buf = (uint8_t *)(uintptr_t)t->body.ptr, .cap = t->body.len, .end = t->body.len };
    struct hep_slice frame;
    int rc = 0, error = HEP_OK;
    for (uint64_t i = 0; rc == 0 && (error = hep_stream_next(&s, &frame)) == HEP_OK; i++)
        rc = take(t, i, frame);
    if (rc != 0)
        return rc;
    if (error == HEP_NEED_MORE || error == HEP_ERR_FRAME_LIMIT)
        error = s.start == s.end ? HEP_OK : HEP_ERR_TRUNCATED;
    if (error != HEP_OK && t->result->bad++ == 0) {
        t->result->error = error;
        t->result->error_offset = s.start;
    }
    return 0;
}

static int count_frame(struct taking *t, uint64_t i, struct hep_slice frame)
{
    (void)frame;
    t->rows.frames = i + 1;
    return 0;
}

/* Its number is its time of reception. */
static struct sink_frame sink_frame(const struct taking *t, uint64_t i, struct hep_slice frame)
{
    return (struct sink_frame){ .data = frame.ptr,
                                .len = frame.len,
                                .received_us = t->entry->received_us + (int64_t)i,
                                .transport = RECORD_FILE,
                                .source = RECORD_IMPORT };
}

/* As ingest does: heplify's have type 0 and no addresses, HFP's a payload that says so. */
static bool is_keepalive(const struct hep_msg *msg)
{
    if (msg->payload_type == 0 && msg->src.len == 0 && msg->dst.len == 0)
        return true;
    return msg->payload.len == 8 && memcmp(msg->payload.ptr, "HEP PING", 8) == 0;
}

/* False if there is nothing to store; it is counted then. */
static bool read_frame(struct taking *t, struct hep_slice octets, const struct sink_frame *frame, struct hep_msg *msg)
{
    struct importer_result *r = t->result;
    int rc = record_read_hep(t->imp->reader, frame, msg);
    if (rc == HEP_OK && is_keepalive(msg)) {
        r->keepalives++;
        return false;
    }
    if (rc == HEP_OK)
        return true;
    if (r->bad++ == 0) {
        r->error = rc;
        r->error_offset = (size_t)(octets.ptr - t->body.ptr) + msg->error_offset;
    }
    return false;
}

static int append(struct taking *t, const struct sink_frame *frame, const struct hep_msg *msg, uint64_t *ret_seq)
{
    struct importer *imp = t->imp;
    for (;;) {
        record_make(imp->reader, frame, msg, &imp->record);
        enum sink_result rc = sink_append(imp->o.sink, imp->o.writer, frame, &imp->record, ret_seq);
        if (rc != SINK_FULL)
            return rc;
        if (!wait_until(imp, t->until_ms))
            return SINK_FULL;
    }
}

static int take_frame(struct taking *t, uint64_t i, struct hep_slice octets)
{
    struct sink_frame frame = sink_frame(t, i, octets);
    struct hep_msg msg;
    bool known = i < t->entry->next || import_rows_has(&t->rows, i);
    if (!read_frame(t, octets, &frame, &msg))
        return 0;
    if (known) {
        t->result->stored++;
        return 0;
    }
    switch (append(t, &frame, &msg, &t->entry->seq)) {
    case SINK_OK:
        t->result->stored++;
        t->now_stored++;
        return 0;
    case SINK_FULL:
        t->entry->next = i > t->entry->next ? i : t->entry->next;
        return SINK_FULL;
    default:
        t->result->refused++;
        return 0;
    }
}

/* ------------------------------------------------------------------------------------------------ look-up */

static int span_frame(struct taking *t, uint64_t i, struct hep_slice octets)
{
    struct sink_frame frame = sink_frame(t, i, octets);
    struct hep_msg msg;
    struct record *record = &t->imp->record;
    if (record_read_hep(t->imp->reader, &frame, &msg) != HEP_OK)
        return 0;
    record_make(t->imp->reader, &frame, &msg, record);
    if (record->ts < t->rows.least_us)
        t->rows.least_us = record->ts;
    if (record->ts > t->rows.most_us)
        t->rows.most_us = record->ts;
    return 0;
}

/* Finds out which frames are there already. 0, or -1 with a text. */
static int look_up(struct taking *t, struct errmsg *err)
{
    struct importer_result unused = { 0 }, *result = t->result;
    struct import_rows *rows = &t->rows;
    rows->received_us = t->entry->received_us;
    rows->least_us = INT64_MAX;
    rows->most_us = INT64_MIN;
    rows->there = calloc(rows->frames / 8 + 1, 1);
    if (rows->there == NULL || t->imp->o.store == NULL)
        return errmsg_set(err, "what is stored already cannot be found out");
    t->result = &unused;
    (void)each_frame(t, span_frame);
    t->result = result;
    if (rows->least_us <= rows->most_us && import_rows_find(t->imp->o.store, rows, err) != 0)
        return -1;
    if (rows->count > 0)
        atomic_fetch_add(&t->imp->looked_up, 1);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ keys */

static int64_t wall_us(void)
{
    struct wall_time now = clock_wall();
    return (int64_t)now.sec * 1000000 + now.usec;
}

/* Gives a new body its times. */
static void begin(struct taking *t, uint64_t hash)
{
    struct importer *imp = t->imp;
    int64_t now = wall_us();
    *t->entry = (struct entry){ .body = hash, .received_us = now > imp->next_us ? now : imp->next_us };
    imp->next_us = t->entry->received_us + (int64_t)t->rows.frames;
}

/* Makes t->entry that of the key. Under the lock. */
static enum importer_status find_key(struct taking *t, const char *key, struct errmsg *err)
{
    struct importer *imp = t->imp;
    uint64_t hash = XXH3_64bits(t->sent.ptr, t->sent.len);
    struct import_note note = { .key = XXH3_128bits(key, strlen(key)), .body = hash };
    bool fresh;
    struct entry *e = lru_put(imp->keys, &note.key, now_ms(), &fresh);
    if (e == NULL) {
        (void)errmsg_set(err, "out of memory");
        return IMPORTER_NO_MEMORY;
    }
    t->entry = e;
    if (!fresh) {
        atomic_fetch_add(&imp->repeated, 1);
        if (e->body == hash)
            return IMPORTER_DONE;
        (void)errmsg_set(err, "this Idempotency-Key was used for another body");
        return IMPORTER_KEY_REUSED;
    }
    begin(t, hash);
    note.received_us = e->received_us;
    note.frames = t->rows.frames;
    /* A disk that does not take it is no reason to refuse frames: then a crash in the next moment stores them twice. */
    (void)import_journal_put(&imp->journal, &note);
    return IMPORTER_DONE;
}

/* ------------------------------------------------------------------------------------------------ bodies */

static enum importer_status stopped_or(const struct importer *imp, enum importer_status status, const char *text,
                                       struct errmsg *err)
{
    bool stopping = atomic_load(&imp->stopping);
    (void)errmsg_set(err, "%s", stopping ? "the server stops" : text);
    return stopping ? IMPORTER_STOPPED : status;
}

static enum importer_status take_all(struct taking *t, struct errmsg *err)
{
    if (t->entry->look_up && look_up(t, err) != 0)
        return IMPORTER_UNSURE;
    if (each_frame(t, take_frame) == SINK_FULL)
        return stopped_or(t->imp, IMPORTER_FULL, "no room: storage does not keep up", err);
    t->entry->next = t->rows.frames;
    t->entry->look_up = false;
    return IMPORTER_DONE;
}

static enum importer_status take_locked(struct taking *t, const char *key, uint64_t *ret_seq, struct errmsg *err)
{
    struct importer_result result = { 0 }, *given = t->result;
    enum importer_status status = IMPORTER_DONE;
    t->entry = &t->once;
    t->result = &result;
    (void)each_frame(t, count_frame);
    t->result = given;
    if (key == NULL || key[0] == '\0')
        begin(t, 0);
    else
        status = find_key(t, key, err);
    if (status == IMPORTER_DONE)
        status = take_all(t, err);
    *ret_seq = t->entry->seq;
    return status;
}

static enum importer_status wait_durable(struct importer *imp, uint64_t seq, struct errmsg *err)
{
    const struct sink *sink = imp->o.sink;
    uint64_t until = now_ms() + (imp->o.durable_wait_ms == 0 ? DURABLE_WAIT_MS : imp->o.durable_wait_ms);
    if (imp->o.not_durable || seq <= sink_durable(sink))
        return IMPORTER_DONE;
    if (sink->ops->request != NULL)
        sink->ops->request(sink->ctx, seq);
    while (seq > sink_durable(sink))
        if (!wait_until(imp, until))
            return stopped_or(imp, IMPORTER_NOT_DURABLE, "stored, but not durable yet", err);
    return IMPORTER_DONE;
}

/* A capture becomes frames under the lock, too: the memory for them is taken once. */
static enum importer_status take_body(struct taking *t, const char *key, uint64_t *ret_seq, struct errmsg *err)
{
    struct buf frames;
    enum importer_status status = IMPORTER_DONE;
    buf_init(&frames, IMPORTER_FRAMES_MAX);
    if (import_is_capture(t->sent)) {
        status = import_capture(&frames, t->sent, t->result, err);
        t->body = (struct hep_slice){ frames.ptr, frames.len };
    }
    if (status == IMPORTER_DONE) {
        t->until_ms = now_ms() + (t->imp->o.room_wait_ms == 0 ? ROOM_WAIT_MS : t->imp->o.room_wait_ms);
        status = take_locked(t, key, ret_seq, err);
    }
    buf_free(&frames);
    return status;
}

enum importer_status importer_take(struct importer *imp, const char *key, struct hep_slice body,
                                   struct importer_result *ret, struct errmsg *err)
{
    struct taking t = { .imp = imp, .body = body, .sent = body, .result = ret };
    uint64_t seq = 0;
    *ret = (struct importer_result){ 0 };
    (void)pthread_mutex_lock(&imp->lock);
    enum importer_status status = take_body(&t, key, &seq, err);
    (void)pthread_mutex_unlock(&imp->lock);
    free(t.rows.there);
    atomic_fetch_add(&imp->bodies, 1);
    atomic_fetch_add(&imp->stored, t.now_stored);
    atomic_fetch_add(&imp->bad, ret->bad);
    atomic_fetch_add(&imp->full, status == IMPORTER_FULL);
    return status == IMPORTER_DONE ? wait_durable(imp, seq, err) : status;
}

void importer_figures(struct importer *imp, struct importer_figures *ret)
{
    *ret = (struct importer_figures){ .bodies = atomic_load(&imp->bodies),
                                      .repeated = atomic_load(&imp->repeated),
                                      .stored = atomic_load(&imp->stored),
                                      .bad = atomic_load(&imp->bad),
                                      .full = atomic_load(&imp->full),
                                      .looked_up = atomic_load(&imp->looked_up) };
}
