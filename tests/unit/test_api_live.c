/* GET /api/v1/live over a store of a few rows: events, what was missed, limits, clients that stand still, the end. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "fake_store.h"
#include "testlib.h"

#define NOW     INT64_C(1767225600000000)
#define WAIT_MS 20000

struct world {
    struct fake_store store;
    struct api *api;
    uint64_t seq;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    fake_store_init(&w->store);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    api_stop(w->api);
    assert_int_equal(w->store.pins, 0);
    assert_int_equal(w->store.following, 0);
    fake_store_free(&w->store);
    free(w);
    return 0;
}

static void serve(struct world *w, struct api_options o)
{
    struct errmsg err = { "" };
    o.sources.store = &w->store.base;
    o.live_start = 1;
    if (api_start(&w->api, &o, &err) != 0)
        fail_msg("%s", err.text);
}

static void nap(long ms)
{
    const struct timespec t = { .tv_nsec = ms * 1000000 };
    (void)nanosleep(&t, NULL);
}

static void rows(struct world *w, size_t n, const char *method)
{
    for (size_t i = 0; i < n; i++) {
        w->seq++;
        /* times run backwards: the order is that of arrival all the same */
        (void)fake_store_sip(&w->store, NOW - (int64_t)w->seq, w->seq, "call-1", method, -1);
    }
    fake_store_show(&w->store);
}

/* ------------------------------------------------------------------------------------------------ client */

struct client {
    int fd;
    char *text; /* what came, terminated */
    size_t len, cap;
    bool end;
};

static struct client ask(const struct world *w, const char *query, const char *headers)
{
    char request[1024];
    struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(api_port(w->api)) };
    struct client c = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .cap = 1 << 22 };
    c.text = calloc(1, c.cap);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    int len =
        snprintf(request, sizeof(request), "GET /api/v1/live%s HTTP/1.0\r\nHost: localhost\r\n%s\r\n", query, headers);
    assert_int_equal(send(c.fd, request, (size_t)len, MSG_NOSIGNAL), len);
    return c;
}

static void client_free(struct client *c)
{
    (void)close(c->fd);
    free(c->text);
}

static void read_some(struct client *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    if (poll(&p, 1, WAIT_MS) <= 0)
        fail_msg("nothing comes behind: %s", c->text);
    ssize_t n = recv(c->fd, c->text + c->len, c->cap - c->len - 1, 0);
    c->end = n <= 0;
    c->len += n > 0 ? (size_t)n : 0;
    c->text[c->len] = '\0';
}

static const char *wait_text(struct client *c, const char *text)
{
    const char *at;
    while ((at = strstr(c->text, text)) == NULL && !c->end)
        read_some(c);
    if (at == NULL)
        fail_msg("'%s' is not in: %s", text, c->text);
    return at;
}

