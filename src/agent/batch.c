#include "agent/batch.h"

#include <stdlib.h>

#include "agent/spool.h"

void batch_list_add(struct batch_list *l, struct batch *b)
{
    b->next = NULL;
    if (l->last != NULL)
        l->last->next = b;
    else
        l->first = b;
    l->last = b;
    l->octets += b->len;
}

void batch_list_push(struct batch_list *l, struct batch *b)
{
    b->next = l->first;
    l->first = b;
    if (l->last == NULL)
        l->last = b;
    l->octets += b->len;
}

struct batch *batch_list_take(struct batch_list *l)
{
    struct batch *b = l->first;
    if (b == NULL)
        return NULL;
    l->first = b->next;
    if (l->first == NULL)
        l->last = NULL;
    l->octets -= b->len;
    b->next = NULL;
    return b;
}

/* The newest one. */
struct batch *batch_list_take_last(struct batch_list *l)
{
    struct batch *b = l->last, *before = NULL;
    if (b == NULL)
        return NULL;
    for (struct batch *i = l->first; i != b; i = i->next)
        before = i;
    if (before == NULL)
        return batch_list_take(l);
    before->next = NULL;
    l->last = before;
    l->octets -= b->len;
    return b;
}

void batch_list_free(struct batch_list *l)
{
    for (struct batch *b; (b = batch_list_take(l)) != NULL;)
        free(b);
}

/* Steps over `frames` frames from `at`. */
size_t batch_step(const struct batch *b, size_t at, uint64_t frames)
{
    while (frames-- > 0 && at < b->len)
        at += frame_length(b->data + at, b->len - at);
    return at;
}

/* Where the last `octets` octets of the first `end` octets begin, at the start of a frame. */
size_t batch_boundary(const struct batch *b, size_t end, size_t octets)
{
    size_t at = 0;
    for (size_t n; end - at > octets; at += n) {
        n = frame_length(b->data + at, b->len - at);
        if (n > end - at - octets)
            break;
    }
    return at;
}

uint64_t batch_frames(const struct batch *b, size_t from, size_t to)
{
    size_t n;
    (void)frames_whole(b->data + from, to - from, &n);
    return n;
}
