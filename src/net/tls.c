#include "net/tls.h"

#include <gnutls/x509.h>
#include <string.h>

static int creds_new(struct tls_creds *c, struct errmsg *err)
{
    *c = (struct tls_creds){ 0 };
    int rc = gnutls_certificate_allocate_credentials(&c->cert);
    if (rc == 0)
        rc = gnutls_priority_init(&c->priority, TLS_PRIORITIES, NULL);
    return rc == 0 ? 0 : errmsg_set(err, "TLS: %s", gnutls_strerror(rc));
}

static int load_pair(struct tls_creds *c, const char *cert_file, const char *key_file, struct errmsg *err)
{
    int rc = gnutls_certificate_set_x509_key_file(c->cert, cert_file, key_file, GNUTLS_X509_FMT_PEM);
    return rc >= 0 ? 0 : errmsg_set(err, "certificate %s, key %s: %s", cert_file, key_file, gnutls_strerror(rc));
}

/* GnuTLS returns how many CAs it found; a file without one would silently trust nobody. */
static int load_trust(struct tls_creds *c, const char *ca_file, struct errmsg *err)
{
    int rc = gnutls_certificate_set_x509_trust_file(c->cert, ca_file, GNUTLS_X509_FMT_PEM);
    if (rc > 0)
        return 0;
    return errmsg_set(err, "CA file %s: %s", ca_file, rc == 0 ? "no certificate in it" : gnutls_strerror(rc));
}

int tls_creds_server(struct tls_creds *c, const char *cert_file, const char *key_file, const char *client_ca_file,
                     struct errmsg *err)
{
    if (creds_new(c, err) == 0 && load_pair(c, cert_file, key_file, err) == 0 &&
        (client_ca_file == NULL || load_trust(c, client_ca_file, err) == 0)) {
        c->need_client_cert = client_ca_file != NULL;
        return 0;
    }
    tls_creds_free(c);
    return -1;
}

static int load_client_trust(struct tls_creds *c, const char *ca_file, struct errmsg *err)
{
    if (ca_file != NULL)
        return load_trust(c, ca_file, err);
    /* A system without CAs is fine until something is to be verified, and that fails then. */
    (void)gnutls_certificate_set_x509_system_trust(c->cert);
    return 0;
}

int tls_creds_client(struct tls_creds *c, const char *ca_file, const char *cert_file, const char *key_file,
                     struct errmsg *err)
{
    if (creds_new(c, err) == 0 && load_client_trust(c, ca_file, err) == 0 &&
        (cert_file == NULL || load_pair(c, cert_file, key_file == NULL ? cert_file : key_file, err) == 0))
        return 0;
    tls_creds_free(c);
    return -1;
}

void tls_creds_free(struct tls_creds *c)
{
    if (c->cert != NULL)
        gnutls_certificate_free_credentials(c->cert);
    if (c->priority != NULL)
        gnutls_priority_deinit(c->priority);
    *c = (struct tls_creds){ 0 };
}

static gnutls_session_t session_new(const struct tls_creds *c, int fd, unsigned flags)
{
    gnutls_session_t tls;
    if (gnutls_init(&tls, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return NULL;
    if (gnutls_priority_set(tls, c->priority) < 0 || gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, c->cert) < 0) {
        gnutls_deinit(tls);
        return NULL;
    }
    gnutls_transport_set_int(tls, fd);
    gnutls_handshake_set_timeout(tls, 0); /* the caller's loop keeps the time */
    return tls;
}

gnutls_session_t tls_accept(const struct tls_creds *c, int fd)
{
    gnutls_session_t tls = session_new(c, fd, GNUTLS_SERVER);
    if (tls == NULL || !c->need_client_cert)
        return tls;
    gnutls_certificate_server_set_request(tls, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_cert(tls, NULL, 0);
    return tls;
}

gnutls_session_t tls_connect(const struct tls_creds *c, int fd, const char *verify, const char *sni)
{
    gnutls_session_t tls = session_new(c, fd, GNUTLS_CLIENT);
    if (tls == NULL)
        return NULL;
    if (sni != NULL)
        (void)gnutls_server_name_set(tls, GNUTLS_NAME_DNS, sni, strlen(sni));
    if (verify != NULL)
        gnutls_session_set_verify_cert(tls, verify, 0);
    return tls;
}

static int untrusted(gnutls_session_t tls, struct errmsg *err)
{
    gnutls_datum_t text = { 0 };
    unsigned status = gnutls_session_get_verify_cert_status(tls);
    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0)
        (void)errmsg_set(err, "certificate refused: %s", (const char *)text.data);
    else
        (void)errmsg_set(err, "certificate refused");
    gnutls_free(text.data);
    return TLS_UNTRUSTED;
}

int tls_handshake(gnutls_session_t tls, struct errmsg *err)
{
    int rc;
    do
        rc = gnutls_handshake(tls);
    while (rc < 0 && rc != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(rc));
    if (rc == GNUTLS_E_SUCCESS)
        return 0;
    if (rc == GNUTLS_E_AGAIN)
        return TLS_AGAIN;
    if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED)
        (void)gnutls_alert_send_appropriate(tls, rc); /* so that the peer can say why as well */
    if (rc == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
        return untrusted(tls, err);
    if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
        (void)errmsg_set(err, "TLS handshake: the peer says: %s", gnutls_alert_get_name(gnutls_alert_get(tls)));
    else
        (void)errmsg_set(err, "TLS handshake: %s", gnutls_strerror(rc));
    return TLS_ERROR;
}

bool tls_wants_write(gnutls_session_t tls)
{
    return gnutls_record_get_direction(tls) == 1;
}

ssize_t tls_recv(gnutls_session_t tls, void *buf, size_t cap)
{
    ssize_t n;
    /* A renegotiation is not answered, which the peer may take as it likes; warnings are no data. */
    do
        n = gnutls_record_recv(tls, buf, cap);
    while (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_WARNING_ALERT_RECEIVED || n == GNUTLS_E_REHANDSHAKE);
    if (n >= 0)
        return n;
    if (n == GNUTLS_E_AGAIN)
        return TLS_AGAIN;
    return n == GNUTLS_E_PREMATURE_TERMINATION ? TLS_UNCLOSED : TLS_ERROR;
}

ssize_t tls_send(gnutls_session_t tls, const void *data, size_t len)
{
    ssize_t n;
    do
        n = gnutls_record_send(tls, data, len);
    while (n == GNUTLS_E_INTERRUPTED);
    if (n >= 0)
        return n;
    return n == GNUTLS_E_AGAIN ? TLS_AGAIN : TLS_ERROR;
}

bool tls_client_verified(gnutls_session_t tls)
{
    unsigned status = 0;
    return gnutls_certificate_verify_peers2(tls, &status) == 0 && status == 0;
}
