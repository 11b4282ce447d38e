#include <string.h>

#include "demo/call.h"

#define BODY_MAX 1024

/* Labels of what is made of a call's secret: demo_label(). Each but the first is the start of a range. */
enum {
    LABEL_CALL_ID = 1,
    LABEL_TAG_A = 2,
    LABEL_NONCE = 3,
    LABEL_RESPONSE = 4,
    LABEL_SESSION = 5,
    LABEL_ICID = 7,
    LABEL_CODEC = 8,
    LABEL_FAR_CALL_ID = 9,
    LABEL_FAR_TAG_A = 10,
    LABEL_FAR_SESSION = 11,
    LABEL_SESSION_ID = 13,
    LABEL_MEDIA_PORT = 15,
    LABEL_TAG_B = 32,
    LABEL_FAR_TAG_B = 96,
    LABEL_BRANCH = 256
};

/* A step seen from the message: who asks whom, over which leg. */
struct view {
    const struct demo_call *c;
    const struct demo_step *s;
    bool response;
    bool far;        /* on the leg between proxy and called side */
    bool from_b;     /* the called side began this transaction */
    bool hop_by_hop; /* ends at the next hop: CANCEL, ACK of a failure (RFC 3261 sections 9.1, 16.7) */
    bool bridged;    /* by a B2BUA: both legs are calls of their own, */
    bool by_bridge;  /* and this comes from it */
    const struct demo_party *uac, *uas;
};

static struct view view_of(const struct demo_call *c, const struct demo_step *s)
{
    struct view v = { .c = c, .s = s, .response = s->status != 0, .far = demo_is_far(s->hop) };
    const struct demo_party *far = s->hop >= HOP_P_C ? &c->cast.c : s->hop >= HOP_P_B ? &c->cast.b : demo_callee(c);
    v.from_b = s->txn >= TXN_CALLEE;
    v.bridged = c->scenario->bridge != BRIDGE_NONE;
    v.by_bridge = v.bridged && !demo_to_proxy((enum demo_hop)s->hop);
    v.hop_by_hop = s->what == WHAT_CANCEL || (s->what == WHAT_ACK && !(s->flags & H_DIALOG));
    v.uac = v.from_b ? far : &c->cast.a;
    v.uas = v.from_b ? &c->cast.a : far;
    return v;
}

static const char *const methods[] = {
    [WHAT_ACK] = "ACK",         [WHAT_BYE] = "BYE",           [WHAT_CANCEL] = "CANCEL",
    [WHAT_INVITE] = "INVITE",   [WHAT_MESSAGE] = "MESSAGE",   [WHAT_NOTIFY] = "NOTIFY",
    [WHAT_OPTIONS] = "OPTIONS", [WHAT_REGISTER] = "REGISTER", [WHAT_SUBSCRIBE] = "SUBSCRIBE",
    [WHAT_UPDATE] = "UPDATE",
};

/* Reason phrase, and the Q.850 cause of RFC 3398 section 8.2.6.1. */
static const struct {
    uint16_t status;
    uint8_t cause;
    const char *phrase, *cause_text;
} statuses[] = {
    { 200, 16, "OK", "Normal call clearing" },
    { 100, 0, "Trying", "" },
    { 180, 0, "Ringing", "" },
    { 183, 0, "Session Progress", "" },
    { 302, 0, "Moved Temporarily", "" },
    { 401, 0, "Unauthorized", "" },
    { 404, 1, "Not Found", "Unallocated number" },
    { 407, 0, "Proxy Authentication Required", "" },
    { 408, 102, "Request Timeout", "Recovery on timer expiry" },
    { 480, 19, "Temporarily Unavailable", "No answer from user" },
    { 486, 17, "Busy Here", "User busy" },
    { 487, 0, "Request Terminated", "" },
    { 503, 0, "Service Unavailable", "" },
};

static size_t status_row(unsigned status)
{
    size_t i = sizeof(statuses) / sizeof(statuses[0]);
    while (--i > 0 && statuses[i].status != status)
        continue;
    return i;
}

/* ------------------------------------------------------------------------------------------------ addresses */

