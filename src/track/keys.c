#include "track/keys.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "filter/regex.h"
#include "record/reader.h"
#include "sip/text.h"
#include "sip/uri.h"

/* Shorter values ("0", "yes") name nothing, and are shared by many. */
#define KEY_LEAST 4

static const char *const names[TRACK_KEYS] = {
#define KEY_NAME(id, name, most) name,
    TRACK_KEY_LIST(KEY_NAME)
#undef KEY_NAME
};

const char *track_key_name(enum track_key kind)
{
    return names[kind];
}

/* ------------------------------------------------------------------------------------------------ headers of legs */

struct track_legs {
    char *names[RECORD_HEADERS_MAX];
    size_t count;
    struct regex *pattern; /* NULL: none */
};

static bool copy_names(struct track_legs *legs, const char *const *all, size_t count)
{
    for (size_t i = 0; i < count && i < RECORD_HEADERS_MAX; i++) {
        legs->names[i] = strdup(all[i]);
        if (legs->names[i] == NULL)
            return false;
        legs->count = i + 1;
    }
    return true;
}

struct track_legs *track_legs_new(const char *const *all, size_t count, const char *pattern, struct errmsg *err)
{
    struct regex_error at;
    struct track_legs *legs = calloc(1, sizeof(*legs));
    if (legs == NULL || !copy_names(legs, all, count)) {
        (void)errmsg_set(err, "no memory");
        goto fail;
    }
    if (pattern != NULL && pattern[0] != '\0' &&
        regex_compile(&legs->pattern, (const uint8_t *)pattern, strlen(pattern), false, &at) != 0) {
        (void)errmsg_set(err, "at octet %zu of \"%s\": %s", at.at + 1, pattern, at.text);
        goto fail;
    }
    return legs;
fail:
    track_legs_free(legs);
    return NULL;
}

void track_legs_free(struct track_legs *legs)
{
    if (legs == NULL)
        return;
    for (size_t i = 0; i < legs->count; i++)
        free(legs->names[i]);
    regex_free(legs->pattern);
    free(legs);
}

static bool is_leg_header(const struct track_legs *legs, struct hep_slice name)
{
    size_t count = legs != NULL ? legs->count : RECORD_LEG_HEADERS;
    const char *const *all = legs != NULL ? (const char *const *)legs->names : record_leg_headers;
    for (size_t i = 0; i < count; i++)
        if (name.len == strlen(all[i]) && text_same(name.ptr, all[i], name.len))
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------ adding keys */

struct making {
    uint64_t seed;
    struct track_event *e;
    struct track_texts *texts;
};

/* Kinds that are no Call-IDs have hashes of their own: an icid that looks like a Call-ID joins nothing with it. */
static uint64_t seed_of(const struct making *m, enum track_key kind)
{
    return key_names_call(kind) ? m->seed : m->seed ^ (uint64_t)kind * UINT64_C(0x9e3779b97f4a7c15);
}

static void add_hash(struct making *m, enum track_key kind, uint64_t hash, struct hep_slice text)
{
    struct track_event *e = m->e;
    if (hash == e->call)
        return;
    for (uint8_t i = 0; i < e->key_count; i++)
        if (e->keys[i] == hash)
            return;
    if (e->key_count == TRACK_EVENT_KEYS) {
        e->flags |= TRACK_EVENT_KEYS_CUT;
        return;
    }
    m->texts->of[TRACK_TEXT_KEY_0 + e->key_count] = text;
    e->keys[e->key_count] = hash;
    e->key_kinds[e->key_count++] = (uint8_t)kind;
}

static void add(struct making *m, enum track_key kind, struct hep_slice value)
{
    if (value.len >= KEY_LEAST)
        add_hash(m, kind, XXH3_64bits_withSeed(value.ptr, value.len, seed_of(m, kind)), value);
}

/* ------------------------------------------------------------------------------------------------ of each kind */

static void add_header(struct making *m, const struct track_legs *legs, struct hep_slice value)
{
    value = text_trim(value);
    if (legs == NULL || legs->pattern == NULL ||
        regex_capture(legs->pattern, value.ptr, value.len, &value) == REGEX_YES)
        add(m, TRACK_KEY_HEADER, value);
}

static void add_headers(struct making *m, const struct track_legs *legs, struct hep_slice headers)
{
    struct hep_slice line;
    while (text_line(&headers, &line)) {
        size_t colon = text_find(line, ':');
        if (colon < line.len && is_leg_header(legs, text_of(line.ptr, colon)))
            add_header(m, legs, text_after(line, colon + 1));
    }
}

static int hex_digit(uint8_t c)
{
    c = text_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t key_unescape(struct hep_slice s, uint8_t out[TRACK_TEXT_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < s.len && n < TRACK_TEXT_MAX; i++) {
        int high = s.ptr[i] == '%' && i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.ptr[i + 2]) : -1;
        out[n++] = (uint8_t)(low >= 0 ? high << 4 | low : s.ptr[i]);
        i += low >= 0 ? 2 : 0;
    }
    return n;
}

/* "Replaces=12345%40atlanta.example.com%3Bto-tag%3D...": what stands before the first parameter. */
static struct hep_slice replaced(struct hep_slice headers)
{
    struct hep_slice value = { NULL, 0 };
    while (headers.len > 0) {
        struct hep_slice one = text_of(headers.ptr, text_find(headers, '&'));
        headers = text_after(headers, one.len < headers.len ? one.len + 1 : one.len);
        if (one.len > 9 && text_same(one.ptr, "Replaces=", 9))
            value = text_after(one, 9);
    }
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == ';' || (i + 2 < value.len && text_same(value.ptr + i, "%3b", 3)))
            value.len = i;
    return value;
}

