/* What the files of the folder share. */
#ifndef API_INTERNAL_H
#define API_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "hep/hep.h"
#include "query/live.h"
#include "query/search.h"

/* ------------------------------------------------------------------------------------------------ gate */

struct api_gate {
    pthread_mutex_t lock;
    pthread_cond_t turn;
    unsigned max, waiting_max, waiting_ms;
    unsigned running, waiting;
    bool closed;
};

int api_gate_init(struct api_gate *g, unsigned max, unsigned waiting_max, unsigned waiting_ms);
void api_gate_free(struct api_gate *g);

/*
 * 0: go on, and leave afterwards. -EBUSY: the queue is full. -ETIMEDOUT: waited too long. -ECANCELED: *gone became
 * true (api_gate_wake() says so), or the gate was closed. `patient`: in mid-answer, neither full queue nor time counts.
 */
int api_gate_enter(struct api_gate *g, const atomic_bool *gone, bool patient);
void api_gate_leave(struct api_gate *g);
void api_gate_wake(struct api_gate *g);  /* those who wait look at their flag again */
void api_gate_close(struct api_gate *g); /* nobody waits any more */
void api_gate_count(struct api_gate *g, unsigned *ret_running, unsigned *ret_waiting);

/* ------------------------------------------------------------------------------------------------ connections */

/* One connection, known from its start to its end. */
struct api_conn {
    struct api_conn *next;
    uint64_t id; /* never used again, unlike fd */
    int fd;
    bool coming;      /* accepted, and not with libmicrohttpd yet: fd may be closed already if that had no memory */
    bool busy;        /* a request is under way */
    int64_t idle_ms;  /* monotonic; since when none is */
    int64_t due_ms;   /* monotonic; when its patience ends; 0: never */
    bool by_end;      /* its answer is whole when the connection ends: if it is cut, that must look otherwise */
    bool watched;     /* a search runs for it: see whether the client is still there */
    atomic_bool gone; /* it is not */
};

/*
 * A thread that accepts connections and ends them in time, and tells searches whose client went away. At most `max` are
 * open, further ones wait in the backlog; if somebody waits there, the one that has been without a request for longest
 * is ended for it.
 */
struct api_conns {
    pthread_mutex_t lock;
    struct api_conn *first;
    size_t count, max;
    int wake;                                                                    /* eventfd */
    int listener;                                                                /* -1: none, or no more */
    bool (*take)(void *arg, int fd, const struct sockaddr *addr, socklen_t len); /* fd is its own, come what may */
    void *take_arg;
    pthread_t thread;
    bool started, stop;
    bool starved; /* of descriptors or memory: the next ones wait a moment */
    struct api_gate *gate, *sql_gate;
    uint64_t total, overdue, displaced;
    struct pollfd *polls;
    uint64_t *polled; /* ids of the connections in polls */
};

int api_conns_start(struct api_conns *c, size_t max, struct api_gate *gate, struct api_gate *sql_gate);
void api_conns_listen(struct api_conns *c, int fd); /* fd (non-blocking) is its own; take and take_arg are set */
void api_conns_shut(struct api_conns *c); /* its thread ends: nobody comes in, and every client counts as gone */
void api_conns_stop(struct api_conns *c);

struct api_conn *api_conn_begin(struct api_conns *c, int fd, unsigned limit_ms); /* NULL: it was not accepted here */
void api_conn_remove(struct api_conns *c, struct api_conn *conn);
void api_conn_busy(struct api_conns *c, struct api_conn *conn, bool busy);
void api_conn_limit(struct api_conns *c, struct api_conn *conn, unsigned limit_ms); /* from now; 0: none */
void api_conn_by_end(struct api_conns *c, struct api_conn *conn, bool by_end);
void api_conn_reset(struct api_conn *conn); /* its client sees an error, not an end */
void api_conn_watch(struct api_conns *c, struct api_conn *conn, bool watched);

/* ------------------------------------------------------------------------------------------------ shares */

