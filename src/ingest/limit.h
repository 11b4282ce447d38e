/*
 * Caps of a sender: a rate, and a share of what is stored. An address has one account for all workers and transports,
 * so that spreading over connections does not get around a cap; it lives as long as any worker knows the sender.
 * All calls from any thread; only account_get() and account_put() take a lock.
 */
#ifndef INGEST_LIMIT_H
#define INGEST_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "hep/hep.h"

struct accounts;
struct account;

struct accounts *accounts_new(void); /* NULL: no memory */
void accounts_free(struct accounts *a);

/* The account of an address, NULL if there is no memory: then there is no cap. */
struct account *account_get(struct accounts *a, const struct hep_addr *addr);
void account_put(struct accounts *a, struct account *account); /* NULL is fine */

/* False if a frame at this time is over `rate` frames a second, of which `burst` may come at once. Takes it if not. */
bool account_rate(struct account *account, uint32_t rate, uint32_t burst, int64_t now_us);

/* `octets` were stored. */
void account_stored(struct accounts *a, struct account *account, size_t octets, int64_t now_us);

/* True if this sender has stored more than `percent` of the octets of the last half to whole minute, and it is not
 * alone. */
bool account_over_share(struct accounts *a, struct account *account, unsigned percent, int64_t now_us);

#endif
