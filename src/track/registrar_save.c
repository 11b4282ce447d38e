/*
 * What is open and what is known as octets, little-endian:
 *
 *     0 magic "hcregis1"   8 second of the clock (4)   12 number of Call-IDs (4)   16 number of AoRs (4)
 *     the Call-IDs, each with its transactions; the AoRs from the one left alone for longest on, each with its bindings
 *
 * One description serves both directions: each function below writes what it is given, or fills it in.
 */
#include <errno.h>
#include <string.h>

#include "base/le.h"
#include "track/registrar_internal.h"

#define PIECE     ((size_t)64 << 10)
#define TIME_MOST (INT64_C(1) << 60) /* microseconds, either way from 1970 */

static const uint8_t magic[8] = "hcregis1";

struct io {
    struct registrar *r; /* to read into; NULL: writes */
    struct buf *to;
    struct rd from;
    bool bad;
};

/* ------------------------------------------------------------------------------------------------ pieces */

static uint64_t number(struct io *io, uint64_t v, unsigned octets)
{
    uint8_t le[8];
    const uint8_t *p;
    if (io->r == NULL) {
        le64_put(le, v);
        buf_put(io->to, le, octets);
        return v;
    }
    memset(le, 0, sizeof(le));
    if (rd_take(&io->from, octets, &p))
        memcpy(le, p, octets);
    else
        io->bad = true;
    return le64_load(le);
}

#define IO_NUMBER(io, member) ((member) = (__typeof__(member))number(io, (uint64_t)(member), sizeof(member)))

static void text(struct io *io, struct reg_string **s)
{
    struct hep_slice is = reg_string_slice(*s);
    const uint8_t *p;
    size_t len = number(io, is.len, 1);
    if (io->r == NULL)
        buf_put(io->to, is.ptr, is.len);
    else if (rd_take(&io->from, len, &p))
        *s = reg_string_new(io->r, (struct hep_slice){ p, len });
    else
        io->bad = true;
}

static void flag(struct io *io, bool *b)
{
    uint64_t v = number(io, *b, 1);
    *b = v == 1;
    io->bad = io->bad || v > 1;
}

static void address(struct io *io, struct track_addr *a)
{
    const uint8_t *p;
    IO_NUMBER(io, a->ip.len);
    IO_NUMBER(io, a->port);
    if (io->r == NULL)
        buf_put(io->to, a->ip.octets, sizeof(a->ip.octets));
    else if (rd_take(&io->from, sizeof(a->ip.octets), &p))
        memcpy(a->ip.octets, p, sizeof(a->ip.octets));
    io->bad = io->bad || (a->ip.len != 0 && a->ip.len != 4 && a->ip.len != 16);
}

static void when(struct io *io, int64_t *us)
{
    IO_NUMBER(io, *us);
    io->bad = io->bad || (*us != TRACK_NO_TIME && (*us < -TIME_MOST || *us > TIME_MOST));
}

/* How many of something follow; more than `most` is damage. */
static unsigned count(struct io *io, unsigned n, unsigned most)
{
    n = (unsigned)number(io, n, 4);
    io->bad = io->bad || n > most;
    return io->bad ? 0 : n;
}

/* ------------------------------------------------------------------------------------------------ what is open */

static void contacts(struct io *io, struct reg_contacts **c)
{
    bool there = *c != NULL;
    flag(io, &there);
    if (there && io->r != NULL)
        *c = reg_alloc(io->r, sizeof(**c));
    if (!there || *c == NULL) {
        io->bad = io->bad || there;
        return;
    }
    flag(io, &(*c)->star);
    unsigned n = count(io, (*c)->count, REG_CONTACTS_MAX);
    for (unsigned i = 0; i < n; i++) {
        (*c)->count = (uint8_t)(io->r != NULL ? i + 1 : n);
        IO_NUMBER(io, (*c)->of[i].hash);
        IO_NUMBER(io, (*c)->of[i].expires);
        text(io, &(*c)->of[i].uri);
    }
}

static void message(struct io *io, struct reg_message *m)
{
    IO_NUMBER(io, m->hash);
    for (unsigned i = 0; i < REG_TAPS; i++) {
        IO_NUMBER(io, m->taps[i]);
        IO_NUMBER(io, m->copies[i]);
        io->bad = io->bad || (m->taps[i] == 0) != (m->copies[i] == 0);
    }
    IO_NUMBER(io, m->more);
    io->bad = io->bad || m->taps[0] == 0;
}

