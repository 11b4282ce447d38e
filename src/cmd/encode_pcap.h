/*
 * A capture of plain SIP and RTCP into the encoder: SIP over UDP and TCP as type 1, RTCP as type 5 JSON with the
 * Call-ID of the SDP that named its address as correlation id. With encoder.hep_ports HEP is taken, too, as it is.
 */
#ifndef CMD_ENCODE_PCAP_H
#define CMD_ENCODE_PCAP_H

#include "base/input.h"
#include "cmd/encoder.h"

/* Reads to the end. Problems are reported and counted in e. */
void encode_pcap(struct encoder *e, struct input *in, const char *name);

#endif
