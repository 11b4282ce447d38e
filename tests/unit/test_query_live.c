/* Rows as they come, to clients with queues of a size and rates; and the text of what a client has had. */
#include <errno.h>
#include <time.h>

#include "fake_store.h"
#include "query/live.h"
#include "testlib.h"

#define NOW     INT64_C(1767225600000000)
#define WAIT_MS 20000u

/* ------------------------------------------------------------------------------------------------ what was seen */

static void numbers_and_gaps(void **state)
{
    (void)state;
    struct store_seen s = { .max = 0 };
    char text[SEEN_TEXT_MAX];
    static const struct {
        uint64_t seq;
        const char *text;
    } steps[] = {
        { 1, "1" },   { 2, "2" },   { 4, "4-1" }, { 7, "7-1-2-4" }, { 6, "7-2-4" },
        { 3, "7-2" }, { 3, "7-2" }, { 5, "7" },   { 8, "8" },       { 40, "40-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16" },
    };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        seen_note(&s, steps[i].seq);
        seen_format(&s, text);
        assert_string_equal(text, steps[i].text);
    }
    for (uint64_t seq = 24; seq < 40; seq++)
        seen_note(&s, seq);
    seen_note(&s, 42);
    assert_true(store_seen_has(&s, 40) && !store_seen_has(&s, 41) && store_seen_has(&s, 42) && !store_seen_has(&s, 43));
    assert_int_equal(store_seen_least(&s), 41);
    for (uint64_t seq = 43; seq < 70000; seq++)
        seen_note(&s, seq);
    seen_format(&s, text);
    assert_string_equal(text, "69999"); /* that one never came */
    seen_note(&s, UINT64_MAX - 1);
    assert_int_equal(s.gap_count, STORE_GAPS_MAX);
}

static void texts_are_read_back(void **state)
{
    (void)state;
    struct store_seen s, up_to;
    char text[SEEN_TEXT_MAX];
    static const char *const good[] = { "0", "1", "7-1-2-4", "18446744073709551614-1-2-3", "12345678-12345677" };
    static const char *const bad[] = { "",
                                       "-",
                                       "-1",
                                       "1-",
                                       "1-2",
                                       "7-0",
                                       "7-2-1",
                                       "7-1-1",
                                       "7-1-",
                                       "7--1",
                                       "x",
                                       "7 ",
                                       "18446744073709551615",
                                       "99-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16-17",
                                       "7-1\n" };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_true(seen_parse(good[i], strlen(good[i]), &s));
        seen_format(&s, text);
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (seen_parse(bad[i], strlen(bad[i]), &s))
            fail_msg("'%s' was taken", bad[i]);
    assert_true(seen_parse("9-1-3-8", 7, &s));
    up_to = seen_up_to(&s, 7);
    seen_format(&up_to, text);
    assert_string_equal(text, "7-1-6");
}

/* ------------------------------------------------------------------------------------------------ clients */