static void transaction(struct io *io, struct reg_transaction *t)
{
    IO_NUMBER(io, t->cseq);
    IO_NUMBER(io, t->status);
    IO_NUMBER(io, t->flags);
    IO_NUMBER(io, t->transport);
    IO_NUMBER(io, t->messages);
    IO_NUMBER(io, t->first_seq);
    when(io, &t->first);
    when(io, &t->last);
    when(io, &t->request);
    when(io, &t->final);
    IO_NUMBER(io, t->request_message);
    IO_NUMBER(io, t->final_message);
    IO_NUMBER(io, t->touched);
    IO_NUMBER(io, t->expires);
    IO_NUMBER(io, t->granted);
    IO_NUMBER(io, t->min_expires);
    address(io, &t->src);
    address(io, &t->dst);
    contacts(io, &t->asked);
    contacts(io, &t->bound);
    text(io, &t->agent);
    text(io, &t->auth_user);
    text(io, &t->reason);
    t->message_count = (uint8_t)count(io, t->message_count, REG_MESSAGES);
    for (unsigned i = 0; i < t->message_count; i++)
        message(io, &t->seen[i]);
    io->bad = io->bad || t->messages == 0 || t->status >= 1000 || (t->status == 0) != (t->final == TRACK_NO_TIME) ||
              t->transport >= TRACK_TRANSPORTS || t->first > t->last || t->first == TRACK_NO_TIME;
}

static void transactions(struct io *io, struct reg_open *o)
{
    struct reg_transaction **at = &o->first;
    unsigned n = count(io, o->count, REG_TRANSACTIONS);
    uint32_t cseq = 0;
    for (unsigned i = 0; i < n && !io->bad; i++) {
        if (io->r != NULL) {
            *at = reg_alloc(io->r, sizeof(**at));
            io->bad = *at == NULL;
            if (io->bad)
                return;
            o->count++;
        }
        transaction(io, *at);
        io->bad = io->bad || (i > 0 && (*at)->cseq <= cseq);
        cseq = (*at)->cseq;
        at = &(*at)->next;
    }
}

static void open_one(struct io *io, struct reg_open *o)
{
    IO_NUMBER(io, o->aor);
    IO_NUMBER(io, o->closed);
    when(io, &o->closed_ts);
    IO_NUMBER(io, o->closed_at);
    text(io, &o->call_id);
    text(io, &o->from_user);
    text(io, &o->from_host);
    text(io, &o->to_user);
    text(io, &o->to_host);
    transactions(io, o);
}

/* ------------------------------------------------------------------------------------------------ AoRs */

static void bound(struct io *io, struct reg_bound *b)
{
    IO_NUMBER(io, b->hash);
    IO_NUMBER(io, b->registrar);
    when(io, &b->since);
    when(io, &b->refreshed);
    when(io, &b->expires_at);
    address(io, &b->src);
    address(io, &b->dst);
    text(io, &b->uri);
    text(io, &b->agent);
}

static void bindings(struct io *io, struct reg_known *k)
{
    unsigned n = count(io, k->binding_count, REG_AOR_BINDINGS);
    if (io->r != NULL && n > 0 && !reg_aor_room(io->r, k, (uint8_t)n))
        io->bad = true;
    for (unsigned i = 0; i < n && !io->bad; i++) {
        if (io->r != NULL)
            k->binding_count++;
        bound(io, &k->bindings[i]);
    }
}

static void known(struct io *io, struct reg_known *k)
{
    IO_NUMBER(io, k->used_s);
    IO_NUMBER(io, k->result);
    IO_NUMBER(io, k->change_at);
    IO_NUMBER(io, k->status);
    flag(io, &k->up);
    flag(io, &k->removed);
    flag(io, &k->failing);
    IO_NUMBER(io, k->attempts);
    IO_NUMBER(io, k->succeeded);
    IO_NUMBER(io, k->failed);
    IO_NUMBER(io, k->failed_in_a_row);
    when(io, &k->last_attempt);
    when(io, &k->last_success);
    when(io, &k->since);
    for (unsigned i = 0; i < REG_CHANGES_MAX; i++)
        IO_NUMBER(io, k->changes[i]);
    address(io, &k->src);
    address(io, &k->dst);
    text(io, &k->user);
    text(io, &k->host);
    text(io, &k->reason);
    text(io, &k->call_id);
    text(io, &k->agent);
    bindings(io, k);
    io->bad = io->bad || k->result >= REG_RESULTS || k->change_at >= REG_CHANGES_MAX;
}