/* Requests by what they may take of the connections. */
enum api_kind {
    API_KIND_REQUEST, /* one that is answered and done, however slow its reader */
    API_KIND_STATE,   /* answered always and soon */
    API_KIND_EXPORT,
    API_KIND_LIVE, /* live.h has its limit */
    API_KINDS
};

/* Those of one kind that are under way. */
struct api_share {
    unsigned max; /* 0: no limit of its own */
    atomic_uint open;
    atomic_uint_fast64_t refused;
};

/* ------------------------------------------------------------------------------------------------ server */

struct api {
    struct MHD_Daemon *daemon;
    struct api_sources sources;
    struct filter_rules numbers;
    struct live *live; /* NULL: there is no store */
    unsigned live_beat_ms;
    unsigned long long live_start; /* of this server, in the ids of its events */
    struct api_gate gate, sql_gate;
    bool sql; /* SQL is answered */
    struct api_share shares[API_KINDS];
    struct api_conns conns;
    unsigned request_ms, idle_ms, answer_ms;
    atomic_uint search_ms;
    uint16_t port;
    bool loopback;

    pthread_rwlock_t token_lock;
    char token[API_TOKEN_MAX + 1]; /* empty: none */

    atomic_uint_fast64_t requests, answers[6], denied, searches, searches_us, refused, cancelled, timed_out;
    atomic_uint imports;     /* bodies held now */
    atomic_uint sql_results; /* statements under way, until their readers have the results */
};

int64_t api_clock_ms(void); /* monotonic */

/* ------------------------------------------------------------------------------------------------ replies */

/*
 * An answer that is made as the client takes it. next() appends the next piece: 1, 0 with the last one, or a negative
 * HTTP status with a text. The first piece is made before the answer begins: its error is the answer, and an answer of
 * one piece is an ordinary one. A later error cuts the connection: the client sees that the answer is not whole.
 * result() appends the value of the field Hepcat-Result: a header where the first piece is all, else a trailer.
 */
struct api_stream {
    int (*next)(void *ctx, struct buf *out, struct errmsg *err);
    void (*result)(void *ctx, struct buf *out); /* may be NULL */
    void (*free)(void *ctx);
    void *ctx;
};

#define API_BODY_MAX ((size_t)4 << 20) /* octets of an answer, or of a piece of it */

struct api_reply {
    unsigned status;       /* 200 */
    const char *type;      /* static */
    const char *file_name; /* static; for Content-Disposition, NULL: none */
    unsigned retry_after;  /* seconds, 0: none */
    const char *allow;     /* of a 405 */
    bool html;             /* a page of ours, not data */
    const char *etag;      /* static, with its quotes; NULL: none. The same content is not sent again */
    bool gzip;             /* it goes out compressed: for reply.c */
    struct buf body;
    struct api_stream stream; /* next NULL: it is the body */
};

/* What a handler sees. */
struct api_request {
    struct api *api;
    struct MHD_Connection *mc;
    struct api_conn *conn;
    const struct api_route *route;
    const char *path;      /* unescaped; valid as long as the request */
    bool old;              /* HTTP/1.0: the end of an answer in pieces is that of the connection */
    bool authorised;       /* has shown the token, or there is none */
    struct api_form *form; /* NULL: the parameters are in the query string */
    bool begun;            /* the route's begin() was called */
    bool shares;           /* it counts in the share of its kind */
    int64_t began_ms;
    uint64_t body_len; /* octets of its body so far */
    unsigned refused;
    void *state; /* of the route */
};

struct api_route {
    const char *path;   /* may have one "{name}": api_path_value() */
    const char *method; /* GET also means HEAD */
    enum api_kind kind;
    bool open;                 /* answered without a token, see api_request.authorised */
    const char *const *params; /* names that may stand in the query string, NULL at the end */
    const char *const *form;   /* of a POST with the parameters as its body: their names */
    void (*handle)(struct api_request *r, struct api_reply *reply);
    /*
     * For routes that take a body. begin() is false with the reply made if it is not wanted; body() returns 0 or a
     * status; end() is called whatever happened.
     */
    bool (*begin)(struct api_request *r, struct api_reply *reply);
    unsigned (*body)(struct api_request *r, const void *data, size_t len);
    void (*end)(struct api_request *r);
};