static size_t count_of(const struct client *c, const char *text)
{
    size_t n = 0;
    for (const char *at = c->text; (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

/* ------------------------------------------------------------------------------------------------ tests */

static void rows_are_events(void **state)
{
    struct world *w = *state;
    serve(w, (struct api_options){ .live_beat_ms = 60000 });
    rows(w, 3, "INVITE");
    struct client c = ask(w, "?q=method:BYE&columns=seq,method", "");
    (void)wait_text(&c, "\r\n\r\nretry: 2000\nid: 1.3\n\n");
    assert_int_equal(strncmp(c.text, "HTTP/1.1 200 ", 13), 0);
    assert_non_null(strstr(c.text, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(c.text, "Cache-Control: no-store\r\n"));
    rows(w, 1, "INVITE");
    rows(w, 1, "BYE");
    (void)wait_text(&c, "\n\nid: 1.5\nevent: message\ndata: {\"table\":\"sip\",\"seq\":5,\"method\":\"BYE\"}\n\n");
    rows(w, 1, "BYE");
    (void)wait_text(&c, "id: 1.6\nevent: message\n");
    assert_int_equal(count_of(&c, "event: "), 2);
    client_free(&c);
}

static void silence_is_told(void **state)
{
    struct world *w = *state;
    serve(w, (struct api_options){ .live_beat_ms = 50 });
    struct client c = ask(w, "?q=method:BYE", "");
    (void)wait_text(&c, ": nothing new\nid: 1.0\n\n");
    rows(w, 2, "INVITE");
    (void)wait_text(&c, ": nothing new\nid: 1.2\n\n");
    assert_int_equal(count_of(&c, "event: "), 0);
    client_free(&c);
}

static void what_was_missed_comes_first(void **state)
{
    struct world *w = *state;
    serve(w, (struct api_options){ .live_beat_ms = 60000 });
    rows(w, 10, "INVITE");
    struct client c = ask(w, "?columns=method", "Last-Event-ID: 1.6-1-3\r\n"); /* all up to 6, but 5 and 3 */
    (void)wait_text(&c, "id: 1.10\n\n");
    rows(w, 1, "INVITE");
    (void)wait_text(&c, "id: 1.11\nevent: message\n");
    static const char *const ids[] = { "id: 1.3\n", "id: 1.5\n", "id: 1.7\n",
                                       "id: 1.8\n", "id: 1.9\n", "id: 1.10\nevent" };
    const char *at = c.text;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        at = strstr(at, ids[i]);
        if (at == NULL)
            fail_msg("no %s in its place: %s", ids[i], c.text);
    }
    assert_int_equal(count_of(&c, "event: message"), 7);
    assert_int_equal(count_of(&c, "\"seq\""), 0);
    client_free(&c);
    c = ask(w, "", "Last-Event-ID: 1.11\r\n"); /* nothing was missed */
    (void)wait_text(&c, "\r\n\r\nretry: 2000\nid: 1.11\n\n");
    client_free(&c);
    c = ask(w, "", "Last-Event-ID: 1.999\r\n"); /* of another store */
    (void)wait_text(&c, "\r\n\r\nretry: 2000\nid: 1.11\n\n");
    client_free(&c);
}

/* Numbers that a former server gave out and did not keep are those of other rows now. */
static void numbers_lost_in_a_crash_are_new(void **state)
{
    struct world *w = *state;
    rows(w, 3, "INVITE");
    serve(w, (struct api_options){ .live_beat_ms = 60000 });
    rows(w, 4, "BYE");
    struct client c = ask(w, "", "Last-Event-ID: 0.5-1\r\n"), d = ask(w, "", "Last-Event-ID: 1.5-1\r\n");
    (void)wait_text(&c, "id: 1.7\n\n");
    assert_int_equal(count_of(&c, "event: message"), 4);
    (void)wait_text(&d, "id: 1.7\n\n");
    assert_int_equal(count_of(&d, "event: message"), 3);
    client_free(&c);
    client_free(&d);
}

static void another_token_ends_streams(void **state)
{
    struct world *w = *state;
    struct errmsg err;
    serve(w, (struct api_options){ .live_beat_ms = 60000 });
    struct client c = ask(w, "", "");
    (void)wait_text(&c, "id: 1.0\n\n");
    assert_int_equal(api_set_token(w->api, "", &err), 0); /* none as before */
    rows(w, 1, "INVITE");
    (void)wait_text(&c, "id: 1.1\nevent: message");
    assert_int_equal(api_set_token(w->api, "secret", &err), 0);
    while (!c.end)
        read_some(&c);
    client_free(&c);
}

static void a_search_that_is_not_whole_is_told(void **state)
{
    struct world *w = *state;
    serve(w, (struct api_options){ .live_beat_ms = 60000 });
    rows(w, 3, "INVITE");
    w->store.inexact = true;
    struct client c = ask(w, "", "Last-Event-ID: 1.1\r\n");
    (void)wait_text(&c, "event: skipped\ndata: {\"count\":0,\"unseen\":0,\"exact\":false}\n\n");
    (void)wait_text(&c, "id: 1.3\nevent: message");
    client_free(&c);
}

static void skipped_rows_are_told(void **state)
{
    struct world *w = *state;
    serve(w, (struct api_options){ .live_beat_ms = 60000 });
    struct client c = ask(w, "?rate=10&columns=seq", "");
    (void)wait_text(&c, "id: 1.0\n\n");
    rows(w, 400, "INVITE");
    (void)wait_text(&c, "event: skipped\ndata: {\"count\":");
    (void)wait_text(&c, "id: 1.400\n");
    size_t skipped = 0;
    for (const char *at = c.text; (at = strstr(at, "\"count\":")) != NULL; at++)
        skipped += strtoul(at + 8, NULL, 10);
    assert_int_equal(skipped + count_of(&c, "event: message"), 400);
    struct api_stats stats;
    api_stats(w->api, &stats);
    assert_int_equal(stats.live, 1);
    assert_int_equal(stats.live_skipped, skipped);
    assert_int_equal(stats.live_sent, 400 - skipped);
    client_free(&c);
}

static void nonsense_is_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *query, *headers, *text;
    } cases[] = {
        { "?q=form:1", "", "unknown field" },
        { "?rate=0", "", "not a number in 1..5000" },
        { "?rate=5001", "", "not a number in 1..5000" },
        { "?columns=nothing", "", "nothing" },
        { "?limit=1", "", "unknown parameter 'limit'" },
        { "?payload=2", "", "is none of 0, 1" },
        { "", "Last-Event-ID: yesterday\r\n", "was never the id of an event" },
        { "", "Last-Event-ID: 7\r\n", "was never the id of an event" },
    };
    serve(w, (struct api_options){ .live_beat_ms = 60000 });
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client c = ask(w, cases[i].query, cases[i].headers);
        (void)wait_text(&c, cases[i].text);
        assert_int_equal(strncmp(c.text, "HTTP/1.1 400 ", 13), 0);
        client_free(&c);
    }
}

