/*
 * What is left out: methods that nobody wants to see, and filters of the language of docs/filter.md.
 *
 * A message is sent if every `keep` filter matches it and no `drop` filter does. Methods are those of CSeq, so that
 * responses go with their requests. Each rule counts what it took away.
 */
#ifndef AGENT_SIEVE_H
#define AGENT_SIEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "hep/hep.h"

#define SIEVE_MAX         64 /* filters */
#define SIEVE_METHODS_MAX 32

struct sieve_options {
    const char *const *methods; /* in any case; several in one text with commas */
    size_t method_count;
    const char *const *keep;
    size_t keep_count;
    const char *const *drop;
    size_t drop_count;
};

struct sieve;

/* The texts are copied. 0, or -1 with a text that quotes the filter and says where it is wrong. */
int sieve_new(struct sieve **ret, const struct sieve_options *options, struct errmsg *err);
void sieve_free(struct sieve *r); /* NULL is fine */

/*
 * Which rule takes this message away: NULL if none, else its name as it was given ("method OPTIONS", "keep from:alice",
 * "drop type:rtcp"), valid until sieve_free(). Counts it. Not for two threads at once.
 */
const char *sieve_match(struct sieve *r, const struct hep_msg *msg);

/* Each rule and what it took away: index from 0; false behind the last one. */
bool sieve_count(const struct sieve *r, size_t index, const char **ret_name, uint64_t *ret_messages);

#endif
