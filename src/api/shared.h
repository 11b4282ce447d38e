/*
 * What the people who use a server share: names of addresses, and searches. One JSON file, SHARED.json, in the data
 * directory: it is read once, and written as a whole, under another name first, for each change. A change names what it
 * sets and what it removes, so that two people at work do not undo each other's. Any thread may call.
 */
#ifndef API_SHARED_H
#define API_SHARED_H

#include "base/buf.h"
#include "base/errmsg.h"
#include "base/vfs.h"

#define SHARED_MAX          ((size_t)2 << 20) /* octets of the document */
#define SHARED_CHANGE_MAX   ((size_t)1 << 20) /* octets of a change */
#define SHARED_ALIASES_MAX  10000
#define SHARED_SEARCHES_MAX 1000
#define SHARED_ADDRESS_MAX  64 /* octets of an address as given */
#define SHARED_NAME_MAX     128
#define SHARED_PAGE_MAX     32
#define SHARED_FILTER_MAX   8192

struct shared;

/*
 * Reads the file in `dir`. 0, with a text in err if the file was damaged: then it was set aside as SHARED.json.bad, and
 * nothing is shared; or a negative errno with a text. The vfs must outlive it.
 */
int shared_open(struct shared **ret, const struct vfs *vfs, const char *dir, struct errmsg *err);

/* NULL is fine. */
void shared_close(struct shared *s);

/* Appends {"aliases":[{"address","name"}...],"searches":[{"page","name","q"}...]}, in the order of their first setting.
 */
void shared_show(struct shared *s, struct buf *out);

/*
 * Takes {"aliases":{"set":[{"address","name"}...],"remove":["address"...]},"searches":{"set":[{"page","name","q"}...],
 * "remove":[{"page","name"}...]}}, of which each part may be missing; what is removed goes first. All of it, or
 * nothing: -EINVAL (no such object, no such address, a text too long or empty), -E2BIG (more than the limits above),
 * another negative errno of the disk, each with a text. An address is an IP address, one with a port, or a network.
 */
int shared_change(struct shared *s, const void *json, size_t len, struct errmsg *err);

#endif
