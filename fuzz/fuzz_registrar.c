/*
 * Registrations. First octet modulo 3: 0 the rest is a saved registrar as it stands; what is taken is saved again, and
 * that loads to as many octets. 1: the rest is events, eight octets each, for a registrar of few Call-IDs and AoRs with
 * a clock that goes as they say; it is saved and loaded on the way, and what comes out adds up. 2: the rest is a SIP
 * message.
 */
#include <string.h>

#include "fuzz.h"
#include "record/reader.h"
#include "track/registrar.h"

#define SAVED_MAX ((size_t)1 << 22)
#define START     INT64_C(1700000000000000)

struct seen {
    uint64_t attempts, messages;
};

static size_t touch(struct hep_slice s)
{
    size_t sum = 0;
    for (size_t i = 0; i < s.len; i++)
        sum += s.ptr[i];
    return sum;
}

static void check_attempt(void *arg, const struct reg_attempt *a)
{
    struct seen *s = arg;
    (void)(touch(a->call_id) + touch(a->contact) + touch(a->contact_user) + touch(a->user_agent) + touch(a->reason));
    FUZZ_CHECK(a->result < REG_RESULTS && a->binding < REG_BINDINGS && a->first <= a->last);
    FUZZ_CHECK(a->answer_ms >= TRACK_NONE && a->expires >= TRACK_NONE && a->taps <= TRACK_TAPS_MAX);
    FUZZ_CHECK(a->messages >= 1 && a->contacts <= REG_CONTACTS_MAX && a->uid != 0);
    s->attempts++;
    s->messages += a->messages;
}

static void check_aor(void *arg, const struct reg_aor *a)
{
    (void)arg;
    FUZZ_CHECK(a->state < REG_STATES && a->result < REG_RESULTS && a->binding_count <= REG_AOR_BINDINGS);
    FUZZ_CHECK(a->holding <= a->binding_count);
    for (size_t i = 0; i < a->binding_count; i++)
        (void)(touch(a->bindings[i].contact) + touch(a->bindings[i].agent));
    (void)(touch(a->user) + touch(a->host) + touch(a->reason));
}

static struct registrar *make(struct seen *s)
{
    const struct reg_options o = { .max_aors = 5, .max_open = 6, .on_attempt = check_attempt, .arg = s };
    struct registrar *r = registrar_new(&o);
    FUZZ_CHECK(r != NULL);
    return r;
}

static void look(const struct registrar *r, int64_t now)
{
    for (uint32_t place = 0; place < registrar_places(r); place++)
        (void)registrar_show_place(r, place, now, check_aor, NULL);
}

static bool put(void *arg, const uint8_t *p, size_t len)
{
    buf_put(arg, p, len);
    return true;
}

static struct registrar *again(struct registrar *r, struct seen *s)
{
    struct buf a, b;
    struct errmsg err;
    struct registrar *copy = make(s);
    buf_init(&a, SAVED_MAX);
    buf_init(&b, SAVED_MAX);
    FUZZ_CHECK(registrar_save_to(r, put, &a) && !a.failed && registrar_load(copy, a.ptr, a.len, &err) == 0);
    FUZZ_CHECK(registrar_save_to(copy, put, &b) && a.len == b.len);
    buf_free(&a);
    buf_free(&b);
    registrar_free(r);
    return copy;
}

static void load(const uint8_t *data, size_t size)
{
    struct seen s = { 0, 0 };
    struct errmsg err;
    struct reg_stats stats;
    struct registrar *r = make(&s);
    if (registrar_load(r, data, size, &err) == 0) {
        look(r, START);
        registrar_tick(r, START);
        look(r, START + INT64_C(1000000000000));
        registrar_finish(r);
        registrar_stats(r, &stats);
        FUZZ_CHECK(stats.open == 0);
    }
    registrar_free(r);
}