static void add_refer(struct making *m, struct hep_slice refer_to)
{
    struct sip_uri uri;
    uint8_t call_id[TRACK_TEXT_MAX];
    if (refer_to.len == 0)
        return;
    (void)sip_uri_parse(refer_to, &uri);
    struct hep_slice headers = uri.headers;
    if (headers.len > 0 && headers.ptr[0] == '?')
        headers = text_after(headers, 1);
    struct hep_slice escaped = replaced(headers);
    size_t len = key_unescape(escaped, call_id);
    if (len >= KEY_LEAST)
        add_hash(m, TRACK_KEY_REFER, XXH3_64bits_withSeed(call_id, len, m->seed), escaped);
}

/* The nil UUID stands for "not known yet" (RFC 7989 section 4.2). */
static void add_half(struct making *m, struct hep_slice half)
{
    uint8_t lower[64];
    size_t zeros = 0;
    if (half.len > sizeof(lower))
        return;
    for (size_t i = 0; i < half.len; i++) {
        lower[i] = text_lower(half.ptr[i]);
        zeros += lower[i] == '0' || lower[i] == '-';
    }
    if (half.len >= KEY_LEAST && zeros < half.len)
        add_hash(m, TRACK_KEY_SESSION_ID, XXH3_64bits_withSeed(lower, half.len, seed_of(m, TRACK_KEY_SESSION_ID)),
                 half);
}

/* "..._b2b-1" and the like, as often as it was appended. */
static void add_call_id(struct making *m, struct hep_slice call_id)
{
    static const char mark[] = "_b2b-";
    size_t len = call_id.len, whole = len;
    for (;;) {
        size_t at = len;
        while (at > 0 && call_id.ptr[at - 1] >= '0' && call_id.ptr[at - 1] <= '9')
            at--;
        if (at == len || at < sizeof(mark) || memcmp(call_id.ptr + at - 5, mark, 5) != 0)
            break;
        len = at - 5;
    }
    if (len < whole)
        add(m, TRACK_KEY_CALL_ID, text_of(call_id.ptr, len));
}

/*
 * Who passes an SDP on as it is passes session id and address. Either alone says less: ids such as "0" are many, and so
 * are private addresses with the same port.
 */
static void add_sdp(struct making *m, const struct record *r)
{
    struct {
        uint64_t session;
        uint8_t ip[16];
        uint16_t port;
        uint8_t ip_len;
    } key;
    const struct track_addr *media = &m->e->media;
    if (r->sdp.session.len == 0)
        return;
    uint64_t seed = seed_of(m, TRACK_KEY_SDP);
    memset(&key, 0, sizeof(key));
    key.session = XXH3_64bits_withSeed(r->sdp.session.ptr, r->sdp.session.len, seed);
    uint64_t origin = key.session ^ XXH3_64bits_withSeed(r->sdp.user.ptr, r->sdp.user.len, seed ^ 1) ^
                      XXH3_64bits_withSeed(r->sdp.origin.ptr, r->sdp.origin.len, seed ^ 2);
    m->e->origin = (uint32_t)origin | 1;
    if (r->sdp.session.len < KEY_LEAST || media->port == 0 || (m->e->flags & TRACK_EVENT_HOLD) != 0)
        return;
    memcpy(key.ip, media->ip.octets, sizeof(key.ip));
    key.ip_len = media->ip.len;
    key.port = media->port;
    add_hash(m, TRACK_KEY_SDP, XXH3_64bits_withSeed(&key, sizeof(key), seed), (struct hep_slice){ NULL, 0 });
}

uint32_t track_endpoint(const struct hep_addr *ip, uint16_t port)
{
    uint8_t octets[19] = { ip->len, (uint8_t)(port >> 8), (uint8_t)port };
    memcpy(octets + 3, ip->octets, 16);
    uint32_t h = (uint32_t)XXH3_64bits(octets, sizeof(octets));
    return h != 0 ? h : 1;
}

void keys_make(const struct record *r, uint64_t seed, const struct track_legs *legs, struct track_event *ret,
               struct track_texts *ret_texts)
{
    struct making m = { seed, ret, ret_texts };
    for (int i = TRACK_TEXT_KEY_0; i < TRACK_TEXTS; i++)
        ret_texts->of[i] = (struct hep_slice){ NULL, 0 };
    add(&m, TRACK_KEY_REPLACES, r->replaces);
    add_refer(&m, r->refer_to);
    add_headers(&m, legs, r->headers);
    add_call_id(&m, r->call_id);
    add_half(&m, r->session_id);
    add_half(&m, r->session_id_remote);
    add(&m, TRACK_KEY_ICID, r->icid);
    add(&m, TRACK_KEY_CORRELATION, r->correlation_id);
    add_sdp(&m, r);
}
