/*
 * HTTP and HTTPS by libcurl: frames gathered into one body, posted until the collector takes it. 2xx is success; a
 * connection that fails, 408, 429 and 5xx are tried again; everything else fails at once. A body keeps its
 * Idempotency-Key over its retries, so that a collector that had stored it before the connection broke can tell.
 */
#include <curl/curl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/send.h"

#define BODY_MAX   ((size_t)4 << 20)
#define GRACE_MS   1000 /* for an answer that is under way when the stop flag is set */
#define USER_AGENT "hepcat"

struct http_out {
    CURL *curl;
    struct curl_slist *headers; /* those that are the same in every request */
    struct buf body;
    size_t frames;
    char answer[SENDER_ANSWER_MAX + 1];
    size_t answer_len;
    char error[CURL_ERROR_SIZE];
    uint64_t stop_seen; /* clock of sender_now_ms(); 0: not stopped */
};

/* What an attempt came to. */
enum verdict { SENT, AGAIN, REFUSED, HOPELESS };

/* ------------------------------------------------------------------------------------------------ set-up */

static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
    struct http_out *h = arg;
    size_t len = size * count;
    size_t room = SENDER_ANSWER_MAX - h->answer_len;
    size_t take = len < room ? len : room;
    for (size_t i = 0; i < take; i++) {
        unsigned char c = (unsigned char)data[i];
        h->answer[h->answer_len++] = c < 0x20 || c == 0x7f ? ' ' : (char)c; /* it goes to a terminal */
    }
    h->answer[h->answer_len] = '\0';
    return len;
}

static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    struct sender *s = arg;
    struct http_out *h = s->kind;
    if (!sender_stopped(s))
        return 0;
    if (h->stop_seen == 0)
        h->stop_seen = sender_now_ms();
    return sender_now_ms() - h->stop_seen > GRACE_MS; /* not 0 ends the transfer */
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer != NULL)
        *list = longer;
    return longer != NULL;
}

static int set_headers(struct sender *s, struct http_out *h, struct errmsg *err)
{
    char type[256];
    const char *content = s->opt.content_type;
    if (content == NULL)
        content = s->opt.base64 ? "text/plain" : "application/octet-stream";
    if ((size_t)snprintf(type, sizeof(type), "Content-Type: %s", content) >= sizeof(type))
        return errmsg_set(err, "the content type is too long");
    bool ok = add_header(&h->headers, type);
    for (size_t i = 0; i < s->opt.header_count && ok; i++) {
        const char *line = s->opt.headers[i];
        if (strchr(line, ':') == NULL || strpbrk(line, "\r\n") != NULL)
            return errmsg_set(err, "a header must be of the form \"Name: value\"");
        ok = add_header(&h->headers, line);
    }
    return ok ? 0 : errmsg_set(err, "out of memory");
}

static CURLcode set_tls(const struct sender *s, CURL *curl)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (rc == CURLE_OK && s->opt.insecure) {
        rc = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (rc == CURLE_OK && s->opt.ca_file != NULL) {
        rc = curl_easy_setopt(curl, CURLOPT_CAINFO, s->opt.ca_file);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* these CAs, not also the system's */
    }
    if (rc == CURLE_OK && s->opt.cert_file != NULL) {
        rc = curl_easy_setopt(curl, CURLOPT_SSLCERT, s->opt.cert_file);
        if (rc == CURLE_OK)
            rc = curl_easy_setopt(curl, CURLOPT_SSLKEY, s->opt.key_file == NULL ? s->opt.cert_file : s->opt.key_file);
    }
    return rc;
}

static CURLcode set_transfer(struct sender *s, struct http_out *h)
{
    CURL *c = h->curl;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, s->url);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc != CURLE_OK)
        return rc;
    /* These can only fail for an unknown option. */
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, USER_AGENT);
    (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(c, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)s->opt.connect_timeout_ms);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)s->opt.request_timeout_ms);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
    (void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    return set_tls(s, c);
}

/* curl would find out with the first request; a person wants to know at the start. */
static int check_files(const struct sender *s, struct errmsg *err)
{
    struct tls_creds probe;
    if (!s->secure || (s->opt.ca_file == NULL && s->opt.cert_file == NULL))
        return 0;
    if (tls_creds_client(&probe, s->opt.ca_file, s->opt.cert_file, s->opt.key_file, err) < 0)
        return -1;
    tls_creds_free(&probe);
    return 0;
}

static int check_url(const struct sender *s, struct errmsg *err)
{
    CURLU *url = curl_url();
    CURLUcode rc = url == NULL ? CURLUE_OUT_OF_MEMORY : curl_url_set(url, CURLUPART_URL, s->url, 0);
    curl_url_cleanup(url);
    return rc == CURLUE_OK ? 0 : errmsg_set(err, "%s", curl_url_strerror(rc));
}