static const char *transport(uint8_t protocol)
{
    return protocol == 6 ? "TCP" : "UDP";
}

static void put_number(struct text *t, const struct demo_party *p)
{
    text_add(t, "%s%u", p->prefix, (unsigned)p->extension);
}

/* <sip:number@proxy>: where a B2BUA is reached for a party. */
static void put_bridge_uri(struct text *t, const struct view *v, const struct demo_party *p)
{
    text_add(t, "sip:");
    put_number(t, p);
    text_add(t, "@");
    demo_put_host(t, &v->c->cast.proxy);
    text_add(t, ":%u", PROXY_PORT);
}

/* <sip:number@host:port>: where a party is reached itself. */
static void put_contact_uri(struct text *t, const struct demo_party *p)
{
    text_add(t, "sip:");
    put_number(t, p);
    text_add(t, "@");
    demo_put_host(t, &p->addr);
    text_add(t, p->protocol == 6 ? ":%u;transport=tcp" : ":%u", (unsigned)p->port);
}

static void put_public_uri(struct text *t, const struct demo_party *p, const char *domain)
{
    text_add(t, "sip:");
    put_number(t, p);
    text_add(t, "@%s", domain);
}

static void put_request_uri(struct text *t, const struct view *v)
{
    if (v->s->what == WHAT_REGISTER)
        text_add(t, "sip:%s", PROXY_DOMAIN);
    else if (v->s->what == WHAT_OPTIONS)
        text_add(t, "sip:ping@%s", PROXY_DOMAIN);
    else if (v->bridged && !v->by_bridge && (v->s->flags & H_DIALOG))
        put_bridge_uri(t, v, v->uas);
    else if ((v->s->flags & (H_DIALOG | H_NEW_TARGET)) || v->far)
        put_contact_uri(t, v->uas);
    else
        put_public_uri(t, v->uas, PROXY_DOMAIN);
}

/* ------------------------------------------------------------------------------------------------ routing headers */

/* An ACK of a 2xx is a transaction of its own (RFC 3261 section 17.1.1.3). */
static unsigned branch_label(const struct view *v, unsigned place)
{
    unsigned own = v->s->what == WHAT_ACK && !v->hop_by_hop;
    return LABEL_BRANCH + v->s->txn * 16u + own * 8u + place;
}

static void put_branch(struct text *t, const struct view *v, unsigned place)
{
    uint64_t b = demo_label(v->c, branch_label(v, place));
    text_add(t, ";branch=z9hG4bK%08x%08x", (unsigned)(b >> 32), (unsigned)b);
}

static void put_proxy_via(struct text *t, const struct view *v)
{
    const struct demo_party *next = demo_hop_party(v->c, v->s->hop);
    text_add(t, "Via: SIP/2.0/%s ", transport(next->protocol));
    demo_put_host(t, &v->c->cast.proxy);
    text_add(t, ":%u", PROXY_PORT);
    put_branch(t, v, v->s->hop >= HOP_P_C ? 2 : 1);
    text_add(t, "\r\n");
}

/* Whoever received it has noted where it came from (RFC 3581). */
static void put_party_via(struct text *t, const struct view *v, bool received)
{
    text_add(t, "Via: SIP/2.0/%s ", transport(v->uac->protocol));
    demo_put_host(t, &v->uac->addr);
    text_add(t, ":%u", (unsigned)v->uac->port);
    put_branch(t, v, 0);
    if (received) {
        text_add(t, ";received=");
        demo_put_address(t, &v->uac->addr);
        text_add(t, ";rport=%u\r\n", (unsigned)v->uac->port);
    } else {
        text_add(t, ";rport\r\n");
    }
}

static void put_vias(struct text *t, const struct view *v)
{
    bool second_hop = v->far != v->from_b;
    if (second_hop)
        put_proxy_via(t, v);
    if (!second_hop || !(v->hop_by_hop || v->bridged))
        put_party_via(t, v, second_hop || v->response);
}

static bool makes_dialog(const struct view *v)
{
    return (v->s->what == WHAT_INVITE || v->s->what == WHAT_SUBSCRIBE) && v->s->status < 300 && v->s->status != 100;
}

