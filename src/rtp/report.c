#include "rtp/report.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "rtp/json_pull.h"
#include "rtp/report_fill.h"

/* ------------------------------------------------------------------------------------------------ fields */

static const struct {
    const char *key;
    double min, max;
} fields[MEDIA_FIELD_COUNT] = {
#define MEDIA_ROW(name, text, least, most) [MEDIA_##name] = { text, least, most },
    MEDIA_FIELDS(MEDIA_ROW)
#undef MEDIA_ROW
};

const char *media_field_key(enum media_field field)
{
    return (unsigned)field < MEDIA_FIELD_COUNT ? fields[field].key : "";
}

void media_fill(struct media_report *r, enum media_field field, double v)
{
    uint64_t bit = UINT64_C(1) << field;
    bool good = v >= fields[field].min && v <= fields[field].max; /* false for NaN */
    r->value[field] = good ? v : 0;
    r->known = good ? r->known | bit : r->known & ~bit;
    r->bad = good ? r->bad & ~bit : r->bad | bit;
}

static double to_u32(double v)
{
    return v < 0 && v >= -2147483648.0 ? v + 4294967296.0 : v;
}

/* 16777213, 4294967293 and -3 are the same count. */
static double to_lost(double v)
{
    if (v >= 4294967296.0 - 8388608 && v < 4294967296.0)
        return v - 4294967296.0;
    return v >= 8388608 && v < 16777216 ? v - 16777216 : v;
}

static double to_mos(double v)
{
    return v > 5 && v <= 50 ? v / 10 : v >= 100 && v <= 500 ? v / 100 : v;
}

void media_fill_key(struct media_report *r, const struct media_key *key, double v)
{
    switch ((enum media_kind)key->kind) {
    case MEDIA_PLAIN:
        break;
    case MEDIA_NONZERO:
        if (v == 0)
            return;
        break;
    case MEDIA_NOT_127:
        if (v == 127)
            return;
        break;
    case MEDIA_U32:
        v = to_u32(v);
        break;
    case MEDIA_LOST24:
        v = to_lost(v);
        break;
    case MEDIA_MOS_ANY:
        if (v == 0 || v == 127)
            return;
        v = to_mos(v);
        break;
    case MEDIA_R_ANY:
        if (v == 127)
            return;
        v = v > 129 ? v / 100 : v;
        break;
    }
    media_fill(r, key->field, key->scale != 0 ? v * key->scale : v);
}

/* ------------------------------------------------------------------------------------------------ text */

struct hep_slice media_trim(struct hep_slice s)
{
    while (s.len > 0 && s.ptr[0] <= ' ') {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && s.ptr[s.len - 1] <= ' ')
        s.len--;
    return s;
}

bool media_same_word(struct hep_slice s, const char *word)
{
    return s.len == strlen(word) && (s.len == 0 || strncasecmp((const char *)s.ptr, word, s.len) == 0);
}

const struct media_key *media_find_key(const struct media_key *keys, size_t count, struct hep_slice name, bool exact)
{
    for (size_t i = 0; i < count; i++) {
        if (media_same_word(name, keys[i].key) && (!exact || memcmp(name.ptr, keys[i].key, name.len) == 0))
            return &keys[i];
    }
    return NULL;
}

/* Digits from *at on into *v, and how many there were. Beyond 1e300 it stays: the range check refuses it. */
static size_t digits(struct hep_slice s, size_t *at, double *v)
{
    size_t begin = *at;
    for (; *at < s.len && s.ptr[*at] >= '0' && s.ptr[*at] <= '9'; (*at)++)
        *v = *v < 1e300 ? *v * 10 + (s.ptr[*at] - '0') : *v;
    return *at - begin;
}

static bool is_at(struct hep_slice s, size_t at, const char *any)
{
    return at < s.len && s.ptr[at] != '\0' && strchr(any, s.ptr[at]) != NULL;
}

/* "e-3" at *at, if there is one; false if it is broken. */
static bool exponent(struct hep_slice s, size_t *at, double *ret)
{
    *ret = 0;
    if (!is_at(s, *at, "eE"))
        return true;
    (*at)++;
    bool minus = is_at(s, *at, "-");
    *at += is_at(s, *at, "+-") ? 1 : 0;
    if (digits(s, at, ret) == 0)
        return false;
    *ret = *ret > 400 ? 400 : *ret;
    *ret = minus ? -*ret : *ret;
    return true;
}

