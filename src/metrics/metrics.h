/*
 * Figures as Prometheus text (exposition format 0.0.4). All names begin with "hepcat_". A family is begun once, its
 * samples follow; labels come from hepcat itself and are few: what strangers could make many (senders, hosts) is never
 * a label, but for the bounded list that ends in `other`.
 *
 * Errors stick in the buffer: a failed append shows in buf.failed.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/store.h"
#include "wal/wal.h"

#define METRICS_TEXT_MAX ((size_t)1 << 20) /* octets; enough for all there is */
#define METRICS_TYPE     "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE };

/* Begins a family: `name` without "hepcat_"; those of counters end in "_total". */
void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help);

/*
 * A sample of the family. `labels`: label and value in turn, NULL at the end; NULL for none. Values are escaped, and
 * what is not UTF-8 in them is replaced.
 */
void metrics_sample(struct buf *out, const char *name, const char *const *labels, uint64_t value);
void metrics_sample_double(struct buf *out, const char *name, const char *const *labels, double value);

/* A family of one sample without labels. */
void metrics_one(struct buf *out, const char *name, enum metrics_type type, const char *help, uint64_t value);

/* The same, microseconds shown as seconds, as the convention wants it. */
void metrics_seconds(struct buf *out, const char *name, enum metrics_type type, const char *help, uint64_t us);

/* Numbers of a struct by table: a row says which member (uint64_t) is shown under which name. Ends with name NULL. */
struct metrics_row { /* NOLINT(clang-analyzer-optin.performance.Padding): rows are written in this order */
    const char *name;
    enum metrics_type type;
    const char *help;
    size_t offset; /* of an uint64_t */
    bool us;       /* shown as seconds */
};
void metrics_table(struct buf *out, const struct metrics_row *rows, const void *base);

void metrics_write_build(struct buf *out, const char *version);
void metrics_write_store(struct buf *out, const struct store_figures *f);
void metrics_write_wal(struct buf *out, const struct wal_stats *s, uint64_t durable_seq, bool failed);

#endif
