/*
 * The legs of a call: Call-IDs of its group, as the tracker joined them while they ran, and of calls that came hours
 * before or after and have a key in common with one of them (docs/calls.md, "Legs"). Rounds of look-ups by equality in
 * tables `call` and `call_key`, until nothing new is found.
 */
#ifndef QUERY_CALL_LEGS_H
#define QUERY_CALL_LEGS_H

#include "query/search.h"

#define CALL_LEGS_MAX 64 /* Call-IDs of one call; a key that more calls have joins none */

struct call_legs {
    struct hep_slice call_ids[CALL_LEGS_MAX]; /* terminated; the one that was asked for comes first */
    size_t count;
    bool cut;              /* there are more */
    struct errmsg problem; /* why some may be missing; empty if none are */
};

struct call_legs_options {
    const char *call_id;
    size_t call_id_len;
    uint64_t budget_us;        /* wall time of each look-up; 0: none */
    const atomic_bool *cancel; /* may be NULL */
};

/* 0, also if there is no such call: then it is the only one; or a negative errno with a text. */
int call_legs_find(struct call_legs *ret, struct store *store, const struct call_legs_options *options,
                   struct errmsg *err);
void call_legs_free(struct call_legs *l);

/* Appends the members of a JSON object: "call_ids":[...],"cut":false,"problem":"..." */
void call_legs_json(struct buf *out, const struct call_legs *l);

#endif
