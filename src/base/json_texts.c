#include "base/json_texts.h"

#include <string.h>

#define READ_SIZE (1u << 16)

void json_texts_init(struct json_texts *t, struct input *in, size_t max)
{
    *t = (struct json_texts){ .in = in, .line = 1 };
    buf_init(&t->held, max + READ_SIZE);
}

void json_texts_free(struct json_texts *t)
{
    buf_free(&t->held);
}

static size_t text_max(const struct json_texts *t)
{
    return t->held.max - READ_SIZE;
}

/* What was read and not handed out yet. Places in it are counted from here, so that they outlive read_more(). */
static const uint8_t *data(const struct json_texts *t)
{
    return t->held.ptr + t->start;
}

static size_t left(const struct json_texts *t)
{
    return t->held.len - t->start;
}

/* Reads more; false at the end, on an error or when a text has grown beyond its maximum. */
static bool read_more(struct json_texts *t, int *ret_error)
{
    buf_drop(&t->held, t->start);
    t->start = 0;
    uint8_t *to = buf_space(&t->held, READ_SIZE);
    if (to == NULL) {
        *ret_error = -2;
        return false;
    }
    ssize_t n = input_read(t->in, to, READ_SIZE);
    if (n > 0)
        buf_added(&t->held, (size_t)n);
    if (n <= 0)
        t->end = true;
    if (n < 0) {
        t->failed = true;
        *ret_error = -1;
    }
    return n > 0;
}

/* Length of the line that starts at `start`, newline included; 0 if its end is not in sight. */
static size_t line_length(const struct json_texts *t, size_t start, size_t *scanned)
{
    size_t from = start + *scanned;
    if (left(t) == from) /* perhaps nothing was read yet, and there is no memory to point into */
        return 0;
    const uint8_t *newline = memchr(data(t) + from, '\n', left(t) - from);
    *scanned = left(t) - start;
    return newline != NULL ? (size_t)(newline - data(t)) - start + 1 : 0;
}

/* As line_length(), reading as far as it takes. 0 at the end of the input or on an error. */
static size_t take_line(struct json_texts *t, size_t start, int *ret_error)
{
    size_t scanned = 0;
    for (;;) {
        size_t len = line_length(t, start, &scanned);
        if (len != 0)
            return len;
        if (t->end || !read_more(t, ret_error))
            return *ret_error == 0 && !t->failed ? left(t) - start : 0;
    }
}

/* Follows braces and brackets outside strings. An unclosed string says that the line is broken, not continued. */
static long depth_of(const uint8_t *p, size_t len, bool *ret_broken)
{
    long depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        if (in_string) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                in_string = false;
            continue;
        }
        if (p[i] == '"')
            in_string = true;
        else if (p[i] == '{' || p[i] == '[')
            depth++;
        else if (p[i] == '}' || p[i] == ']')
            depth--;
    }
    *ret_broken = in_string;
    return depth;
}

static bool blank(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
            return false;
    return true;
}

/* Drops the rest of a line that is too long. */
static void skip_line(struct json_texts *t)
{
    int error = 0;
    do {
        buf_reset(&t->held);
        t->start = 0;
        if (t->end || !read_more(t, &error))
            return;
    } while (memchr(t->held.ptr, '\n', t->held.len) == NULL);
    const uint8_t *newline = memchr(t->held.ptr, '\n', t->held.len);
    t->start = (size_t)(newline - t->held.ptr) + 1;
}

/* True if a line at `start` starts a new text, as far as it is in sight. */
static bool text_in_sight(const struct json_texts *t, size_t start)
{
    return left(t) > start && data(t)[start] == '{';
}

/* The same, reading if need be. Looks at the first octet only: the line may be as long as is allowed. */
static bool starts_text(struct json_texts *t, size_t start, int *ret_error)
{
    if (left(t) == start && !t->end)
        (void)read_more(t, ret_error);
    return text_in_sight(t, start);
}

/* Adds lines while braces are open. A new text may not be swallowed: see the header. */
static size_t extend(struct json_texts *t, size_t len, uint64_t *lines, int *ret_error)
{
    bool broken;
    if (text_in_sight(t, len)) /* JSON lines: no need to look into them */
        return len;
    /* From here on only an open brace makes it read on: a pipe's last line must not wait for the next one. */
    long depth = depth_of(data(t), len, &broken);
    while (depth > 0 && !broken && len <= text_max(t) && !starts_text(t, len, ret_error)) {
        size_t more = take_line(t, len, ret_error);
        if (*ret_error == -2)
            ++*lines; /* the line that was too much is skipped, too */
        if (more == 0)
            break;
        depth += depth_of(data(t) + len, more, &broken);
        len += more;
        ++*lines;
    }
    return len;
}

int json_texts_next(struct json_texts *t, const char **ret, size_t *ret_len, uint64_t *ret_line)
{
    int error = 0;
    for (;;) {
        t->start += t->taken;
        t->taken = 0;
        *ret_line = t->line;
        size_t len = take_line(t, 0, &error);
        uint64_t lines = 1;
        if (len != 0 && !blank(data(t), len))
            len = extend(t, len, &lines, &error);
        if (error == -2) {
            skip_line(t);
            t->line += lines;
            return -2;
        }
        if (len == 0)
            return t->failed ? -1 : error;
        t->taken = len;
        t->line += lines;
        if (len > text_max(t))
            return -2;
        if (blank(data(t), len))
            continue;
        *ret = (const char *)data(t);
        *ret_len = len;
        return 1;
    }
}
