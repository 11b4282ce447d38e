/*
 * Realistic SIP traffic as HEP messages, to try and to load a collector: what an agent on a proxy would send that sees
 * both of its sides. Pure computation: no I/O, no clock, the same messages for the same seed and options.
 *
 * scenario  the tables: who sends what after which delay, and how often each scenario comes
 * cast      who takes part: subscribers, PBXs and carriers with addresses, programs and numbers
 * message   a row of a scenario and a cast -> a SIP message, its SDP included
 * media     RTCP reports and log lines
 * demo      calls begin at a rate; a heap of their next events gives all messages in the order of time
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "hep/hep.h"

#define DEMO_SCENARIOS_MAX    32
#define DEMO_WEIGHT_MAX       10000
#define DEMO_RATE_MAX         1000000
#define DEMO_TALK_MAX         3600
#define DEMO_CONCURRENT_MAX   1000000
#define DEMO_CONCURRENT_USUAL 65536

/* How often each scenario comes, in relation to the others; the index is the scenario's. */
struct demo_mix {
    uint32_t weights[DEMO_SCENARIOS_MAX];
};

struct demo_options {
    uint64_t start_us;   /* time of the first call: microseconds, Unix time */
    uint64_t end_us;     /* no message is later; 0: no end */
    uint64_t calls;      /* how many to begin; 0: no end */
    uint32_t rate;       /* calls a second, 1..DEMO_RATE_MAX */
    uint32_t talk;       /* seconds, median of the talk time, 1..DEMO_TALK_MAX */
    uint32_t concurrent; /* limit of memory: at so many calls new ones wait until one ends, 1..DEMO_CONCURRENT_MAX */
    struct demo_mix mix;
};

/* Presets all but start_us. */
void demo_options_init(struct demo_options *o);

struct demo;

/* NULL if there is no memory or an option is out of range. */
struct demo *demo_new(uint64_t seed, const struct demo_options *options);
void demo_free(struct demo *d); /* NULL is fine */

/* What the last message was about; slices live until the next one. */
struct demo_about {
    unsigned scenario; /* index */
    uint64_t call;     /* 0, 1, ... in the order in which calls began */
    /*
     * The datagram or segment that the message reports: SIP is its own payload, RTCP is in binary here and in JSON
     * there. Empty if nothing was on the wire (log lines).
     */
    struct hep_slice wire;
};

/*
 * The next message in the order of time, borrowed until the next call. False at the end. demo_last() is about the
 * message that this gave.
 */
bool demo_next(struct demo *d, struct hep_msg *ret);
const struct demo_about *demo_last(const struct demo *d);

struct demo_stats {
    uint64_t calls;      /* begun */
    uint64_t messages;   /* given */
    uint64_t held_back;  /* calls that began late because of the limit */
    uint32_t concurrent; /* now */
    uint32_t peak;       /* the most at a time */
};

void demo_stats(const struct demo *d, struct demo_stats *ret);

/* Number of scenarios; name and one line of description of each. Static. */
size_t demo_scenarios(void);
const char *demo_scenario_name(size_t index);
const char *demo_scenario_about(size_t index);

/* True if the scenario's messages are wrong on purpose. */
bool demo_scenario_malformed(size_t index);

/* The weights that a network might have. */
void demo_mix_usual(struct demo_mix *mix);

/*
 * "busy,answered:5,cancel": these scenarios with a weight (default 1) each; "all": those of demo_mix_usual(); "-NAME"
 * takes one away. Read from left to right. 0, or -1 with a text.
 */
int demo_mix_parse(const char *text, struct demo_mix *ret, struct errmsg *err);

#endif
