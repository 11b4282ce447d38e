#include "store/lake/duck_worker.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/lake/duck_function.h"
#include "store/lake/duck_run.h"
#include "store/lake/duck_sandbox.h"

#define INTERRUPT_EVERY_MS 20

/* A connection of DuckDB, its socket and its thread. */
struct slot {
    struct worker *worker;
    duckdb_connection connection;
    int fd;
    pthread_mutex_t lock;
    uint64_t running;   /* number of the query at work, 0: none; numbers only grow */
    uint64_t ended;     /* number of the last query that ended */
    uint64_t interrupt; /* number of the query to be interrupted; may come before the query does */
};

struct worker {
    struct duck_api api;
    duckdb_database db;
    struct slot slots[DUCK_SCANS_MAX];
    size_t slot_count;
    int io; /* /proc/self/io, opened before Landlock closes it off */
    bool any_statement;
};

static const struct duck_function *functions;
static size_t function_count;

static uint64_t none_gave_up(void)
{
    return 0;
}

static uint64_t (*gave_up)(void) = none_gave_up;

void duck_worker_gave_up(uint64_t (*count)(void))
{
    gave_up = count;
}

void duck_worker_functions(const struct duck_function *table, size_t count)
{
    functions = table;
    function_count = count < DUCK_FUNCTIONS_MAX ? count : DUCK_FUNCTIONS_MAX;
}

/* ------------------------------------------------------------------------------------------------ costs */

struct cost {
    uint64_t octets, cpu_us, gave_up;
};

static uint64_t octets_read(int io)
{
    char text[512];
    ssize_t n = io >= 0 ? pread(io, text, sizeof(text) - 1, 0) : 0;
    text[n > 0 ? n : 0] = '\0';
    const char *at = strstr(text, "rchar: ");
    return at != NULL ? strtoull(at + 7, NULL, 10) : 0;
}

static uint64_t cpu_us(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static struct cost cost_now(const struct worker *w)
{
    return (struct cost){ octets_read(w->io), cpu_us(), gave_up() };
}

/* ------------------------------------------------------------------------------------------------ a slot */

static void set_running(struct slot *s, uint64_t number)
{
    pthread_mutex_lock(&s->lock);
    if (number == 0)
        s->ended = s->running;
    s->running = number;
    pthread_mutex_unlock(&s->lock);
}

static int send_end(const struct slot *s, struct buf *out, int rc, struct cost before, const struct errmsg *err)
{
    struct cost now = cost_now(s->worker);
    size_t start = duck_frame_begin(out, DUCK_FRAME_END);
    duck_put_u32(out, (uint32_t)rc);
    duck_put_u64(out, now.octets - before.octets);
    duck_put_u64(out, now.cpu_us - before.cpu_us);
    duck_put_u64(out, now.gave_up - before.gave_up);
    duck_put_text(out, err->text, strlen(err->text));
    duck_frame_end(out, start);
    return out->failed ? -1 : duck_send(s->fd, out->ptr, out->len, NULL, NULL);
}

static int serve_one(struct slot *s, const struct buf *frame, struct buf *out)
{
    struct duck_run run = { &s->worker->api, s->connection, s->fd, out, s->worker->any_statement };
    struct cost before = cost_now(s->worker);
    struct errmsg err = { "" };
    struct duck_request q;
    int rc = DUCK_ERR_USAGE;
    buf_reset(out);
    if (duck_request_read(&q, frame) == 0) {
        set_running(s, q.number);
        rc = duck_run(&run, &q, &err);
        set_running(s, 0);
    } else {
        (void)errmsg_set(&err, "query worker: a request that cannot be read");
    }
    duck_request_free(&q);
    return rc == DUCK_ERR_DIED ? -1 : send_end(s, out, rc, before, &err);
}

/* A slot that lost its parent ends; the control socket ends the process. */
static void *slot_thread(void *arg)
{
    struct slot *s = arg;
    struct buf in, out;
    enum duck_frame type;
    buf_init(&in, DUCK_FRAME_MAX);
    buf_init(&out, DUCK_FRAME_MAX + (1u << 20));
    while (duck_receive(s->fd, &in, &type, NULL, NULL) == 0 && type == DUCK_FRAME_QUERY) {
        if (serve_one(s, &in, &out) != 0)
            break;
        if (in.cap > (1u << 20))
            buf_free(&in);
        if (out.cap > (1u << 20))
            buf_free(&out);
    }
    buf_free(&in);
    buf_free(&out);
    (void)shutdown(s->fd, SHUT_RDWR);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ starting */

/* Runs a statement of ours, with one text as its parameter if it has one. */
static int statement(const struct worker *w, const char *sql, const char *text, struct errmsg *err)
{
    struct duck_value value = { .kind = DUCK_TEXT };
    struct buf none;
    buf_init(&none, 1u << 16);
    struct duck_run run = { &w->api, w->slots[0].connection, -1, &none, true };
    struct duck_request q = { .sql = { (const uint8_t *)sql, strlen(sql) }, .values = &value };
    if (text != NULL) {
        value.octets = (struct duck_slice){ (const uint8_t *)text, strlen(text) };
        q.count = 1;
    }
    int rc = duck_run(&run, &q, err);
    buf_free(&none);
    return rc;
}

static int configure(const struct worker *w, const struct duck_hello *h, const char *temp_dir, duckdb_config config,
                     struct errmsg *err)
{
    char memory[32], temp_max[32];
    (void)snprintf(memory, sizeof(memory), "%" PRIu64 "B", h->memory);
    (void)snprintf(temp_max, sizeof(temp_max), "%" PRIu64 "B", h->temp_max);
    const struct {
        const char *name, *value;
    } settings[] = { { "autoinstall_known_extensions", "false" },
                     { "autoload_known_extensions", "false" },
                     { "allow_community_extensions", "false" },
                     { "memory_limit", memory },
                     { "threads", "1" }, /* more when Landlock holds */
                     { "temp_directory", temp_dir },
                     { "max_temp_directory_size", temp_max },
                     { "preserve_insertion_order", h->ordered ? "true" : "false" } };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (w->api.set_config(config, settings[i].name, settings[i].value) != DuckDBSuccess)
            return errmsg_set(err, "DuckDB does not know the setting %s", settings[i].name);
    return 0;
}

static int open_database(struct worker *w, const struct duck_hello *h, const char *temp_dir, struct errmsg *err)
{
    duckdb_config config = NULL;
    char *text = NULL;
    if (w->api.create_config(&config) != DuckDBSuccess)
        return errmsg_set(err, "DuckDB: out of memory");
    int rc = configure(w, h, temp_dir, config, err);
    if (rc == 0 && w->api.open_ext(NULL, &w->db, config, &text) != DuckDBSuccess)
        rc = errmsg_set(err, "DuckDB: %s", text != NULL ? text : "cannot be opened");
    w->api.free(text);
    w->api.destroy_config(&config);
    for (size_t i = 0; i < w->slot_count && rc == 0; i++)
        if (w->api.connect(w->db, &w->slots[i].connection) != DuckDBSuccess)
            rc = errmsg_set(err, "DuckDB: no connection");
    return rc;
}

/* Threads only now: they are held by what holds this one. Each of the last three closes a door behind those before. */
static int close_doors(const struct worker *w, const struct duck_hello *h, const char *lake_dir, struct errmsg *err)
{
    char threads[48];
    (void)snprintf(threads, sizeof(threads), "SET threads = %" PRIu32, h->threads);
    const struct {
        const char *sql, *text;
    } doors[] = { { threads, NULL },
                  { "SET TimeZone = 'UTC'", NULL },
                  { "SET enable_external_file_cache = false", NULL },
                  { "SET allowed_directories = [?]", lake_dir },
                  { "SET enable_external_access = false", NULL },
                  { "SET lock_configuration = true", NULL } };
    int rc = 0;
    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]) && rc == 0; i++)
        rc = statement(w, doors[i].sql, doors[i].text, err);
    return rc;
}

