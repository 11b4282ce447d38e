/* What keys demand of each other. */
#include <string.h>
#include <strings.h>

#include "conf/internal.h"

/* The error stands where the key was given. */
#define TELL(c, errs, member, ...)                                                                                     \
    conf_errors_key(errs, &(c)->own->slots[CONF_KEY_##member].place, &conf_keys[CONF_KEY_##member], __VA_ARGS__)

static bool loopback(const char *host)
{
    struct hep_addr addr;
    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (!ip_parse(host, strlen(host), &addr))
        return false;
    static const uint8_t one[16] = { [15] = 1 };
    return addr.len == 4 ? addr.octets[0] == 127 : memcmp(addr.octets, one, 16) == 0;
}

static bool same_place(const struct conf_listen *a, const struct conf_listen *b)
{
    bool a_udp = a->transport == CONF_UDP, b_udp = b->transport == CONF_UDP;
    return a_udp == b_udp && a->port == b->port && a->port != 0 && strcmp(a->host, b->host) == 0;
}

static void check_listeners(const struct conf *c, struct conf_errors *errs)
{
    for (size_t i = 0; i < c->listen.count; i++) {
        const struct conf_listen *l = &c->listen.items[i];
        for (size_t j = 0; j < i; j++)
            if (same_place(&c->listen.items[j], l))
                TELL(c, errs, listen, "values %zu and %zu are the same address and port", j + 1, i + 1);
        if ((l->transport == CONF_TLS || l->transport == CONF_HTTPS) && c->tls_cert == NULL)
            TELL(c, errs, listen, "%s:// needs a certificate (tls.cert)", l->transport == CONF_TLS ? "tls" : "https");
    }
}

/* Prefixes of phone numbers, as filter_rules_set() takes them. */
static bool digits(const char *text, size_t max, bool several)
{
    return text == NULL || strcmp(text, "none") == 0 ||
           (strlen(text) <= max && strspn(text, several ? "0123456789," : "0123456789") == strlen(text));
}

static void check_numbers(const struct conf *c, struct conf_errors *errs)
{
    if (!digits(c->numbers_country, 7, false))
        TELL(c, errs, numbers_country, "'%s' is no country code: digits, such as 49", c->numbers_country);
    if (!digits(c->numbers_international, 31, true))
        TELL(c, errs, numbers_international, "'%s' is no list of prefixes: digits and commas, such as 00,011, or none",
             c->numbers_international);
    if (!digits(c->numbers_trunk, 7, false))
        TELL(c, errs, numbers_trunk, "'%s' is no prefix: digits, such as 0, or none", c->numbers_trunk);
}

void conf_check(const struct conf *c, struct conf_errors *errs)
{
    check_listeners(c, errs);
    check_numbers(c, errs);
    if (c->tls_key != NULL && c->tls_cert == NULL)
        TELL(c, errs, tls_key, "a key without a certificate (tls.cert)");
    if (c->tls_client_ca != NULL && c->tls_cert == NULL)
        TELL(c, errs, tls_client_ca, "this is of no use without a certificate (tls.cert)");
    if (c->http_listen.host != NULL && !loopback(c->http_listen.host) && c->http_token == NULL)
        TELL(c, errs, http_listen, "an address that is not loopback needs a token (http.token)");
    if (c->query_memory > c->memory / 2)
        TELL(c, errs, query_memory, "this is more than half of 'memory'");
}
