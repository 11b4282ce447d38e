#include "capture/ws_flow.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/buf.h"
#include "hep/rd.h"
#include "sip/peek.h"

#define FLOWS_MAX     4096
#define INFLATERS_MAX 512
#define HEAD_MAX      16384 /* octets of the HTTP head */
#define FRAME_HEAD    14    /* octets of the longest head of a frame */

enum { FIN = 0x80, COMPRESSED = 0x40, RESERVED = 0x30, OPERATION = 0x0f, MASKED = 0x80 };
enum { OP_MORE, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };

enum state { IN_HEAD, IN_FRAMES, LOST };

struct ws_flow {
    struct ws_flows *all;
    enum state state;
    struct buf held;    /* octets of the head or of a frame that is not whole */
    uint64_t skip;      /* octets of a frame that nobody wants */
    bool in_message;    /* fragments of one were there */
    bool is_compressed; /* it */
    bool drop;          /* it is passed over */
    struct buf message; /* its octets so far */
    struct buf expanded;
    z_stream *inflater; /* NULL: none was needed yet */
};

struct frame {
    uint8_t first;
    bool masked;
    uint8_t mask[4];
    size_t head;
    uint64_t len; /* of the payload */
};

const char *ws_problem_text(enum ws_problem problem)
{
    static const char *const texts[] = { "no WebSocket frame", "WebSocket message of more than 131072 octets",
                                         "compressed WebSocket message that does not expand" };
    return texts[problem];
}

/* ------------------------------------------------------------------------------------------------ heads */

/* As far as there are octets: a segment may have only one. */
static bool starts(const uint8_t *data, size_t len, const char *text)
{
    size_t n = strlen(text);
    return len > 0 && memcmp(data, text, len < n ? len : n) == 0;
}

bool ws_flow_begins(const uint8_t *data, size_t len)
{
    return starts(data, len, "GET ") || starts(data, len, "HTTP/1.1 101");
}

/* Octets of the HTTP head with its empty line, 0 if it is not whole. */
static size_t head_len(const uint8_t *data, size_t len)
{
    const uint8_t *end = memmem(data, len, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end - data) + 4;
}

/* A line "Upgrade: websocket", in any case. */
static bool upgrades(const uint8_t *data, size_t len)
{
    static const char name[] = "\nupgrade:";
    for (size_t i = 0; i + sizeof(name) - 1 + 9 <= len; i++) {
        if (strncasecmp((const char *)data + i, name, sizeof(name) - 1) != 0)
            continue;
        size_t at = i + sizeof(name) - 1;
        while (at < len && (data[at] == ' ' || data[at] == '\t'))
            at++;
        if (at + 9 <= len && strncasecmp((const char *)data + at, "websocket", 9) == 0)
            return true;
    }
    return false;
}

/* 1: whole; 0: more is needed; -1: no frame. */
static int read_head(const uint8_t *data, size_t len, struct frame *f)
{
    struct rd r;
    rd_init(&r, data, len);
    if (len < 2)
        return 0;
    f->first = rd_u8(&r);
    uint8_t second = rd_u8(&r), operation = f->first & OPERATION;
    f->masked = (second & MASKED) != 0;
    f->len = second & 0x7f;
    bool control = operation >= OP_CLOSE;
    if ((f->first & RESERVED) != 0 || operation > OP_PONG || (operation > OP_BINARY && operation < OP_CLOSE) ||
        (control && (f->len > 125 || (f->first & FIN) == 0 || (f->first & COMPRESSED) != 0)))
        return -1;
    if (f->len == 126)
        f->len = rd_u16(&r);
    else if (f->len == 127)
        f->len = rd_u64(&r);
    const uint8_t *mask;
    if (f->masked && rd_take(&r, sizeof(f->mask), &mask))
        memcpy(f->mask, mask, sizeof(f->mask));
    if (r.bad)
        return 0;
    f->head = len - rd_left(&r);
    return f->len >> 63 != 0 ? -1 : 1;
}

static void unmask(const struct frame *f, uint8_t *p, size_t len)
{
    for (size_t i = 0; f->masked && i < len; i++)
        p[i] ^= f->mask[i % 4];
}

bool ws_flow_joins(const uint8_t *data, size_t len)
{
    struct frame f;
    uint8_t some[64];
    if (read_head(data, len, &f) != 1 || (f.first & COMPRESSED) != 0)
        return false;
    uint8_t operation = f.first & OPERATION;
    size_t n = len - f.head < sizeof(some) ? len - f.head : sizeof(some);
    if ((operation != OP_TEXT && operation != OP_BINARY) || f.len < n)
        return false;
    memcpy(some, data + f.head, n);
    unmask(&f, some, n);
    return sip_looks_like(some, n);
}

