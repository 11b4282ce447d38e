/* The HTTP side, over a store of a few rows, by a client that says exactly what a test wants. */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "api/api.h"
#include "api/gzip.h"
#include "api/internal.h"
#include "fake_store.h"
#include "testlib.h"

#define NOW     INT64_C(1767225600000000)
#define WAIT_MS 10000

struct world {
    struct fake_store store;
    struct api *api;
    struct api_health health;
    bool not_ready;
};

/* ------------------------------------------------------------------------------------------------ server */

static void give_health(void *arg, struct api_health *ret)
{
    *ret = ((struct world *)arg)->health;
}

static bool give_ready(void *arg)
{
    return !((struct world *)arg)->not_ready;
}

static void give_metrics(void *arg, struct buf *out)
{
    (void)arg;
    buf_puts(out, "hepcat_up 1\n");
}

static int give_senders(void *arg, void (*call)(void *call_arg, const struct ingest_sender *sender), void *call_arg)
{
    (void)arg;
    struct ingest_sender s = { .addr = fake_ip("10.0.0.9"),
                               .node = "a\"b",
                               .counters = {
                                   [INGEST_RECEIVED] = 10, [INGEST_STORED] = 7, [INGEST_DROP_KEY_WRONG] = 3 } };
    for (int i = 0; i < 3; i++)
        call(call_arg, &s);
    return 0;
}

static struct api_options usual(struct world *w)
{
    return (struct api_options){
        .searches = 2,
        .waiting = 1,
        .waiting_ms = 60000,
        .sources = { .store = &w->store.base,
                     .version = "1.2.3",
                     .arg = w,
                     .health = give_health,
                     .ready = give_ready,
                     .metrics = give_metrics,
                     .senders = give_senders },
    };
}

static void serve(struct world *w, const struct api_options *o)
{
    struct errmsg err = { "" };
    if (api_start(&w->api, o, &err) != 0)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    fake_store_init(&w->store);
    for (uint64_t i = 1; i <= 5; i++)
        (void)fake_store_sip(&w->store, NOW + (int64_t)i * 1000000, i, i < 4 ? "call-1" : "call-2",
                             i == 3 ? "BYE" : "INVITE", -1);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    api_stop(w->api);
    assert_int_equal(w->store.pins, 0);
    fake_store_free(&w->store);
    free(w);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ client */

static int dial(const struct world *w)
{
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(api_port(w->api)) };
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server had enough */
        text += n;
        len -= (size_t)n;
    }
}

struct answer {
    int status;
    char *text; /* head and body as they came, terminated */
    size_t len;
    const char *body;
    size_t body_len;
    bool whole; /* the connection ended as it should */
};

/* Everything until the server closes. */
static void read_all(int fd, struct answer *a)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t cap = 65536;
    memset(a, 0, sizeof(*a));
    a->text = malloc(cap);
    for (;;) {
        if (poll(&p, 1, WAIT_MS) <= 0)
            fail_msg("no answer");
        if (cap - a->len < 2) {
            cap *= 2;
            a->text = realloc(a->text, cap);
        }
        ssize_t n = recv(fd, a->text + a->len, cap - a->len - 1, 0);
        a->whole = n == 0;
        if (n <= 0)
            break;
        a->len += (size_t)n;
    }
    a->text[a->len] = '\0';
    const char *end = strstr(a->text, "\r\n\r\n");
    a->status = a->len > 12 ? (int)strtol(a->text + 9, NULL, 10) : 0;
    a->body = end == NULL ? a->text + a->len : end + 4;
    a->body_len = a->len - (size_t)(a->body - a->text);
    (void)close(fd);
}

static void answer_free(struct answer *a)
{
    free(a->text);
}

/* One GET by HTTP/1.0, so that nothing is in chunks and the end of the answer is that of the connection. */
static void get(const struct world *w, const char *target, const char *headers, struct answer *a)
{
    int fd = dial(w);
    say(fd, "GET ");
    say(fd, target);
    say(fd, " HTTP/1.0\r\nHost: localhost\r\n");
    say(fd, headers);
    say(fd, "\r\n");
    read_all(fd, a);
}

static const char *header_of(const struct answer *a, const char *name)
{
    const char *at = strcasestr(a->text, name);
    return at != NULL && at < a->body ? at + strlen(name) : NULL;
}

static int status_with(const struct world *w, const char *target, const char *headers)
{
    struct answer a;
    get(w, target, headers, &a);
    int status = a.status;
    answer_free(&a);
    return status;
}

static json_t *get_json(const struct world *w, const char *target, int status)
{
    struct answer a;
    json_error_t err;
    get(w, target, "", &a);
    if (a.status != status)
        fail_msg("%s: %s", target, a.text);
    json_t *j = json_loadb(a.body, a.body_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &err);
    if (j == NULL)
        fail_msg("%s: %s: %s", target, err.text, a.body);
    answer_free(&a);
    return j;
}

static int64_t number(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    if (!json_is_integer(v))
        fail_msg("no number %s", key);
    return json_integer_value(v);
}

static const char *text(const json_t *j, const char *key)
{
    const char *v = json_string_value(json_object_get(j, key));
    return v == NULL ? "" : v;
}

/* ------------------------------------------------------------------------------------------------ search */

static void seqs_are(const json_t *answer, const char *expect)
{
    char seen[256] = "";
    size_t i, len = 0;
    json_t *row;
    json_array_foreach(json_object_get(answer, "rows"), i, row) len +=
        (size_t)snprintf(seen + len, sizeof(seen) - len, "%s%d", i > 0 ? " " : "", (int)number(row, "seq"));
    assert_string_equal(seen, expect);
}

static void searches_answer(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *query, *seqs;
    } rows[] = {
        { "", "5 4 3 2 1" },
        { "?limit=2", "5 4" },
        { "?limit=2&reverse=1", "4 5" },
        { "?limit=2&order=oldest", "1 2" },
        { "?q=method:BYE", "3" },
        { "?q=callid:call-1&order=oldest", "1 2 3" },
        { "?q=callid%3Acall-2&columns=seq,ts&format=json", "5 4" },
        { "?from=2026-01-01T00:00:03Z", "5 4 3" },
        { "?from=1767225603&to=1767225604.5", "4 3" },
        { "?from=&to=&after=&columns=", "5 4 3 2 1" },
        { "?to=-1000w", "" },
        { "?total=only", "" },
        { "?limit=0", "" },
    };
    struct api_options o = usual(w);
    serve(w, &o);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char target[256];
        (void)snprintf(target, sizeof(target), "/api/v1/search%s", rows[i].query);
        json_t *j = get_json(w, target, 200);
        seqs_are(j, rows[i].seqs);
        assert_true(json_is_true(json_object_get(j, "rows_exact")));
        json_decref(j);
    }
}

