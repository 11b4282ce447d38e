/*
 * Calls in a short notation for the tests of the diagnosis, made into real messages. A line is a message:
 *
 *     MS FROM>TO WHAT CSEQ BRANCH [options]
 *
 * FROM, TO  upper case: 10.0.0.65 and so on; lower case: public, 203.0.113.97 and so on. Port 5060
 * WHAT      a method, or a status ("200" to the INVITE, "200/BYE"); RTCP: a report, not SIP
 * options   f=TAG t=TAG (presets a, and b from the second response on), via=N, tap=N, id=CALL-ID, tcp, tls, udp,
 *           to=USER ruri=USER@HOST c=HOST (Contact), mf=N, sdp[=HOST[:PORT[:DIRECTION[:CODEC,CODEC]]]], frag=STATUS,
 *           bare (no Contact, no tags), nocseq, len=N (payload_len), h=HEADER:VALUE ("_" is a blank)
 *
 * HOST is an address, or a letter as in FROM. A line that is the same but for its time and tap is a retransmission.
 */
#ifndef DIAGNOSIS_SCRIPT_H
#define DIAGNOSIS_SCRIPT_H

#include "base/ip.h"
#include "base/num.h"
#include "query/diagnosis.h"
#include "testlib.h"

#define SCRIPT_START INT64_C(1700000000000000)

struct script_words {
    const char *branch, *from_tag, *to_tag, *call_id, *to_user, *ruri, *contact, *proto, *sdp, *extra[8];
    char src, dst;
    const char *method;
    unsigned status;
    uint64_t cseq, via, max_forwards, frag, payload_len, tap;
    size_t extra_count;
    bool has_mf, has_tap, bare, no_cseq, tags;
};

static inline uint64_t script_number(const char *s)
{
    uint64_t v = 0;
    if (!num_parse(s, strlen(s), UINT32_MAX, &v))
        fail_msg("no number: %s", s);
    return v;
}

static inline const char *script_host(const char *s, size_t len, char out[IP_TEXT_MAX])
{
    if (len != 1)
        (void)snprintf(out, IP_TEXT_MAX, "%.*s", (int)len, s);
    else
        (void)snprintf(out, IP_TEXT_MAX, "%s.%d", *s >= 'a' ? "203.0.113" : "10.0.0", *s);
    return out;
}

static inline void script_option(struct script_words *m, char *w)
{
    char *value = strchr(w, '=');
    value = value == NULL ? NULL : value + 1;
    if (strncmp(w, "f=", 2) == 0)
        m->from_tag = value;
    else if (strncmp(w, "t=", 2) == 0)
        m->to_tag = value;
    else if (strncmp(w, "via=", 4) == 0)
        m->via = script_number(value);
    else if (strncmp(w, "tap=", 4) == 0)
        m->tap = script_number(value), m->has_tap = true;
    else if (strncmp(w, "id=", 3) == 0)
        m->call_id = value;
    else if (strncmp(w, "to=", 3) == 0)
        m->to_user = value;
    else if (strncmp(w, "ruri=", 5) == 0)
        m->ruri = value;
    else if (strncmp(w, "c=", 2) == 0)
        m->contact = value;
    else if (strncmp(w, "mf=", 3) == 0)
        m->max_forwards = script_number(value), m->has_mf = true;
    else if (strncmp(w, "frag=", 5) == 0)
        m->frag = script_number(value);
    else if (strncmp(w, "len=", 4) == 0)
        m->payload_len = script_number(value);
    else if (strcmp(w, "bare") == 0)
        m->bare = true;
    else if (strcmp(w, "nocseq") == 0)
        m->no_cseq = true;
    else if (strcmp(w, "tcp") == 0 || strcmp(w, "tls") == 0 || strcmp(w, "udp") == 0)
        m->proto = w;
    else if (strncmp(w, "sdp", 3) == 0)
        m->sdp = value == NULL ? "" : value;
    else if (strncmp(w, "h=", 2) == 0 && m->extra_count < COUNT_OF(m->extra))
        m->extra[m->extra_count++] = value;
    else
        fail_msg("no option: %s", w);
}

static inline void script_what(struct script_words *m, char *what)
{
    char *slash = strchr(what, '/');
    m->method = what;
    if (*what < '0' || *what > '9')
        return;
    m->method = slash != NULL ? slash + 1 : "INVITE";
    if (slash != NULL)
        *slash = '\0';
    m->status = (unsigned)script_number(what);
}

static inline void script_sdp(struct buf *b, const struct script_words *m)
{
    char host[IP_TEXT_MAX], text[128];
    char *part[4] = { NULL }, *rest = text;
    (void)snprintf(text, sizeof(text), "%s", m->sdp);
    for (size_t i = 0; i < 4 && rest != NULL; i++)
        part[i] = strsep(&rest, ":");
    const char *h = part[0] != NULL && part[0][0] != '\0' ? part[0] : &m->src;
    (void)script_host(h, h == &m->src ? 1 : strlen(h), host);
    buf_printf(b, "v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n", host, host);
    const char *codecs = part[3] != NULL ? part[3] : "PCMU,PCMA";
    buf_printf(b, "m=audio %s RTP/AVP 96", part[1] != NULL ? part[1] : "4000");
    for (const char *p = codecs; (p = strchr(p, ',')) != NULL; p++)
        buf_puts(b, " 97");
    buf_puts(b, " 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    for (unsigned n = 96; *codecs != '\0'; n = 97) {
        size_t len = strcspn(codecs, ",");
        buf_printf(b, "a=rtpmap:%u %.*s/8000\r\n", n, (int)len, codecs);
        codecs += len + (codecs[len] == ',');
    }
    if (part[2] != NULL && part[2][0] != '-')
        buf_printf(b, "a=%s\r\n", part[2]);
}

