#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "store/lake/duck_internal.h"

#define CANCEL_EVERY_US 20000u
#define STEP_US         60000000u /* longest wait at once */

uint64_t duck_now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static const char *reason_text(int rc)
{
    switch (rc) {
    case DUCK_ERR_TIMEOUT:
        return "the query took too long and was interrupted";
    case DUCK_ERR_CANCELLED:
        return "the query was cancelled";
    case DUCK_ERR_LIMIT:
        return "the result is too large";
    default:
        return "the query was stopped";
    }
}

int duck_talk_check(const struct duck_talk *q)
{
    if (q->cancel != NULL && atomic_load_explicit(q->cancel, memory_order_relaxed))
        return DUCK_ERR_CANCELLED;
    return duck_now_us() >= q->until ? DUCK_ERR_TIMEOUT : 0;
}

uint64_t duck_talk_patience(const struct duck_talk *q, uint64_t most)
{
    uint64_t now = duck_now_us(), left = q->until > now ? q->until - now : 0;
    if (q->cancel != NULL && left > CANCEL_EVERY_US)
        left = CANCEL_EVERY_US;
    return left < most ? left : most;
}

/* Tells the child to stop. What it still says until its END is read and dropped. */
static void interrupt(struct duck_talk *q, int reason)
{
    if (q->reason != 0)
        return;
    q->reason = reason;
    q->give_up = duck_now_us() + q->d->o.grace_us;
    duck_child_interrupt(q->child, q->slot, q->number);
}

/* A duck_wait_fn: waits in steps, interrupts the query when it is time, and gives up when that does not help. */
static int wait_child(void *arg, int fd, short events)
{
    struct duck_talk *q = arg;
    struct pollfd p = { fd, events, 0 };
    for (;;) {
        int why = q->reason == 0 ? duck_talk_check(q) : 0;
        if (why != 0)
            interrupt(q, why);
        uint64_t us = q->reason == 0 ? duck_talk_patience(q, STEP_US) : q->d->o.grace_us;
        if (q->reason != 0 && duck_now_us() >= q->give_up)
            return q->reason;
        int n = poll(&p, 1, (int)((us + 999) / 1000));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return DUCK_WIRE_CLOSED;
    }
}

/* ---- rows ---- */

static int one_row(struct duck_talk *q, struct rd *r, struct duck_value *cells, uint32_t columns)
{
    size_t unused = 0;
    for (uint32_t i = 0; i < columns; i++) {
        cells[i] = (struct duck_value){ .kind = DUCK_NULL };
        if (duck_get_value(r, &cells[i], NULL, 0, &unused) != 0)
            return DUCK_WIRE_MALFORMED;
    }
    if (q->reason != 0)
        return 0;
    q->stats.rows++;
    if (q->row != NULL && q->row(q->arg, cells, columns) != 0)
        interrupt(q, DUCK_ERR_STOPPED);
    return 0;
}

static int take_rows(struct duck_talk *q, const struct buf *body)
{
    struct duck_value cells[DUCK_COLUMNS_MAX];
    struct rd r;
    rd_init(&r, body->ptr, body->len);
    uint32_t rows = rd_u32le(&r), columns = rd_u32le(&r);
    if (r.bad || columns > sizeof(cells) / sizeof(cells[0]))
        return DUCK_WIRE_MALFORMED;
    q->octets += body->len;
    if (q->octets > q->d->o.result_max)
        interrupt(q, DUCK_ERR_LIMIT);
    int rc = 0;
    for (uint32_t i = 0; i < rows && rc == 0 && q->reason == 0; i++)
        rc = one_row(q, &r, cells, columns);
    return rc;
}