static int http_open(struct sender *s, struct errmsg *err)
{
    struct http_out *h = s->kind = calloc(1, sizeof(*h));
    if (h == NULL)
        return errmsg_set(err, "out of memory");
    buf_init(&h->body, BODY_MAX);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (h->curl = curl_easy_init()) == NULL)
        return errmsg_set(err, "out of memory");
    if (check_url(s, err) < 0 || check_files(s, err) < 0 || set_headers(s, h, err) < 0)
        return -1;
    CURLcode rc = set_transfer(s, h);
    return rc == CURLE_OK ? 0 : errmsg_set(err, "%s", curl_easy_strerror(rc));
}

/* ------------------------------------------------------------------------------------------------ one request */

/* A random UUID (RFC 9562 version 4), as a header line. */
static void idempotency_key(char line[64])
{
    uint8_t r[16] = { 0 };
    (void)gnutls_rnd(GNUTLS_RND_NONCE, r, sizeof(r));
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
    (void)snprintf(line, 64, "Idempotency-Key: %02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
                   r[15]);
}

/* Errors that a repetition does not mend. */
static bool is_hopeless(CURLcode rc)
{
    switch (rc) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return true;
    default:
        return false;
    }
}

static enum verdict judge(struct sender *s, struct http_out *h, CURLcode rc)
{
    long status = 0;
    if (rc != CURLE_OK) {
        sender_error(s, "%s", sender_stopped(s) ? "stopped" : h->error[0] != '\0' ? h->error : curl_easy_strerror(rc));
        return is_hopeless(rc) ? HOPELESS : AGAIN;
    }
    (void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (s->opt.on_answer != NULL)
        s->opt.on_answer(s->opt.arg, status, h->answer);
    if (status >= 200 && status < 300)
        return SENT;
    sender_error(s, "HTTP status %ld: %.200s", status, h->answer);
    return status == 408 || status == 429 || status >= 500 ? AGAIN : REFUSED;
}

static enum verdict request(struct sender *s, struct http_out *h)
{
    h->answer_len = 0;
    h->answer[0] = '\0';
    h->error[0] = '\0';
    s->stats.http_requests++;
    return judge(s, h, curl_easy_perform(h->curl));
}

/* What the answer asked for, ms. */
static unsigned retry_after(CURL *curl)
{
    curl_off_t seconds = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds < 0)
        return 0;
    return seconds > 3600 ? 3600000u : (unsigned)seconds * 1000;
}

/* Repeats the request until it is through or has failed. */
static int post(struct sender *s, struct http_out *h)
{
    for (;;) {
        switch (request(s, h)) {
        case SENT:
            sender_recovered(s);
            return 0;
        case REFUSED: /* the collector is there, so this is no outage */
            sender_recovered(s);
            return -1;
        case HOPELESS:
            sender_give_up(s);
            return -1;
        case AGAIN:
            if (!sender_again(s, retry_after(h->curl)))
                return -1;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ bodies */

static int post_octets(struct sender *s, struct http_out *h, const void *body, size_t len)
{
    char key[64];
    struct curl_slist first = { .data = key, .next = h->headers };
    idempotency_key(key);
    (void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, &first);
    (void)curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    int rc = post(s, h);
    (void)curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, NULL);
    return rc;
}

static int post_body(struct sender *s, struct http_out *h)
{
    if (!s->opt.base64)
        return post_octets(s, h, h->body.ptr, h->body.len);
    gnutls_datum_t raw = { .data = h->body.ptr, .size = (unsigned)h->body.len };
    gnutls_datum_t text;
    if (gnutls_base64_encode2(&raw, &text) < 0) {
        sender_error(s, "out of memory");
        return -1;
    }
    int rc = post_octets(s, h, text.data, text.size);
    gnutls_free(text.data);
    return rc;
}

static int http_flush(struct sender *s)
{
    struct http_out *h = s->kind;
    int result = 0;
    if (h->frames == 0)
        return 0;
    if (sender_may_try(s) && post_body(s, h) == 0)
        sender_sent(s, h->frames, h->body.len);
    else
        result = sender_failed(s, h->frames);
    h->frames = 0;
    buf_reset(&h->body);
    return result;
}

static int http_send(struct sender *s, const uint8_t *frame, size_t len)
{
    struct http_out *h = s->kind;
    int result = 0;
    if (len == 0 || len > BODY_MAX)
        return sender_refuse(s, len == 0 ? "an empty frame" : "too long for a request");
    if (len > BODY_MAX - h->body.len)
        result = http_flush(s);
    buf_put(&h->body, frame, len);
    if (h->body.failed) {
        h->body.failed = false; /* what was there before is whole */
        return sender_refuse(s, "out of memory");
    }
    h->frames++;
    s->stats.frames_pending++;
    if (h->frames >= s->opt.frames_per_post && http_flush(s) < 0)
        result = -1;
    return result;
}

static int http_close(struct sender *s)
{
    struct http_out *h = s->kind;
    if (h == NULL)
        return 0;
    curl_slist_free_all(h->headers);
    if (h->curl != NULL)
        curl_easy_cleanup(h->curl);
    buf_free(&h->body);
    free(h);
    curl_global_cleanup();
    return 0;
}

const struct sender_ops send_http_ops = {
    .open = http_open,
    .send = http_send,
    .flush = http_flush,
    .close = http_close,
};
