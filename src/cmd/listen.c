#include "cmd/listen.h"

#include <signal.h>
#include <string.h>

#include "base/ip.h"
#include "base/json_out.h"
#include "cmd/decode_file.h"
#include "cmd/detect.h"
#include "net/listener.h"
#include "net/loop.h"

/* The listeners' own limit on bodies is below this. */
#define BODY_BUFFER_MIN ((size_t)16 << 20)

struct listening {
    struct decoder *d;
    struct net_loop *loop;
    struct buf body; /* octets of a body that came in base64 */
};

bool listen_wanted(const struct listen_options *o)
{
    return o->udp.count + o->tcp.count + o->tls.count + o->http.count + o->https.count > 0;
}

static struct origin origin_of(const struct net_peer *peer)
{
    const char *name = net_transport_name(peer->transport);
    return (struct origin){
        .name = name,
        .meta = {
            .time = { (uint32_t)peer->received.tv_sec, (uint32_t)(peer->received.tv_nsec / 1000) },
            .transport = name,
            .peer = peer->addr,
            .peer_port = peer->port,
        },
    };
}

static void stop_if_done(struct listening *l)
{
    if (l->d->done)
        net_stop(l->loop);
}

static void on_datagram(void *arg, const struct net_peer *peer, const uint8_t *data, size_t len)
{
    struct listening *l = arg;
    struct origin from = origin_of(peer);
    if (!l->d->done)
        decoder_datagram(l->d, data, len, &from);
    stop_if_done(l);
}

static void on_frame(void *arg, const struct net_peer *peer, const uint8_t *frame, size_t len)
{
    struct listening *l = arg;
    struct origin from = origin_of(peer);
    if (!l->d->done)
        decoder_frame(l->d, frame, len, &from);
    stop_if_done(l);
}

static void on_stream_error(void *arg, const struct net_peer *peer, int hep_error, uint64_t offset)
{
    struct listening *l = arg;
    struct origin from = origin_of(peer);
    if (!l->d->done)
        decoder_bad(l->d, &from, hep_error, offset);
}

/* ------------------------------------------------------------------------------------------------ HTTP */

static void reply_error(struct http_reply *reply, unsigned status, const char *text,
                        const struct decoder_result *result)
{
    reply->status = status;
    buf_puts(&reply->body, "{\"error\":");
    json_out_text(&reply->body, text);
    buf_printf(&reply->body, ",\"offset\":%zu,\"taken\":%llu,\"bad\":%llu,\"unauthorized\":%llu}\n",
               result->error_offset, (unsigned long long)result->taken, (unsigned long long)result->bad,
               (unsigned long long)result->unauthorized);
}

/*
 * The octets of a body: as they are, in base64 (gateways that only pass text), or inside the JSON event that an API
 * gateway makes of a request. 0, or -1 with a text.
 */
static int body_octets(struct listening *l, const struct http_request *request, struct hep_slice *ret,
                       struct errmsg *err)
{
    int rc = 0;
    *ret = (struct hep_slice){ request->body, request->len };
    switch (detect_octets(request->body, request->len)) {
    case INPUT_BASE64:
        rc = base64_body((const char *)request->body, request->len, &l->body, err);
        break;
    case INPUT_JSON:
        rc = gateway_event((const char *)request->body, request->len, &l->body, err);
        break;
    case INPUT_EMPTY:
        return errmsg_set(err, "the body is empty");
    case INPUT_CAPTURE:
    case INPUT_FRAMES:
    case INPUT_DATAGRAM:
    case INPUT_UNKNOWN:
        return 0;
    }
    if (rc == 0)
        *ret = (struct hep_slice){ l->body.ptr, l->body.len };
    return rc;
}

static void on_body(void *arg, const struct net_peer *peer, const struct http_request *request,
                    struct http_reply *reply)
{
    struct listening *l = arg;
    struct origin from = origin_of(peer);
    struct decoder_result result = { 0 };
    struct hep_slice octets;
    struct errmsg err;
    if (l->d->done) {
        reply->status = 503;
        return;
    }
    if (body_octets(l, request, &octets, &err) != 0) {
        l->d->bad++;
        result.bad = 1;
        report_error(l->d->report, "%s: %s", from.name, err.text);
        reply_error(reply, 400, err.text, &result);
        return;
    }
    result = decoder_body(l->d, octets.ptr, octets.len, &from);
    /* The answer says that the frames were handed on, so hand them on first. */
    if (decoder_flush(l->d) != 0) {
        reply->status = 503;
    } else if (result.error != HEP_OK) {
        reply_error(reply, 400, hep_strerror(result.error), &result);
    } else if (result.unauthorized != 0) {
        reply_error(reply, 403, "wrong or missing authentication key (chunk 0x000e)", &result);
    } else {
        buf_printf(&reply->body, "{\"taken\":%llu}\n", (unsigned long long)result.taken);
    }
    stop_if_done(l);
}

/* ------------------------------------------------------------------------------------------------ opening */

