/* Addresses, networks and ports; wildcards on the text of an address. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "filter/glob.h"
#include "filter/lex.h"
#include "filter/value.h"

struct endpoint {
    bool has_host, has_port, is_pattern;
    struct net net;
    struct hep_slice pattern; /* of the text, in lower case */
    uint16_t port;
};

/* ------------------------------------------------------------------------------------------------ reading */

static int bad_addr(const struct value *v)
{
    return filter_fail(v->err, v->at,
                       "'%.*s' is no address: 10.0.0.1, 10.0.0.1:5060, [2001:db8::1]:5060, 10.0.0.0/8, 10.0.*, :5060",
                       filter_shown((const char *)v->pattern.ptr, v->pattern.len), (const char *)v->pattern.ptr);
}

static bool read_port(struct hep_slice s, struct endpoint *ret)
{
    uint64_t port;
    if (!num_parse((const char *)s.ptr, s.len, UINT16_MAX, &port))
        return false;
    ret->has_port = true;
    ret->port = (uint16_t)port;
    return true;
}

static bool is_addr_pattern(struct hep_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != GLOB_STAR && strchr("0123456789abcdef:.", s.ptr[i]) == NULL)
            return false;
    return true;
}

static int read_host(const struct value *v, struct hep_slice s, struct endpoint *ret)
{
    ret->has_host = true;
    ret->is_pattern = value_find(s, GLOB_STAR) < s.len;
    if (!ret->is_pattern)
        return net_parse(s.ptr, s.len, &ret->net) ? 0 : bad_addr(v);
    ret->pattern = value_lower(v, s);
    if (ret->pattern.ptr == NULL)
        return value_no_memory(v);
    return is_addr_pattern(ret->pattern) ? 0 : bad_addr(v);
}

/* "[host]", "[host]:port", "host:port", ":port", "host". Two colons make it an IPv6 address. */
static int read_endpoint(const struct value *v, struct endpoint *ret)
{
    struct hep_slice s = v->pattern, port = { NULL, 0 };
    size_t colon = value_find(s, ':');
    if (s.ptr[0] == '[') {
        size_t end = value_find(s, ']');
        if (end == s.len || (end + 1 < s.len && s.ptr[end + 1] != ':'))
            return bad_addr(v);
        if (end + 1 < s.len)
            port = value_from(s, end + 2);
        if (end + 1 < s.len && !read_port(port, ret))
            return bad_addr(v);
        return read_host(v, (struct hep_slice){ s.ptr + 1, end - 1 }, ret);
    }
    if (colon < s.len && colon == value_find_last(s, ':') && read_port(value_from(s, colon + 1), ret)) {
        s.len = colon;
        return s.len > 0 ? read_host(v, s, ret) : 0;
    }
    return read_host(v, s, ret);
}

/* ------------------------------------------------------------------------------------------------ writing */

static int write_endpoint(const struct value *v, const struct endpoint *e, struct hep_slice *ret)
{
    char net[NET_TEXT_MAX];
    struct hep_slice host = e->pattern;
    if (e->has_host && !e->is_pattern)
        host = (struct hep_slice){ (const uint8_t *)net, net_format(&e->net, net) };
    size_t n = 0;
    uint8_t *out = filter_alloc(v->f, host.len + 16);
    if (out == NULL)
        return value_no_memory(v);
    /* A pattern with one colon in it would be read as one with a port. */
    bool brackets = e->has_host && value_find(host, ':') < host.len && (e->has_port || e->is_pattern);
    if (brackets)
        out[n++] = '[';
    if (e->has_host)
        memcpy(out + n, host.ptr, host.len);
    n += e->has_host ? host.len : 0;
    if (brackets)
        out[n++] = ']';
    if (e->has_port)
        n += (size_t)snprintf((char *)out + n, 8, ":%u", (unsigned)e->port);
    *ret = (struct hep_slice){ out, n };
    return 0;
}

/* ------------------------------------------------------------------------------------------------ terms */

static struct filter_node *test_endpoint(const struct value *v, const struct endpoint *e, struct filter_word octets,
                                         struct filter_word text, struct filter_word port)
{
    struct filter_node *on_host = NULL, *on_port = NULL;
    struct filter_leaf on_net = { .op = FILTER_OP_OCTETS, .net = e->net };
    struct filter_leaf on_number = { .op = FILTER_OP_NUMBER, .low = e->port, .high = e->port };
    if (e->has_host)
        on_host = e->is_pattern ? value_leaf_text(v, text, e->pattern, false) : value_leaf(v, octets, on_net);
    if (e->has_port)
        on_port = value_leaf(v, port, on_number);
    if (e->has_host && e->has_port)
        return value_all(v, on_host, on_port);
    return e->has_host ? on_host : on_port;
}

int value_addr(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct endpoint e = { 0 };
    if (read_endpoint(v, &e) != 0 || write_endpoint(v, &e, ret_text) != 0)
        return -1;
    *ret = value_any(v);
    struct filter_word octets, text = { 0 }, port = { 0 };
    for (const char *words = v->field->columns; filter_word_next(&words, &octets);) {
        (void)filter_word_next(&words, &text);
        (void)filter_word_next(&words, &port);
        if (value_any_add(*ret, test_endpoint(v, &e, octets, text, port)) != 0)
            return -1;
    }
    return 0;
}

/* The sender is stored as text alone: one address is an equality, a network needs the text read. */
int value_sender(const struct value *v, struct filter_node **ret, struct hep_slice *ret_text)
{
    struct endpoint e = { 0 };
    struct filter_word column = { v->field->columns, strlen(v->field->columns) };
    if (read_endpoint(v, &e) != 0)
        return -1;
    if (e.has_port)
        return filter_fail(v->err, v->at, "of '%s' the address alone is kept, no port", v->field->name);
    if (write_endpoint(v, &e, ret_text) != 0)
        return -1;
    struct filter_leaf on_net = { .op = FILTER_OP_NET, .net = e.net, .pattern = *ret_text };
    if (e.is_pattern || e.net.bits == 128)
        *ret = value_leaf_text(v, column, e.is_pattern ? e.pattern : *ret_text, false);
    else
        *ret = value_leaf(v, column, on_net);
    return *ret != NULL ? 0 : -1;
}
