#include <errno.h>
#include <time.h>

#include "api/internal.h"
#include "query/row_json.h"

#define PIECE ((size_t)256 << 10) /* octets after which a piece is enough; a row more may come on top */

void api_rows_piece(struct api_rows *rows, struct buf *out)
{
    rows->out = out;
    if (!rows->lines && !rows->started)
        buf_puts(out, "{\"rows\":[");
    rows->started = true;
}

int api_rows_put(void *arg, enum record_table table, const struct record_cell *cells,
                 const struct store_columns *columns)
{
    struct api_rows *rows = arg;
    if (!rows->lines && rows->any)
        buf_putc(rows->out, ',');
    if (!rows->lines)
        buf_putc(rows->out, '\n');
    rows->any = true;
    row_json(rows->out, table, cells, columns);
    if (rows->lines)
        buf_putc(rows->out, '\n');
    return rows->out->len >= PIECE || rows->out->failed;
}

void api_rows_end(struct api_rows *rows, void (*result)(void *ctx, struct buf *out), void *ctx)
{
    if (rows->lines)
        return;
    buf_puts(rows->out, rows->any ? "\n]," : "],");
    result(ctx, rows->out);
    buf_puts(rows->out, "}\n");
}

/* ------------------------------------------------------------------------------------------------ turns */

int api_turn_begin(struct api *a, struct api_conn *conn, bool patient, struct errmsg *err)
{
    api_conn_watch(&a->conns, conn, true);
    int rc = api_gate_enter(&a->gate, conn == NULL ? NULL : &conn->gone, patient);
    if (rc == 0)
        return 0;
    api_conn_watch(&a->conns, conn, false);
    if (rc == -ECANCELED) {
        (void)errmsg_set(err, "cancelled");
        return api_store_status(a, rc);
    }
    atomic_fetch_add(&a->refused, 1);
    (void)errmsg_set(err, "%s; try again", rc == -EBUSY ? "too many searches wait already" : "no turn came in time");
    return -429;
}

void api_turn_end(struct api *a, struct api_conn *conn)
{
    api_gate_leave(&a->gate);
    api_conn_watch(&a->conns, conn, false);
}

unsigned api_retry_after(int status)
{
    return status == -503 || status == -429 ? 1 : 0;
}

int api_store_status(struct api *a, int rc)
{
    if (rc == -ECANCELED)
        atomic_fetch_add(&a->cancelled, 1);
    return rc == -ECANCELED || rc == -ENOMEM || rc == -EBUSY || rc == -EAGAIN ? -503 : rc == -EINVAL ? -400 : -500;
}

static uint64_t clock_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

bool api_in_turn(struct api_request *r, struct api_reply *reply,
                 int (*run)(void *arg, const atomic_bool *cancel, bool *ret_timed_out, struct errmsg *err), void *arg)
{
    struct api *a = r->api;
    struct errmsg err = { "" };
    bool timed_out = false;
    int status = api_turn_begin(a, r->conn, false, &err);
    if (status == 0) {
        uint64_t start = clock_us();
        int rc = run(arg, r->conn == NULL ? NULL : &r->conn->gone, &timed_out, &err);
        api_turn_end(a, r->conn);
        atomic_fetch_add(&a->searches, 1);
        atomic_fetch_add(&a->searches_us, clock_us() - start);
        atomic_fetch_add(&a->timed_out, timed_out);
        if (rc == 0)
            return true;
        status = api_store_status(a, rc);
    }
    reply->retry_after = api_retry_after(status);
    return api_problem(reply, (unsigned)-status, "%s", err.text);
}

struct finding {
    struct api *api;
    struct search_options options;
    struct search **ret;
};

static int find(void *arg, const atomic_bool *cancel, bool *ret_timed_out, struct errmsg *err)
{
    struct finding *f = arg;
    f->options.cancel = cancel;
    int rc = search_open(f->ret, f->api->sources.store, &f->options, err);
    *ret_timed_out = rc == 0 && search_result(*f->ret)->timed_out;
    return rc;
}

bool api_search(struct api_request *r, const struct search_options *o, struct search **ret, struct api_reply *reply)
{
    struct finding f = { .api = r->api, .options = *o, .ret = ret };
    return api_in_turn(r, reply, find, &f);
}
