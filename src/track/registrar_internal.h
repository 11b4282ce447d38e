/* What the files of the registrar share. Private to this folder. */
#ifndef TRACK_REGISTRAR_INTERNAL_H
#define TRACK_REGISTRAR_INTERNAL_H

#include "track/cells.h"
#include "track/registrar.h"

#define REG_SECOND       INT64_C(1000000)
#define REG_TRANSACTIONS 8   /* of a Call-ID that are open; the oldest makes room */
#define REG_MESSAGES     8   /* of a transaction that are told apart */
#define REG_TAPS         2   /* of a message that are told apart */
#define REG_SLOTS        128 /* of the wheel: more than any wait */
#define REG_NONCE_S      4   /* for which credentials follow others that were refused */
#define REG_STRAGGLE_S   64  /* for which a message of an attempt that was handed out is known as late */

/* A text of its own; NULL: none. */
struct reg_string {
    uint8_t len;
    uint8_t octets[];
};

/* Contacts of a request or a response. */
struct reg_contacts {
    uint8_t count;
    bool star;
    struct {
        uint32_t hash, expires;
        struct reg_string *uri;
    } of[REG_CONTACTS_MAX];
};

/* A message and its copies. */
struct reg_message {
    uint32_t hash;
    uint16_t taps[REG_TAPS];
    uint8_t copies[REG_TAPS];
    uint8_t more; /* of further taps */
};

struct reg_transaction {
    struct reg_transaction *next; /* of a higher CSeq */
    uint32_t cseq;
    uint16_t status; /* of the best final response; 0: none */
    uint8_t flags;   /* REG_EVENT_REQUEST: its request was seen; REG_EVENT_CREDENTIALS */
    uint8_t message_count, transport;
    uint32_t messages;
    uint64_t first_seq;
    int64_t first, last, request, final; /* ts; TRACK_NO_TIME */
    uint32_t request_message, final_message;
    uint32_t touched;                       /* second of the clock at its last message */
    uint32_t expires, granted, min_expires; /* headers of request and response */
    struct track_addr src, dst;             /* of the earliest request */
    struct reg_contacts *asked, *bound;
    struct reg_string *agent, *auth_user, *reason;
    struct reg_message seen[REG_MESSAGES];
};

struct reg_list {
    struct reg_open *first, *last;
};

/* A Call-ID with one AoR. */
struct reg_open {
    struct reg_open *next, *prev;
    struct reg_list *in; /* a slot of the wheel, or those that wait for stragglers */
    uint64_t key, aor;
    uint32_t closed;   /* highest CSeq that was handed out, */
    int64_t closed_ts; /* last message of that attempt; TRACK_NO_TIME: none */
    uint32_t closed_at;
    uint8_t count; /* of transactions */
    struct reg_transaction *first;
    struct reg_string *call_id, *from_user, *from_host, *to_user, *to_host;
};

struct reg_bound {
    uint32_t hash, registrar; /* of the contact; of whom it was registered with */
    int64_t since, refreshed, expires_at;
    struct track_addr src, dst;
    struct reg_string *uri, *agent;
};

struct reg_known {
    uint64_t aor;
    uint32_t older, newer; /* by their last attempt, those that never succeeded apart; 0: none */
    uint32_t used_s;       /* clock of its last attempt */
    uint8_t used;          /* false: the place is free, and `newer` the next free one */
    uint8_t counted;       /* 1 + the state that by_state counts it under; 0: none */
    uint8_t result, binding_count, binding_cap, change_at;
    uint16_t status;
    bool proven;  /* in the list of those that succeeded */
    bool up;      /* a contact is bound, */
    bool removed; /* or was until it was removed */
    bool failing;
    uint32_t attempts, succeeded, failed, failed_in_a_row;
    int64_t last_attempt, last_success, since; /* ts; TRACK_NO_TIME */
    uint32_t changes[REG_CHANGES_MAX];         /* seconds of the latest ones, a ring; 0: none */
    struct track_addr src, dst;
    struct reg_string *user, *host, *reason, *call_id, *agent;
    struct reg_bound *bindings;
};

struct registrar {
    struct reg_options o;
    struct reg_stats stats;
    uint32_t now; /* second of the clock */
    uint32_t turned;

    struct cells open_cells; /* places: into `opens` */
    struct reg_open **opens; /* places from 1; NULL: free */
    uint32_t open_places, open_free_count;
    uint32_t *open_free;
    struct reg_list wheel[REG_SLOTS];
    struct reg_list over; /* nothing is open of them; the one that was closed first is the first */

    struct cells aor_cells;
    struct reg_known **chunks; /* AoRs, of places from 1 */
    uint32_t aor_places, aor_free, swept;
    uint32_t oldest[2], newest[2]; /* [proven] */
};

/* ------------------------------------------------------------------------------------------------ texts */

/* NULL: empty, or no memory (counted). */
struct reg_string *reg_string_new(struct registrar *r, struct hep_slice s);
void reg_string_free(struct registrar *r, struct reg_string *s);
void reg_string_set(struct registrar *r, struct reg_string **s, struct hep_slice to);
struct hep_slice reg_string_slice(const struct reg_string *s);

void *reg_alloc(struct registrar *r, size_t octets); /* zeroed; NULL is counted */
void reg_release(struct registrar *r, void *p, size_t octets);

/* ------------------------------------------------------------------------------------------------ what is open */

void reg_contacts_free(struct registrar *r, struct reg_contacts *c);
void reg_transaction_free(struct registrar *r, struct reg_transaction *t);

/* Takes a message. False: no memory. */
bool reg_open_take(struct registrar *r, struct reg_open *o, const struct reg_event *e, const struct reg_texts *texts);

/* The second at which its first attempt is due. */
uint32_t reg_open_due(const struct registrar *r, const struct reg_open *o);

/* Hands out the attempts that are due (`all`: all of them). */
void reg_open_close(struct registrar *r, struct reg_open *o, bool all);

/* When its earliest attempt ended, for an order that does not depend on what came first. */
int64_t reg_open_order(const struct reg_open *o);

/* ------------------------------------------------------------------------------------------------ AoRs */

struct reg_chain {
    const struct reg_open *open;
    const struct reg_transaction *first, *last;
    struct reg_attempt *attempt; /* as far as it is filled */
};

/* What the attempt does to its AoR; fills in attempt->binding. */
void reg_aor_take(struct registrar *r, const struct reg_chain *chain);
/* Without AoRs: what its requests say alone. */
enum reg_binding reg_binding_of(const struct reg_transaction *last);

/* Seconds that a contact of a successful transaction is bound for. */
uint32_t reg_granted(const struct reg_transaction *t, uint32_t contact);

struct reg_known *reg_aor_at(const struct registrar *r, uint32_t place);    /* place below registrar_places() */
uint32_t reg_aor_add(struct registrar *r, uint64_t aor, bool proven);       /* its place; 0: no memory, or known */
bool reg_aor_room(struct registrar *r, struct reg_known *k, uint8_t count); /* for so many bindings */
void reg_aor_sweep(struct registrar *r, uint32_t most);
void reg_aors_free(struct registrar *r);

/* registrar.c */
struct reg_open *reg_open_add(struct registrar *r, uint64_t key); /* NULL: no memory, or it is there */
void reg_open_arm(struct registrar *r, struct reg_open *o);

#endif