bool media_number(struct hep_slice text, double *ret)
{
    struct hep_slice s = media_trim(text);
    double whole = 0;
    double part = 0;
    double e;
    bool minus = is_at(s, 0, "-");
    size_t at = is_at(s, 0, "+-") ? 1 : 0;
    size_t count = digits(s, &at, &whole);
    size_t places = 0;
    if (is_at(s, at, ".")) {
        at++;
        places = digits(s, &at, &part);
    }
    if (count + places == 0 || places > 300 || !exponent(s, &at, &e) || at != s.len)
        return false;
    double v = (whole + part / pow(10, (double)places)) * pow(10, e);
    if (!(v <= 1e18))
        return false;
    *ret = minus ? -v : v;
    return true;
}

static bool hex_number(struct hep_slice s, double *ret)
{
    if (s.len < 3 || s.len > 10 || s.ptr[0] != '0' || (s.ptr[1] | 0x20) != 'x')
        return false;
    uint32_t v = 0;
    for (size_t i = 2; i < s.len; i++) {
        const char *digit =
            s.ptr[i] != '\0' ? strchr("0123456789abcdef", s.ptr[i] >= 'A' ? s.ptr[i] | 0x20 : s.ptr[i]) : NULL;
        if (digit == NULL)
            return false;
        v = v << 4 | (uint32_t)(digit - "0123456789abcdef");
    }
    *ret = v;
    return true;
}

void media_fill_text(struct media_report *r, const struct media_key *key, struct hep_slice text)
{
    double v;
    text = media_trim(text);
    if (text.len == 0)
        return;
    if ((key->kind == MEDIA_U32 && hex_number(text, &v)) || media_number(text, &v))
        media_fill_key(r, key, v);
    else
        media_fill(r, key->field, (double)NAN);
}

struct hep_slice media_keep(struct media_reports *all, struct hep_slice text, bool escaped)
{
    uint8_t *to = all->texts + all->texts_len;
    size_t room = MEDIA_TEXTS_MAX - all->texts_len;
    room = room > 512 ? 512 : room; /* that no text takes the room of the others */
    size_t len = text.len < room ? text.len : room;
    if (text.len == 0)
        return (struct hep_slice){ NULL, 0 };
    if (escaped)
        len = json_pull_unescape(text, to, room);
    else
        memcpy(to, text.ptr, len);
    if (text.len > room)
        all->cut++;
    all->texts_len += len;
    return (struct hep_slice){ len > 0 ? to : NULL, len };
}

/* ------------------------------------------------------------------------------------------------ reports */

struct media_report *media_add(struct media_reports *all, enum media_source source, enum media_side side)
{
    if (all->count == MEDIA_REPORTS_MAX) {
        all->dropped++;
        return NULL;
    }
    struct media_report *r = &all->list[all->count++];
    *r = (struct media_report){ .source = (uint8_t)source, .side = (uint8_t)side };
    return r;
}

void media_add_copy(struct media_reports *all, const struct media_report *r, enum media_source source,
                    enum media_side side)
{
    struct media_report *to = media_add(all, source, side);
    if (to == NULL)
        return;
    *to = *r;
    to->source = (uint8_t)source;
    to->side = (uint8_t)side;
}

static void computed(struct media_report *r, enum media_field field, double v)
{
    if (media_has(r, field) || !(v >= fields[field].min && v <= fields[field].max))
        return;
    media_fill(r, field, v);
    r->computed |= UINT64_C(1) << field;
}

static void refuse(struct media_report *r, enum media_field field)
{
    media_fill(r, field, (double)NAN);
}

void media_compute(struct media_report *r)
{
    if (media_has(r, MEDIA_FRACTION_LOST))
        computed(r, MEDIA_LOSS_PCT, r->value[MEDIA_FRACTION_LOST] * 100 / 256);
    if (!media_has(r, MEDIA_LOST))
        return;
    double lost = r->value[MEDIA_LOST];
    if (media_has(r, MEDIA_EXPECTED) && lost > r->value[MEDIA_EXPECTED]) {
        refuse(r, MEDIA_LOST);
        return;
    }
    if (media_has(r, MEDIA_PACKETS))
        computed(r, MEDIA_EXPECTED, lost + r->value[MEDIA_PACKETS]);
    else if (media_has(r, MEDIA_EXPECTED))
        computed(r, MEDIA_PACKETS, r->value[MEDIA_EXPECTED] - lost);
    if (media_has(r, MEDIA_EXPECTED) && r->value[MEDIA_EXPECTED] > 0)
        computed(r, MEDIA_LOSS_PCT, 100 * lost / r->value[MEDIA_EXPECTED]);
}

