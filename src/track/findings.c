#include "track/findings.h"

#define SHORT_CALL_MS 2000
#define HIGH_PDD_MS   5000

/* Final statuses of an INVITE; those that are not named have the id of their class. */
static const struct {
    uint16_t status;
    const char *id;
} statuses[] = {
    { 403, "forbidden" },      { 404, "unknown-number" }, { 406, "not-acceptable" }, { 408, "call-timeout" },
    { 410, "gone" },           { 413, "not-acceptable" }, { 414, "not-acceptable" }, { 415, "codec-mismatch" },
    { 416, "not-acceptable" }, { 420, "not-acceptable" }, { 421, "not-acceptable" }, { 422, "not-acceptable" },
    { 480, "unavailable" },    { 482, "loop-detected" },  { 483, "too-many-hops" },  { 484, "unknown-number" },
    { 485, "unknown-number" }, { 486, "busy" },           { 488, "codec-mismatch" }, { 493, "not-acceptable" },
    { 494, "not-acceptable" }, { 504, "call-timeout" },   { 513, "not-acceptable" }, { 580, "not-acceptable" },
    { 600, "busy" },           { 603, "declined" },       { 604, "unknown-number" }, { 606, "codec-mismatch" },
    { 607, "declined" },       { 608, "declined" },
};

/* NULL: no failure, or others tell more. */
static const char *by_status(int64_t status)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].status == status)
            return statuses[i].id;
    if (status < 400 || status == 401 || status == 407 || status == 487 || status == 491)
        return NULL;
    return status >= 500 && status < 600 ? "server-error" : "call-failed";
}

/* Each request without credentials was challenged once, as far as the record knows. */
static const char *by_challenges(const struct call_record *c)
{
    return c->auth_rounds <= 1 ? "auth-abandoned" : c->auth_rounds <= 3 ? "wrong-credentials" : "auth-loop";
}

static const char *without_status(const struct call_record *c)
{
    if (c->provisional != TRACK_NO_TIME)
        return "no-final-response";
    return c->again[TRACK_AGAIN_INVITE] >= 2 ? "retransmit-timeout" : "no-response";
}

/* Of a call that was not answered: why. */
static const char *failure(const struct call_record *c)
{
    bool rang = c->ringing != TRACK_NO_TIME || c->early_media, given_up = c->state == TRACK_CANCELLED;
    if (given_up && !rang)
        return "abandoned";
    if (rang && (given_up || c->status == 408 || c->status == 480 || c->status == 504))
        return c->early_media ? "early-media-no-answer" : "no-answer";
    if (c->status == TRACK_NONE)
        return c->state == TRACK_TIMED_OUT ? without_status(c) : NULL;
    return c->status == 401 || c->status == 407 ? by_challenges(c) : by_status(c->status);
}

size_t track_findings(const struct call_record *c, const char *ret[TRACK_FINDINGS_MAX])
{
    size_t n = 0;
    bool live = track_state_is_live(c->state), answered = c->answer != TRACK_NO_TIME || c->state == TRACK_COMPLETED;
    const char *why = live || answered || c->start_missing || c->evicted ? NULL : failure(c);
    if (why != NULL)
        ret[n++] = why;
    if (c->pdd_ms > HIGH_PDD_MS)
        ret[n++] = "high-pdd";
    if (c->state == TRACK_COMPLETED && c->talk_ms >= 0 && c->talk_ms < SHORT_CALL_MS)
        ret[n++] = "short-call";
    if (c->state == TRACK_COMPLETED && c->q850 >= 0 && c->q850 != 16 && c->q850 != 31)
        ret[n++] = "abnormal-release";
    if (!live && c->holds > c->resumes)
        ret[n++] = "hold-no-resume";
    return n;
}
