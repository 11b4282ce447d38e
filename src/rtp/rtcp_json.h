/*
 * The JSON body of HEP payload type 5 (RTCP): one object for one compound packet, in the shape that heplify sends and
 * Homer, heplify-server and hepcat read.
 *
 * sender_information, ssrc, type, report_count, report_blocks, report_blocks_xr and sdes_ssrc are always there, zero
 * or empty if the compound has nothing for them, as readers expect. `ssrc`, `type` and the sender information are
 * those of the first SR, else RR, else XR, else the first packet; report_blocks are the blocks of every SR and RR and
 * report_count is their number. Then, where the compound has them:
 *
 *     sdes_report_count, sdes_information   SDES chunks, and their items as rtpengine and captagent send them
 *     voip_metrics                          first XR VoIP metrics block, complete; R factors and MOS that the sender
 *                                           gives as unavailable are left out
 *     receiver_reference_time, dlrr, statistics_summary     other XR blocks (keys of our own)
 *     bye_ssrc, bye_reason, app             BYE and APP packets (keys of our own)
 *
 * Units are those of the wire, as everywhere in the field: ntp_timestamp_usec is the NTP fraction (1/2^32 s), not
 * microseconds; fraction_lost is in 1/256; ia_jitter in units of the RTP clock; packets_lost is the 24-bit field read
 * as unsigned (16777213 stands for -3). mos_lq and mos_cq are MOS values (4.1). heplify takes the two from each
 * other's place; here they are as RFC 3611 section 4.7 has them.
 */
#ifndef RTP_RTCP_JSON_H
#define RTP_RTCP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Appends the object for the compound packet at p. False if there is not one good packet in it; then nothing was
 * appended. A compound that goes wrong behind its first packets gives what was good. A failed append shows in
 * out->failed.
 */
bool rtcp_json(struct buf *out, const uint8_t *p, size_t n);

#endif
