/* Opening and closing the parts of a server. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "cmd/cmd.h"
#include "cmd/log.h"
#include "cmd/node.h"
#include "cmd/serve.h"
#include "store/lake/datadir.h"
#include "store/lake/lake.h"

#define WORKERS_MAX 8
#define HOT_LEAST   ((size_t)24 << 20)
#define BASE_MEMORY ((uint64_t)96 << 20) /* program, buffers, connections, a seal or merge at work */

/* ------------------------------------------------------------------------------------------------ events */

static void on_lake_event(void *arg, const char *what, const char *path, const char *text)
{
    (void)arg;
    log_warning_of(what, "lake", log_text("what", what), log_text("path", path), log_text("text", text));
}

static void on_room(void *arg)
{
    struct server *s = arg;
    pthread_mutex_lock(&s->room_lock);
    engine_room(s->engine);
    pthread_mutex_unlock(&s->room_lock);
}

static void on_engine_event(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        log_error_of(text, "storage", log_text("text", text));
    else
        log_info_of(text, "storage", log_text("text", text));
}

static void on_ingest_event(void *arg, const struct ingest_event *event)
{
    (void)arg;
    char who[IP_TEXT_MAX] = "";
    if (event->peer != NULL)
        (void)ip_format(&event->peer->addr, who);
    const char *transport = event->peer != NULL ? net_transport_name(event->peer->transport) : "";
    if (event->level == INGEST_WARNING)
        log_warning_of(who, "sender", log_text("address", who), log_text("transport", transport),
                       log_text("text", event->text));
    else
        log_debug("sender", log_text("address", who), log_text("transport", transport), log_text("text", event->text));
}

/* ------------------------------------------------------------------------------------------------ options */

static uint64_t node_of(const struct conf *c)
{
    return c->node != 0 ? c->node : node_default();
}

/*
 * Rows in memory may take half of what the limit leaves beside the fixed part and the query worker: sealing and merging
 * need room as well, and what DuckDB takes is up to twice what it is told (docs/performance.md).
 */
static size_t hot_limit(const struct conf *c)
{
    uint64_t fixed = BASE_MEMORY + (c->query_sql ? 4 : 2) * c->query_memory; /* SQL has a worker of its own */
    uint64_t left = c->memory > fixed ? (c->memory - fixed) / 2 : 0;
    return left > HOT_LEAST ? (size_t)left : HOT_LEAST;
}

static struct store_retention retention_of(const struct conf *c)
{
    return (struct store_retention){
        .days = { [RECORD_SIP] = c->retention_sip_days,
                  [RECORD_MEDIA] = c->retention_media_days,
                  [RECORD_LOG] = c->retention_log_days,
                  [RECORD_OTHER] = c->retention_other_days,
                  [RECORD_CALL] = c->retention_call_days,
                  [RECORD_CALL_KEY] = c->retention_call_days,
                  [RECORD_QUALITY] = c->retention_call_days,
                  [RECORD_REGISTRATION] = c->retention_registration_days },
        .octets = { [RECORD_SIP] = c->retention_sip_bytes,
                    [RECORD_MEDIA] = c->retention_media_bytes,
                    [RECORD_LOG] = c->retention_log_bytes,
                    [RECORD_OTHER] = c->retention_other_bytes,
                    [RECORD_CALL] = c->retention_call_bytes,
                    [RECORD_CALL_KEY] = c->retention_call_bytes,
                    [RECORD_QUALITY] = c->retention_call_bytes,
                    [RECORD_REGISTRATION] = c->retention_registration_bytes },
        .disk_percent = (unsigned)c->retention_disk,
    };
}

static struct record_options record_of(const struct conf *c)
{
    return (struct record_options){ .clock_window_us = (int64_t)c->hep_clock_window_us,
                                    .headers = c->search_headers.items,
                                    .header_count = c->search_headers.count,
                                    .leg_headers = c->calls_leg_headers.items,
                                    .leg_header_count = c->calls_leg_headers.count };
}

static uint32_t seconds(uint64_t us)
{
    return (uint32_t)((us + 999999) / 1000000);
}

