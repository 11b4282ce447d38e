#include "net/sender.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ip.h"
#include "net/send.h"

static const struct scheme {
    const char *prefix;
    const struct sender_ops *ops;
    uint16_t port; /* default; 0: the library knows */
    bool secure;
} schemes[] = {
    { "udp://", &send_udp_ops, 9060, false }, { "tcp://", &send_tcp_ops, 9060, false },
    { "tls://", &send_tcp_ops, 9061, true },  { "http://", &send_http_ops, 0, false },
    { "https://", &send_http_ops, 0, true },
};

void sender_options_init(struct sender_options *options)
{
    *options = (struct sender_options){ .connect_timeout_ms = 10000,
                                        .retry_ms = 30000,
                                        .stall_timeout_ms = 120000,
                                        .frames_per_post = 1,
                                        .request_timeout_ms = 60000 };
}

static const struct scheme *scheme_of(const char *url)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (strncasecmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return &schemes[i];
    }
    return NULL;
}

/* host[:port] with at most a "/" behind it. */
static int parse_authority(struct sender *s, const char *text, uint16_t port, struct errmsg *err)
{
    char copy[300];
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '/')
        len--;
    if (len == 0 || len >= sizeof(copy) || memchr(text, '/', len) != NULL)
        return errmsg_set(err, "not of the form scheme://host:port");
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (!ip_host_port(copy, s->host, &s->port, port) || s->host[0] == '\0')
        return errmsg_set(err, "not of the form scheme://host:port");
    return 0;
}

static int check_options(const struct sender *s, struct errmsg *err)
{
    if (s->opt.key_file != NULL && s->opt.cert_file == NULL)
        return errmsg_set(err, "a key file without a certificate file");
    if (s->opt.server_name != NULL && s->ops != &send_tcp_ops)
        return errmsg_set(err, "a server name can be given for tls:// only");
    return 0;
}

static int configure(struct sender *s, const char *url, struct errmsg *err)
{
    const struct scheme *scheme = scheme_of(url);
    if (scheme == NULL)
        return errmsg_set(err, "a URL must begin with udp://, tcp://, tls://, http:// or https://");
    s->ops = scheme->ops;
    s->secure = scheme->secure;
    if (check_options(s, err) < 0)
        return -1;
    if (scheme->port != 0)
        return parse_authority(s, url + strlen(scheme->prefix), scheme->port, err);
    s->url = strdup(url);
    return s->url != NULL ? 0 : errmsg_set(err, "out of memory");
}

static void release(struct sender *s)
{
    free(s->url);
    free(s);
}

int sender_open(struct sender **ret, const char *url, const struct sender_options *options, struct errmsg *err)
{
    struct sender *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return errmsg_set(err, "out of memory");
    s->opt = *options;
    if (configure(s, url, err) < 0) {
        release(s);
        return -1;
    }
    assert(s->ops != NULL);
    if (s->ops->open(s, err) < 0) {
        (void)s->ops->close(s);
        release(s);
        return -1;
    }
    *ret = s;
    return 0;
}

int sender_send(struct sender *s, const uint8_t *frame, size_t len)
{
    return s->ops->send(s, frame, len);
}

int sender_flush(struct sender *s)
{
    return s->ops->flush(s);
}

int sender_check(struct sender *s)
{
    return s->ops->check == NULL ? 0 : s->ops->check(s);
}

bool sender_is_down(const struct sender *s)
{
    return s->retry.since != 0;
}

const struct sender_stats *sender_stats(const struct sender *s)
{
    return &s->stats;
}

int sender_close(struct sender *s, struct sender_stats *ret_stats)
{
    if (s == NULL)
        return 0;
    int flushed = s->ops->flush(s);
    int closed = s->ops->close(s);
    if (ret_stats != NULL)
        *ret_stats = s->stats;
    release(s);
    return flushed < 0 || closed < 0 ? -1 : 0;
}
