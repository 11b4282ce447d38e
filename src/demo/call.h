/* A call that runs. Private to this folder. */
#ifndef DEMO_CALL_H
#define DEMO_CALL_H

#include "demo/cast.h"
#include "demo/random.h"
#include "demo/scenario.h"

struct demo_call {
    const struct demo_scenario *scenario;
    uint64_t number;
    uint64_t random;     /* next random number */
    uint64_t secret;     /* tags, branches and other identifiers are made of it and a label: they need no memory */
    uint64_t talk_began; /* microseconds, Unix time */
    uint64_t talk_end;
    uint32_t interval; /* microseconds between RTCP reports of both sides; 0: nobody captures RTCP of this call */
    uint32_t reports;  /* RTCP reports given */
    uint32_t lost[2];  /* packets lost so far as each side sees it: what A says, what B says */
    uint8_t step;
    uint8_t dialog_txn; /* of the request that began the dialog: the tag of the called side follows from it */
    uint8_t target;     /* 0: B, 1: C */
    uint8_t defect;     /* of a malformed message */
    struct demo_cast cast;
};

/* Sides by the hop: who sends and who receives. */
enum demo_role { ROLE_A, ROLE_P, ROLE_B };

static inline const struct demo_party *demo_callee(const struct demo_call *c)
{
    return c->target ? &c->cast.c : &c->cast.b;
}

static inline bool demo_is_far(enum demo_hop hop)
{
    return hop >= HOP_P_B;
}

/* The party at the other end of a hop from the proxy. */
static inline const struct demo_party *demo_hop_party(const struct demo_call *c, enum demo_hop hop)
{
    return hop < HOP_P_B ? &c->cast.a : hop < HOP_P_C ? &c->cast.b : &c->cast.c;
}

static inline bool demo_to_proxy(enum demo_hop hop)
{
    return hop == HOP_A_P || hop == HOP_B_P || hop == HOP_C_P;
}

static inline uint64_t demo_label(const struct demo_call *c, unsigned label)
{
    return random_mix(c->secret + label * UINT64_C(0x9e3779b97f4a7c15));
}

/* Call-ID of the call. */
void demo_put_call_id(struct text *t, const struct demo_call *c);

/* True if the call uses the codec that the caller offers first; else it is PCMA, which everybody can. */
bool demo_likes_first(const struct demo_call *c);

/* The SIP message of a step. */
void demo_put_sip(struct text *t, const struct demo_call *c, const struct demo_step *s);

/* Where the caller, or the called side, sends its media if a B2BUA relays them: a port of the proxy's address. */
uint16_t demo_relay_port(const struct demo_call *c, bool of_caller);

/* What the proxy writes into its log. */
void demo_put_log(struct text *t, const struct demo_call *c);

/*
 * The RTCP compound (SR, SDES) that a side sends at `now_us`, in `out`; counts on in c. from_a: the calling side.
 * Returns its length.
 */
#define DEMO_RTCP_MAX 256
size_t demo_rtcp(struct demo_call *c, uint64_t now_us, bool from_a, uint8_t out[DEMO_RTCP_MAX]);

#endif
