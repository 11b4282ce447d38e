/* How the server is: reasons not to be well, figures for Prometheus, senders for people. */
#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/log.h"
#include "cmd/serve.h"
#include "metrics/metrics.h"

#define RECENT_US  INT64_C(300000000) /* a loss is worth a word on /health for five minutes */
#define TRIM_TICKS 10u
#define TRIM_KEEP  ((size_t)1 << 20)
#define HEAP_KEEP  (16 << 20) /* octets, of each heap, between two trims */
#define HEAP_PIECE (4 << 20)  /* larger pieces are mapped by themselves */

static int64_t monotonic_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ------------------------------------------------------------------------------------------------ losses */

/* Drops that mean a loss of what should have been kept, not a sender that is refused on purpose. */
static uint64_t losses(const struct ingest_totals *t)
{
    return t->counters[INGEST_DROP_FULL] + t->counters[INGEST_DROP_SHARE] + t->counters[INGEST_DROP_RATE];
}

static void note(uint64_t now, uint64_t *before, int64_t *at, const char *what)
{
    if (now > *before) {
        log_warning_of(what, "messages lost", log_text("why", what), log_number("more", now - *before),
                       log_number("since_start", now));
        *at = monotonic_us();
    }
    *before = now;
}

/*
 * glibc keeps for each thread what it once allocated: searches and merges need much for an instant, in one thread after
 * the other. Without this four fifths of the resident heap were free memory after ten minutes under load.
 */
static void give_back(struct server *s)
{
#ifdef __GLIBC__
    if (++s->ticks % TRIM_TICKS == 0)
        (void)malloc_trim(TRIM_KEEP);
#else
    (void)s;
#endif
}

/*
 * A search reads pages of some dozen files into buffers of 10 to 100 kB each and lets go of them. By its presets glibc
 * gives that back to the kernel each time and has it made anew, page by page: a sixth of the time of the search.
 */
void serve_heap(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEEP);
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_PIECE);
#endif
}

void serve_tick(struct server *s)
{
    struct ingest_totals t;
    give_back(s);
    ingest_totals(s->ingest, &t);
    pthread_mutex_lock(&s->state_lock);
    note(t.net.kernel_drops, &s->recent.kernel_drops, &s->recent.kernel_drops_us,
         "the kernel's UDP buffer was full: raise net.core.rmem_max, or send by TCP");
    note(losses(&t), &s->recent.drops, &s->recent.drops_us, "no room, or over a sender's limit: see the senders");
    pthread_mutex_unlock(&s->state_lock);
}

/* ------------------------------------------------------------------------------------------------ health */

static void health_of_storage(const struct server *s, struct api_health *ret)
{
    struct store_figures f;
    struct engine_figures e;
    s->store->ops->figures(s->store, &f);
    engine_figures(s->engine, &e);
    if (f.disk_full)
        api_health_add(ret, true, "disk_full", "no space for files: rows stay in memory and in the log until there is");
    if (e.seal_failures > 0)
        api_health_add(ret, true, "seal_failing", "%" PRIu64 " times in a row: %s", e.seal_failures, e.seal_error.text);
    if (e.wal_error != 0)
        api_health_add(ret, true, "log_failing", "write-ahead log: %s: rows are durable only once they are sealed",
                       strerror(-e.wal_error));
    if (f.hot_limit > 0 && f.hot_octets >= f.hot_limit)
        api_health_add(ret, true, "memory_full", "rows in memory take %" PRIu64 " MiB, all they may: senders are held",
                       f.hot_octets >> 20);
    if (f.set_aside > 0)
        api_health_add(ret, false, "files_set_aside", "%" PRIu64 " damaged files were set aside", f.set_aside);
    if (e.replay.loss[WAL_LOSS_MIDDLE] + e.replay.loss[WAL_LOSS_SEGMENT] + e.replay.loss[WAL_LOSS_READ] > 0)
        api_health_add(ret, false, "log_damaged",
                       "%" PRIu64 " octets of the write-ahead log were unreadable at the start", e.replay.lost_octets);
    if (e.not_kept > 0)
        api_health_add(ret, true, "out_of_memory", "%" PRIu64 " rows could not be held in memory", e.not_kept);
}

