/*
 * Registrations out of messages: one record for each attempt to bind contacts to an address of record, handed out when
 * it is answered for good or nobody answered it, and what is known of each AoR (RFC 3261 section 10).
 *
 * registrar_event    a row of table `sip` -> struct reg_event, in the thread that received it
 * registrar          the table of what is open, and a wheel of what is due
 * registrar_attempt  transactions of one Call-ID -> attempts: a challenge and its answer belong together
 * registrar_aor      the AoRs: their bindings, and what state they are in
 * registrar_save     all of it as octets and back
 *
 * docs/registrations.md says what each figure and state means. As in track.h one thread writes; nothing here locks,
 * logs or reads a clock.
 */
#ifndef TRACK_REGISTRAR_H
#define TRACK_REGISTRAR_H

#include "track/registrar_event.h"
#include "track/track.h"

/* X(ID, name): how an attempt came out */
#define REG_RESULT_LIST(X)                                                                                             \
    X(REGISTERED, "registered")     /* 2xx, and a contact is bound */                                                  \
    X(UNREGISTERED, "unregistered") /* 2xx to a request that removes bindings */                                       \
    X(QUERIED, "queried")           /* 2xx to a request without Contact */                                             \
    X(CHALLENGED, "challenged")     /* 401 or 407, and no credentials came */                                          \
    X(REFUSED, "refused")           /* any other final response from 300 on, a challenge of credentials included */    \
    X(TIMED_OUT, "timed out")       /* no final response */                                                            \
    X(INCOMPLETE, "incomplete")     /* its place was needed before it was over */

enum reg_result {
#define REG_RESULT_ENUM(id, name) REG_##id,
    REG_RESULT_LIST(REG_RESULT_ENUM)
#undef REG_RESULT_ENUM
        REG_RESULTS
};

/* X(ID, name): what an attempt wants */
#define REG_BINDING_LIST(X)                                                                                            \
    X(NEW, "new")         /* a contact that was not bound */                                                           \
    X(REFRESH, "refresh") /* contacts that are bound */                                                                \
    X(REMOVE, "remove")                                                                                                \
    X(QUERY, "query") /* it has no Contact: what is bound? */                                                          \
    X(UNKNOWN, "")    /* its request was not seen */

enum reg_binding {
#define REG_BINDING_ENUM(id, name) REG_BINDING_##id,
    REG_BINDING_LIST(REG_BINDING_ENUM)
#undef REG_BINDING_ENUM
        REG_BINDINGS
};

/* X(ID, name): of an AoR */
#define REG_STATE_LIST(X)                                                                                              \
    X(REGISTERED, "registered")                                                                                        \
    X(FLAPPING, "flapping")                                                                                            \
    X(FAILING, "failing")                                                                                              \
    X(EXPIRED, "expired")                                                                                              \
    X(UNREGISTERED, "unregistered")

enum reg_state {
#define REG_STATE_ENUM(id, name) REG_STATE_##id,
    REG_STATE_LIST(REG_STATE_ENUM)
#undef REG_STATE_ENUM
        REG_STATES
};

const char *reg_result_name(enum reg_result result); /* static, as the others */
const char *reg_binding_name(enum reg_binding binding);
const char *reg_state_name(enum reg_state state);

/* An attempt. Times are microseconds since 1970; TRACK_NONE, TRACK_NO_TIME: not known. */
struct reg_attempt {
    uint64_t uid;       /* the same whenever the same messages are read */
    uint64_t first_seq; /* of its messages */
    enum reg_result result;
    enum reg_binding binding;
    struct hep_slice call_id, from_user, from_host, to_user, to_host, user_agent, auth_user, reason;
    struct hep_slice contact, contact_user, contact_host; /* the first one of its last request */
    unsigned contacts;                                    /* in it */
    int64_t cseq;                                         /* of its last request */
    int64_t status;                                       /* final response */
    int64_t expires_asked, expires;                       /* seconds: asked for, and granted for the first contact */
    int64_t min_expires;                                  /* that a 423 asked for */
    int64_t answer_ms;                                    /* from the first request to the final response */
    unsigned auth_rounds;                                 /* challenges that were answered */
    int64_t first, answered, last;                        /* message, final response, message */
    uint32_t messages, seen_again, retransmissions;       /* as of calls */
    unsigned taps, transport;
    struct track_addr src, dst; /* of its first request */
};

