#include "store/lake/duck_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_WITHIN_MS 20000

extern char **environ;

/* ------------------------------------------------------------------------------------------------ sockets */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The child's ends, which live until it has been spawned. */
struct ends {
    int control, slots[DUCK_SCANS_MAX];
};

/*
 * High numbers for the child's ends: they must not lie where the child is to find them, or one dup2() would run over
 * the next.
 */
static int make_pair(int *ours, int *theirs)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    *ours = pair[0];
    *theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, DUCK_FD_SLOT + DUCK_SCANS_MAX);
    close(pair[1]);
    return *theirs >= 0 ? 0 : -1;
}

static int make_sockets(struct duck_child *c, struct ends *e)
{
    int rc = make_pair(&c->control, &e->control);
    for (unsigned i = 0; i < c->slot_count && rc == 0; i++)
        rc = make_pair(&c->slots[i], &e->slots[i]);
    return rc;
}

static void close_ends(struct ends *e)
{
    close_fd(&e->control);
    for (unsigned i = 0; i < DUCK_SCANS_MAX; i++)
        close_fd(&e->slots[i]);
}

/* ------------------------------------------------------------------------------------------------ the process */

static int plan_files(posix_spawn_file_actions_t *f, const struct ends *e, unsigned slots)
{
    int rc = posix_spawn_file_actions_addopen(f, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(f, 1, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(f, e->control, DUCK_FD_CONTROL);
    for (unsigned i = 0; i < slots && rc == 0; i++)
        rc = posix_spawn_file_actions_adddup2(f, e->slots[i], DUCK_FD_SLOT + (int)i);
    return rc != 0 ? rc : posix_spawn_file_actions_addclosefrom_np(f, DUCK_FD_SLOT + (int)slots);
}

/* A process group of its own: Ctrl-C at the terminal is for the parent, which may have queries to finish. */
static int plan_signals(posix_spawnattr_t *a)
{
    sigset_t set;
    sigfillset(&set);
    int rc = posix_spawnattr_setsigdefault(a, &set);
    sigemptyset(&set);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(a, &set);
    if (rc == 0)
        rc = posix_spawnattr_setpgroup(a, 0);
    return rc != 0
               ? rc
               : posix_spawnattr_setflags(a, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
}

static int spawn(struct duck_child *c, const char *executable, const struct ends *e)
{
    char name[] = "hepcat", word[] = "query-worker";
    char *const argv[] = { name, word, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&files) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    int rc = plan_files(&files, e, c->slot_count);
    if (rc == 0)
        rc = plan_signals(&attributes);
    if (rc == 0)
        rc = posix_spawn(&c->pid, executable, &files, &attributes, argv, environ);
    if (rc != 0)
        c->pid = 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static void say_how(struct duck_child *c, int status)
{
    if (WIFSIGNALED(status))
        (void)snprintf(c->how, sizeof(c->how), "killed by signal %d", WTERMSIG(status));
    else
        (void)snprintf(c->how, sizeof(c->how), "ended with status %d", WEXITSTATUS(status));
}

void duck_child_end(struct duck_child *c)
{
    int status = 0;
    if (c->ended)
        return;
    c->ended = true;
    (void)snprintf(c->how, sizeof(c->how), "ended");
    if (c->pid <= 0)
        return;
    (void)kill(c->pid, SIGKILL); /* changes nothing if it has ended by itself: then that is what waitpid() tells */
    pid_t pid;
    do
        pid = waitpid(c->pid, &status, 0);
    while (pid < 0 && errno == EINTR);
    if (pid > 0)
        say_how(c, status);
    c->pid = 0;
}

void duck_child_free(struct duck_child *c)
{
    if (c == NULL)
        return;
    duck_child_end(c);
    close_fd(&c->control);
    for (unsigned i = 0; i < DUCK_SCANS_MAX; i++)
        close_fd(&c->slots[i]);
    free(c);
}

bool duck_child_is_gone(const struct duck_child *c)
{
    struct pollfd p = { c->control, POLLIN, 0 };
    return poll(&p, 1, 0) > 0; /* after READY the child never says anything there */
}

/* ------------------------------------------------------------------------------------------------ what is said */

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_until(void *arg, int fd, short events)
{
    const int64_t *until = arg;
    struct pollfd p = { fd, events, 0 };
    for (;;) {
        int64_t left = *until - now_ms();
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n > 0)
            return 0;
        if (n == 0 || errno != EINTR)
            return -1;
    }
}

static int read_ready(struct duck_child *c, const struct buf *body, struct errmsg *err)
{
    struct rd r;
    rd_init(&r, body->ptr, body->len);
    int32_t rc = (int32_t)rd_u32le(&r);
    c->landlock = (int)rd_u32le(&r);
    struct duck_slice text = duck_get_text(&r);
    if (r.bad || rc != 0)
        return errmsg_set(err, "%.*s", (int)text.len, (const char *)text.ptr);
    (void)snprintf(c->version, sizeof(c->version), "%.*s", (int)text.len, (const char *)text.ptr);
    return 0;
}

static int shake_hands(struct duck_child *c, const struct duck_hello *hello, struct errmsg *err)
{
    int64_t until = now_ms() + READY_WITHIN_MS;
    struct buf b;
    enum duck_frame type = DUCK_FRAME_HELLO;
    buf_init(&b, 1u << 16);
    size_t start = duck_frame_begin(&b, type);
    duck_put_hello(&b, hello);
    duck_frame_end(&b, start);
    int rc = b.failed ? -1 : duck_send(c->control, b.ptr, b.len, wait_until, &until);
    if (rc == 0)
        rc = duck_receive(c->control, &b, &type, wait_until, &until);
    if (rc == 0 && type == DUCK_FRAME_READY) {
        rc = read_ready(c, &b, err);
    } else {
        duck_child_end(c);
        rc = errmsg_set(err, "the query worker does not start: %s", now_ms() >= until ? "no answer" : c->how);
    }
    buf_free(&b);
    return rc;
}

int duck_child_start(struct duck_child **ret, const char *executable, const struct duck_hello *hello,
                     struct errmsg *err)
{
    struct ends e = { .control = -1 };
    struct duck_child *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return (void)errmsg_set(err, "out of memory"), DUCK_ERR_MEMORY;
    c->control = -1;
    c->slot_count = hello->slots;
    for (unsigned i = 0; i < DUCK_SCANS_MAX; i++)
        c->slots[i] = e.slots[i] = -1;
    int rc = make_sockets(c, &e) != 0 ? errno : spawn(c, executable, &e);
    close_ends(&e);
    if (rc != 0)
        rc = errmsg_set(err, "the query worker does not start: %s", strerror(rc));
    else
        rc = shake_hands(c, hello, err);
    if (rc != 0) {
        duck_child_free(c);
        return DUCK_ERR_UNAVAILABLE;
    }
    *ret = c;
    return 0;
}

void duck_child_interrupt(const struct duck_child *c, unsigned slot, uint64_t number)
{
    uint8_t octets[DUCK_HEAD + 12];
    le32_put(octets, 12);
    octets[4] = DUCK_FRAME_INTERRUPT;
    le32_put(octets + DUCK_HEAD, slot);
    le64_put(octets + DUCK_HEAD + 4, number);
    /* In one piece or not at all: the socket's buffer holds thousands of these, and nobody else waits for it. */
    (void)!send(c->control, octets, sizeof(octets), MSG_NOSIGNAL | MSG_DONTWAIT);
}

uint64_t duck_child_rss(pid_t pid)
{
    char path[64];
    char text[128] = "", *resident = NULL;
    (void)snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
    FILE *f = pid > 0 ? fopen(path, "re") : NULL;
    if (f == NULL)
        return 0;
    if (fgets(text, sizeof(text), f) != NULL)
        resident = strchr(text, ' '); /* behind the size */
    (void)fclose(f);
    return resident != NULL ? strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
