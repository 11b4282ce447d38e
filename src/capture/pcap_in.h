/*
 * Reads pcap and pcapng from an input, which may be a pipe or packed with gzip, through libpcap. All byte orders and
 * time resolutions that libpcap knows come out as microseconds. A pcapng file whose interfaces have different link
 * types ends in an error at the second interface: libpcap does not read those.
 */
#ifndef CAPTURE_PCAP_IN_H
#define CAPTURE_PCAP_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/input.h"
#include "capture/packet.h"

/* Octets that pcap_in_probe() wants to see. */
#define PCAP_IN_PROBE_SIZE 12

/*
 * True if the octets begin a pcap file (both byte orders; microseconds, nanoseconds, and the form with longer records
 * of old Linux patches) or a pcapng file (draft-ietf-opsawg-pcapng, section header block).
 */
bool pcap_in_probe(const uint8_t *p, size_t n);

struct pcap_in;

/* Starts reading; `in` is borrowed until pcap_in_close(). 0, or -1 with a text in err. */
int pcap_in_open(struct pcap_in **ret, struct input *in, struct errmsg *err);

/* The same for a capture in memory, which is borrowed. */
int pcap_in_open_memory(struct pcap_in **ret, struct hep_slice octets, struct errmsg *err);

/*
 * Next packet: 1 and *ret, 0 at the end, -1 on an error such as a file that ends inside a packet; everything before
 * it has been delivered. *ret is borrowed until the next call.
 */
int pcap_in_next(struct pcap_in *p, struct packet *ret);

/* Text of the last error, without the name of the file. Valid until the next call. */
const char *pcap_in_error(const struct pcap_in *p);

void pcap_in_close(struct pcap_in *p); /* NULL is fine; the input stays open */

#endif
