/* Time, waiting, pauses between attempts and book-keeping, for all kinds of sender. */
#include <errno.h>
#include <gnutls/crypto.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "net/send.h"

#define DELAY_FIRST 100   /* ms */
#define DELAY_MAX   5000  /* ms */
#define ASKED_MAX   60000 /* ms: most that a Retry-After can make us wait */
#define SLICE       100   /* ms: how late a stop flag is seen that was set just before poll() */

uint64_t sender_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

bool sender_stopped(const struct sender *s)
{
    return s->opt.stop != NULL && __atomic_load_n(s->opt.stop, __ATOMIC_RELAXED) != 0;
}

void sender_error(struct sender *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(s->stats.last_error.text, sizeof(s->stats.last_error.text), format, args);
    va_end(args);
}

void sender_sent(struct sender *s, size_t frames, size_t octets)
{
    s->stats.frames_pending -= frames;
    s->stats.frames_sent += frames;
    s->stats.octets_sent += octets;
}

int sender_failed(struct sender *s, size_t frames)
{
    s->stats.frames_pending -= frames;
    s->stats.frames_failed += frames;
    return -1;
}

int sender_refuse(struct sender *s, const char *why)
{
    sender_error(s, "%s", why);
    s->stats.frames_failed++;
    return -1;
}

int sender_wait_fd(const struct sender *s, int fd, short events, int64_t ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    uint64_t end = sender_now_ms() + (ms < 0 ? 0 : (uint64_t)ms);
    for (;;) {
        if (sender_stopped(s))
            return -1;
        uint64_t now = sender_now_ms();
        uint64_t left = ms < 0 ? SLICE : end > now ? end - now : 0;
        int rc = poll(&p, fd < 0 ? 0 : 1, (int)(left < SLICE ? left : SLICE));
        if (rc > 0 || (rc < 0 && errno != EINTR))
            return 1; /* an error is told by the next call on the descriptor */
        if (ms >= 0 && sender_now_ms() >= end)
            return 0;
    }
}

/* Between half of it and all of it, so that senders that lost one collector do not come back in step. */
static unsigned jitter(unsigned ms)
{
    uint32_t random = 0;
    (void)gnutls_rnd(GNUTLS_RND_NONCE, &random, sizeof(random));
    return ms / 2 + random % (ms / 2 + 1);
}

/* Sets when the next attempt may be and returns how long that is from now. */
static uint64_t plan(struct sender *s, unsigned at_least_ms)
{
    struct retry *r = &s->retry;
    uint64_t now = sender_now_ms();
    if (r->since == 0) {
        r->since = now;
        r->delay = DELAY_FIRST;
    }
    unsigned pause = jitter(r->delay);
    unsigned asked = at_least_ms < ASKED_MAX ? at_least_ms : ASKED_MAX;
    r->delay = r->delay * 2 < DELAY_MAX ? r->delay * 2 : DELAY_MAX;
    r->next = now + (pause > asked ? pause : asked);
    return r->next - now;
}

bool sender_may_try(struct sender *s)
{
    return !s->retry.given_up || sender_now_ms() >= s->retry.next;
}

bool sender_again(struct sender *s, unsigned at_least_ms)
{
    struct retry *r = &s->retry;
    bool begins = r->since == 0;
    uint64_t pause = plan(s, at_least_ms);
    if (r->given_up || sender_stopped(s) || r->next > r->since + s->opt.retry_ms) {
        r->given_up = true;
        return false;
    }
    if (begins && s->opt.on_outage != NULL)
        s->opt.on_outage(s->opt.arg, s->stats.last_error.text);
    if (sender_wait_fd(s, -1, 0, (int64_t)pause) < 0)
        return false;
    s->stats.retries++;
    return true;
}

void sender_give_up(struct sender *s)
{
    (void)plan(s, 0);
    s->retry.given_up = true;
}

void sender_recovered(struct sender *s)
{
    s->retry = (struct retry){ 0 };
}