static void put_routes(struct text *t, const struct view *v)
{
    const char *name = NULL;
    bool second_hop = v->far != v->from_b;
    if (!(v->s->flags & H_DIALOG) && makes_dialog(v) && (v->response || second_hop))
        name = "Record-Route";
    else if ((v->s->flags & H_DIALOG) && !v->response && !second_hop)
        name = "Route";
    if (name == NULL || v->bridged)
        return;
    text_add(t, "%s: <sip:", name);
    demo_put_host(t, &v->c->cast.proxy);
    text_add(t, ";lr>\r\n");
}

/* ------------------------------------------------------------------------------------------------ dialog headers */

/* Tag of the calling or the called side, in each leg of a B2BUA; each answer that begins a dialog, and each that
 * refuses, has its own. */
static void put_tag(struct text *t, const struct view *v, bool callee)
{
    const struct demo_call *c = v->c;
    bool far = v->bridged && v->far;
    unsigned label = callee ? (far ? LABEL_FAR_TAG_B : LABEL_TAG_B) + c->dialog_txn * 2u + c->target
                     : far  ? LABEL_FAR_TAG_A
                            : LABEL_TAG_A;
    text_add(t, ";tag=%08x", (unsigned)demo_label(c, label));
}

static void put_name(struct text *t, const struct demo_party *p)
{
    if (p->given != NULL)
        text_add(t, "\"%s %s\" ", p->given, p->family);
}

static void put_from_to(struct text *t, const struct view *v)
{
    bool tagged = v->response ? v->s->status != 100 : (v->s->flags & H_DIALOG) || v->s->what == WHAT_ACK;
    const struct demo_party *caller = &v->c->cast.a;
    bool own = v->s->what == WHAT_REGISTER;
    /* To names who was called first, wherever the call went. */
    const struct demo_party *callee = own ? caller : &v->c->cast.b;
    text_add(t, "From: ");
    put_name(t, v->from_b ? callee : caller);
    text_add(t, "<");
    put_public_uri(t, v->from_b ? callee : caller, v->from_b || own ? PROXY_DOMAIN : caller->domain);
    text_add(t, ">");
    put_tag(t, v, v->from_b);
    text_add(t, "\r\nTo: <");
    put_public_uri(t, v->from_b ? caller : callee, v->from_b ? caller->domain : PROXY_DOMAIN);
    text_add(t, ">");
    if (tagged)
        put_tag(t, v, !v->from_b);
    text_add(t, "\r\n");
}

void demo_put_call_id(struct text *t, const struct demo_call *c)
{
    uint64_t id = demo_label(c, LABEL_CALL_ID);
    text_add(t, "%08x%08x-%u@", (unsigned)(id >> 32), (unsigned)id, (unsigned)c->number);
    demo_put_address(t, &c->cast.a.addr);
}

static void put_far_call_id(struct text *t, const struct demo_call *c)
{
    uint64_t id = demo_label(c, LABEL_FAR_CALL_ID);
    text_add(t, "%08x-%08x-%u@", (unsigned)(id >> 32), (unsigned)id, (unsigned)c->number);
    demo_put_address(t, &c->cast.proxy);
}

static void put_call_id(struct text *t, const struct view *v)
{
    bool far = v->bridged && v->far;
    unsigned first = v->from_b ? (far ? 700 : 100) : 1 + (unsigned)(v->c->secret >> (far ? 40 : 20) & 0xfff);
    text_add(t, "Call-ID: ");
    if (far)
        put_far_call_id(t, v->c);
    else
        demo_put_call_id(t, v->c);
    text_add(t, "\r\nCSeq: %u %s\r\n", first + v->s->txn % TXN_CALLEE, methods[v->s->what]);
}