static void health_of_listener(void *arg, const struct ingest_listener *l)
{
    if (l->worker == 0 && l->info.rcvbuf < l->info.rcvbuf_asked)
        api_health_add(arg, false, "receive_buffer", "%s has a buffer of %zu octets only: raise net.core.rmem_max",
                       l->url, l->info.rcvbuf);
}

static void health_of_ingest(struct server *s, struct api_health *ret)
{
    struct ingest_totals t;
    ingest_totals(s->ingest, &t);
    int64_t now = monotonic_us();
    pthread_mutex_lock(&s->state_lock);
    struct serve_recent r = s->recent;
    pthread_mutex_unlock(&s->state_lock);
    if (r.kernel_drops_us != 0 && now - r.kernel_drops_us < RECENT_US)
        api_health_add(ret, false, "kernel_drops", "the kernel dropped datagrams lately, %" PRIu64 " since the start",
                       r.kernel_drops);
    if (r.drops_us != 0 && now - r.drops_us < RECENT_US)
        api_health_add(ret, false, "drops", "messages were dropped lately, %" PRIu64 " since the start", r.drops);
    if (t.paused > 0)
        api_health_add(ret, false, "senders_held", "TCP, TLS and HTTP senders are held until there is room");
    ingest_listeners(s->ingest, health_of_listener, ret);
    if (ingest_is_open(s->ingest))
        api_health_add(ret, false, "open_port", "anybody who reaches the HEP port can send: set hep.allow or hep.keys");
}

void serve_health(void *arg, struct api_health *ret)
{
    struct server *s = arg;
    if (s->ingest == NULL) {
        api_health_add(ret, true, "starting", "not receiving yet, or stopping");
        return;
    }
    health_of_storage(s, ret);
    health_of_ingest(s, ret);
}

bool serve_ready(void *arg)
{
    struct server *s = arg;
    return s->ingest != NULL;
}

/* ------------------------------------------------------------------------------------------------ metrics */

/* Where a member is; of another type than those of 64 bits it does not compile. */
#define MEMBER(type, member)                                                                                           \
    (offsetof(struct type, member) + 0 * sizeof(char[sizeof(((struct type *)0)->member) == sizeof(uint64_t) ? 1 : -1]))
#define ROW(type, member, kind, name, help)                                                                            \
    {                                                                                                                  \
        name, METRICS_##kind, help, MEMBER(type, member), false                                                        \
    }
#define ROW_US(type, member, kind, name, help)                                                                         \
    {                                                                                                                  \
        name, METRICS_##kind, help, MEMBER(type, member), true                                                         \
    }

static const struct metrics_row ingest_rows[] = {
    ROW(ingest_totals, senders, GAUGE, "senders", "senders accounted for, by worker"),
    ROW(ingest_totals, senders_forgotten, COUNTER, "senders_forgotten_total",
        "senders that had to make room for others"),
    ROW_US(ingest_totals, paused_us, COUNTER, "senders_held_seconds_total", "time for which streams were held back"),
    ROW(ingest_totals, posts_waiting, GAUGE, "http_posts_waiting", "POSTs waiting until their frames are durable"),
    ROW(ingest_totals, posts_repeated, COUNTER, "http_posts_repeated_total", "POSTs known by their Idempotency-Key"),
    { NULL, METRICS_COUNTER, NULL, 0, false },
};

static const struct metrics_row net_rows[] = {
#define NET_ROW(name, text) ROW(net_counters, name, COUNTER, "net_" #name "_total", text),
    NET_COUNTERS(NET_ROW)
#undef NET_ROW
#define NET_ROW(name, text) ROW(net_counters, name, GAUGE, "net_" #name, text),
        NET_GAUGES(NET_ROW)
#undef NET_ROW
            { NULL, METRICS_COUNTER, NULL, 0, false },
};

