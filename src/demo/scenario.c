#include "demo/scenario.h"

#include <string.h>

#include "base/num.h"
#include "demo/demo.h"

#define MS 1000u
#define S  1000000u

const struct demo_delay_range demo_delays[DELAY_COUNT] = {
    [DELAY_NONE] = { 0, 0, 0 },
    [DELAY_PROXY] = { 120, 400, 4 * MS },
    [DELAY_NET] = { 2 * MS, 14 * MS, 160 * MS },
    [DELAY_PDD] = { 120 * MS, 900 * MS, 5 * S },
    [DELAY_RING] = { 1 * S, 6 * S, 28 * S },
    [DELAY_LONG] = { 45 * S, 70 * S, 150 * S },
    [DELAY_GIVE_UP] = { 2 * S, 9 * S, 40 * S },
    [DELAY_TIMER] = { 30 * S, 30 * S, 30 * S + 3 * MS },
    [DELAY_T1] = { 500 * MS, 500 * MS, 502 * MS },
    [DELAY_T2] = { 1000 * MS, 1000 * MS, 1003 * MS },
    [DELAY_HOLD] = { 2 * S, 10 * S, 60 * S },
    [DELAY_REFRESH] = { 27 * S, 42 * S, 55 * S },
    [DELAY_TALK] = { S / 10, S, 10 * S },
};

/* ------------------------------------------------------------------------------------------------ building blocks */

/* clang-format off */
#define REQ(delay, hop, method, txn, flags, body) { DELAY_##delay, HOP_##hop, WHAT_##method, txn, flags, 0, BODY_##body }
#define RSP(delay, hop, status, method, txn, flags, body) { DELAY_##delay, HOP_##hop, WHAT_##method, txn, flags, status, BODY_##body }
#define LOG                     { DELAY_PROXY, HOP_A_P, WHAT_LOG, 0, 0, 0, BODY_NONE }
#define TALK                    { DELAY_NONE, HOP_A_P, WHAT_MEDIA, 0, 0, 0, BODY_NONE }

/* t: number of the transaction, f: flags of its first request; each block is both hops */
#define INVITE_IN(t, f)         REQ(NET, A_P, INVITE, t, f, OFFER), RSP(PROXY, P_A, 100, INVITE, t, 0, NONE)
#define INVITE_OUT(t)           REQ(PROXY, P_B, INVITE, t, 0, OFFER), RSP(NET, B_P, 100, INVITE, t, 0, NONE)
#define INVITE(t, f)            INVITE_IN(t, f), LOG, INVITE_OUT(t)
#define RINGS(t)                RSP(PDD, B_P, 180, INVITE, t, 0, NONE), RSP(PROXY, P_A, 180, INVITE, t, 0, NONE)
#define PROGRESS(t)             RSP(PDD, B_P, 183, INVITE, t, 0, ANSWER), RSP(PROXY, P_A, 183, INVITE, t, 0, ANSWER)
#define ANSWERS(t, delay, f)    RSP(delay, B_P, 200, INVITE, t, f, ANSWER), RSP(PROXY, P_A, 200, INVITE, t, f, ANSWER), \
                                REQ(NET, A_P, ACK, t, H_DIALOG, NONE), REQ(PROXY, P_B, ACK, t, H_DIALOG, NONE)
#define C_ANSWERS(t)            RSP(NET, C_P, 100, INVITE, t, 0, NONE), \
                                RSP(PDD, C_P, 180, INVITE, t, 0, NONE), RSP(PROXY, P_A, 180, INVITE, t, 0, NONE), \
                                RSP(RING, C_P, 200, INVITE, t, 0, ANSWER), RSP(PROXY, P_A, 200, INVITE, t, 0, ANSWER), \
                                REQ(NET, A_P, ACK, t, H_DIALOG, NONE), REQ(PROXY, P_C, ACK, t, H_DIALOG, NONE)
#define REFUSED_OUT(t, delay, status, f) \
                                RSP(delay, B_P, status, INVITE, t, f, NONE), REQ(PROXY, P_B, ACK, t, 0, NONE)
#define REFUSED_IN(t, status, f) \
                                RSP(PROXY, P_A, status, INVITE, t, f, NONE), REQ(NET, A_P, ACK, t, 0, NONE)
