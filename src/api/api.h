/*
 * The HTTP side of the server: searches, flows, single messages, state. docs/api.md is the description for users.
 *
 *   routes    the table: path -> handler; route_*.c are one resource each
 *   request   what libmicrohttpd calls: route, checks, body, handler
 *   guard     who may: token, Host, other sites
 *   params    the query string or a form, strictly
 *   form      the same parameters as the body of a POST
 *   gzip      answers in gzip
 *   reply     answers: octets or a stream of pieces; errors as application/problem+json (RFC 9457)
 *   rows      rows as JSON or JSON lines, a piece at a time
 *   page/     the page at /, built in by cmake/embed.cmake
 *   gate      at most so many searches at once, the others wait in a bounded queue
 *   conn      connections: time limits, and who went away while a search ran
 *   route_registrations  the AoRs that are known
 *   route_sql one statement at a time, with turns of its own
 *   shared    names of addresses and searches that all users have; has no HTTP in it
 *   health    reasons not to be well
 *   live      (query/live.h) rows as they come, to clients that stay
 *   importer  frames of files into the store, each body once; has no HTTP in it
 *
 * One thread a connection, of which there is a limit: a handler may block. Each answer holds at most a piece of it in
 * memory. What the server knows comes in by struct api_sources; there are no globals.
 */
#ifndef API_API_H
#define API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/importer.h"
#include "api/shared.h"
#include "base/buf.h"
#include "base/errmsg.h"
#include "ingest/ingest.h"
#include "store/store.h"
#include "track/registrar.h"

#define API_TOKEN_MAX 256 /* octets of a token */

/* ------------------------------------------------------------------------------------------------ sources */

#define API_REASONS_MAX 32

/* Why the server is not well (failing: /health answers 503), or what its owner should know. */
struct api_reason {
    bool failing;
    char code[32];  /* for programs: "disk_full" */
    char text[200]; /* for people */
};

struct api_health {
    struct api_reason reasons[API_REASONS_MAX];
    size_t count;
    size_t dropped; /* for which there was no room */
};

void api_health_add(struct api_health *h, bool failing, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool api_health_failing(const struct api_health *h);

/* Callbacks are called from any thread, several at a time. Those that are NULL know nothing. */
struct api_sources {
    struct store *store;
    struct importer *importer; /* NULL: no imports */
    struct shared *shared;     /* NULL: nothing is shared */
    const char *version;
    void *arg;
    void (*health)(void *arg, struct api_health *ret); /* adds reasons */
    bool (*ready)(void *arg);                          /* NULL: yes */
    void (*metrics)(void *arg, struct buf *out);       /* appends Prometheus text */
    /* Shows every AoR that is known, until `fn` returns false: engine_registrations(). */
    void (*registrations)(void *arg, bool (*fn)(void *fn_arg, const struct reg_aor *aor), void *fn_arg);
    /* As ingest_senders(). */
    int (*senders)(void *arg, void (*call)(void *call_arg, const struct ingest_sender *sender), void *call_arg);
};

/* ------------------------------------------------------------------------------------------------ server */

/* A zero means the default in brackets. Texts are copied, except for version; the store must outlive the server. */
struct api_options {
    const char *host;                   /* as net_listen_options.host ["127.0.0.1"] */
    uint16_t port;                      /* 0: any, see api_port() */
    const char *token;                  /* NULL or empty: none; then only loopback is served */
    unsigned requests;                  /* under way at once, other than the following [48] */
    unsigned exports;                   /* at once [16] */
    unsigned reserve;                   /* connections beyond what all of these may take, for state [32] */
    unsigned request_ms;                /* for a request to be there, with 1 ms more for 16 octets of body [10000] */
    unsigned idle_ms;                   /* a connection without a request, or a reader that stands still [30000] */
    unsigned answer_ms;                 /* for one answer, however slow the reader [600000] */
    unsigned searches;                  /* at once [2] */
    unsigned waiting;                   /* for their turn; further ones are refused [16] */
    unsigned waiting_ms;                /* how long they wait [10000] */
    bool sql;                           /* SQL is answered */
    unsigned search_ms;                 /* time of a search, unless it asks for less [30000] */
    unsigned live;                      /* clients of /api/v1/live at once [32] */
    unsigned live_beat_ms;              /* between words to one for which there is nothing [15000] */
    uint64_t live_start;                /* differs from that of a former start [the time] */
    const struct filter_rules *numbers; /* of phone numbers in filters; copied [filter_rules_default()] */
    struct api_sources sources;
};

struct api;

/* 0, or -1 with a text: an address that cannot be bound, or that must not be without a token. */
int api_start(struct api **ret, const struct api_options *options, struct errmsg *err);

/* Ends all searches and connections. NULL is fine. */
void api_stop(struct api *a);

/* Where it listens. */
uint16_t api_port(const struct api *a);

/* Settings that change while it runs; -1 with a text, and nothing changed, if they must not. */
int api_set_token(struct api *a, const char *token, struct errmsg *err);
void api_set_search_ms(struct api *a, unsigned ms);

struct api_stats {
    uint64_t requests;
    uint64_t answers[6]; /* by first digit of the status; those of libmicrohttpd itself are not counted */
    uint64_t denied;     /* no or a wrong token, a foreign Host */
    uint64_t connections, connections_open;
    uint64_t overdue;                                                  /* connections ended by a time limit */
    uint64_t displaced;                                                /* idle ones, ended for others that waited */
    uint64_t requests_open, requests_refused;                          /* now; as too many were under way */
    uint64_t exports_open, exports_refused;                            /* likewise */
    uint64_t searches, searches_us;                                    /* done, and the time they took */
    uint64_t searches_running, searches_waiting;                       /* now */
    uint64_t searches_refused;                                         /* the queue was full, or the wait too long */
    uint64_t searches_cancelled, searches_timed_out;                   /* the client went away; a partial answer */
    uint64_t live, live_sent, live_skipped, live_unseen, live_refused; /* see query/live.h; live: clients now */
};
void api_stats(struct api *a, struct api_stats *ret);

#endif
