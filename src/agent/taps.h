/*
 * The live capture: devices, the threads that empty their rings, a pipeline each, and what they feed.
 *
 * With several workers the kernel spreads the packets of every device over them by flow. Each tells the others of the
 * SIP messages that it sees, so that media are known to belong to their calls wherever they arrive.
 */
#ifndef AGENT_TAPS_H
#define AGENT_TAPS_H

#include "agent/device.h"
#include "agent/outputs.h"
#include "agent/pipeline.h"

#define TAPS_DEVICES_MAX 64
#define TAPS_WORKERS_MAX 32

enum taps_event {
    TAPS_GONE, /* a device went away; it is looked for every second */
    TAPS_BACK
};

struct taps_devices {
    const char *const *names; /* of device.h; "any" stands for all network devices */
    size_t count;             /* 1..TAPS_DEVICES_MAX */
    size_t ring;              /* octets of each ring */
    bool promiscuous;
    struct kernel_filter_options filter;
    const char *bpf; /* NULL: the generated filter */
};

struct taps_options {
    struct taps_devices devices; /* texts are copied */
    struct pipeline_settings pipeline;
    unsigned workers;
    /* On a worker's thread. May be NULL. */
    void (*on_event)(void *arg, enum taps_event event, const char *device, const char *text);
    void *arg;
};

struct taps;

/* Opens devices; packets wait in the rings from now on. 0, or -1 with a text. */
int taps_open(struct taps **ret, const struct taps_options *options, struct errmsg *err);

/* Starts the threads, which feed `outputs`. 0, or -1 with a text. */
int taps_start(struct taps *l, struct outputs *outputs, struct errmsg *err);

/* While it runs: other settings, devices (the new ones are open before the old ones close), outputs. -1: nothing
 * changed. */
int taps_set_pipeline(struct taps *l, const struct pipeline_settings *settings, struct errmsg *err);
int taps_set_devices(struct taps *l, const struct taps_devices *devices, struct errmsg *err);

/*
 * Stops taking packets, which wait in the rings; what was captured until then has been handed to the outputs, which are
 * the caller's again. taps_go_on() must follow soon. NULL: frames go nowhere.
 */
void taps_hold(struct taps *l);
void taps_go_on(struct taps *l, struct outputs *outputs);

/* The account of all workers, the kernel's counters in it. Any thread. */
void taps_account(struct taps *l, struct account *ret);

/* As pipeline_rule(), summed up; *ret_name is copied. */
bool taps_rule(struct taps *l, size_t index, char *ret_name, size_t cap, uint64_t *ret_messages);

/* Ends the threads; what was captured goes to the outputs. */
void taps_stop(struct taps *l);
void taps_free(struct taps *l); /* NULL is fine */

/* How device number `i` is opened, but for its fan-out. */
struct device_options taps_device(const struct taps_devices *devices, size_t i);

#endif
