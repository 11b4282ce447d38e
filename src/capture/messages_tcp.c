/* TCP streams of a capture: SIP messages, bare or by WebSocket, or frames of HEP. */
#include <stdlib.h>

#include "capture/messages_internal.h"
#include "sip/peek.h"

#define PARTIAL_MAX 4096 /* streams that may wait inside a SIP message at the same time */
#define STREAM_MAX  (2u * SIP_HEADERS_MAX + 65536)

/* One direction of a connection: while part of a SIP message waits, or of HEP, or of WebSocket. */
struct flow_state {
    struct reading *r;
    struct hep_flow *hep; /* both NULL: it is bare SIP */
    struct ws_flow *ws;
    struct buf held;
};

static void flow_free(void *user)
{
    struct flow_state *f = user;
    if (f->hep == NULL && f->ws == NULL)
        f->r->partial--;
    hep_flow_free(f->hep);
    ws_flow_free(f->ws);
    buf_free(&f->held);
    free(f);
}

static void release(struct tcp_flow *flow)
{
    if (flow->user == NULL)
        return;
    flow_free(flow->user);
    flow->user = NULL;
}

static struct flow_state *hold(struct reading *r, struct tcp_flow *flow, const uint8_t *data, size_t len)
{
    struct flow_state *f = r->partial < PARTIAL_MAX ? calloc(1, sizeof(*f)) : NULL;
    if (f == NULL)
        return NULL;
    r->partial++;
    f->r = r;
    buf_init(&f->held, STREAM_MAX);
    buf_put(&f->held, data, len);
    flow->user = f;
    flow->user_free = flow_free;
    return f;
}

/* Takes the whole messages at the front; returns how many octets are done with. */
static size_t take_messages(struct reading *r, const struct tcp_flow *flow, const uint8_t *data, size_t len,
                            uint32_t sec, uint32_t usec)
{
    size_t pos = 0;
    while (pos < len && !*r->o->done) {
        size_t skip, msg_len;
        int rc = sip_frame(data + pos, len - pos, &skip, &msg_len);
        pos += skip;
        if (rc == SIP_FRAME_MORE)
            break;
        if (rc == SIP_FRAME_BAD) {
            size_t next = sip_resync(data + pos, len - pos);
            r->counts.other_tcp += next;
            pos += next;
            continue;
        }
        reading_sip(r, flow, (struct hep_slice){ data + pos, msg_len }, sec, usec);
        pos += msg_len;
    }
    return pos;
}

static void take_sip_data(struct reading *r, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec,
                          uint32_t usec)
{
    struct flow_state *f = flow->user;
    if (f == NULL) { /* nothing waits: look at the segment where it is */
        size_t done = take_messages(r, flow, data, len, sec, usec);
        if (done < len && hold(r, flow, data + done, len - done) == NULL)
            r->counts.other_tcp += len - done;
        return;
    }
    buf_put(&f->held, data, len);
    if (f->held.failed) {
        r->counts.other_tcp += f->held.len + len;
        release(flow);
        return;
    }
    buf_drop(&f->held, take_messages(r, flow, f->held.ptr, f->held.len, sec, usec));
    if (f->held.len == 0)
        release(flow);
}

/* The flow's HEP, if it is a flow of HEP: it begins so, or goes to a HEP port without being SIP. */
static struct hep_flow *hep_of(struct reading *r, struct tcp_flow *flow, const uint8_t *data, size_t len)
{
    struct flow_state *f = flow->user;
    if (r->o->hep_ports == NULL || f != NULL)
        return f == NULL ? NULL : f->hep;
    bool begins = reading_has_magic((struct hep_slice){ data, len });
    if (!begins && (!ports_has(r->o->hep_ports, flow->dst_port) || sip_looks_like(data, len)))
        return NULL;
    struct hep_flow *hep = hep_flow_new(&r->hep_flows, !begins && flow->midstream);
    f = hep == NULL ? NULL : calloc(1, sizeof(*f));
    if (f == NULL) {
        hep_flow_free(hep);
        return NULL;
    }
    *f = (struct flow_state){ .r = r, .hep = hep };
    flow->user = f;
    flow->user_free = flow_free;
    return hep;
}

/* ------------------------------------------------------------------------------------------------ WebSocket */

void reading_ws_message(void *arg, const uint8_t *message, size_t len)
{
    struct reading *r = arg;
    if (sip_looks_like(message, len))
        reading_sip(r, r->tcp, (struct hep_slice){ message, len }, r->sec, r->usec);
    else
        r->counts.other_tcp += len;
}

void reading_ws_bad(void *arg, enum ws_problem problem)
{
    struct reading *r = arg;
    reading_bad(r, "%s", ws_problem_text(problem));
}

/* The flow's WebSocket, if it is one: it begins so, or a frame of SIP stands at the front of a segment. */
static struct ws_flow *ws_of(struct reading *r, struct tcp_flow *flow, const uint8_t *data, size_t len)
{
    struct flow_state *f = flow->user;
    if (f != NULL)
        return f->ws;
    bool begins = ws_flow_begins(data, len);
    if (!begins && !ws_flow_joins(data, len))
        return NULL;
    struct ws_flow *ws = ws_flow_new(&r->ws_flows, !begins);
    f = ws == NULL ? NULL : calloc(1, sizeof(*f));
    if (f == NULL) {
        ws_flow_free(ws);
        return NULL;
    }
    *f = (struct flow_state){ .r = r, .ws = ws };
    flow->user = f;
    flow->user_free = flow_free;
    return ws;
}

/* ------------------------------------------------------------------------------------------------ octets */

void reading_tcp_data(void *arg, struct tcp_flow *flow, const uint8_t *data, size_t len, uint32_t sec, uint32_t usec)
{
    struct reading *r = arg;
    struct hep_flow *hep = hep_of(r, flow, data, len);
    struct ws_flow *ws = hep == NULL ? ws_of(r, flow, data, len) : NULL;
    r->tcp = flow;
    r->sec = sec;
    r->usec = usec;
    if (hep != NULL)
        hep_flow_data(hep, data, len);
    else if (ws != NULL && !ws_flow_data(ws, data, len))
        release(flow);
    else if (ws == NULL)
        take_sip_data(r, flow, data, len, sec, usec);
}

/* What waited can never become whole. */
void reading_tcp_gap(void *arg, struct tcp_flow *flow, size_t missing)
{
    struct reading *r = arg;
    struct flow_state *f = flow->user;
    if (f != NULL && f->hep != NULL) {
        hep_flow_gap(f->hep, missing);
        return;
    }
    if (f != NULL && f->ws != NULL) {
        ws_flow_gap(f->ws);
        return;
    }
    if (f != NULL && f->held.len > 0) {
        if (sip_looks_like(f->held.ptr, f->held.len))
            reading_bad(r, "SIP message over TCP is cut: the capture lacks the rest");
        else
            r->counts.other_tcp += f->held.len;
    }
    release(flow);
}

void reading_tcp_close(void *arg, struct tcp_flow *flow, enum tcp_close why)
{
    (void)why;
    reading_tcp_gap(arg, flow, 0);
}
