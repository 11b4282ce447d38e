#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "agent/lane_internal.h"

#define PROBE_MS 30 /* how long an answer to the first datagram is waited for */

static bool is_udp(const char *url)
{
    return strncasecmp(url, "udp://", 6) == 0;
}

static bool is_stream(const char *url)
{
    return strncasecmp(url, "tcp://", 6) == 0 || strncasecmp(url, "tls://", 6) == 0;
}

/* A frame that UDP cannot carry. True if it went. */
static bool send_big(struct lane *l, struct collector *c, const uint8_t *frame, size_t len)
{
    char url[300];
    struct errmsg err;
    if (c->big == NULL) {
        int n = snprintf(url, sizeof(url), "tcp://%s", c->url + strlen("udp://"));
        if (n < 0 || (size_t)n >= sizeof(url) || sender_open(&c->big, url, &l->o.sender, &err) != 0)
            return false;
    }
    bool ok = sender_send(c->big, frame, len) == 0 && sender_flush(c->big) == 0;
    if (!ok)
        lane_set_problem(l, sender_stats(c->big)->last_error.text);
    return ok;
}

static bool to_stdout(struct lane *l, struct batch *b, struct done *d)
{
    size_t start = b->at;
    while (b->at < b->len) {
        ssize_t n = write(STDOUT_FILENO, b->data + b->at, b->len - b->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            lane_set_problem(l, strerror(errno));
            d->failed += b->count;
            b->at = b->len;
            return true;
        }
        b->at += (size_t)n;
    }
    d->octets += b->len - start;
    (void)frames_whole(b->data + start, b->len - start, &start);
    d->sent += start;
    return true;
}

/* UDP: frames go or fail one by one, and the network tells soon whether anybody listens. */
static bool by_udp(struct lane *l, struct collector *c, struct batch *b, struct done *d)
{
    const struct sender_stats *s = sender_stats(c->sender);
    struct sender_stats before = *s;
    size_t at = b->at, n;
    for (bool probe = c->down; at < b->len; at += n, probe = false) {
        n = frame_length(b->data + at, b->len - at);
        if (n > l->o.udp_max) {
            bool ok = send_big(l, c, b->data + at, n);
            d->sent += ok;
            d->octets += ok ? n : 0;
            d->by_tcp += ok;
            d->failed += !ok;
            continue;
        }
        (void)sender_send(c->sender, b->data + at, n);
        if (!probe)
            continue;
        (void)sender_flush(c->sender);
        (void)poll(NULL, 0, PROBE_MS);
        if (sender_check(c->sender) != 0)
            break;
    }
    (void)sender_flush(c->sender);
    (void)sender_check(c->sender);
    if (s->refused != before.refused) { /* all of it again, later: nobody has it */
        *d = (struct done){ 0 };
        return false;
    }
    d->sent += s->frames_sent - before.frames_sent;
    d->octets += s->octets_sent - before.octets_sent;
    d->failed += s->frames_failed - before.frames_failed;
    b->at = b->len;
    return true;
}

/* TCP, TLS, HTTP: in order, so that the number of frames sent says which ones they are. */
static bool by_stream(struct collector *c, struct batch *b, struct done *d)
{
    const struct sender_stats *s = sender_stats(c->sender);
    struct sender_stats before = *s;
    bool ok = true;
    for (size_t at = b->at, n; at < b->len && ok; at += n) {
        n = frame_length(b->data + at, b->len - at);
        ok = sender_send(c->sender, b->data + at, n) == 0;
    }
    ok = sender_flush(c->sender) == 0 && ok;
    d->sent = s->frames_sent - before.frames_sent;
    d->octets = s->octets_sent - before.octets_sent;
    b->at = batch_step(b, b->at, d->sent);
    if (ok || sender_is_down(c->sender))
        return ok;
    d->failed = s->frames_failed - before.frames_failed; /* the collector does not want them */
    b->at = batch_step(b, b->at, d->failed);
    return true;
}

bool lane_send(struct lane *l, struct collector *c, struct batch *b, struct done *d)
{
    if (c->sender == NULL)
        return to_stdout(l, b, d);
    return c->udp ? by_udp(l, c, b, d) : by_stream(c, b, d);
}

int lane_open_collector(struct lane *l, const char *url, struct errmsg *err)
{
    struct collector *c = &l->list[l->count];
    c->url = strdup(url);
    if (c->url == NULL)
        return errmsg_set(err, "out of memory");
    l->count++;
    c->udp = is_udp(url);
    c->stream = is_stream(url);
    if (strcmp(url, "-") == 0)
        return 0;
    struct errmsg why = { "" };
    if (sender_open(&c->sender, url, &l->o.sender, &why) != 0)
        return errmsg_set(err, "%s: %s", url, why.text);
    return 0;
}
