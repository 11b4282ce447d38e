/*
 * What went wrong in a call, as far as its record alone tells: ids of the diagnosis (docs/diagnosis.md), which looks at
 * the messages and knows more. They are flags of the call, to search by.
 */
#ifndef TRACK_FINDINGS_H
#define TRACK_FINDINGS_H

#include "track/track.h"

#define TRACK_FINDINGS_MAX 8

/* Static texts, at most TRACK_FINDINGS_MAX; how many. Of a live call what cannot change any more. */
size_t track_findings(const struct call_record *c, const char *ret[TRACK_FINDINGS_MAX]);

#endif
