/*
 * The configuration: defaults, a YAML file, the environment and flags, one over the other in this order, checked
 * against one table of keys (table.h) and turned into a struct with a typed member a key.
 *
 * A `struct conf` never changes once it is loaded. A reload loads another one and compares: conf_diff().
 *
 * Files: table.h keys, key.c finding them, type.c + unit.c + listen.c texts to values and back, yaml.c the file,
 * load.c the sources, check.c what keys demand of each other, errors.c, print.c for people.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "conf/table.h"

#define CONF_FILE_MAX  ((size_t)1 << 20) /* octets of a file */
#define CONF_DEPTH_MAX 8                 /* nesting of a file; the keys need 3 */
#define CONF_TEXT_MAX  4096              /* octets of one value */
#define CONF_PATH_MAX  64                /* octets of a key's path with its terminator */

/* ------------------------------------------------------------------------------------------------ values */

/* Numbers of enum keys, in the order of their words. */
enum conf_wal_sync { CONF_WAL_INTERVAL, CONF_WAL_ALWAYS, CONF_WAL_OFF };
enum conf_log_level { CONF_LOG_ERROR, CONF_LOG_WARNING, CONF_LOG_INFO, CONF_LOG_DEBUG };
enum conf_log_format { CONF_LOG_TEXT, CONF_LOG_JSON };
enum conf_compress { CONF_COMPRESS_OFF, CONF_COMPRESS_ZLIB, CONF_COMPRESS_GZIP };
enum conf_media { CONF_MEDIA_NONE, CONF_MEDIA_RTCP, CONF_MEDIA_RTP };
/* agent.collectors: enum outputs_mode of agent/outputs.h */

/* In the order of enum net_transport. */
enum conf_transport { CONF_UDP, CONF_TCP, CONF_TLS, CONF_HTTP, CONF_HTTPS };

struct conf_listen {
    enum conf_transport transport;
    const char *host; /* address or name; "": every address */
    uint16_t port;    /* 0: the system chooses */
    const char *path; /* http and https: "/hep"; "": any */
};

struct conf_address {
    const char *host; /* address or name; "": every address */
    uint16_t port;
};

struct conf_texts {
    const char **items;
    size_t count;
};

struct conf_listens {
    struct conf_listen *items;
    size_t count;
};

struct conf_nets {
    struct ip_net *items;
    size_t count;
};

/* The types of the table as members. */
#define CONF_C_BOOL     bool
#define CONF_C_NUMBER   uint64_t
#define CONF_C_SIZE     uint64_t /* octets */
#define CONF_C_DURATION uint64_t /* microseconds */
#define CONF_C_PERCENT  uint64_t /* 0..100 */
#define CONF_C_ENUM     unsigned
#define CONF_C_TEXT     const char * /* NULL: not set */
#define CONF_C_SECRET   const char * /* NULL: not set; never shown */
#define CONF_C_PATH     const char * /* NULL: not set; as given, relative to the working directory */
#define CONF_C_ADDRESS  struct conf_address
#define CONF_C_TEXTS    struct conf_texts
#define CONF_C_SECRETS  struct conf_texts
#define CONF_C_NAMES    struct conf_texts /* of SIP headers */
#define CONF_C_LISTENS  struct conf_listens
#define CONF_C_NETS     struct conf_nets

struct conf_own;

/*
 * The values. The retention of tables is resolved: where a table inherits, its member has the value of
 * retention_days or retention_bytes.
 */
struct conf {
#define CONF_MEMBER(member, path, type, ...)                          CONF_C_##type member;
#define CONF_MEMBER_F(flag, metavar, member, path, type, ...)         CONF_C_##type member;
#define CONF_MEMBER_A(flag, letter, metavar, member, path, type, ...) CONF_C_##type member;
    CONF_TABLE(CONF_MEMBER, CONF_MEMBER_F, CONF_MEMBER_A)
#undef CONF_MEMBER
#undef CONF_MEMBER_A
#undef CONF_MEMBER_F
    struct conf_own *own; /* of conf/ alone */
};

/* ------------------------------------------------------------------------------------------------ keys */

enum conf_key_id {
#define CONF_ID(member, ...)                          CONF_KEY_##member,
#define CONF_ID_F(flag, metavar, member, ...)         CONF_KEY_##member,
#define CONF_ID_A(flag, letter, metavar, member, ...) CONF_KEY_##member,
    CONF_TABLE(CONF_ID, CONF_ID_F, CONF_ID_A)
#undef CONF_ID
#undef CONF_ID_A
#undef CONF_ID_F
        CONF_KEY_COUNT
};

/* Path of a key: "wal.interval". Static. */
const char *conf_key_path(enum conf_key_id id);

/* ------------------------------------------------------------------------------------------------ loading */

/* Values given for a key by flags, in their order. Of a key that is no list the last one counts. */
struct conf_flag {
    enum conf_key_id key;
    const char *const *values;
    size_t count;
};

/* Where values come from; each may be absent. Everything is copied. */
struct conf_sources {
    const char *file;     /* path of a YAML file; NULL: none */
    const char *text;     /* not NULL: the content of the file, which is then not read and `file` only its name */
    size_t text_len;      /* octets of `text` */
    char *const *environ; /* "NAME=value", NULL at the end; only HEPCAT_... matter; NULL: none */
    const struct conf_flag *flags;
    size_t flag_count;
};

#define CONF_ERRORS_MAX 50 /* errors kept; more are counted only */

struct conf_error {
    unsigned line, column; /* in the file, from 1; 0: elsewhere, and the text says where */
    bool warning;          /* told, but no obstacle */
    char text[320];        /* terminated, one line of UTF-8; never holds a secret */
};

struct conf_errors {
    struct conf_error items[CONF_ERRORS_MAX];
    size_t count;  /* of items */
    size_t errors; /* all errors, those that are not in items included; warnings are not counted */
    size_t hidden; /* errors and warnings that are not in items */
};

/*
 * Loads a configuration. `errs` is reset and gets every error of every source, not only the first. 0 with *ret set (to
 * be released with conf_free(); there may be warnings), or -1 with *ret untouched and errs->errors > 0.
 */
int conf_load(struct conf **ret, const struct conf_sources *sources, struct conf_errors *errs);

/* Releases a configuration and wipes its secrets. NULL is fine. */
void conf_free(struct conf *c);

/* Appends "FILE:3:12: text", or the text alone where it is not of the file. `file` may be NULL. */
void conf_error_print(const struct conf_error *e, const char *file, struct buf *out);

/*
 * Calls `changed` for each key that has another value in `b` than in `a`: its path, and whether a reload is enough.
 * Returns how many there are. Where a table inherits its retention, only the key that it inherits from is told.
 */
size_t conf_diff(const struct conf *a, const struct conf *b,
                 void (*changed)(void *arg, const char *path, bool reloadable), void *arg);

/* ------------------------------------------------------------------------------------------------ for people */

/* Appends a complete YAML file with every key, its default and its description. */
void conf_print_defaults(struct buf *out);

/* Appends a line a key: path, value, and where it came from. Secrets are masked. */
void conf_print(const struct conf *c, struct buf *out);

#endif
