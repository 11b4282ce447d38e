#include "metrics/metrics.h"

#define ROW(member, type, name, help)                                                                                  \
    {                                                                                                                  \
        name, METRICS_##type, help, offsetof(struct store_figures, member), false                                      \
    }
#define ROW_US(member, type, name, help)                                                                               \
    {                                                                                                                  \
        name, METRICS_##type, help, offsetof(struct store_figures, member), true                                       \
    }

static const struct metrics_row rows[] = {
    ROW(hot_rows, GAUGE, "store_hot_rows", "Rows in memory, not sealed yet."),
    ROW(hot_octets, GAUGE, "store_hot_bytes", "Memory that they take."),
    ROW(hot_limit, GAUGE, "store_hot_limit_bytes", "Memory that they may take."),
    ROW(sealing_octets, GAUGE, "store_sealing_bytes", "Of it, rows that are being written."),
    ROW(files, GAUGE, "store_files", "Sealed files."),
    ROW(file_octets, GAUGE, "store_file_bytes", "What they take on disk."),
    ROW(appended, COUNTER, "store_rows_appended_total", "Rows stored since the start."),
    ROW(refused, COUNTER, "store_rows_refused_total", "Rows for which there was no room."),
    ROW(seals, COUNTER, "store_seals_total", "Times that memory was written to files."),
    ROW(seal_errors, COUNTER, "store_seal_errors_total", "Times that this failed."),
    ROW_US(seal_us, COUNTER, "store_seal_seconds_total", "Time that it took."),
    ROW(merges, COUNTER, "store_merges_total", "Times that small files were merged."),
    ROW(merge_errors, COUNTER, "store_merge_errors_total", "Times that this failed."),
    ROW(merged_files, COUNTER, "store_merged_files_total", "Files that were merged into others."),
    ROW(retired_files, COUNTER, "store_retired_files_total", "Files given up by retention."),
    ROW(retired_octets, COUNTER, "store_retired_bytes_total", "What they took on disk."),
    ROW(retired_rows, COUNTER, "store_retired_rows_total", "Rows in them."),
    ROW(set_aside, COUNTER, "store_damaged_files_total", "Damaged files set aside."),
    ROW(scans, COUNTER, "store_scans_total", "Searches in the store."),
    ROW(scan_errors, COUNTER, "store_scan_errors_total", "Searches that failed."),
    ROW_US(cpu_zip_us, COUNTER, "store_compress_cpu_seconds_total", "CPU time of compressing payloads."),
    ROW_US(cpu_seal_us, COUNTER, "store_seal_cpu_seconds_total", "CPU time of sealing."),
    ROW_US(cpu_merge_us, COUNTER, "store_merge_cpu_seconds_total", "CPU time of merging and retention."),
    ROW(worker_rss, GAUGE, "query_worker_resident_bytes", "Memory of the query worker."),
    ROW(worker_restarts, COUNTER, "query_worker_restarts_total", "Times that the query worker had to be restarted."),
    { NULL, METRICS_COUNTER, NULL, 0, false },
};

static void by_table(struct buf *out, const char *name, const char *help, const uint64_t *values)
{
    metrics_family(out, name, METRICS_GAUGE, help);
    for (int t = 0; t < RECORD_TABLES; t++) {
        const char *labels[] = { "table", record_schema((enum record_table)t)->name, NULL };
        metrics_sample(out, name, labels, values[t]);
    }
}

static uint64_t not_negative(int64_t v)
{
    return v < 0 ? 0 : (uint64_t)v;
}

void metrics_write_store(struct buf *out, const struct store_figures *f)
{
    metrics_table(out, rows, f);
    by_table(out, "store_rows", "Sealed rows.", f->rows);
    by_table(out, "store_table_bytes", "What the files of a table take on disk.", f->table_octets);
    if (f->oldest_us != INT64_MAX)
        metrics_seconds(out, "store_oldest_timestamp_seconds", METRICS_GAUGE, "Time of the oldest sealed row.",
                        not_negative(f->oldest_us));
    metrics_one(out, "disk_free_bytes", METRICS_GAUGE, "Free on the disk of the data directory.",
                not_negative(f->free_octets));
    metrics_one(out, "disk_size_bytes", METRICS_GAUGE, "Size of that disk.", not_negative(f->disk_octets));
    metrics_one(out, "disk_full", METRICS_GAUGE, "1 while there is no space to seal.", f->disk_full);
}