/* A binding that an AoR has, or had. */
struct reg_binding_record {
    struct hep_slice contact, agent;
    int64_t since, refreshed, expires_at;
    struct track_addr src, dst; /* who registered it, with whom */
    bool holds;                 /* at the time that was asked for */
};

#define REG_AOR_BINDINGS 8

struct reg_aor {
    struct hep_slice user, host;
    enum reg_state state;
    int64_t since; /* that it is registered, or not */
    int64_t last_attempt, last_success;
    int64_t status;         /* of the last attempt */
    enum reg_result result; /* likewise, as the next ones */
    struct hep_slice reason, call_id, agent;
    struct track_addr src, dst;
    uint32_t attempts, succeeded, failed; /* since it is known */
    uint32_t failed_in_a_row;
    unsigned changes; /* within the flap window */
    unsigned holding; /* bindings that hold */
    struct reg_binding_record bindings[REG_AOR_BINDINGS];
    size_t binding_count;
    uint32_t place;
};

typedef void reg_attempt_fn(void *arg, const struct reg_attempt *attempt);
typedef void reg_aor_fn(void *arg, const struct reg_aor *aor);

/* 0 in any of the numbers: the preset. */
struct reg_options {
    uint32_t max_aors;      /* 100000; at most REG_AORS_MAX */
    uint32_t max_open;      /* Call-IDs with attempts that are not over, or were lately; 100000; at most REG_OPEN_MAX */
    uint32_t linger_s;      /* from the final response until the attempt is handed out; 2 */
    uint32_t no_answer_s;   /* without one, and for credentials to follow a challenge; timer F of RFC 3261: 32 */
    uint32_t flap_changes;  /* 4, at most REG_CHANGES_MAX; in */
    uint32_t flap_window_s; /* 600 */
    uint32_t forget_s;      /* an AoR that nobody tried for so long is forgotten; 604800 */
    bool no_aors;           /* attempts alone: of an import */
    reg_attempt_fn *on_attempt; /* may be NULL; must not call into the registrar */
    void *arg;
};

#define REG_AORS_MAX    4000000
#define REG_OPEN_MAX    1000000
#define REG_CHANGES_MAX 8
#define REG_LINGER_MAX  30
#define REG_ANSWER_MAX  90

struct registrar;

/* NULL if there is no memory or an option is out of range. */
struct registrar *registrar_new(const struct reg_options *options);
void registrar_free(struct registrar *r); /* hands out nothing; NULL is fine */

/* Takes an event at `now_us`, the clock of track.h. May hand out attempts. */
void registrar_take(struct registrar *r, const struct reg_event *e, const struct reg_texts *texts, int64_t now_us);

/* Hands out what is over, and looks at some AoRs: what they are, and whether to forget them. About once a second. */
void registrar_tick(struct registrar *r, int64_t now_us);

/* Hands out all attempts as they are: the end of an import. */
void registrar_finish(struct registrar *r);

/* AoRs have places below this number. False if there is none at a place. As of now_us. */
uint32_t registrar_places(const struct registrar *r);
bool registrar_show_place(const struct registrar *r, uint32_t place, int64_t now_us, reg_aor_fn *fn, void *arg);

struct reg_stats {
    uint64_t events;
    uint64_t late;     /* messages of attempts that were handed out: in no record */
    uint64_t attempts; /* handed out */
    uint64_t by_result[REG_RESULTS];
    uint64_t evicted;        /* of these: for want of room */
    uint64_t aors_evicted;   /* AoRs that made room for others */
    uint64_t aors_forgotten; /* nobody tried for long */
    uint64_t cut;            /* contacts, transactions or messages beyond what is kept */
    uint64_t no_memory;
    uint64_t open, aors;           /* now */
    uint32_t by_state[REG_STATES]; /* AoRs; a look at each takes a while: registrar_tick() */
    size_t octets;                 /* memory in use */
};
void registrar_stats(const struct registrar *r, struct reg_stats *ret);

/*
 * As tracker_save_to(), tracker_load(). The latter is for a fresh registrar, which is good for registrar_free() alone
 * after an error.
 */
bool registrar_save_to(const struct registrar *r, bool (*write)(void *arg, const uint8_t *p, size_t len), void *arg);
int registrar_load(struct registrar *r, const uint8_t *p, size_t len, struct errmsg *err);

#endif
