#include "metrics/metrics.h"

#define ROW(member, type, name, help)                                                                                  \
    {                                                                                                                  \
        name, METRICS_##type, help, offsetof(struct wal_stats, member), false                                          \
    }
#define ROW_US(member, type, name, help)                                                                               \
    {                                                                                                                  \
        name, METRICS_##type, help, offsetof(struct wal_stats, member), true                                           \
    }

static const struct metrics_row rows[] = {
    ROW(records, COUNTER, "wal_records_total", "Frames appended to the write-ahead log."),
    ROW(octets, COUNTER, "wal_bytes_total", "Their octets, headers included."),
    ROW(written, COUNTER, "wal_written_bytes_total", "Octets given to the kernel."),
    ROW(buffered, GAUGE, "wal_buffered_bytes", "Octets not given to the kernel yet."),
    ROW(commits, COUNTER, "wal_commits_total", "Times that the log was made durable."),
    ROW(commit_errors, COUNTER, "wal_commit_errors_total", "Times that this failed."),
    ROW_US(sync_us, COUNTER, "wal_commit_seconds_total", "Time that it took."),
    ROW_US(sync_us_max, GAUGE, "wal_commit_seconds_max", "The longest of them."),
    ROW(write_errors, COUNTER, "wal_write_errors_total", "Writes that failed."),
    ROW(segments, COUNTER, "wal_segments_total", "Segments opened."),
    { NULL, METRICS_COUNTER, NULL, 0, false },
};

void metrics_write_wal(struct buf *out, const struct wal_stats *s, uint64_t durable_seq, bool failed)
{
    metrics_table(out, rows, s);
    metrics_one(out, "wal_durable_sequence", METRICS_GAUGE, "Every frame with a number up to this one is durable.",
                durable_seq);
    metrics_one(out, "wal_failed", METRICS_GAUGE, "1 while the log takes nothing because of an error.", failed);
}