static inline void script_message(struct buf *b, const struct script_words *m)
{
    char src[IP_TEXT_MAX], dst[IP_TEXT_MAX], contact[IP_TEXT_MAX];
    bool request = m->status == 0;
    (void)script_host(&m->src, 1, src);
    (void)script_host(&m->dst, 1, dst);
    if (request)
        buf_printf(b, m->ruri != NULL ? "%s sip:%s SIP/2.0\r\n" : "%s sip:200@example.org SIP/2.0\r\n", m->method,
                   m->ruri);
    else
        buf_printf(b, "SIP/2.0 %u Text\r\n", m->status);
    for (uint64_t i = 0; i < m->via; i++)
        buf_printf(b, "Via: SIP/2.0/UDP %s;branch=%s%s\r\n", request ? src : dst, i == 0 ? "z9hG4bK" : "z9hG4bKx",
                   i == 0 ? m->branch : "");
    buf_printf(b, "From: <sip:100@example.org>%s%s\r\n", m->bare ? "" : ";tag=", m->bare ? "" : m->from_tag);
    bool to_tag = m->to_tag[0] != '\0' && !m->bare;
    buf_printf(b, "To: <sip:%s@example.org>%s%s\r\n", m->to_user, to_tag ? ";tag=" : "", to_tag ? m->to_tag : "");
    buf_printf(b, "Call-ID: %s\r\n", m->call_id);
    if (!m->no_cseq)
        buf_printf(b, "CSeq: %u %s\r\n", (unsigned)m->cseq, m->method);
    if (!m->bare && (strcmp(m->method, "INVITE") == 0 || m->contact != NULL)) {
        const char *c = m->contact != NULL ? m->contact : src;
        buf_printf(b, "Contact: <sip:%s>\r\n", strlen(c) == 1 ? script_host(c, 1, contact) : c);
    }
    if (request)
        buf_printf(b, "Max-Forwards: %u\r\n", m->has_mf ? (unsigned)m->max_forwards : 70u);
    for (size_t i = 0; i < m->extra_count; i++) {
        for (const char *p = m->extra[i]; *p != '\0'; p++)
            buf_putc(b, *p == '_' ? ' ' : *p);
        buf_puts(b, "\r\n");
    }
    if (m->frag > 0)
        buf_printf(b, "Content-Type: message/sipfrag\r\n\r\nSIP/2.0 %u Text\r\n", (unsigned)m->frag);
    else if (m->sdp != NULL) {
        buf_puts(b, "Content-Type: application/sdp\r\n\r\n");
        script_sdp(b, m);
    } else
        buf_puts(b, "\r\n");
}

static inline struct hep_slice script_slice(const char *s)
{
    return (struct hep_slice){ (const uint8_t *)s, s == NULL ? 0 : strlen(s) };
}

static inline struct diagnosis_host script_addr(char name)
{
    char text[IP_TEXT_MAX];
    struct diagnosis_host h = { .port = 5060 };
    (void)script_host(&name, 1, text);
    assert_true(ip_parse(text, strlen(text), &h.ip));
    return h;
}

static inline void script_presets(struct script_words *m)
{
    static const char *const within[] = { "ACK", "BYE", "PRACK", "UPDATE", "REFER", "NOTIFY", "INFO" };
    m->from_tag = "a";
    m->to_tag = m->status > 100 ? "b" : "";
    for (size_t i = 0; i < COUNT_OF(within); i++)
        if (m->status == 0 && strcmp(m->method, within[i]) == 0)
            m->to_tag = "b";
    m->call_id = "call";
    m->to_user = "200";
    m->proto = "udp";
    m->via = 1;
}

static inline void script_line(struct diagnosis_facts *facts, uint64_t seq, char *line)
{
    char *rest, *word[5];
    struct script_words m;
    struct buf b;
    memset(&m, 0, sizeof(m));
    for (size_t i = 0; i < 5; i++) {
        word[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
        assert_non_null(word[i]);
    }
    m.src = word[1][0];
    m.dst = word[1][2];
    script_what(&m, word[2]);
    script_presets(&m);
    m.cseq = script_number(word[3]);
    m.branch = word[4];
    for (char *w; (w = strtok_r(NULL, " ", &rest)) != NULL;)
        script_option(&m, w);
    buf_init(&b, 8192);
    script_message(&b, &m);
    assert_false(b.failed);
    const struct diagnosis_row row = {
        .table = strcmp(m.method, "RTCP") == 0 ? RECORD_MEDIA : RECORD_SIP,
        .ts = SCRIPT_START + (int64_t)script_number(word[0]) * 1000,
        .seq = seq,
        .src = script_addr(m.src),
        .dst = script_addr(m.dst),
        .proto = script_slice(m.proto),
        .sender = script_slice("192.0.2.1"),
        .capture_id = m.has_tap ? (int64_t)m.tap : -1,
        .payload_len = m.payload_len > 0 ? (uint32_t)m.payload_len : (uint32_t)b.len,
        .payload = { b.ptr, b.len },
    };
    assert_int_equal(diagnosis_facts_add(facts, &row), 0);
    buf_free(&b);
}

static inline void script_read(struct diagnosis_facts *facts, const char *text)
{
    char *copy = strdup(text), *rest = copy;
    uint64_t seq = 100;
    assert_non_null(copy);
    for (char *line; (line = strtok_r(rest, "\n", &rest)) != NULL;)
        if (line[strspn(line, " ")] != '\0')
            script_line(facts, ++seq, line);
    diagnosis_facts_settle(facts);
    free(copy);
}

#endif
