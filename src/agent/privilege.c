#include "agent/privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEPT (UINT32_C(1) << CAP_NET_RAW | UINT32_C(1) << CAP_NET_ADMIN)

static int become(const char *user, struct errmsg *err)
{
    errno = 0;
    const struct passwd *p = getpwnam(user);
    if (p == NULL)
        return errmsg_set(err, "user %s: %s", user, errno != 0 ? strerror(errno) : "there is none of that name");
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || initgroups(user, p->pw_gid) < 0 || setgid(p->pw_gid) < 0 ||
        setuid(p->pw_uid) < 0)
        return errmsg_set(err, "user %s: %s", user, strerror(errno));
    return 0;
}

/* What can never be had again. Needs CAP_SETPCAP; who has not got it has little to lose. */
static void limit_bounding_set(void)
{
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        if (i > 31 || (KEPT >> i & 1) == 0)
            (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

/* The wrappers of libcap are not worth a library. */
static int limit_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    if (syscall(SYS_capget, &header, data) < 0)
        return -1;
    uint32_t kept = data[0].permitted & KEPT;
    memset(data, 0, sizeof(data));
    data[0].permitted = data[0].effective = kept;
    return (int)syscall(SYS_capset, &header, data);
}

int privilege_drop(const char *user, struct errmsg *err)
{
    limit_bounding_set();
    if (user != NULL && become(user, err) != 0)
        return -1;
    if (limit_capabilities() < 0)
        return errmsg_set(err, "capabilities: %s", strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return errmsg_set(err, "no_new_privs: %s", strerror(errno));
    return 0;
}
