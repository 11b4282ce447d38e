/*
 * Key figures of the calls that match a filter, as RFC 6076 and ITU-T E.411/E.425 define them; docs/kpi.md has the
 * formulas. Calls whose INVITE was not seen are left out, and so are those that are not decided yet (calling, ringing,
 * early). All of one snapshot; talk times are taken to the second, PDDs to 10 ms.
 */
#ifndef QUERY_KPI_H
#define QUERY_KPI_H

#include "base/buf.h"
#include "base/errmsg.h"
#include "store/store.h"

#define KPI_GROUPS_MAX  50
#define KPI_BUCKETS_MAX 100
#define KPI_PREFIX_MAX  32 /* octets of a number */
#define KPI_CLASSES     7  /* 0: without a final response; 2xx is class 2 */

struct kpi {
    uint64_t attempts;
    uint64_t undecided;            /* not among the attempts */
    uint64_t classes[KPI_CLASSES]; /* of attempts, by the final response */
    uint64_t answered, completed;  /* 2xx; of these, ended by a BYE */
    uint64_t busy, rejected;       /* 486, 600; 480, 603, 607, 608 */
    uint64_t rung_out;             /* given up while it rang: 487 */
    uint64_t ineffective;          /* 408, 500, 503, 504 */
    uint64_t established_rfc;      /* 200, 480, 486, 600, 603: of SEER */
    uint64_t talks, talk_s;        /* calls with a talk time, and its sum */
    uint64_t pdds;
    int64_t pdd_p50_ms, pdd_p95_ms; /* -1: none */
    bool exact;                     /* else not all was looked at, and numbers are lower bounds */
};

struct kpi_options {
    const struct filter *filter; /* NULL: all calls */
    int64_t from_us, to_us;      /* as in struct store_scan */
    const char *by;              /* a field of the filter language to group by; NULL: none */
    size_t prefix;               /* of the numbers that they are grouped by, so many octets; 0: all of them */
    size_t groups;               /* those with the most calls, at most KPI_GROUPS_MAX */
    uint64_t step_us;            /* figures of each such time, of all and of each group; 0: none */
    uint64_t budget_us;          /* wall time of each count; 0: none */
    const atomic_bool *cancel;
};

/*
 * Appends a JSON object (docs/api.md). 0, or a negative errno with a text: -EINVAL if `by` is no field that calls can
 * be grouped by, or no number where a prefix is asked for; -ERANGE: a step that would give more than KPI_BUCKETS_MAX
 * buckets; -ECANCELED.
 */
int kpi_json(struct buf *out, struct store *store, const struct kpi_options *options, struct errmsg *err);

#endif
