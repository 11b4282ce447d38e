/*
 * The log of a long-running command: on standard error, a line an entry, from any thread.
 *
 *     log_info("listening", log_text("url", url), log_number("port", port));
 *     log_warning_of(sender, "wrong key", log_text("sender", sender));
 *
 *     2026-08-01T12:00:00.123456Z info listening url=udp://[::]:9060 port=9060
 *     {"time":"2026-08-01T12:00:00.123456Z","level":"info","message":"listening","url":"udp://[::]:9060","port":9060}
 *
 * Lines that go to the systemd journal (JOURNAL_STREAM) begin with its priority instead of a time.
 *
 * Nobody outside can flood it: one place in the code writes at most LOG_PLACE_MAX lines a minute, and of those at most
 * LOG_KEY_MAX about the same key (the first argument of the ..._of() forms: a sender, a file). How many more there were
 * is told when the minute is over.
 */
#ifndef CMD_LOG_H
#define CMD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_PLACE_MAX 20
#define LOG_KEY_MAX   3
#define LOG_WINDOW_US UINT64_C(60000000)

/* In the order of enum conf_log_level. */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_options {
    enum log_level level; /* lines above it are not written */
    bool json;
    int fd;                        /* STDERR_FILENO */
    uint64_t (*now_us)(void *arg); /* for the minutes: a clock that never goes back; NULL: CLOCK_MONOTONIC */
    void *arg;
};

/* Until it is called: info, text, standard error. May be called again, to change level and format. */
void log_open(const struct log_options *options);

/* Tells what was held back in minutes that are over; to be called every second or so. */
void log_tick(void);

/* Tells what was held back so far and releases the memory; the log can be used on. */
void log_close(void);

/* A name and its value. */
struct log_field {
    const char *name; /* plain; NULL: end */
    const char *text; /* NULL: the number counts */
    uint64_t number;
};

/* A text of any octets: quoted and escaped where needed, cut after 512 octets. NULL is "". */
static inline struct log_field log_text(const char *name, const char *text)
{
    return (struct log_field){ name, text != NULL ? text : "", 0 };
}

static inline struct log_field log_number(const char *name, uint64_t number)
{
    return (struct log_field){ name, NULL, number };
}

/* log_error(message, fields...): the message is a literal without control characters. */
#define log_error(...)   LOG_AT(LOG_LEVEL_ERROR, NULL, __VA_ARGS__, LOG_END)
#define log_warning(...) LOG_AT(LOG_LEVEL_WARNING, NULL, __VA_ARGS__, LOG_END)
#define log_info(...)    LOG_AT(LOG_LEVEL_INFO, NULL, __VA_ARGS__, LOG_END)
#define log_debug(...)   LOG_AT(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__, LOG_END)

/* log_error_of(key, message, fields...): limited for each key as well. The key itself is not written. */
#define log_error_of(key, ...)   LOG_AT(LOG_LEVEL_ERROR, key, __VA_ARGS__, LOG_END)
#define log_warning_of(key, ...) LOG_AT(LOG_LEVEL_WARNING, key, __VA_ARGS__, LOG_END)
#define log_info_of(key, ...)    LOG_AT(LOG_LEVEL_INFO, key, __VA_ARGS__, LOG_END)

/* ------------------------------------------------------------------------------------------------ inside */

/* A place in the code that logs. */
struct log_place {
    enum log_level level;
    const char *message;
};

#define LOG_END ((struct log_field){ NULL, NULL, 0 })
#define LOG_AT(level, key, message, ...)                                                                               \
    do {                                                                                                               \
        static const struct log_place log_place_ = { level, message };                                                 \
        log_write(&log_place_, key, (const struct log_field[]){ __VA_ARGS__ });                                        \
    } while (0)

void log_write(const struct log_place *place, const char *key, const struct log_field *fields);

#endif
