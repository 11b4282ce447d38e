/*
 * What is known of the quality of calls as octets, little-endian:
 *
 *     0 magic "hcqual1\n"   8 number of calls (4)   12 of messages that wait (4)   16 the calls, the messages
 *
 * A call is its numbers and its streams, a message its numbers and its payload. One list of fields serves both
 * directions; a change of it is a new magic.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "track/io.h"
#include "track/quality_internal.h"

#define PIECE     ((size_t)64 << 10)
#define ITEM_MAX  1024 /* octets of the numbers of a call, a stream or a message */
#define TIME_MOST (INT64_C(1) << 60)

static const uint8_t magic[8] = "hcqual1\n";

/* ------------------------------------------------------------------------------------------------ fields */

static void figure(struct track_io *io, struct rtp_figure *f)
{
    NUMBER(f->count);
    NUMBER(f->sum);
    NUMBER(f->min);
    NUMBER(f->max);
}

static void block(struct track_io *io, struct rtcp_block *b)
{
    NUMBER(b->ssrc);
    NUMBER(b->fraction_lost);
    NUMBER(b->lost);
    NUMBER(b->highest_seq);
    NUMBER(b->jitter);
    NUMBER(b->lsr);
    NUMBER(b->dlsr);
}

static void rtp(struct track_io *io, struct rtp_stream *s)
{
    NUMBER(s->expected);
    NUMBER(s->lost);
    figure(io, &s->loss_pct);
    figure(io, &s->jitter_ms);
    figure(io, &s->rtt_ms);
    NUMBER(s->first_us);
    NUMBER(s->last_us);
    NUMBER(s->worst_loss_us);
    NUMBER(s->reports);
    NUMBERS(s->odd);
    block(io, &s->last);
    NUMBER(s->late_seq);
    track_io_flag(io, &s->has_last);
    track_io_flag(io, &s->has_late);
    for (size_t i = 0; i < RTP_STREAM_SENT; i++) {
        NUMBER(s->sent[i].ntp_middle);
        NUMBER(s->sent[i].at_us);
    }
    NUMBER(s->sent_count);
    NUMBER(s->sent_next);
}

static void stream(struct track_io *io, struct quality_stream *s)
{
    NUMBER(s->reporter);
    NUMBER(s->ssrc);
    NUMBER(s->source);
    NUMBER(s->heard_by);
    track_io_flag(io, &s->other);
    track_io_flag(io, &s->periodic);
    rtp(io, &s->rtp);
    NUMBER(s->expected);
    NUMBER(s->lost);
    figure(io, &s->mos);
    figure(io, &s->loss);
    figure(io, &s->jitter);
    figure(io, &s->rtt);
}

static void call(struct track_io *io, struct quality_call *c)
{
    NUMBER(c->uid);
    NUMBER(c->key);
    NUMBER(c->reports);
    NUMBERS(c->empty);
    NUMBER(c->stream_count);
    track_io_flag(io, &c->one_way);
}

static void addr(struct track_io *io, struct track_addr *a)
{
    NUMBER(a->ip.len);
    NUMBERS(a->ip.octets);
    NUMBER(a->port);
}

static void message(struct track_io *io, struct quality_waiting *w)
{
    struct quality_message *m = &w->message;
    NUMBER(w->since_us);
    NUMBER(m->call);
    NUMBER(m->seq);
    NUMBER(m->ts);
    addr(io, &m->src);
    addr(io, &m->dst);
    NUMBER(m->len);
    NUMBER(m->id_len);
    NUMBER(m->form);
    NUMBER(m->transport);
}

/* ------------------------------------------------------------------------------------------------ out */

struct saving {
    struct buf out;
    bool (*write)(void *arg, const uint8_t *p, size_t len);
    void *arg;
    bool failed;
};

static void flush(struct saving *s, size_t least)
{
    if (s->out.len < least || s->failed)
        return;
    s->failed = s->out.failed || !s->write(s->arg, s->out.ptr, s->out.len);
    buf_reset(&s->out);
}

/* The lists are of both directions: what is written is a copy. */
static void save_call(struct saving *s, const struct quality_call *c)
{
    struct quality_call copy = *c;
    uint8_t octets[ITEM_MAX];
    struct track_io io = { .out = octets };
    call(&io, &copy);
    buf_put(&s->out, octets, (size_t)(io.out - octets));
    for (size_t i = 0; i < c->stream_count; i++) {
        struct quality_stream one = c->streams[i];
        io.out = octets;
        stream(&io, &one);
        buf_put(&s->out, octets, (size_t)(io.out - octets));
    }
    flush(s, PIECE);
}

static void save_waiting(struct saving *s, const struct quality_waiting *w)
{
    struct quality_waiting copy = { .since_us = w->since_us, .message = w->message };
    uint8_t octets[ITEM_MAX];
    struct track_io io = { .out = octets };
    message(&io, &copy);
    buf_put(&s->out, octets, (size_t)(io.out - octets));
    buf_put(&s->out, w->octets, w->message.len + w->message.id_len);
    flush(s, PIECE);
}

