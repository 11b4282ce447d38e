#include <errno.h>
#include <time.h>

#include "api/internal.h"

int api_gate_init(struct api_gate *g, unsigned max, unsigned waiting_max, unsigned waiting_ms)
{
    pthread_condattr_t attr;
    *g = (struct api_gate){ .max = max, .waiting_max = waiting_max, .waiting_ms = waiting_ms };
    if (pthread_mutex_init(&g->lock, NULL) != 0)
        return -ENOMEM;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&g->turn, &attr);
    (void)pthread_condattr_destroy(&attr);
    return 0;
}

void api_gate_free(struct api_gate *g)
{
    (void)pthread_cond_destroy(&g->turn);
    (void)pthread_mutex_destroy(&g->lock);
}

static struct timespec end_of_wait(unsigned ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

static bool is_cancelled(const struct api_gate *g, const atomic_bool *gone)
{
    return g->closed || (gone != NULL && atomic_load(gone));
}

/* Called with the lock, counted as waiting. */
static int wait_turn(struct api_gate *g, const atomic_bool *gone, bool patient)
{
    struct timespec end = end_of_wait(g->waiting_ms);
    int rc = 0;
    while (!is_cancelled(g, gone) && g->running >= g->max && rc != ETIMEDOUT)
        rc = patient ? pthread_cond_wait(&g->turn, &g->lock) : pthread_cond_timedwait(&g->turn, &g->lock, &end);
    if (is_cancelled(g, gone))
        return -ECANCELED;
    return g->running >= g->max ? -ETIMEDOUT : 0;
}

int api_gate_enter(struct api_gate *g, const atomic_bool *gone, bool patient)
{
    int rc = 0;
    (void)pthread_mutex_lock(&g->lock);
    if (g->running >= g->max && g->waiting >= g->waiting_max && !patient) {
        rc = -EBUSY;
    } else {
        g->waiting++;
        rc = wait_turn(g, gone, patient);
        g->waiting--;
    }
    if (rc == 0)
        g->running++;
    else if (g->running < g->max) /* the turn that it was woken for is another's */
        (void)pthread_cond_signal(&g->turn);
    (void)pthread_mutex_unlock(&g->lock);
    return rc;
}

void api_gate_leave(struct api_gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    g->running--;
    (void)pthread_cond_signal(&g->turn);
    (void)pthread_mutex_unlock(&g->lock);
}

void api_gate_wake(struct api_gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    (void)pthread_cond_broadcast(&g->turn);
    (void)pthread_mutex_unlock(&g->lock);
}

void api_gate_close(struct api_gate *g)
{
    (void)pthread_mutex_lock(&g->lock);
    g->closed = true;
    (void)pthread_cond_broadcast(&g->turn);
    (void)pthread_mutex_unlock(&g->lock);
}

void api_gate_count(struct api_gate *g, unsigned *ret_running, unsigned *ret_waiting)
{
    (void)pthread_mutex_lock(&g->lock);
    *ret_running = g->running;
    *ret_waiting = g->waiting;
    (void)pthread_mutex_unlock(&g->lock);
}
