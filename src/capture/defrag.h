/*
 * Reassembly of IPv4 (RFC 791, RFC 815) and IPv6 (RFC 8200 section 4.5) datagrams from their fragments, in any order.
 *
 * What a stranger can make us hold is limited three ways: datagrams under way, octets of all of them, and age by
 * packet time; at a limit the datagram that was left alone for longest is given up and counted. Fragments that overlap
 * with different content are an attack or a fault: the datagram is dropped with everything of it that is still to
 * come. For IPv6 any overlap other than an exact duplicate is dropped (RFC 5722, RFC 8200). When a datagram is
 * whole, copies of its fragments (mirror ports send every packet twice) are told apart for one second.
 */
#ifndef CAPTURE_DEFRAG_H
#define CAPTURE_DEFRAG_H

#include <stddef.h>
#include <stdint.h>

#include "capture/ip.h"

struct defrag;

/* Zero in a field means the default. */
struct defrag_options {
    size_t max_datagrams; /* under way at a time; default 4096 */
    size_t max_octets;    /* held for all of them, bookkeeping included; default 16 MiB, at least 256 KiB */
    uint32_t max_age;     /* seconds from the last fragment; default 30 (RFC 791 says 15, RFC 8200 60) */
};

enum defrag_result {
    DEFRAG_HELD,      /* taken, the datagram is not whole yet */
    DEFRAG_DONE,      /* the datagram is whole */
    DEFRAG_DUPLICATE, /* seen before */
    DEFRAG_DROPPED    /* malformed, overlapping, cut by the snap length, or out of memory */
};

/* Counters; every fragment is in exactly one of held, completing, duplicate and one of the dropped_ ones. */
struct defrag_stats {
    uint64_t held;
    uint64_t completing; /* the fragment that made a datagram whole: the number of whole datagrams */
    uint64_t duplicate;
    uint64_t dropped_malformed; /* no content, not a multiple of 8 octets, beyond 65535, ends contradict each other */
    uint64_t dropped_overlap;   /* overlaps with different content, or belongs to such a datagram */
    uint64_t dropped_cut;       /* cut by the snap length */
    uint64_t dropped_memory;    /* out of memory, or more than 1024 fragments of one datagram */
    uint64_t gave_up_age;       /* datagrams that never became whole */
    uint64_t gave_up_limit;     /* datagrams given up because a limit was reached */
};

/* NULL if out of memory. Options may be NULL. */
struct defrag *defrag_new(const struct defrag_options *options);
void defrag_free(struct defrag *d); /* NULL is fine */

/*
 * Takes a fragment (frag->fragment is true) that was captured at `now` (seconds). On DEFRAG_DONE *ret is the whole
 * datagram, its payload borrowed until the next call; IPv6: call ip_resume() on it.
 */
enum defrag_result defrag_add(struct defrag *d, const struct ip_packet *frag, uint32_t now, struct ip_packet *ret);

/* The capture is over: what is under way never becomes whole, and is counted with what is too old. */
void defrag_finish(struct defrag *d);

const struct defrag_stats *defrag_stats(const struct defrag *d);
size_t defrag_octets(const struct defrag *d);    /* held now, bookkeeping included */
size_t defrag_datagrams(const struct defrag *d); /* under way now */

#endif