static void totals_and_cursors(void **state)
{
    struct world *w = *state;
    char target[256];
    struct api_options o = usual(w);
    serve(w, &o);
    json_t *j = get_json(w, "/api/v1/search?limit=3&total=1", 200);
    assert_int_equal(number(j, "total"), 5);
    assert_int_equal(number(j, "count"), 3);
    assert_true(json_is_true(json_object_get(j, "total_exact")));
    (void)snprintf(target, sizeof(target), "/api/v1/search?limit=3&after=%s", text(j, "next"));
    json_decref(j);
    j = get_json(w, target, 200);
    seqs_are(j, "2 1");
    assert_true(json_is_null(json_object_get(j, "next")));
    assert_null(json_object_get(j, "total"));
    json_decref(j);
    j = get_json(w, "/api/v1/search?total=only&q=method:INVITE", 200);
    assert_int_equal(number(j, "total"), 4);
    json_decref(j);
}

static void payloads_come_on_request(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    serve(w, &o);
    json_t *j = get_json(w, "/api/v1/search?limit=1", 200);
    assert_null(json_object_get(json_array_get(json_object_get(j, "rows"), 0), "payload"));
    json_decref(j);
    assert_false(store_columns_has(&w->store.last_columns, RECORD_COL_payload));
    j = get_json(w, "/api/v1/search?limit=1&payload=1&columns=ts", 200);
    const json_t *row = json_array_get(json_object_get(j, "rows"), 0);
    assert_string_equal(text(row, "payload"), "INVITE sip:b@example.org SIP/2.0\r\n\r\n");
    assert_int_equal(json_object_size(row), 3);
    json_decref(j);
}

static void lines_tell_the_result_beside(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    serve(w, &o);
    get(w, "/api/v1/search?format=jsonl&total=1&columns=seq&limit=2", "", &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "{\"table\":\"sip\",\"seq\":5}\n{\"table\":\"sip\",\"seq\":4}\n");
    assert_non_null(header_of(&a, "Content-Type: application/x-ndjson\r\n"));
    const char *result = header_of(&a, "Hepcat-Result: ");
    assert_non_null(result);
    assert_non_null(strstr(result, "\"total\":5,"));
    answer_free(&a);
}

/* Many pieces: chunks, and the result in the trailer. */
static void long_answers_come_in_pieces(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    static char octets[60000];
    memset(octets, 'x', sizeof(octets) - 1);
    for (uint64_t i = 6; i <= 100; i++)
        fake_store_sip(&w->store, NOW, i, "big", "INVITE", -1)->payload = fake_slice(octets);
    serve(w, &o);
    int fd = dial(w);
    say(fd, "GET /api/v1/search?payload=1&format=jsonl&q=callid:big HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"
            "Connection: close\r\n\r\n");
    read_all(fd, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(header_of(&a, "Transfer-Encoding: chunked"));
    assert_null(header_of(&a, "Hepcat-Result"));
    assert_true(a.body_len > (size_t)95 * 60000);
    const char *trailer = strstr(a.body + a.body_len - 600, "Hepcat-Result: ");
    assert_non_null(trailer);
    assert_non_null(strstr(trailer, "\"count\":95,"));
    answer_free(&a);
    json_t *j = get_json(w, "/api/v1/search?payload=1&q=callid:big", 200);
    assert_int_equal(json_array_size(json_object_get(j, "rows")), 95);
    json_decref(j);
}

static void errors_of_the_store_are_told(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    serve(w, &o);
    w->store.scan_error = -EIO;
    json_t *j = get_json(w, "/api/v1/search", 500);
    assert_string_equal(text(j, "detail"), "the fake store was told to fail");
    assert_int_equal(number(j, "status"), 500);
    json_decref(j);
    json_decref(get_json(w, "/api/v1/flow?call_id=x", 500));
    w->store.scan_error = 0;
    w->store.fetch_error = -EIO;
    json_decref(get_json(w, "/api/v1/search", 500));
    w->store.fetch_error = 0;
    w->store.inexact = true;
    j = get_json(w, "/api/v1/search?total=1", 200);
    assert_true(json_is_false(json_object_get(j, "rows_exact")));
    assert_true(json_is_false(json_object_get(j, "total_exact")));
    assert_true(json_is_true(json_object_get(j, "timed_out")));
    assert_string_equal(text(j, "problem"), "the time was over");
    json_decref(j);
}

/* ------------------------------------------------------------------------------------------------ others */

/* The octets that a gzip stream stands for, terminated. */
static char *unzip(const char *octets, size_t len)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)octets, .avail_in = (uInt)len };
    size_t cap = (size_t)8 << 20;
    char *plain = malloc(cap + 1);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_out = (Bytef *)plain;
    z.avail_out = (uInt)cap;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    plain[cap - z.avail_out] = '\0';
    (void)inflateEnd(&z);
    return plain;
}

static void answers_are_compressed(void **state)
{
    static const char *const targets[] = { "/api/v1/openapi.yaml", "/api/v1/search?format=jsonl&payload=1&limit=2000",
                                           "/api/v1/search?limit=2000&payload=1&timeout=30" };
    struct world *w = *state;
    struct api_options o = usual(w);
    for (uint64_t i = 10; i < 1500; i++)
        (void)fake_store_sip(&w->store, NOW + (int64_t)i * 1000000, i, "call-2", "OPTIONS", -1);
    serve(w, &o);
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct answer plain, zipped;
        get(w, targets[i], "", &plain);
        assert_null(header_of(&plain, "Content-Encoding:"));
        assert_non_null(header_of(&plain, "Vary: Accept-Encoding"));
        get(w, targets[i], "Accept-Encoding: br, gzip;q=0.5\r\n", &zipped);
        assert_non_null(header_of(&zipped, "Content-Encoding: gzip"));
        assert_true(zipped.body_len < plain.body_len / 2);
        char *text = unzip(zipped.body, zipped.body_len);
        assert_string_equal(text, plain.body);
        free(text);
        answer_free(&plain);
        answer_free(&zipped);
    }
    struct answer a;
    get(w, "/", "Accept-Encoding: gzip;q=0, identity\r\n", &a);
    assert_null(header_of(&a, "Content-Encoding:"));
    answer_free(&a);
}

