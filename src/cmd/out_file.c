#include "cmd/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel */

/* Of the file that is open; read by the signal handler. */
static char *volatile doomed;

static void on_signal(int number)
{
    char *path = doomed;
    if (path != NULL)
        (void)unlink(path);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
}

static void free_names(struct out_file *f)
{
    free(f->temporary);
    free(f->target);
    f->temporary = f->target = NULL;
}

/* What open() with mode 0666 would have given it. */
static void set_mode(int fd)
{
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)fchmod(fd, 0666 & ~mask);
}

/* What a link says, as seen from where the link is; NULL with errno. */
static char *read_link(const char *path)
{
    char to[PATH_MAX];
    ssize_t len = readlink(path, to, sizeof(to));
    if (len < 0 || (size_t)len == sizeof(to)) {
        errno = len < 0 ? errno : ENAMETOOLONG;
        return NULL;
    }
    const char *slash = to[0] == '/' ? NULL : strrchr(path, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    char *next = malloc(folder + (size_t)len + 1);
    if (next == NULL)
        return NULL;
    memcpy(next, path, folder);
    memcpy(next + folder, to, (size_t)len);
    next[folder + (size_t)len] = '\0';
    return next;
}

/* Where links lead, also if there is no file yet: what is renamed to a link would take its place. NULL with errno. */
static char *follow_links(const char *path)
{
    struct stat st;
    char *at = strdup(path);
    for (int i = 0; at != NULL && lstat(at, &st) == 0 && S_ISLNK(st.st_mode); i++) {
        char *next = i < LINKS_MAX ? read_link(at) : NULL;
        int error = i < LINKS_MAX ? errno : ELOOP;
        free(at);
        errno = error;
        at = next;
    }
    return at;
}

int out_file_open(struct out_file *f, const char *path, struct errmsg *err)
{
    *f = (struct out_file){ .fd = STDOUT_FILENO };
    if (path == NULL || strcmp(path, "-") == 0)
        return 0;
    struct stat st;
    f->path = path;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* a device, a pipe: nothing to put in its place */
        f->fd = open(path, O_WRONLY | O_CLOEXEC);
        return f->fd >= 0 ? 0 : errmsg_set(err, "%s: %s", path, strerror(errno));
    }
    f->target = follow_links(path);
    size_t size = f->target == NULL ? 0 : strlen(f->target) + sizeof(".XXXXXX");
    f->temporary = f->target == NULL ? NULL : malloc(size);
    if (f->temporary != NULL) {
        (void)snprintf(f->temporary, size, "%s.XXXXXX", f->target);
        f->fd = mkstemp(f->temporary);
    }
    if (f->temporary == NULL || f->fd < 0) {
        (void)errmsg_set(err, "%s: %s", path, strerror(errno));
        free_names(f);
        return -1;
    }
    set_mode(f->fd);
    doomed = f->temporary;
    catch_signals();
    return 0;
}

int out_file_write(struct out_file *f, const void *octets, size_t len)
{
    const uint8_t *p = octets;
    while (len > 0) {
        ssize_t n = write(f->fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            f->broken_pipe = f->temporary == NULL && errno == EPIPE;
            return errmsg_set(&f->err, "%s: %s", f->path == NULL ? "standard output" : f->path, strerror(errno));
        }
        p += n;
        len -= (size_t)n;
        f->octets += (uint64_t)n;
    }
    return 0;
}

/* Releases it; the temporary file is the caller's. */
static int end(struct out_file *f)
{
    int rc = f->fd == STDOUT_FILENO ? 0 : close(f->fd);
    doomed = NULL;
    free_names(f);
    return rc;
}

int out_file_keep(struct out_file *f, struct errmsg *err)
{
    if (f->temporary == NULL)
        return end(f);
    /* Some file systems tell of a full disk no earlier. */
    if (fsync(f->fd) != 0 && errno != EINVAL && errno != EROFS)
        (void)errmsg_set(err, "%s: %s", f->path, strerror(errno));
    else if (rename(f->temporary, f->target) == 0)
        return end(f);
    else
        (void)errmsg_set(err, "%s: %s", f->path, strerror(errno));
    out_file_drop(f);
    return -1;
}

void out_file_drop(struct out_file *f)
{
    if (f->temporary != NULL)
        (void)unlink(f->temporary);
    (void)end(f);
}