/* NULL: no such path, or (*ret_allow: methods that it has) not this method. */
const struct api_route *api_route_find(const char *path, const char *method, const char **ret_allow);

void api_reply_init(struct api_reply *reply);
void api_reply_free(struct api_reply *reply);
enum MHD_Result api_reply_send(struct api_request *r, struct api_reply *reply); /* takes its stream over */

/* Makes it an error. Always returns false, so that it can end a check. */
bool api_problem(struct api_reply *reply, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same about a parameter, and the place in it (SIZE_MAX: none). */
bool api_problem_at(struct api_reply *reply, const char *param, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

enum MHD_Result api_on_request(void *arg, struct MHD_Connection *mc, const char *path, const char *method,
                               const char *version, const char *data, size_t *len, void **state);
void api_on_completed(void *arg, struct MHD_Connection *mc, void **state, enum MHD_RequestTerminationCode why);

/* ------------------------------------------------------------------------------------------------ guard */

/* False, and the reply says why, if the request must not be answered. Sets r->authorised. */
bool api_guard(struct api_request *r, bool open, struct api_reply *reply);

/* True if it is "localhost" or a loopback address, with or without port and brackets. */
bool api_guard_is_loopback(const char *host);

/* True if the body's Content-Type is this one, whatever its parameters. */
bool api_has_type(struct api_request *r, const char *type);

/* ------------------------------------------------------------------------------------------------ parameters */

#define API_VALUES_MAX 32 /* parameters of one request */

/* A parameter of a form, decoded. */
struct api_form_value {
    const char *name, *value; /* terminated; value NULL: none */
    size_t name_len, len;     /* there may be NULs in them */
};

/* The first two: false with the reply made if it is none, too long, or cannot be read. */
bool api_form_begin(struct api_request *r, struct api_reply *reply); /* sets r->form */
bool api_form_end(struct api_request *r, struct api_reply *reply);
void api_form_body(struct api_form *f, const void *data, size_t len);
void api_form_free(struct api_form *f);
const struct api_form_value *api_form_values(const struct api_form *f, size_t *ret_count);

/* Every parameter of the query string is known to the route, stands once and has no NUL in it; the same of a form. */
bool api_params_check(struct api_request *r, struct api_reply *reply);
bool api_params_check_form(struct api_request *r, struct api_reply *reply);

/* The value, terminated; NULL if it is not there. */
const char *api_param(struct api_request *r, const char *name);

/* What stands in the path for the "{name}" of the route: its length, not terminated. NULL: the route has none. */
const char *api_path_value(const struct api_request *r, size_t *ret_len);

/* Each leaves *ret as it is if the parameter is absent; false, with the reply made, if it cannot be read. */
bool api_param_number(struct api_request *r, struct api_reply *reply, const char *name, uint64_t least, uint64_t most,
                      uint64_t *ret);
bool api_param_time(struct api_request *r, struct api_reply *reply, const char *name, int64_t *ret);
bool api_param_duration(struct api_request *r, struct api_reply *reply, const char *name, int64_t max_us, int64_t *ret);
bool api_param_columns(struct api_request *r, struct api_reply *reply, struct columns *ret); /* "columns", "payload" */
bool api_param_cursor(struct api_request *r, struct api_reply *reply, bool *ret_has, struct search_cursor *ret);
/* One of `words` (NULL at the end): its index. */
bool api_param_word(struct api_request *r, struct api_reply *reply, const char *name, const char *const *words,
                    unsigned *ret);
bool api_param_window(struct api_request *r, struct api_reply *reply, int64_t *ret_from, int64_t *ret_to);
bool api_param_filter(struct api_request *r, struct api_reply *reply, struct filter **ret); /* "q" */
bool api_param_flag(struct api_request *r, struct api_reply *reply, const char *name, bool *ret);

/* ------------------------------------------------------------------------------------------------ rows */

/* Puts rows into an answer: a JSON array in an object, or a line each. */
struct api_rows {
    struct buf *out;
    bool lines;
    bool started;  /* the object's beginning is out */
    bool any;      /* a row is out */
    size_t target; /* octets in `out` that are enough for a piece */
};

void api_rows_piece(struct api_rows *rows, struct buf *out); /* before each piece */
int api_rows_put(void *rows, enum record_table table, const struct record_cell *cells,
                 const struct store_columns *columns); /* a search_row_fn */
/* The end of the object: result() appends its further members. Nothing for lines. */
void api_rows_end(struct api_rows *rows, void (*result)(void *ctx, struct buf *out), void *ctx);

/*
 * Around what takes the store's time: waits for a turn and watches the client. 0, or a negative HTTP status with a
 * text; then there is nothing to end.
 */
int api_turn_begin(struct api *a, struct api_conn *conn, bool patient, struct errmsg *err);
void api_turn_end(struct api *a, struct api_conn *conn);

/* Seconds after which it makes sense to come again; 0: none. */
unsigned api_retry_after(int status);

/* The HTTP status, negative, of a negative errno of the store; counts what was cancelled. */
int api_store_status(struct api *a, int rc);

/* search_open() in its turn; false with the reply made if it did not come to that, or failed. */
bool api_search(struct api_request *r, const struct search_options *o, struct search **ret, struct api_reply *reply);

/* ------------------------------------------------------------------------------------------------ resources */
/* Calls what takes the store's time in its turn; false with the reply made if it did not come to that, or failed. */
bool api_in_turn(struct api_request *r, struct api_reply *reply,
                 int (*run)(void *arg, const atomic_bool *cancel, bool *ret_timed_out, struct errmsg *err), void *arg);

void api_get_search(struct api_request *r, struct api_reply *reply);
void api_get_calls(struct api_request *r, struct api_reply *reply);
void api_get_registrations(struct api_request *r, struct api_reply *reply);
void api_get_attempts(struct api_request *r, struct api_reply *reply);
void api_get_live(struct api_request *r, struct api_reply *reply);
void api_get_flow(struct api_request *r, struct api_reply *reply);
void api_get_kpi(struct api_request *r, struct api_reply *reply);
void api_get_call(struct api_request *r, struct api_reply *reply);
void api_get_diagnosis(struct api_request *r, struct api_reply *reply);
void api_get_message(struct api_request *r, struct api_reply *reply);
void api_get_export(struct api_request *r, struct api_reply *reply);
void api_get_health(struct api_request *r, struct api_reply *reply);
void api_get_ready(struct api_request *r, struct api_reply *reply);
void api_get_counts(struct api_request *r, struct api_reply *reply);
void api_get_values(struct api_request *r, struct api_reply *reply);
void api_get_fields(struct api_request *r, struct api_reply *reply);
void api_get_metrics(struct api_request *r, struct api_reply *reply);
void api_get_senders(struct api_request *r, struct api_reply *reply);
void api_post_import(struct api_request *r, struct api_reply *reply);
void api_post_sql(struct api_request *r, struct api_reply *reply);
void api_get_shared(struct api_request *r, struct api_reply *reply);
void api_post_shared(struct api_request *r, struct api_reply *reply);
bool api_sql_begin(struct api_request *r, struct api_reply *reply);
unsigned api_sql_body(struct api_request *r, const void *data, size_t len);
void api_sql_end(struct api_request *r);
bool api_shared_begin(struct api_request *r, struct api_reply *reply);
unsigned api_shared_body(struct api_request *r, const void *data, size_t len);
void api_shared_end(struct api_request *r);
bool api_import_begin(struct api_request *r, struct api_reply *reply);
unsigned api_import_body(struct api_request *r, const void *data, size_t len);
void api_import_end(struct api_request *r);
void api_get_page(struct api_request *r, struct api_reply *reply);

#endif