static void gzip_is_negotiated(void **state)
{
    static const struct {
        const char *value;
        bool want;
    } rows[] = {
        { NULL, false },           { "", false },           { "gzip", true },           { "GZip", true },
        { "identity", false },     { "*", true },           { "br , gzip", true },      { "gzip;q=0", false },
        { "gzip;q=0.000", false }, { "gzip; q=0.1", true }, { "gzippo", false },        { "x;q=1,gzip;q=0,*", false },
        { ",,gzip", true },        { ";;;", false },        { "deflate;q=1;a", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (gzip_accepted(rows[i].value) != rows[i].want)
            fail_msg("%s", rows[i].value);
    assert_true(gzip_pays("application/json"));
    assert_true(gzip_pays("text/html; charset=utf-8"));
    assert_false(gzip_pays("text/event-stream"));
    assert_false(gzip_pays("application/vnd.tcpdump.pcap"));
}

/* A file that takes longer than an answer may, by a client that goes on reading. */
static void long_exports_are_not_cut(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    static uint8_t filler[4096];
    char piece[262144];
    size_t all = 0;
    bool ended = false;
    ssize_t n = 1;
    for (uint64_t i = 10; i < 8000; i++)
        fake_store_sip(&w->store, NOW + (int64_t)i * 1000000, i, "call-2", "OPTIONS", -1)->payload =
            (struct hep_slice){ filler, sizeof(filler) };
    o.answer_ms = 1500;
    memset(filler, 'x', sizeof(filler));
    serve(w, &o);
    int fd = dial(w);
    int small = 65536; /* so that the server has to wait for its client */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    say(fd, "GET /api/v1/export?format=jsonl HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    for (unsigned reads = 0; n > 0; reads++) {
        size_t len = 0;
        while (len < sizeof(piece) && (n = recv(fd, piece + len, sizeof(piece) - len, 0)) > 0)
            len += (size_t)n;
        all += len;
        ended = len > 0 ? memmem(piece, len, "Hepcat-Result", 13) != NULL : ended;
        if (reads < 100)
            (void)poll(NULL, 0, 40);
    }
    (void)close(fd);
    assert_true(all > (size_t)7000 * sizeof(filler));
    assert_true(ended);
}

static void flows_answer(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    serve(w, &o);
    struct record *log = fake_store_add(&w->store, RECORD_LOG, NOW + 1500000, 9);
    log->correlation_id = fake_slice("call-1");
    log->kind = fake_slice("log");
    log->payload = fake_slice("hello");
    json_t *j = get_json(w, "/api/v1/flow?call_id=call-1&payload=log", 200);
    seqs_are(j, "1 9 2 3");
    assert_true(json_is_true(json_object_get(j, "exact")));
    assert_string_equal(text(json_array_get(json_object_get(j, "rows"), 1), "payload"), "hello");
    assert_string_equal(text(json_array_get(json_object_get(j, "rows"), 0), "payload"), "");
    json_decref(j);
    j = get_json(w, "/api/v1/flow?call_id=nobody", 200);
    assert_int_equal(number(j, "count"), 0);
    json_decref(j);
}

static void messages_are_found_by_place(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    serve(w, &o);
    w->store.rows[1].payload = (struct hep_slice){ (const uint8_t *)"\0\xff\r\n", 4 };
    json_t *j = get_json(w, "/api/v1/message?seq=2&ts=2026-01-01T00:00:02.000000Z", 200);
    assert_string_equal(text(j, "payload"), "AP8NCg==");
    assert_string_equal(text(j, "payload_encoding"), "base64");
    assert_non_null(json_object_get(json_object_get(j, "sip"), "problems"));
    json_decref(j);
    get(w, "/api/v1/message?seq=2&ts=1767225602&raw=1", "", &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 4);
    assert_memory_equal(a.body, "\0\xff\r\n", 4);
    assert_non_null(header_of(&a, "Content-Type: application/octet-stream\r\n"));
    assert_non_null(header_of(&a, "Content-Disposition: attachment;"));
    assert_non_null(header_of(&a, "X-Content-Type-Options: nosniff\r\n"));
    answer_free(&a);
    json_decref(get_json(w, "/api/v1/message?seq=1&ts=1767225602", 404));
    json_decref(get_json(w, "/api/v1/message?seq=3&ts=1767225602", 404));
    w->store.inexact = true;
    json_decref(get_json(w, "/api/v1/message?seq=3&ts=1767225602", 503));
}

static void state_is_told(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    serve(w, &o);
    json_t *j = get_json(w, "/health", 200);
    assert_string_equal(text(j, "status"), "ok");
    assert_string_equal(text(j, "version"), "1.2.3");
    json_decref(j);
    api_health_add(&w->health, false, "open_port", "udp://[::]:9060 takes HEP from %s", "everybody");
    j = get_json(w, "/health", 200);
    assert_string_equal(text(j, "status"), "warning");
    json_decref(j);
    api_health_add(&w->health, true, "disk_full", "the disk is full");
    j = get_json(w, "/health", 503);
    assert_string_equal(text(j, "status"), "failing");
    const json_t *second = json_array_get(json_object_get(j, "reasons"), 1);
    assert_string_equal(text(second, "level"), "failing");
    assert_string_equal(text(second, "code"), "disk_full");
    json_decref(j);
    for (int i = 0; i < 2 * API_REASONS_MAX; i++)
        api_health_add(&w->health, false, "x", "x");
    j = get_json(w, "/health", 503);
    assert_int_equal(number(j, "further_reasons"), API_REASONS_MAX + 2);
    json_decref(j);
    json_decref(get_json(w, "/ready", 200));
    w->not_ready = true;
    json_decref(get_json(w, "/ready", 503));
    get(w, "/metrics", "", &a);
    assert_string_equal(a.body, "hepcat_up 1\n");
    answer_free(&a);
    get(w, "/", "", &a);
    assert_non_null(strstr(a.body, "<!doctype html>"));
    assert_non_null(header_of(&a, "Content-Security-Policy: default-src 'none'; script-src 'self'"));
    const char *tag = header_of(&a, "ETag: ");
    assert_non_null(tag);
    char again[64];
    (void)snprintf(again, sizeof(again), "If-None-Match: %.20s\r\n", tag);
    answer_free(&a);
    assert_int_equal(status_with(w, "/", again), 304);
    assert_int_equal(status_with(w, "/", "If-None-Match: \"x\"\r\n"), 200);
    assert_int_equal(status_with(w, "/api/v1/openapi.yaml", ""), 200);
}

static void senders_are_listed(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    serve(w, &o);
    json_t *j = get_json(w, "/api/v1/senders?limit=2", 200);
    const json_t *first = json_array_get(json_object_get(j, "senders"), 0);
    assert_int_equal(number(j, "count"), 2);
    assert_int_equal(number(j, "total"), 3);
    assert_string_equal(text(first, "ip"), "10.0.0.9");
    assert_string_equal(text(first, "node"), "a\"b");
    assert_int_equal(number(json_object_get(first, "counters"), "stored"), 7);
    assert_int_equal(json_object_size(json_object_get(first, "dropped")), 1);
    assert_int_equal(number(json_object_get(first, "dropped"), "key_wrong"), 3);
    json_decref(j);
}

/* ------------------------------------------------------------------------------------------------ bad input */

/* Series of an answer as "value: 1,0,2". */
static void series_are(const json_t *answer, const char *expect)
{
    char seen[512] = "";
    size_t i, k, len = 0;
    json_t *series, *count;
    json_array_foreach(json_object_get(answer, "series"), i, series)
    {
        len += (size_t)snprintf(seen + len, sizeof(seen) - len, "%s%s: ", i > 0 ? " " : "", text(series, "value"));
        json_array_foreach(json_object_get(series, "counts"), k, count) len +=
            (size_t)snprintf(seen + len, sizeof(seen) - len, "%s%d", k > 0 ? "," : "", (int)json_integer_value(count));
    }
    assert_string_equal(seen, expect);
}

static void counts_answer(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *query;
        int64_t buckets, total;
        const char *interval, *series;
    } rows[] = {
        { "from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:06Z&interval=2", 3, 5, "2s", "" },
        { "from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:06Z&interval=2&by=method", 3, 5, "2s",
          "INVITE: 1,1,2 BYE: 0,1,0" },
        { "from=2026-01-01T00:00:03Z&to=2026-01-01T00:00:06Z&interval=2&by=method&top=1", 2, 3, "2s", "INVITE: 0,2" },
        { "interval=1m&by=src", 1, 5, "1m", "10.0.0.1: 5" },
        { "interval=1m&by=callid&q=method:INVITE", 1, 4, "1m", "call-1: 2 call-2: 2" },
        { "interval=1m&by=table", 1, 5, "1m", "sip: 5" },
        { "interval=1m&by=src_port", 1, 5, "1m", "5060: 5" },
        { "interval=1m&by=type", 1, 5, "1m", "sip: 5" },
        { "interval=1m&by=status_class", 1, 5, "1m", "" },
        { "interval=auto", 81, 5, "50ms", "" },
        { "interval=1m&q=ts:2026-01-01T00:00Z..2026-01-01T00:02:59Z", 3, 5, "1m", "" },
        { "from=2026-01-01&to=2026-01-02", 96, 5, "15m", "" },
        { "from=2025-01-01&to=2026-01-02", 92, 5, "4d", "" },
        { "from=2020-01-01&to=2020-01-02&by=method", 96, 0, "15m", "" },
    };
    struct api_options o = usual(w);
    serve(w, &o);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char target[256];
        (void)snprintf(target, sizeof(target), "/api/v1/counts?%s", rows[i].query);
        json_t *j = get_json(w, target, 200);
        assert_int_equal(json_array_size(json_object_get(j, "starts")), rows[i].buckets);
        assert_int_equal(json_array_size(json_object_get(j, "counts")), rows[i].buckets);
        assert_int_equal(number(j, "total"), rows[i].total);
        assert_string_equal(text(j, "interval"), rows[i].interval);
        assert_true(json_is_true(json_object_get(j, "total_exact")));
        assert_true(json_is_false(json_object_get(j, "timed_out")));
        series_are(j, rows[i].series);
        json_decref(j);
    }
    json_t *j =
        get_json(w, "/api/v1/counts?from=2026-01-01T00:00:03Z&to=2026-01-01T00:00:06Z&interval=2&by=method&top=1", 200);
    assert_string_equal(json_string_value(json_array_get(json_object_get(j, "starts"), 0)),
                        "2026-01-01T00:00:02.000000Z");
    assert_int_equal(number(json_object_get(j, "other"), "total"), 1);
    assert_int_equal(number(json_object_get(j, "none"), "total"), 0);
    assert_int_equal(number(j, "values"), 2);
    json_decref(j);
    j = get_json(w, "/api/v1/counts?by=status", 200);
    assert_int_equal(number(json_object_get(j, "none"), "total"), 5);
    json_decref(j);
    w->store.inexact = true;
    j = get_json(w, "/api/v1/counts?by=method", 200);
    assert_true(json_is_false(json_object_get(j, "total_exact")));
    assert_true(json_is_false(json_object_get(j, "values_exact")));
    assert_true(json_is_true(json_object_get(j, "timed_out")));
    assert_string_equal(text(j, "problem"), "the time was over");
    json_decref(j);
    w->store.scan_error = -EIO;
    json_decref(get_json(w, "/api/v1/counts", 500));
}

