#include "capture/read_capture.h"

#include <stdio.h>

#include "capture/pcap_in.h"

/* Outcomes that say that a packet, or part of it, did not reach us; the others are delivered or none of our business.
 */
static bool is_loss(enum dissect_outcome outcome)
{
    switch (outcome) {
    case DISSECT_UDP:
    case DISSECT_UDP_CUT: /* shows in the message */
    case DISSECT_TCP:
    case DISSECT_SCTP:
    case DISSECT_SCTP_CUT: /* as UDP's */
    case DISSECT_FRAGMENT:
    case DISSECT_FRAGMENT_DUPLICATE:
    case DISSECT_OTHER_PROTOCOL:
    case DISSECT_ESP:
    case DISSECT_TUNNEL_CONTROL:
    case DISSECT_NOT_IP:
    case DISSECT_LINK_TYPE: /* an error of the whole file */
        return false;
    default:
        return true;
    }
}

/* "of 1000 packets not all could be read: ip_short 2, fragment_dropped 1" */
static void tell_losses(const struct capture_reading *r, const struct dissector *dissector)
{
    char list[512], text[640];
    size_t len = 0;
    for (int i = 0; i < DISSECT_OUTCOME_COUNT; i++) {
        uint64_t count = dissect_count(dissector, (enum dissect_outcome)i);
        if (count == 0 || !is_loss((enum dissect_outcome)i) || len >= sizeof(list))
            continue;
        int n = snprintf(list + len, sizeof(list) - len, "%s%s %llu", len == 0 ? "" : ", ",
                         dissect_outcome_name((enum dissect_outcome)i), (unsigned long long)count);
        len += n > 0 ? (size_t)n : 0;
    }
    if (len != 0) {
        (void)snprintf(text, sizeof(text), "of %llu packets not all could be read: %s",
                       (unsigned long long)dissect_total(dissector), list);
        r->note(r->arg, text);
    }
    uint64_t incomplete = dissect_defrag_stats(dissector)->gave_up_age + dissect_defrag_stats(dissector)->gave_up_limit;
    if (incomplete != 0) {
        (void)snprintf(text, sizeof(text), "%llu datagrams in IP fragments lack a fragment",
                       (unsigned long long)incomplete);
        r->note(r->arg, text);
    }
}

static int open_capture(const struct capture_reading *r, struct pcap_in **ret, struct errmsg *err)
{
    return r->in != NULL ? pcap_in_open(ret, r->in, err) : pcap_in_open_memory(ret, r->octets, err);
}

int read_capture(const struct capture_reading *r, struct errmsg *err)
{
    struct pcap_in *pcap = NULL;
    struct packet packet = { 0 };
    struct dissector *dissector = dissector_new(&r->options);
    int rc = dissector == NULL ? errmsg_set(err, "out of memory") : open_capture(r, &pcap, err);
    while (rc == 0 && !*r->done && (rc = pcap_in_next(pcap, &packet)) == 1) {
        ++*r->packet;
        (void)dissect_packet(dissector, &packet);
        rc = 0;
    }
    if (rc < 0 && pcap != NULL)
        errmsg_set(err, "%s", pcap_in_error(pcap));
    if (dissector != NULL && !*r->done) {
        dissect_finish(dissector);
        if (r->note != NULL)
            tell_losses(r, dissector);
        uint64_t unknown = dissect_count(dissector, DISSECT_LINK_TYPE);
        if (unknown != 0 && rc == 0)
            rc = errmsg_set(err, "link type %d, which is not known, of %llu packets", packet.linktype,
                            (unsigned long long)unknown);
    }
    dissector_free(dissector);
    pcap_in_close(pcap);
    return rc;
}
