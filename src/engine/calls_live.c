/* A walk over the calls that run, in short pieces between which the thread goes on. */
#include "engine/calls_internal.h"
#include "engine/internal.h"

#define PIECE_US   2000u
#define LOOK_EVERY 32u /* calls between two looks at the clock */

struct looking {
    struct calls *c;
    struct calls_walk *walk;
};

static void show(void *arg, const struct call_record *call)
{
    const struct looking *l = arg;
    struct call_row_texts texts;
    struct quality_of_call quality;
    struct record row;
    struct calls_walk *w = l->walk;
    if ((w->tables & RECORD_TABLES_CALLS) != 0) {
        (void)quality_of(l->c->quality[w->source], call, &quality);
        call_row_make(call, &quality, w->source, l->c->now_us, &texts, &row);
        w->rc = w->row(w->arg, &row);
    }
    for (size_t i = 0; i < call->key_count && w->rc == 0 && (w->tables & 1u << RECORD_CALL_KEY) != 0; i++)
        if (call_row_key(call, i, w->source, l->c->now_us, &row))
            w->rc = w->row(w->arg, &row);
}

/* False when the source has no more. Under the lock. */
static bool look_at_piece(struct calls *c)
{
    struct calls_walk *w = &c->walk;
    const struct tracker *t = c->of[w->source];
    struct looking l = { c, w };
    uint64_t until = engine_now_us() + PIECE_US;
    for (unsigned n = 1; w->place < tracker_places(t) && w->rc == 0; n++) {
        (void)tracker_show_place(t, w->place++, show, &l);
        if (n % LOOK_EVERY == 0 && engine_now_us() > until)
            return true;
    }
    return false;
}

int calls_look(void *calls, unsigned tables, int (*row)(void *arg, const struct record *record), int (*done)(void *arg),
               void *arg)
{
    struct calls *c = calls;
    pthread_mutex_lock(&c->walk_lock);
    pthread_mutex_lock(&c->lock);
    c->walk = (struct calls_walk){ .active = true, .tables = tables, .row = row, .arg = arg };
    for (; c->walk.source < CALLS_SOURCES; c->walk.source++, c->walk.place = 0)
        while (look_at_piece(c)) {
            pthread_mutex_unlock(&c->lock);
            pthread_mutex_lock(&c->lock);
        }
    int rc = c->walk.rc != 0 ? c->walk.rc : done(arg);
    c->walk.active = false;
    calls_append_ended(c);
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_unlock(&c->walk_lock);
    return rc;
}
