#include "track/registrar_event.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sip/addr.h"
#include "sip/header.h"
#include "sip/msg.h"
#include "sip/start.h"
#include "sip/value.h"

/* ------------------------------------------------------------------------------------------------ texts */

void reg_texts_pack(const struct reg_texts *texts, struct buf *b)
{
    track_slices_pack(texts->of, REG_TEXTS, b);
}

bool reg_texts_unpack(const uint8_t *p, size_t len, struct reg_texts *ret)
{
    return track_slices_unpack(p, len, ret->of, REG_TEXTS);
}

static void set_texts(const struct record *r, struct reg_texts *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->of[REG_TEXT_CALL_ID] = r->call_id;
    ret->of[REG_TEXT_FROM_USER] = r->from_user;
    ret->of[REG_TEXT_FROM_HOST] = r->from_host;
    ret->of[REG_TEXT_TO_USER] = r->to_user;
    ret->of[REG_TEXT_TO_HOST] = r->to_host;
    ret->of[REG_TEXT_USER_AGENT] = r->user_agent;
    ret->of[REG_TEXT_AUTH_USER] = r->auth_user;
    ret->of[REG_TEXT_REASON] = r->reason;
}

/* ------------------------------------------------------------------------------------------------ hashes */

static uint32_t hash32(XXH64_hash_t h)
{
    return (uint32_t)h != 0 ? (uint32_t)h : 1;
}

/* Hosts are the same in any case (RFC 3261 section 19.1.4); users are not. */
static uint64_t hash_user_host(struct hep_slice user, struct hep_slice host, uint64_t more, uint64_t seed)
{
    uint8_t lower[TRACK_TEXT_MAX + 1];
    host = track_text_cut(host);
    user = track_text_cut(user);
    for (size_t i = 0; i < host.len; i++)
        lower[i] = text_lower(host.ptr[i]);
    return XXH3_64bits_withSeed(lower, host.len, XXH3_64bits_withSeed(user.ptr, user.len, seed ^ more));
}

static uint32_t message_hash(const struct record *r, const struct reg_event *e, uint64_t seed)
{
    struct {
        uint64_t payload;
        uint8_t src[16], dst[16];
        uint16_t src_port, dst_port;
    } m;
    memset(&m, 0, sizeof(m));
    m.payload = XXH3_64bits_withSeed(r->payload.ptr, r->payload.len, seed);
    m.src_port = e->src.port;
    m.dst_port = e->dst.port;
    memcpy(m.src, e->src.ip.octets, sizeof(m.src));
    memcpy(m.dst, e->dst.ip.octets, sizeof(m.dst));
    return hash32(XXH3_64bits_withSeed(&m, sizeof(m), seed));
}

/* ------------------------------------------------------------------------------------------------ contacts */

static uint32_t seconds(struct hep_slice text, uint32_t otherwise)
{
    uint32_t n;
    struct hep_slice rest = text;
    return text.len > 0 && sip_number(&rest, &n) && rest.len == 0 && n != REG_NO_EXPIRES ? n : otherwise;
}

/* "sip:user@host:port" without parameters; what does not begin so: all of it. */
static struct hep_slice short_uri(const struct sip_uri *uri)
{
    size_t len = uri->raw.len;
    const uint8_t *end = uri->params.len > 0    ? uri->params.ptr
                         : uri->headers.len > 0 ? uri->headers.ptr - 1
                                                : uri->raw.ptr + len;
    bool within = end > uri->raw.ptr && end <= uri->raw.ptr + len;
    return (struct hep_slice){ uri->raw.ptr, within ? (size_t)(end - uri->raw.ptr) : len };
}

static void add_contact(const struct sip_addr *a, uint64_t seed, struct reg_event *e, struct reg_texts *texts)
{
    struct hep_slice value;
    if (e->contact_count == REG_CONTACTS_MAX) {
        e->flags |= REG_EVENT_CUT;
        return;
    }
    uint8_t i = e->contact_count++;
    e->contacts[i] = hash32(a->uri.host.len > 0 ? hash_user_host(a->uri.user, a->uri.host, a->uri.port, seed)
                                                : XXH3_64bits_withSeed(a->uri.raw.ptr, a->uri.raw.len, seed));
    e->expires[i] =
        sip_param_find(a->params, "expires", &value) ? seconds(value, e->header_expires) : e->header_expires;
    texts->of[REG_TEXT_CONTACT + i] = short_uri(&a->uri);
}

static void read_contacts(struct hep_slice value, uint64_t seed, struct reg_event *e, struct reg_texts *texts)
{
    struct hep_slice element;
    while (sip_list_next(&value, &element)) {
        struct sip_addr a;
        if (text_is(text_trim(element), "*")) {
            e->flags |= REG_EVENT_STAR;
            continue;
        }
        (void)sip_addr_next(&element, &a);
        if (a.uri.raw.len > 0)
            add_contact(&a, seed, e, texts);
    }
}

/* What no column has: all contacts, Min-Expires, and whether there are credentials without a username. */
static void read_headers(const struct record *r, uint64_t seed, struct reg_event *e, struct reg_texts *texts)
{
    struct sip_headers it;
    struct sip_header h;
    sip_headers_begin(&it, r->payload.ptr, r->payload.len);
    for (unsigned n = 0; n < SIP_HEADERS_READ_MAX && sip_headers_step(&it, &h); n++) {
        if (h.id == SIP_H_CONTACT)
            read_contacts(h.value, seed, e, texts);
        else if (h.id == SIP_H_MIN_EXPIRES)
            e->min_expires = seconds(text_trim(h.value), e->min_expires);
        else if (h.id == SIP_H_AUTHORIZATION || h.id == SIP_H_PROXY_AUTHORIZATION)
            e->flags |= REG_EVENT_CREDENTIALS;
    }
}

/* ------------------------------------------------------------------------------------------------ events */

bool reg_event_make(const struct record *r, uint64_t seed, struct reg_event *ret, struct reg_texts *ret_texts)
{
    if (r->table != RECORD_SIP || r->call_id.len == 0 || r->to_host.len == 0 ||
        sip_method_id(r->method) != SIP_REGISTER)
        return false;
    memset(ret, 0, sizeof(*ret));
    set_texts(r, ret_texts);
    ret->aor = hash_user_host(r->to_user, r->to_host, 0, seed);
    ret->key = XXH3_64bits_withSeed(r->call_id.ptr, r->call_id.len, ret->aor);
    ret->seq = r->seq;
    ret->ts = r->ts;
    ret->cseq = r->cseq >= 0 ? (uint32_t)r->cseq : 0;
    ret->status = r->status > 0 && r->status < 1000 ? (uint16_t)r->status : 0;
    if (r->status == RECORD_NONE)
        ret->flags |= REG_EVENT_REQUEST;
    ret->tap = track_tap(r, seed);
    ret->transport = track_transport_by_name(r->proto);
    ret->src = (struct track_addr){ r->src_ip, (uint16_t)r->src_port };
    ret->dst = (struct track_addr){ r->dst_ip, (uint16_t)r->dst_port };
    ret->header_expires = r->expires >= 0 && r->expires < REG_NO_EXPIRES ? (uint32_t)r->expires : REG_NO_EXPIRES;
    ret->min_expires = REG_NO_EXPIRES;
    read_headers(r, seed, ret, ret_texts);
    ret->message = message_hash(r, ret, seed);
    return true;
}
