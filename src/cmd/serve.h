/*
 * `hepcat serve`: the parts of a running server and how they hang together. cmd_serve.c is the life of the process,
 * serve_open.c opens and closes the parts, serve_state.c says how they are: health, metrics, senders.
 *
 *   ingest -> engine (write-ahead log + store) <- api
 */
#ifndef CMD_SERVE_H
#define CMD_SERVE_H

#include <pthread.h>

#include "api/api.h"
#include "cmd/conf_opt.h"
#include "conf/conf.h"
#include "engine/engine.h"
#include "ingest/ingest.h"

/* Losses that matter for a while after they happened. */
struct serve_recent {
    uint64_t drops, kernel_drops;      /* as last seen */
    int64_t drops_us, kernel_drops_us; /* monotonic time of the last increase; 0: never */
};

struct server {
    const struct conf_opts *opts;
    pthread_rwlock_t conf_lock; /* the configuration is replaced by a reload */
    struct conf *conf;
    const struct vfs *vfs;
    char wal_dir[VFS_PATH_MAX];
    int lock; /* of the data directory */
    unsigned writers;
    unsigned import_writer; /* of the sink: imports have one of their own */
    struct store *store;
    struct engine *engine;
    struct track_legs *legs;         /* which headers name other legs of a call */
    pthread_mutex_t room_lock;       /* the store's threads may call the engine until it is closed */
    _Atomic(struct ingest *) ingest; /* NULL: not receiving yet; the API runs already */
    struct importer *importer;
    struct shared *shared; /* NULL: it could not be read */
    struct api *api;
    pthread_mutex_t state_lock;
    struct serve_recent recent;
    unsigned ticks; /* of serve_tick() */
    char api_url[128];
};

/* Opens everything, in the order of the data's way backwards. -1 with a text: then everything is closed again. */
int serve_open(struct server *s, struct errmsg *err);

/* Stops receiving, makes durable what was received, closes. -1 with a text if something could not be sealed. */
int serve_close(struct server *s, struct errmsg *err);

/* A new configuration: what can be changed at run time is; takes `conf` over. -1 with a text: the old one stays. */
int serve_reload(struct server *s, struct conf *conf, struct errmsg *err);

/* Once a second: notes losses, and tells the log about them; gives memory back to the system. */
void serve_tick(struct server *s);

/* Once, before there are threads: how memory is kept between searches. */
void serve_heap(void);

/* What api_sources needs; arg is the server. */
void serve_health(void *arg, struct api_health *ret);
bool serve_ready(void *arg);
void serve_metrics(void *arg, struct buf *out);
void serve_registrations(void *arg, bool (*fn)(void *fn_arg, const struct reg_aor *aor), void *fn_arg);
int serve_senders(void *arg, void (*call)(void *call_arg, const struct ingest_sender *sender), void *call_arg);

#endif
