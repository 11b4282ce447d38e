/*
 * Who may ask. With a token: whoever shows it. Without one: programs of this machine, and no web page that a browser of
 * this machine happens to show: neither by a name of its own for the loopback address (DNS rebinding) nor across sites.
 */
#include <string.h>
#include <strings.h>

#include "api/internal.h"
#include "base/base64.h"
#include "base/ip.h"

static const char *header(struct api_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->mc, MHD_HEADER_KIND, name);
}

/* ------------------------------------------------------------------------------------------------ token */

/* In a time that depends on the length of `given` alone. */
static bool is_token(const char *token, const char *given, size_t len)
{
    size_t want = strlen(token);
    unsigned char differs = want != len;
    for (size_t i = 0; i < len; i++)
        differs |= (unsigned char)(given[i] ^ (i < want ? token[i] : token[0]));
    return differs == 0;
}

/* The password of "Basic ..." stands behind the first colon; the user is anybody. */
static bool is_basic(const char *token, const char *text)
{
    uint8_t plain[3 * (API_TOKEN_MAX + 64)];
    struct base64_in in = { 0 };
    size_t len = strlen(text);
    if (len > sizeof(plain) / 2)
        return false;
    ptrdiff_t n = base64_decode(&in, text, len, plain);
    ptrdiff_t rest = n < 0 ? -1 : base64_finish(&in, plain + n);
    if (rest < 0)
        return false;
    size_t all = (size_t)(n + rest);
    const uint8_t *colon = memchr(plain, ':', all);
    if (colon == NULL)
        return false;
    size_t before = (size_t)(colon - plain) + 1;
    return is_token(token, (const char *)plain + before, all - before);
}

static bool shows_token(struct api_request *r, const char *token)
{
    const char *text = header(r, MHD_HTTP_HEADER_AUTHORIZATION);
    if (text == NULL)
        return false;
    if (strncasecmp(text, "Bearer ", 7) == 0)
        return is_token(token, text + 7, strlen(text + 7));
    return strncasecmp(text, "Basic ", 6) == 0 && is_basic(token, text + 6);
}

/* ------------------------------------------------------------------------------------------------ loopback */

static bool is_loopback_text(const char *text, size_t len)
{
    struct hep_addr a;
    static const uint8_t one6[16] = { [15] = 1 };
    if (len == 9 && strncasecmp(text, "localhost", 9) == 0)
        return true;
    if (!ip_parse(text, len, &a))
        return false;
    return a.len == 4 ? a.octets[0] == 127 : memcmp(a.octets, one6, 16) == 0;
}

bool api_guard_is_loopback(const char *host)
{
    const char *end = host + strlen(host);
    if (host[0] == '[') {
        const char *close = strchr(host, ']');
        return close != NULL && (close[1] == '\0' || close[1] == ':') &&
               is_loopback_text(host + 1, (size_t)(close - host - 1));
    }
    const char *colon = strchr(host, ':');
    if (colon != NULL && strchr(colon + 1, ':') == NULL)
        end = colon;
    return is_loopback_text(host, (size_t)(end - host));
}

/* Of a browser that does not send Sec-Fetch fields yet; "null" is the origin of what has none to show. */
static bool is_own_origin(const char *origin)
{
    static const char scheme[] = "http://";
    return origin == NULL ||
           (strncasecmp(origin, scheme, sizeof(scheme) - 1) == 0 && api_guard_is_loopback(origin + sizeof(scheme) - 1));
}

static bool comes_from_here(struct api_request *r, struct api_reply *reply)
{
    const char *host = header(r, MHD_HTTP_HEADER_HOST);
    const char *site = header(r, "Sec-Fetch-Site");
    const char *mode = header(r, "Sec-Fetch-Mode");
    if (host == NULL || !api_guard_is_loopback(host))
        return api_problem(reply, 403,
                           "without a token this server answers to the names of the loopback address only "
                           "(localhost, 127.0.0.1, [::1])");
    /* A link may lead here from anywhere; a form of another site must not send anything. */
    bool asks = r->route == NULL || strcmp(r->route->method, "GET") == 0;
    bool click = asks && mode != NULL && strcmp(mode, "navigate") == 0;
    if ((site != NULL && strcmp(site, "cross-site") == 0 && !click) || (!asks && !is_own_origin(header(r, "Origin"))))
        return api_problem(reply, 403, "without a token this server does not answer to pages of other sites");
    return true;
}

static bool sends_from_elsewhere(struct api_request *r)
{
    const char *site = header(r, "Sec-Fetch-Site");
    bool asks = r->route == NULL || strcmp(r->route->method, "GET") == 0;
    return !asks && site != NULL && strcmp(site, "cross-site") == 0;
}

bool api_guard(struct api_request *r, bool open, struct api_reply *reply)
{
    char token[API_TOKEN_MAX + 1];
    (void)pthread_rwlock_rdlock(&r->api->token_lock);
    memcpy(token, r->api->token, sizeof(token));
    (void)pthread_rwlock_unlock(&r->api->token_lock);
    if (token[0] == '\0') {
        r->authorised = comes_from_here(r, reply);
        return r->authorised;
    }
    r->authorised = shows_token(r, token);
    if (r->authorised && sends_from_elsewhere(r)) /* browsers add the password to forms of other sites, too */
        return api_problem(reply, 403, "this server takes nothing from pages of other sites");
    if (r->authorised || open)
        return true;
    return api_problem(reply, 401,
                       header(r, MHD_HTTP_HEADER_AUTHORIZATION) == NULL ? "a token is needed%s"
                                                                        : "that is not the token%s",
                       ": Authorization: Bearer TOKEN, or the token as password of Basic authentication");
}
