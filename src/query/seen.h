/*
 * What somebody who follows the rows has had, as a set of numbers (struct store_seen) and as a text that he can give
 * back later: "1234-2-5" is all up to 1234 but 1232 and 1229.
 */
#ifndef QUERY_SEEN_H
#define QUERY_SEEN_H

#include "store/store.h"

#define SEEN_TEXT_MAX 192

/* A row was had. Numbers below it that were not are gaps, the newest STORE_GAPS_MAX of them. */
void seen_note(struct store_seen *s, uint64_t seq);

/* Of what is had when all rows up to this one are: the gaps that are left. */
struct store_seen seen_up_to(const struct store_seen *s, uint64_t seq);

/* Terminated. */
void seen_format(const struct store_seen *s, char out[SEEN_TEXT_MAX]);
bool seen_parse(const char *text, size_t len, struct store_seen *ret);

#endif