struct world {
    struct fake_store store;
    struct live *live;
    struct filter *filter;
    uint64_t seq;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct filter_error err;
    fake_store_init(&w->store);
    assert_int_equal(filter_parse(&w->filter, "method:INVITE", 13, &err), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    live_close(w->live);
    assert_int_equal(w->store.pins, 0);
    assert_int_equal(w->store.following, 0);
    fake_store_free(&w->store);
    filter_free(w->filter);
    free(w);
    return 0;
}

static void open_live(struct world *w, struct live_options o)
{
    o.store = &w->store.base;
    o.interval_ms = 1;
    assert_int_equal(live_open(&w->live, &o), 0);
}

static void rows(struct world *w, size_t n, const char *method)
{
    for (size_t i = 0; i < n; i++) {
        w->seq++;
        (void)fake_store_sip(&w->store, NOW + (int64_t)w->seq, w->seq, "call-1", method, -1);
    }
    fake_store_show(&w->store);
}

static struct live_client *join_as(struct world *w, const struct filter *filter, unsigned rate, const char *columns)
{
    struct live_client *c = NULL;
    struct store_seen seen;
    struct live_ask ask = { .filter = filter, .rate = rate };
    struct errmsg err;
    assert_int_equal(columns_parse(&ask.columns, columns, strlen(columns), &err), 0);
    assert_int_equal(live_join(w->live, &ask, &c, &seen), 0);
    assert_int_equal(seen.max, w->seq);
    return c;
}

struct taken {
    uint64_t rows, skipped, unseen, first, last;
    char place[SEEN_TEXT_MAX];
    uint64_t enough; /* rows */
};

static int on_item(void *arg, const struct live_item *item)
{
    struct taken *t = arg;
    t->skipped += item->skipped;
    t->unseen += item->unseen;
    assert_non_null(item->place);
    (void)snprintf(t->place, sizeof(t->place), "%s", item->place);
    if (item->json == NULL)
        return 0;
    const char *at = memmem(item->json, item->len, "\"seq\":", 6);
    uint64_t seq = at != NULL ? strtoull(at + 6, NULL, 10) : 0;
    assert_true(at == NULL || seq > t->last);
    t->first = t->rows == 0 ? seq : t->first;
    t->last = seq;
    t->rows++;
    return t->enough > 0 && t->rows >= t->enough;
}

/* Until so many rows came or were told as missing. */
static void take(struct world *w, struct live_client *c, struct taken *t, uint64_t count)
{
    while (t->rows + t->skipped + t->unseen < count)
        if (live_take(w->live, c, WAIT_MS, on_item, t, NULL) <= 0)
            fail_msg("nothing comes");
}

static void rows_come_as_they_are_stored(void **state)
{
    struct world *w = *state;
    struct taken all = { .rows = 0 }, some = { .rows = 0 };
    char place[SEEN_TEXT_MAX] = "";
    open_live(w, (struct live_options){ .clients = 2 });
    rows(w, 5, "INVITE"); /* nobody gets them */
    struct live_client *a = join_as(w, NULL, 1000, "seq,method"), *b = join_as(w, w->filter, 1000, "seq,method");
    assert_int_equal(w->store.following, 1);
    assert_int_equal(live_take(w->live, a, 0, on_item, &all, place), 0);
    assert_string_equal(place, "5");
    rows(w, 10, "INVITE");
    rows(w, 7, "BYE");
    rows(w, 3, "INVITE");
    take(w, a, &all, 20);
    take(w, b, &some, 13);
    assert_int_equal(all.rows, 20);
    assert_int_equal(all.first, 6);
    assert_int_equal(all.last, 25);
    assert_string_equal(all.place, "25");
    assert_int_equal(some.rows, 13);
    assert_int_equal(some.last, 25);
    struct live_figures f;
    live_figures(w->live, &f);
    assert_int_equal(f.clients, 2);
    assert_int_equal(f.sent, 33);
    assert_int_equal(f.skipped + f.unseen, 0);
    live_leave(w->live, a);
    assert_int_equal(w->store.following, 1);
    live_leave(w->live, b);
    assert_int_equal(w->store.following, 0);
}

static void columns_are_those_asked_for(void **state)
{
    struct world *w = *state;
    struct taken with = { .rows = 0 }, without = { .rows = 0 };
    open_live(w, (struct live_options){ .clients = 3 });
    struct live_client *a = join_as(w, NULL, 10, "method,payload"), *b = join_as(w, NULL, 10, "seq");
    rows(w, 4, "INVITE");
    take(w, a, &with, 4);
    take(w, b, &without, 4);
    assert_int_equal(with.last, 0);
    assert_int_equal(without.last, 4);
    assert_true(store_columns_has(&w->store.last_columns, RECORD_COL_payload));
    live_leave(w->live, b);
    live_leave(w->live, a);
}

static void too_many_are_skipped_and_told(void **state)
{
    struct world *w = *state;
    struct taken t = { .rows = 0 };
    open_live(w, (struct live_options){ .clients = 1 });
    struct live_client *c = join_as(w, w->filter, 20, "seq");
    rows(w, 300, "BYE");
    rows(w, 300, "INVITE");
    take(w, c, &t, 300);
    assert_int_equal(t.rows + t.skipped, 300);
    assert_int_equal(t.unseen, 0);
    assert_in_range(t.rows, 20, 300);
    assert_true(t.skipped > 0);
    assert_string_equal(t.place, "600");
    live_leave(w->live, c);
}

static void a_queue_has_an_end(void **state)
{
    struct world *w = *state;
    struct taken t = { .rows = 0 };
    open_live(w, (struct live_options){ .clients = 1, .queue_rows = 50 });
    struct live_client *c = join_as(w, NULL, 5000, "seq");
    struct live_figures f = { 0 };
    rows(w, 200, "INVITE");
    for (const struct timespec nap = { .tv_nsec = 1000000 }; f.skipped < 150; (void)nanosleep(&nap, NULL))
        live_figures(w->live, &f);
    take(w, c, &t, 200);
    assert_int_equal(t.rows, 50);
    assert_int_equal(t.skipped, 150);
    assert_int_equal(t.last, 50);
    rows(w, 5, "INVITE"); /* there is room again */
    take(w, c, &t, 205);
    assert_int_equal(t.rows, 55);
    assert_int_equal(t.last, 205);
    live_leave(w->live, c);
}

/* Octets, too; but a row that is longer than the whole queue comes. */
static void a_queue_is_bounded_in_octets(void **state)
{
    struct world *w = *state;
    struct taken t = { .rows = 0 };
    open_live(w, (struct live_options){ .clients = 1, .queue_octets = 10 });
    struct live_client *c = join_as(w, NULL, 5000, "seq");
    rows(w, 3, "INVITE");
    take(w, c, &t, 3);
    assert_in_range(t.rows, 1, 3);
    assert_int_equal(t.first, 1);
    assert_int_equal(t.rows + t.skipped, 3);
    live_leave(w->live, c);
}

static void what_the_store_passed_over_is_told(void **state)
{
    struct world *w = *state;
    struct taken t = { .rows = 0 };
    open_live(w, (struct live_options){ .clients = 1 });
    struct live_client *c = join_as(w, NULL, 100, "seq");
    (void)pthread_mutex_lock(&w->store.lock);
    w->store.behind = 1000;
    (void)pthread_mutex_unlock(&w->store.lock);
    take(w, c, &t, 1000);
    assert_int_equal(t.unseen, 1000);
    rows(w, 1, "INVITE");
    take(w, c, &t, 1001);
    assert_int_equal(t.rows, 1);
    live_leave(w->live, c);
}

static void rows_that_cannot_be_read_are_told(void **state)
{
    struct world *w = *state;
    struct taken t = { .rows = 0 };
    open_live(w, (struct live_options){ .clients = 1 });
    struct live_client *c = join_as(w, NULL, 100, "seq");
    w->store.damaged_seq = 3;
    rows(w, 5, "INVITE");
    take(w, c, &t, 5);
    assert_int_equal(t.rows, 4);
    assert_int_equal(t.skipped, 1);
    assert_string_equal(t.place, "5");
    live_leave(w->live, c);
}

static void clients_are_limited(void **state)
{
    struct world *w = *state;
    struct live_client *c[3], *more = NULL;
    struct store_seen seen;
    struct live_ask ask = { .rate = 1 };
    struct live_figures f;
    open_live(w, (struct live_options){ .clients = 3 });
    for (size_t i = 0; i < 3; i++)
        c[i] = join_as(w, NULL, 1, "seq");
    assert_int_equal(live_join(w->live, &ask, &more, &seen), -EBUSY);
    live_leave(w->live, c[1]);
    c[1] = join_as(w, NULL, 1, "seq");
    live_figures(w->live, &f);
    assert_int_equal(f.refused, 1);
    for (size_t i = 0; i < 3; i++)
        live_leave(w->live, c[i]);
}

static void *stop(void *arg)
{
    live_stop(((struct world *)arg)->live);
    return NULL;
}

/* Who waits is woken; what is in the queue still comes. */
static void the_end_is_told(void **state)
{
    struct world *w = *state;
    struct taken t = { .enough = 1 };
    pthread_t thread;
    struct store_seen seen;
    struct live_ask ask = { .rate = 1 };
    struct live_figures f;
    struct live_client *more = NULL;
    open_live(w, (struct live_options){ .clients = 2 });
    struct live_client *a = join_as(w, NULL, 10, "seq"), *b = join_as(w, NULL, 10, "seq");
    rows(w, 2, "INVITE");
    take(w, a, &t, 1);
    struct taken u = { .rows = 0 };
    take(w, b, &u, 2);
    assert_int_equal(pthread_create(&thread, NULL, stop, w), 0);
    assert_int_equal(live_take(w->live, b, WAIT_MS, on_item, &u, NULL), -ECANCELED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(live_take(w->live, a, WAIT_MS, on_item, &t, NULL), 1);
    assert_int_equal(live_take(w->live, a, WAIT_MS, on_item, &t, NULL), -ECANCELED);
    assert_int_equal(t.rows, 2);
    assert_int_equal(live_join(w->live, &ask, &more, &seen), -ECANCELED);
    live_figures(w->live, &f);
    assert_int_equal(f.sent, 4);
    live_leave(w->live, a);
    live_leave(w->live, b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_gaps),
        cmocka_unit_test(texts_are_read_back),
        TEST(rows_come_as_they_are_stored),
        TEST(columns_are_those_asked_for),
        TEST(too_many_are_skipped_and_told),
        TEST(a_queue_has_an_end),
        TEST(a_queue_is_bounded_in_octets),
        TEST(what_the_store_passed_over_is_told),
        TEST(rows_that_cannot_be_read_are_told),
        TEST(clients_are_limited),
        TEST(the_end_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
