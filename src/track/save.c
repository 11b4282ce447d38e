/*
 * The live calls as octets, little-endian:
 *
 *     0 magic "hctrk06\n"   8 now (4)   12 number of calls (4)   16 the calls
 *     then those that were handed out lately: number (4), and of each its key (8) and the second of its end (4)
 *
 * A call is its fields in the order of fields(), then its shared texts (length, octets), then what it has for itself:
 * sides, keys and their texts, texts. One list writes and reads the numbers, so that they cannot differ. A change of
 * the list is a new magic.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "track/internal.h"
#include "track/io.h"

static const char magic[8] = "hctrk06\n";

#define FIELDS_MAX 1024 /* octets of the numbers of a call */

static void recents(struct track_io *io, struct recent *all)
{
    for (size_t i = 0; i < RECENT_MAX; i++) {
        struct recent *r = &all[i];
        NUMBER(r->message);
        NUMBER(r->ms);
        NUMBER(r->taps);
        NUMBERS(r->copies);
        NUMBER(r->apart);
    }
}

static void sides(struct track_io *io, struct side *all)
{
    for (size_t i = 0; i < 2; i++) {
        struct side *s = &all[i];
        NUMBER(s->tag);
        NUMBER(s->max);
        NUMBER(s->seen);
        NUMBER(s->sdp);
        NUMBER(s->hold);
        NUMBER(s->challenged);
        NUMBER(s->holds);
        NUMBER(s->resumes);
        track_io_flag(io, &s->held);
    }
}

static void finals(struct track_io *io, struct track_call *c)
{
    NUMBER(c->final_via);
    NUMBER(c->final_status);
    NUMBER(c->final_cseq);
    NUMBER(c->final_ms);
    NUMBER(c->caller_tag);
    NUMBER(c->bye_tag);
    NUMBER(c->ack_cseq);
}

static void dialog(struct track_io *io, struct dialog *d)
{
    NUMBERS(d->tags);
    NUMBER(d->bye_ms);
    NUMBER(d->bits);
}

static void ways(struct track_io *io, struct track_call *c)
{
    NUMBER(c->way_count);
    NUMBER(c->branches);
    NUMBER(c->ways_cseq);
    NUMBER(c->ways_ms);
    NUMBER(c->ways_via);
    NUMBER(c->cancel_via);
    NUMBERS(c->ways);
    NUMBERS(c->way_srcs);
    NUMBER(c->dialog_count);
    dialog(io, &c->dialog);
}

static void counts(struct track_io *io, struct track_call *c)
{
    NUMBER(c->messages);
    NUMBER(c->flags);
    NUMBER(c->transports);
    NUMBER(c->tap_count);
    NUMBERS(c->taps);
    NUMBER(c->seen_again);
    NUMBERS(c->again);
    NUMBER(c->reinvites);
    NUMBER(c->updates);
    NUMBER(c->refers);
    NUMBER(c->auth_rounds);
    NUMBER(c->q850);
    NUMBER(c->sip_cause);
    NUMBER(c->q850_rank);
    NUMBER(c->sip_cause_rank);
}

static void fields(struct track_io *io, struct track_call *c)
{
    NUMBER(c->key);
    NUMBER(c->uid);
    NUMBER(c->first_seq);
    NUMBER(c->base_s);
    NUMBER(c->touched);
    NUMBERS(c->at);
    counts(io, c);
    NUMBER(c->recent_at);
    recents(io, c->recent);
    finals(io, c);
    ways(io, c);
    NUMBERS(c->ranks);
    NUMBERS(c->best_ms);
    NUMBERS(c->best_seq);
    NUMBERS(c->ports);
    NUMBER(c->key_count);
}

#define KEY_LEN 12

static void key_fields(struct track_io *io, struct call_key *k)
{
    NUMBER(k->low);
    NUMBER(k->high);
    NUMBER(k->total);
    NUMBER(k->kind);
    NUMBER(k->len);
}

/* ------------------------------------------------------------------------------------------------ out */

struct saving {
    const struct tracker *t;
    struct buf *out;
    bool (*write)(void *arg, const uint8_t *p, size_t len); /* NULL: all stays in `out` */
    void *arg;
    bool failed;
};