static void counts_of_nothing(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    w->store.count = 0;
    serve(w, &o);
    json_t *j = get_json(w, "/api/v1/counts?by=method", 200);
    assert_int_equal(number(j, "total"), 0);
    assert_true(json_is_null(json_object_get(j, "from")));
    assert_int_equal(json_array_size(json_object_get(j, "counts")), 0);
    json_decref(j);
    j = get_json(w, "/api/v1/values?field=method", 200);
    assert_int_equal(number(j, "count"), 0);
    json_decref(j);
}

static void values_answer(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *query, *field, *values;
    } rows[] = {
        { "field=method", "method", "INVITE=4 BYE=1" },
        { "field=method&prefix=in", "method", "INVITE=4" },
        { "field=callid&prefix=CALL", "call_id", "" },
        { "field=callid&prefix=call-", "call_id", "call-1=3 call-2=2" },
        { "field=callid&limit=1", "call_id", "call-1=3" },
        { "field=callid&q=method:BYE", "call_id", "call-1=1" },
        { "field=callid&from=2026-01-01T00:00:03Z&to=2026-01-01T00:00:05Z", "call_id", "call-1=1 call-2=1" },
        { "field=ip", "src_ip", "10.0.0.1=5 10.0.0.2=5" },
        { "field=ip&prefix=10.0.0.2", "src_ip", "10.0.0.2=5" },
        { "field=dst_port&prefix=50", "dst_port", "5060=5" },
        { "field=from", "from_user", "" },
    };
    struct api_options o = usual(w);
    serve(w, &o);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char target[256], seen[512] = "";
        size_t k, len = 0;
        json_t *value;
        (void)snprintf(target, sizeof(target), "/api/v1/values?%s", rows[i].query);
        json_t *j = get_json(w, target, 200);
        json_array_foreach(json_object_get(j, "values"), k, value) len +=
            (size_t)snprintf(seen + len, sizeof(seen) - len, "%s%s=%d", k > 0 ? " " : "", text(value, "value"),
                             (int)number(value, "count"));
        assert_string_equal(seen, rows[i].values);
        assert_string_equal(text(j, "field"), rows[i].field);
        assert_int_equal(number(j, "count"), k);
        assert_true(json_is_true(json_object_get(j, "values_exact")));
        json_decref(j);
    }
}

static void fields_are_listed(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    size_t i, seen = 0;
    json_t *field;
    serve(w, &o);
    json_t *j = get_json(w, "/api/v1/fields", 200);
    json_array_foreach(json_object_get(j, "fields"), i, field)
    {
        assert_true(strlen(text(field, "description")) > 0);
        assert_true(strlen(text(field, "kind")) > 0);
        assert_true(json_is_array(json_object_get(field, "aliases")));
        assert_true(json_is_boolean(json_object_get(field, "values")));
        /* Every example is a filter. */
        struct filter *f = NULL;
        struct filter_error err;
        const char *example = text(field, "example");
        if (filter_parse(&f, example, strlen(example), &err) != 0)
            fail_msg("%s: %s", example, err.text);
        filter_free(f);
        seen += strcmp(text(field, "name"), "from") == 0;
    }
    assert_int_equal(seen, 1);
    assert_int_equal(number(j, "count"), i);
    json_decref(j);
}

static json_t *post_sql(const struct world *w, const char *query, const char *type, const char *body, int status)
{
    char request[1024];
    struct answer a;
    json_error_t err;
    int fd = dial(w);
    (void)snprintf(
        request, sizeof(request),
        "POST /api/v1/sql%s HTTP/1.0\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", query,
        type, strlen(body), body);
    say(fd, request);
    read_all(fd, &a);
    if (a.status != status)
        fail_msg("%s: %s", body, a.text);
    json_t *j = json_loadb(a.body, a.body_len, 0, &err);
    assert_non_null(j);
    answer_free(&a);
    return j;
}

