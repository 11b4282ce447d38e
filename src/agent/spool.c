#include "agent/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

#define NAME_MAX_OCTETS 32
#define DIGITS          12
#define SEGMENTS_MAX    ((size_t)1 << 20) /* in a directory; names beyond are left alone */
#define POSITION        "position"

struct segment {
    uint64_t number;
    uint64_t size;
    size_t frames; /* written by this process */
};

struct spool {
    int dir, position; /* descriptors */
    uint64_t limit;
    struct segment *list; /* oldest first */
    size_t count, room;
    int out, in;      /* newest and oldest segment, -1: not open */
    uint64_t read_at; /* in the oldest */
    struct spool_stats stats;
};

size_t frame_length(const uint8_t *data, size_t len)
{
    if (len < HEP_HEADER_SIZE || memcmp(data, "HEP3", 4) != 0)
        return 0;
    size_t total = (size_t)data[4] << 8 | data[5];
    return total < HEP_HEADER_SIZE ? 0 : total;
}

size_t frames_whole(const uint8_t *data, size_t len, size_t *ret_count)
{
    size_t at = 0, count = 0;
    for (size_t n; (n = frame_length(data + at, len - at)) != 0 && n <= len - at; at += n)
        count++;
    *ret_count = count;
    return at;
}

static void segment_name(uint64_t number, char name[NAME_MAX_OCTETS])
{
    (void)snprintf(name, NAME_MAX_OCTETS, "%0*" PRIu64 ".hep", DIGITS, number);
}

/* ------------------------------------------------------------------------------------------------ the directory */

static bool add_segment(struct spool *s, uint64_t number, uint64_t size)
{
    if (s->count == s->room) {
        size_t room = s->room == 0 ? 16 : s->room * 2;
        struct segment *list = room > SEGMENTS_MAX ? NULL : realloc(s->list, room * sizeof(*list));
        if (list == NULL)
            return false;
        s->list = list;
        s->room = room;
    }
    s->list[s->count++] = (struct segment){ .number = number, .size = size };
    return true;
}

static bool is_segment(const char *name, uint64_t *ret)
{
    size_t len = strlen(name);
    return len == DIGITS + 4 && strcmp(name + DIGITS, ".hep") == 0 && num_parse(name, DIGITS, UINT64_MAX, ret);
}

static int by_number(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void find_segments(struct spool *s)
{
    int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    uint64_t number;
    struct stat st;
    while (d != NULL && (entry = readdir(d)) != NULL)
        if (is_segment(entry->d_name, &number) && fstatat(s->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && add_segment(s, number, (uint64_t)st.st_size))
            s->stats.octets += (uint64_t)st.st_size;
    if (d != NULL)
        (void)closedir(d);
    else if (fd >= 0)
        (void)close(fd);
    if (s->count > 0)
        qsort(s->list, s->count, sizeof(s->list[0]), by_number);
}

/* "000000000007 123456\n" */
static void read_position(struct spool *s)
{
    char text[64] = "";
    uint64_t number, at;
    ssize_t n = pread(s->position, text, sizeof(text) - 1, 0);
    char *blank = n <= DIGITS ? NULL : strchr(text, ' ');
    if (blank == NULL || !num_parse(text, (size_t)(blank - text), UINT64_MAX, &number) ||
        !num_parse(blank + 1, strspn(blank + 1, "0123456789"), UINT64_MAX, &at))
        return;
    if (s->count > 0 && s->list[0].number == number && at <= s->list[0].size) {
        s->read_at = at;
        s->stats.octets -= at;
    }
}

static void write_position(const struct spool *s)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%0*" PRIu64 " %020" PRIu64 "\n", DIGITS,
                       s->count == 0 ? 0 : s->list[0].number, s->read_at);
    if (pwrite(s->position, text, (size_t)len, 0) != len)
        return; /* at worst a part of a segment is sent twice */
}

int spool_open(struct spool **ret, const char *dir, uint64_t limit, struct errmsg *err)
{
    struct spool *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return errmsg_set(err, "out of memory");
    s->out = s->in = s->position = s->dir = -1;
    s->limit = limit < SPOOL_LEAST ? SPOOL_LEAST : limit;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        goto fail;
    s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir >= 0)
        s->position = openat(s->dir, POSITION, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->position < 0)
        goto fail;
    if (flock(s->position, LOCK_EX | LOCK_NB) != 0) {
        (void)errmsg_set(err, "%s: another process has it", dir);
        spool_close(s);
        return -1;
    }
    find_segments(s);
    read_position(s);
    *ret = s;
    return 0;
