/*
 * Sends a file of HEP frames as fast as told, from memory: the load of bench/ingest.py.
 *
 *     blast FILE udp|tcp HOST PORT [--rate N] [--connections N] [--count N]
 *
 * rate: frames a second, 0 as fast as it goes. count: frames in all; the file is sent again from the start if need be.
 * TCP: frames are dealt out to the connections in turns of a batch. Prints: frames, seconds, CPU seconds of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BATCH           64
#define CONNECTIONS_MAX 64

struct load {
    uint8_t *data;
    size_t len;
    size_t at;
    uint64_t rate, count;
    unsigned connections;
    int fds[CONNECTIONS_MAX];
};

static double now(clockid_t clock)
{
    struct timespec ts;
    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int read_all(struct load *l, const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (f == NULL || fstat(fileno(f), &st) != 0)
        return -1;
    l->len = (size_t)st.st_size;
    l->data = malloc(l->len);
    size_t n = l->data == NULL ? 0 : fread(l->data, 1, l->len, f);
    (void)fclose(f);
    return n == l->len && n > 6 ? 0 : -1;
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void put32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Chunks 9 and 10, the capture time, as of now: what is hours old would be late messages of calls that are over. */
static void set_time(uint8_t *frame, size_t len)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    for (size_t at = 6; at + 6 <= len;) {
        unsigned type = get16(frame + at + 2), size = get16(frame + at + 4);
        if (size == 10 && at + size <= len && (type == 9 || type == 10))
            put32(frame + at + 6, type == 9 ? (uint32_t)ts.tv_sec : (uint32_t)(ts.tv_nsec / 1000));
        if (size < 6 || type == 10)
            return;
        at += size;
    }
}

/* The next frame; the file is known to be whole frames. */
static struct iovec next_frame(struct load *l)
{
    if (l->at + 6 > l->len)
        l->at = 0;
    size_t len = (size_t)l->data[l->at + 4] << 8 | l->data[l->at + 5];
    struct iovec v = { l->data + l->at, len };
    set_time(l->data + l->at, len);
    l->at += len;
    return v;
}

static int connect_all(struct load *l, bool tcp, const char *host, const char *port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return -1;
    for (unsigned i = 0; i < l->connections; i++) {
        int size = 4 << 20;
        l->fds[i] = socket(AF_INET, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
        (void)setsockopt(l->fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        if (l->fds[i] < 0 || connect(l->fds[i], (struct sockaddr *)&to, sizeof(to)) != 0)
            return -1;
    }
    return 0;
}

static int send_datagrams(int fd, struct iovec *v, unsigned n)
{
    struct mmsghdr msgs[BATCH];
    memset(msgs, 0, sizeof(msgs));
    for (unsigned i = 0; i < n; i++) {
        msgs[i].msg_hdr.msg_iov = &v[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    for (unsigned done = 0; done < n;) {
        int k = sendmmsg(fd, msgs + done, n - done, 0);
        if (k < 0 && errno != EINTR && errno != ECONNREFUSED)
            return -1;
        done += k > 0 ? (unsigned)k : 0;
    }
    return 0;
}

static int send_stream(int fd, struct iovec *v, unsigned n)
{
    struct iovec *at = v;
    while (n > 0) {
        ssize_t k = writev(fd, at, (int)n);
        if (k < 0 && errno != EINTR)
            return -1;
        for (size_t left = k > 0 ? (size_t)k : 0; n > 0 && left > 0;) {
            size_t take = left < at->iov_len ? left : at->iov_len;
            at->iov_base = (uint8_t *)at->iov_base + take;
            at->iov_len -= take;
            left -= take;
            if (at->iov_len == 0) {
                at++;
                n--;
            }
        }
    }
    return 0;
}

static void pace(const struct load *l, uint64_t sent, double began)
{
    double due = began + (double)sent / (double)l->rate;
    double wait = due - now(CLOCK_MONOTONIC);
    if (wait <= 0)
        return;
    struct timespec ts = { (time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9) };
    (void)nanosleep(&ts, NULL);
}

static int run(struct load *l, bool tcp)
{
    double began = now(CLOCK_MONOTONIC);
    unsigned turn = 0;
    /* At low rates small batches: a burst of 64 every 6 ms is another load than one frame every 100 us. */
    unsigned batch = l->rate == 0 || l->rate >= 50000 ? BATCH : l->rate >= 5000 ? 8 : 1;
    for (uint64_t sent = 0; sent < l->count;) {
        struct iovec v[BATCH];
        unsigned n = 0;
        for (; n < batch && sent + n < l->count; n++)
            v[n] = next_frame(l);
        int fd = l->fds[turn++ % l->connections];
        if ((tcp ? send_stream(fd, v, n) : send_datagrams(fd, v, n)) != 0)
            return fail("send");
        sent += n;
        if (l->rate > 0)
            pace(l, sent, began);
    }
    for (unsigned i = 0; i < l->connections; i++)
        (void)shutdown(l->fds[i], SHUT_WR);
    printf("%llu %.3f %.3f\n", (unsigned long long)l->count, now(CLOCK_MONOTONIC) - began,
           now(CLOCK_PROCESS_CPUTIME_ID));
    return 0;
}

static bool option(struct load *l, const char *name, const char *value)
{
    unsigned long long v = strtoull(value, NULL, 10);
    if (strcmp(name, "--rate") == 0)
        l->rate = v;
    else if (strcmp(name, "--count") == 0)
        l->count = v;
    else if (strcmp(name, "--connections") == 0 && v >= 1 && v <= CONNECTIONS_MAX)
        l->connections = (unsigned)v;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct load l = { .connections = 1, .count = 1000000 };
    bool good = argc >= 5 && argc % 2 == 1;
    for (int i = 5; good && i + 1 < argc; i += 2)
        good = option(&l, argv[i], argv[i + 1]);
    if (!good) {
        (void)fputs("usage: blast FILE udp|tcp HOST PORT [--rate N] [--connections N] [--count N]\n", stderr);
        return 2;
    }
    bool tcp = strcmp(argv[2], "tcp") == 0;
    if (read_all(&l, argv[1]) != 0)
        return fail(argv[1]);
    if (connect_all(&l, tcp, argv[3], argv[4]) != 0)
        return fail("connect");
    int rc = run(&l, tcp);
    free(l.data);
    return rc;
}
