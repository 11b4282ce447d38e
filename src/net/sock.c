#include "net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int sock_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value));
}

void sock_keepalive(int fd, int idle)
{
    /* Without these a connection lives on without probes: not worth failing for. */
    (void)sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)sock_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
    (void)sock_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    (void)sock_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 6);
}

static int resolve(const char *host, uint16_t port, int type, int flags, struct addrinfo **ret)
{
    struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICSERV | flags };
    char service[8];
    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    return getaddrinfo(host, service, &hints, ret);
}

int sock_resolve(const char *host, uint16_t port, int type, struct addrinfo **ret)
{
    return resolve(host, port, type, 0, ret);
}

/* "::" also takes IPv4 unless told otherwise; for one IPv6 address that would mean nothing. */
static bool is_any6(const struct sockaddr *sa)
{
    struct sockaddr_in6 sin6;
    if (sa->sa_family != AF_INET6)
        return false;
    memcpy(&sin6, sa, sizeof(sin6));
    return IN6_IS_ADDR_UNSPECIFIED(&sin6.sin6_addr);
}

/*
 * The first socket of a shared address is bound without SO_REUSEPORT, so that the kernel refuses it if anybody else is
 * there, and opened to the ones that join only then. A look beforehand would leave a gap for a second program.
 */
static int bind_shared(int fd, const struct addrinfo *ai, enum net_share share)
{
    if (share == NET_SHARE_JOIN && sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
        return -1;
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0)
        return -1;
    return share == NET_SHARE_FIRST ? sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0;
}

static int prepare(int fd, const struct addrinfo *ai, enum net_share share)
{
    if (ai->ai_family == AF_INET6 && sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any6(ai->ai_addr)) < 0)
        return -1;
    /* TCP: a port in TIME_WAIT is free. UDP: two sockets on one port would share the datagrams unnoticed. */
    if (ai->ai_socktype == SOCK_STREAM && sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0)
        return -1;
    if (bind_shared(fd, ai, share) < 0)
        return -1;
    return ai->ai_socktype == SOCK_STREAM ? listen(fd, SOMAXCONN) : 0;
}

static int open_one(const struct addrinfo *ai, enum net_share share)
{
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (prepare(fd, ai, share) == 0)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

static int listen_host(int type, const char *host, uint16_t port, enum net_share share, struct errmsg *err)
{
    struct addrinfo *list;
    int rc = resolve(host, port, type, AI_PASSIVE, &list);
    if (rc != 0)
        return errmsg_set(err, "%s: %s", host, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    int fd = -1;
    for (const struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next)
        fd = open_one(ai, share);
    int saved = errno;
    freeaddrinfo(list);
    if (fd < 0) {
        bool colon = strchr(host, ':') != NULL;
        (void)errmsg_set(err, "%s%s%s:%u: %s", colon ? "[" : "", host, colon ? "]" : "", (unsigned)port,
                         strerror(saved));
        errno = saved;
    }
    return fd;
}

int sock_listen(int type, const char *host, uint16_t port, enum net_share share, struct errmsg *err)
{
    if (host != NULL && host[0] != '\0' && strcmp(host, "*") != 0)
        return listen_host(type, host, port, share, err);
    int fd = listen_host(type, "::", port, share, err);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) /* a host without IPv6 */
        fd = listen_host(type, "0.0.0.0", port, share, err);
    return fd;
}

void sock_addr(const struct sockaddr *sa, struct hep_addr *ret_addr, uint16_t *ret_port)
{
    *ret_addr = (struct hep_addr){ 0 };
    *ret_port = 0;
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, sa, sizeof(sin));
        ret_addr->len = 4;
        memcpy(ret_addr->octets, &sin.sin_addr, 4);
        *ret_port = ntohs(sin.sin_port);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 sin6 = { 0 };
        memcpy(&sin6, sa, sizeof(sin6));
        bool mapped = IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr);
        ret_addr->len = mapped ? 4 : 16;
        memcpy(ret_addr->octets, sin6.sin6_addr.s6_addr + (mapped ? 12 : 0), ret_addr->len);
        *ret_port = ntohs(sin6.sin6_port);
    }
}

void sock_local(int fd, struct hep_addr *ret_addr, uint16_t *ret_port)
{
    union {
        struct sockaddr sa;
        struct sockaddr_storage storage;
    } local = { .storage = { 0 } };
    socklen_t len = sizeof(local);
    *ret_addr = (struct hep_addr){ 0 };
    *ret_port = 0;
    if (getsockname(fd, &local.sa, &len) == 0)
        sock_addr(&local.sa, ret_addr, ret_port);
}
