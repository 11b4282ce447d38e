/* Dialogs of a call: a fork may answer several times, and a BYE ends the one that it belongs to. */
#include "track/own.h"

static bool is_of(const struct dialog *d, uint32_t tag)
{
    return tag != 0 && (d->tags[0] == tag || d->tags[1] == tag);
}

/* dialog_count of them */
static const struct dialog *at(const struct track_call *c, unsigned i)
{
    return i == 0 ? &c->dialog : own_dialogs(c) + i - 1;
}

/* Room for the next one, NULL without memory. */
static struct dialog *add(struct track_call *c, struct call_world *w)
{
    if (c->dialog_count == 1 && !own_add_dialogs(c, w))
        return NULL;
    return c->dialog_count++ == 0 ? &c->dialog : own_dialogs(c) + c->dialog_count - 2;
}

struct dialog *dialog_of(struct track_call *c, struct call_world *w, uint32_t from_tag, uint32_t to_tag)
{
    for (uint8_t i = 0; i < c->dialog_count; i++) {
        struct dialog *d = (struct dialog *)(uintptr_t)at(c, i);
        if ((d->tags[0] == from_tag && d->tags[1] == to_tag) || (d->tags[0] == to_tag && d->tags[1] == from_tag))
            return d;
    }
    struct dialog *d = c->dialog_count < DIALOGS_MAX ? add(c, w) : NULL;
    if (d == NULL)
        c->flags |= CALL_DIALOGS_CUT;
    else
        *d = (struct dialog){ .tags = { from_tag, to_tag }, .bye_ms = CALL_NO_TIME };
    return d;
}

void dialog_take_bye(struct track_call *c, struct call_world *w, uint32_t from_tag, uint32_t to_tag, int32_t ms,
                     bool answered)
{
    struct dialog *d = dialog_of(c, w, from_tag, to_tag);
    if (d == NULL)
        return;
    if (answered)
        d->bits |= DIALOG_BYE_ANSWERED;
    uint32_t by = d->tags[(d->bits & DIALOG_BYE_BY_SECOND) != 0];
    if (d->bye_ms != CALL_NO_TIME && (ms > d->bye_ms || (ms == d->bye_ms && from_tag >= by)))
        return;
    d->bye_ms = ms;
    d->bits = (uint8_t)(from_tag == d->tags[0] ? d->bits & ~DIALOG_BYE_BY_SECOND : d->bits | DIALOG_BYE_BY_SECOND);
}

/* Dialogs of the caller with this bit; those of others (a B2BUA that keeps the Call-ID) only if it has none. */
static unsigned with_bit(const struct track_call *c, uint8_t bit)
{
    unsigned own = 0, all = 0;
    for (unsigned i = 0; i < c->dialog_count; i++) {
        const struct dialog *d = at(c, i);
        if ((d->bits & bit) == 0)
            continue;
        all |= 1u << i;
        own |= is_of(d, c->caller_tag) ? 1u << i : 0;
    }
    return own != 0 ? own : all;
}

/* Without an answer, the caller's dialog whose BYE came first. */
static const struct dialog *ended_unanswered(const struct track_call *c)
{
    const struct dialog *first = NULL;
    for (uint8_t i = 0; i < c->dialog_count; i++) {
        const struct dialog *d = at(c, i);
        if (is_of(d, c->caller_tag) && d->bye_ms != CALL_NO_TIME && (first == NULL || d->bye_ms < first->bye_ms))
            first = d;
    }
    return first;
}

/* Of several answers each has to get its BYE: the last one ends the call. */
static const struct dialog *ended_last(const struct track_call *c, unsigned answered)
{
    const struct dialog *last = NULL;
    for (uint8_t i = 0; i < c->dialog_count; i++) {
        const struct dialog *d = at(c, i);
        if ((answered >> i & 1) == 0)
            continue;
        if (d->bye_ms == CALL_NO_TIME)
            return NULL;
        last = last == NULL || d->bye_ms > last->bye_ms ? d : last;
    }
    return last;
}

struct call_bye dialog_bye(const struct track_call *c)
{
    struct call_bye any = { c->at[AT_BYE], c->bye_tag, (c->flags & CALL_BYE_ANSWERED) != 0 };
    unsigned answered = with_bit(c, DIALOG_ANSWERED);
    /* Which dialog is the one of the call is not known without an INVITE, nor if some were left out. */
    if (any.ms == CALL_NO_TIME || (c->flags & CALL_DIALOGS_CUT) != 0 || (answered == 0 && !call_knows(c, AT_INVITE)))
        return any;
    const struct dialog *d = answered != 0 ? ended_last(c, answered) : ended_unanswered(c);
    if (d == NULL)
        return (struct call_bye){ CALL_NO_TIME, 0, false };
    return (struct call_bye){ d->bye_ms, d->tags[(d->bits & DIALOG_BYE_BY_SECOND) != 0],
                              (d->bits & DIALOG_BYE_ANSWERED) != 0 };
}

bool dialog_was_seen(const struct track_call *c)
{
    if ((c->flags & CALL_DIALOG) == 0)
        return false;
    if ((c->flags & CALL_DIALOGS_CUT) != 0 || !call_knows(c, AT_INVITE))
        return true;
    for (uint8_t i = 0; i < c->dialog_count; i++)
        if ((at(c, i)->bits & DIALOG_REQUEST) != 0 && is_of(at(c, i), c->caller_tag))
            return true;
    return false;
}

unsigned dialog_answers(const struct track_call *c)
{
    unsigned count = 0;
    for (uint8_t i = 0; i < c->dialog_count; i++)
        count += (at(c, i)->bits & DIALOG_SAID) != 0;
    return count;
}
