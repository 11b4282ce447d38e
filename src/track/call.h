/* A live call: what its messages said so far. Private to this folder. */
#ifndef TRACK_CALL_H
#define TRACK_CALL_H

#include "track/track.h"
#include "track/words.h"

/*
 * Every fact is a minimum, a maximum, a set or a count, or the best of its kind by an order that has no equals: so the
 * order in which messages come does not matter, and nothing has to be held back until it is certain.
 *
 * Times are milliseconds from `base_s`, a whole second: differences do not depend on who came first.
 */
#define CALL_NO_TIME INT32_MIN

enum call_time {
    AT_FIRST,
    AT_LAST,
    AT_INVITE,
    AT_PROVISIONAL, /* any 1xx */
    AT_PROGRESS,    /* 1xx but 100 */
    AT_RINGING,
    AT_ANSWER,
    AT_CANCEL,
    AT_BYE,
    AT_ACK,   /* with SDP */
    AT_REFER, /* of those whose texts came along */
    CALL_TIMES
};

enum call_flag {
    CALL_BYE_ANSWERED = 1 << 0, /* any BYE, as AT_BYE is of any */
    CALL_EARLY_MEDIA = 1 << 1,
    CALL_SRTP = 1 << 2,
    CALL_FORWARDED = 1 << 3,
    CALL_REPLACES = 1 << 4,
    CALL_DIALOG = 1 << 5, /* a request inside of a dialog: it was answered, whether that was seen or not */
    CALL_EVICTED = 1 << 6,
    CALL_REDIRECTED = 1 << 7,
    CALL_SAME_USER = 1 << 8, /* the user of the R-URI is that of To, and is kept once */
    CALL_SIDES = 1 << 9,     /* parts of `own` that are there */
    CALL_OWN_TEXTS = 1 << 10,
    CALL_DIALOGS_CUT = 1 << 11, /* it had more dialogs than are told apart */
    CALL_DIALOGS = 1 << 12      /* a part of `own`: dialogs beyond the first */
};

#define CALL_PARTS (CALL_SIDES | CALL_OWN_TEXTS | CALL_DIALOGS)

/* Texts that are shared (words.h), addresses included. */
enum call_word {
    WORD_FROM_HOST,
    WORD_TO_HOST,
    WORD_RURI_HOST,
    WORD_CALLER_AGENT,
    WORD_CALLEE_AGENT,
    WORD_REASON,
    WORD_OFFER,
    WORD_ANSWER,
    WORD_ACK, /* SDP of the ACK */
    WORD_SRC,
    WORD_DST,
    WORD_CALLER_MEDIA,
    WORD_CALLEE_MEDIA,
    CALL_WORDS
};

#define CALL_PORTS (CALL_WORDS - WORD_SRC)

/* Texts of its own, in one piece: their lengths, then they. The first ones of enum track_text. */
#define CALL_TEXTS (TRACK_TEXT_REFER_TO + 1)

/* Who said it: the best message for a group of fields. Higher rank, then earlier, then lower seq. */
#define WHO_INVITE 3 /* rank of BEST_WHO: a first INVITE */

#define CAUSE_OF_BYE 3 /* rank of a cause */

enum call_best {
    BEST_WHO,    /* parties, programs and SDP of the caller: its first INVITE */
    BEST_AGENT,  /* program of the called side */
    BEST_ANSWER, /* its SDP */
    BEST_BYE,
    CALL_BESTS
};

/* Requests of one side, by CSeq: bit n of a set is the number max - n. */
struct side {
    uint32_t tag; /* From tag; 0: free */
    uint32_t max;
    uint32_t seen, sdp, hold, challenged;
    uint8_t holds, resumes; /* of the numbers that left the sets */
    bool held;              /* after them */
};

/* What a fork made, or what requests say there is: both tags in any order; 0: a side without one. */
struct dialog {
    uint32_t tags[2];
    int32_t bye_ms; /* the earliest; CALL_NO_TIME: none */
    uint8_t bits;   /* DIALOG_ */
};

enum {
    DIALOG_SAID = 1 << 0,     /* a response to the INVITE brought its To tag */
    DIALOG_ANSWERED = 1 << 1, /* a 2xx */
    DIALOG_REQUEST = 1 << 2,
    DIALOG_BYE_BY_SECOND = 1 << 3, /* who sent that BYE has tags[1], else tags[0] */
    DIALOG_BYE_ANSWERED = 1 << 4
};

#define DIALOGS_MAX 4

/* A message that came lately. */
struct recent {
    uint32_t message; /* track_event.message; 0: free */
    int32_t ms;       /* first copy of the first tap */
    uint8_t taps;     /* both taps that it came from: their places + 1, four bits each */
    uint8_t copies[2];
    uint8_t apart; /* first copies of both, in units of RECENT_UNIT_MS; 255: that or more */
};

#define RECENT_MAX     8
#define RECENT_UNIT_MS 4
#define RECENT_SAME_MS 500 /* further apart it is not the same transmission that two taps saw */

#define WAYS_MAX 4

struct track_call {
    uint64_t key;
    uint8_t *own; /* own.h; NULL: nothing. Near the key, so that it is known early where it is */
    uint64_t uid, first_seq;
    uint32_t base_s; /* Unix time */
    int32_t at[CALL_TIMES];
    uint32_t touched; /* clock of its last message, seconds */
    uint32_t messages;
    struct {
        uint32_t next, prev; /* in its slot of the wheel; next: also in the list of free ones */
        uint32_t due;        /* second of its slot */
    } link;