/* A copy of a text, terminated, on the heap; with "/" at its end if `slash`. NULL for an empty one. */
static char *copy_text(struct duck_slice s, bool slash)
{
    char *text = s.len > 0 ? malloc(s.len + 2) : NULL;
    if (text == NULL)
        return NULL;
    memcpy(text, s.ptr, s.len);
    if (slash && text[s.len - 1] != '/')
        text[s.len++] = '/';
    text[s.len] = '\0';
    return text;
}

/* Threads of this process, 0 if nobody knows. */
static unsigned thread_count(void)
{
    unsigned count = 0;
    DIR *d = opendir("/proc/self/task");
    if (d == NULL)
        return 0;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

/*
 * Landlock binds the thread that asks and those that it starts afterwards. Before it the library is loaded and the
 * database opened, as they read files that are then out of reach (DuckDB wants to know its cgroup); with one thread, so
 * that nothing of DuckDB runs yet.
 */
static int set_up_inside(struct worker *w, const struct duck_hello *h, const char *lake_dir, const char *temp_dir,
                         int *ret_abi, struct errmsg *err)
{
    int rc = open_database(w, h, temp_dir, err);
    if (rc == 0 && thread_count() > 1)
        rc = errmsg_set(err, "query worker: DuckDB has threads that nothing holds");
    if (rc == 0 && (*ret_abi = duck_landlock(lake_dir, temp_dir, err)) < 0)
        rc = -1;
    if (rc == 0)
        rc = duck_functions_register(&w->api, w->slots[0].connection, functions, function_count, err);
    return rc == 0 ? close_doors(w, h, lake_dir, err) : rc;
}

static int set_up(struct worker *w, const struct duck_hello *h, int *ret_abi, struct errmsg *err)
{
    char *lake_dir = copy_text(h->lake_dir, true), *temp_dir = copy_text(h->temp_dir, false);
    char *library = copy_text(h->library, false);
    int rc = -1;
    w->any_statement = h->any_statement;
    w->slot_count = h->slots;
    w->io = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    if (lake_dir == NULL || temp_dir == NULL)
        (void)errmsg_set(err, "query worker: out of memory");
    else
        rc = duck_limit_process(h->address_space, err);
    if (rc == 0)
        rc = duck_api_load(&w->api, library, err);
    if (rc == 0)
        rc = set_up_inside(w, h, lake_dir, temp_dir, ret_abi, err);
    free(lake_dir);
    free(temp_dir);
    free(library);
    return rc;
}

static int start_slots(struct worker *w, struct errmsg *err)
{
    for (size_t i = 0; i < w->slot_count; i++) {
        struct slot *s = &w->slots[i];
        pthread_t thread;
        s->worker = w;
        s->fd = DUCK_FD_SLOT + (int)i;
        if (pthread_mutex_init(&s->lock, NULL) != 0 || pthread_create(&thread, NULL, slot_thread, s) != 0)
            return errmsg_set(err, "query worker: no thread");
        pthread_detach(thread);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ control */

static int send_ready(int error, int abi, const char *text)
{
    struct buf b;
    buf_init(&b, 4096);
    size_t start = duck_frame_begin(&b, DUCK_FRAME_READY);
    duck_put_u32(&b, (uint32_t)error);
    duck_put_u32(&b, (uint32_t)abi);
    duck_put_text(&b, text, strlen(text));
    duck_frame_end(&b, start);
    int rc = b.failed ? -1 : duck_send(DUCK_FD_CONTROL, b.ptr, b.len, NULL, NULL);
    buf_free(&b);
    return rc;
}

static void note_interrupt(struct worker *w, const struct buf *frame)
{
    struct rd r;
    rd_init(&r, frame->ptr, frame->len);
    uint32_t slot = rd_u32le(&r);
    uint64_t number = rd_u64le(&r);
    if (!r.bad && slot < w->slot_count)
        w->slots[slot].interrupt = number;
}

/*
 * Interrupts what is to be interrupted. An interrupt that comes while a query is still being prepared is lost in
 * DuckDB, so that this is done again and again until the query has ended. Returns whether there is more to do.
 */
static bool interrupt_slots(struct worker *w)
{
    bool more = false;
    for (size_t i = 0; i < w->slot_count; i++) {
        struct slot *s = &w->slots[i];
        pthread_mutex_lock(&s->lock);
        if (s->interrupt > s->ended) {
            if (s->interrupt == s->running)
                w->api.interrupt(s->connection);
            more = true;
        }
        pthread_mutex_unlock(&s->lock);
    }
    return more;
}

/* Until the parent is gone. */
static void control_loop(struct worker *w)
{
    struct buf frame;
    enum duck_frame type;
    bool more = false;
    buf_init(&frame, 4096);
    for (;;) {
        struct pollfd p = { DUCK_FD_CONTROL, POLLIN, 0 };
        int n = poll(&p, 1, more ? INTERRUPT_EVERY_MS : -1);
        if (n > 0) {
            if (duck_receive(DUCK_FD_CONTROL, &frame, &type, NULL, NULL) != 0 || type != DUCK_FRAME_INTERRUPT)
                return;
            note_interrupt(w, &frame);
        }
        more = interrupt_slots(w);
    }
}

static bool was_started_by_parent(void)
{
    int domain = 0;
    socklen_t len = sizeof(domain);
    return getsockopt(DUCK_FD_CONTROL, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/*
 * glibc would give each thread its arena: 64 MB of addresses that count against RLIMIT_AS, and memory that the others
 * do not get. Two cost no time that could be measured, and save 40 % of the addresses.
 */
static void share_arenas(void)
{
#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, 2);
#endif
}

/* The parent alone decides when we end: signals to the whole group or service come to it, too, and it drains. */
static void ignore_signals(void)
{
    static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2 };
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        (void)signal(ignored[i], SIG_IGN);
}

int duck_worker_main(int argc, char **argv)
{
    static struct worker w;
    struct errmsg err = { "" };
    struct duck_hello hello;
    struct buf frame;
    struct rd r;
    enum duck_frame type;
    int abi = 0;
    (void)argc;
    (void)argv;
    if (!was_started_by_parent())
        return 2;
    ignore_signals();
    share_arenas();
    buf_init(&frame, 1u << 16);
    if (duck_receive(DUCK_FD_CONTROL, &frame, &type, NULL, NULL) != 0 || type != DUCK_FRAME_HELLO)
        _exit(1);
    rd_init(&r, frame.ptr, frame.len);
    if (duck_get_hello(&r, &hello) != 0)
        _exit(1);
    int rc = set_up(&w, &hello, &abi, &err);
    if (rc == 0)
        rc = start_slots(&w, &err);
    if (send_ready(rc == 0 ? 0 : DUCK_ERR_UNAVAILABLE, abi, rc == 0 ? w.api.library_version() : err.text) == 0 &&
        rc == 0)
        control_loop(&w);
    _exit(rc == 0 ? 0 : 1); /* at once: nothing of ours is on disk, and DuckDB may be at work in its threads */
}
