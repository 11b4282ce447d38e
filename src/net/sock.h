/* Sockets and addresses, for listeners and senders. */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/errmsg.h"
#include "hep/hep.h"
#include "net/listener.h"

/*
 * Opens, binds and (SOCK_STREAM) listens on a non-blocking socket. host as in struct net_listen_options. Returns the
 * descriptor, which the caller owns, or -1 with a text.
 */
int sock_listen(int type, const char *host, uint16_t port, enum net_share share, struct errmsg *err);

/* Resolves a name or numeric address for sending; freeaddrinfo() is the caller's. A getaddrinfo() code, 0 is success.
 */
int sock_resolve(const char *host, uint16_t port, int type, struct addrinfo **ret);

/* Local address and port of a socket; absent and 0 if it has none. */
void sock_local(int fd, struct hep_addr *ret_addr, uint16_t *ret_port);

/* Address and port of a socket address; IPv4-mapped IPv6 becomes IPv4. Absent (len 0) for other families. */
void sock_addr(const struct sockaddr *sa, struct hep_addr *ret_addr, uint16_t *ret_port);

/* Sets an int option; 0 or -1 with errno. */
int sock_set(int fd, int level, int option, int value);

/* Keep-alive probes after `idle` seconds, so that a peer that vanished is noticed. */
void sock_keepalive(int fd, int idle);

#endif
