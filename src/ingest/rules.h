/* Who may send: keys, networks, certificates. Each worker has a copy of its own. */
#ifndef INGEST_RULES_H
#define INGEST_RULES_H

#include "ingest/ingest.h"

/* A deep copy; NULL if there is no memory. Keys are wiped when it is freed. */
struct ingest_rules *rules_copy(const struct ingest_rules *rules);
void rules_free(struct ingest_rules *rules); /* NULL is fine */

bool rules_allow(const struct ingest_rules *rules, const struct hep_addr *addr);

/*
 * 0, INGEST_DROP_KEY_MISSING or INGEST_DROP_KEY_WRONG. The time it takes depends on the lengths and the number of keys
 * only.
 */
enum ingest_counter rules_check_key(const struct ingest_rules *rules, const struct hep_msg *msg);

#endif