static void put_contact(struct text *t, const struct view *v)
{
    bool target = v->s->what == WHAT_INVITE || v->s->what == WHAT_UPDATE || v->s->what == WHAT_SUBSCRIBE ||
                  v->s->what == WHAT_NOTIFY;
    bool moved = (v->s->flags & H_MOVED) != 0;
    bool bindings = v->s->what == WHAT_REGISTER && v->s->status != 401;
    if (!moved && !bindings && (!target || v->s->status == 100 || v->s->status >= 300))
        return;
    text_add(t, "Contact: <");
    if (v->by_bridge)
        put_bridge_uri(t, v, v->response ? v->uas : v->uac);
    else
        put_contact_uri(t, moved ? &v->c->cast.c : v->response && !bindings ? v->uas : v->uac);
    text_add(t, v->response && bindings ? ">;expires=60\r\n" : ">\r\n");
}

/* ------------------------------------------------------------------------------------------------ marked headers */

static void put_challenge(struct text *t, const struct view *v)
{
    text_add(t, "%s: Digest realm=\"%s\", nonce=\"%08x%08x\", algorithm=MD5, qop=\"auth\"\r\n",
             v->s->status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate", PROXY_DOMAIN,
             (unsigned)demo_label(v->c, LABEL_NONCE), (unsigned)v->c->number);
}

/* The digest is random: there is no password to check it with. */
static void put_credentials(struct text *t, const struct view *v)
{
    uint64_t r = demo_label(v->c, LABEL_RESPONSE + v->s->txn * 1000u);
    text_add(t, "%s: Digest username=\"%u\", realm=\"%s\", nonce=\"%08x%08x\", uri=\"",
             v->s->what == WHAT_REGISTER ? "Authorization" : "Proxy-Authorization", (unsigned)v->uac->extension,
             PROXY_DOMAIN, (unsigned)demo_label(v->c, LABEL_NONCE), (unsigned)v->c->number);
    put_request_uri(t, v);
    text_add(t, "\", response=\"%08x%08x%08x%08x\", algorithm=MD5, cnonce=\"%08x\", qop=auth, nc=0000000%u\r\n",
             (unsigned)(r >> 32), (unsigned)r, (unsigned)~r, (unsigned)(r >> 16), (unsigned)(r >> 8),
             (unsigned)v->s->txn - 1);
}

static void put_retry_after(struct text *t, const struct view *v)
{
    text_add(t, "Retry-After: %u\r\n", 5 + (unsigned)(v->c->secret & 15) * 5);
}

static void put_cause(struct text *t, const struct view *v)
{
    size_t row = status_row(v->response ? v->s->status : 200);
    text_add(t, "Reason: Q.850;cause=%u;text=\"%s\"\r\n", (unsigned)statuses[row].cause, statuses[row].cause_text);
}

static void put_expires(struct text *t, const struct view *v)
{
    text_add(t, "Expires: %u\r\n", v->s->what == WHAT_REGISTER ? 60u : 3600u);
}

static void put_expires_0(struct text *t, const struct view *v)
{
    (void)v;
    text_add(t, "Expires: 0\r\n");
}

static void put_event(struct text *t, const struct view *v)
{
    text_add(t, "Event: dialog\r\n");
    if (v->s->what == WHAT_NOTIFY)
        text_add(t, "Subscription-State: active;expires=3599\r\n");
}

static void put_timer(struct text *t, const struct view *v)
{
    text_add(t, v->response ? "Require: timer\r\nSession-Expires: 1800;refresher=uac\r\n"
                            : "Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\n");
}

static const struct {
    uint16_t flag;
    void (*put)(struct text *t, const struct view *v);
} marked[] = {
    { H_CHALLENGE, put_challenge },
    { H_CREDENTIALS, put_credentials },
    { H_RETRY_AFTER, put_retry_after },
    { H_CAUSE, put_cause },
    { H_EXPIRES, put_expires },
    { H_EXPIRES_0, put_expires_0 },
    { H_EVENT, put_event },
    { H_TIMER, put_timer },
};

static void put_marked(struct text *t, const struct view *v)
{
    for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
        if (v->s->flags & marked[i].flag)
            marked[i].put(t, v);
    }
}

