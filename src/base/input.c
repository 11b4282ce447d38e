#include "base/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define RAW_SIZE  (1u << 16)
#define HELD_SIZE (4u * INPUT_PEEK_MAX)
/* A signal that comes between the look at `stop` and poll() is seen after this time. */
#define STOP_CHECK_MS 250

struct input {
    int fd;
    char *name;
    bool end; /* nothing more to come from below */
    bool gzip;
    z_stream z;
    uint8_t *raw;  /* compressed octets not yet inflated (gzip only) */
    uint8_t *held; /* octets looked at but not taken: held[start..stop) */
    size_t start, stop;
    uint64_t octets, size; /* read so far; of the file, 0: not known */
    struct input_wait wait;
    struct errmsg err;
};

static bool stopped(const struct input *in)
{
    return in->wait.stop != NULL && *in->wait.stop != 0;
}

/* Returns when read() would not wait (poll() tells of errors and of the end in the same way), or when stopped. */
static void wait_readable(const struct input *in)
{
    struct pollfd fd = { .fd = in->fd, .events = POLLIN };
    if (poll(&fd, 1, 0) != 0)
        return;
    if (in->wait.on_wait != NULL)
        in->wait.on_wait(in->wait.arg);
    int n;
    do {
        n = poll(&fd, 1, STOP_CHECK_MS);
    } while (!stopped(in) && (n == 0 || (n < 0 && errno == EINTR)));
}

static ssize_t read_file(struct input *in, uint8_t *to, size_t cap)
{
    ssize_t n;
    do {
        wait_readable(in);
        if (stopped(in))
            return 0;
        n = read(in->fd, to, cap);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errmsg_set(&in->err, "%s: %s", in->name, strerror(errno));
    in->octets += (uint64_t)n;
    if (in->wait.on_read != NULL)
        in->wait.on_read(in->wait.read_arg, in->octets, in->size);
    return n;
}

/* One inflate step; 0 at the end of the last member. */
static ssize_t read_gzip(struct input *in, uint8_t *to, size_t cap)
{
    in->z.next_out = to;
    in->z.avail_out = (uInt)(cap < UINT32_MAX ? cap : UINT32_MAX);
    uInt asked = in->z.avail_out;
    while (in->z.avail_out == asked) {
        if (in->z.avail_in == 0) {
            ssize_t n = read_file(in, in->raw, RAW_SIZE);
            if (n < 0)
                return n;
            if (n == 0)
                return in->z.total_in == 0 || stopped(in) ? 0 : errmsg_set(&in->err, "%s: gzip file is cut", in->name);
            in->z.next_in = in->raw;
            in->z.avail_in = (uInt)n;
        }
        int rc = inflate(&in->z, Z_NO_FLUSH);
        if (rc == Z_STREAM_END)
            rc = inflateReset(&in->z); /* gzip files may be joined; total_in is zero again */
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return errmsg_set(&in->err, "%s: gzip data is damaged", in->name);
    }
    return (ssize_t)(asked - in->z.avail_out);
}

static ssize_t read_below(struct input *in, uint8_t *to, size_t cap)
{
    if (in->end)
        return 0;
    ssize_t n = in->gzip ? read_gzip(in, to, cap) : read_file(in, to, cap);
    if (n <= 0)
        in->end = true;
    return n;
}

ssize_t input_peek(struct input *in, size_t want, const uint8_t **ret)
{
    assert(want <= INPUT_PEEK_MAX);
    if (in->start > 0 && in->start + want > HELD_SIZE) {
        memmove(in->held, in->held + in->start, in->stop - in->start);
        in->stop -= in->start;
        in->start = 0;
    }
    while (in->stop - in->start < want) {
        ssize_t n = read_below(in, in->held + in->stop, HELD_SIZE - in->stop);
        if (n < 0 && in->stop == in->start)
            return -1; /* octets before an error are handed out first */
        if (n <= 0)
            break;
        in->stop += (size_t)n;
    }
    *ret = in->held + in->start;
    size_t have = in->stop - in->start;
    return (ssize_t)(have < want ? have : want);
}

ssize_t input_read(struct input *in, uint8_t *buf, size_t cap)
{
    size_t have = in->stop - in->start;
    if (have == 0) {
        if (in->err.text[0] != '\0')
            return -1;
        return read_below(in, buf, cap);
    }
    size_t n = have < cap ? have : cap;
    memcpy(buf, in->held + in->start, n);
    in->start += n;
    return (ssize_t)n;
}

/* Puts the inflater between file and reader; what was already peeked is its first input. */
static int start_gzip(struct input *in, struct errmsg *err)
{
    in->raw = malloc(HELD_SIZE);
    if (in->raw == NULL || inflateInit2(&in->z, MAX_WBITS + 16) != Z_OK)
        return errmsg_set(err, "out of memory");
    memcpy(in->raw, in->held + in->start, in->stop - in->start);
    in->z.next_in = in->raw;
    in->z.avail_in = (uInt)(in->stop - in->start);
    in->start = in->stop = 0;
    in->gzip = true;
    in->end = false;
    return 0;
}

int input_open(struct input **ret, const char *path, const struct input_wait *wait, struct errmsg *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct input *in = calloc(1, sizeof(*in));
    if (in == NULL)
        return errmsg_set(err, "out of memory");
    in->fd = -1;
    if (wait != NULL)
        in->wait = *wait;
    in->name = strdup(is_stdin ? "standard input" : path);
    in->held = malloc(HELD_SIZE);
    if (in->name == NULL || in->held == NULL) {
        errmsg_set(err, "out of memory");
        goto fail;
    }
    in->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0) {
        errmsg_set(err, "%s: %s", path, strerror(errno));
        goto fail;
    }
    struct stat st;
    if (fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        in->size = (uint64_t)st.st_size;
    const uint8_t *p;
    ssize_t n = input_peek(in, 3, &p);
    if (n < 0) {
        *err = in->err;
        goto fail;
    }
    if (n == 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == Z_DEFLATED && start_gzip(in, err) != 0)
        goto fail;
    *ret = in;
    return 0;
fail:
    input_close(in);
    return -1;
}

void input_close(struct input *in)
{
    if (in == NULL)
        return;
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    if (in->gzip)
        inflateEnd(&in->z);
    free(in->raw);
    free(in->held);
    free(in->name);
    free(in);
}

const char *input_name(const struct input *in)
{
    return in->name;
}

const char *input_error(const struct input *in)
{
    return in->err.text;
}
