/*
 * Calls that have no key in common and yet look like legs of one: a B2BUA that passes nothing on. Each first INVITE is
 * compared with those of the seconds around it that have the end of a number in common; what was found is a key of
 * both calls (KEY_PROBABLE), shown and never followed. Private to this folder.
 */
#ifndef TRACK_PROBABLE_H
#define TRACK_PROBABLE_H

#include "track/own.h"

struct tracker;
struct invites;

struct invites *invites_new(void); /* NULL: no memory */
void invites_free(struct invites *all);
size_t invites_octets(void);

/* The first INVITE of a call. */
void probable_take(struct tracker *t, uint32_t number, const struct track_event *e, const struct track_texts *texts);

#endif