static const struct metrics_row api_rows[] = {
    ROW(api_stats, requests, COUNTER, "api_requests_total", "HTTP requests to the API"),
    ROW(api_stats, denied, COUNTER, "api_denied_total", "requests without the right token or host"),
    ROW(api_stats, connections_open, GAUGE, "api_connections_open", "connections to the API open now"),
    ROW(api_stats, overdue, COUNTER, "api_connections_overdue_total", "connections ended by a time limit"),
    ROW(api_stats, displaced, COUNTER, "api_connections_displaced_total",
        "connections without a request ended for others that waited"),
    ROW(api_stats, requests_open, GAUGE, "api_requests_open",
        "requests under way now, without exports, live clients and state"),
    ROW(api_stats, requests_refused, COUNTER, "api_requests_refused_total", "requests refused: too many at once"),
    ROW(api_stats, exports_open, GAUGE, "exports_open", "exports under way now"),
    ROW(api_stats, exports_refused, COUNTER, "exports_refused_total", "exports refused: too many at once"),
    ROW(api_stats, searches, COUNTER, "searches_total", "searches answered"),
    ROW_US(api_stats, searches_us, COUNTER, "search_seconds_total", "time they took"),
    ROW(api_stats, searches_running, GAUGE, "searches_running", "searches running now"),
    ROW(api_stats, searches_waiting, GAUGE, "searches_waiting", "searches waiting for their turn"),
    ROW(api_stats, searches_refused, COUNTER, "searches_refused_total", "searches refused: too many at once"),
    ROW(api_stats, live, GAUGE, "live_clients", "clients that follow the messages as they come"),
    ROW(api_stats, live_sent, COUNTER, "live_messages_sent_total", "messages sent to them"),
    ROW(api_stats, live_skipped, COUNTER, "live_messages_skipped_total",
        "messages that matched and were not sent: too many, or the client too slow"),
    ROW(api_stats, live_unseen, COUNTER, "live_messages_unseen_total",
        "messages not looked at for a client, for want of time"),
    ROW(api_stats, live_refused, COUNTER, "live_refused_total", "clients refused: too many at once"),
    { NULL, METRICS_COUNTER, NULL, 0, false },
};

static const struct metrics_row import_rows[] = {
    ROW(importer_figures, bodies, COUNTER, "import_bodies_total", "bodies of imports"),
    ROW(importer_figures, repeated, COUNTER, "import_bodies_repeated_total", "of these: sent again with the same key"),
    ROW(importer_figures, looked_up, COUNTER, "import_bodies_resumed_total",
        "of these: begun by a former server, of which something was stored"),
    ROW(importer_figures, full, COUNTER, "import_bodies_full_total", "of these: no room in time"),
    ROW(importer_figures, stored, COUNTER, "import_messages_total", "messages stored by imports"),
    ROW(importer_figures, bad, COUNTER, "import_messages_bad_total", "messages of imports that are not HEP"),
    { NULL, METRICS_COUNTER, NULL, 0, false },
};

/* Messages by what became of them, and those dropped by the reason. */
static void metrics_of_frames(struct buf *out, const struct ingest_totals *t)
{
    for (int i = 0; i < INGEST_DROPS_BEGIN; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "messages_%s_total", ingest_counter_name((enum ingest_counter)i));
        metrics_one(out, name, METRICS_COUNTER, ingest_counter_text((enum ingest_counter)i), t->counters[i]);
    }
    metrics_family(out, "messages_dropped_total", METRICS_COUNTER, "messages not stored, by reason");
    for (int i = INGEST_DROPS_BEGIN; i < INGEST_COUNTERS; i++) {
        const char *labels[] = { "reason", ingest_counter_name((enum ingest_counter)i), NULL };
        metrics_sample(out, "messages_dropped_total", labels, t->counters[i]);
    }
}

static void metrics_of_listener(void *arg, const struct ingest_listener *l)
{
    char worker[16];
    (void)snprintf(worker, sizeof(worker), "%u", l->worker);
    const char *labels[] = { "url", l->url, "worker", worker, NULL };
    if (l->info.transport == NET_UDP)
        metrics_sample(arg, "listener_kernel_drops_total", labels, l->info.kernel_drops);
}

