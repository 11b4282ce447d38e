/*
 * Calls in a short notation, and what the tracker makes of them as one line of text. A message is
 *
 *     MS FROM>TO WHAT CSEQ BRANCH [options] ;
 *
 * WHAT    a method, or a status: "180" answers the INVITE, "200/BYE" the BYE
 * options f=TAG t=TAG (From and To tag; presets: a, none), tap=N, via=N, q=N (Q.850), c=N (SIP cause), id=CALL-ID,
 *         ua=TEXT, sdp, hold, resume, fwd, repl, to=URI (Refer-To), x=N (another payload), tcp, o=ID (session id of the
 *         SDP), port=N (of its medium), repl=CALL-ID, hdr=NAME:VALUE, corr=ID, sid=UUID, rsid=UUID (Session-ID, its
 *         remote half), icid=ID, from=USER, for=USER (R-URI and To)
 *
 * A and the like are addresses. Each message becomes a row and goes through track_event_make().
 */
#ifndef TRACK_SCRIPT_H
#define TRACK_SCRIPT_H

#include "base/num.h"
#include "testlib.h"
#include "track/track.h"

#define SCRIPT_START  INT64_C(1700000000000000)
#define SCRIPT_MAX    128
#define SCRIPT_SECOND INT64_C(1000000)

struct script_message {
    struct track_event event;
    struct track_texts texts;
    bool is_event; /* track_event_make() took it */
};

struct script {
    struct script_message all[SCRIPT_MAX];
    size_t count;
    char text[16384]; /* what the slices point into */
};

static inline struct hep_slice script_slice(const char *s)
{
    return (struct hep_slice){ (const uint8_t *)s, s == NULL ? 0 : strlen(s) };
}

static inline int64_t script_number(const char *s)
{
    uint64_t v = 0;
    assert_true(num_parse(s, strlen(s), INT64_MAX, &v));
    return (int64_t)v;
}

static inline void script_option(struct record *r, const char *word)
{
    const char *value = strchr(word, '=');
    value = value != NULL ? value + 1 : "";
    if (strncmp(word, "f=", 2) == 0)
        r->from_tag = script_slice(value);
    else if (strncmp(word, "t=", 2) == 0)
        r->to_tag = script_slice(value);
    else if (strncmp(word, "tap=", 4) == 0)
        r->capture_id = script_number(value);
    else if (strncmp(word, "via=", 4) == 0)
        r->via_count = script_number(value);
    else if (strncmp(word, "q=", 2) == 0)
        r->q850_cause = script_number(value);
    else if (strncmp(word, "c=", 2) == 0)
        r->sip_cause = script_number(value);
    else if (strncmp(word, "id=", 3) == 0)
        r->call_id = script_slice(value);
    else if (strncmp(word, "ua=", 3) == 0)
        r->user_agent = script_slice(value);
    else if (strcmp(word, "fwd") == 0)
        r->diversion_user = script_slice("9");
    else if (strcmp(word, "repl") == 0)
        r->replaces = script_slice("other");
    else if (strncmp(word, "to=", 3) == 0)
        r->refer_to = script_slice(value);
    else if (strncmp(word, "repl=", 5) == 0)
        r->replaces = script_slice(value);
    else if (strncmp(word, "hdr=", 4) == 0)
        r->headers = script_slice(value);
    else if (strncmp(word, "corr=", 5) == 0)
        r->correlation_id = script_slice(value);
    else if (strncmp(word, "sid=", 4) == 0)
        r->session_id = script_slice(value);
    else if (strncmp(word, "rsid=", 5) == 0)
        r->session_id_remote = script_slice(value);
    else if (strncmp(word, "icid=", 5) == 0)
        r->icid = script_slice(value);
    else if (strncmp(word, "from=", 5) == 0)
        r->from_user = script_slice(value);
    else if (strncmp(word, "for=", 4) == 0)
        r->to_user = r->ruri_user = script_slice(value);
    else if (strncmp(word, "o=", 2) == 0)
        r->sdp.session = script_slice(value);
    else if (strncmp(word, "port=", 5) == 0)
        r->sdp_port = script_number(value);
    else if (strcmp(word, "tcp") == 0)
        r->proto = script_slice("tcp");
    else if (strcmp(word, "sdp") == 0 || strcmp(word, "hold") == 0) {
        r->flags |= RECORD_FLAG_SDP;
        r->sdp_ip = script_slice("192.0.2.1");
        r->sdp_port = 4000;
        r->sdp_media = script_slice(*word == 'h' ? "audio PCMU/8000 sendonly" : "audio PCMU/8000,G729/8000 sendrecv");
    } else
        assert_true(strncmp(word, "x=", 2) == 0);
}

static inline void script_addr(struct hep_addr *a, uint32_t *port, char name)
{
    *a = (struct hep_addr){ 4, { 10, 0, 0, (uint8_t)name } };
    *port = 5060;
}

static inline void script_what(struct record *r, char *what)
{
    char *slash = strchr(what, '/');
    r->status = RECORD_NONE;
    if (*what >= '0' && *what <= '9') {
        if (slash != NULL)
            *slash = '\0';
        r->status = script_number(what);
        r->reason = script_slice(what);
        what = slash != NULL ? slash + 1 : (char *)(uintptr_t) "INVITE";
    }
    r->method = script_slice(what);
    if (r->status > 100)
        r->to_tag = script_slice("b");
}

