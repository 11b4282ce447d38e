/* Giving up what a capture does not need: everything but CAP_NET_RAW and CAP_NET_ADMIN. */
#ifndef AGENT_PRIVILEGE_H
#define AGENT_PRIVILEGE_H

#include "base/errmsg.h"

/*
 * Becomes `user` (NULL: stays who it is) with its groups, keeps of the capabilities those two as far as they are there,
 * and can never gain any again (PR_SET_NO_NEW_PRIVS, empty bounding set). To be called while there is one thread. 0, or
 * -1 with a text.
 */
int privilege_drop(const char *user, struct errmsg *err);

#endif
