#include "query/seen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

/* A number that was not had for so many others never comes: its row was refused. */
#define FAR 65536u

static void drop_first(struct store_seen *s)
{
    s->gap_count--;
    memmove(s->gaps, s->gaps + 1, s->gap_count * sizeof(s->gaps[0]));
}

static void fill_gap(struct store_seen *s, uint64_t seq)
{
    for (size_t i = 0; i < s->gap_count; i++)
        if (s->gaps[i] == seq) {
            s->gap_count--;
            memmove(s->gaps + i, s->gaps + i + 1, (s->gap_count - i) * sizeof(s->gaps[0]));
            return;
        }
}

void seen_note(struct store_seen *s, uint64_t seq)
{
    if (seq <= s->max) {
        fill_gap(s, seq);
        return;
    }
    uint64_t from = seq - s->max > STORE_GAPS_MAX ? seq - STORE_GAPS_MAX : s->max + 1;
    for (uint64_t gap = from; gap < seq; gap++) {
        if (s->gap_count == STORE_GAPS_MAX)
            drop_first(s);
        s->gaps[s->gap_count++] = gap;
    }
    s->max = seq;
    while (s->gap_count > 0 && seq - s->gaps[0] > FAR)
        drop_first(s);
}

struct store_seen seen_up_to(const struct store_seen *s, uint64_t seq)
{
    struct store_seen up_to = { .max = seq };
    for (size_t i = 0; i < s->gap_count && s->gaps[i] < seq; i++)
        up_to.gaps[up_to.gap_count++] = s->gaps[i];
    return up_to;
}

void seen_format(const struct store_seen *s, char out[SEEN_TEXT_MAX])
{
    int len = snprintf(out, SEEN_TEXT_MAX, "%" PRIu64, s->max);
    for (size_t i = s->gap_count; i-- > 0 && len > 0 && len < SEEN_TEXT_MAX;)
        len += snprintf(out + len, SEEN_TEXT_MAX - (size_t)len, "-%" PRIu64, s->max - s->gaps[i]);
}

/* Gaps come the highest first, as distances that grow. */
static bool parse_gaps(const char *at, const char *end, struct store_seen *ret)
{
    uint64_t gaps[STORE_GAPS_MAX], before = 0;
    size_t count = 0;
    while (at < end) {
        const char *next = memchr(at, '-', (size_t)(end - at));
        size_t len = (size_t)((next != NULL ? next : end) - at);
        if (count == STORE_GAPS_MAX || !num_parse(at, len, ret->max, &gaps[count]) || gaps[count] <= before ||
            (next != NULL && next + 1 == end))
            return false;
        before = gaps[count++];
        at = next != NULL ? next + 1 : end;
    }
    ret->gap_count = count;
    for (size_t i = 0; i < count; i++)
        ret->gaps[i] = ret->max - gaps[count - 1 - i];
    return true;
}

bool seen_parse(const char *text, size_t len, struct store_seen *ret)
{
    const char *end = text + len;
    const char *dash = memchr(text, '-', len);
    const char *first = dash != NULL ? dash : end;
    *ret = (struct store_seen){ .max = 0 };
    if (len == 0 || !num_parse(text, (size_t)(first - text), UINT64_MAX - 1, &ret->max))
        return false;
    return dash == NULL || (dash + 1 < end && parse_gaps(dash + 1, end, ret));
}
