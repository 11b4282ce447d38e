#include "store/lake/top.h"

bool top_before(const struct top *t, int64_t a_ts, uint64_t a_seq, int64_t b_ts, uint64_t b_seq)
{
    if (a_ts != b_ts)
        return (a_ts < b_ts) == t->oldest_first;
    return a_seq != b_seq && (a_seq < b_seq) == t->oldest_first;
}

static bool before(const struct top *t, const struct store_ref *a, const struct store_ref *b)
{
    return top_before(t, a->ts, a->seq, b->ts, b->seq);
}

bool top_refuses(const struct top *t, int64_t ts)
{
    if (t->count < t->limit)
        return false;
    return t->limit == 0 || (ts != t->refs[0].ts && (ts > t->refs[0].ts) == t->oldest_first);
}

static void swap(struct store_ref *a, struct store_ref *b)
{
    struct store_ref c = *a;
    *a = *b;
    *b = c;
}

static void sift_down(struct top *t, size_t i, size_t count)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= count)
            return;
        if (child + 1 < count && before(t, &t->refs[child], &t->refs[child + 1]))
            child++;
        if (!before(t, &t->refs[i], &t->refs[child]))
            return;
        swap(&t->refs[i], &t->refs[child]);
        i = child;
    }
}

static void sift_up(struct top *t, size_t i)
{
    while (i > 0 && before(t, &t->refs[(i - 1) / 2], &t->refs[i])) {
        swap(&t->refs[(i - 1) / 2], &t->refs[i]);
        i = (i - 1) / 2;
    }
}

static bool grow(struct top *t)
{
    size_t cap = t->cap == 0 ? 256 : 2 * t->cap;
    cap = cap < t->limit ? cap : t->limit;
    struct store_ref *grown = realloc(t->refs, cap * sizeof(*grown));
    if (grown == NULL) {
        t->failed = true;
        return false;
    }
    t->refs = grown;
    t->cap = cap;
    return true;
}

void top_offer(struct top *t, const struct store_ref *ref)
{
    if (t->limit == 0)
        return;
    if (t->count == t->limit) {
        if (before(t, ref, &t->refs[0])) {
            t->refs[0] = *ref;
            sift_down(t, 0, t->count);
        }
        return;
    }
    if (t->count == t->cap && !grow(t))
        return;
    t->refs[t->count] = *ref;
    sift_up(t, t->count++);
}

struct store_ref *top_take(struct top *t, size_t *ret_count)
{
    struct store_ref *refs = t->refs;
    for (size_t left = t->count; left > 1; left--) {
        swap(&t->refs[0], &t->refs[left - 1]);
        sift_down(t, 0, left - 1);
    }
    *ret_count = t->count;
    t->refs = NULL;
    t->count = t->cap = 0;
    return refs;
}

void top_free(struct top *t)
{
    free(t->refs);
    t->refs = NULL;
    t->count = t->cap = 0;
}
