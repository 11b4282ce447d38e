/*
 * Messages of calls, nine octets each and as many octets of header text as the ninth says. Whatever they are: the
 * findings are sentences in the order of their severity, their evidence is among the messages, and the JSON is UTF-8.
 * The same messages in the other order are the same diagnosis.
 */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "query/diagnosis.h"

#define MESSAGES_MAX 512
#define HEADER       9

static const char *const methods[] = { "INVITE", "ACK",    "BYE",      "CANCEL",  "PRACK", "UPDATE",
                                       "REFER",  "NOTIFY", "REGISTER", "OPTIONS", "INFO",  "X" };
static const uint16_t statuses[] = { 100, 180, 183, 200, 202, 302, 401, 403, 404, 407, 408, 415,
                                     480, 482, 483, 486, 487, 488, 491, 500, 503, 504, 600, 603 };
static const char *const bodies[] = {
    "\r\n",
    "Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0 8\r\n",
    "Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.168.0.1\r\nm=audio 4000 RTP/AVP 18\r\na=sendonly\r\n",
    "Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 0 RTP/AVP 8\r\na=inactive\r\n",
    "Content-Type: message/sipfrag\r\n\r\nSIP/2.0 503 No\r\n",
};
static const char *const extras[] = {
    "",
    "Reason: Q.850;cause=17;text=\"session timer\"\r\n",
    "Session-Expires: 90;refresher=uas\r\n",
    "Authorization: Digest username=\"u\",realm=\"r\",nonce=\"n\"\r\n",
    "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\"\r\n",
    "Contact: <sip:200@10.0.0.3>;expires=60\r\n",
    "Warning: 399 x \"TLS handshake\"\r\nExpires: 0\r\n",
    "Max-Forwards: 0\r\n",
};
#define PICK(array, n) (array)[(n) % (sizeof(array) / sizeof((array)[0]))]

static struct diagnosis_host host_of(unsigned n)
{
    static const uint8_t nets[][3] = { { 10, 0, 0 }, { 203, 0, 113 } };
    const uint8_t *net = nets[n & 1];
    return (struct diagnosis_host){ { 4, { net[0], net[1], net[2], (uint8_t)(n >> 1) } }, 5060 };
}

static void write_message(struct buf *b, const uint8_t *p, struct hep_slice text)
{
    const char *method = PICK(methods, p[1] & 15);
    unsigned code = p[1] >> 4 | (p[2] & 0x80U) >> 3; /* 0..7: a request */
    if (code < 8)
        buf_printf(b, "%s sip:200@example.org SIP/2.0\r\n", method);
    else
        buf_printf(b, "SIP/2.0 %u Text\r\n", PICK(statuses, code - 8));
    for (unsigned i = 0; i <= (p[7] & 3U); i++)
        buf_printf(b, "Via: SIP/2.0/UDP h;branch=z9hG4bK%u\r\n", i == 0 ? p[3] : 1000U + i);
    buf_printf(b, "From: <sip:100@example.org>;tag=%u\r\nTo: <sip:200@example.org>", p[4] & 3U);
    buf_printf(b, p[4] & 4 ? ";tag=%u\r\n" : "\r\n", p[4] >> 3 & 3U);
    buf_printf(b, "Call-ID: %u\r\nCSeq: %u %s\r\n%s", p[4] >> 6, p[2] & 15U, method, PICK(extras, p[6] & 7U));
    buf_put(b, text.ptr, text.len);
    buf_puts(b, PICK(bodies, p[6] >> 3));
}

/* Adds a message; how many octets it took. */
static size_t add(struct diagnosis_facts *facts, const uint8_t *p, size_t size, int64_t *now, uint64_t seq)
{
    struct hep_slice text = { p + HEADER, p[8] < size - HEADER ? p[8] : size - HEADER };
    struct buf b;
    buf_init(&b, 4096);
    write_message(&b, p, text);
    FUZZ_CHECK(!b.failed);
    *now += (int64_t)p[5] * p[5] * p[5] * 5;
    const struct diagnosis_row row = {
        .table = (p[7] & 0x70) == 0x70 ? RECORD_MEDIA : RECORD_SIP,
        .ts = *now,
        .seq = seq,
        .src = host_of(p[0] & 7),
        .dst = host_of(p[0] >> 3 & 7),
        .proto = { (const uint8_t *)(p[0] & 64 ? "tcp" : "udp"), 3 },
        .capture_id = p[7] >> 2 & 3,
        .payload_len = (uint32_t)p[8] * 20,
        .payload = { b.ptr, b.len },
    };
    FUZZ_CHECK(diagnosis_facts_add(facts, &row) == 0);
    buf_free(&b);
    return HEADER + text.len;
}

static void check(const struct diagnosis *d, const struct diagnosis_facts *facts)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct diagnosis_finding *f = &d->findings[i];
        FUZZ_CHECK(f->text[0] != '\0' && f->evidence_count > 0 && f->evidence_count <= f->evidence_total);
        FUZZ_CHECK(i == 0 || d->findings[i - 1].title->severity >= f->title->severity);
        for (size_t k = 0; k < f->evidence_count; k++) {
            FUZZ_CHECK(f->evidence[k].number >= 1 && f->evidence[k].number <= facts->count);
            FUZZ_CHECK(facts->all[f->evidence[k].number - 1].seq == f->evidence[k].seq);
        }
    }
    FUZZ_CHECK(d->messages == facts->count && d->count <= DIAGNOSIS_FINDINGS_MAX);
}

/* The diagnosis as JSON, of the facts in whatever order they came. */
static void diagnose(struct diagnosis_facts *facts, int64_t now, struct buf *out)
{
    struct diagnosis d;
    const struct diagnosis_options o = { .now_us = now };
    diagnosis_facts_settle(facts);
    FUZZ_CHECK(diagnosis_make(&d, facts, &o) == 0);
    check(&d, facts);
    diagnosis_json(out, &d);
    FUZZ_CHECK(!out->failed && utf8_valid(out->ptr, out->len));
    diagnosis_free(&d);
}

static void reverse(struct diagnosis_facts *facts)
{
    for (size_t i = 0; i < facts->count / 2; i++) {
        struct diagnosis_fact f = facts->all[i];
        facts->all[i] = facts->all[facts->count - 1 - i];
        facts->all[facts->count - 1 - i] = f;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diagnosis_facts facts = { .count = 0 };
    struct buf a, b;
    int64_t start = INT64_C(1700000000000000), now = start;
    int64_t live = size > 0 && (data[0] & 0x80) != 0;
    for (uint64_t seq = 1; size >= HEADER && seq <= MESSAGES_MAX; seq++) {
        size_t n = add(&facts, data, size, &now, seq);
        data += n;
        size -= n;
    }
    buf_init(&a, (size_t)4 << 20);
    buf_init(&b, (size_t)4 << 20);
    diagnose(&facts, live ? now + 1000000 : 0, &a);
    reverse(&facts);
    diagnose(&facts, live ? now + 1000000 : 0, &b);
    FUZZ_CHECK(a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0);
    buf_free(&a);
    buf_free(&b);
    diagnosis_facts_free(&facts);
    return 0;
}