    struct recent recent[RECENT_MAX];

    uint16_t flags;
    uint8_t recent_at, way_count, branches, dialog_count, tap_count, transports;
    uint16_t taps[TRACK_TAPS_MAX];
    uint16_t seen_again;
    uint16_t again[TRACK_AGAINS];
    uint16_t reinvites, updates, refers, auth_rounds;
    int16_t q850, sip_cause;
    uint8_t q850_rank, sip_cause_rank;

    uint8_t final_via;
    uint16_t final_status;
    uint32_t final_cseq;
    int32_t final_ms;

    uint32_t caller_tag, bye_tag;
    uint32_t ack_cseq;
    uint32_t ways_cseq;
    int32_t ways_ms;              /* the latest of these INVITEs */
    uint8_t ways_via, cancel_via; /* fewest Vias of these, and of a CANCEL: who has more is behind a proxy */
    uint32_t ways[WAYS_MAX];      /* branches of the INVITE with the highest CSeq, */
    uint16_t way_srcs[WAYS_MAX];  /* and hashes of who sent it there, behind how many Vias */
    struct dialog dialog;         /* the first; further ones: own.h */

    uint8_t ranks[CALL_BESTS];
    int32_t best_ms[CALL_BESTS];
    uint16_t best_seq[CALL_BESTS]; /* the lower bits: to tell apart what came at one time is enough */
    uint32_t words[CALL_WORDS];    /* an IPv4 address stands there itself: */
    uint16_t ip4;                  /* bits 1 << enum call_word */
    uint16_t ports[CALL_PORTS];
    uint8_t key_count;
    uint16_t own_cap;  /* octets of `own` */
    uint16_t key_text; /* octets of the texts of its keys */
};

/* The place in the wheel stays when a call begins. */
#define CALL_FACTS offsetof(struct track_call, recent)

/* What is behind all calls of a tracker. */
struct call_world {
    struct words words;
    size_t text_octets;
    uint64_t lost; /* texts, for want of memory */
};

void call_begin(struct track_call *c, const struct track_event *e);
void call_take(struct track_call *c, struct call_world *w, const struct track_event *e,
               const struct track_texts *texts);
void call_end(struct track_call *c, struct call_world *w); /* releases its texts */

struct hep_slice call_text(const struct track_call *c, enum track_text which);

/* Where a side wants to receive, or what is on the wire. */
void call_addr(const struct track_call *c, const struct call_world *w, enum call_word which, struct track_addr *ret);

/* Milliseconds since 1970: its first message; its last one if it has ended, else INT64_MAX. */
int64_t call_from(const struct track_call *c);
int64_t call_until(const struct track_call *c);

static inline bool call_knows(const struct track_call *c, enum call_time which)
{
    return c->at[which] != CALL_NO_TIME;
}

static inline int32_t call_ms(const struct track_call *c, int64_t ts)
{
    int64_t ms = (ts >= 0 ? ts : 0) / 1000 - (int64_t)c->base_s * 1000;
    return ms < -INT32_MAX ? -INT32_MAX : ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
}

/* True if this message begins another call with the same Call-ID. */
bool call_is_another(const struct track_call *c, const struct track_event *e);

/* Counts the message as new, sent again, or seen again. */
void recent_note(struct track_call *c, const struct track_event *e, unsigned tap, int32_t ms);

/* The side whose From tag this is; a new one if there is room, else NULL. Others may move. */
struct side *side_of(struct track_call *c, struct call_world *w, uint32_t tag);

/* Makes room for the number. Its bit, 0 if it is too old to be told apart from those seen. */
uint32_t side_bit(struct side *s, uint32_t cseq);

/* The dialog with both tags; a new one if there is room, else NULL. */
struct dialog *dialog_of(struct track_call *c, struct call_world *w, uint32_t from_tag, uint32_t to_tag);

/* A BYE, or what answers it. */
void dialog_take_bye(struct track_call *c, struct call_world *w, uint32_t from_tag, uint32_t to_tag, int32_t ms,
                     bool answered);

/* The BYE that ended the call; ms is CALL_NO_TIME if none did. */
struct call_bye {
    int32_t ms;
    uint32_t tag; /* of who sent it */
    bool answered;
};
struct call_bye dialog_bye(const struct track_call *c);

/* A request inside of a dialog of the caller: it was answered, whether that was seen or not. */
bool dialog_was_seen(const struct track_call *c);

/* Dialogs that answered, provisional responses included. */
unsigned dialog_answers(const struct track_call *c);

struct side_holds {
    unsigned holds, resumes;
    bool held;
};
struct side_holds side_holds(const struct side *s);

/* Different senders of the INVITE, one behind the other. */
unsigned call_hops(const struct track_call *c);

/* The record of a call; slices as long as it is not changed. */
void call_show(const struct track_call *c, const struct call_world *w, bool over, struct call_record *ret);

/* Seconds of silence after which the call is over. */
uint32_t call_patience(const struct track_call *c, const struct track_options *o);

/* Was its end seen: BYE, refusal, CANCEL? Else more may come of it. */
bool call_has_ended(const struct track_call *c);

#endif