/* ------------------------------------------------------------------------------------------------ life */

struct ws_flow *ws_flow_new(struct ws_flows *all, bool joins)
{
    struct ws_flow *f = all->flows < FLOWS_MAX ? calloc(1, sizeof(*f)) : NULL;
    if (f == NULL)
        return NULL;
    all->flows++;
    f->all = all;
    f->state = joins ? LOST : IN_HEAD;
    buf_init(&f->held, WS_MESSAGE_MAX + FRAME_HEAD + HEAD_MAX);
    buf_init(&f->message, WS_MESSAGE_MAX + 4); /* 4: the tail of RFC 7692 section 7.2.2 */
    buf_init(&f->expanded, WS_MESSAGE_MAX + 1);
    return f;
}

static void forget_context(struct ws_flow *f)
{
    if (f->inflater == NULL)
        return;
    (void)inflateEnd(f->inflater);
    free(f->inflater);
    f->inflater = NULL;
    f->all->inflaters--;
}

void ws_flow_free(struct ws_flow *f)
{
    if (f == NULL)
        return;
    f->all->skipped += f->held.len;
    forget_context(f);
    buf_free(&f->held);
    buf_free(&f->message);
    buf_free(&f->expanded);
    f->all->flows--;
    free(f);
}

/* ------------------------------------------------------------------------------------------------ messages */

static bool take_context(struct ws_flow *f)
{
    if (f->inflater != NULL)
        return true;
    z_stream *z = f->all->inflaters < INFLATERS_MAX ? calloc(1, sizeof(*z)) : NULL;
    if (z == NULL || inflateInit2(z, -15) != Z_OK) {
        free(z);
        return false;
    }
    f->inflater = z;
    f->all->inflaters++;
    return true;
}

/* RFC 7692 section 7.2.2: the sender left out the octets that end a block. */
static bool expand(struct ws_flow *f)
{
    static const uint8_t tail[] = { 0, 0, 0xff, 0xff };
    buf_put(&f->message, tail, sizeof(tail));
    buf_reset(&f->expanded);
    uint8_t *to = buf_space(&f->expanded, WS_MESSAGE_MAX + 1);
    if (f->message.failed || to == NULL || !take_context(f))
        return false;
    f->inflater->next_in = f->message.ptr;
    f->inflater->avail_in = (uInt)f->message.len;
    f->inflater->next_out = to;
    f->inflater->avail_out = WS_MESSAGE_MAX + 1;
    int rc = inflate(f->inflater, Z_SYNC_FLUSH);
    buf_added(&f->expanded, WS_MESSAGE_MAX + 1 - f->inflater->avail_out);
    if (rc == Z_STREAM_END) /* a last block: the next message begins anew */
        forget_context(f);
    return (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR) && f->expanded.len <= WS_MESSAGE_MAX &&
           (f->inflater == NULL || f->inflater->avail_in == 0);
}

static void end_message(struct ws_flow *f)
{
    f->in_message = false;
    if (f->drop)
        return;
    if (!f->is_compressed) {
        f->all->on_message(f->all->arg, f->message.ptr, f->message.len);
        return;
    }
    if (expand(f)) {
        f->all->on_message(f->all->arg, f->expanded.ptr, f->expanded.len);
        return;
    }
    forget_context(f);
    f->all->skipped += f->message.len;
    f->all->on_bad(f->all->arg, WS_BAD_DEFLATE);
}

static void lose(struct ws_flow *f)
{
    f->state = LOST;
    f->skip = 0;
    f->in_message = false;
    buf_reset(&f->held);
    buf_reset(&f->message);
    forget_context(f);
}

static bool is_control(const struct frame *h)
{
    return (h->first & OPERATION) >= OP_CLOSE;
}

/* Fragments go on only where one began, and only the first says whether the message is compressed. */
static bool is_in_place(const struct ws_flow *f, const struct frame *h)
{
    bool more = (h->first & OPERATION) == OP_MORE;
    return is_control(h) || (more == f->in_message && (!more || (h->first & COMPRESSED) == 0));
}

static void begin_message(struct ws_flow *f, uint8_t first)
{
    buf_reset(&f->message);
    f->in_message = true;
    f->drop = false;
    f->is_compressed = (first & COMPRESSED) != 0;
}

