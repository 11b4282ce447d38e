/*
 * What receiving costs: kernel, net, HEP, checks, SIP, accounts, up to a sink that keeps nothing. Frames come from a
 * file (hepcat demo --raw, sample --raw) and are sent over loopback by another thread; ns of CPU of the receiving
 * threads a frame.
 *
 *     bench_ingest_net FILE
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ingest/ingest.h"

#define FRAMES_MAX 200000
#define TCP_FRAMES 3000000u
#define UDP_FRAMES 1000000u
#define UDP_WINDOW 1024u /* datagrams under way */
#define UDP_BURST  64u
#define CHUNK      65536

static struct hep_slice frames[FRAMES_MAX];
static size_t frame_count;
static const uint8_t *data;
static size_t data_len;
static _Atomic uint64_t taken;

static enum sink_result take(void *ctx, unsigned writer, const struct sink_frame *frame, struct record *record,
                             uint64_t *ret_seq)
{
    (void)ctx;
    (void)writer;
    (void)frame;
    (void)record;
    *ret_seq = atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed) + 1;
    return SINK_OK;
}

static uint64_t durable(void *ctx)
{
    (void)ctx;
    return UINT64_MAX;
}

static const struct sink_ops ops = { .append = take, .durable = durable };

static double cpu_ns(int who)
{
    struct rusage u;
    (void)getrusage(who, &u);
    return ((double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec) * 1e9 +
           ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) * 1e3;
}

static double wall_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int dial(int type, uint16_t port)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

static void write_all(int fd, const uint8_t *at, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, at, len < CHUNK ? len : CHUNK, MSG_NOSIGNAL);
        if (n <= 0) {
            perror("send");
            exit(1);
        }
        at += n;
        len -= (size_t)n;
    }
}

static void send_tcp(uint16_t port, unsigned connections)
{
    int fds[16];
    uint64_t sent = 0;
    for (unsigned i = 0; i < connections; i++)
        fds[i] = dial(SOCK_STREAM, port);
    for (; sent < TCP_FRAMES; sent += frame_count * connections) {
        for (unsigned i = 0; i < connections; i++)
            write_all(fds[i], data, data_len);
    }
    while (atomic_load(&taken) < sent)
        (void)poll(NULL, 0, 1);
    for (unsigned i = 0; i < connections; i++)
        (void)close(fds[i]);
}

/* In bursts, as senders under load come; none is dropped, as no more are under way than the socket holds. */
static void send_udp(uint16_t port, unsigned connections)
{
    struct mmsghdr msgs[UDP_BURST] = { 0 };
    struct iovec iov[UDP_BURST];
    (void)connections;
    int fd = dial(SOCK_DGRAM, port);
    for (uint64_t sent = 0; sent < UDP_FRAMES; sent += UDP_BURST) {
        while (sent - atomic_load_explicit(&taken, memory_order_relaxed) > UDP_WINDOW)
            (void)sched_yield();
        for (unsigned i = 0; i < UDP_BURST; i++) {
            const struct hep_slice *f = &frames[(sent + i) % frame_count];
            iov[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)f->ptr, .iov_len = f->len };
            msgs[i].msg_hdr.msg_iov = &iov[i];
            msgs[i].msg_hdr.msg_iovlen = 1;
        }
        for (unsigned i = 0; i < UDP_BURST;) {
            int n = sendmmsg(fd, msgs + i, UDP_BURST - i, 0);
            i += n > 0 ? (unsigned)n : 0;
        }
    }
    while (atomic_load(&taken) < UDP_FRAMES)
        (void)poll(NULL, 0, 1);
    (void)close(fd);
}

static void note_port(void *arg, const struct ingest_listener *l)
{
    uint16_t *port = arg;
    *port = l->info.port;
}

static void run(const char *what, const char *url, void (*call)(uint16_t port, unsigned connections),
                unsigned connections, const struct ingest_rules *rules)
{
    const struct sink sink = { &ops, NULL, 4 };
    const char *const urls[] = { url };
    const struct ingest_options o = { .urls = urls, .url_count = 1, .workers = 1, .rules = *rules };
    struct ingest *in;
    struct errmsg err = { "" };
    uint16_t port = 0;
    atomic_store(&taken, 0);
    if (ingest_open(&in, &o, &sink, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    ingest_listeners(in, note_port, &port);
    double all = cpu_ns(RUSAGE_SELF), own = cpu_ns(RUSAGE_THREAD), wall = wall_ns();
    call(port, connections);
    wall = wall_ns() - wall;
    double spent = cpu_ns(RUSAGE_SELF) - all - (cpu_ns(RUSAGE_THREAD) - own);
    double count = (double)atomic_load(&taken);
    printf("%-34s %7.0f ns a frame  %9.0f frames/s\n", what, spent / count, count / wall * 1e9);
    (void)fflush(stdout);
    ingest_free(in);
}

static int load(const char *path)
{
    size_t cap = (size_t)64 << 20;
    uint8_t *to = malloc(cap);
    FILE *f = fopen(path, "rb");
    if (f == NULL || to == NULL)
        return -1;
    size_t len = fread(to, 1, cap, f);
    (void)fclose(f);
    for (size_t at = 0; at + 6 <= len && frame_count < FRAMES_MAX; frame_count++) {
        size_t size = (size_t)to[at + 4] << 8 | to[at + 5];
        if (size < 6 || at + size > len)
            break;
        frames[frame_count] = (struct hep_slice){ to + at, size };
        at += size;
        data_len = at;
    }
    data = to;
    return frame_count > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    const struct ingest_rules none = { 0 };
    const struct ingest_rules capped = { .rate = 100000000, .share = 99 };
    if (argc != 2 || load(argv[1]) < 0) {
        fprintf(stderr, "usage: bench_ingest_net FILE (frames, one after the other)\n");
        return 2;
    }
    printf("%zu frames, %.0f octets each\n", frame_count, (double)data_len / (double)frame_count);
    run("TCP, one connection", "tcp://127.0.0.1:0", send_tcp, 1, &none);
    run("TCP, eight connections", "tcp://127.0.0.1:0", send_tcp, 8, &none);
    run("TCP, one connection, caps", "tcp://127.0.0.1:0", send_tcp, 1, &capped);
    run("UDP, one sender", "udp://127.0.0.1:0", send_udp, 1, &none);
    return 0;
}
