/*
 * All collectors: each frame to every one (copy), to the first that answers (failover), or to one by its Call-ID (hash)
 * so that all messages of a call are in one place; who cannot be reached is stood in for by the next one.
 */
#ifndef AGENT_OUTPUTS_H
#define AGENT_OUTPUTS_H

#include "agent/lane.h"

/* In the order of the configuration's words. */
enum outputs_mode { OUTPUTS_COPY, OUTPUTS_FAILOVER, OUTPUTS_HASH };

struct outputs_options {
    const char *const *urls;
    size_t url_count; /* 1..LANE_COLLECTORS_MAX */
    enum outputs_mode mode;
    /* For each lane; `urls` and `spool_dir` are set by outputs_open(): a lane spools to a directory in spool_dir. */
    struct lane_options lane;
    const char *spool_dir; /* NULL: none */
};

struct outputs;

/* 0, or -1 with a text. */
int outputs_open(struct outputs **ret, const struct outputs_options *options, struct errmsg *err);

/* lane_close() of every lane, all at the same time as far as they wait. NULL is fine. */
void outputs_close(struct outputs *o, unsigned ms, struct lane_stats *ret, size_t *ret_count);

size_t outputs_count(const struct outputs *o); /* lanes; NULL has none */

/* URLs of a lane as they were given, with commas between them; static until outputs_close(). */
const char *outputs_name(const struct outputs *o, size_t lane);
void outputs_figures(struct outputs *o, size_t lane, struct lane_stats *ret); /* any thread */

/* What one producer fills. */
struct feed {
    struct outputs *outputs; /* NULL: nowhere */
    struct batch *open[LANE_COLLECTORS_MAX];
};

void feed_frame(struct feed *f, struct hep_slice frame, struct hep_slice call_id);

/* Hands on what waits: before waiting for more, and at least a few times a second. */
void feed_flush(struct feed *f);

#endif