static struct track_options track_of(const struct conf *c)
{
    return (struct track_options){ .max_calls = (uint32_t)c->calls_max,
                                   .linger_s = seconds(c->calls_linger_us),
                                   .ring_s = seconds(c->calls_ring_us),
                                   .idle_s = seconds(c->calls_idle_us) };
}

static struct reg_options registrar_of(const struct conf *c)
{
    return (struct reg_options){ .max_aors = (uint32_t)c->registrations_max,
                                 .flap_changes = (uint32_t)c->registrations_flap_changes,
                                 .flap_window_s = seconds(c->registrations_flap_window_us),
                                 .forget_s = seconds(c->registrations_forget_us) };
}

/* What the configuration says for ingest, in its own words; the texts are those of the configuration or in here. */
struct ingest_setup {
    struct ingest_options o;
    struct hep_slice keys[64]; /* as many as the table of keys allows */
    char texts[INGEST_URLS_MAX][320];
    const char *urls[INGEST_URLS_MAX];
};

static struct ingest_rules rules_of(const struct conf *c, struct hep_slice *keys)
{
    for (size_t i = 0; i < c->hep_keys.count; i++)
        keys[i] = (struct hep_slice){ (const uint8_t *)c->hep_keys.items[i], strlen(c->hep_keys.items[i]) };
    return (struct ingest_rules){ .keys = keys,
                                  .key_count = c->hep_keys.count,
                                  .allow = c->hep_allow.items,
                                  .allow_count = c->hep_allow.count,
                                  .rate = (uint32_t)c->hep_sender_rate,
                                  .share = (unsigned)c->hep_sender_share,
                                  .tls = { c->tls_cert, c->tls_key, c->tls_client_ca } };
}

static void set_urls(struct ingest_setup *u, const struct conf *c)
{
    for (size_t i = 0; i < c->listen.count && i < INGEST_URLS_MAX; i++) {
        const struct conf_listen *l = &c->listen.items[i];
        /* The enums have the same order (conf/conf.h). */
        const char *scheme = net_transport_name((enum net_transport)l->transport);
        bool v6 = strchr(l->host, ':') != NULL;
        (void)snprintf(u->texts[i], sizeof(u->texts[i]), "%s://%s%s%s:%u%s", scheme, v6 ? "[" : "", l->host,
                       v6 ? "]" : "", l->port, l->path);
        u->urls[i] = u->texts[i];
        u->o.url_count = i + 1;
    }
    u->o.urls = u->urls;
}

static void set_up_ingest(struct server *s, struct ingest_setup *u)
{
    const struct conf *c = s->conf;
    u->o = (struct ingest_options){
        .workers = (unsigned)c->ingest_workers,
        .rules = rules_of(c, u->keys),
        .record = record_of(c),
        .senders_max = (size_t)c->hep_senders_max,
        .rcvbuf = (size_t)c->ingest_rcvbuf,
        .max_connections = (size_t)c->ingest_connections,
        .body_max = (size_t)c->ingest_body_max,
        .idle_timeout = (unsigned)((c->ingest_idle_timeout_us + 999999) / 1000000),
        .on_event = on_ingest_event,
        .arg = s,
    };
    set_urls(u, c);
}

/* ------------------------------------------------------------------------------------------------ opening */

static int open_store(struct server *s, struct lake_start *start, struct errmsg *err)
{
    const struct conf *c = s->conf;
    int n = engine_writers(s->vfs, s->wal_dir, s->writers);
    if (n < 0)
        return errmsg_set(err, "%s: %s", s->wal_dir, strerror(-n));
    s->writers = (unsigned)n;
    const struct lake_options o = {
        .vfs = s->vfs,
        .data_dir = c->data,
        .node = node_of(c),
        .writers = engine_store_writers(s->writers),
        .hot_limit = hot_limit(c),
        .zstd_level = (int)c->seal_compression,
        .retention = retention_of(c),
        .duck_memory = (size_t)c->query_memory,
        .duck_temp_max = c->query_temp_max,
        .duck_threads = (unsigned)c->query_threads,
        .duck_scans = (unsigned)c->query_scans,
        .event = on_lake_event,
        .room = on_room,
        .arg = s,
    };
    return lake_open(&s->store, &o, start, err);
}

