/*
 * Calls of which messages came after they were handed out: a capture agent that had to wait, another tap, a BYE of
 * hours later. Such a call is made anew of all its messages, by a tracker of its own, and the row takes the place of
 * the sealed one (store_ops.replace), so that a call stays one row. Figures of media and the legs that were found stay
 * as they were. Called by the thread of store_ops.tend(). Private to the engine.
 */
#ifndef ENGINE_AMEND_H
#define ENGINE_AMEND_H

#include "engine/calls.h"

/*
 * Looks at some of the calls that nothing came of for a while, as of `now_us` of a clock that goes forward. 1: there
 * may be more of them now; 0: none; a negative errno with a text: of the store, and they wait.
 */
int calls_amend(struct calls *c, uint64_t now_us, struct errmsg *err);

#endif