static const struct metrics_row call_rows[] = {
    ROW(engine_figures, calls_live, GAUGE, "calls_live", "calls that run"),
    ROW(engine_figures, calls.calls, COUNTER, "calls_total", "calls that began"),
    ROW(engine_figures, calls.ended, COUNTER, "calls_ended_total", "calls that are over"),
    ROW(engine_figures, calls.evicted, COUNTER, "calls_evicted_total", "calls written out early for want of room"),
    ROW(engine_figures, calls.events, COUNTER, "call_messages_total", "messages that were looked at for calls"),
    ROW(engine_figures, calls.strays, COUNTER, "call_messages_stray_total", "of these: of no call"),
    ROW(engine_figures, calls.late, COUNTER, "call_messages_late_total",
        "of these: came when their call had been written out"),
    ROW(engine_figures, calls.no_memory, COUNTER, "call_messages_lost_total",
        "messages or texts that calls lack for want of memory"),
    ROW(engine_figures, quality.reports, COUNTER, "media_reports_total", "reports on the media of calls"),
    ROW(engine_figures, quality.bad, COUNTER, "media_messages_bad_total",
        "messages that should carry reports and cannot be read"),
    ROW(engine_figures, reports_too_long, COUNTER, "media_messages_too_long_total",
        "messages with reports that are too long to be looked at"),
    ROW(engine_figures, quality.repeated, COUNTER, "media_reports_repeated_total", "reports that came by a second tap"),
    ROW(engine_figures, quality.matched[QUALITY_CALL_ID], COUNTER, "media_messages_by_call_id_total",
        "messages with reports whose call was found by its Call-ID"),
    ROW(engine_figures, quality.matched[QUALITY_SDP], COUNTER, "media_messages_by_sdp_total",
        "the same by the addresses of its SDP"),
    ROW(engine_figures, quality.matched[QUALITY_SSRC], COUNTER, "media_messages_by_ssrc_total",
        "the same by its SSRCs"),
    ROW(engine_figures, quality.matched[QUALITY_NONE], COUNTER, "media_messages_alone_total",
        "messages with reports that belong to no call"),
    ROW(engine_figures, quality.waiting, GAUGE, "media_messages_waiting",
        "messages with reports that wait for their call"),
    ROW(engine_figures, quality.dropped, COUNTER, "media_streams_dropped_total",
        "reports and streams beyond the limits of a message and a call: not added to the call"),
    ROW(engine_figures, quality.evicted, COUNTER, "media_calls_evicted_total",
        "calls whose figures of media were given up for want of room"),
    ROW(engine_figures, quality.octets, GAUGE, "media_bytes", "memory of the media of calls"),
    ROW(engine_figures, calls_amended, COUNTER, "calls_amended_total",
        "calls that late messages changed after they were sealed"),
    ROW(engine_figures, calls_unamended, COUNTER, "calls_unamended_total",
        "calls that late messages could not change: no row of them, or too many messages"),
    ROW(engine_figures, late_waiting, GAUGE, "calls_late", "calls of which late messages wait to be looked at"),
    ROW(engine_figures, late_forgotten, COUNTER, "calls_late_forgotten_total", "the same, given up for want of room"),
    ROW(engine_figures, calls_not_kept, COUNTER, "calls_lost_total", "records of calls for which there was no memory"),
    ROW(engine_figures, call_waits, COUNTER, "call_waits_total", "times that receiving waited for calls"),
    ROW(engine_figures, calls.octets, GAUGE, "calls_bytes", "memory of the calls that run"),
    ROW(engine_figures, calls_octets, GAUGE, "calls_saved_bytes", "what the last seal kept of them"),
    ROW_US(engine_figures, calls_cpu_us, COUNTER, "calls_thread_cpu_seconds_total", "CPU time of following calls"),
    { NULL, METRICS_COUNTER, NULL, 0, false },
};

static const struct metrics_row registration_rows[] = {
    ROW(engine_figures, registrations.aors, GAUGE, "registration_aors", "addresses of record that are known"),
    ROW(engine_figures, registrations.open, GAUGE, "registrations_open",
        "Call-IDs of registrations that are not over, or were lately"),
    ROW(engine_figures, registrations.attempts, COUNTER, "registration_attempts_total", "attempts that are over"),
    ROW(engine_figures, registrations.events, COUNTER, "registration_messages_total", "messages of registrations"),
    ROW(engine_figures, registrations.late, COUNTER, "registration_messages_late_total",
        "of these: came when their attempt was over"),
    ROW(engine_figures, registrations.evicted, COUNTER, "registration_attempts_evicted_total",
        "attempts written out early for want of room"),
    ROW(engine_figures, registrations.aors_evicted, COUNTER, "registration_aors_evicted_total",
        "addresses of record that made room for others"),
    ROW(engine_figures, registrations.aors_forgotten, COUNTER, "registration_aors_forgotten_total",
        "addresses of record forgotten, as nobody tried for long"),
    ROW(engine_figures, registrations.cut, COUNTER, "registrations_cut_total",
        "contacts, requests or messages beyond what is kept of an attempt or address"),
    ROW(engine_figures, registrations.no_memory, COUNTER, "registrations_lost_total",
        "what registrations lack for want of memory"),
    ROW(engine_figures, registrations.octets, GAUGE, "registrations_bytes", "memory of registrations"),
    { NULL, METRICS_COUNTER, NULL, 0, false },
};

