/*
 * Registrations in a short notation, and what the registrar makes of them as one line of text. A message is
 *
 *     MS FROM>TO WHAT CSEQ [options] ;
 *
 * WHAT    R: a REGISTER; else the status of a response
 * options c=NAME[:EXPIRES],... (contacts), c=* , e=N (header Expires), min=N (Min-Expires), auth, id=CALL-ID, to=USER,
 *         host=HOST (of To), tap=N, x=N (another message of the same meaning), no=HEADER (leaves Call-ID or To out)
 *
 * A and the like are addresses. Each message becomes SIP text, is read by the record reader and goes through
 * reg_event_make().
 */
#ifndef REGISTRAR_SCRIPT_H
#define REGISTRAR_SCRIPT_H

#include "base/num.h"
#include "record/reader.h"
#include "testlib.h"
#include "track/registrar.h"

#define SCRIPT_START  INT64_C(1700000000000000)
#define SCRIPT_MAX    128
#define SCRIPT_SECOND INT64_C(1000000)

struct script_message {
    struct reg_event event;
    struct reg_texts texts;
    bool is_event;
    char sip[1024]; /* what the texts point into, */
    struct record record;
};

struct script {
    struct script_message all[SCRIPT_MAX];
    size_t count;
    char text[16384];
};

struct script_words {
    const char *id, *to, *host, *contacts, *expires, *min, *x, *no;
    bool auth;
    int64_t tap;
};

static inline int64_t script_number(const char *s)
{
    uint64_t v = 0;
    assert_true(num_parse(s, strlen(s), INT64_MAX, &v));
    return (int64_t)v;
}

static inline void script_word(struct script_words *w, const char *word)
{
    const struct {
        const char *name, **to;
    } texts[] = { { "id=", &w->id },     { "to=", &w->to },   { "host=", &w->host }, { "c=", &w->contacts },
                  { "e=", &w->expires }, { "min=", &w->min }, { "x=", &w->x },       { "no=", &w->no } };
    if (strcmp(word, "auth") == 0)
        w->auth = true;
    else if (strncmp(word, "tap=", 4) == 0)
        w->tap = script_number(word + 4);
    else {
        size_t i = 0;
        while (i < COUNT_OF(texts) && strncmp(word, texts[i].name, strlen(texts[i].name)) != 0)
            i++;
        assert_true(i < COUNT_OF(texts));
        *texts[i].to = word + strlen(texts[i].name);
    }
}

static inline void script_contacts(struct buf *b, const char *list)
{
    if (strcmp(list, "*") == 0) {
        buf_puts(b, "Contact: *\r\n");
        return;
    }
    for (const char *at = list; *at != '\0';) {
        size_t n = strcspn(at, ","), name = strcspn(at, ":,");
        buf_printf(b, "Contact: \"%.*s\" <sip:%.*s@192.0.2.1:5070;ob>", (int)name, at, (int)name, at);
        if (name < n)
            buf_printf(b, ";q=1;expires=%.*s", (int)(n - name - 1), at + name + 1);
        buf_puts(b, "\r\n");
        at += n + (at[n] == ',');
    }
}

static inline void script_sip(struct buf *b, const char *what, const char *cseq, const struct script_words *w)
{
    if (strcmp(what, "R") == 0)
        buf_puts(b, "REGISTER sip:example.com SIP/2.0\r\nUser-Agent: phone\r\n");
    else
        buf_printf(b, "SIP/2.0 %s Reason%s\r\nServer: registrar\r\n", what, what);
    buf_printf(b, "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK%s%s\r\nCSeq: %s REGISTER\r\n", cseq,
               w->x != NULL ? w->x : "", cseq);
    buf_printf(b, "From: <sip:100@example.com>;tag=a\r\n");
    if (w->no == NULL || strcmp(w->no, "To") != 0)
        buf_printf(b, "To: <sip:%s@%s>\r\n", w->to, w->host);
    if (w->no == NULL || strcmp(w->no, "Call-ID") != 0)
        buf_printf(b, "Call-ID: %s\r\n", w->id);
    if (w->contacts != NULL)
        script_contacts(b, w->contacts);
    if (w->expires != NULL)
        buf_printf(b, "Expires: %s\r\n", w->expires);
    if (w->min != NULL)
        buf_printf(b, "Min-Expires: %s\r\n", w->min);
    if (w->auth)
        buf_puts(b, "Authorization: Digest username=\"u100\", realm=\"r\"\r\n");
    buf_puts(b, "Content-Length: 0\r\n\r\n");
}

