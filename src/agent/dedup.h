/*
 * Copies of one packet that several taps saw: the first one counts, the others go.
 *
 * A tap is a place of capture: device, VLAN and the pair of MAC addresses (a packet before and behind a router has
 * other ones). What is the same message (content, addresses, ports) is a copy if
 * - the same tap saw it a moment ago (DEDUP_MOMENT_US): a mirror port that has the packet coming in and going out; no
 *   sender repeats so fast, SIP's T1 is 500 ms (RFC 3261 section 17.1.1.2); or
 * - another tap saw it within the window, and this tap has not seen it more often than any other.
 * So the n-th transmission at one tap pairs with the n-th at another, and a real retransmission, which every tap sees
 * once more, is kept once.
 */
#ifndef AGENT_DEDUP_H
#define AGENT_DEDUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEDUP_MOMENT_US 50000
#define DEDUP_TAPS_MAX  6 /* taps that are told apart for one message; more of them are one */

struct dedup;

/* messages: most that are remembered. NULL if out of memory. */
struct dedup *dedup_new(uint64_t window_us, size_t messages);
void dedup_free(struct dedup *d); /* NULL is fine */

/*
 * True if the message is a copy. `message` is the hash of what makes it the same, `tap` that of the place; at_us the
 * capture time.
 */
bool dedup_is_copy(struct dedup *d, uint64_t message, uint64_t tap, int64_t at_us);

#endif
