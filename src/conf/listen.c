/* URLs of listeners: "udp://[::]:9060", "tls://", "http://:9070/hep". */
#include <string.h>

#include "conf/internal.h"

static const struct scheme {
    const char *name;
    uint16_t port; /* 0: must be given */
    bool path;     /* allowed */
} schemes[] = {
    [CONF_UDP] = { "udp", 9060, false }, [CONF_TCP] = { "tcp", 9060, false }, [CONF_TLS] = { "tls", 9061, false },
    [CONF_HTTP] = { "http", 0, true },   [CONF_HTTPS] = { "https", 0, true },
};
#define SCHEME_COUNT (sizeof(schemes) / sizeof(schemes[0]))

/* Scheme of a URL, and where the text goes on behind "://"; NULL if it is none. */
static const struct scheme *take_scheme(const char *text, const char **ret_rest)
{
    const char *end = strstr(text, "://");
    for (size_t i = 0; end != NULL && i < SCHEME_COUNT; i++)
        if (strlen(schemes[i].name) == (size_t)(end - text) &&
            strncmp(text, schemes[i].name, (size_t)(end - text)) == 0) {
            *ret_rest = end + 3;
            return &schemes[i];
        }
    return NULL;
}

/* A path is what net/ compares octet by octet: no query, no fragment, no blanks. */
static bool path_valid(const struct scheme *scheme, const char *path)
{
    if (*path == '\0')
        return true;
    for (const char *p = path; *p != '\0'; p++)
        if (*p <= ' ' || *p == 0x7f || *p == '?' || *p == '#')
            return false;
    return scheme->path;
}

/* "10.0.0.1:9060" without the path, split; an absent or starred host is "". */
static bool take_place(const struct scheme *scheme, const char *text, size_t len, char host[256], uint16_t *ret_port)
{
    char place[300];
    if (len >= sizeof(place))
        return false;
    memcpy(place, text, len);
    place[len] = '\0';
    host[0] = '\0';
    *ret_port = scheme->port;
    if (len == 0)
        return scheme->port != 0;
    if (!ip_host_port(place, host, ret_port, scheme->port) || strpbrk(host, " /@,\"'") != NULL)
        return false;
    if (strcmp(host, "*") == 0)
        host[0] = '\0';
    return true;
}

int conf_listen_parse(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret, struct errmsg *err)
{
    (void)key;
    const char *rest = NULL;
    char host[256];
    uint16_t port;
    const struct scheme *scheme = take_scheme(text, &rest);
    if (scheme == NULL)
        return errmsg_set(err, "'%.80s' does not begin with udp://, tcp://, tls://, http:// or https://", text);
    const char *path = rest + strcspn(rest, "/");
    if (!path_valid(scheme, path))
        return errmsg_set(err, "'%.80s': %s", text, scheme->path ? "this is no path" : "only http has a path");
    if (!take_place(scheme, rest, (size_t)(path - rest), host, &port))
        return errmsg_set(err, "'%.80s': %s", text,
                          scheme->port != 0 ? "what follows is no ADDR:PORT" : "what follows is no ADDR:PORT[/PATH]");
    const struct conf_listen l = { (enum conf_transport)(scheme - schemes), conf_mem_text(mem, host, strlen(host)),
                                   port, conf_mem_text(mem, path, strlen(path)) };
    if (l.host == NULL || l.path == NULL)
        return errmsg_set(err, "out of memory");
    memcpy(ret, &l, sizeof(l));
    return 0;
}

void conf_listen_print(const struct conf_key *key, const void *value, struct buf *out)
{
    (void)key;
    struct conf_listen l;
    memcpy(&l, value, sizeof(l));
    bool v6 = strchr(l.host, ':') != NULL;
    buf_printf(out, "%s://%s%s%s:%u%s", schemes[l.transport].name, v6 ? "[" : "", l.host, v6 ? "]" : "",
               (unsigned)l.port, l.path);
}