/* A frame of data with its payload; masked octets are laid bare where they lie in the message. */
static void take_payload(struct ws_flow *f, const struct frame *h, const uint8_t *payload)
{
    size_t at = f->message.len;
    if (!f->drop && f->message.len + h->len <= WS_MESSAGE_MAX)
        buf_put(&f->message, payload, (size_t)h->len);
    if (f->message.failed || f->message.len != at + h->len) {
        f->all->skipped += h->len;
        if (!f->drop)
            f->all->on_bad(f->all->arg, WS_TOO_LONG);
        f->drop = true;
        forget_context(f); /* what comes later may refer to it */
    } else if (h->len > 0) {
        unmask(h, f->message.ptr + at, (size_t)h->len);
    }
    if ((h->first & FIN) != 0)
        end_message(f);
}

/* A frame too long to wait for: its message is passed over. */
static void pass_over(struct ws_flow *f, const struct frame *h)
{
    f->skip = h->len;
    if (!f->drop)
        f->all->on_bad(f->all->arg, WS_TOO_LONG);
    f->drop = true;
    forget_context(f);
    if ((h->first & FIN) != 0)
        f->in_message = false;
}

/* ------------------------------------------------------------------------------------------------ octets */

static void take_data(struct ws_flow *f, const struct frame *h, const uint8_t *payload)
{
    if ((h->first & OPERATION) != OP_MORE)
        begin_message(f, h->first);
    if (h->len > WS_MESSAGE_MAX)
        pass_over(f, h);
    else
        take_payload(f, h, payload);
}

/* The frame at the front; *ret_done octets of it are done with. False: there is none, or not all of it. */
static bool take_frame(struct ws_flow *f, const uint8_t *data, size_t len, size_t *ret_done)
{
    struct frame h;
    int rc = read_head(data, len, &h);
    *ret_done = 0;
    if (rc == 0)
        return false;
    if (rc < 0 || !is_in_place(f, &h)) {
        f->all->skipped += len;
        f->all->on_bad(f->all->arg, WS_BAD_FRAME);
        lose(f);
        return false;
    }
    bool waits = h.len <= WS_MESSAGE_MAX;
    if (waits && h.len > len - h.head)
        return false;
    *ret_done = h.head + (waits ? (size_t)h.len : 0);
    if (!is_control(&h))
        take_data(f, &h, data + h.head);
    return true;
}

static size_t take_skip(struct ws_flow *f, size_t len)
{
    size_t n = f->skip < len ? (size_t)f->skip : len;
    f->skip -= n;
    f->all->skipped += n;
    return n;
}

/* Returns how many octets are done with. */
static size_t take_frames(struct ws_flow *f, const uint8_t *data, size_t len)
{
    size_t pos = take_skip(f, len), done;
    while (pos < len && f->state == IN_FRAMES && !*f->all->done && take_frame(f, data + pos, len - pos, &done)) {
        pos += done;
        pos += take_skip(f, len - pos);
    }
    return f->state == IN_FRAMES ? pos : len;
}

/* The HTTP head. Returns false if it is none of WebSocket; *ret_done as above. */
static bool take_http(struct ws_flow *f, const uint8_t *data, size_t len, size_t *ret_done)
{
    size_t head = head_len(data, len);
    *ret_done = 0;
    if (head == 0)
        return len <= HEAD_MAX;
    if (!upgrades(data, head))
        return false;
    f->all->skipped += head;
    f->state = IN_FRAMES;
    *ret_done = head;
    return true;
}

/* All that can be done with octets that are there in one piece. */
static bool take(struct ws_flow *f, const uint8_t *data, size_t len, size_t *ret_done)
{
    *ret_done = 0;
    if (f->state == IN_HEAD && !take_http(f, data, len, ret_done))
        return false;
    if (f->state == IN_FRAMES)
        *ret_done += take_frames(f, data + *ret_done, len - *ret_done);
    return true;
}

bool ws_flow_data(struct ws_flow *f, const uint8_t *data, size_t len)
{
    size_t done;
    if (f->state == LOST && ws_flow_joins(data, len))
        f->state = IN_FRAMES;
    if (f->state == LOST) {
        f->all->skipped += len;
        return true;
    }
    if (f->held.len == 0) {
        if (!take(f, data, len, &done)) {
            f->all->skipped += len;
            return false;
        }
        if (f->state != LOST)
            buf_put(&f->held, data + done, len - done);
        return true;
    }
    buf_put(&f->held, data, len);
    if (f->held.failed || !take(f, f->held.ptr, f->held.len, &done))
        return false;
    if (f->state != LOST)
        buf_drop(&f->held, done);
    return true;
}

void ws_flow_gap(struct ws_flow *f)
{
    f->all->skipped += f->held.len;
    lose(f);
}
