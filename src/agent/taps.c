#include "agent/taps.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/device.h"
#include "base/buf.h"
#include "base/clock.h"

#define WAIT_MS     100
#define MAILBOX_MAX ((size_t)4 << 20) /* octets that wait for a worker */
#define CHECK_MS    1000              /* between looks for devices that went away */

struct devices {
    struct device *list[TAPS_DEVICES_MAX];
    size_t count;
};

/* SIP messages that other workers saw. */
struct mailbox {
    pthread_mutex_t lock;
    struct buf letters; /* struct letter and its octets, one after the other */
    uint64_t refused;   /* there was no room */
};

struct letter {
    uint32_t sec, usec, len;
};

struct worker {
    struct taps *taps;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of all that follows */
    struct devices devices;
    bool dead[TAPS_DEVICES_MAX];
    struct pipeline *pipeline;
    struct feed feed;
    struct ring_stats retired; /* of rings that were closed */
    unsigned device;           /* of the packet under way */
    uint64_t checked_ms;
    uint32_t ticked; /* Unix time */
    int stop;        /* atomic */
    struct mailbox mailbox;
    struct buf opened; /* letters that are being read */
};

struct taps {
    struct taps_options o;
    char *names[TAPS_DEVICES_MAX];
    char *bpf;
    unsigned generation; /* of fan-out groups */
    size_t count;
    struct worker workers[TAPS_WORKERS_MAX];
};

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------------------------------------ devices */

struct device_options taps_device(const struct taps_devices *d, size_t i)
{
    return (struct device_options){
        .name = d->names[i],
        .size = d->ring,
        .promiscuous = d->promiscuous,
        .filter = &d->filter,
        .bpf = d->bpf,
    };
}

static void devices_close(struct devices *r)
{
    for (size_t i = 0; i < r->count; i++)
        device_close(r->list[i]);
    r->count = 0;
}

static unsigned group_of(const struct taps *l, size_t device)
{
    unsigned id = ((unsigned)getpid() << 6 ^ l->generation << 11) + (unsigned)device;
    return (id & 0xffff) == 0 ? 1 : id & 0xffff;
}

static int open_device(const struct taps *l, const struct taps_devices *d, size_t i, struct device **ret,
                       struct errmsg *err)
{
    struct device_options o = taps_device(d, i);
    o.fanout_group = l->o.workers > 1 ? group_of(l, i) : 0;
    return device_open(ret, &o, err);
}

static int devices_open(const struct taps *l, const struct taps_devices *d, struct devices *ret, struct errmsg *err)
{
    ret->count = 0;
    if (d->count == 0 || d->count > TAPS_DEVICES_MAX)
        return errmsg_set(err, "1 to %d devices", TAPS_DEVICES_MAX);
    for (size_t i = 0; i < d->count; i++) {
        if (open_device(l, d, i, &ret->list[i], err) != 0) {
            devices_close(ret);
            return -1;
        }
        ret->count++;
    }
    return 0;
}

static void add_figures(struct ring_stats *to, struct device *r)
{
    struct ring_stats s;
    device_figures(r, &s);
    to->packets += s.packets;
    to->drops += s.drops;
    to->freezes += s.freezes;
    to->device_drops += s.device_drops;
}

/* ------------------------------------------------------------------------------------------------ devices, copied */

static void forget_names(struct taps *l)
{
    for (size_t i = 0; i < TAPS_DEVICES_MAX; i++) {
        free(l->names[i]);
        l->names[i] = NULL;
    }
    free(l->bpf);
    l->bpf = NULL;
}

