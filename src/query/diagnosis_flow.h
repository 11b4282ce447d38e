/* The diagnosis of a Call-ID out of a store: its messages, as query/flow.h finds them, and the rules on them. */
#ifndef QUERY_DIAGNOSIS_FLOW_H
#define QUERY_DIAGNOSIS_FLOW_H

#include "query/diagnosis.h"
#include "query/flow.h"

struct diagnosis_query {
    const char *call_id;
    size_t call_id_len;
    bool with_legs;         /* as in flow_options */
    int64_t from_us, to_us; /* as in flow_options */
    uint64_t budget_us;     /* wall time for finding each page; 0: none */
    const atomic_bool *cancel;
    int64_t now_us; /* as in diagnosis_options */
};

/*
 * Appends one JSON object: the members of diagnosis_json(), then those of flow_result_json(). *ret_messages: how many
 * belong to the Call-ID; 0: it is not known. 0, or a negative errno with a text, as flow_open() and flow_next();
 * -E2BIG if the answer does not fit `out`.
 */
int diagnosis_flow(struct buf *out, struct store *store, const struct diagnosis_query *q, uint64_t *ret_messages,
                   struct errmsg *err);

#endif