static inline void script_line(struct script_message *ret, uint64_t seq, char *line)
{
    static struct record_reader *reader;
    const struct record_options options = { .clock_window_us = 0 };
    struct script_words w = { .id = "call", .to = "100", .host = "example.com", .tap = 1 };
    char *rest, *word[4];
    struct buf b;
    for (size_t i = 0; i < COUNT_OF(word); i++) {
        word[i] = strtok_r(i == 0 ? line : NULL, " \n", &rest);
        assert_non_null(word[i]);
    }
    for (char *o; (o = strtok_r(NULL, " \n", &rest)) != NULL;)
        script_word(&w, o);
    buf_init(&b, sizeof(ret->sip));
    script_sip(&b, word[2], word[3], &w);
    assert_false(b.failed);
    memcpy(ret->sip, b.ptr, b.len);
    struct sink_frame frame = { .received_us = SCRIPT_START + script_number(word[0]) * 1000 };
    struct hep_msg msg = { .present = HEP_BIT(HEP_CHUNK_CAPTURE_ID),
                           .capture_id = (uint32_t)w.tap,
                           .payload_type = HEP_TYPE_SIP,
                           .protocol = 17,
                           .src = { 4, { 10, 0, 0, (uint8_t)word[1][0] } },
                           .dst = { 4, { 10, 0, 0, (uint8_t)word[1][2] } },
                           .src_port = 5060,
                           .dst_port = 5060,
                           .payload = { (const uint8_t *)ret->sip, b.len } };
    buf_free(&b);
    if (reader == NULL)
        reader = record_reader_new(&options);
    assert_non_null(reader);
    record_make(reader, &frame, &msg, &ret->record);
    ret->record.seq = seq;
    ret->is_event = reg_event_make(&ret->record, 7, &ret->event, &ret->texts);
}

static inline void script_read(struct script *s, const char *text)
{
    char *rest = s->text;
    assert_true(strlen(text) < sizeof(s->text));
    memcpy(s->text, text, strlen(text) + 1);
    s->count = 0;
    for (char *line; (line = strtok_r(rest, ";", &rest)) != NULL;) {
        if (line[strspn(line, " \n")] == '\0')
            continue;
        assert_true(s->count < SCRIPT_MAX);
        script_line(&s->all[s->count], s->count + 1, line);
        s->count++;
    }
}

/* ------------------------------------------------------------------------------------------------ what comes out */

struct script_out {
    char text[8192];
    unsigned shown;
};

static inline void script_put(struct script_out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void script_put(struct script_out *o, const char *format, ...)
{
    va_list args;
    size_t used = strlen(o->text);
    va_start(args, format);
    int n = vsnprintf(o->text + used, sizeof(o->text) - used, format, args);
    va_end(args);
    assert_true(n >= 0 && used + (size_t)n < sizeof(o->text));
}

static inline void script_say(struct script_out *o, const char *name, int64_t value, int64_t usual)
{
    if (value != usual)
        script_put(o, " %s=%lld", name, (long long)value);
}

/* A reg_attempt_fn: the attempt as a line of words; what is as in most is left out. */
static inline void script_attempt(void *arg, const struct reg_attempt *a)
{
    struct script_out *o = arg;
    script_put(o, "%s%s %s", o->shown++ > 0 ? " | " : "", reg_result_name(a->result), reg_binding_name(a->binding));
    script_say(o, "s", a->status, TRACK_NONE);
    script_say(o, "asked", a->expires_asked, TRACK_NONE);
    script_say(o, "got", a->expires, TRACK_NONE);
    script_say(o, "min", a->min_expires, TRACK_NONE);
    script_say(o, "ms", a->answer_ms, TRACK_NONE);
    script_say(o, "auth", a->auth_rounds, 0);
    script_say(o, "contacts", a->contacts, 1);
    script_say(o, "n", a->messages, 0);
    script_say(o, "again", a->retransmissions, 0);
    script_say(o, "seen-again", a->seen_again, 0);
    script_say(o, "taps", a->taps, 1);
}

/* A reg_aor_fn, with all of its bindings. */
static inline void script_aor(void *arg, const struct reg_aor *a)
{
    struct script_out *o = arg;
    script_put(o, "%s%.*s %s", o->shown++ > 0 ? " | " : "", (int)a->user.len, (const char *)a->user.ptr,
               reg_state_name(a->state));
    script_say(o, "tried", a->attempts, 1);
    script_say(o, "failed", a->failed, 0);
    script_say(o, "row", a->failed_in_a_row, 0);
    script_say(o, "changes", a->changes, 0);
    for (size_t i = 0; i < a->binding_count; i++) {
        const struct reg_binding_record *b = &a->bindings[i];
        size_t len = 4; /* "sip:" */
        while (len < b->contact.len && b->contact.ptr[len] != '@')
            len++;
        script_put(o, " %.*s%s:%lld", b->contact.len > 4 ? (int)len - 4 : 0, (const char *)b->contact.ptr + 4,
                   b->holds ? "" : "-", (long long)((b->expires_at - SCRIPT_START) / SCRIPT_SECOND));
    }
}

#endif