bool quality_save_to(const struct quality *q, bool (*write)(void *arg, const uint8_t *p, size_t len), void *arg)
{
    struct saving s = { .write = write, .arg = arg };
    uint8_t head[8];
    buf_init(&s.out, 2 * PIECE);
    le32_put(head, (uint32_t)lru_count(q->calls));
    le32_put(head + 4, (uint32_t)q->stats.waiting);
    buf_put(&s.out, magic, sizeof(magic));
    buf_put(&s.out, head, sizeof(head));
    for (const struct quality_call *c = q->all; c != NULL && !s.failed; c = c->next)
        save_call(&s, c);
    for (const struct quality_waiting *w = q->waiting; w != NULL && !s.failed; w = w->next)
        save_waiting(&s, w);
    flush(&s, 1);
    buf_free(&s.out);
    return !s.failed;
}

/* ------------------------------------------------------------------------------------------------ in */

struct loading {
    struct quality *q;
    struct track_io io;
    struct quality_call call; /* its numbers */
    struct quality_call *to;  /* NULL: of a call that is no more */
    bool no_memory;
};

static void find_call(void *arg, const struct call_record *record)
{
    struct loading *l = arg;
    if (record->uid != l->call.uid)
        return;
    l->to = quality_call_of(l->q, record, record->last);
    l->no_memory = l->to == NULL;
}

/* What the code goes by without looking again. */
static bool is_sound(const struct quality_stream *s)
{
    return s->source <= MEDIA_FROM_SBC && s->heard_by <= TRACK_CALLEE && s->rtp.sent_count <= RTP_STREAM_SENT &&
           s->rtp.sent_next < RTP_STREAM_SENT;
}

static int load_call(struct loading *l)
{
    memset(&l->call, 0, sizeof(l->call));
    call(&l->io, &l->call);
    if (l->io.in.bad || l->call.stream_count > QUALITY_STREAMS_MAX)
        return -EINVAL;
    l->to = NULL;
    (void)tracker_show(l->q->o.tracker, l->call.key, find_call, l);
    for (unsigned i = 0; i < l->call.stream_count && !l->no_memory; i++) {
        struct quality_stream s;
        memset(&s, 0, sizeof(s));
        stream(&l->io, &s);
        if (l->io.in.bad || !is_sound(&s))
            return -EINVAL;
        l->no_memory = l->to != NULL && !quality_add_stream(l->q, l->to, &s);
    }
    if (l->no_memory)
        return -ENOMEM;
    if (l->to != NULL) {
        l->to->reports = l->call.reports;
        l->to->one_way = l->call.one_way;
        memcpy(l->to->empty, l->call.empty, sizeof(l->call.empty));
    }
    return 0;
}

static bool is_addr(const struct track_addr *a)
{
    return a->ip.len == 0 || a->ip.len == 4 || a->ip.len == 16;
}

static int load_waiting(struct loading *l)
{
    struct quality_waiting w = { .next = NULL };
    const uint8_t *octets;
    message(&l->io, &w);
    if (l->io.in.bad || !is_addr(&w.message.src) || !is_addr(&w.message.dst) || w.message.len > QUALITY_PAYLOAD_MAX ||
        w.message.id_len > QUALITY_ID_MAX || w.message.form > MEDIA_FORM_P_STAT || w.since_us < -TIME_MOST ||
        w.since_us > TIME_MOST || w.message.transport >= TRACK_TRANSPORTS ||
        !rd_take(&l->io.in, w.message.len + w.message.id_len, &octets))
        return -EINVAL;
    quality_take(l->q, &w.message, octets, w.since_us);
    return 0;
}

/* It has been counted before. */
static int load_all(struct loading *l, uint32_t calls, uint32_t waiting)
{
    int rc = 0;
    for (uint32_t i = 0; i < calls && rc == 0; i++)
        rc = load_call(l);
    for (uint32_t i = 0; i < waiting && rc == 0; i++)
        rc = load_waiting(l);
    l->q->stats.messages = l->q->stats.reports = 0;
    return rc;
}

int quality_load(struct quality *q, const uint8_t *p, size_t len, struct errmsg *err)
{
    struct loading l = { .q = q };
    rd_init(&l.io.in, p, len);
    const uint8_t *head;
    int rc = -EINVAL;
    if (rd_take(&l.io.in, 16, &head) && memcmp(head, magic, sizeof(magic)) == 0)
        rc = load_all(&l, le32_load(head + 8), le32_load(head + 12));
    if (rc == -EINVAL)
        (void)errmsg_set(err, "not what is known of the media of calls, or damaged");
    else if (rc != 0)
        (void)errmsg_set(err, "no memory for the media of calls");
    return rc;
}
