#include "cmd/http_get.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_OCTETS ((size_t)8 << 20) /* a row with the largest payload, escaped */
#define BODY_MAX        ((size_t)64 << 10)
#define QUERY_MAX       ((size_t)256 << 10)
#define QUERY_SHORT     4000 /* octets of a query string that every server and proxy takes */
#define CONNECT_MS      10000L
#define STALL_SECONDS   60L /* without an octet: a search may take its time before it answers */

struct transfer {
    struct http_get *get;
    CURL *curl;
    struct buf held; /* of a line that is not whole */
    bool ended;      /* by the receiver of lines */
    char error[CURL_ERROR_SIZE];
};

void http_get_init(struct http_get *g)
{
    memset(g, 0, sizeof(*g));
    buf_init(&g->query, QUERY_MAX);
    buf_init(&g->body, BODY_MAX);
    buf_init(&g->result, BODY_MAX);
}

void http_get_free(struct http_get *g)
{
    buf_free(&g->query);
    buf_free(&g->body);
    buf_free(&g->result);
}

void http_get_put_escaped(struct buf *b, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
        if (plain)
            buf_putc(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

void http_get_param(struct http_get *g, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_printf(&g->query, "%c%s=", g->query.len == 0 ? '?' : '&', name);
    http_get_put_escaped(&g->query, value);
}

void http_get_number(struct http_get *g, const char *name, unsigned long long value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%llu", value);
    http_get_param(g, name, text);
}

/* ------------------------------------------------------------------------------------------------ what comes */

static bool give_lines(struct transfer *t)
{
    struct buf *b = &t->held;
    size_t at = 0;
    for (;;) {
        const uint8_t *end = memchr(b->ptr + at, '\n', b->len - at);
        if (end == NULL)
            break;
        size_t len = (size_t)(end - b->ptr) - at;
        if ((len > 0 || t->get->blanks) && t->get->line(t->get->arg, (const char *)b->ptr + at, len) != 0) {
            t->ended = true;
            return false;
        }
        at += len + 1;
    }
    buf_drop(b, at);
    return true;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * count;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->get->status);
    if (t->get->status != 200) {
        buf_put(&t->get->body, data, len < BODY_MAX - 1 - t->get->body.len ? len : BODY_MAX - 1 - t->get->body.len);
        return len;
    }
    if (t->get->data != NULL) {
        t->ended = t->get->data(t->get->arg, data, len) != 0;
        return t->ended ? 0 : len;
    }
    buf_put(&t->held, data, len);
    return !t->held.failed && give_lines(t) ? len : 0; /* anything but len ends it */
}

/* Headers and trailers alike. */
static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    static const char name[] = "Hepcat-Result:";
    struct transfer *t = arg;
    size_t len = size * count;
    size_t skip = sizeof(name) - 1;
    if (len <= skip || strncasecmp(data, name, skip) != 0)
        return len;
    size_t n = len;
    while (n > skip && (data[n - 1] == '\r' || data[n - 1] == '\n'))
        n--;
    buf_reset(&t->get->result);
    buf_put(&t->get->result, data + skip, n - skip);
    return len;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    struct transfer *t = arg;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    t->ended = t->ended || *t->get->stop != 0;
    return t->ended; /* other than 0 ends it */
}

/* ------------------------------------------------------------------------------------------------ the transfer */

static bool is_form(const struct http_get *g)
{
    return g->form && g->query.len > QUERY_SHORT;
}

static CURLcode set_up(struct transfer *t, const char *url, struct curl_slist *headers)
{
    const struct http_get *g = t->get;
    CURLcode rc = curl_easy_setopt(t->curl, CURLOPT_URL, url);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK && g->ca != NULL)
        rc = curl_easy_setopt(t->curl, CURLOPT_CAINFO, g->ca);
    if (rc == CURLE_OK && g->insecure)
        rc = curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYPEER, 0L);
    if (rc == CURLE_OK && g->insecure)
        rc = curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    if (rc != CURLE_OK)
        return rc;
    /* These can only fail for an unknown option. */
    (void)curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
    if (g->post != NULL)
        (void)curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, g->post);
    if (is_form(g)) { /* libcurl says that it is one */
        (void)curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE, (long)(g->query.len - 1));
        (void)curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, (const char *)g->query.ptr + 1);
    }
    (void)curl_easy_setopt(t->curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    (void)curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    (void)curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    (void)curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "hepcat");
    if (g->stop != NULL) {
        (void)curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
        (void)curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        (void)curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
    }
    (void)curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->error);
    (void)curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
    return CURLE_OK;
}

static int perform(struct transfer *t, const char *url, struct curl_slist *headers, struct errmsg *err)
{
    CURLcode rc = set_up(t, url, headers);
    if (rc == CURLE_OK)
        rc = curl_easy_perform(t->curl);
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->get->status);
    if (t->ended)
        return 1;
    if (rc == CURLE_OK)
        return 0;
    if (t->held.failed)
        return errmsg_set(err, "%s: a line of the answer is too long", t->get->server);
    return errmsg_set(err, "%s: %s%s", t->get->server, t->get->status == 200 ? "the answer was cut short: " : "",
                      t->error[0] != '\0' ? t->error : curl_easy_strerror(rc));
}

/* "http://host:9080" + path + query, terminated. */
static bool put_url(struct buf *url, struct http_get *g)
{
    size_t len = strlen(g->server);
    while (len > 0 && g->server[len - 1] == '/')
        len--;
    buf_put(url, g->server, len);
    buf_puts(url, g->path);
    if (!is_form(g))
        buf_put(url, g->query.ptr, g->query.len);
    buf_putc(url, '\0');
    return !url->failed && !g->query.failed;
}

static int add_header(struct curl_slist **headers, const char *line)
{
    struct curl_slist *more = curl_slist_append(*headers, line);
    if (more == NULL) {
        curl_slist_free_all(*headers);
        return -1;
    }
    *headers = more;
    return 0;
}

static int run(struct transfer *t, struct buf *url, struct errmsg *err)
{
    struct http_get *g = t->get;
    struct curl_slist *headers = NULL;
    char line[512];
    if (!put_url(url, g))
        return errmsg_set(err, "the request is too long");
    if (g->token != NULL && (size_t)snprintf(line, sizeof(line), "Authorization: Bearer %s", g->token) >= sizeof(line))
        return errmsg_set(err, "the token is too long");
    if (g->token != NULL && (strpbrk(g->token, "\r\n") != NULL || (headers = curl_slist_append(NULL, line)) == NULL))
        return errmsg_set(err, "the token cannot be sent");
    if (g->header != NULL && add_header(&headers, g->header) != 0)
        return errmsg_set(err, "out of memory");
    t->curl = curl_easy_init();
    int rc = t->curl == NULL ? errmsg_set(err, "out of memory") : perform(t, (const char *)url->ptr, headers, err);
    curl_easy_cleanup(t->curl);
    curl_slist_free_all(headers);
    return rc;
}

int http_get_run(struct http_get *g, struct errmsg *err)
{
    struct transfer t = { .get = g };
    struct buf url;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return errmsg_set(err, "out of memory");
    buf_init(&t.held, LINE_MAX_OCTETS);
    buf_init(&url, QUERY_MAX + BODY_MAX);
    int rc = run(&t, &url, err);
    buf_putc(&g->body, '\0');
    buf_putc(&g->result, '\0');
    buf_free(&url);
    buf_free(&t.held);
    curl_global_cleanup();
    return rc;
}
