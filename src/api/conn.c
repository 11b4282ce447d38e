#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/internal.h"

#define OTHERS        2    /* descriptors polled beside those of connections: wake and the listener */
#define IDLE_LEAST_MS 1000 /* a connection without a request for less is not ended for another */
#define FULL_MS       100  /* between looks whether somebody waits while there is no room */

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

/* Called with the lock. */
static void link_conn(struct api_conns *c, struct api_conn *conn)
{
    conn->next = c->first;
    c->first = conn;
    c->count++;
    conn->id = ++c->total;
}

/* Called with the lock. */
static void unlink_conn(struct api_conns *c, struct api_conn *conn)
{
    struct api_conn **at = &c->first;
    while (*at != NULL && *at != conn)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = conn->next;
    c->count--;
    free(conn);
}

/* Called with the lock. */
static struct api_conn *find_coming(const struct api_conns *c, int fd)
{
    struct api_conn *conn = c->first;
    while (conn != NULL && !(conn->coming && conn->fd == fd))
        conn = conn->next;
    return conn;
}

struct api_conn *api_conn_begin(struct api_conns *c, int fd, unsigned limit_ms)
{
    (void)pthread_mutex_lock(&c->lock);
    struct api_conn *conn = find_coming(c, fd);
    if (conn != NULL) {
        conn->coming = false;
        conn->idle_ms = api_clock_ms();
        conn->due_ms = due(limit_ms);
    }
    (void)pthread_mutex_unlock(&c->lock);
    wake(c);
    return conn;
}

void api_conn_remove(struct api_conns *c, struct api_conn *conn)
{
    if (conn == NULL)
        return;
    (void)pthread_mutex_lock(&c->lock);
    bool was_full = c->count >= c->max;
    unlink_conn(c, conn);
    (void)pthread_mutex_unlock(&c->lock);
    if (was_full) /* somebody may wait for its place */
        wake(c);
}

void api_conn_busy(struct api_conns *c, struct api_conn *conn, bool busy)
{
    if (conn == NULL)
        return;
    (void)pthread_mutex_lock(&c->lock);
    conn->busy = busy;
    conn->idle_ms = api_clock_ms();
    (void)pthread_mutex_unlock(&c->lock);
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

void api_conn_by_end(struct api_conns *c, struct api_conn *conn, bool by_end)
{
    if (conn == NULL)
        return;
    (void)pthread_mutex_lock(&c->lock);
    conn->by_end = by_end;
    (void)pthread_mutex_unlock(&c->lock);
}

/* shutdown() and close() send an orderly end if nothing is unread; dissolving the connection resets it. */
void api_conn_reset(struct api_conn *conn)
{
    const struct sockaddr none = { .sa_family = AF_UNSPEC };
    if (conn == NULL || connect(conn->fd, &none, sizeof(none)) == 0)
        return;
    (void)shutdown(conn->fd, SHUT_RDWR);
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

/* ------------------------------------------------------------------------------------------------ those who come */

/* One from the backlog; false if there is none. */
static bool accept_one(struct api_conns *c)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);
    int fd = accept4(c->listener, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        c->starved = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        return errno == EINTR || errno == ECONNABORTED;
    }
    struct api_conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL) {
        (void)close(fd);
        return true;
    }
    *conn = (struct api_conn){ .fd = fd, .coming = true };
    (void)pthread_mutex_lock(&c->lock);
    struct api_conn *lost = find_coming(c, fd); /* the number would not be given out again if it were not closed */
    if (lost != NULL)
        unlink_conn(c, lost);
    link_conn(c, conn);
    (void)pthread_mutex_unlock(&c->lock);
    if (!c->take(c->take_arg, fd, (struct sockaddr *)&addr, len)) {
        (void)pthread_mutex_lock(&c->lock);
        unlink_conn(c, conn);
        (void)pthread_mutex_unlock(&c->lock);
    }
    return true;
}

/* Of this thread alone: nobody else adds any. */
static bool has_room(struct api_conns *c)
{
    (void)pthread_mutex_lock(&c->lock);
    bool room = c->count < c->max && c->listener >= 0;
    (void)pthread_mutex_unlock(&c->lock);
    return room;
}