static void clients_are_limited(void **state)
{
    struct world *w = *state;
    struct client c[4];
    struct api_stats stats = { .live = 1 };
    serve(w, (struct api_options){ .live = 2, .live_beat_ms = 60000 });
    for (size_t i = 0; i < 2; i++) {
        c[i] = ask(w, "", "");
        (void)wait_text(&c[i], "id: 1.0\n\n");
    }
    for (size_t i = 2; i < 4; i++) {
        c[i] = ask(w, "", "");
        (void)wait_text(&c[i], "too many clients follow already");
        assert_int_equal(strncmp(c[i].text, "HTTP/1.1 429 ", 13), 0);
        assert_non_null(strstr(c[i].text, "Retry-After: 10\r\n"));
        assert_non_null(strstr(c[i].text, "Content-Type: application/problem+json\r\n"));
    }
    for (size_t i = 0; i < 4; i++)
        client_free(&c[i]);
    for (; stats.live > 0; nap(1))
        api_stats(w->api, &stats); /* who goes makes room */
    assert_int_equal(stats.live_refused, 2);
    c[0] = ask(w, "", "");
    (void)wait_text(&c[0], "id: 1.0\n\n");
    client_free(&c[0]);
}

/* One that does not read is skipped for, then cut off; the others get everything. */
static void who_stands_still_is_cut_off(void **state)
{
    struct world *w = *state;
    static char octets[60000];
    struct api_stats stats = { .live = 2 };
    memset(octets, 'x', sizeof(octets) - 1);
    serve(w, (struct api_options){ .live_beat_ms = 100, .idle_ms = 1000 });
    struct client deaf = ask(w, "?payload=1", ""), good = ask(w, "?columns=seq", "");
    (void)wait_text(&deaf, "id: 1.0\n\n");
    (void)wait_text(&good, "id: 1.0\n\n");
    for (size_t i = 0; stats.live > 1; i++) { /* more than the kernel keeps for it */
        for (size_t k = 0; i < 500 && k < 15; k++)
            fake_store_sip(&w->store, NOW, ++w->seq, "big", "INVITE", -1)->payload = fake_slice(octets);
        fake_store_show(&w->store);
        nap(20);
        api_stats(w->api, &stats);
    }
    rows(w, 1, "BYE");
    char last[64];
    (void)snprintf(last, sizeof(last), "id: 1.%llu\nevent: message", (unsigned long long)w->seq);
    (void)wait_text(&good, last);
    client_free(&deaf);
    client_free(&good);
}

static void a_stream_outlives_the_time_of_an_answer(void **state)
{
    struct world *w = *state;
    struct client c;
    serve(w, (struct api_options){ .live_beat_ms = 50, .answer_ms = 100, .request_ms = 100, .idle_ms = 1000 });
    c = ask(w, "", "");
    while (count_of(&c, ": nothing new") < 40) /* two seconds, at least */
        read_some(&c);
    assert_false(c.end);
    client_free(&c);
}

static void the_end_ends_streams(void **state)
{
    struct world *w = *state;
    serve(w, (struct api_options){ .live_beat_ms = 60000 });
    struct client c = ask(w, "", "");
    (void)wait_text(&c, "id: 1.0\n\n");
    api_stop(w->api);
    w->api = NULL;
    while (!c.end)
        read_some(&c);
    client_free(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_events),
        TEST(silence_is_told),
        TEST(what_was_missed_comes_first),
        TEST(numbers_lost_in_a_crash_are_new),
        TEST(another_token_ends_streams),
        TEST(a_search_that_is_not_whole_is_told),
        TEST(skipped_rows_are_told),
        TEST(nonsense_is_refused),
        TEST(clients_are_limited),
        TEST(who_stands_still_is_cut_off),
        TEST(a_stream_outlives_the_time_of_an_answer),
        TEST(the_end_ends_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