fail:
    (void)errmsg_set(err, "%s: %s", dir, strerror(errno));
    spool_close(s);
    return -1;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void spool_close(struct spool *s)
{
    if (s == NULL)
        return;
    if (s->position >= 0 && s->count > 0)
        write_position(s);
    close_fd(&s->out);
    close_fd(&s->in);
    close_fd(&s->position);
    close_fd(&s->dir);
    free(s->list);
    free(s);
}

/* ------------------------------------------------------------------------------------------------ writing */

/* The oldest segment goes. */
static void remove_oldest(struct spool *s)
{
    char name[NAME_MAX_OCTETS];
    segment_name(s->list[0].number, name);
    (void)unlinkat(s->dir, name, 0);
    close_fd(&s->in);
    if (s->count == 1)
        close_fd(&s->out);
    s->stats.octets -= s->list[0].size - s->read_at;
    s->read_at = 0;
    s->count--;
    memmove(s->list, s->list + 1, s->count * sizeof(s->list[0]));
    write_position(s);
}

/* Frames of the oldest segment that were not sent; it is read for that. */
static uint64_t frames_left(struct spool *s)
{
    uint8_t header[HEP_HEADER_SIZE];
    uint64_t frames = 0;
    char name[NAME_MAX_OCTETS];
    segment_name(s->list[0].number, name);
    int fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC);
    for (uint64_t at = s->read_at; fd >= 0 && at < s->list[0].size;) {
        size_t len = pread(fd, header, sizeof(header), (off_t)at) == (ssize_t)sizeof(header)
                         ? frame_length(header, sizeof(header))
                         : 0;
        if (len == 0)
            break;
        frames++;
        at += len;
    }
    if (fd >= 0)
        (void)close(fd);
    return frames;
}

static void make_room(struct spool *s, size_t len)
{
    while (s->count > 0 && s->stats.octets + len > s->limit) {
        s->stats.frames_dropped += frames_left(s);
        remove_oldest(s);
    }
}

/* The segment to write to. */
static int newest(struct spool *s)
{
    char name[NAME_MAX_OCTETS];
    if (s->out >= 0 && s->list[s->count - 1].size < SPOOL_SEGMENT)
        return 0;
    close_fd(&s->out);
    uint64_t number = s->count == 0 ? 1 : s->list[s->count - 1].number + 1;
    segment_name(number, name);
    s->out = openat(s->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (s->out < 0)
        return -1;
    if (!add_segment(s, number, 0)) {
        errno = ENOMEM;
        close_fd(&s->out);
        return -1;
    }
    return 0;
}

int spool_put(struct spool *s, const uint8_t *frames, size_t len, struct errmsg *err)
{
    size_t count, whole = frames_whole(frames, len, &count), done = 0;
    make_room(s, whole);
    if (newest(s) != 0) {
        s->stats.frames_dropped += count;
        return errmsg_set(err, "%s", strerror(errno));
    }
    struct segment *to = &s->list[s->count - 1];
    while (done < whole) {
        ssize_t n = write(s->out, frames + done, whole - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done == whole) {
        to->size += whole;
        s->stats.octets += whole;
        s->stats.frames_written += count;
        return 0;
    }
    int why = errno;
    (void)!ftruncate(s->out, (off_t)to->size); /* no half frame; if that fails reading stops there */
    s->stats.frames_dropped += count;
    return errmsg_set(err, "%s", strerror(why));
}

/* ------------------------------------------------------------------------------------------------ reading */

static ssize_t read_oldest(struct spool *s, uint8_t *buf, size_t cap)
{
    char name[NAME_MAX_OCTETS];
    uint64_t left = s->list[0].size - s->read_at;
    if (s->in < 0) {
        segment_name(s->list[0].number, name);
        s->in = openat(s->dir, name, O_RDONLY | O_CLOEXEC);
    }
    if (s->in < 0)
        return -1;
    return pread(s->in, buf, left < cap ? (size_t)left : cap, (off_t)s->read_at);
}

size_t spool_peek(struct spool *s, uint8_t *buf, size_t cap)
{
    while (s->count > 0) {
        size_t count;
        if (s->list[0].size > s->read_at) {
            ssize_t n = read_oldest(s, buf, cap);
            size_t whole = n <= 0 ? 0 : frames_whole(buf, (size_t)n, &count);
            if (whole > 0)
                return whole;
            s->stats.octets_torn += s->list[0].size - s->read_at;
        }
        remove_oldest(s);
    }
    return 0;
}

void spool_advance(struct spool *s, size_t len)
{
    s->read_at += len;
    s->stats.octets -= len;
    if (s->read_at >= s->list[0].size)
        remove_oldest(s);
    else
        write_position(s);
}

const struct spool_stats *spool_stats(const struct spool *s)
{
    return &s->stats;
}
