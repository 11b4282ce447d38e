#include "agent/outputs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PATH_MAX_OCTETS 1024
#define NAME_OCTETS     512

struct outputs {
    enum outputs_mode mode;
    size_t count;
    struct lane *lanes[LANE_COLLECTORS_MAX];
    char names[LANE_COLLECTORS_MAX][NAME_OCTETS];
};

/* A name for a directory: what is no letter or digit becomes "_". */
static int spool_path(char out[PATH_MAX_OCTETS], const char *dir, const char *url, struct errmsg *err)
{
    int n = snprintf(out, PATH_MAX_OCTETS, "%s/%s", dir, url);
    if (n < 0 || n >= PATH_MAX_OCTETS)
        return errmsg_set(err, "%s: the path is too long", dir);
    for (char *p = out + strlen(dir) + 1; *p != '\0'; p++)
        if (strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-", *p) == NULL)
            *p = '_';
    return 0;
}

static void set_name(char out[NAME_OCTETS], const char *const *urls, size_t count)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && len < NAME_OCTETS; i++) {
        int n = snprintf(out + len, NAME_OCTETS - len, "%s%s", i == 0 ? "" : ",", urls[i]);
        len += n > 0 ? (size_t)n : 0;
    }
}

/* A lane whose first collector is number `first`. */
static int open_lane(struct outputs *o, const struct outputs_options *options, size_t first, struct errmsg *err)
{
    const char *urls[LANE_COLLECTORS_MAX] = { NULL };
    char path[PATH_MAX_OCTETS];
    struct lane_options lane = options->lane;
    lane.url_count = options->mode == OUTPUTS_COPY ? 1 : options->url_count;
    for (size_t i = 0; i < lane.url_count; i++)
        urls[i] = options->urls[(first + i) % options->url_count];
    lane.urls = urls;
    if (options->spool_dir != NULL) {
        if (spool_path(path, options->spool_dir, urls[0], err) != 0)
            return -1;
        lane.spool_dir = path;
    }
    set_name(o->names[o->count], urls, lane.url_count);
    if (lane_open(&o->lanes[o->count], &lane, err) != 0)
        return -1;
    o->count++;
    return 0;
}

int outputs_open(struct outputs **ret, const struct outputs_options *options, struct errmsg *err)
{
    struct outputs *o = NULL;
    if (options->url_count < 1 || options->url_count > LANE_COLLECTORS_MAX)
        return errmsg_set(err, "1 to %d collectors", LANE_COLLECTORS_MAX);
    o = calloc(1, sizeof(*o));
    if (o == NULL)
        return errmsg_set(err, "out of memory");
    o->mode = options->mode;
    if (options->spool_dir != NULL && mkdir(options->spool_dir, 0700) != 0 && errno != EEXIST) {
        (void)errmsg_set(err, "%s: %s", options->spool_dir, strerror(errno));
        goto fail;
    }
    size_t lanes = options->mode == OUTPUTS_FAILOVER ? 1 : options->url_count;
    for (size_t i = 0; i < lanes; i++)
        if (open_lane(o, options, i, err) != 0)
            goto fail;
    *ret = o;
    return 0;
fail:
    outputs_close(o, 0, NULL, NULL);
    return -1;
}

void outputs_close(struct outputs *o, unsigned ms, struct lane_stats *ret, size_t *ret_count)
{
    if (o == NULL)
        return;
    for (size_t i = 0; i < o->count; i++)
        lane_close(o->lanes[i], ms, ret == NULL ? NULL : &ret[i]);
    if (ret_count != NULL)
        *ret_count = o->count;
    free(o);
}

size_t outputs_count(const struct outputs *o)
{
    return o == NULL ? 0 : o->count;
}

const char *outputs_name(const struct outputs *o, size_t lane)
{
    return o->names[lane];
}

void outputs_figures(struct outputs *o, size_t lane, struct lane_stats *ret)
{
    lane_figures(o->lanes[lane], ret);
}

/* ------------------------------------------------------------------------------------------------ feeding */

static void to_lane(struct feed *f, size_t i, struct hep_slice frame)
{
    struct lane *l = f->outputs->lanes[i];
    struct batch **b = &f->open[i];
    if (*b != NULL && frame.len > LANE_BATCH - (*b)->len) {
        lane_put(l, *b);
        *b = NULL;
    }
    if (*b == NULL && (*b = lane_batch(l)) == NULL) {
        lane_lost(l, 1);
        return;
    }
    memcpy((*b)->data + (*b)->len, frame.ptr, frame.len);
    (*b)->len += frame.len;
    (*b)->count++;
}

void feed_frame(struct feed *f, struct hep_slice frame, struct hep_slice call_id)
{
    size_t count = f->outputs == NULL ? 0 : f->outputs->count;
    if (count > 1 && f->outputs->mode == OUTPUTS_HASH) {
        to_lane(f, (size_t)(XXH3_64bits(call_id.ptr, call_id.len) % count), frame);
        return;
    }
    for (size_t i = 0; i < count; i++)
        to_lane(f, i, frame);
}

void feed_flush(struct feed *f)
{
    for (size_t i = 0; f->outputs != NULL && i < f->outputs->count; i++) {
        if (f->open[i] != NULL)
            lane_put(f->outputs->lanes[i], f->open[i]);
        f->open[i] = NULL;
    }
}