/* One message; `line` is cut into its words. `payload` is all of it but the time and the tap. */
static inline void script_line(struct script_message *ret, uint64_t seq, char *line, char *payload)
{
    struct record r;
    char *rest, *word[5];
    memset(&r, 0, sizeof(r));
    for (size_t i = 0; i < 5; i++) {
        word[i] = strtok_r(i == 0 ? line : NULL, " \n", &rest);
        assert_non_null(word[i]);
    }
    r.capture_id = r.q850_cause = r.sip_cause = r.sdp_port = r.expires = r.max_forwards = RECORD_NONE;
    r.table = RECORD_SIP;
    r.seq = seq;
    r.ts = SCRIPT_START + script_number(word[0]) * 1000;
    r.via_count = 1;
    r.call_id = script_slice("call");
    r.from_user = script_slice("100");
    r.to_user = r.ruri_user = script_slice("200");
    r.from_tag = script_slice("a");
    r.proto = script_slice("udp");
    script_addr(&r.src_ip, &r.src_port, word[1][0]);
    script_addr(&r.dst_ip, &r.dst_port, word[1][2]);
    script_what(&r, word[2]);
    r.cseq = script_number(word[3]);
    r.branch = script_slice(word[4]);
    for (char *w; (w = strtok_r(NULL, " \n", &rest)) != NULL;) {
        script_option(&r, w);
        if (strncmp(w, "tap=", 4) != 0)
            strcat(payload, w);
    }
    r.payload = script_slice(payload);
    ret->is_event = track_event_make(&r, 7, &ret->event, &ret->texts);
}

static inline void script_read(struct script *s, const char *text)
{
    static char payloads[SCRIPT_MAX][256];
    char *rest = s->text;
    assert_true(strlen(text) < sizeof(s->text));
    memcpy(s->text, text, strlen(text) + 1);
    s->count = 0;
    for (char *line; (line = strtok_r(rest, ";", &rest)) != NULL;) {
        if (line[strspn(line, " \n")] == '\0')
            continue;
        assert_true(s->count < SCRIPT_MAX);
        payloads[s->count][0] = '\0';
        script_line(&s->all[s->count], s->count + 1, line, payloads[s->count]);
        s->count++;
    }
}

/* ------------------------------------------------------------------------------------------------ what comes out */

#define SCRIPT_OUT_MAX 4096

struct script_out {
    char text[SCRIPT_OUT_MAX];
    unsigned calls;
};

static inline void script_say(struct script_out *o, const char *name, int64_t value)
{
    size_t used = strlen(o->text);
    int n = snprintf(o->text + used, sizeof(o->text) - used, " %s=%lld", name, (long long)value);
    assert_true(n > 0 && used + (size_t)n < sizeof(o->text));
}

static inline void script_flag(struct script_out *o, const char *name, bool set)
{
    if (set) {
        assert_true(strlen(o->text) + strlen(name) + 2 < sizeof(o->text));
        strcat(strcat(o->text, " "), name);
    }
}

static inline void script_more(struct script_out *o, const char *name, int64_t value, int64_t usual)
{
    if (value != usual)
        script_say(o, name, value);
}

/* A track_call_fn: appends the call as a line of words; what is as in most calls is left out. */
static inline void script_show(void *arg, const struct call_record *r)
{
    static const char *const sides[] = { "", "by-caller", "by-callee" };
    static const char *const again[TRACK_AGAINS] = { "again-invite", "again-request", "again-1xx",
                                                     "again-2xx",    "again-failure", "again-ack" };
    struct script_out *o = arg;
    script_flag(o, "|", o->calls++ > 0);
    script_flag(o, track_state_name(r->state), true);
    script_flag(o, sides[r->hangup], r->hangup != TRACK_NOBODY);
    script_more(o, "s", r->status, TRACK_NONE);
    script_more(o, "q", r->q850, TRACK_NONE);
    script_more(o, "c", r->sip_cause, TRACK_NONE);
    script_more(o, "pdd", r->pdd_ms, TRACK_NONE);
    script_more(o, "ring", r->ring_ms, TRACK_NONE);
    script_more(o, "talk", r->talk_ms, TRACK_NONE);
    script_say(o, "n", r->messages);
    script_more(o, "seen-again", r->seen_again, 0);
    for (size_t i = 0; i < TRACK_AGAINS; i++)
        script_more(o, again[i], r->again[i], 0);
    script_more(o, "reinvites", r->reinvites, 0);
    script_more(o, "updates", r->updates, 0);
    script_more(o, "refers", r->refers, 0);
    script_more(o, "auth", r->auth_rounds, 0);
    script_more(o, "holds", r->holds, 0);
    script_more(o, "resumes", r->resumes, 0);
    script_more(o, "hops", r->hops, r->start_missing ? 0 : 1);
    script_more(o, "branches", r->branches, r->start_missing ? 0 : 1);
    script_more(o, "tags", r->to_tags > 1 ? r->to_tags : 1, 1);
    script_more(o, "taps", r->taps, 1);
    script_flag(o, "start-missing", r->start_missing);
    script_flag(o, "evicted", r->evicted);
    script_flag(o, "early-media", r->early_media);
    script_flag(o, "late-offer", r->late_offer);
    script_flag(o, "transferred", r->transferred);
    script_flag(o, "redirected", r->redirected);
    script_flag(o, "forwarded", r->forwarded);
    script_flag(o, "no-bye-answer", r->no_bye_answer);
    script_flag(o, "no-ack", r->no_ack);
}

#endif
