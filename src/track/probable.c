#include "track/probable.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sip/text.h"
#include "track/internal.h"

#define RING_MAX      4096u /* INVITEs that are remembered: a power of two */
#define TRIES_MAX     16u   /* of them that one INVITE is compared with, by either number */
#define APART_MS      5000
#define SUFFIX_DIGITS 7u
#define SCORE_LEAST   60 /* of 100; below it nothing is said */

static const char *const names[TRACK_LIKES] = {
#define LIKE_NAME(id, name) name,
    TRACK_LIKE_LIST(LIKE_NAME)
#undef LIKE_NAME
};

const char *track_like_name(enum track_like like)
{
    return names[like];
}

enum number { CALLED, CALLING, NUMBERS };

struct invite {
    uint64_t uid;
    int64_t ms;
    uint32_t call;                            /* number of the call */
    uint32_t suffix[NUMBERS], whole[NUMBERS]; /* hashes; 0: none */
    uint32_t src, dst, media, origin, codecs; /* the same */
    uint32_t from, to;                        /* src and dst with their ports */
    uint32_t before[NUMBERS];                 /* the one before it with this suffix, as it counts in `next` */
};

struct invites {
    uint32_t next; /* INVITEs so far, the first being number 1; the place of each is its number in the ring */
    uint32_t last[NUMBERS][RING_MAX]; /* by suffix; 0: none */
    struct invite all[RING_MAX];
};

struct invites *invites_new(void)
{
    struct invites *all = calloc(1, sizeof(*all));
    if (all != NULL)
        all->next = 1;
    return all;
}

void invites_free(struct invites *all)
{
    free(all);
}

size_t invites_octets(void)
{
    return sizeof(struct invites);
}

/* ------------------------------------------------------------------------------------------------ an INVITE */

