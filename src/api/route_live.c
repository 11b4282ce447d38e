/*
 * GET /api/v1/live: rows as they come, as Server-Sent Events (https://html.spec.whatwg.org/multipage/
 * server-sent-events.html). The id of an event is the place in the stream behind it: who comes back with it as
 * Last-Event-ID first gets what it missed, by a search, then what comes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "query/row_json.h"

#define RATE_DEFAULT 1000
#define RATE_MAX     5000
#define MISSED_MAX   10000              /* rows that are made up for */
#define MISSED_US    UINT64_C(10000000) /* time that this may take */
#define PAGE         200
#define PIECE        ((size_t)64 << 10)
#define SLICE_MS     500 /* the client may have gone: looked at so often */
#define RETRY_MS     2000

/* A client, as long as it stays. */
struct tailing {
    struct api *api;
    struct api_conn *conn;
    struct filter *filter;
    struct live_client *client;
    struct store_seen had;  /* what it brought along */
    struct store_seen now;  /* when it came: the rest comes live */
    struct search *missed;  /* what it missed; NULL: nothing, or all is out */
    struct columns columns; /* of the rows */
    bool resumes, begun;
    int64_t spoken_ms;
    struct buf *out;
};

static void tailing_free(void *ctx)
{
    struct tailing *t = ctx;
    search_close(t->missed);
    if (t->client != NULL)
        live_leave(t->api->live, t->client);
    api_conn_watch(&t->api->conns, t->conn, false);
    filter_free(t->filter);
    free(t);
}

/* ------------------------------------------------------------------------------------------------ events */

/* The start of the server goes before the place: numbers that were lost in a crash are given out again. */
static void put_id(const struct tailing *t, const char *place)
{
    buf_printf(t->out, "id: %llx.%s\n", t->api->live_start, place);
}

static void put_skipped(const struct tailing *t, uint64_t skipped, uint64_t unseen, bool exact, const char *place)
{
    if (place != NULL)
        put_id(t, place);
    buf_printf(t->out, "event: skipped\ndata: {\"count\":%" PRIu64 ",\"unseen\":%" PRIu64 ",\"exact\":%s}\n\n", skipped,
               unseen, exact ? "true" : "false");
}

static void put_place(const struct tailing *t, const struct store_seen *seen)
{
    char place[SEEN_TEXT_MAX];
    seen_format(seen, place);
    put_id(t, place);
    buf_puts(t->out, "\n"); /* an id without data is kept, and no event */
}

static int put_item(void *arg, const struct live_item *item)
{
    struct tailing *t = arg;
    if (item->skipped > 0 || item->unseen > 0)
        put_skipped(t, item->skipped, item->unseen, true, item->json == NULL ? item->place : NULL);
    if (item->json != NULL) {
        put_id(t, item->place);
        buf_puts(t->out, "event: message\ndata: ");
        buf_put(t->out, item->json, item->len);
        buf_puts(t->out, "\n\n");
    }
    return t->out->len >= PIECE;
}

/* ------------------------------------------------------------------------------------------------ what was missed */

static int put_missed(void *arg, enum record_table table, const struct record_cell *cells,
                      const struct store_columns *columns)
{
    struct tailing *t = arg;
    char place[SEEN_TEXT_MAX];
    const struct store_seen seen = seen_up_to(&t->now, (uint64_t)cells[RECORD_COL_seq].number);
    seen_format(&seen, place);
    put_id(t, place);
    buf_puts(t->out, "event: message\ndata: ");
    row_json(t->out, table, cells, &t->columns.table[table]);
    buf_puts(t->out, "\n\n");
    (void)columns; /* those and the number */
    return t->out->len >= PIECE;
}

/* A piece of it; an error that ends it is told, too. */
static int next_missed(struct tailing *t, struct errmsg *err)
{
    int rc = search_next(t->missed, PAGE, put_missed, t, err);
    if (rc > 0)
        return 1;
    const struct search_result *r = search_result(t->missed);
    if (rc < 0 || r->unread > 0)
        put_skipped(t, r->unread, 0, rc == 0, NULL);
    put_place(t, &t->now);
    search_close(t->missed);
    t->missed = NULL;
    return 1;
}

/* `now` has the rows that do not come by themselves. */
static bool find_missed(struct api_request *r, struct api_reply *reply, struct tailing *t)
{
    uint64_t budget = (uint64_t)atomic_load(&r->api->search_ms) * 1000;
    struct search_options o = {
        .filter = t->filter,
        .from_us = INT64_MIN,
        .to_us = INT64_MAX,
        .limit = MISSED_MAX,
        .beyond = &t->had,
        .within = &t->now,
        .by_arrival = true,
        .budget_us = budget < MISSED_US ? budget : MISSED_US,
        .columns = t->columns,
    };
    for (size_t table = 0; table < RECORD_TABLES; table++)
        store_columns_add(&o.columns.table[table], RECORD_COL_seq);
    if (t->had.max > t->now.max || store_seen_least(&t->had) > t->now.max)
        return true; /* of another store, or it missed nothing */
    return api_search(r, &o, &t->missed, reply);
}

