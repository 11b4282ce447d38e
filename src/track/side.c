#include <string.h>

#include "track/own.h"

struct side *side_of(struct track_call *c, struct call_world *w, uint32_t tag)
{
    if (own_sides(c) == NULL && !own_add_sides(c, w))
        return NULL;
    struct side *sides = own_sides(c);
    for (size_t i = 0; i < 2; i++) {
        if (sides[i].tag == tag)
            return &sides[i];
        if (sides[i].tag == 0) {
            sides[i].tag = tag;
            return &sides[i];
        }
    }
    return NULL;
}

/* Goes on with the n oldest numbers of the sets. */
static void fold(struct side *s, uint32_t n)
{
    for (uint32_t i = 0; i < n && s->sdp != 0; i++) {
        uint32_t bit = UINT32_C(1) << (31 - i);
        bool hold = (s->hold & bit) != 0;
        if ((s->sdp & bit) == 0 || hold == s->held)
            continue;
        s->held = hold;
        if (hold && s->holds < UINT8_MAX)
            s->holds++;
        if (!hold && s->resumes < UINT8_MAX)
            s->resumes++;
    }
}

static void shift(struct side *s, uint32_t n)
{
    uint32_t *const sets[] = { &s->seen, &s->sdp, &s->hold, &s->challenged };
    fold(s, n < 32 ? n : 32);
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        *sets[i] = n < 32 ? *sets[i] << n : 0;
}

uint32_t side_bit(struct side *s, uint32_t cseq)
{
    if (s->seen == 0 && s->sdp == 0 && s->challenged == 0 && s->max == 0)
        s->max = cseq;
    if (cseq > s->max) {
        shift(s, cseq - s->max);
        s->max = cseq;
    }
    return s->max - cseq < 32 ? UINT32_C(1) << (s->max - cseq) : 0;
}

struct side_holds side_holds(const struct side *s)
{
    struct side all = *s;
    fold(&all, 32);
    return (struct side_holds){ all.holds, all.resumes, all.held };
}