static void sql_answers(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    o.sql = true;
    serve(w, &o);
    json_t *j = post_sql(w, "", "text/plain; charset=utf-8", "SELECT 1", 200);
    char *rows = json_dumps(json_object_get(j, "rows"), JSON_COMPACT);
    assert_string_equal(rows, "[[\"SELECT 1\",-5],[{\"base64\":\"/w==\"},null],[\"1970-01-01T00:00:00.000000Z\",1.5],"
                              "[true,\"Infinity\"]]");
    free(rows);
    assert_int_equal(number(j, "count"), 4);
    assert_int_equal(number(j, "in_memory"), 5);
    assert_string_equal(text(j, "sealed_until"), "1970-01-01T00:00:01.000000Z");
    assert_string_equal(text(json_array_get(json_object_get(j, "columns"), 1), "type"), "BIGINT");
    assert_true(json_is_false(json_object_get(j, "truncated")));
    json_decref(j);
    j = post_sql(w, "?limit=2&timeout=1", "application/sql", "SELECT 1", 200);
    assert_int_equal(number(j, "count"), 2);
    assert_true(json_is_true(json_object_get(j, "truncated")));
    json_decref(j);
    j = post_sql(w, "", "application/json", "{\"sql\":\"SELECT 2\",\"limit\":4}", 200);
    assert_int_equal(number(j, "count"), 4);
    assert_true(json_is_false(json_object_get(j, "truncated")));
    json_decref(j);
    static const struct {
        const char *query, *type, *body;
        int status;
    } bad[] = {
        { "", "text/plain", "", 400 },
        { "", "text/html", "SELECT 1", 415 },
        { "?limit=0", "text/plain", "SELECT 1", 400 },
        { "?limit=100001", "text/plain", "SELECT 1", 400 },
        { "?timeout=x", "text/plain", "SELECT 1", 400 },
        { "?q=x", "text/plain", "SELECT 1", 400 },
        { "", "application/json", "SELECT 1", 400 },
        { "", "application/json", "{}", 400 },
        { "", "application/json", "{\"sql\":1}", 400 },
        { "", "application/json", "{\"sql\":\"SELECT 1\",\"limit\":0}", 400 },
        { "", "application/json", "{\"sql\":\"SELECT 1\",\"more\":0}", 400 },
        { "", "application/json", "{\"sql\":\"SELECT \\u0000 1\"}", 400 },
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        json_decref(post_sql(w, bad[i].query, bad[i].type, bad[i].body, bad[i].status));
    static const struct {
        int error, status;
    } errors[] = { { -EINVAL, 400 },  { -ETIME, 422 }, { -ENOMEM, 422 },
                   { -ENOTSUP, 503 }, { -EBUSY, 503 }, { -EIO, 500 } };
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        w->store.sql_error = errors[i].error;
        json_decref(post_sql(w, "", "text/plain", "SELECT 1", errors[i].status));
    }
    json_decref(get_json(w, "/api/v1/sql", 405));
}

static void sql_is_off(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    serve(w, &o);
    json_decref(post_sql(w, "", "text/plain", "SELECT 1", 403));
}

static void nonsense_is_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *target;
        int status;
        const char *parameter;
    } rows[] = {
        { "/api/v1/search?q=fromage:x", 400, "q" },
        { "/api/v1/search?q=a%00b", 400, "q" },
        { "/api/v1/search?limit=-1", 400, "limit" },
        { "/api/v1/search?limit=100001", 400, "limit" },
        { "/api/v1/search?limit=", 400, "limit" },
        { "/api/v1/search?limit=1&limit=2", 400, "limit" },
        { "/api/v1/search?order=up", 400, "order" },
        { "/api/v1/search?after=x", 400, "after" },
        { "/api/v1/search?after=1_2_3", 400, "after" },
        { "/api/v1/search?columns=ts,nope", 400, "columns" },
        { "/api/v1/search?from=yesterday", 400, "from" },
        { "/api/v1/search?from=now&to=-1h", 400, "to" },
        { "/api/v1/search?timeout=never", 400, "timeout" },
        { "/api/v1/search?timeout=0", 400, "timeout" },
        { "/api/v1/search?total=2", 400, "total" },
        { "/api/v1/search?payload=yes", 400, "payload" },
        { "/api/v1/search?format=xml", 400, "format" },
        { "/api/v1/search?verbose=1", 400, "" },
        { "/api/v1/search?%00=1", 400, "" },
        { "/api/v1/counts?by=fromage", 400, "by" },
        { "/api/v1/counts?by=payload", 400, "by" },
        { "/api/v1/counts?by=ts", 400, "by" },
        { "/api/v1/counts?by=user", 400, "by" },
        { "/api/v1/counts?q=(", 400, "q" },
        { "/api/v1/counts?top=0", 400, "top" },
        { "/api/v1/counts?top=101", 400, "top" },
        { "/api/v1/counts?interval=never", 400, "interval" },
        { "/api/v1/counts?interval=1ms", 400, "interval" },
        { "/api/v1/counts?from=2020-01-01&to=2026-01-01&interval=1", 400, "interval" },
        { "/api/v1/counts?limit=5", 400, "" },
        { "/api/v1/values", 400, "field" },
        { "/api/v1/values?field=nope", 400, "field" },
        { "/api/v1/values?field=method&limit=1001", 400, "limit" },
        { "/api/v1/fields?q=x", 400, "" },
        { "/api/v1/flow", 400, "call_id" },
        { "/api/v1/flow?call_id=", 400, "call_id" },
        { "/api/v1/message?seq=1", 400, "" },
        { "/api/v1/export?call_id=", 400, "call_id" },
        { "/api/v1/message?seq=0&ts=1", 400, "seq" },
        { "/api/v1/message?seq=18446744073709551616&ts=1", 400, "seq" },
        { "/health?x=1", 400, "" },
        { "/api/v1/", 404, "" },
        { "/api/v1/search/", 404, "" },
        { "/..%2f..%2fetc/passwd", 404, "" },
    };
    struct api_options o = usual(w);
    serve(w, &o);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *j = get_json(w, rows[i].target, rows[i].status);
        if (strcmp(text(j, "parameter"), rows[i].parameter) != 0)
            fail_msg("%s is about '%s'", rows[i].target, text(j, "parameter"));
        assert_int_equal(number(j, "status"), rows[i].status);
        json_decref(j);
    }
    json_t *j = get_json(w, "/api/v1/search?q=fromage:x", 400);
    assert_int_equal(number(j, "at"), 0);
    json_decref(j);
}

static void ask_raw(const struct world *w, const char *request, int status)
{
    struct answer a;
    int fd = dial(w);
    say(fd, request);
    (void)shutdown(fd, SHUT_WR);
    read_all(fd, &a);
    if (a.status != status)
        fail_msg("%.60s: %d, not %d: %s", request, a.status, status, a.text);
    answer_free(&a);
}