static void on_event(void *arg, enum net_event event, const struct net_peer *peer, const char *text)
{
    struct listening *l = arg;
    char ip[IP_TEXT_MAX] = "";
    if (event == NET_EVENT_CONNECTED || event == NET_EVENT_CLOSED)
        return;
    if (peer != NULL)
        (void)ip_format(&peer->addr, ip);
    report_error(l->d->report, "%s %s: %s", peer != NULL ? net_transport_name(peer->transport) : "network", ip, text);
}

static void flush(void *arg)
{
    struct listening *l = arg;
    (void)decoder_flush(l->d);
    stop_if_done(l);
}

static int check_one(void *arg, enum net_transport transport, const char *where, const struct listen_options *options,
                     struct errmsg *err)
{
    char host[256];
    uint16_t port;
    const char *name = net_transport_name(transport);
    (void)arg;
    if (!ip_host_port(where, host, &port, 0))
        return errmsg_set(err, "--%s: '%s' is not ADDR:PORT", name, where);
    if ((transport == NET_TLS || transport == NET_HTTPS) && options->cert == NULL)
        return errmsg_set(err, "--%s needs --cert FILE", name);
    return 0;
}

static int open_one(void *arg, enum net_transport transport, const char *where, const struct listen_options *options,
                    struct errmsg *err)
{
    struct listening *l = arg;
    char host[256];
    struct net_listen_options net = {
        .host = host,
        .rcvbuf = (size_t)options->rcvbuf,
        .body_max = (size_t)options->body_max,
        .tls = { .cert = options->cert,
                 .key = options->cert_key != NULL ? options->cert_key : options->cert,
                 .client_ca = options->client_ca },
    };
    const struct net_handler handler = {
        .arg = l,
        .on_datagram = on_datagram,
        .on_frame = on_frame,
        .on_stream_error = on_stream_error,
        .on_body = on_body,
        .on_event = on_event,
    };
    struct net_listener *listener;
    const char *name = net_transport_name(transport);
    if (!ip_host_port(where, host, &net.port, 0)) /* listen_check() has seen to it */
        return errmsg_set(err, "--%s: '%s' is not ADDR:PORT", name, where);
    if (net_listen(l->loop, transport, &net, &handler, &listener, err) != 0)
        return -1;
    report_note(l->d->report, "listening on %s %s:%u", name, host[0] != '\0' ? host : "*", net_listener_port(listener));
    size_t granted = net_listener_rcvbuf(listener);
    size_t asked = net.rcvbuf != 0 ? net.rcvbuf : NET_RCVBUF_DEFAULT;
    if (transport == NET_UDP && granted < asked)
        report_note(l->d->report, "receive buffer is %zu octets, not %zu: `sysctl -w net.core.rmem_max=%zu` helps",
                    granted, asked, asked);
    return 0;
}

/* Calls `call` for every listener asked for, until one fails. */
static int for_each(const struct listen_options *o,
                    int (*call)(void *arg, enum net_transport transport, const char *where,
                                const struct listen_options *options, struct errmsg *err),
                    void *arg, struct errmsg *err)
{
    const struct {
        const struct opt_list *list;
        enum net_transport transport;
    } kinds[] = {
        { &o->udp, NET_UDP },   { &o->tcp, NET_TCP },     { &o->tls, NET_TLS },
        { &o->http, NET_HTTP }, { &o->https, NET_HTTPS },
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        for (size_t k = 0; k < kinds[i].list->count; k++)
            if (call(arg, kinds[i].transport, kinds[i].list->items[k], o, err) != 0)
                return -1;
    return 0;
}

int listen_check(const struct listen_options *options, struct errmsg *err)
{
    return for_each(options, check_one, NULL, err);
}

static void note_drops(const struct listening *l)
{
    const struct net_counters *c = net_counters(l->loop);
    if (c->kernel_drops != 0)
        report_note(l->d->report, "%llu datagrams were dropped by the kernel before hepcat could read them",
                    (unsigned long long)c->kernel_drops);
}

int listen_run(struct decoder *d, const struct listen_options *options, struct errmsg *err)
{
    struct listening l = { .d = d };
    /* A reader of standard output that goes away is told by write(), not by a signal in the middle of things. */
    (void)signal(SIGPIPE, SIG_IGN);
    /* Octets from base64 are fewer than its characters, and the characters are limited by the listener. */
    buf_init(&l.body, (options->body_max > BODY_BUFFER_MIN ? (size_t)options->body_max : BODY_BUFFER_MIN) + 16);
    int rc = net_loop_new(&l.loop, err);
    if (rc == 0)
        rc = net_loop_signals(l.loop, err);
    if (rc == 0)
        rc = for_each(options, open_one, &l, err);
    if (rc == 0) {
        net_on_wait(l.loop, flush, &l);
        net_loop_run(l.loop);
        note_drops(&l);
    }
    net_loop_free(l.loop);
    buf_free(&l.body);
    return rc;
}
