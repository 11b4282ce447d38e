/* A capture of HEP traffic into the decoder: HEP inside UDP and TCP on given ports. */
#ifndef CMD_DECODE_PCAP_H
#define CMD_DECODE_PCAP_H

#include "base/input.h"
#include "cmd/decoder.h"
#include "cmd/ports.h"

/* Reads to the end. Problems are reported and counted in d. */
void decode_pcap(struct decoder *d, struct input *in, struct origin *from, const struct ports *hep_ports);

#endif