static int open_engine(struct server *s, const struct lake_start *start, struct errmsg *err)
{
    static const enum wal_mode modes[] = {
        [CONF_WAL_INTERVAL] = WAL_INTERVAL, [CONF_WAL_ALWAYS] = WAL_ALWAYS, [CONF_WAL_OFF] = WAL_OFF
    };
    const struct conf *c = s->conf;
    const struct track_options track = track_of(c);
    struct errmsg why;
    s->legs = track_legs_new(c->calls_leg_headers.items, c->calls_leg_headers.count, c->calls_leg_pattern, &why);
    if (s->legs == NULL)
        return errmsg_set(err, "calls.leg_pattern: %s", why.text);
    const struct engine_options o = {
        .vfs = s->vfs,
        .data_dir = c->data,
        .wal_dir = s->wal_dir,
        .store = s->store,
        .node = node_of(c),
        .writers = s->writers,
        .from = start->positions,
        .from_count = start->position_count,
        .max_seq = start->max_seq,
        .wal_mode = modes[c->wal_sync],
        .wal_interval_us = c->wal_interval_us,
        .seal_interval_us = c->seal_interval_us,
        .record = record_of(c),
        .track = &track,
        .registrar = registrar_of(c),
        .legs = s->legs,
        .event = on_engine_event,
        .arg = s,
    };
    struct engine *e;
    if (engine_open(&e, &o, err) != 0)
        return -1;
    pthread_mutex_lock(&s->room_lock);
    s->engine = e;
    pthread_mutex_unlock(&s->room_lock);
    struct engine_figures figures;
    engine_figures(e, &figures);
    if (figures.replayed > 0)
        log_info("brought back from the write-ahead log", log_number("rows", figures.replayed));
    return 0;
}

static int open_importer(struct server *s, struct errmsg *err)
{
    const struct importer_options o = {
        .sink = engine_sink(s->engine),
        .writer = s->import_writer,
        .record = record_of(s->conf),
        .store = s->store,
        .vfs = s->vfs,
        .data_dir = s->conf->data,
    };
    struct errmsg problem;
    if (importer_open(&s->importer, &o, &problem) != 0)
        return errmsg_set(err, "%s", problem.text);
    if (problem.text[0] != '\0')
        log_warning("imports: a crash in the middle of one may leave messages twice", log_text("text", problem.text));
    return 0;
}

/* What people share is worth a word in the log, not a server that does not start. */
static void open_shared(struct server *s)
{
    struct errmsg problem;
    if (shared_open(&s->shared, s->vfs, s->conf->data, &problem) != 0)
        s->shared = NULL;
    if (problem.text[0] != '\0')
        log_warning("aliases and searches that are shared", log_text("text", problem.text));
}

static int open_api(struct server *s, struct errmsg *err)
{
    const struct conf *c = s->conf;
    const char *host = c->http_listen.host;
    struct filter_rules numbers;
    if (!filter_rules_set(&numbers, c->numbers_country, c->numbers_international, c->numbers_trunk))
        return errmsg_set(err, "the prefixes of phone numbers are too long"); /* conf_check() refuses them */
    const struct api_options o = {
        .host = host,
        .port = c->http_listen.port,
        .token = c->http_token,
        .live = (unsigned)c->http_live,
        .exports = (unsigned)c->http_exports,
        .answer_ms = (unsigned)(c->http_answer_timeout_us / 1000),
        .searches = (unsigned)c->query_scans,
        .search_ms = (unsigned)(c->query_timeout_us / 1000),
        .numbers = &numbers,
        .sql = c->query_sql,
        .sources = { .store = s->store,
                     .importer = s->importer,
                     .shared = s->shared,
                     .version = HEPCAT_VERSION,
                     .arg = s,
                     .health = serve_health,
                     .ready = serve_ready,
                     .metrics = serve_metrics,
                     .registrations = serve_registrations,
                     .senders = serve_senders },
    };
    if (api_start(&s->api, &o, err) != 0)
        return -1;
    bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(s->api_url, sizeof(s->api_url), "http://%s%s%s:%u", v6 ? "[" : "",
                   host[0] == '\0' ? "127.0.0.1" : host, v6 ? "]" : "", api_port(s->api));
    return 0;
}