/* The proxy vouches for the caller towards the other side (RFC 3325) and names the call for charging (RFC 7315). */
static void put_asserted(struct text *t, const struct view *v)
{
    if (!v->far || v->response || v->s->what != WHAT_INVITE || (v->s->flags & H_DIALOG) || v->bridged)
        return;
    text_add(t, "P-Asserted-Identity: <sip:");
    put_number(t, &v->c->cast.a);
    text_add(t, "@%s>\r\nP-Charging-Vector: icid-value=%08x.%08x;orig-ioi=%s\r\n", PROXY_DOMAIN,
             (unsigned)demo_label(v->c, LABEL_ICID), (unsigned)v->c->number, PROXY_DOMAIN);
}

/* What a B2BUA passes on of the first leg. */
static void put_bridge(struct text *t, const struct view *v)
{
    enum demo_bridge bridge = v->c->scenario->bridge;
    bool first = v->s->what == WHAT_INVITE && !v->response && !(v->s->flags & H_DIALOG);
    uint64_t a = demo_label(v->c, LABEL_SESSION_ID), b = demo_label(v->c, LABEL_SESSION_ID + 1);
    if (bridge == BRIDGE_X_CALL_ID && v->far && first) {
        text_add(t, "X-Call-ID: ");
        demo_put_call_id(t, v->c);
        text_add(t, "\r\n");
    }
    if (bridge != BRIDGE_SESSION_ID)
        return;
    bool by_a = v->response == v->from_b; /* RFC 7989: the sender's half comes first; nil as long as it is not known */
    uint64_t ours = by_a ? a : b, theirs = by_a ? b : a;
    bool known = !first;
    text_add(t, "Session-ID: %08x%08x%08x%08x;remote=", (unsigned)(ours >> 32), (unsigned)ours, (unsigned)~ours,
             (unsigned)(ours >> 16));
    text_add(t, "%08x%08x%08x%08x\r\n", known ? (unsigned)(theirs >> 32) : 0u, known ? (unsigned)theirs : 0u,
             known ? (unsigned)~theirs : 0u, known ? (unsigned)(theirs >> 16) : 0u);
}

static void put_program(struct text *t, const struct view *v)
{
    /* Answers that the called side did not give are the proxy's own. */
    bool proxy = v->response ? v->s->status == 100 && !v->far : v->hop_by_hop && v->far;
    bool local = v->s->status == 407 || v->s->status == 401 || v->s->status == 408 ||
                 (v->response && (v->s->what == WHAT_REGISTER || v->s->what == WHAT_OPTIONS));
    const char *name = v->by_bridge     ? BRIDGE_NAME
                       : proxy || local ? PROXY_NAME
                       : v->response    ? v->uas->agent->name
                                        : v->uac->agent->name;
    text_add(t, v->response ? "Server: %s\r\n" : "User-Agent: %s\r\n", name);
    if (makes_dialog(v) || (v->s->what == WHAT_OPTIONS && v->response))
        text_add(t, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, NOTIFY, MESSAGE\r\n"
                    "Supported: replaces, timer, path\r\n");
}

/* ------------------------------------------------------------------------------------------------ body */

/* Direction and version of each SDP; the answering side speaks in the odd ones. */
static const struct {
    const char *direction;
    uint8_t version;
    bool answer;
} sdps[] = {
    [BODY_OFFER] = { "sendrecv", 0, false },  [BODY_ANSWER] = { "sendrecv", 0, true },
    [BODY_HOLD] = { "sendonly", 1, false },   [BODY_HELD] = { "recvonly", 1, true },
    [BODY_RESUME] = { "sendrecv", 2, false }, [BODY_RESUMED] = { "sendrecv", 2, true },
};

/* True if a payload type stands in a list of them. */
static bool has_format(const char *formats, const char *one)
{
    size_t len = strlen(one);
    for (; *formats != '\0'; formats += strcspn(formats, " "), formats += *formats == ' ')
        if (strcspn(formats, " ") == len && memcmp(formats, one, len) == 0)
            return true;
    return false;
}

bool demo_likes_first(const struct demo_call *c)
{
    return (c->secret >> 8 & 3) != 0 && has_format(demo_callee(c)->agent->formats, c->cast.a.agent->first);
}