/* Call-ID and AoR, CSeq and tap, status, flags, contacts, expires, time forward, lateness. */
static struct reg_event event_of(const uint8_t *p, int64_t now)
{
    static const uint16_t statuses[] = { 0, 0, 0, 100, 200, 200, 200, 401, 407, 423, 302, 403, 503, 494, 200, 401 };
    struct reg_event e;
    memset(&e, 0, sizeof(e));
    e.key = p[0] % 16;
    e.aor = p[0] / 2 % 8;
    e.cseq = p[1] % 16;
    e.tap = (uint16_t)(1 + p[1] / 64);
    e.status = statuses[p[2] % 16];
    e.flags = (uint8_t)((e.status == 0) | (p[3] & (REG_EVENT_CREDENTIALS | REG_EVENT_STAR)));
    e.message = 1u + p[3] % 16 + 16u * p[2];
    e.contact_count = p[4] % (REG_CONTACTS_MAX + 1);
    for (unsigned i = 0; i < e.contact_count; i++) {
        e.contacts[i] = 1 + (p[4] / 16 + i) % 12;
        e.expires[i] = p[5] < 250 ? p[5] * 3u : REG_NO_EXPIRES;
    }
    e.header_expires = p[5] % 2 ? p[5] : REG_NO_EXPIRES;
    e.min_expires = e.status == 423 ? p[5] : REG_NO_EXPIRES;
    e.src.ip = (struct hep_addr){ 4, { 10, 0, 0, p[3] } };
    e.dst.ip = (struct hep_addr){ 4, { 10, 0, 1, p[3] / 64 } };
    e.ts = now - (int64_t)p[7] * 50000;
    e.seq = (uint64_t)now;
    return e;
}

static void events(const uint8_t *data, size_t size)
{
    struct seen s = { 0, 0 };
    struct reg_stats stats;
    struct registrar *r = make(&s);
    uint64_t taken = 0, late = 0;
    int64_t now = START;
    for (size_t n = 0; size >= 8; data += 8, size -= 8, n++) {
        struct reg_texts texts;
        memset(&texts, 0, sizeof(texts));
        for (int i = 0; i < REG_TEXTS; i++)
            texts.of[i] = (struct hep_slice){ data, data[i % 8] % 9 };
        now += (int64_t)data[6] * data[6] * data[6] * 100;
        struct reg_event e = event_of(data, now);
        registrar_take(r, &e, &texts, now);
        taken++;
        if (n % 16 == 15) {
            registrar_stats(r, &stats);
            late += stats.late;
            r = again(r, &s);
            look(r, now);
        }
    }
    registrar_finish(r);
    registrar_stats(r, &stats);
    FUZZ_CHECK(stats.open == 0 && stats.no_memory == 0 && stats.aors <= 5);
    FUZZ_CHECK(s.messages + late + stats.late == taken);
    uint64_t counted = 0;
    for (unsigned i = 0; i < REG_STATES; i++)
        counted += stats.by_state[i];
    FUZZ_CHECK(counted <= stats.aors);
    registrar_free(r);
}

static void message(const uint8_t *data, size_t size)
{
    static struct record_reader *reader;
    const struct record_options options = { .clock_window_us = 0 };
    const struct sink_frame frame = { .received_us = START };
    const struct hep_msg msg = { .payload_type = HEP_TYPE_SIP, .protocol = 17, .payload = { data, size } };
    struct seen s = { 0, 0 };
    struct record record;
    struct reg_event e;
    struct reg_texts texts, back;
    struct buf b;
    if (reader == NULL)
        reader = record_reader_new(&options);
    FUZZ_CHECK(reader != NULL);
    record_make(reader, &frame, &msg, &record);
    if (!reg_event_make(&record, 7, &e, &texts))
        return;
    buf_init(&b, 8192);
    reg_texts_pack(&texts, &b);
    FUZZ_CHECK(!b.failed && reg_texts_unpack(b.ptr, b.len, &back) && e.contact_count <= REG_CONTACTS_MAX);
    struct registrar *r = make(&s);
    registrar_take(r, &e, &back, START);
    registrar_finish(r);
    FUZZ_CHECK(s.attempts == 1);
    look(r, START);
    registrar_free(r);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        load(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        events(data + 1, size - 1);
    else
        message(data + 1, size - 1);
    return 0;
}