static uint32_t hash_of(const void *p, size_t len)
{
    uint32_t h = len > 0 ? (uint32_t)XXH3_64bits(p, len) : 0;
    return h != 0 || len == 0 ? h : 1;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The last digits of a number; a name as a whole. Empty: it says nothing. */
static struct hep_slice suffix_of(struct hep_slice user)
{
    static const char *const nobody[] = { "anonymous", "unknown", "restricted" };
    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
        if (text_is(user, nobody[i]))
            return (struct hep_slice){ NULL, 0 };
    for (size_t i = 0; i < user.len; i++)
        if (!is_digit(user.ptr[i]) && !(i == 0 && user.ptr[i] == '+'))
            return user;
    return user.len > SUFFIX_DIGITS ? text_after(user, user.len - SUFFIX_DIGITS) : user;
}

static void set_number(struct invite *in, enum number which, struct hep_slice user)
{
    struct hep_slice suffix = suffix_of(track_text_cut(user));
    in->suffix[which] = hash_of(suffix.ptr, suffix.len);
    in->whole[which] = suffix.len > 0 ? hash_of(user.ptr, user.len) : 0;
}

static struct invite read_invite(const struct track_call *c, uint32_t number, const struct track_event *e,
                                 const struct track_texts *texts)
{
    struct invite in = { .uid = c->uid, .ms = call_from(c), .call = number, .origin = e->origin };
    struct hep_slice sdp = texts->of[TRACK_TEXT_SDP];
    set_number(&in, CALLED, texts->of[TRACK_TEXT_RURI_USER]);
    set_number(&in, CALLING, texts->of[TRACK_TEXT_FROM_USER]);
    in.src = hash_of(e->src.ip.octets, e->src.ip.len);
    in.dst = hash_of(e->dst.ip.octets, e->dst.ip.len);
    in.from = track_endpoint(&e->src.ip, e->src.port);
    in.to = track_endpoint(&e->dst.ip, e->dst.port);
    in.media = e->media.port != 0 ? track_endpoint(&e->media.ip, e->media.port) : 0;
    in.codecs = hash_of(sdp.ptr, sdp.len);
    return in;
}

/* ------------------------------------------------------------------------------------------------ the score */

static int score_number(const struct invite *a, const struct invite *b, enum number which, int equal, unsigned bit,
                        unsigned *by)
{
    if (a->suffix[which] == 0 || a->suffix[which] != b->suffix[which])
        return 0;
    *by |= 1u << bit;
    return a->whole[which] == b->whole[which] ? equal : equal - 5;
}

static int score_same(uint32_t a, uint32_t b, int points, unsigned bit, unsigned *by)
{
    if (a == 0 || a != b)
        return 0;
    *by |= 1u << bit;
    return points;
}

/* What comes from where the other went to was passed on; what takes the same way at the same time is another call. */
static int score_path(const struct invite *a, const struct invite *b, unsigned *by)
{
    bool one_host = a->src == a->dst && b->src == b->dst && a->src == b->src; /* there ports tell what is what */
    bool on = one_host ? a->to == b->from || b->to == a->from
                       : (a->dst != 0 && a->dst == b->src) || (b->dst != 0 && b->dst == a->src);
    if (one_host ? a->from == b->from && a->to == b->to : a->src == b->src && a->dst == b->dst)
        return -30;
    return on ? score_same(1, 1, 25, TRACK_LIKE_PATH, by) : 0;
}

static int score_of(const struct invite *a, const struct invite *b, unsigned *by)
{
    int64_t apart = a->ms > b->ms ? a->ms - b->ms : b->ms - a->ms;
    if (apart > APART_MS)
        return 0;
    int score = score_number(a, b, CALLED, 25, TRACK_LIKE_CALLED, by) +
                score_number(a, b, CALLING, 20, TRACK_LIKE_CALLING, by) + score_path(a, b, by) +
                score_same(a->codecs, b->codecs, 10, TRACK_LIKE_CODECS, by) +
                score_same(a->origin, b->origin, 30, TRACK_LIKE_ORIGIN, by) +
                score_same(a->media, b->media, 30, TRACK_LIKE_MEDIA, by) +
                (apart <= 500    ? score_same(1, 1, 15, TRACK_LIKE_TIME, by)
                 : apart <= 2000 ? 10
                                 : 5);
    return score < 100 ? score : 100;
}

/* ------------------------------------------------------------------------------------------------ pairs */

static struct call_key *probable_of(const struct track_call *c)
{
    for (unsigned i = 0; i < c->key_count; i++)
        if (key_kind(&own_keys(c)[i]) == KEY_PROBABLE)
            return &own_keys(c)[i];
    return NULL;
}

/* The call looks like a leg of the other; of several the best one stands. */
static void note(struct tracker *t, const struct invite *in, uint64_t other, int score, unsigned by)
{
    struct call_key *k = probable_of(tracker_call(t, in->call));
    struct call_key key = { .low = (uint32_t)other,
                            .high = (uint32_t)(other >> 32),
                            .total = (uint16_t)((unsigned)score << 8 | by),
                            .kind = KEY_PROBABLE };
    if (k == NULL)
        (void)key_add(t, in->call, key, (struct hep_slice){ NULL, 0 });
    else if (k->total >> 8 < score)
        *k = key;
}

static void compare(struct tracker *t, const struct invite *in, const struct invite *other)
{
    unsigned by = 0;
    int score = score_of(in, other, &by);
    if (score < SCORE_LEAST || other->call == in->call || tracker_call(t, other->call)->uid != other->uid)
        return;
    t->stats.probable++;
    note(t, in, other->uid, score, by);
    note(t, other, in->uid, score, by);
}

static bool is_there(const struct invites *all, uint32_t number)
{
    return number != 0 && all->next - number <= RING_MAX;
}

void probable_take(struct tracker *t, uint32_t number, const struct track_event *e, const struct track_texts *texts)
{
    struct invites *all = t->invites;
    struct invite in = read_invite(tracker_call(t, number), number, e, texts);
    for (unsigned which = 0; which < NUMBERS; which++)
        __builtin_prefetch(&all->all[all->last[which][in.suffix[which] & (RING_MAX - 1)] & (RING_MAX - 1)]);
    for (unsigned which = 0; which < NUMBERS; which++) {
        uint32_t *last = &all->last[which][in.suffix[which] & (RING_MAX - 1)];
        in.before[which] = *last;
        if (in.suffix[which] == 0)
            continue;
        unsigned tries = 0;
        for (uint32_t i = *last; tries < TRIES_MAX && is_there(all, i); tries++) {
            const struct invite *other = &all->all[i & (RING_MAX - 1)];
            bool met = which == CALLING && other->suffix[CALLED] == in.suffix[CALLED];
            if (other->suffix[which] == in.suffix[which] && !met)
                compare(t, &in, other);
            i = other->before[which];
        }
        *last = all->next;
    }
    all->all[all->next & (RING_MAX - 1)] = in;
    if (++all->next == 0) {
        memset(all, 0, sizeof(*all));
        all->next = 1;
    }
}
