#include "cmd/encode_pcap.h"

#include <stdio.h>

#include "capture/messages.h"

/* A capture on its way into the encoder. */
struct reading {
    struct encoder *e;
    const char *name;
};

#define WHERE_MAX 256

/* "trace.pcap: packet 42" */
static const char *where_is(const struct reading *r, uint64_t packet, char where[WHERE_MAX])
{
    (void)snprintf(where, WHERE_MAX, "%s: packet %llu", r->name, (unsigned long long)packet);
    return where;
}

static void on_message(void *arg, uint64_t packet, struct hep_msg *msg)
{
    const struct reading *r = arg;
    char where[WHERE_MAX];
    encoder_message(r->e, msg, where_is(r, packet, where));
}

static void on_frame(void *arg, uint64_t packet, struct hep_msg *msg)
{
    const struct reading *r = arg;
    (void)packet;
    encoder_frame(r->e, msg->frame.ptr, msg->frame.len, msg);
}

static void on_rebuild(void *arg, uint64_t packet, struct hep_msg *msg)
{
    const struct reading *r = arg;
    char where[WHERE_MAX];
    encoder_rebuild(r->e, msg, where_is(r, packet, where));
}

static void on_bad(void *arg, uint64_t packet, const char *text)
{
    const struct reading *r = arg;
    char where[WHERE_MAX];
    encoder_bad(r->e, where_is(r, packet, where), "%s", text);
}

static void on_note(void *arg, const char *text)
{
    const struct reading *r = arg;
    report_note(r->e->report, "%s: %s", r->name, text);
}

/* For who encodes: who imports tells the sums of all files. */
static void tell(const struct reading *r, const struct messages_counts *c)
{
    const struct report *report = r->e->report;
    if (r->e->sink != NULL)
        return;
    if (c->cut != 0)
        report_note(report, "%s: %llu messages were cut by the snap length", r->name, (unsigned long long)c->cut);
    if (c->hep != 0)
        report_note(report, "%s: %llu datagrams are HEP already: `hepcat decode --format raw %s | hepcat encode -`",
                    r->name, (unsigned long long)c->hep, r->name);
    if (c->uncorrelated != 0)
        report_note(report, "%s: %llu RTCP packets belong to no call seen here", r->name,
                    (unsigned long long)c->uncorrelated);
    if (c->other_udp != 0 || c->other_tcp != 0)
        report_note(report, "%s: %llu datagrams and %llu octets of TCP are neither SIP nor RTCP", r->name,
                    (unsigned long long)c->other_udp, (unsigned long long)c->other_tcp);
}

static void add_counts(struct messages_counts *to, const struct messages_counts *c)
{
    to->packets += c->packets;
    to->sip += c->sip;
    to->rtcp += c->rtcp;
    to->hep += c->hep;
    to->other_udp += c->other_udp;
    to->other_tcp += c->other_tcp;
    to->cut += c->cut;
    to->uncorrelated += c->uncorrelated;
}

void encode_pcap(struct encoder *e, struct input *in, const char *name)
{
    struct reading r = { e, name };
    const struct messages_options o = {
        .node = e->plain_node,
        .id = e->plain_id,
        .hep_ports = e->hep_ports,
        .done = &e->done,
        .message = on_message,
        .frame = on_frame,
        .rebuild = on_rebuild,
        .bad = on_bad,
        .note = on_note,
        .arg = &r,
    };
    struct messages_counts counts;
    struct errmsg err = { "" };
    if (messages_read(in, &o, &counts, &err) != 0 && !e->done)
        encoder_bad(e, name, "%s", err.text);
    tell(&r, &counts);
    add_counts(&e->counts, &counts);
}