#define PIECE ((size_t)256 << 10)

_Static_assert(sizeof(struct track_call) <= FIELDS_MAX, "fields fit");
_Static_assert(2 * sizeof(struct side) + DIALOGS_MAX * sizeof(struct dialog) + KEYS_MAX * KEY_LEN <= FIELDS_MAX,
               "sides, dialogs and keys fit");

static void be32_put(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static bool flush(struct saving *s)
{
    if (s->write == NULL)
        return true;
    s->failed = s->failed || !s->write(s->arg, s->out->ptr, s->out->len);
    buf_reset(s->out);
    return !s->failed;
}

/* What the call has for itself. The numbers are written from copies: the lists are of both directions. */
static void save_own(const struct track_call *c, struct buf *out)
{
    uint8_t octets[FIELDS_MAX];
    struct track_io io = { .out = octets };
    if (own_sides(c) != NULL) {
        struct side all[2];
        memcpy(all, own_sides(c), sizeof(all));
        sides(&io, all);
    }
    for (size_t i = 0; own_dialogs(c) != NULL && i < DIALOGS_MAX - 1; i++) {
        struct dialog d = own_dialogs(c)[i];
        dialog(&io, &d);
    }
    for (unsigned i = 0; i < c->key_count; i++) {
        struct call_key k = own_keys(c)[i];
        key_fields(&io, &k);
    }
    buf_put(out, octets, (size_t)(io.out - octets));
    for (unsigned i = 0; i < c->key_count; i++) {
        struct hep_slice text = own_key_text(c, i);
        buf_put(out, text.ptr, text.len);
    }
    const uint8_t *texts = own_texts(c);
    size_t len = CALL_TEXTS;
    for (size_t i = 0; texts != NULL && i < CALL_TEXTS; i++)
        len += texts[i];
    buf_put(out, texts, texts != NULL ? len : 0);
}

/* Each call is a wait for cold memory, and what it has for itself another: these go on while calls before it are saved.
 */
static void fetch_ahead(const struct tracker *t, uint32_t number)
{
    enum { CALL = 12, OWN = 6, OWN_OCTETS = 192 };
    if (number + CALL >= t->used)
        return;
    const uint8_t *call = (const uint8_t *)tracker_call(t, number + CALL), *own = tracker_call(t, number + OWN)->own;
    for (size_t at = 0; at < sizeof(struct track_call); at += 64)
        __builtin_prefetch(call + at);
    for (size_t at = 0; own != NULL && at < OWN_OCTETS; at += 64)
        __builtin_prefetch(own + at);
}

static bool save_call(void *arg, uint32_t number)
{
    struct saving *s = arg;
    fetch_ahead(s->t, number);
    const struct track_call *c = tracker_call(s->t, number);
    struct track_call copy = *c;
    uint8_t octets[FIELDS_MAX];
    struct track_io io = { .out = octets };
    fields(&io, &copy);
    buf_put(s->out, octets, (size_t)(io.out - octets));
    for (size_t i = 0; i < CALL_WORDS; i++) {
        uint8_t ip4[4];
        be32_put(ip4, c->words[i]);
        struct hep_slice w =
            c->ip4 >> i & 1 ? (struct hep_slice){ ip4, 4 } : words_get(&s->t->world.words, c->words[i]);
        buf_putc(s->out, (char)(uint8_t)w.len);
        buf_put(s->out, w.ptr, w.len);
    }
    save_own(c, s->out);
    return !s->out->failed && (s->out->len < PIECE || flush(s));
}

static bool save_over(void *arg, const void *key, const void *value, uint64_t used)
{
    struct saving *s = arg;
    uint8_t octets[12];
    uint64_t call;
    (void)value;
    memcpy(&call, key, sizeof(call));
    le64_put(octets, call);
    le32_put(octets + 8, (uint32_t)used);
    buf_put(s->out, octets, sizeof(octets));
    return !s->out->failed && (s->out->len < PIECE || flush(s));
}

static void save(struct saving *s)
{
    uint8_t head[8];
    le32_put(head, s->t->now);
    le32_put(head + 4, s->t->stats.live);
    buf_put(s->out, magic, sizeof(magic));
    buf_put(s->out, head, sizeof(head));
    tracker_walk(s->t, save_call, s);
    le32_put(head, (uint32_t)lru_count(s->t->over));
    buf_put(s->out, head, 4);
    lru_each(s->t->over, save_over, s);
}

void tracker_save(const struct tracker *t, struct buf *b)
{
    save(&(struct saving){ .t = t, .out = b });
}

bool tracker_save_to(const struct tracker *t, bool (*write)(void *arg, const uint8_t *p, size_t len), void *arg)
{
    struct buf b;
    struct saving s = { .t = t, .out = &b, .write = write, .arg = arg };
    buf_init(&b, 4 * PIECE);
    save(&s);
    bool ok = !b.failed && flush(&s);
    buf_free(&b);
    return ok;
}

/* ------------------------------------------------------------------------------------------------ in */

/* What the code goes by without looking again. */
static bool is_sound(const struct track_call *c)
{
    if (c->recent_at >= RECENT_MAX || c->way_count > WAYS_MAX || c->dialog_count > DIALOGS_MAX ||
        c->tap_count > TRACK_TAPS_MAX || c->key_count > KEYS_MAX ||
        (c->dialog_count > 1) != ((c->flags & CALL_DIALOGS) != 0))
        return false;
    for (size_t i = 0; i < RECENT_MAX; i++) {
        const struct recent *r = &c->recent[i];
        unsigned first = r->taps & 15u, second = r->taps >> 4;
        bool used = r->copies[0] > 0;
        if (used != (first > 0) || (second > 0) != (r->copies[1] > 0) || (second > 0 && !used) ||
            second > TRACK_TAPS_MAX + 1 || first > TRACK_TAPS_MAX + 1)
            return false;
    }
    return c->messages > 0 && c->final_status < 1000;
}

/* An address, or none, where one belongs. */
static bool is_word(size_t which, size_t len)
{
    return which < WORD_SRC || len == 0 || len == 4 || len == 16;
}

static bool is_sound_key(const struct call_key *k)
{
    unsigned kind = key_kind(k);
    unsigned via = k->total >> 12; /* of a group */
    if (kind == TRACK_KEY_NONE || kind >= TRACK_KEYS)
        return k->kind < KEY_KINDS && (kind != KEY_GROUP || (via != TRACK_KEY_NONE && via < TRACK_KEYS));
    return k->total > 0;
}

static int load_sides(struct track_call *c, struct call_world *w, struct track_io *io)
{
    struct side all[2];
    memset(all, 0, sizeof(all));
    sides(io, all);
    if (io->in.bad)
        return -EINVAL;
    if (!own_add_sides(c, w))
        return -ENOMEM;
    memcpy(own_sides(c), all, sizeof(all));
    return 0;
}

static int load_dialogs(struct track_call *c, struct call_world *w, struct track_io *io)
{
    struct dialog all[DIALOGS_MAX - 1];
    memset(all, 0, sizeof(all));
    for (size_t i = 0; i < DIALOGS_MAX - 1; i++)
        dialog(io, &all[i]);
    if (io->in.bad)
        return -EINVAL;
    if (!own_add_dialogs(c, w))
        return -ENOMEM;
    memcpy(own_dialogs(c), all, sizeof(all));
    return 0;
}

static int load_keys(struct track_call *c, struct call_world *w, unsigned count, struct track_io *io)
{
    struct call_key keys[KEYS_MAX];
    for (unsigned i = 0; i < count; i++) {
        key_fields(io, &keys[i]);
        if (io->in.bad || !is_sound_key(&keys[i]))
            return -EINVAL;
    }
    for (unsigned i = 0; i < count; i++) {
        struct hep_slice text = { NULL, keys[i].len };
        if (!rd_take(&io->in, text.len, &text.ptr))
            return -EINVAL;
        if (!own_add_key(c, w, keys[i], text))
            return -ENOMEM;
    }
    return 0;
}

static int load_texts(struct track_call *c, struct call_world *w, struct rd *in)
{
    size_t len = CALL_TEXTS;
    const uint8_t *p = in->ptr;
    if (rd_left(in) < CALL_TEXTS)
        return -EINVAL;
    for (size_t i = 0; i < CALL_TEXTS; i++)
        len += p[i];
    if (!rd_take(in, len, &p))
        return -EINVAL;
    own_set_texts(c, w, p, len);
    return own_texts(c) != NULL ? 0 : -ENOMEM;
}

/* The parts (of the flags), and so many keys. */
static int load_own(struct track_call *c, struct call_world *w, unsigned parts, unsigned count, struct track_io *io)
{
    int rc = (parts & CALL_SIDES) != 0 ? load_sides(c, w, io) : 0;
    if (rc == 0 && (parts & CALL_DIALOGS) != 0)
        rc = load_dialogs(c, w, io);
    if (rc == 0)
        rc = load_keys(c, w, count, io);
    return rc == 0 && (parts & CALL_OWN_TEXTS) != 0 ? load_texts(c, w, &io->in) : rc;
}

static int load_words(struct track_call *c, struct call_world *w, struct rd *in)
{
    for (size_t i = 0; i < CALL_WORDS; i++) {
        struct hep_slice s = { NULL, rd_u8(in) };
        uint64_t lost = 0;
        if (!rd_take(in, s.len, &s.ptr) || !is_word(i, s.len))
            return -EINVAL;
        if (i >= WORD_SRC && s.len == 4) {
            c->words[i] = be32_load(s.ptr);
            c->ip4 |= (uint16_t)(1u << i);
            continue;
        }
        c->words[i] = words_take(&w->words, s, &lost);
        if (lost > 0)
            return -ENOMEM;
    }
    return in->bad ? -EINVAL : 0;
}

static int load_call(struct tracker *t, struct track_io *io)
{
    struct track_call c;
    uint32_t place;
    memset(&c, 0, sizeof(c));
    fields(io, &c);
    if (io->in.bad || !is_sound(&c) || tracker_find(t, c.key, &place))
        return -EINVAL;
    unsigned parts = c.flags & CALL_PARTS, keys = c.key_count;
    c.flags &= (uint16_t)~CALL_PARTS;
    c.key_count = 0;
    int rc = load_words(&c, &t->world, &io->in);
    if (rc == 0)
        rc = load_own(&c, &t->world, parts, keys, io);
    if (rc == 0) {
        tracker_make_room(t);
        struct track_call *to = tracker_add(t, c.key, &place);
        rc = to != NULL ? 0 : -ENOMEM;
        if (to != NULL) {
            *to = c;
            tracker_arm(t, place);
            return key_link_all(t, place) ? 0 : -ENOMEM;
        }
    }
    call_end(&c, &t->world);
    return rc;
}

static int load_over(struct tracker *t, struct rd *in)
{
    uint32_t count = rd_u32le(in);
    if (in->bad || rd_left(in) != 12 * (size_t)count)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t key = rd_u64le(in);
        uint32_t second = rd_u32le(in);
        bool fresh;
        if (lru_put(t->over, &key, second, &fresh) == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int fail(struct tracker *t, int rc, struct errmsg *err)
{
    track_call_fn *fn = t->o.on_call;
    t->o.on_call = NULL;
    tracker_finish(t);
    t->o.on_call = fn;
    t->stats = (struct track_stats){ 0 };
    (void)errmsg_set(err,
                     rc == -ENOMEM ? "no memory for the live calls" : "not the live calls of this version, or damaged");
    return rc;
}

int tracker_load(struct tracker *t, const uint8_t *p, size_t len, struct errmsg *err)
{
    struct track_io io = { NULL, { .bad = false } };
    const uint8_t *head;
    rd_init(&io.in, p, len);
    if (!rd_take(&io.in, sizeof(magic), &head) || memcmp(head, magic, sizeof(magic)) != 0)
        return fail(t, -EINVAL, err);
    uint32_t now = rd_u32le(&io.in), count = rd_u32le(&io.in);
    if (io.in.bad || now > UINT32_MAX - 2 * WHEEL_SLOTS)
        return fail(t, -EINVAL, err);
    t->now = now;
    t->earliest = now + 1;
    for (uint32_t i = 0; i < count; i++) {
        int rc = load_call(t, &io);
        if (rc != 0)
            return fail(t, rc, err);
    }
    int rc = load_over(t, &io.in);
    return rc == 0 ? 0 : fail(t, rc, err);
}