static void begin(struct tailing *t)
{
    const struct search_result *r = t->missed != NULL ? search_result(t->missed) : NULL;
    api_conn_watch(&t->api->conns, t->conn, true);
    buf_printf(t->out, "retry: %d\n", RETRY_MS);
    if (r == NULL)
        put_place(t, &t->now);
    else
        buf_puts(t->out, "\n");
    if (r != NULL && (r->left_out > 0 || !r->rows_exact))
        put_skipped(t, r->left_out, 0, r->rows_exact, NULL);
    t->begun = true;
}

/* ------------------------------------------------------------------------------------------------ the stream */

/* Nothing came for a while: a word, so that both sides see that the other is there, and the place. */
static void put_beat(struct tailing *t, const char *place)
{
    buf_puts(t->out, ": nothing new\n");
    put_id(t, place);
    buf_puts(t->out, "\n");
}

static int next_live(struct tailing *t)
{
    char place[SEEN_TEXT_MAX];
    int64_t beat = t->spoken_ms + t->api->live_beat_ms;
    for (;;) {
        int64_t left = beat - api_clock_ms();
        unsigned wait = left < 1 ? 1 : left < SLICE_MS ? (unsigned)left : SLICE_MS;
        int rc = live_take(t->api->live, t->client, wait, put_item, t, place);
        if (rc != 0)
            return rc > 0;
        if (t->conn != NULL && atomic_load(&t->conn->gone))
            return 0;
        if (api_clock_ms() >= beat) {
            put_beat(t, place);
            return 1;
        }
    }
}

/* Each piece has its time; how many there are is nobody's concern. */
static int next(void *ctx, struct buf *out, struct errmsg *err)
{
    struct tailing *t = ctx;
    int rc = 1;
    api_conn_limit(&t->api->conns, t->conn, t->api->live_beat_ms + 2 * t->api->idle_ms);
    t->out = out;
    if (!t->begun)
        begin(t);
    else if (t->missed != NULL)
        rc = next_missed(t, err);
    else
        rc = next_live(t);
    t->spoken_ms = api_clock_ms();
    return rc;
}

/* ------------------------------------------------------------------------------------------------ beginning */

/* Of what a former server gave out, rows up to the highest number that this one found are the same ones. */
static bool take_id(struct tailing *t, const char *id)
{
    char *dot;
    unsigned long long start = strtoull(id, &dot, 16);
    if (dot == id || *dot != '.' || !seen_parse(dot + 1, strlen(dot + 1), &t->had))
        return false;
    uint64_t first = t->api->live != NULL ? live_first(t->api->live) : 0;
    if (start != t->api->live_start && t->had.max > first)
        t->had = seen_up_to(&t->had, first);
    return true;
}

static bool take_params(struct api_request *r, struct api_reply *reply, struct tailing *t, struct live_ask *ask)
{
    uint64_t rate = RATE_DEFAULT;
    const char *id = MHD_lookup_connection_value(r->mc, MHD_HEADER_KIND, "Last-Event-ID");
    if (!api_param_filter(r, reply, &t->filter) || !api_param_columns(r, reply, &t->columns) ||
        !api_param_number(r, reply, "rate", 1, RATE_MAX, &rate))
        return false;
    ask->filter = t->filter;
    ask->columns = t->columns;
    ask->rate = (unsigned)rate;
    t->resumes = id != NULL && id[0] != '\0';
    return !t->resumes || take_id(t, id) || api_problem(reply, 400, "'%.64s' was never the id of an event", id);
}

static bool join(struct api_request *r, struct api_reply *reply, struct tailing *t, const struct live_ask *ask)
{
    int rc = r->api->live == NULL ? -ENOSYS : live_join(r->api->live, ask, &t->client, &t->now);
    if (rc == 0)
        return true;
    reply->retry_after = rc == -EBUSY ? 10 : 1;
    if (rc == -EBUSY)
        return api_problem(reply, 429, "too many clients follow already; try again");
    return api_problem(reply, 503, "%s", rc == -ECANCELED ? "the server is stopping" : strerror(-rc));
}

void api_get_live(struct api_request *r, struct api_reply *reply)
{
    struct live_ask ask = { .rate = RATE_DEFAULT };
    struct tailing *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        (void)api_problem(reply, 503, "out of memory");
        return;
    }
    t->api = r->api;
    t->conn = r->conn;
    if (!take_params(r, reply, t, &ask) || !join(r, reply, t, &ask))
        goto out;
    if (t->resumes && !find_missed(r, reply, t))
        goto out;
    reply->type = "text/event-stream";
    reply->stream = (struct api_stream){ next, NULL, tailing_free, t };
    return;
out:
    tailing_free(t);
}
