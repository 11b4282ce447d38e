#include "sip/sdp.h"

#include "sip/sdp_attr.h"
#include "sip/text.h"

/* "audio 49170/2 RTP/AVP 0 8 101" */
static bool parse_media(struct hep_slice words, struct sdp_media *ret)
{
    ret->kind = text_word(&words);
    struct hep_slice port = text_word(&words);
    size_t slash = text_find(port, '/');
    ret->port_count = 1;
    if (slash < port.len && !sdp_port(text_after(port, slash + 1), &ret->port_count))
        ret->port_count = 1;
    ret->protocol = text_word(&words);
    sdp_formats(ret, words);
    return ret->kind.len > 0 && ret->protocol.len > 0 && sdp_port(text_of(port.ptr, slash), &ret->port);
}

/* "jdoe 2890844526 2890842807 IN IP4 host.example.com" */
static void parse_origin(struct hep_slice words, struct sdp_session *ret)
{
    ret->user = text_word(&words);
    ret->id = text_word(&words);
    ret->version = text_word(&words);
    (void)text_word(&words);
    (void)text_word(&words);
    ret->origin = text_word(&words);
}

/* True at an m= line, be it "M=". */
static inline bool at_medium(struct hep_slice rest)
{
    return rest.len >= 2 && rest.ptr[1] == '=' && (*rest.ptr | 0x20) == 'm';
}

/*
 * Cuts the next line off, unless it begins the next medium: "x=value" as type and value, '\0' for any other line.
 * Inline, so that the slices stay in registers.
 */
__attribute__((always_inline)) static inline bool section_line(struct hep_slice *rest, char *ret_type,
                                                               struct hep_slice *ret_value)
{
    struct hep_slice line;
    if (at_medium(*rest) || !text_line(rest, &line))
        return false;
    bool typed = line.len >= 2 && line.ptr[1] == '=';
    *ret_type = typed ? (char)*line.ptr : '\0';
    *ret_value = typed ? text_trim(text_after(line, 2)) : line;
    return true;
}

/* What session and media have in common. */
static inline void common_line(char type, struct hep_slice value, struct sdp_media *ret)
{
    if (type == 'c' && ret->host.len == 0)
        (void)sdp_address(value, &ret->host, &ret->addr);
    else if (type == 'a')
        sdp_attribute(ret, value);
}

static void clear_media(struct sdp_media *m)
{
    memset(m, 0, offsetof(struct sdp_media, formats));
}

void sdp_begin(struct sdp_iter *it, struct hep_slice sdp)
{
    char type;
    struct hep_slice value;
    it->rest = sdp;
    it->session = (struct sdp_session){ .direction = SDP_UNSET };
    clear_media(&it->defaults);
    while (section_line(&it->rest, &type, &value)) {
        if (type == 'o' && it->session.user.len == 0)
            parse_origin(value, &it->session);
        else if (type == 's' && it->session.name.len == 0)
            it->session.name = value;
        else
            common_line(type, value, &it->defaults);
    }
    it->session.host = it->defaults.host;
    it->session.addr = it->defaults.addr;
    it->session.direction = it->defaults.direction;
}

static void inherit_slice(struct hep_slice *own, struct hep_slice inherited)
{
    if (own->len == 0)
        *own = inherited;
}

/* What the medium does not say itself. */
static void inherit(struct sdp_media *m, const struct sdp_media *defaults)
{
    if (m->host.len == 0) {
        m->host = defaults->host;
        m->addr = defaults->addr;
    }
    if (m->direction == SDP_UNSET)
        m->direction = defaults->direction != SDP_UNSET ? defaults->direction : SDP_SENDRECV;
    m->crypto |= defaults->crypto;
    m->fingerprint |= defaults->fingerprint;
    inherit_slice(&m->suite, defaults->suite);
    inherit_slice(&m->setup, defaults->setup);
    inherit_slice(&m->ufrag, defaults->ufrag);
}

/* Where RTCP goes if nothing is said of it. */
static void default_rtcp(struct sdp_media *m)
{
    if (m->rtcp_addr.len == 0)
        m->rtcp_addr = m->addr;
    if (m->port == 0)
        m->rtcp_port = 0;
    else if (m->rtcp_port == 0)
        m->rtcp_port = (uint16_t)(m->rtcp_mux ? m->port : m->port + 1);
}

/* "RTP/AVP", "UDP/TLS/RTP/SAVPF" */
static bool is_rtp(struct hep_slice protocol)
{
    size_t slash;
    for (; !text_starts(protocol, "RTP/"); protocol = text_after(protocol, slash + 1)) {
        slash = text_find(protocol, '/');
        if (slash == protocol.len)
            return false;
    }
    return true;
}

static void read_section(struct sdp_iter *it, struct sdp_media *ret)
{
    char type;
    struct hep_slice value;
    while (section_line(&it->rest, &type, &value))
        common_line(type, value, ret);
    inherit(ret, &it->defaults);
    default_rtcp(ret);
    if (is_rtp(ret->protocol))
        sdp_static_formats(ret);
}

bool sdp_next(struct sdp_iter *it, struct sdp_media *ret)
{
    struct hep_slice line;
    while (text_line(&it->rest, &line)) {
        clear_media(ret);
        bool good = parse_media(text_after(line, 2), ret); /* the iterator stands at an m= line */
        read_section(it, ret);
        if (good)
            return true;
    }
    return false;
}

void sdp_parse(struct hep_slice sdp, struct sdp *ret)
{
    struct sdp_iter it;
    struct sdp_media unused;
    ret->media_count = ret->media_kept = 0;
    sdp_begin(&it, sdp);
    ret->session = it.session;
    while (sdp_next(&it, ret->media_kept < SDP_MEDIA_MAX ? &ret->media[ret->media_kept] : &unused)) {
        if (ret->media_kept < SDP_MEDIA_MAX)
            ret->media_kept++;
        if (ret->media_count < UINT16_MAX)
            ret->media_count++;
    }
}
