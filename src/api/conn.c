#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/internal.h"

int64_t api_clock_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wake(struct api_conns *c)
{
    uint64_t one = 1;
    ssize_t n = write(c->wake, &one, sizeof(one)); /* fails only where it is awake already */
    (void)n;
}

/* ------------------------------------------------------------------------------------------------ the list */

static int64_t due(unsigned limit_ms)
{
    return limit_ms == 0 ? 0 : api_clock_ms() + limit_ms;
}

struct api_conn *api_conn_add(struct api_conns *c, int fd, unsigned limit_ms)
{
    struct api_conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL)
        return NULL;
    conn->fd = fd;
    conn->due_ms = due(limit_ms);
    (void)pthread_mutex_lock(&c->lock);
    conn->next = c->first;
    if (c->first != NULL)
        c->first->prev = conn;
    c->first = conn;
    c->count++;
    conn->id = ++c->total;
    (void)pthread_mutex_unlock(&c->lock);
    wake(c);
    return conn;
}

void api_conn_remove(struct api_conns *c, struct api_conn *conn)
{
    if (conn == NULL)
        return;
    (void)pthread_mutex_lock(&c->lock);
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        c->first = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    c->count--;
    (void)pthread_mutex_unlock(&c->lock);
    free(conn);
}

/* Limits are seconds and more, and the thread looks once a second: it need not be woken. */
void api_conn_limit(struct api_conns *c, struct api_conn *conn, unsigned limit_ms)
{
    if (conn == NULL)
        return;
    (void)pthread_mutex_lock(&c->lock);
    conn->due_ms = due(limit_ms);
    (void)pthread_mutex_unlock(&c->lock);
}

void api_conn_watch(struct api_conns *c, struct api_conn *conn, bool watched)
{
    if (conn == NULL)
        return;
    (void)pthread_mutex_lock(&c->lock);
    conn->watched = watched;
    (void)pthread_mutex_unlock(&c->lock);
    if (watched)
        wake(c);
}

/* ------------------------------------------------------------------------------------------------ the thread */

/* Called with the lock: ends what is overdue, and says how long until the next one is. */
static int end_overdue(struct api_conns *c)
{
    int64_t now = api_clock_ms();
    int64_t wait = c->first == NULL ? -1 : 1000;
    for (struct api_conn *conn = c->first; conn != NULL; conn = conn->next) {
        if (conn->due_ms == 0)
            continue;
        if (conn->due_ms > now) {
            wait = conn->due_ms - now < wait ? conn->due_ms - now : wait;
            continue;
        }
        conn->due_ms = 0;
        atomic_store(&conn->gone, true);
        c->overdue++;
        (void)shutdown(conn->fd, SHUT_RDWR); /* its thread sees the end and closes it */
    }
    return (int)wait;
}

/* Called with the lock: descriptors of clients that may leave. */
static nfds_t gather(struct api_conns *c)
{
    nfds_t n = 0;
    c->polls[n++] = (struct pollfd){ .fd = c->wake, .events = POLLIN };
    for (struct api_conn *conn = c->first; conn != NULL && n <= c->max; conn = conn->next) {
        if (!conn->watched || atomic_load(&conn->gone))
            continue;
        c->polled[n] = conn->id;
        c->polls[n++] = (struct pollfd){ .fd = conn->fd, .events = POLLRDHUP };
    }
    return n;
}

/* A connection may have ended meanwhile, and its descriptor be another's. */
static void note_gone(struct api_conns *c, nfds_t n)
{
    for (nfds_t i = 1; i < n; i++) {
        if ((c->polls[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0)
            continue;
        for (struct api_conn *conn = c->first; conn != NULL; conn = conn->next)
            if (conn->id == c->polled[i] && conn->watched)
                atomic_store(&conn->gone, true);
    }
}

static void *run(void *arg)
{
    struct api_conns *c = arg;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        uint64_t count;
        int wait = end_overdue(c);
        nfds_t n = gather(c);
        (void)pthread_mutex_unlock(&c->lock);
        api_gate_wake(c->gate);
        api_gate_wake(c->sql_gate);
        int ready = poll(c->polls, n, wait);
        if (ready > 0 && c->polls[0].revents != 0 && read(c->wake, &count, sizeof(count)) < 0)
            ready = -1; /* nothing to read: fine */
        (void)pthread_mutex_lock(&c->lock);
        if (ready > 0)
            note_gone(c, n);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

int api_conns_start(struct api_conns *c, size_t max, struct api_gate *gate, struct api_gate *sql_gate)
{
    *c = (struct api_conns){
        .max = max, .gate = gate, .sql_gate = sql_gate, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
    };
    if (c->wake < 0)
        return -errno;
    (void)pthread_mutex_init(&c->lock, NULL);
    c->polls = calloc(max + 1, sizeof(*c->polls));
    c->polled = calloc(max + 1, sizeof(*c->polled));
    if (c->polls == NULL || c->polled == NULL)
        return -ENOMEM;
    int rc = pthread_create(&c->thread, NULL, run, c);
    c->started = rc == 0;
    return -rc;
}

void api_conns_shut(struct api_conns *c)
{
    (void)pthread_mutex_lock(&c->lock);
    for (struct api_conn *conn = c->first; conn != NULL; conn = conn->next)
        atomic_store(&conn->gone, true);
    (void)pthread_mutex_unlock(&c->lock);
}

void api_conns_stop(struct api_conns *c)
{
    if (c->started) {
        (void)pthread_mutex_lock(&c->lock);
        c->stop = true;
        (void)pthread_mutex_unlock(&c->lock);
        wake(c);
        (void)pthread_join(c->thread, NULL);
    }
    if (c->wake >= 0) {
        (void)close(c->wake);
        (void)pthread_mutex_destroy(&c->lock);
    }
    while (c->first != NULL) { /* libmicrohttpd has told of all of them */
        struct api_conn *next = c->first->next;
        free(c->first);
        c->first = next;
    }
    free(c->polls);
    free(c->polled);
}