static int open_ingest(struct server *s, const struct ingest_options *options, struct errmsg *err)
{
    struct ingest *in;
    if (ingest_open(&in, options, engine_sink(s->engine), err) != 0)
        return -1;
    s->ingest = in;
    return 0;
}

static int open_dir(struct server *s, struct errmsg *err)
{
    int rc = vfs_join(s->wal_dir, s->conf->data, "wal");
    if (rc == 0)
        rc = vfs_mkdirs(s->vfs, s->conf->data);
    if (rc != 0)
        return errmsg_set(err, "%s: %s", s->conf->data, strerror(-rc));
    s->lock = datadir_lock(s->vfs, s->conf->data, err);
    return s->lock < 0 ? -1 : 0;
}

int serve_open(struct server *s, struct errmsg *err)
{
    struct lake_start start = { 0 };
    struct errmsg ignored;
    s->vfs = vfs_posix();
    s->lock = -1;
    struct ingest_setup *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return errmsg_set(err, "out of memory");
    set_up_ingest(s, u);
    s->import_writer = ingest_writers(&u->o);
    s->writers = s->import_writer + 1;
    int rc = open_dir(s, err);
    if (rc == 0)
        rc = open_store(s, &start, err);
    if (rc == 0)
        rc = open_engine(s, &start, err);
    if (rc == 0)
        rc = open_importer(s, err);
    if (rc == 0)
        open_shared(s);
    if (rc == 0)
        rc = open_api(s, err);
    if (rc == 0)
        rc = open_ingest(s, &u->o, err);
    free(u);
    if (rc != 0)
        (void)serve_close(s, &ignored);
    return rc == 0 ? 0 : -1;
}

int serve_close(struct server *s, struct errmsg *err)
{
    if (s->importer != NULL)
        importer_stop(s->importer);
    api_stop(s->api); /* first: it looks at all the others */
    s->api = NULL;
    struct ingest *in = s->ingest;
    if (in != NULL)
        ingest_stop(in);
    pthread_mutex_lock(&s->room_lock);
    struct engine *e = s->engine;
    s->engine = NULL;
    pthread_mutex_unlock(&s->room_lock);
    int rc = engine_close(e, err);
    track_legs_free(s->legs);
    s->legs = NULL;
    ingest_free(in);
    s->ingest = NULL;
    importer_free(s->importer);
    s->importer = NULL;
    shared_close(s->shared);
    s->shared = NULL;
    if (s->store != NULL)
        s->store->ops->close(s->store);
    s->store = NULL;
    datadir_unlock(s->vfs, s->lock);
    s->lock = -1;
    return rc == 0 ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------ reload */

/* What can refuse: all of it, or (as well as it can be taken back) nothing. */
static int reload_guards(struct server *s, const struct conf *conf, struct errmsg *err)
{
    struct errmsg ignored;
    struct hep_slice keys[64];
    const struct ingest_rules rules = rules_of(conf, keys);
    if (api_set_token(s->api, conf->http_token, err) != 0)
        return -1;
    if (ingest_reload(s->ingest, &rules, err) == 0)
        return 0;
    const struct ingest_rules before = rules_of(s->conf, keys);
    (void)ingest_reload(s->ingest, &before, &ignored);
    (void)api_set_token(s->api, s->conf->http_token, &ignored);
    return -1;
}

int serve_reload(struct server *s, struct conf *conf, struct errmsg *err)
{
    const struct store_retention retention = retention_of(conf);
    if (reload_guards(s, conf, err) != 0)
        return -1;
    api_set_search_ms(s->api, (unsigned)(conf->query_timeout_us / 1000));
    s->store->ops->retain(s->store, &retention);
    pthread_rwlock_wrlock(&s->conf_lock);
    struct conf *old = s->conf;
    s->conf = conf;
    pthread_rwlock_unlock(&s->conf_lock);
    conf_free(old);
    return 0;
}
