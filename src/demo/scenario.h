/* The scenarios as tables. Private to this folder. */
#ifndef DEMO_SCENARIO_H
#define DEMO_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between whom: the calling side A, the proxy P whose traffic is captured, the called side B, C tried after it. */
enum demo_hop { HOP_A_P, HOP_P_A, HOP_P_B, HOP_B_P, HOP_P_C, HOP_C_P };

enum demo_what {
    WHAT_LOG,   /* a log line of the proxy */
    WHAT_MEDIA, /* RTCP reports until the talk time is over */
    WHAT_ACK,
    WHAT_BYE,
    WHAT_CANCEL,
    WHAT_INVITE,
    WHAT_MESSAGE,
    WHAT_NOTIFY,
    WHAT_OPTIONS,
    WHAT_REGISTER,
    WHAT_SUBSCRIBE,
    WHAT_UPDATE
};

/* Time since the step before; scenario.c has the figures. */
enum demo_delay {
    DELAY_NONE,
    DELAY_PROXY, /* work inside the proxy */
    DELAY_NET,   /* one way through the network and an answer of a program */
    DELAY_PDD,   /* until the called side rings */
    DELAY_RING,  /* until a person answers */
    DELAY_LONG,  /* ... who takes a minute and more */
    DELAY_GIVE_UP,
    DELAY_TIMER, /* of the proxy, for no answer */
    DELAY_T1,    /* RFC 3261 section 17.1.1.2 */
    DELAY_T2,    /* the second retransmission */
    DELAY_HOLD,
    DELAY_REFRESH,
    DELAY_TALK,
    DELAY_COUNT
};

enum demo_body {
    BODY_NONE,
    BODY_OFFER,
    BODY_ANSWER,
    BODY_HOLD, /* offer and answer of "hold" */
    BODY_HELD,
    BODY_RESUME,
    BODY_RESUMED,
    BODY_TEXT,
    BODY_DIALOG
};

/* Headers beyond the ones of every message, and other marks. */
enum {
    H_DIALOG = 1 << 0,      /* inside a dialog; an ACK with it acknowledges a 2xx */
    H_CHALLENGE = 1 << 1,   /* WWW-Authenticate or Proxy-Authenticate, by the status */
    H_CREDENTIALS = 1 << 2, /* the answer to it */
    H_RETRY_AFTER = 1 << 3,
    H_CAUSE = 1 << 4, /* Reason with the Q.850 cause that belongs to the status or method */
    H_EXPIRES = 1 << 5,
    H_EXPIRES_0 = 1 << 6,
    H_EVENT = 1 << 7,
    H_TIMER = 1 << 8,      /* Session-Expires */
    H_MOVED = 1 << 9,      /* Contact elsewhere */
    H_NEW_TARGET = 1 << 10 /* goes where such a Contact said */
};

/* Transactions that the called side begins have numbers from here on. */
#define TXN_CALLEE 8

struct demo_step {
    uint8_t delay;  /* enum demo_delay */
    uint8_t hop;    /* enum demo_hop */
    uint8_t what;   /* enum demo_what; of a response: the method that it answers */
    uint8_t txn;    /* transactions of a side count up by one: CSeq follows from it */
    uint16_t flags; /* H_ */
    uint16_t status;
    uint8_t body; /* enum demo_body */
};

#define STEPS_MAX 48

/* What the proxy is: a B2BUA makes a call of its own to the called side, and passes on this of the first one. */
enum demo_bridge {
    BRIDGE_NONE,       /* it is a proxy */
    BRIDGE_X_CALL_ID,  /* the Call-ID in a header, and the SDP */
    BRIDGE_SESSION_ID, /* Session-ID (RFC 7989), and the SDP */
    BRIDGE_NOTHING     /* but the numbers: media go through it, too */
};

struct demo_scenario {
    const char *name;
    const char *about;
    uint32_t weight;
    bool from_subscriber; /* A is a subscriber, never a carrier */
    bool malformed;
    enum demo_bridge bridge;
    uint8_t count;
    const struct demo_step *steps;
};

extern const struct demo_scenario demo_all[];
extern const size_t demo_all_count;

/* Microseconds: half of the values are between low and median, the others thin out up to high. */
struct demo_delay_range {
    uint32_t low, median, high;
};

/* DELAY_TALK is that of a median talk time of one second. */
extern const struct demo_delay_range demo_delays[DELAY_COUNT];

#endif