static void methods_are_few(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    serve(w, &o);
    ask_raw(w, "POST /api/v1/flow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 405);
    ask_raw(w, "POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            415);
    ask_raw(w, "DELETE / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405);
    ask_raw(w, "POST /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404);
    ask_raw(w, "GET /ready HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 413);
    int fd = dial(w);
    say(fd, "POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n");
    read_all(fd, &a);
    assert_int_equal(a.status, 413);
    answer_free(&a);
    fd = dial(w);
    say(fd, "POST /api/v1/flow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n");
    read_all(fd, &a);
    assert_int_equal(a.status, 405);
    assert_non_null(header_of(&a, "Allow: GET, HEAD\r\n"));
    answer_free(&a);
    fd = dial(w);
    say(fd, "HEAD /api/v1/search HTTP/1.0\r\nHost: localhost\r\n\r\n");
    read_all(fd, &a);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_len, 0);
    answer_free(&a);
}

/* A long filter works, a longer one is refused, a monstrous request is cut off: each time there is an answer. */
static void long_requests_have_an_end(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    serve(w, &o);
    static const struct {
        size_t fill;
        bool header;
        int least, most;
    } rows[] = {
        { 4000, false, 200, 200 },   { 20000, false, 400, 400 },  { 65400, false, 400, 400 },
        { 70000, false, 414, 414 },  { 200000, false, 414, 414 }, { 200000, true, 414, 414 },
        { 300000, false, 414, 431 }, { 300000, true, 414, 431 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct answer a;
        char *fill = malloc(rows[i].fill + 1);
        memset(fill, 'x', rows[i].fill);
        fill[rows[i].fill] = '\0';
        int fd = dial(w);
        say(fd, "GET /api/v1/search?q=callid:");
        say(fd, rows[i].header ? "x HTTP/1.0\r\nHost: localhost\r\nX: " : "");
        say(fd, fill);
        say(fd, rows[i].header ? "\r\n\r\n" : " HTTP/1.0\r\nHost: localhost\r\n\r\n");
        read_all(fd, &a);
        /* Where the rest of the request is still under way, the reset may overtake the answer. */
        bool cut = rows[i].most == 431 && a.status == 0;
        if (rows[i].least == 414 && rows[i].most == 414)
            assert_non_null(strstr(a.text, "application/problem+json"));
        if (!cut && (a.status < rows[i].least || a.status > rows[i].most))
            fail_msg("%zu: %d", rows[i].fill, a.status);
        answer_free(&a);
        free(fill);
    }
    json_decref(get_json(w, "/ready", 200));
}

static void ten_thousand_headers(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    serve(w, &o);
    int fd = dial(w);
    say(fd, "GET /ready HTTP/1.0\r\nHost: localhost\r\n");
    for (unsigned i = 0; i < 10000; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "X-%u: y\r\n", i);
        say(fd, line);
    }
    say(fd, "\r\n");
    read_all(fd, &a);
    assert_int_not_equal(a.status, 200);
    answer_free(&a);
    json_decref(get_json(w, "/ready", 200));
}

/* ------------------------------------------------------------------------------------------------ who may */

static void a_token_is_asked_for(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct errmsg err = { "" };
    struct api_options o = usual(w);
    o.token = "s3cret:x";
    serve(w, &o);
    static const char *const wrong[] = {
        "",
        "Authorization: Bearer s3cret:y\r\n",
        "Authorization: Bearer s3cret:\r\n",
        "Authorization: Bearer s3cret:xx\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: s3cret:x\r\n",
        "Authorization: Basic !!!\r\n",
        "Authorization: Basic czNjcmV0Ong=\r\n", /* s3cret:x: x is the password */
        "Authorization: Basic dXNlcg==\r\n",     /* no colon */
        "Authorization: Digest x\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(status_with(w, "/api/v1/search", wrong[i]), 401);
        assert_int_equal(status_with(w, "/nothing", wrong[i]), 401);
        assert_int_equal(status_with(w, "/metrics", wrong[i]), 401);
    }
    get(w, "/", "", &a);
    assert_non_null(header_of(&a, "WWW-Authenticate: Basic realm=\"hepcat\""));
    answer_free(&a);
    assert_int_equal(status_with(w, "/api/v1/search", "Authorization: Bearer s3cret:x\r\n"), 200);
    assert_int_equal(status_with(w, "/api/v1/search", "authorization: bearer s3cret:x\r\n"), 200);
    assert_int_equal(status_with(w, "/api/v1/search", "Authorization: Basic bWU6czNjcmV0Ong=\r\n"), 200);
    ask_raw(w,
            "POST /api/v1/sql HTTP/1.0\r\nHost: h\r\nAuthorization: Bearer s3cret:x\r\nSec-Fetch-Site: cross-site\r\n"
            "Content-Type: text/plain\r\nContent-Length: 8\r\n\r\nSELECT 1",
            403);
    assert_int_equal(status_with(w, "/ready", ""), 200);
    api_health_add(&w->health, false, "open_port", "secret detail");
    get(w, "/health", "", &a);
    assert_string_equal(a.body, "{\"status\":\"warning\"}\n");
    answer_free(&a);
    assert_int_equal(api_set_token(w->api, "other", &err), 0);
    assert_int_equal(status_with(w, "/metrics", "Authorization: Bearer s3cret:x\r\n"), 401);
    assert_int_equal(status_with(w, "/metrics", "Authorization: Bearer other\r\n"), 200);
    struct api_stats stats;
    api_stats(w->api, &stats);
    assert_int_equal(stats.denied, 3 * COUNT_OF(wrong) + 3);
}

static void without_a_token_only_loopback(void **state)
{
    struct world *w = *state;
    struct errmsg err = { "" };
    struct api_options o = usual(w);
    o.host = "0.0.0.0";
    assert_int_equal(api_start(&w->api, &o, &err), -1);
    assert_non_null(strstr(err.text, "loopback"));
    w->api = NULL;
    o.token = "x";
    serve(w, &o);
    assert_int_equal(api_set_token(w->api, "", &err), -1);
    assert_int_equal(status_with(w, "/metrics", ""), 401);
}

static void other_names_are_refused(void **state)
{
    struct world *w = *state;
    struct api_options o = usual(w);
    serve(w, &o);
    ask_raw(w, "GET /ready HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403);
    ask_raw(w, "GET /ready HTTP/1.0\r\nHost: localhost.evil.example:9080\r\n\r\n", 403);
    ask_raw(w, "GET /ready HTTP/1.0\r\n\r\n", 403);
    ask_raw(w, "GET /ready HTTP/1.0\r\nHost: 127.0.0.1:9080\r\n\r\n", 200);
    ask_raw(w, "GET /ready HTTP/1.0\r\nHost: [::1]:9080\r\n\r\n", 200);
    ask_raw(w, "GET /ready HTTP/1.0\r\nHost: LocalHost\r\n\r\n", 200);
    assert_int_equal(status_with(w, "/ready", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"), 403);
    assert_int_equal(status_with(w, "/", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n"), 200);
    assert_int_equal(status_with(w, "/", "Sec-Fetch-Site: same-origin\r\n"), 200);
    static const char *const foreign[] = { "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
                                           "Origin: http://evil.example\r\n", "Origin: null\r\n",
                                           "Origin: http://localhost.evil.example\r\n" };
    for (size_t i = 0; i < COUNT_OF(foreign); i++) { /* forms of pages somewhere else: text/plain needs no permission */
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "POST /api/v1/sql HTTP/1.0\r\nHost: localhost\r\n%sContent-Type: text/plain\r\n"
                       "Content-Length: 8\r\n\r\nSELECT 1",
                       foreign[i]);
        struct answer form;
        int fd = dial(w);
        say(fd, text);
        read_all(fd, &form);
        assert_int_equal(form.status, 403);
        assert_non_null(strstr(form.body, "other sites"));
        answer_free(&form);
    }
    static const char *const bad[] = { "",          "localhost.", "127.0.0.1.evil", "[::1",    "[::1]x",         "::1]",
                                       "128.0.0.1", "[::2]",      "localhostx",     "0.0.0.0", "127.0.0.1:80:80" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (api_guard_is_loopback(bad[i]))
            fail_msg("'%s' is taken for loopback", bad[i]);
}

static void a_port_in_use_is_told(void **state)
{
    struct world *w = *state;
    struct api *second = NULL;
    struct errmsg err = { "" };
    struct api_options o = usual(w);
    serve(w, &o);
    o.port = api_port(w->api);
    assert_int_equal(api_start(&second, &o, &err), -1);
    assert_non_null(strstr(err.text, "in use"));
}

/* ------------------------------------------------------------------------------------------------ many at once */

static void hang(struct world *w, bool on)
{
    (void)pthread_mutex_lock(&w->store.lock);
    w->store.hang = on;
    (void)pthread_mutex_unlock(&w->store.lock);
}

/* Waits until a figure of the store or of the server is what it should become. */
static void await(struct world *w, const size_t *in_store, uint64_t value)
{
    for (unsigned i = 0; i < WAIT_MS; i++) {
        (void)pthread_mutex_lock(&w->store.lock);
        bool reached = *in_store == value;
        (void)pthread_mutex_unlock(&w->store.lock);
        if (reached)
            return;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("it did not come to %llu", (unsigned long long)value);
}

static void await_waiting(struct world *w, uint64_t value)
{
    for (unsigned i = 0; i < WAIT_MS; i++) {
        struct api_stats stats;
        api_stats(w->api, &stats);
        if (stats.searches_waiting == value)
            return;
        (void)poll(NULL, 0, 1);
    }
    fail_msg("nobody waits");
}

#define SEARCH "GET /api/v1/search HTTP/1.0\r\nHost: localhost\r\n\r\n"

static void searches_take_turns(void **state)
{
    struct world *w = *state;
    struct answer a;
    int fds[3];
    struct api_options o = usual(w);
    serve(w, &o);
    hang(w, true);
    for (size_t i = 0; i < 2; i++)
        say(fds[i] = dial(w), SEARCH);
    await(w, &w->store.scanning, 2);
    say(fds[2] = dial(w), SEARCH);
    await_waiting(w, 1);
    get(w, "/api/v1/search", "", &a); /* the queue is full */
    assert_int_equal(a.status, 429);
    assert_non_null(header_of(&a, "Retry-After: 1\r\n"));
    answer_free(&a);
    json_decref(get_json(w, "/health", 200)); /* what is no search goes on */
    hang(w, false);
    for (size_t i = 0; i < 3; i++) {
        read_all(fds[i], &a);
        assert_int_equal(a.status, 200);
        answer_free(&a);
    }
    assert_int_equal(w->store.scanning_peak, 2);
}

static void nobody_waits_for_ever(void **state)
{
    struct world *w = *state;
    struct answer a;
    int fds[2];
    struct api_options o = usual(w);
    o.waiting_ms = 50;
    serve(w, &o);
    hang(w, true);
    for (size_t i = 0; i < 2; i++)
        say(fds[i] = dial(w), SEARCH);
    await(w, &w->store.scanning, 2);
    get(w, "/api/v1/search", "", &a);
    assert_int_equal(a.status, 429);
    answer_free(&a);
    hang(w, false);
    for (size_t i = 0; i < 2; i++) {
        read_all(fds[i], &a);
        answer_free(&a);
    }
}

static void who_leaves_cancels(void **state)
{
    struct world *w = *state;
    int fds[3];
    struct api_options o = usual(w);
    serve(w, &o);
    hang(w, true);
    for (size_t i = 0; i < 2; i++)
        say(fds[i] = dial(w), SEARCH);
    await(w, &w->store.scanning, 2);
    say(fds[2] = dial(w), SEARCH);
    await_waiting(w, 1);
    (void)close(fds[2]); /* one that waits */
    await_waiting(w, 0);
    (void)close(fds[0]);
    await(w, &w->store.cancelled, 1);
    (void)close(fds[1]);
    await(w, &w->store.cancelled, 2);
    await(w, &w->store.scanning, 0);
}

static void the_end_cancels(void **state)
{
    struct world *w = *state;
    int fds[2];
    struct api_options o = usual(w);
    serve(w, &o);
    hang(w, true);
    for (size_t i = 0; i < 2; i++)
        say(fds[i] = dial(w), SEARCH);
    await(w, &w->store.scanning, 2);
    api_stop(w->api);
    w->api = NULL;
    assert_int_equal(w->store.cancelled, 2);
    for (size_t i = 0; i < 2; i++)
        (void)close(fds[i]);
}

/* A request that never ends, and an answer that is never read: both connections end, and nothing stays pinned. */
/* Whatever comes, and then the connection is reset: an end would look like that of the answer. */
static void read_reset(int fd)
{
    char octets[4096];
    ssize_t n;
    while ((n = recv(fd, octets, sizeof(octets), 0)) > 0)
        ;
    assert_int_equal(n, -1);
    assert_int_equal(errno, ECONNRESET);
    (void)close(fd);
}

static void slow_clients_are_cut_off(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    static char octets[250000];
    o.request_ms = 150;
    o.answer_ms = 300;
    memset(octets, 'x', sizeof(octets) - 1);
    for (uint64_t i = 6; i <= 200; i++)
        fake_store_sip(&w->store, NOW, i, "big", "INVITE", -1)->payload = fake_slice(octets);
    serve(w, &o);
    int slow = dial(w);
    say(slow, "GET /ready HTTP/1.1\r\nHost: loc");
    read_all(slow, &a);
    assert_int_not_equal(a.status, 200);
    answer_free(&a);
    int deaf = dial(w), old = dial(w);
    say(deaf, "GET /api/v1/search?payload=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    say(old, "GET /api/v1/search?payload=1 HTTP/1.0\r\nHost: localhost\r\n\r\n");
    await(w, &w->store.scans, 2);
    await(w, &w->store.pins, 0);
    (void)close(deaf);
    read_reset(old);
    struct api_stats stats;
    api_stats(w->api, &stats);
    assert_int_equal(stats.overdue, 3);
}

/* Those that say nothing make room for the others, who wait meanwhile. */
static void connections_are_limited(void **state)
{
    struct world *w = *state;
    int fds[8];
    struct api_options o = usual(w);
    o.requests = o.exports = o.live = o.reserve = 1;
    serve(w, &o);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = dial(w);
    assert_int_equal(status_with(w, "/ready", ""), 200);
    struct api_stats stats;
    api_stats(w->api, &stats);
    assert_true(stats.displaced >= 1);
    assert_true(stats.connections_open <= 4);
    assert_int_equal(stats.overdue, 0);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        (void)close(fds[i]);
}

/* Requests that are under way take what is theirs; state is answered all the same. */
static void requests_have_a_share(void **state)
{
    static char octets[250000];
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    o.requests = 2;
    o.exports = 1;
    memset(octets, 'x', sizeof(octets) - 1);
    for (uint64_t i = 6; i <= 200; i++)
        fake_store_sip(&w->store, NOW, i, "big", "INVITE", -1)->payload = fake_slice(octets);
    serve(w, &o);
    int deaf[] = { dial(w), dial(w), dial(w) };
    say(deaf[0], "GET /api/v1/search?payload=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    say(deaf[1], "GET /api/v1/search?payload=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    say(deaf[2], "GET /api/v1/export?format=jsonl HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await(w, &w->store.pins, 3);
    static const char *const refused[] = { "/api/v1/search", "/api/v1/fields", "/api/v1/export" };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        get(w, refused[i], "", &a);
        assert_int_equal(a.status, 429);
        assert_non_null(header_of(&a, "Retry-After: "));
        assert_non_null(strstr(a.text, "Connection: close"));
        answer_free(&a);
    }
    assert_int_equal(status_with(w, "/ready", ""), 200);
    struct api_stats stats;
    api_stats(w->api, &stats);
    assert_int_equal(stats.requests_refused, 2);
    assert_int_equal(stats.exports_refused, 1);
    for (size_t i = 0; i < COUNT_OF(deaf); i++)
        (void)close(deaf[i]);
    await(w, &w->store.pins, 0);
    int status = 0;
    for (unsigned i = 0; i < WAIT_MS && status != 200; i++)
        status = status_with(w, "/api/v1/fields", "");
    assert_int_equal(status, 200);
}

/* Octets of a body that trickle in: the time is over, and the answer's time does not count. */
static void bodies_have_their_time(void **state)
{
    struct world *w = *state;
    struct answer a;
    struct api_options o = usual(w);
    o.request_ms = 200;
    o.sql = true;
    serve(w, &o);
    int fd = dial(w);
    int64_t began = api_clock_ms();
    say(fd, "POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
            "Content-Length: 1000\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        (void)send(fd, "x", 1, MSG_NOSIGNAL);
        (void)usleep(50000);
    }
    read_all(fd, &a);
    assert_int_not_equal(a.status, 200);
    answer_free(&a);
    struct api_stats stats;
    api_stats(w->api, &stats);
    assert_int_equal(stats.overdue, 1);
    assert_true(api_clock_ms() - began < 60000); /* the time of an answer is ten minutes */
}

/* ------------------------------------------------------------------------------------------------ exports */

/* A request by HTTP/1.1, whose answer tells by its last chunk that it is whole. */
static void get_chunked(const struct world *w, const char *target, struct answer *a)
{
    int fd = dial(w);
    say(fd, "GET ");
    say(fd, target);
    say(fd, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    read_all(fd, a);
}

static void exports_are_whole_or_an_error(void **state)
{
    static char payload[1001];
    struct world *w = *state;
    struct api_options o = usual(w);
    struct answer a;
    memset(payload, 'x', sizeof(payload) - 1);
    w->store.damaged_seq = 3;
    serve(w, &o);
    get(w, "/api/v1/export?format=jsonl", "", &a);
    assert_int_equal(a.status, 500);
    assert_non_null(strstr(a.body, "would not be whole"));
    answer_free(&a);
    get(w, "/api/v1/export?format=csv&partial=1", "", &a);
    assert_int_equal(a.status, 200);
    assert_memory_equal(header_of(&a, "Hepcat-Result: "), "{\"count\":4,\"exact\":false", 24);
    assert_memory_equal(header_of(&a, "Content-Disposition: "), "attachment; filename=\"hepcat.csv\"", 33);
    answer_free(&a);
    for (uint64_t i = 6; i <= 2000; i++)
        fake_store_sip(&w->store, NOW + (int64_t)i * 1000000, i, "c", "BYE", -1)->payload = fake_slice(payload);
    w->store.damaged_seq = 1500; /* in mid-file: it is cut off */
    get_chunked(w, "/api/v1/export?format=text", &a);
    assert_int_equal(a.status, 200);
    assert_true(a.len > 1000000);
    assert_null(strstr(a.text + a.len - 300, "\r\n0\r\n"));
    answer_free(&a);
    int fd = dial(w); /* HTTP/1.0 has no chunks: the connection is reset, it does not end */
    say(fd, "GET /api/v1/export?format=text HTTP/1.0\r\nHost: localhost\r\n\r\n");
    read_reset(fd);
    get_chunked(w, "/api/v1/export?format=text&partial=1", &a);
    assert_non_null(strstr(a.text + a.len - 300, "\r\n0\r\n"));
    assert_non_null(strstr(a.text + a.len - 300, "Hepcat-Result: {\"count\":1999,\"exact\":false"));
    answer_free(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exports_are_whole_or_an_error),
        TEST(searches_answer),
        TEST(totals_and_cursors),
        TEST(payloads_come_on_request),
        TEST(lines_tell_the_result_beside),
        TEST(long_answers_come_in_pieces),
        TEST(errors_of_the_store_are_told),
        TEST(flows_answer),
        TEST(long_exports_are_not_cut),
        TEST(answers_are_compressed),
        TEST(gzip_is_negotiated),
        TEST(messages_are_found_by_place),
        TEST(state_is_told),
        TEST(senders_are_listed),
        TEST(counts_answer),
        TEST(counts_of_nothing),
        TEST(values_answer),
        TEST(fields_are_listed),
        TEST(sql_answers),
        TEST(sql_is_off),
        TEST(nonsense_is_refused),
        TEST(methods_are_few),
        TEST(long_requests_have_an_end),
        TEST(ten_thousand_headers),
        TEST(a_token_is_asked_for),
        TEST(without_a_token_only_loopback),
        TEST(other_names_are_refused),
        TEST(a_port_in_use_is_told),
        TEST(searches_take_turns),
        TEST(nobody_waits_for_ever),
        TEST(who_leaves_cancels),
        TEST(the_end_cancels),
        TEST(slow_clients_are_cut_off),
        TEST(connections_are_limited),
        TEST(requests_have_a_share),
        TEST(bodies_have_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
