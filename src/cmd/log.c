#include "cmd/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_out.h"
#include "base/lru.h"

#define TEXT_MAX    512  /* octets of a value */
#define KEY_MAX     48   /* octets of a key that are looked at, with terminator */
#define WINDOWS_MAX 1024 /* minutes counted at once; an older one is ended early */

/* One minute of one place, or of one key there. They are in the table in the order in which they began. */
struct window_key {
    const struct log_place *place;
    char key[KEY_MAX]; /* "": the place */
};

struct window {
    uint64_t shown, hidden;
};

static struct {
    pthread_mutex_t lock; /* of everything but the level */
    atomic_int level;
    bool json;
    bool journal; /* the lines go to the systemd journal */
    int fd;
    uint64_t (*now_us)(void *arg);
    void *arg;
    struct lru *windows; /* made when first needed */
    struct buf line;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_LEVEL_INFO, .fd = STDERR_FILENO, .line = { .max = 65536 } };

static uint64_t now_us(void)
{
    struct timespec ts;
    if (state.now_us != NULL)
        return state.now_us(state.arg);
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ------------------------------------------------------------------------------------------------ one line */

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const unsigned journal_priority[] = { 3, 4, 6, 7 };

static void put_time(struct buf *b)
{
    char text[CLOCK_TEXT_MAX];
    buf_put(b, text, clock_format(clock_wall(), text));
}

/* A value that needs no quotes reads better without. */
static bool plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"' || text[i] == '=' || text[i] == '\\')
            return false;
    return len > 0;
}

static void put_value(struct buf *b, const struct log_field *f)
{
    size_t len = f->text != NULL ? strnlen(f->text, TEXT_MAX) : 0;
    if (f->text == NULL)
        json_out_number(b, f->number);
    else if (!state.json && plain(f->text, len))
        buf_put(b, f->text, len);
    else
        (void)json_out_string(b, (const uint8_t *)f->text, len);
}

static void put_json(struct buf *b, const struct log_place *place)
{
    bool first = false; /* a comma goes before the next key */
    buf_puts(b, "{\"time\":\"");
    put_time(b);
    buf_puts(b, "\"");
    json_out_key(b, &first, "level");
    json_out_text(b, level_names[place->level]);
    json_out_key(b, &first, "message");
    json_out_text(b, place->message);
}

static void put_text(struct buf *b, const struct log_place *place)
{
    if (state.journal)
        buf_printf(b, "<%u>", journal_priority[place->level]);
    else
        put_time(b);
    buf_printf(b, "%s%s %s", state.journal ? "" : " ", level_names[place->level], place->message);
}

static void put_field(struct buf *b, const struct log_field *f)
{
    bool first = false;
    if (state.json)
        json_out_key(b, &first, f->name);
    else
        buf_printf(b, " %s=", f->name);
    put_value(b, f);
}

static void send(const struct buf *b)
{
    for (size_t at = 0; at < b->len;) {
        ssize_t n = write(state.fd, b->ptr + at, b->len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody is left to tell */
        at += (size_t)n;
    }
}

static void put_line(const struct log_place *place, const struct log_field *fields)
{
    struct buf *b = &state.line;
    buf_reset(b);
    if (state.json)
        put_json(b, place);
    else
        put_text(b, place);
    for (; fields->name != NULL; fields++)
        put_field(b, fields);
    buf_puts(b, state.json ? "}\n" : "\n");
    if (!b->failed)
        send(b);
}

/* ------------------------------------------------------------------------------------------------ limits */

/* The end of a window. */
static void on_drop(void *arg, const void *key, void *value)
{
    struct window_key k;
    const struct window *w = value;
    (void)arg;
    memcpy(&k, key, sizeof(k));
    if (w->hidden == 0)
        return;
    const struct log_field hidden = log_number("suppressed", w->hidden);
    const struct log_field all[] = { k.key[0] != '\0' ? log_text("of", k.key) : hidden,
                                     k.key[0] != '\0' ? hidden : LOG_END, LOG_END };
    put_line(k.place, all);
}

/* The present minute of a place, or of a key there; NULL if out of memory. */
static struct window *window_of(const struct log_place *place, const char *key)
{
    struct window_key k;
    bool fresh;
    memset(&k, 0, sizeof(k)); /* padding too: the table compares octets */
    k.place = place;
    memcpy(k.key, key, strnlen(key, KEY_MAX - 1));
    struct window *w = lru_find(state.windows, &k);
    return w != NULL ? w : lru_put(state.windows, &k, now_us(), &fresh);
}

static bool full(struct window *w, uint64_t most)
{
    if (w->shown < most)
        return false;
    w->hidden++;
    return true;
}

/*
 * True if a line may be written now. What a key has too much of does not use up its place; a place that is full makes
 * no more windows, so that many keys do not fill the table.
 */
static bool has_room(const struct log_place *place, const char *key)
{
    static const struct lru_options options = { sizeof(struct window_key), sizeof(struct window), WINDOWS_MAX, on_drop,
                                                NULL };
    if (state.windows == NULL && (state.windows = lru_new(&options)) == NULL)
        return true;
    (void)lru_expire(state.windows, now_us(), LOG_WINDOW_US - 1);
    bool keyed = key != NULL && key[0] != '\0';
    struct window *here = window_of(place, "");
    if (here != NULL && full(here, LOG_PLACE_MAX))
        return false;
    struct window *of_key = keyed ? window_of(place, key) : NULL;
    if (of_key != NULL && full(of_key, LOG_KEY_MAX))
        return false;
    if (of_key != NULL)
        of_key->shown++;
    here = window_of(place, ""); /* again: the key's may have taken its room */
    if (here != NULL)
        here->shown++;
    return true;
}

void log_write(const struct log_place *place, const char *key, const struct log_field *fields)
{
    if ((int)place->level > atomic_load_explicit(&state.level, memory_order_relaxed))
        return;
    (void)pthread_mutex_lock(&state.lock);
    if (has_room(place, key))
        put_line(place, fields);
    (void)pthread_mutex_unlock(&state.lock);
}

/* ------------------------------------------------------------------------------------------------ set-up */

/* JOURNAL_STREAM is "device:inode" of the stream that systemd gave us; children may write elsewhere. */
static bool is_journal(int fd)
{
    const char *text = getenv("JOURNAL_STREAM");
    char here[64];
    struct stat st;
    if (text == NULL || fstat(fd, &st) != 0)
        return false;
    (void)snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(here, text) == 0;
}

void log_open(const struct log_options *options)
{
    (void)pthread_mutex_lock(&state.lock);
    state.json = options->json;
    state.fd = options->fd;
    state.journal = is_journal(options->fd);
    state.now_us = options->now_us;
    state.arg = options->arg;
    atomic_store(&state.level, (int)options->level);
    (void)pthread_mutex_unlock(&state.lock);
}

void log_tick(void)
{
    (void)pthread_mutex_lock(&state.lock);
    if (state.windows != NULL)
        (void)lru_expire(state.windows, now_us(), LOG_WINDOW_US - 1);
    (void)pthread_mutex_unlock(&state.lock);
}

void log_close(void)
{
    (void)pthread_mutex_lock(&state.lock);
    lru_free(state.windows);
    state.windows = NULL;
    buf_free(&state.line);
    (void)pthread_mutex_unlock(&state.lock);
}
