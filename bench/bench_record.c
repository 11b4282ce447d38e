/*
 * What the way of a frame to a row costs: HEP decoding, SIP and SDP parsing, filling in the columns. Frames come from a
 * file (hepcat demo --raw, sample --raw); ns of CPU a frame, best of 7 rounds.
 *
 *     bench_record FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "record/reader.h"

#define ROUNDS     7
#define FRAMES_MAX 200000

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static struct hep_slice frames[FRAMES_MAX];
static volatile uint64_t sink;

static void run(struct record_reader *reader, size_t n, int depth)
{
    struct hep_msg msg;
    struct record r;
    for (size_t i = 0; i < n; i++) {
        struct sink_frame f = { .data = frames[i].ptr, .len = frames[i].len, .received_us = INT64_C(1700000000000000) };
        if (depth == 0) {
            (void)hep_decode(f.data, f.len, NULL, &msg);
        } else {
            (void)record_read_hep(reader, &f, &msg);
            if (depth > 1)
                record_make(reader, &f, &msg, &r);
        }
        sink += msg.payload.len;
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "HEP decode", "and repairs", "and SIP, SDP, columns" };
    const struct record_options options = { 0 };
    struct record_reader *reader = record_reader_new(&options);
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    size_t cap = (size_t)128 << 20;
    uint8_t *data = malloc(cap);
    if (f == NULL || data == NULL || reader == NULL)
        return 1;
    size_t len = fread(data, 1, cap, f), n = 0, octets = 0;
    (void)fclose(f);
    for (size_t at = 0; at + 6 <= len && n < FRAMES_MAX; n++) {
        size_t size = (size_t)data[at + 4] << 8 | data[at + 5];
        if (size < 6 || at + size > len)
            break;
        frames[n] = (struct hep_slice){ data + at, size };
        at += size;
        octets += size;
    }
    printf("%zu frames of %zu octets\n", n, n == 0 ? 0 : octets / n);
    for (int depth = 0; depth < 3 && n > 0; depth++) {
        uint64_t best = UINT64_MAX;
        for (int i = 0; i < ROUNDS; i++) {
            uint64_t t = cpu_ns();
            run(reader, n, depth);
            t = cpu_ns() - t;
            best = t < best ? t : best;
        }
        printf("%-24s %6.0f ns\n", names[depth], (double)best / (double)n);
    }
    record_reader_free(reader);
    free(data);
    return 0;
}