static int take_head(struct duck_talk *q, const struct buf *body)
{
    struct duck_slice names[DUCK_COLUMNS_MAX], types[DUCK_COLUMNS_MAX];
    struct rd r;
    rd_init(&r, body->ptr, body->len);
    uint32_t count = rd_u32le(&r);
    if (r.bad || q->script == NULL || count > sizeof(names) / sizeof(names[0]))
        return DUCK_WIRE_MALFORMED;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = duck_get_text(&r);
        types[i] = duck_get_text(&r);
    }
    if (r.bad)
        return DUCK_WIRE_MALFORMED;
    if (q->reason == 0 && q->script->head != NULL && q->script->head(q->arg, names, types, count) != 0)
        interrupt(q, DUCK_ERR_STOPPED);
    return 0;
}

static int take_end(struct duck_talk *q, const struct buf *body)
{
    struct rd r;
    rd_init(&r, body->ptr, body->len);
    int rc = (int32_t)rd_u32le(&r);
    q->stats.octets_read = rd_u64le(&r);
    q->stats.cpu_us = rd_u64le(&r);
    q->stats.gave_up = rd_u64le(&r);
    struct duck_slice text = duck_get_text(&r);
    if (r.bad || rc > 0 || rc <= -DUCK_ERROR_COUNT)
        return DUCK_WIRE_MALFORMED;
    if (rc != 0)
        (void)errmsg_set(q->err, "%.*s", (int)text.len, (const char *)text.ptr);
    return rc;
}

/* ---- conversation ---- */

static int send_query(struct duck_talk *q, const char *sql, const struct duck_value *values, size_t count)
{
    struct buf b;
    buf_init(&b, DUCK_QUERY_MAX);
    size_t start = duck_frame_begin(&b, DUCK_FRAME_QUERY);
    duck_put_u64(&b, q->number);
    duck_put_text(&b, sql, strlen(sql));
    duck_put_u32(&b, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        duck_put_value(&b, &values[i]);
    duck_put_u8(&b, q->script != NULL);
    if (q->script != NULL) {
        duck_put_u32(&b, (uint32_t)q->script->before_count);
        for (size_t i = 0; i < q->script->before_count; i++)
            duck_put_text(&b, q->script->before[i], strlen(q->script->before[i]));
    }
    duck_frame_end(&b, start);
    int rc = DUCK_ERR_LIMIT;
    if (b.failed)
        (void)errmsg_set(q->err, "SQL and values of more than %u octets", DUCK_QUERY_MAX);
    else
        rc = duck_send(q->child->slots[q->slot], b.ptr, b.len, wait_child, q);
    buf_free(&b);
    return rc;
}

/* Reads until END. 0, an enum duck_error from END, or a DUCK_WIRE_...; or, if the child did not obey, q->reason. */
static int read_answer(struct duck_talk *q, bool *ret_ended)
{
    struct buf body;
    enum duck_frame type = DUCK_FRAME_ROWS;
    int rc = 0;
    buf_init(&body, DUCK_FRAME_MAX + 1);
    while (rc == 0 && (type == DUCK_FRAME_ROWS || type == DUCK_FRAME_HEAD)) {
        rc = duck_receive(q->child->slots[q->slot], &body, &type, wait_child, q);
        if (rc == 0 && type == DUCK_FRAME_ROWS)
            rc = take_rows(q, &body);
        else if (rc == 0 && type == DUCK_FRAME_HEAD)
            rc = take_head(q, &body);
    }
    if (rc == 0) {
        rc = type == DUCK_FRAME_END ? take_end(q, &body) : DUCK_WIRE_MALFORMED;
        *ret_ended = rc <= 0;
    }
    buf_free(&body);
    return rc;
}

int duck_talk(struct duck_talk *q, const char *sql, const struct duck_value *values, size_t count, bool *ret_ended)
{
    int rc = send_query(q, sql, values, count);
    *ret_ended = rc == DUCK_ERR_LIMIT; /* then nothing was sent */
    if (rc == 0)
        rc = read_answer(q, ret_ended);
    /* A query that came to its end before its interrupt did has lost rows here all the same. */
    if (q->reason != 0 && rc <= 0) {
        rc = q->reason;
        (void)errmsg_set(q->err, "%s", reason_text(rc));
    }
    return rc;
}
