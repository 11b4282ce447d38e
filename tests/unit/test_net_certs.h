/* Certificates for the TLS tests, made at run time by GnuTLS: a CA, a server's, a client's, and a CA of somebody else.
 */
#ifndef TEST_NET_CERTS_H
#define TEST_NET_CERTS_H

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct certs {
    char dir[32];
    char ca[64], other_ca[64];
    char cert[64], key[64];               /* localhost, 127.0.0.1, ::1 */
    char client_cert[64], client_key[64]; /* of the same CA */
    char other_cert[64], other_key[64];   /* a client's, of the other CA */
};

struct pair {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
};

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        int must_rc = (call);                                                                                          \
        if (must_rc < 0)                                                                                               \
            fail_msg("%s: %s", #call, gnutls_strerror(must_rc));                                                       \
    } while (0)

static void pair_names(gnutls_x509_crt_t crt)
{
    const uint8_t v4[4] = { 127, 0, 0, 1 };
    const uint8_t v6[16] = { [15] = 1 };
    MUST(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET));
    MUST(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, v4, sizeof(v4), GNUTLS_FSAN_APPEND));
    MUST(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, v6, sizeof(v6), GNUTLS_FSAN_APPEND));
}

/* signer NULL: a CA. */
static struct pair pair_make(const char *name, const struct pair *signer, const char *purpose)
{
    static unsigned char serial = 1;
    struct pair p;
    time_t now = time(NULL);
    MUST(gnutls_x509_privkey_init(&p.key));
    MUST(gnutls_x509_privkey_generate(p.key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    MUST(gnutls_x509_crt_init(&p.crt));
    MUST(gnutls_x509_crt_set_version(p.crt, 3));
    MUST(gnutls_x509_crt_set_serial(p.crt, &serial, 1));
    serial++;
    MUST(gnutls_x509_crt_set_dn_by_oid(p.crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)));
    MUST(gnutls_x509_crt_set_activation_time(p.crt, now - 3600));
    MUST(gnutls_x509_crt_set_expiration_time(p.crt, now + 3600));
    MUST(gnutls_x509_crt_set_key(p.crt, p.key));
    MUST(gnutls_x509_crt_set_basic_constraints(p.crt, signer == NULL, -1));
    MUST(
        gnutls_x509_crt_set_key_usage(p.crt, signer == NULL ? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE));
    if (purpose != NULL) {
        MUST(gnutls_x509_crt_set_key_purpose_oid(p.crt, purpose, 0));
        pair_names(p.crt);
    }
    const struct pair *by = signer == NULL ? &p : signer;
    MUST(gnutls_x509_crt_sign2(p.crt, by->crt, by->key, GNUTLS_DIG_SHA256, 0));
    return p;
}

static void write_pem(const struct certs *c, char path[64], const char *name, const gnutls_datum_t *pem)
{
    (void)snprintf(path, 64, "%s/%s", c->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(pem->data, 1, pem->size, f), pem->size);
    assert_int_equal(fclose(f), 0);
}

static void write_crt(const struct certs *c, char path[64], const char *name, const struct pair *p)
{
    gnutls_datum_t pem;
    MUST(gnutls_x509_crt_export2(p->crt, GNUTLS_X509_FMT_PEM, &pem));
    write_pem(c, path, name, &pem);
    gnutls_free(pem.data);
}

static void write_key(const struct certs *c, char path[64], const char *name, const struct pair *p)
{
    gnutls_datum_t pem;
    MUST(gnutls_x509_privkey_export2(p->key, GNUTLS_X509_FMT_PEM, &pem));
    write_pem(c, path, name, &pem);
    gnutls_free(pem.data);
}

static void pair_free(struct pair *p)
{
    gnutls_x509_crt_deinit(p->crt);
    gnutls_x509_privkey_deinit(p->key);
}

static void certs_make(struct certs *c)
{
    memset(c, 0, sizeof(*c));
    (void)snprintf(c->dir, sizeof(c->dir), "/tmp/hepcat-test-XXXXXX");
    assert_non_null(mkdtemp(c->dir));
    struct pair ca = pair_make("test CA", NULL, NULL);
    struct pair other = pair_make("another CA", NULL, NULL);
    struct pair server = pair_make("localhost", &ca, GNUTLS_KP_TLS_WWW_SERVER);
    struct pair client = pair_make("a client", &ca, GNUTLS_KP_TLS_WWW_CLIENT);
    struct pair stranger = pair_make("a stranger", &other, GNUTLS_KP_TLS_WWW_CLIENT);
    write_crt(c, c->ca, "ca.pem", &ca);
    write_crt(c, c->other_ca, "other.pem", &other);
    write_crt(c, c->cert, "cert.pem", &server);
    write_key(c, c->key, "key.pem", &server);
    write_crt(c, c->client_cert, "client.pem", &client);
    write_key(c, c->client_key, "client-key.pem", &client);
    write_crt(c, c->other_cert, "stranger.pem", &stranger);
    write_key(c, c->other_key, "stranger-key.pem", &stranger);
    pair_free(&stranger);
    pair_free(&ca);
    pair_free(&other);
    pair_free(&server);
    pair_free(&client);
}

static void certs_remove(struct certs *c)
{
    const char *paths[] = { c->ca,          c->other_ca,   c->cert,       c->key,
                            c->client_cert, c->client_key, c->other_cert, c->other_key };
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        (void)unlink(paths[i]);
    (void)rmdir(c->dir);
}

#endif