static void put_codecs(struct text *t, const struct view *v, bool answer)
{
    const struct demo_agent *offerer = v->uac->agent;
    if (!answer)
        text_add(t, "%s\r\n%s", offerer->formats, offerer->maps);
    else if (demo_likes_first(v->c))
        text_add(t, "%s 101\r\n%s", offerer->first, offerer->first_map);
    else
        text_add(t, "8 101\r\na=rtpmap:8 PCMA/8000\r\n");
}

/* The answer is for the caller, the offer for the called side. */
uint16_t demo_relay_port(const struct demo_call *c, bool of_caller)
{
    return (uint16_t)(10000 + demo_label(c, LABEL_MEDIA_PORT + of_caller) % 20000 * 2);
}

static void put_sdp(struct text *t, const struct view *v)
{
    bool answer = sdps[v->s->body].answer;
    const struct demo_party *p = answer ? v->uas : v->uac;
    bool relayed = v->by_bridge && v->c->scenario->bridge == BRIDGE_NOTHING;
    const struct hep_addr *media = relayed ? &v->c->cast.proxy : &p->media;
    unsigned port = relayed ? demo_relay_port(v->c, answer) : p->media_port;
    const char *family = media->len == 16 ? "IP6" : "IP4";
    unsigned session = (unsigned)demo_label(v->c, (relayed ? 0u + LABEL_FAR_SESSION : LABEL_SESSION) + answer) >> 4;
    text_add(t, "v=0\r\no=- %u %u IN %s ", session, session + sdps[v->s->body].version, family);
    demo_put_address(t, media);
    text_add(t, "\r\ns=%s\r\nc=IN %s ", p->given != NULL ? "call" : "-", family);
    demo_put_address(t, media);
    text_add(t, "\r\nt=0 0\r\nm=audio %u RTP/AVP ", port);
    put_codecs(t, v, answer);
    text_add(t, "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=%s\r\n",
             sdps[v->s->body].direction);
}

/* Writes the body and returns its type; NULL if there is none. */
static const char *put_body(struct text *t, const struct view *v)
{
    switch (v->s->body) {
    case BODY_NONE:
        return NULL;
    case BODY_TEXT:
        text_add(t, "Call me back, please. (%u)\r\n", (unsigned)v->c->number);
        return "text/plain";
    case BODY_DIALOG:
        text_add(t,
                 "<?xml version=\"1.0\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"%u\" "
                 "state=\"full\" entity=\"",
                 (unsigned)(v->s->txn - TXN_CALLEE));
        put_public_uri(t, v->uac, PROXY_DOMAIN);
        text_add(t, "\"/>\r\n");
        return "application/dialog-info+xml";
    default:
        put_sdp(t, v);
        return "application/sdp";
    }
}

/* ------------------------------------------------------------------------------------------------ message */

static void put_start_line(struct text *t, const struct view *v)
{
    if (v->response) {
        text_add(t, "SIP/2.0 %u %s\r\n", (unsigned)v->s->status, statuses[status_row(v->s->status)].phrase);
        return;
    }
    text_add(t, "%s ", methods[v->s->what]);
    put_request_uri(t, v);
    text_add(t, " SIP/2.0\r\n");
}

void demo_put_sip(struct text *t, const struct demo_call *c, const struct demo_step *s)
{
    char body[BODY_MAX];
    struct text b = text_into(body, sizeof(body));
    struct view v = view_of(c, s);
    const char *type = put_body(&b, &v);
    put_start_line(t, &v);
    put_vias(t, &v);
    put_routes(t, &v);
    if (!v.response)
        text_add(t, "Max-Forwards: %u\r\n", v.far != v.from_b && !v.hop_by_hop && !v.bridged ? 69u : 70u);
    put_from_to(t, &v);
    put_call_id(t, &v);
    put_contact(t, &v);
    put_marked(t, &v);
    put_asserted(t, &v);
    put_bridge(t, &v);
    put_program(t, &v);
    if (type != NULL)
        text_add(t, "Content-Type: %s\r\n", type);
    text_add(t, "Content-Length: %u\r\n\r\n", (unsigned)b.len);
    text_put(t, body, b.len);
    t->full |= b.full;
}