bool media_block(const struct media_report *r, struct rtcp_block *ret)
{
    static const uint8_t needed[] = { MEDIA_SSRC, MEDIA_FRACTION_LOST, MEDIA_TOTAL_LOST, MEDIA_HIGHEST_SEQ,
                                      MEDIA_JITTER_RAW };
    for (size_t i = 0; i < sizeof(needed); i++) {
        if (r->source != MEDIA_FROM_RTCP || !media_has(r, needed[i]))
            return false;
    }
    *ret = (struct rtcp_block){ .ssrc = (uint32_t)r->value[MEDIA_SSRC],
                                .fraction_lost = (uint8_t)r->value[MEDIA_FRACTION_LOST],
                                .lost = (uint32_t)(int32_t)r->value[MEDIA_TOTAL_LOST] & 0xffffff,
                                .highest_seq = (uint32_t)r->value[MEDIA_HIGHEST_SEQ],
                                .jitter = (uint32_t)r->value[MEDIA_JITTER_RAW],
                                .lsr = (uint32_t)r->value[MEDIA_LSR],
                                .dlsr = (uint32_t)r->value[MEDIA_DLSR] };
    return true;
}

bool media_sender(const struct media_report *r, struct rtcp_sender_info *ret)
{
    if (!media_has(r, MEDIA_NTP_SEC) || !media_has(r, MEDIA_NTP_FRACTION))
        return false;
    *ret = (struct rtcp_sender_info){ .ntp_sec = (uint32_t)r->value[MEDIA_NTP_SEC],
                                      .ntp_fraction = (uint32_t)r->value[MEDIA_NTP_FRACTION],
                                      .rtp_time = (uint32_t)r->value[MEDIA_RTP_TIME],
                                      .packets = (uint32_t)fmod(r->value[MEDIA_SENT_PACKETS], 4294967296.0),
                                      .octets = (uint32_t)fmod(r->value[MEDIA_SENT_OCTETS], 4294967296.0) };
    return true;
}

/* ------------------------------------------------------------------------------------------------ forms */

enum media_result media_fail(struct media_reports *all, const char *error, size_t at)
{
    all->error = error;
    all->error_at = at;
    return MEDIA_BAD;
}

static enum media_form form_of(struct hep_slice payload)
{
    if (payload.len >= 2 && payload.ptr[0] >> 6 == 2 && payload.ptr[1] >= 192 && payload.ptr[1] <= 223)
        return MEDIA_FORM_RTCP;
    struct hep_slice text = media_trim(payload);
    if (text.len > 0 && text.ptr[0] == '{')
        return MEDIA_FORM_JSON;
    if (text.len >= 2 && media_same_word((struct hep_slice){ text.ptr, 2 }, "VQ"))
        return MEDIA_FORM_VQ;
    return MEDIA_FORM_ANY;
}

enum media_result media_read(enum media_form form, struct hep_slice payload, struct media_reports *ret)
{
    ret->count = ret->dropped = ret->cut = ret->error_at = ret->texts_len = 0;
    ret->error = NULL;
    if (payload.len == 0)
        return MEDIA_NOTHING;
    if (form == MEDIA_FORM_ANY)
        form = form_of(payload);
    switch (form) {
    case MEDIA_FORM_RTCP:
        return media_read_rtcp(payload, ret);
    case MEDIA_FORM_JSON:
        return media_read_json(payload, ret);
    case MEDIA_FORM_VQ:
        return media_read_vq(payload, ret);
    case MEDIA_FORM_X_STAT:
    case MEDIA_FORM_P_STAT:
        return media_read_stat(payload, form == MEDIA_FORM_P_STAT, ret);
    case MEDIA_FORM_ANY:
        break;
    }
    return MEDIA_UNKNOWN;
}