static void metrics_of_registrations(struct buf *out, const struct reg_stats *r)
{
    metrics_family(out, "registrations", METRICS_GAUGE, "addresses of record, by state");
    for (unsigned i = 0; i < REG_STATES; i++) {
        const char *labels[] = { "state", reg_state_name((enum reg_state)i), NULL };
        metrics_sample(out, "registrations", labels, r->by_state[i]);
    }
    metrics_family(out, "registration_results_total", METRICS_COUNTER, "attempts that are over, by how they came out");
    for (unsigned i = 0; i < REG_RESULTS; i++) {
        const char *labels[] = { "result", reg_result_name((enum reg_result)i), NULL };
        metrics_sample(out, "registration_results_total", labels, r->by_result[i]);
    }
}

static void metrics_of_engine(struct server *s, struct buf *out)
{
    struct engine_figures e;
    engine_figures(s->engine, &e);
    metrics_write_wal(out, &e.wal, e.durable, e.wal_error != 0);
    metrics_one(out, "unlogged_rows_total", METRICS_COUNTER, "rows taken while the log refused", e.unlogged);
    metrics_one(out, "replayed_rows", METRICS_GAUGE, "rows brought back from the log at the start", e.replayed);
    metrics_one(out, "seal_failures", METRICS_GAUGE, "seals that failed in a row", e.seal_failures);
    metrics_seconds(out, "sealed_age_seconds", METRICS_GAUGE, "time since the last seal", e.sealed_us_ago);
    metrics_seconds(out, "seal_thread_cpu_seconds_total", METRICS_COUNTER, "CPU time of the sealing thread",
                    e.cpu_us[0]);
    metrics_seconds(out, "tend_thread_cpu_seconds_total", METRICS_COUNTER,
                    "CPU time of the thread that merges and retires files", e.cpu_us[1]);
    metrics_table(out, call_rows, &e);
    metrics_table(out, registration_rows, &e);
    metrics_of_registrations(out, &e.registrations);
}

static void metrics_of_process(struct buf *out)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) != 0)
        return;
    uint64_t cpu = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
                   (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    metrics_seconds(out, "process_cpu_seconds_total", METRICS_COUNTER, "CPU time of the server process", cpu);
    metrics_one(out, "process_peak_rss_bytes", METRICS_GAUGE, "most memory that was resident",
                (uint64_t)u.ru_maxrss * 1024);
}

void serve_metrics(void *arg, struct buf *out)
{
    struct server *s = arg;
    struct store_figures f;
    metrics_write_build(out, HEPCAT_VERSION);
    metrics_of_process(out);
    if (s->ingest == NULL)
        return;
    struct ingest_totals t;
    struct api_stats a;
    ingest_totals(s->ingest, &t);
    metrics_table(out, ingest_rows, &t);
    metrics_table(out, net_rows, &t.net);
    metrics_of_frames(out, &t);
    metrics_family(out, "listener_kernel_drops_total", METRICS_COUNTER, "datagrams dropped by the kernel, by socket");
    ingest_listeners(s->ingest, metrics_of_listener, out);
    metrics_of_engine(s, out);
    s->store->ops->figures(s->store, &f);
    metrics_write_store(out, &f);
    api_stats(s->api, &a);
    metrics_table(out, api_rows, &a);
    struct importer_figures i;
    importer_figures(s->importer, &i);
    metrics_table(out, import_rows, &i);
}

void serve_registrations(void *arg, bool (*fn)(void *fn_arg, const struct reg_aor *aor), void *fn_arg)
{
    struct server *s = arg;
    if (s->ingest != NULL)
        engine_registrations(s->engine, fn, fn_arg);
}

int serve_senders(void *arg, void (*call)(void *call_arg, const struct ingest_sender *sender), void *call_arg)
{
    struct server *s = arg;
    struct ingest *in = s->ingest;
    return in == NULL ? 0 : ingest_senders(in, call, call_arg);
}
