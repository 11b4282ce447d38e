#include "net/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "net/internal.h"

#define STOP_WAIT_MS 5000

static void on_stop(uv_async_t *async)
{
    uv_stop(async->loop);
}

static void on_wake(uv_async_t *async)
{
    struct net_loop *loop = async->data;
    if (loop->wake_call != NULL)
        loop->wake_call(loop->wake_arg);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct net_loop *loop = prepare->data;
    loop->wait_call(loop->wait_arg);
}

static void on_tick(uv_timer_t *timer)
{
    struct net_loop *loop = timer->data;
    loop->timer_call(loop->timer_arg);
}

int net_loop_new(struct net_loop **ret, struct errmsg *err)
{
    struct net_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL)
        return errmsg_set(err, "out of memory");
    int rc = uv_loop_init(&loop->uv);
    if (rc < 0) {
        free(loop);
        return errmsg_set(err, "event loop: %s", uv_strerror(rc));
    }
    loop->stop_wait = STOP_WAIT_MS;
    /* Of these only uv_async_init() asks the system for something. */
    (void)uv_signal_init(&loop->uv, &loop->sigint);
    (void)uv_signal_init(&loop->uv, &loop->sigterm);
    (void)uv_prepare_init(&loop->uv, &loop->wait);
    (void)uv_timer_init(&loop->uv, &loop->timer);
    loop->wait.data = loop;
    loop->timer.data = loop;
    loop->wake.data = loop;
    rc = uv_async_init(&loop->uv, &loop->stop, on_stop);
    if (rc == 0)
        rc = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (rc < 0) {
        net_loop_free(loop);
        return errmsg_set(err, "event loop: %s", uv_strerror(rc));
    }
    *ret = loop;
    return 0;
}

int net_loop_signals(struct net_loop *loop, struct errmsg *err)
{
    int rc = uv_signal_start(&loop->sigint, on_signal, SIGINT);
    if (rc == 0)
        rc = uv_signal_start(&loop->sigterm, on_signal, SIGTERM);
    return rc == 0 ? 0 : errmsg_set(err, "signals: %s", uv_strerror(rc));
}

void net_stop(struct net_loop *loop)
{
    (void)uv_async_send(&loop->stop);
}

static void refresh_all(struct net_loop *loop)
{
    for (struct net_listener *l = loop->listeners; l != NULL; l = l->next) {
        if (l->ops->refresh != NULL)
            l->ops->refresh(l);
    }
}

static void close_all(struct net_loop *loop)
{
    refresh_all(loop);
    while (loop->listeners != NULL) {
        struct net_listener *l = loop->listeners;
        loop->listeners = l->next;
        l->ops->close(l);
    }
}

static void on_stop_wait_over(uv_timer_t *timer)
{
    struct net_loop *loop = timer->data;
    loop->stop_wait = 0;
}

/* Lets the loop go on until the answers that are owed have been given, or the time is over. */
static void await_answers(struct net_loop *loop)
{
    loop->stopping = true;
    uv_timer_t limit;
    (void)uv_timer_init(&loop->uv, &limit);
    limit.data = loop;
    uv_update_time(&loop->uv);
    (void)uv_timer_start(&limit, on_stop_wait_over, loop->stop_wait, 0);
    while (loop->owed > 0 && loop->stop_wait > 0)
        (void)uv_run(&loop->uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&limit, NULL);
    for (struct net_listener *l = loop->listeners; l != NULL; l = l->next) {
        if (l->ops->flush != NULL)
            l->ops->flush(l);
    }
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT); /* lets go of the timer */
}

void net_loop_run(struct net_loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->paused = false; /* the end is the end of a pause, too */
    for (struct net_listener *l = loop->listeners; l != NULL; l = l->next)
        l->ops->drain(l);
    if (loop->owed > 0)
        await_answers(loop);
    close_all(loop);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT); /* lets the closed handles go */
}

void net_set_stop_wait(struct net_loop *loop, uint64_t ms)
{
    loop->stop_wait = ms;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void net_loop_free(struct net_loop *loop)
{
    if (loop == NULL)
        return;
    close_all(loop);
    uv_walk(&loop->uv, close_handle, NULL); /* the loop's own ones: listeners have closed theirs */
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop->uv);
    while (loop->spare_count > 0)
        free(loop->spare[--loop->spare_count]);
    free(loop);
}

static void set_paused(struct net_loop *loop, bool paused)
{
    if (loop->paused == paused)
        return;
    loop->paused = paused;
    if (paused)
        loop->paused_at = uv_now(&loop->uv);
    for (struct net_listener *l = loop->listeners; l != NULL; l = l->next)
        l->ops->pause(l, paused);
}

void net_pause(struct net_loop *loop)
{
    set_paused(loop, true);
}

void net_resume(struct net_loop *loop)
{
    set_paused(loop, false);
}

void net_wake(struct net_loop *loop)
{
    (void)uv_async_send(&loop->wake);
}

void net_on_wake(struct net_loop *loop, void (*call)(void *arg), void *arg)
{
    loop->wake_call = call;
    loop->wake_arg = arg;
}

void net_on_wait(struct net_loop *loop, void (*call)(void *arg), void *arg)
{
    loop->wait_call = call;
    loop->wait_arg = arg;
    if (call != NULL)
        (void)uv_prepare_start(&loop->wait, on_prepare);
    else
        (void)uv_prepare_stop(&loop->wait);
}

void net_on_timer(struct net_loop *loop, uint64_t ms, void (*call)(void *arg), void *arg)
{
    loop->timer_call = call;
    loop->timer_arg = arg;
    if (call != NULL && ms > 0)
        (void)uv_timer_start(&loop->timer, on_tick, ms, ms);
    else
        (void)uv_timer_stop(&loop->timer);
}

const struct net_counters *net_counters(struct net_loop *loop)
{
    refresh_all(loop);
    return &loop->counters;
}

uint8_t *loop_buffer_take(struct net_loop *loop)
{
    if (loop->spare_count > 0)
        return loop->spare[--loop->spare_count];
    return malloc(NET_STREAM_BUFFER);
}

void loop_buffer_give(struct net_loop *loop, uint8_t *buffer)
{
    if (buffer != NULL && loop->spare_count < NET_SPARE_BUFFERS)
        loop->spare[loop->spare_count++] = buffer;
    else
        free(buffer);
}
