/*
 * Users and hosts of URIs. What people paste loses what is not stored: angle brackets, scheme, password, port,
 * parameters (sip/uri.h says what a user and a host are).
 */
#include <string.h>
#include <strings.h>

#include "filter/glob.h"
#include "filter/lex.h"
#include "filter/value.h"

enum scheme { SCHEME_NONE, SCHEME_SIP, SCHEME_TEL, SCHEME_URN };

struct uri {
    bool has_user, has_host;
    bool either;              /* one of the two is enough */
    struct hep_slice user;    /* patterns */
    struct hep_slice host;    /* in lower case, IPv6 without brackets */
    struct hep_slice written; /* normal form */
};

/* ------------------------------------------------------------------------------------------------ reading */

static bool take(struct hep_slice *s, const char *text)
{
    size_t n = strlen(text);
    if (s->len < n || strncasecmp((const char *)s->ptr, text, n) != 0)
        return false;
    *s = value_from(*s, n);
    return true;
}

/* Off with brackets and schemes, as often as they are there: the normal form must have none. */
static enum scheme strip(struct hep_slice *s)
{
    enum scheme scheme = SCHEME_NONE;
    for (;;) {
        if (s->len > 0 && s->ptr[0] == '<') {
            *s = value_from(*s, 1);
            s->len = value_find(*s, '>');
        } else if (take(s, "sip:") || take(s, "sips:")) {
            scheme = SCHEME_SIP;
        } else if (take(s, "tel:")) {
            scheme = SCHEME_TEL;
        } else if (take(s, "urn:")) {
            scheme = SCHEME_URN;
        } else {
            return scheme;
        }
    }
}

/* What can stand in brackets: IPv6, perhaps with stars. */
static bool is_ip6_pattern(struct hep_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != GLOB_STAR && strchr("0123456789abcdefABCDEF:.", s.ptr[i]) == NULL)
            return false;
    return s.len > 0;
}

static bool all_digits(struct hep_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((uint8_t)(s.ptr[i] - '0') >= 10)
            return false;
    return s.len > 0;
}

/* "[v6]", "[v6]:port", "host:port", "host", bare v6; then parameters. False: not well-formed. */
static bool read_host(struct hep_slice s, struct hep_slice *ret)
{
    if (s.len > 0 && s.ptr[0] == '[') {
        s = value_from(s, 1);
        size_t end = value_find(s, ']');
        bool closed = end < s.len;
        *ret = (struct hep_slice){ s.ptr, end };
        return closed && is_ip6_pattern(*ret);
    }
    s.len = value_span(s, ";?>");
    size_t colon = value_find(s, ':');
    if (colon < s.len && all_digits(value_from(s, colon + 1)))
        s.len = colon;
    *ret = s;
    return s.len > 0 && (value_find(s, ':') == s.len || is_ip6_pattern(s));
}

static int bad_host(const struct value *v, struct hep_slice s)
{
    return filter_fail(v->err, v->at, "'%.*s' is no host", filter_shown((const char *)s.ptr, s.len),
                       (const char *)s.ptr);
}

static int read_user_host(const struct value *v, struct hep_slice s, size_t at, struct uri *ret)
{
    struct hep_slice host = value_from(s, at + 1);
    struct hep_slice user = { s.ptr, at };
    user.len = value_span(user, ";:");
    ret->has_user = user.len > 0;
    ret->has_host = true;
    ret->user = user;
    if (!read_host(host, &ret->host))
        return bad_host(v, host);
    ret->host = value_lower(v, ret->host);
    return ret->host.ptr != NULL ? 0 : value_no_memory(v);
}

/* "sip:example.com" is a host; but people also write "sip:1001" and mean the user: either will do. */
static int read_sip(const struct value *v, struct hep_slice s, struct uri *ret)
{
    struct hep_slice host;
    if (!read_host(s, &host))
        return bad_host(v, s);
    ret->either = s.ptr[0] != '[' && value_find(host, ':') == host.len;
    ret->has_user = ret->either;
    ret->has_host = true;
    ret->user = ret->either ? host : (struct hep_slice){ s.ptr, 0 };
    ret->host = value_lower(v, host);
    return ret->host.ptr != NULL ? 0 : value_no_memory(v);
}

static int read_plain(const struct value *v, struct hep_slice s, enum scheme scheme, struct uri *ret)
{
    if (scheme == SCHEME_SIP && v->field->type == FILTER_URI)
        return read_sip(v, s, ret);
    if (scheme == SCHEME_SIP || scheme == SCHEME_TEL)
        s.len = value_span(s, scheme == SCHEME_SIP ? ";?:>" : ";");
    ret->user = s;
    ret->has_user = s.len > 0;
    return ret->has_user ? 0 : filter_fail(v->err, v->at, "there is no user in this URI");
}

/* ------------------------------------------------------------------------------------------------ writing */

static size_t put(uint8_t *out, size_t at, const void *ptr, size_t len)
{
    memcpy(out + at, ptr, len);
    return at + len;
}

static int write_uri(const struct value *v, struct uri *u)
{
    uint8_t *out = filter_alloc(v->f, u->user.len + u->host.len + 8);
    size_t n = 0;
    if (out == NULL)
        return value_no_memory(v);
    if (u->either)
        n = put(out, n, "sip:", 4);
    n = put(out, n, u->user.ptr, u->user.len);
    if (u->has_host && !u->either) {
        bool brackets = value_find(u->host, ':') < u->host.len;
        n = put(out, n, brackets ? "@[" : "@", brackets ? 2 : 1);
        n = put(out, n, u->host.ptr, u->host.len);
        n = put(out, n, "]", brackets ? 1 : 0);
    }
    u->written = (struct hep_slice){ out, n };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ terms */

static struct filter_node *test_both(const struct value *v, const struct uri *u, struct filter_node *on_user,
                                     struct filter_node *on_host)
{
    if (!u->either)
        return value_all(v, on_user, on_host);
    struct filter_node *any = value_any(v);
    return value_any_add(any, on_user) == 0 && value_any_add(any, on_host) == 0 ? any : NULL;
}

static struct filter_node *test_uri(const struct value *v, const struct uri *u, struct filter_word user,
                                    struct filter_word host)
{
    struct filter_node *on_user = NULL, *on_host = NULL;
    if (u->has_user && (on_user = value_leaf_text(v, user, u->user, false)) == NULL)
        return NULL;
    if (u->has_host && (on_host = value_leaf_text(v, host, u->host, true)) == NULL)
        return NULL;
    if (on_user != NULL && on_host != NULL)
        return test_both(v, u, on_user, on_host);
    return on_user != NULL ? on_user : on_host;
}

int value_uri(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct uri u = { 0 };
    struct hep_slice s = v->pattern;
    enum scheme scheme = strip(&s);
    size_t at = value_find_last(s, '@');
    if (at < s.len && v->field->type == FILTER_USER)
        return filter_fail(v->err, v->at, "of '%s' the user alone is kept, no host", v->field->name);
    if ((at < s.len ? read_user_host(v, s, at, &u) : read_plain(v, s, scheme, &u)) != 0 || write_uri(v, &u) != 0)
        return -1;
    *ret = value_any(v);
    struct filter_word user, host = { 0 };
    for (const char *words = v->field->columns; filter_word_next(&words, &user);) {
        if (v->field->type == FILTER_URI)
            (void)filter_word_next(&words, &host);
        if (value_any_add(*ret, test_uri(v, &u, user, host)) != 0)
            return -1;
    }
    *ret_text = u.written;
    return 0;
}
