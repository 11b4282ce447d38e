#include "store/lake/duck_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int set_limit(int resource, rlim_t octets)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return -1;
    if (now.rlim_max != RLIM_INFINITY && octets > now.rlim_max)
        octets = now.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){ octets, octets });
}

static void be_first_victim(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!write(fd, "500", 3); /* a wish: not worth failing for */
    close(fd);
}

int duck_limit_process(uint64_t address_space, struct errmsg *err)
{
    be_first_victim();
    if (set_limit(RLIMIT_CORE, 0) != 0)
        return errmsg_set(err, "query worker: no limit of core files: %s", strerror(errno));
    if (address_space > 0 && !SANITIZED && set_limit(RLIMIT_AS, (rlim_t)address_space) != 0)
        return errmsg_set(err, "query worker: no limit of address space: %s", strerror(errno));
    return 0;
}

/* ------------------------------------------------------------------------------------------------ Landlock */

/* As in Linux' include/uapi/linux/landlock.h, of which distributions have old versions. */
struct ruleset {
    uint64_t fs, net, scoped;
};
struct __attribute__((packed)) path_rule {
    uint64_t allowed;
    int32_t parent_fd;
};

enum { RULE_PATH_BENEATH = 1, CREATE_VERSION = 1 };

#define BIT(n)          (UINT64_C(1) << (n))
#define FS_WRITE_FILE   BIT(1)
#define FS_READ_FILE    BIT(2)
#define FS_READ_DIR     BIT(3)
#define FS_REMOVE_DIR   BIT(4)
#define FS_REMOVE_FILE  BIT(5)
#define FS_MAKE_DIR     BIT(7)
#define FS_MAKE_REGULAR BIT(8)
#define FS_TRUNCATE     BIT(14)
#define READING         (FS_READ_FILE | FS_READ_DIR)
#define WRITING         (READING | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REGULAR | FS_TRUNCATE)

/* All that this version of the ABI can forbid. */
static struct ruleset everything(long abi)
{
    static const unsigned fs_rights[] = { 0, 13, 14, 15, 15, 16 }; /* count, by ABI; 16 from 5 on */
    struct ruleset r = { .fs = BIT(fs_rights[abi < 5 ? abi : 5]) - 1 };
    if (abi >= 4)
        r.net = BIT(0) | BIT(1); /* bind and connect TCP */
    if (abi >= 6)
        r.scoped = BIT(0) | BIT(1); /* abstract unix sockets, signals */
    return r;
}

static int allow(int ruleset, const char *dir, uint64_t rights, struct errmsg *err)
{
    struct path_rule rule = { .allowed = rights, .parent_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) };
    if (rule.parent_fd < 0)
        return errmsg_set(err, "query worker: %s: %s", dir, strerror(errno));
    long rc = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0);
    int error = errno;
    close(rule.parent_fd);
    return rc == 0 ? 0 : errmsg_set(err, "query worker: Landlock: %s: %s", dir, strerror(error));
}

/*
 * DuckDB looks for the limits of its control group while it opens, and its 1.5 dereferences a null pointer if the file
 * that says which one it is exists but cannot be read. A system without these directories has no rule for them.
 */
static int allow_limits(int ruleset, uint64_t rights, struct errmsg *err)
{
    static const char *const dirs[] = { "/proc/self", "/sys/fs/cgroup" };
    int rc = 0;
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && rc == 0; i++)
        if (access(dirs[i], F_OK) == 0)
            rc = allow(ruleset, dirs[i], rights, err);
    return rc;
}

int duck_landlock(const char *read_dir, const char *write_dir, struct errmsg *err)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_VERSION);
    if (abi <= 0)
        return 0;
    struct ruleset all = everything(abi);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (ruleset < 0)
        return errmsg_set(err, "query worker: Landlock: %s", strerror(errno));
    int rc = allow(ruleset, read_dir, READING & all.fs, err);
    if (rc == 0)
        rc = allow(ruleset, write_dir, WRITING & all.fs, err);
    if (rc == 0)
        rc = allow_limits(ruleset, READING & all.fs, err);
    if (rc == 0 &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) != 0))
        rc = errmsg_set(err, "query worker: Landlock: %s", strerror(errno));
    close(ruleset);
    return rc != 0 ? rc : (int)abi;
}