static bool somebody_waits(const struct api_conns *c)
{
    struct pollfd p = { .fd = c->listener, .events = POLLIN };
    return c->listener >= 0 && poll(&p, 1, 0) > 0;
}

/* Called with the lock: the one that does nothing for longest makes room, unless its request may be on its way. */
static void displace(struct api_conns *c)
{
    struct api_conn *longest = NULL;
    for (struct api_conn *conn = c->first; conn != NULL; conn = conn->next)
        if (!conn->coming && !conn->busy && !atomic_load(&conn->gone) &&
            (longest == NULL || conn->idle_ms < longest->idle_ms))
            longest = conn;
    if (longest == NULL || api_clock_ms() - longest->idle_ms < IDLE_LEAST_MS)
        return;
    longest->due_ms = 0;
    atomic_store(&longest->gone, true);
    c->displaced++;
    (void)shutdown(longest->fd, SHUT_RDWR);
}

/* Called with the lock: how long the thread may wait for something to happen. */
static int make_room(struct api_conns *c, int wait)
{
    if (c->listener < 0 || (c->count < c->max && !c->starved))
        return wait;
    if (somebody_waits(c))
        displace(c);
    return wait < 0 || wait > FULL_MS ? FULL_MS : wait;
}

void api_conns_listen(struct api_conns *c, int fd)
{
    (void)pthread_mutex_lock(&c->lock);
    c->listener = fd;
    (void)pthread_mutex_unlock(&c->lock);
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
        if (conn->by_end)
            api_conn_reset(conn);
        else
            (void)shutdown(conn->fd, SHUT_RDWR); /* its thread sees the end and closes it */
    }
    return (int)wait;
}

/* Called with the lock: who may come, and descriptors of clients that may leave. */
static nfds_t gather(struct api_conns *c)
{
    nfds_t n = 0;
    c->polls[n++] = (struct pollfd){ .fd = c->wake, .events = POLLIN };
    bool room = c->count < c->max && !c->starved;
    c->polls[n++] = (struct pollfd){ .fd = room ? c->listener : -1, .events = POLLIN };
    c->starved = false;
    for (struct api_conn *conn = c->first; conn != NULL && n < c->max + OTHERS; conn = conn->next) {
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
    for (nfds_t i = OTHERS; i < n; i++) {
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
        int wait = make_room(c, end_overdue(c));
        nfds_t n = gather(c);
        (void)pthread_mutex_unlock(&c->lock);
        api_gate_wake(c->gate);
        api_gate_wake(c->sql_gate);
        int ready = poll(c->polls, n, wait);
        if (ready > 0 && c->polls[0].revents != 0 && read(c->wake, &count, sizeof(count)) < 0)
            ready = -1; /* nothing to read: fine */
        while (ready > 0 && c->polls[1].revents != 0 && has_room(c) && accept_one(c))
            ;
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
        .max = max, .gate = gate, .sql_gate = sql_gate, .listener = -1, .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
    };
    if (c->wake < 0)
        return -errno;
    (void)pthread_mutex_init(&c->lock, NULL);
    c->polls = calloc(max + OTHERS, sizeof(*c->polls));
    c->polled = calloc(max + OTHERS, sizeof(*c->polled));
    if (c->polls == NULL || c->polled == NULL)
        return -ENOMEM;
    int rc = pthread_create(&c->thread, NULL, run, c);
    c->started = rc == 0;
    return -rc;
}

static void end_thread(struct api_conns *c)
{
    if (!c->started)
        return;
    (void)pthread_mutex_lock(&c->lock);
    c->stop = true;
    (void)pthread_mutex_unlock(&c->lock);
    wake(c);
    (void)pthread_join(c->thread, NULL);
    c->started = false;
}

void api_conns_shut(struct api_conns *c)
{
    end_thread(c);
    (void)pthread_mutex_lock(&c->lock);
    for (struct api_conn *conn = c->first; conn != NULL; conn = conn->next) {
        atomic_store(&conn->gone, true);
        if (conn->by_end)
            api_conn_reset(conn);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

void api_conns_stop(struct api_conns *c)
{
    end_thread(c);
    if (c->listener >= 0)
        (void)close(c->listener);
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