#define REFUSED(t, delay, status, f) REFUSED_OUT(t, delay, status, f), REFUSED_IN(t, status, f)
/* a request inside the dialog and its answer, from the calling side to B or C, or the other way */
#define FROM_A(delay, m, t, rf, offer, answer, B) \
                                REQ(delay, A_P, m, t, H_DIALOG | (rf), offer), REQ(PROXY, P_##B, m, t, H_DIALOG | (rf), offer), \
                                RSP(NET, B##_P, 200, m, t, H_DIALOG | ((rf) & ~H_CAUSE), answer), \
                                RSP(PROXY, P_A, 200, m, t, H_DIALOG | ((rf) & ~H_CAUSE), answer)
#define FROM_B(delay, m, t, rf, body) \
                                REQ(delay, B_P, m, t, H_DIALOG | (rf), body), REQ(PROXY, P_A, m, t, H_DIALOG | (rf), body), \
                                RSP(NET, A_P, 200, m, t, H_DIALOG, NONE), RSP(PROXY, P_B, 200, m, t, H_DIALOG, NONE)
#define REINVITE(delay, t, offer, answer) \
                                REQ(delay, A_P, INVITE, t, H_DIALOG, offer), RSP(PROXY, P_A, 100, INVITE, t, H_DIALOG, NONE), \
                                REQ(PROXY, P_B, INVITE, t, H_DIALOG, offer), RSP(NET, B_P, 200, INVITE, t, H_DIALOG, answer), \
                                RSP(PROXY, P_A, 200, INVITE, t, H_DIALOG, answer), \
                                REQ(NET, A_P, ACK, t, H_DIALOG, NONE), REQ(PROXY, P_B, ACK, t, H_DIALOG, NONE)
#define BYE(t)                  FROM_A(PROXY, BYE, t, H_CAUSE, NONE, NONE, B)
#define CHALLENGED(t)           REQ(NET, A_P, INVITE, t, 0, OFFER), RSP(PROXY, P_A, 407, INVITE, t, H_CHALLENGE, NONE), \
                                REQ(NET, A_P, ACK, t, 0, NONE)
#define CANCELS(hop, back, delay, t, f) \
                                REQ(delay, hop, CANCEL, t, f, NONE), RSP(NET, back, 200, CANCEL, t, 0, NONE)
#define REGISTERS(delay, t, f)  REQ(delay, A_P, REGISTER, t, f, NONE), RSP(PROXY, P_A, 200, REGISTER, t, (f) & ~H_CREDENTIALS, NONE)
#define REGISTER_REFUSED(t, f)  REQ(NET, A_P, REGISTER, t, f, NONE), RSP(PROXY, P_A, 401, REGISTER, t, H_CHALLENGE, NONE)

/* ------------------------------------------------------------------------------------------------ scenarios */

static const struct demo_step answered[] = { INVITE(1, 0), RINGS(1), ANSWERS(1, RING, 0), TALK, BYE(2) };

static const struct demo_step callee_bye[] = {
    INVITE(1, 0), RINGS(1), ANSWERS(1, RING, 0), TALK, FROM_B(PROXY, BYE, TXN_CALLEE, H_CAUSE, NONE),
};

static const struct demo_step early_media[] = { INVITE(1, 0), PROGRESS(1), ANSWERS(1, RING, 0), TALK, BYE(2) };

static const struct demo_step auth[] = {
    CHALLENGED(1), INVITE(2, H_CREDENTIALS), RINGS(2), ANSWERS(2, RING, 0), TALK, BYE(3),
};

static const struct demo_step reg[] = {
    REGISTER_REFUSED(1, H_EXPIRES), REGISTERS(NET, 2, H_EXPIRES | H_CREDENTIALS),
    REGISTERS(REFRESH, 3, H_EXPIRES | H_CREDENTIALS),
};

static const struct demo_step unregister[] = {
    REGISTER_REFUSED(1, H_EXPIRES_0), REGISTERS(NET, 2, H_EXPIRES_0 | H_CREDENTIALS),
};

static const struct demo_step busy[] = { INVITE(1, 0), REFUSED(1, PDD, 486, H_CAUSE) };

static const struct demo_step cancel[] = {
    INVITE(1, 0), RINGS(1), CANCELS(A_P, P_A, GIVE_UP, 1, H_CAUSE), CANCELS(P_B, B_P, PROXY, 1, H_CAUSE),
    REFUSED(1, PROXY, 487, 0),
};

static const struct demo_step no_answer[] = { INVITE(1, 0), RINGS(1), REFUSED(1, TIMER, 480, H_CAUSE) };

static const struct demo_step timed_out[] = {
    INVITE(1, 0), RINGS(1), CANCELS(P_B, B_P, TIMER, 1, 0), REFUSED_OUT(1, PROXY, 487, 0), REFUSED_IN(1, 408, 0),
};

static const struct demo_step not_found[] = { INVITE(1, 0), REFUSED(1, PDD, 404, H_CAUSE) };

static const struct demo_step failover[] = {
    INVITE(1, 0), REFUSED_OUT(1, NET, 503, H_RETRY_AFTER), REQ(PROXY, P_C, INVITE, 1, 0, OFFER), C_ANSWERS(1), TALK,
    FROM_A(PROXY, BYE, 2, H_CAUSE, NONE, NONE, C),
};

static const struct demo_step hold[] = {
    INVITE(1, 0), RINGS(1), ANSWERS(1, RING, 0), TALK, REINVITE(PROXY, 2, HOLD, HELD),
    REINVITE(HOLD, 3, RESUME, RESUMED), TALK, BYE(4),
};

static const struct demo_step long_ring[] = { INVITE(1, 0), RINGS(1), ANSWERS(1, LONG, 0), TALK, BYE(2) };

static const struct demo_step session_timer[] = {
    INVITE(1, H_TIMER), RINGS(1), ANSWERS(1, RING, H_TIMER), TALK, FROM_A(PROXY, UPDATE, 2, H_TIMER, NONE, NONE, B),
    TALK, BYE(3),
};

static const struct demo_step retransmit[] = {
    REQ(NET, A_P, INVITE, 1, 0, OFFER), REQ(T1, A_P, INVITE, 1, 0, OFFER), INVITE_IN(1, 0), LOG,
    REQ(PROXY, P_B, INVITE, 1, 0, OFFER), REQ(T1, P_B, INVITE, 1, 0, OFFER), RSP(NET, B_P, 100, INVITE, 1, 0, NONE),
    RINGS(1), ANSWERS(1, RING, 0), TALK, BYE(2),
};

static const struct demo_step options[] = {
    REQ(NET, A_P, OPTIONS, 1, 0, NONE), RSP(PROXY, P_A, 200, OPTIONS, 1, 0, NONE),
};

static const struct demo_step message[] = {
    REQ(NET, A_P, MESSAGE, 1, 0, TEXT), REQ(PROXY, P_B, MESSAGE, 1, 0, TEXT), RSP(NET, B_P, 200, MESSAGE, 1, 0, NONE),
    RSP(PROXY, P_A, 200, MESSAGE, 1, 0, NONE),
};

static const struct demo_step subscribe[] = {
    REQ(NET, A_P, SUBSCRIBE, 1, H_EVENT | H_EXPIRES, NONE), REQ(PROXY, P_B, SUBSCRIBE, 1, H_EVENT | H_EXPIRES, NONE),
    RSP(NET, B_P, 200, SUBSCRIBE, 1, H_EXPIRES, NONE), RSP(PROXY, P_A, 200, SUBSCRIBE, 1, H_EXPIRES, NONE),
    FROM_B(NET, NOTIFY, TXN_CALLEE, H_EVENT, DIALOG), FROM_B(RING, NOTIFY, TXN_CALLEE + 1, H_EVENT, DIALOG),
};

static const struct demo_step redirect[] = {
    INVITE(1, 0), REFUSED(1, NET, 302, H_MOVED), INVITE_IN(2, H_NEW_TARGET), REQ(PROXY, P_C, INVITE, 2, 0, OFFER),
    C_ANSWERS(2), TALK, FROM_A(PROXY, BYE, 3, H_CAUSE, NONE, NONE, C),
};

/* What is wrong with it depends on the call. Nobody answers. */
static const struct demo_step malformed[] = {
    REQ(NET, A_P, INVITE, 1, 0, OFFER), REQ(T1, A_P, INVITE, 1, 0, OFFER), REQ(T2, A_P, INVITE, 1, 0, OFFER),
};

#define SCENARIO(name, table, weight, subscriber, about) B2BUA(name, table, weight, subscriber, NONE, about)
#define B2BUA(name, table, weight, subscriber, bridge, about) \
    { name, about, weight, subscriber, false, BRIDGE_##bridge, sizeof(table) / sizeof((table)[0]), table }

/* The weights add up to 1000. */
const struct demo_scenario demo_all[] = {
    SCENARIO("answered", answered, 225, false, "answered, the caller hangs up"),
    SCENARIO("callee-bye", callee_bye, 140, false, "answered, the called side hangs up"),
    SCENARIO("early-media", early_media, 70, false, "183 with SDP, then answered"),
    SCENARIO("auth", auth, 90, true, "407, then the call with credentials"),
    SCENARIO("register", reg, 110, true, "401, registration, refresh"),
    SCENARIO("unregister", unregister, 20, true, "401, registration ended"),
    SCENARIO("busy", busy, 50, false, "486 with Q.850 cause 17"),
    SCENARIO("cancel", cancel, 50, false, "the caller gives up: CANCEL, 487"),
    SCENARIO("no-answer", no_answer, 40, false, "480 after half a minute"),
    SCENARIO("timeout", timed_out, 15, false, "the proxy gives up: CANCEL, 408"),
    SCENARIO("not-found", not_found, 25, false, "404 with Q.850 cause 1"),
    SCENARIO("failover", failover, 15, false, "503 with Retry-After, then another carrier"),
    SCENARIO("hold", hold, 25, false, "re-INVITE to hold and to resume"),
    SCENARIO("long-ring", long_ring, 10, false, "rings for a minute and more"),
    SCENARIO("session-timer", session_timer, 15, false, "UPDATE of a session timer"),
    SCENARIO("retransmit", retransmit, 10, false, "INVITE again and again until the 100 comes"),
    SCENARIO("options", options, 20, false, "OPTIONS ping"),
    SCENARIO("message", message, 10, true, "MESSAGE"),
    SCENARIO("subscribe", subscribe, 10, true, "SUBSCRIBE and two NOTIFY"),
    SCENARIO("redirect", redirect, 7, false, "302, then the new target"),
    B2BUA("b2bua", answered, 20, false, X_CALL_ID, "a B2BUA: another Call-ID, the first one in X-Call-ID"),
    B2BUA("b2bua-session", callee_bye, 10, false, SESSION_ID, "a B2BUA: another Call-ID, the same Session-ID"),
    B2BUA("b2bua-silent", answered, 10, false, NOTHING, "a B2BUA that passes on nothing but the numbers"),
    { "malformed", "an INVITE that is not SIP any more", 3, false, true, BRIDGE_NONE, sizeof(malformed) / sizeof(malformed[0]), malformed },
};
/* clang-format on */

const size_t demo_all_count = sizeof(demo_all) / sizeof(demo_all[0]);

_Static_assert(sizeof(demo_all) / sizeof(demo_all[0]) <= DEMO_SCENARIOS_MAX, "a mix has a weight for each scenario");

size_t demo_scenarios(void)
{
    return demo_all_count;
}

const char *demo_scenario_name(size_t index)
{
    return demo_all[index].name;
}

const char *demo_scenario_about(size_t index)
{
    return demo_all[index].about;
}

bool demo_scenario_malformed(size_t index)
{
    return demo_all[index].malformed;
}

/* ------------------------------------------------------------------------------------------------ mix */

void demo_mix_usual(struct demo_mix *mix)
{
    *mix = (struct demo_mix){ { 0 } };
    for (size_t i = 0; i < demo_all_count; i++)
        mix->weights[i] = demo_all[i].weight;
}

static int take_scenario(const char *name, size_t len, uint32_t weight, struct demo_mix *mix, struct errmsg *err)
{
    for (size_t i = 0; i < demo_all_count; i++) {
        if (strlen(demo_all[i].name) == len && memcmp(demo_all[i].name, name, len) == 0) {
            mix->weights[i] = weight;
            return 0;
        }
    }
    return errmsg_set(err, "there is no scenario '%.*s'", len < 100 ? (int)len : 100, name);
}

/* One of "all", "NAME", "NAME:WEIGHT", "-NAME". */
static int take_item(const char *item, size_t len, struct demo_mix *mix, struct errmsg *err)
{
    uint64_t weight = 1;
    const char *colon = memchr(item, ':', len);
    if (len == 3 && memcmp(item, "all", 3) == 0) {
        demo_mix_usual(mix);
        return 0;
    }
    if (len > 0 && item[0] == '-')
        return take_scenario(item + 1, len - 1, 0, mix, err);
    size_t name_len = colon != NULL ? (size_t)(colon - item) : len;
    if (colon != NULL && !num_parse(colon + 1, len - name_len - 1, DEMO_WEIGHT_MAX, &weight))
        return errmsg_set(err, "weight of '%.*s' is not a number in 0..%d", name_len < 100 ? (int)name_len : 100, item,
                          DEMO_WEIGHT_MAX);
    return take_scenario(item, name_len, (uint32_t)weight, mix, err);
}

int demo_mix_parse(const char *text, struct demo_mix *ret, struct errmsg *err)
{
    uint64_t sum = 0;
    *ret = (struct demo_mix){ { 0 } };
    for (const char *end = text; *end != '\0'; text = end + 1) {
        end = text + strcspn(text, ",");
        if (take_item(text, (size_t)(end - text), ret, err) != 0)
            return -1;
    }
    for (size_t i = 0; i < demo_all_count; i++)
        sum += ret->weights[i];
    return sum != 0 ? 0 : errmsg_set(err, "no scenario is left");
}