/* Takes over what the options say; the names must outlive the caller's. */
static int keep_devices(struct taps *l, const struct taps_devices *d, struct errmsg *err)
{
    char *bpf = d->bpf == NULL ? NULL : strdup(d->bpf);
    char *names[TAPS_DEVICES_MAX] = { NULL };
    bool ok = d->bpf == NULL || bpf != NULL;
    for (size_t i = 0; i < d->count; i++) {
        names[i] = strdup(d->names[i]);
        ok = ok && names[i] != NULL;
    }
    if (!ok) {
        for (size_t i = 0; i < d->count; i++)
            free(names[i]);
        free(bpf);
        return errmsg_set(err, "out of memory");
    }
    forget_names(l);
    memcpy(l->names, names, sizeof(names));
    l->bpf = bpf;
    l->o.devices = *d;
    l->o.devices.names = (const char *const *)l->names;
    l->o.devices.bpf = bpf;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ a worker */

static void on_frame(void *arg, const struct pipeline_frame *frame)
{
    struct worker *w = arg;
    feed_frame(&w->feed, frame->octets, frame->call_id);
}

/* The kernel spreads packets by flow: signalling and media of a call are mostly not with the same worker. */
static void on_sip(void *arg, uint32_t sec, uint32_t usec, struct hep_slice message)
{
    const struct worker *from = arg;
    struct taps *t = from->taps;
    const struct letter letter = { sec, usec, (uint32_t)message.len };
    for (size_t i = 0; i < t->count; i++) {
        struct mailbox *m = &t->workers[i].mailbox;
        if (&t->workers[i] == from)
            continue;
        pthread_mutex_lock(&m->lock);
        if (m->letters.len + sizeof(letter) + message.len <= MAILBOX_MAX) {
            buf_put(&m->letters, &letter, sizeof(letter));
            buf_put(&m->letters, message.ptr, message.len);
        } else {
            m->refused++;
        }
        pthread_mutex_unlock(&m->lock);
    }
}

static void read_mail(struct worker *w)
{
    struct letter letter;
    pthread_mutex_lock(&w->mailbox.lock);
    struct buf letters = w->mailbox.letters;
    w->mailbox.letters = w->opened;
    buf_reset(&w->mailbox.letters);
    pthread_mutex_unlock(&w->mailbox.lock);
    w->opened = letters;
    for (size_t at = 0; !letters.failed && letters.len - at >= sizeof(letter); at += letter.len) {
        memcpy(&letter, letters.ptr + at, sizeof(letter));
        at += sizeof(letter);
        pipeline_hear(w->pipeline, letter.sec, letter.usec, (struct hep_slice){ letters.ptr + at, letter.len });
    }
}

static void on_packet(void *arg, const struct packet *packet)
{
    struct worker *w = arg;
    pipeline_packet(w->pipeline, packet, w->device);
}

static void tell(const struct worker *w, enum taps_event event, const char *device, const char *text)
{
    if (w->taps->o.on_event != NULL)
        w->taps->o.on_event(w->taps->o.arg, event, device, text);
}

/* Devices that went and came: a socket stays with the device that it was bound to, so a new one is opened. */
static void check_devices(struct worker *w)
{
    if (now_ms() - w->checked_ms < CHECK_MS)
        return;
    w->checked_ms = now_ms();
    for (size_t i = 0; i < w->devices.count; i++) {
        struct device *fresh;
        struct errmsg err = { "" };
        if (!device_is_dead(w->devices.list[i]))
            continue;
        if (!w->dead[i])
            tell(w, TAPS_GONE, device_name(w->devices.list[i]), "");
        w->dead[i] = true;
        if (open_device(w->taps, &w->taps->o.devices, i, &fresh, &err) != 0)
            continue;
        add_figures(&w->retired, w->devices.list[i]);
        device_close(w->devices.list[i]);
        w->devices.list[i] = fresh;
        w->dead[i] = false;
        tell(w, TAPS_BACK, device_name(fresh), "");
    }
}

static void tick(struct worker *w)
{
    read_mail(w);
    struct wall_time now = clock_wall();
    if (now.sec == w->ticked)
        return;
    w->ticked = now.sec;
    pipeline_tick(w->pipeline, now.sec);
    feed_flush(&w->feed);
}

static void take_all(struct worker *w)
{
    read_mail(w);
    for (size_t i = 0; i < w->devices.count; i++) {
        w->device = (unsigned)i;
        (void)device_take(w->devices.list[i], on_packet, w);
    }
    feed_flush(&w->feed);
}

static void *run(void *arg)
{
    struct worker *w = arg;
    while (__atomic_load_n(&w->stop, __ATOMIC_RELAXED) == 0) {
        struct pollfd fds[TAPS_DEVICES_MAX];
        pthread_mutex_lock(&w->lock);
        size_t count = w->devices.count;
        for (size_t i = 0; i < count; i++)
            fds[i] = (struct pollfd){ .fd = w->dead[i] ? -1 : device_fd(w->devices.list[i]), .events = POLLIN };
        pthread_mutex_unlock(&w->lock);
        int ready = poll(fds, count, WAIT_MS);
        pthread_mutex_lock(&w->lock);
        if (ready > 0)
            take_all(w);
        tick(w);
        check_devices(w);
        pthread_mutex_unlock(&w->lock);
        for (size_t i = 0; ready > 0 && i < count; i++)
            if ((fds[i].revents & POLLERR) != 0) /* the device is down: do not spin */
                (void)poll(NULL, 0, WAIT_MS / 10);
    }
    return NULL;
}

static int worker_open(struct taps *l, struct worker *w, struct errmsg *err)
{
    const struct pipeline_options p = {
        .settings = l->o.pipeline, .frame = on_frame, .sip = l->o.workers > 1 ? on_sip : NULL, .arg = w
    };
    w->taps = l;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_mutex_init(&w->mailbox.lock, NULL);
    buf_init(&w->mailbox.letters, MAILBOX_MAX);
    buf_init(&w->opened, MAILBOX_MAX);
    l->count++;
    if (pipeline_new(&w->pipeline, &p, err) != 0)
        return -1;
    return devices_open(l, &l->o.devices, &w->devices, err);
}

/* ------------------------------------------------------------------------------------------------ life */

int taps_open(struct taps **ret, const struct taps_options *options, struct errmsg *err)
{
    struct taps *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return errmsg_set(err, "out of memory");
    l->o = *options;
    if (l->o.workers < 1 || l->o.workers > TAPS_WORKERS_MAX)
        l->o.workers = 1;
    if (options->devices.count > TAPS_DEVICES_MAX) {
        (void)errmsg_set(err, "more than %d devices", TAPS_DEVICES_MAX);
        goto fail;
    }
    if (keep_devices(l, &options->devices, err) != 0)
        goto fail;
    for (unsigned i = 0; i < l->o.workers; i++)
        if (worker_open(l, &l->workers[i], err) != 0)
            goto fail;
    *ret = l;
    return 0;
fail:
    taps_free(l);
    return -1;
}

int taps_start(struct taps *l, struct outputs *outputs, struct errmsg *err)
{
    for (size_t i = 0; i < l->count; i++) {
        struct worker *w = &l->workers[i];
        w->feed.outputs = outputs;
        int rc = pthread_create(&w->thread, NULL, run, w);
        if (rc != 0)
            return errmsg_set(err, "%s", strerror(rc));
        w->started = true;
    }
    return 0;
}

void taps_stop(struct taps *l)
{
    for (size_t i = 0; i < l->count; i++)
        __atomic_store_n(&l->workers[i].stop, 1, __ATOMIC_RELAXED);
    for (size_t i = 0; i < l->count; i++) {
        struct worker *w = &l->workers[i];
        if (!w->started)
            continue;
        (void)pthread_join(w->thread, NULL);
        w->started = false;
        take_all(w);
        pipeline_finish(w->pipeline);
        feed_flush(&w->feed);
    }
}

void taps_free(struct taps *l)
{
    if (l == NULL)
        return;
    taps_stop(l);
    for (size_t i = 0; i < l->count; i++) {
        struct worker *w = &l->workers[i];
        devices_close(&w->devices);
        pipeline_free(w->pipeline);
        buf_free(&w->mailbox.letters);
        buf_free(&w->opened);
        pthread_mutex_destroy(&w->mailbox.lock);
        pthread_mutex_destroy(&w->lock);
    }
    forget_names(l);
    free(l);
}

/* ------------------------------------------------------------------------------------------------ changes */

int taps_set_pipeline(struct taps *l, const struct pipeline_settings *settings, struct errmsg *err)
{
    const struct pipeline_options trial = { .settings = *settings };
    struct pipeline *p;
    if (pipeline_new(&p, &trial, err) != 0) /* so that not one worker is changed and another not */
        return -1;
    pipeline_free(p);
    int rc = 0;
    for (size_t i = 0; i < l->count && rc == 0; i++) {
        pthread_mutex_lock(&l->workers[i].lock);
        rc = pipeline_set(l->workers[i].pipeline, settings, err);
        pthread_mutex_unlock(&l->workers[i].lock);
    }
    return rc;
}

int taps_set_devices(struct taps *l, const struct taps_devices *devices, struct errmsg *err)
{
    struct devices fresh[TAPS_WORKERS_MAX] = { { { NULL }, 0 } };
    l->generation++;
    for (size_t i = 0; i < l->count; i++)
        if (devices_open(l, devices, &fresh[i], err) != 0) {
            while (i-- > 0)
                devices_close(&fresh[i]);
            return -1;
        }
    for (size_t i = 0; i < l->count; i++)
        pthread_mutex_lock(&l->workers[i].lock);
    int rc = keep_devices(l, devices, err);
    for (size_t i = 0; i < l->count; i++) {
        struct worker *w = &l->workers[i];
        struct devices old = rc == 0 ? w->devices : fresh[i];
        if (rc == 0) {
            take_all(w);
            for (size_t k = 0; k < old.count; k++)
                add_figures(&w->retired, old.list[k]);
            w->devices = fresh[i];
            memset(w->dead, 0, sizeof(w->dead));
        }
        devices_close(&old);
        pthread_mutex_unlock(&w->lock);
    }
    return rc;
}

void taps_hold(struct taps *l)
{
    for (size_t i = 0; i < l->count; i++) {
        pthread_mutex_lock(&l->workers[i].lock);
        feed_flush(&l->workers[i].feed);
    }
}

void taps_go_on(struct taps *l, struct outputs *outputs)
{
    for (size_t i = 0; i < l->count; i++) {
        l->workers[i].feed.outputs = outputs;
        pthread_mutex_unlock(&l->workers[i].lock);
    }
}

/* ------------------------------------------------------------------------------------------------ figures */

void taps_account(struct taps *l, struct account *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < l->count; i++) {
        struct worker *w = &l->workers[i];
        struct account one;
        pthread_mutex_lock(&w->lock);
        pipeline_account(w->pipeline, &one);
        struct ring_stats kernel = w->retired;
        for (size_t k = 0; k < w->devices.count; k++)
            add_figures(&kernel, w->devices.list[k]);
        pthread_mutex_unlock(&w->lock);
        account_add(ret, &one);
        pthread_mutex_lock(&w->mailbox.lock);
        ret->unshared += w->mailbox.refused;
        pthread_mutex_unlock(&w->mailbox.lock);
        ret->kernel_drops += kernel.drops;
        ret->ring_freezes += kernel.freezes;
        if (i == 0) /* each worker has the same devices */
            ret->interface_drops = kernel.device_drops;
    }
}

bool taps_rule(struct taps *l, size_t index, char *ret_name, size_t cap, uint64_t *ret_messages)
{
    bool found = false;
    *ret_messages = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *name;
        uint64_t messages;
        pthread_mutex_lock(&l->workers[i].lock);
        if (pipeline_rule(l->workers[i].pipeline, index, &name, &messages)) {
            (void)snprintf(ret_name, cap, "%s", name);
            *ret_messages += messages;
            found = true;
        }
        pthread_mutex_unlock(&l->workers[i].lock);
    }
    return found;
}