/* ------------------------------------------------------------------------------------------------ saving */

struct saving {
    struct io io;
    bool (*write)(void *arg, const uint8_t *p, size_t len);
    void *arg;
};

static bool pass_on(struct saving *s, size_t least)
{
    struct buf *b = s->io.to;
    if (b->failed)
        return false;
    if (b->len < least || b->len == 0)
        return true;
    bool ok = s->write(s->arg, b->ptr, b->len);
    buf_reset(b);
    return ok;
}

static bool save_open(const struct registrar *r, struct saving *s)
{
    for (uint32_t i = 1; i < r->open_places; i++) {
        if (r->opens[i] == NULL)
            continue;
        (void)number(&s->io, r->opens[i]->key, 8);
        open_one(&s->io, r->opens[i]);
        if (!pass_on(s, PIECE))
            return false;
    }
    return true;
}

static bool save_aors(const struct registrar *r, struct saving *s)
{
    for (uint64_t proven = 0; proven < 2; proven++)
        for (uint32_t place = r->oldest[proven]; place != 0; place = reg_aor_at(r, place)->newer) {
            (void)number(&s->io, reg_aor_at(r, place)->aor, 8);
            (void)number(&s->io, proven, 1);
            known(&s->io, reg_aor_at(r, place));
            if (!pass_on(s, PIECE))
                return false;
        }
    return true;
}

bool registrar_save_to(const struct registrar *r, bool (*write)(void *arg, const uint8_t *p, size_t len), void *arg)
{
    struct buf b;
    buf_init(&b, 2 * PIECE);
    struct saving s = { .io = { .to = &b }, .write = write, .arg = arg };
    buf_put(&b, magic, sizeof(magic));
    (void)number(&s.io, r->now, 4);
    (void)number(&s.io, r->stats.open, 4);
    (void)number(&s.io, r->stats.aors, 4);
    bool ok = save_open(r, &s) && save_aors(r, &s) && pass_on(&s, 1);
    buf_free(&b);
    return ok;
}

/* ------------------------------------------------------------------------------------------------ loading */

static void load_open(struct io *io, uint64_t n)
{
    for (; n > 0 && !io->bad; n--) {
        uint64_t key = number(io, 0, 8);
        struct reg_open *o = io->bad ? NULL : reg_open_add(io->r, key);
        if (o == NULL) {
            io->bad = true;
            return;
        }
        open_one(io, o);
        io->bad = io->bad || (o->count == 0 && o->closed_ts == TRACK_NO_TIME);
        reg_open_arm(io->r, o);
    }
}

static void load_aors(struct io *io, uint64_t n)
{
    for (; n > 0 && !io->bad; n--) {
        uint64_t aor = number(io, 0, 8);
        uint64_t proven = number(io, 0, 1);
        uint32_t place = io->bad || proven > 1 ? 0 : reg_aor_add(io->r, aor, proven == 1);
        if (place == 0) {
            io->bad = true;
            return;
        }
        known(io, reg_aor_at(io->r, place));
    }
}

int registrar_load(struct registrar *r, const uint8_t *p, size_t len, struct errmsg *err)
{
    struct io io = { .r = r };
    const uint8_t *head;
    uint64_t lost = r->stats.no_memory;
    rd_init(&io.from, p, len);
    if (!rd_take(&io.from, sizeof(magic), &head) || memcmp(head, magic, sizeof(magic)) != 0)
        return (void)errmsg_set(err, "registrations of another version"), -EINVAL;
    r->now = r->turned = (uint32_t)number(&io, 0, 4);
    uint64_t opens = number(&io, 0, 4), aors = number(&io, 0, 4);
    load_open(&io, opens);
    load_aors(&io, aors);
    if (r->stats.no_memory != lost)
        return (void)errmsg_set(err, "out of memory"), -ENOMEM;
    if (io.bad || rd_left(&io.from) != 0)
        return (void)errmsg_set(err, "damaged registrations"), -EINVAL;
    return 0;
}
