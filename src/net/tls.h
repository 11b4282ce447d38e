/*
 * GnuTLS for both directions, over non-blocking sockets: credentials, handshake, receive, send. TLS 1.2 and newer.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/errmsg.h"

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Results of the calls below that are not a count of octets. 0 is the clean end of a stream. */
enum tls_result {
    TLS_AGAIN = -1,    /* the socket is not ready; tls_wants_write() says for what */
    TLS_ERROR = -2,    /* beyond repair */
    TLS_UNCLOSED = -3, /* the peer ended the connection without close_notify */
    TLS_UNTRUSTED = -4 /* handshake: the certificate was refused; trying again will not help */
};

/* Certificates and keys; may be used for any number of sessions. */
struct tls_creds {
    gnutls_certificate_credentials_t cert;
    gnutls_priority_t priority;
    bool need_client_cert; /* server */
};

/* Server: certificate and key, and, if client_ca_file is not NULL, the CAs that clients must come from. */
int tls_creds_server(struct tls_creds *c, const char *cert_file, const char *key_file, const char *client_ca_file,
                     struct errmsg *err);

/* Client: trust (ca_file, NULL: the system's CAs) and, if cert_file is not NULL, its own certificate. */
int tls_creds_client(struct tls_creds *c, const char *ca_file, const char *cert_file, const char *key_file,
                     struct errmsg *err);

/* Zeroed and half-built ones are fine. */
void tls_creds_free(struct tls_creds *c);

/* A session on fd, which stays the caller's; NULL on failure. gnutls_deinit() ends it. `c` must outlive it. */
gnutls_session_t tls_accept(const struct tls_creds *c, int fd);
/* verify: name that the certificate must be for, NULL: no verification. sni: name to ask for, NULL: none. */
gnutls_session_t tls_connect(const struct tls_creds *c, int fd, const char *verify, const char *sni);

/* One step of the handshake: 0 done, TLS_AGAIN, TLS_ERROR or TLS_UNTRUSTED with a text. */
int tls_handshake(gnutls_session_t tls, struct errmsg *err);
bool tls_wants_write(gnutls_session_t tls);

/* As recv(): octets, 0 (close_notify came), TLS_AGAIN, TLS_ERROR, TLS_UNCLOSED. */
ssize_t tls_recv(gnutls_session_t tls, void *buf, size_t cap);
/* As send(): octets, TLS_AGAIN (call again with the same arguments), TLS_ERROR. */
ssize_t tls_send(gnutls_session_t tls, const void *data, size_t len);

/* Verifies the certificate that a client showed on a session that somebody else made (libmicrohttpd). */
bool tls_client_verified(gnutls_session_t tls);

#endif
