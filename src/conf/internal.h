/* What the files of conf/ share. */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H

#include "base/errmsg.h"
#include "conf/conf.h"

#define CONF_INHERIT UINT64_MAX /* a number given by its word, until load.c resolves it */
#define CONF_LEVELS  3          /* parts of the longest path */

/* ------------------------------------------------------------------------------------------------ memory */

/* Blocks that are released together. */
struct conf_mem {
    struct conf_block *blocks;
};

/* Zeroed memory, NULL if there is none. */
void *conf_mem_get(struct conf_mem *mem, size_t size);
/* A terminated copy of `len` octets, NULL if out of memory. */
char *conf_mem_text(struct conf_mem *mem, const char *text, size_t len);
/* Wipes and releases everything. */
void conf_mem_free(struct conf_mem *mem);

/* ------------------------------------------------------------------------------------------------ types, keys */

struct conf_key;

/* How the values of a type are read and written. */
struct conf_type {
    const char *what; /* "a duration such as 100ms, 60s or 30d" */
    bool list;
    bool secret;
    size_t size; /* octets of a value; of one item if it is a list */
    /* Text of 1 octet or more to a value; 0, or -1 with a text for a person. *ret is changed only on success. */
    int (*parse)(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret, struct errmsg *err);
    /* The text that parse() reads back as the same value, in one form only; nothing if the value is not set. */
    void (*print)(const struct conf_key *key, const void *value, struct buf *out);
};

extern const struct conf_type conf_type_BOOL, conf_type_NUMBER, conf_type_SIZE, conf_type_DURATION, conf_type_PERCENT,
    conf_type_ENUM, conf_type_TEXT, conf_type_SECRET, conf_type_PATH, conf_type_ADDRESS, conf_type_TEXTS,
    conf_type_SECRETS, conf_type_NAMES, conf_type_LISTENS, conf_type_NETS;

struct conf_key {
    const char *path;
    const char *flag; /* NULL: none */
    const struct conf_type *type;
    size_t offset; /* in struct conf */
    const char *def;
    uint64_t min, max;
    const char *words;
    bool reloadable;
    const char *help;
};

extern const struct conf_key conf_keys[CONF_KEY_COUNT];

/* The key with this path, NULL if there is none. */
const struct conf_key *conf_key_find(const char *path);

/* First key of the section with this path ("wal"), NULL if it is none. */
const struct conf_key *conf_key_section(const char *path);

/* Writes the name of the environment variable of a key. */
void conf_key_env(const struct conf_key *key, char out[CONF_PATH_MAX + 8]);

/*
 * The path (of a key or section, copied to `out`) that somebody who wrote `name` in the section `prefix` ("" at the
 * top) probably meant; false if nothing is near.
 */
bool conf_key_suggest(const char *prefix, const char *name, char out[CONF_PATH_MAX]);

/* Appends the limits of a key's values as "1ms..10s", "interval|always|off"; nothing if there are none. */
void conf_key_limits(const struct conf_key *key, struct buf *out);

/* "64MB", "1GiB", "1000" to octets; false if it is no size or above UINT64_MAX. */
bool conf_size_parse(const char *text, uint64_t *ret);
void conf_size_print(uint64_t octets, struct buf *out);

/* "100ms", "1h30min", "0" to microseconds; false if it is no duration or above UINT64_MAX. */
bool conf_duration_parse(const char *text, uint64_t *ret);
void conf_duration_print(uint64_t usec, struct buf *out);

int conf_listen_parse(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret,
                      struct errmsg *err);
void conf_listen_print(const struct conf_key *key, const void *value, struct buf *out);

/* ------------------------------------------------------------------------------------------------ loading */

enum conf_source { CONF_DEFAULT, CONF_FILE, CONF_ENVIRONMENT, CONF_FLAG };

/* Where an error is. */
struct conf_place {
    enum conf_source source;
    unsigned line, column; /* in the file, from 1 */
};

/* A key's value as text in its one form, for comparing and showing; lists joined by commas. */
struct conf_slot {
    const char *text; /* "": not set */
    struct conf_place place;
};

struct conf_own {
    struct conf_mem mem;
    char *file; /* its name for showing; NULL: none */
    struct conf_slot slots[CONF_KEY_COUNT];
};

/* One text that is to become a value, or an item of a list. */
struct conf_item {
    const char *text;
    struct conf_place place;
};

/*
 * Sets a key from its items (exactly one if it is no list). Errors are reported with the item's place and leave the
 * key as it was.
 */
void conf_assign(struct conf *c, const struct conf_key *key, const struct conf_item *items, size_t n,
                 const struct conf_place *place, struct conf_errors *errs);

/* Reads a YAML text into `c`. */
void conf_read_yaml(struct conf *c, const char *text, size_t len, struct conf_errors *errs);

/* What keys demand of each other. */
void conf_check(const struct conf *c, struct conf_errors *errs);

/* Adds an error; octets that do not belong into a line of text are replaced. */
void conf_errors_add(struct conf_errors *errs, const struct conf_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds an error about a key, which the text then begins with: its path, variable or flag. */
void conf_errors_key(struct conf_errors *errs, const struct conf_place *place, const struct conf_key *key,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
void conf_errors_warn(struct conf_errors *errs, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
