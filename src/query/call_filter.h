/* The two filters that find what belongs to Call-IDs: flows and exports share them. */
#ifndef QUERY_CALL_FILTER_H
#define QUERY_CALL_FILTER_H

#include "base/errmsg.h"
#include "filter/filter.h"

/*
 * Two scans instead of one with an OR: only equality alone can be answered by bloom filters and key filters.
 */
enum call_way { CALL_BY_CALL_ID, CALL_BY_CORRELATION_ID, CALL_WAYS };

/* Of any of these Call-IDs. 0, or -EINVAL with a text if no filter can say one. The caller's to free. */
int call_filter(struct filter **ret, enum call_way way, const struct hep_slice *call_ids, size_t count,
                struct errmsg *err);

#endif
