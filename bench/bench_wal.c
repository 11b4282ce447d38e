/*
 * CPU of the WAL: bench_wal [DIR]. Batches of 64 records of 738 octets, appended by one writer while the commit thread
 * syncs every 100 ms. The first figure has a file system that swallows everything, so it is the encoding alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wal/wal.h"

#define BATCH   64
#define OCTETS  738
#define RECORDS (2u << 20)

static double seconds(clockid_t clock)
{
    struct timespec ts;
    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int nul_open(void *ctx, const char *path, unsigned flags)
{
    (void)ctx;
    (void)path;
    (void)flags;
    return 3;
}

static int64_t nul_pwrite(void *ctx, int file, const void *from, size_t len, uint64_t at)
{
    (void)ctx;
    (void)file;
    (void)from;
    (void)at;
    return (int64_t)len;
}

static int nul_file(void *ctx, int file)
{
    (void)ctx;
    (void)file;
    return 0;
}

static int nul_name(void *ctx, const char *path)
{
    (void)ctx;
    (void)path;
    return 0;
}

static int nul_stat(void *ctx, const char *path, struct vfs_stat *ret)
{
    (void)ctx;
    (void)path;
    *ret = (struct vfs_stat){ .is_dir = true };
    return 0;
}

static int nul_list(void *ctx, const char *path, vfs_name_fn *each, void *arg)
{
    (void)ctx;
    (void)path;
    (void)each;
    (void)arg;
    return 0;
}

static const struct vfs_ops nul_ops = { .open = nul_open,
                                        .close = nul_file,
                                        .pwrite = nul_pwrite,
                                        .sync = nul_file,
                                        .sync_dir = nul_name,
                                        .stat = nul_stat,
                                        .list = nul_list };

static int append_all(struct wal *w, uint8_t frames[BATCH][OCTETS])
{
    struct wal_record batch[BATCH];
    uint64_t seq;
    int rc = 0;
    for (size_t i = 0; i < BATCH; i++)
        batch[i] = (struct wal_record){ .time_us = 1700000000000000,
                                        .frame = frames[i],
                                        .len = OCTETS,
                                        .peer = { .len = 4, .octets = { 10, 0, 0, 1 } } };
    for (size_t n = 0; n < RECORDS && rc == 0; n += BATCH) {
        frames[n / BATCH % BATCH][n % OCTETS]++;
        rc = wal_append(w, 0, batch, BATCH, &seq);
    }
    return rc;
}

static int run(const char *name, const struct vfs *v, const char *dir)
{
    static uint8_t frames[BATCH][OCTETS];
    struct wal *w;
    struct errmsg err = { "" };
    struct wal_stats s;
    struct wal_position cut = { 0 };
    const struct wal_options o = { .vfs = v, .dir = dir };
    if (wal_open(&w, &o, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_THREAD_CPUTIME_ID),
           all = seconds(CLOCK_PROCESS_CPUTIME_ID);
    int rc = append_all(w, frames);
    cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
    if (rc == 0)
        rc = wal_commit(w);
    wall = seconds(CLOCK_MONOTONIC) - wall;
    all = seconds(CLOCK_PROCESS_CPUTIME_ID) - all;
    wal_stats(w, &s);
    printf("%-9s %6.0f ns CPU/record in append, %6.0f ns in all threads, %7.0f MB/s, %llu commits, longest %llu us\n",
           name, cpu * 1e9 / RECORDS, all * 1e9 / RECORDS, (double)s.octets / wall / 1e6, (unsigned long long)s.commits,
           (unsigned long long)s.sync_us_max);
    if (wal_rotate(w, 0, &cut) == 0)
        (void)wal_drop(w, &cut, 1);
    return wal_close(w) != 0 || rc != 0;
}

int main(int argc, char **argv)
{
    static const struct vfs nul = { &nul_ops, NULL };
    char dir[] = "/tmp/bench-wal-XXXXXX";
    int rc = run("encoding", &nul, "/nowhere");
    const char *where = argc > 1 ? argv[1] : mkdtemp(dir);
    if (where == NULL)
        return 1;
    rc |= run("files", vfs_posix(), where);
    if (argc <= 1)
        (void)vfs_rmdir(vfs_posix(), dir);
    return rc;
}
