#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/near.h"
#include "base/utf8.h"
#include "conf/internal.h"

/* Every list of the table has the same layout: items, count. */
struct list {
    void *items;
    size_t count;
};
_Static_assert(sizeof(struct list) == sizeof(struct conf_texts), "lists are alike");
_Static_assert(sizeof(struct list) == sizeof(struct conf_listens), "lists are alike");
_Static_assert(sizeof(struct list) == sizeof(struct conf_nets), "lists are alike");

/* ------------------------------------------------------------------------------------------------ one key */

static void *member(struct conf *c, const struct conf_key *key)
{
    return (uint8_t *)c + key->offset;
}

static int parse_item(struct conf *c, const struct conf_key *key, const struct conf_item *item, void *ret,
                      struct conf_errors *errs)
{
    struct errmsg err = { "" };
    size_t len = strlen(item->text);
    if (len == 0)
        errmsg_set(&err, "the value is empty");
    else if (len > CONF_TEXT_MAX)
        errmsg_set(&err, "the value has %zu octets, %d are the most", len, CONF_TEXT_MAX);
    else if (!utf8_valid((const uint8_t *)item->text, len))
        errmsg_set(&err, "the value is not UTF-8");
    else if (key->type->parse(key, item->text, &c->own->mem, ret, &err) == 0)
        return 0;
    conf_errors_key(errs, &item->place, key, "%s", err.text);
    return -1;
}

static int assign_list(struct conf *c, const struct conf_key *key, const struct conf_item *items, size_t n,
                       const struct conf_place *place, struct conf_errors *errs)
{
    struct list list = { NULL, n };
    int rc = 0;
    if (n < key->min || n > key->max) {
        conf_errors_key(errs, place, key, "%zu values are out of range (%llu..%llu)", n, (unsigned long long)key->min,
                        (unsigned long long)key->max);
        return -1;
    }
    list.items = conf_mem_get(&c->own->mem, n * key->type->size + 1);
    if (list.items == NULL) {
        conf_errors_key(errs, place, key, "out of memory");
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        if (parse_item(c, key, &items[i], (uint8_t *)list.items + i * key->type->size, errs) != 0)
            rc = -1;
    if (rc == 0)
        memcpy(member(c, key), &list, sizeof(list));
    return rc;
}

/* The value in its one form; a list has a line an item, since no value holds a line feed. */
static void print_value(struct conf *c, const struct conf_key *key, struct buf *out)
{
    struct list list = { member(c, key), 1 };
    if (key->type->list)
        memcpy(&list, member(c, key), sizeof(list));
    for (size_t i = 0; i < list.count; i++) {
        if (i > 0)
            buf_putc(out, '\n');
        key->type->print(key, (const uint8_t *)list.items + i * key->type->size, out);
    }
}

static void keep_text(struct conf *c, const struct conf_key *key, const struct conf_place *place,
                      struct conf_errors *errs)
{
    struct buf text;
    buf_init(&text, 2 * CONF_FILE_MAX);
    print_value(c, key, &text);
    const char *copy = text.failed ? NULL : conf_mem_text(&c->own->mem, (const char *)text.ptr, text.len);
    if (copy == NULL)
        conf_errors_key(errs, place, key, "out of memory");
    c->own->slots[key - conf_keys] = (struct conf_slot){ copy != NULL ? copy : "", *place };
    if (text.ptr != NULL)
        explicit_bzero(text.ptr, text.len);
    buf_free(&text);
}

void conf_assign(struct conf *c, const struct conf_key *key, const struct conf_item *items, size_t n,
                 const struct conf_place *place, struct conf_errors *errs)
{
    int rc = key->type->list ? assign_list(c, key, items, n, place, errs)
                             : parse_item(c, key, &items[0], member(c, key), errs);
    if (rc == 0)
        keep_text(c, key, place, errs);
}

/* ------------------------------------------------------------------------------------------------ defaults */

/* Sets a key from one text; that of a list has commas and blanks between its items. */
static void assign_text(struct conf *c, const struct conf_key *key, const char *text, const struct conf_place *place,
                        struct conf_errors *errs)
{
    size_t count = 1, n = 0;
    for (const char *p = text; *p != '\0'; p++)
        count += *p == ',' ? 1 : 0;
    struct conf_item *items = conf_mem_get(&c->own->mem, count * sizeof(*items));
    char *copy = conf_mem_text(&c->own->mem, text, strlen(text));
    if (items == NULL || copy == NULL) {
        conf_errors_key(errs, place, key, "out of memory");
        return;
    }
    if (!key->type->list) {
        items[0] = (struct conf_item){ copy, *place };
        conf_assign(c, key, items, 1, place, errs);
        return;
    }
    for (char *rest = copy, *item; (item = strsep(&rest, ",")) != NULL;) {
        item += strspn(item, " \t");
        for (size_t len = strlen(item); len > 0 && (item[len - 1] == ' ' || item[len - 1] == '\t');)
            item[--len] = '\0';
        items[n++] = (struct conf_item){ item, *place };
    }
    conf_assign(c, key, items, n, place, errs);
}

static void read_defaults(struct conf *c, struct conf_errors *errs)
{
    static const struct conf_place place = { CONF_DEFAULT, 0, 0 };
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
        c->own->slots[i] = (struct conf_slot){ "", place };
        if (conf_keys[i].def[0] != '\0')
            assign_text(c, &conf_keys[i], conf_keys[i].def, &place, errs);
    }
}

/* ------------------------------------------------------------------------------------------------ file */

/* Reads all of a file, at most CONF_FILE_MAX octets, into `out`. */
static int slurp(int fd, struct buf *out, struct errmsg *err)
{
    for (;;) {
        uint8_t *at = buf_space(out, 16384);
        if (at == NULL)
            return errmsg_set(err, "out of memory");
        ssize_t n = read(fd, at, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errmsg_set(err, "%s", strerror(errno));
        if (n == 0)
            return 0;
        buf_added(out, (size_t)n);
        if (out->len > CONF_FILE_MAX)
            return errmsg_set(err, "the file is larger than %zu octets", CONF_FILE_MAX);
    }
}

static void read_file(struct conf *c, const char *path, struct conf_errors *errs)
{
    struct errmsg err = { "" };
    struct buf text;
    buf_init(&text, CONF_FILE_MAX + 65536);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        conf_errors_add(errs, NULL, "%s: %s", path, strerror(errno));
    else if (slurp(fd, &text, &err) != 0)
        conf_errors_add(errs, NULL, "%s: %s", path, err.text);
    else
        conf_read_yaml(c, (const char *)text.ptr, text.len, errs);
    if (fd >= 0)
        (void)close(fd);
    if (text.ptr != NULL)
        explicit_bzero(text.ptr, text.len);
    buf_free(&text);
}

/* ------------------------------------------------------------------------------------------------ environment, flags
 */

static const struct conf_key *find_env(const char *name, size_t len)
{
    char env[CONF_PATH_MAX + 8];
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
        conf_key_env(&conf_keys[i], env);
        if (strlen(env) == len && memcmp(env, name, len) == 0)
            return &conf_keys[i];
    }
    return NULL;
}

/*
 * An unknown variable is no error: container systems set some of their own, such as HEPCAT_SERVICE_HOST. One that looks
 * like a slip of the pen is told.
 */
static void warn_env(const char *name, size_t len, struct conf_errors *errs)
{
    char text[CONF_PATH_MAX], env[CONF_PATH_MAX + 8];
    if (len >= sizeof(text))
        return;
    memcpy(text, name, len);
    text[len] = '\0';
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
        conf_key_env(&conf_keys[i], env);
        if (near_distance(text, len, env, strlen(env), 2) <= 2) {
            conf_errors_warn(errs, "%s: unknown variable, did you mean %s?", text, env);
            return;
        }
    }
}

/* An empty variable counts as absent: that is how compose files leave one out. */
static void read_environment(struct conf *c, char *const *variables, struct conf_errors *errs)
{
    static const struct conf_place place = { CONF_ENVIRONMENT, 0, 0 };
    for (; *variables != NULL; variables++) {
        const char *equals = strchr(*variables, '=');
        if (strncmp(*variables, "HEPCAT_", 7) != 0 || equals == NULL || equals[1] == '\0')
            continue;
        const struct conf_key *key = find_env(*variables, (size_t)(equals - *variables));
        if (key != NULL)
            assign_text(c, key, equals + 1, &place, errs);
        else
            warn_env(*variables, (size_t)(equals - *variables), errs);
    }
}

static void read_flag(struct conf *c, const struct conf_flag *flag, struct conf_errors *errs)
{
    static const struct conf_place place = { CONF_FLAG, 0, 0 };
    const struct conf_key *key = &conf_keys[flag->key];
    struct conf_item *items = conf_mem_get(&c->own->mem, flag->count * sizeof(*items));
    if (flag->count == 0)
        return;
    if (items == NULL) {
        conf_errors_key(errs, &place, key, "out of memory");
        return;
    }
    for (size_t i = 0; i < flag->count; i++)
        items[i] = (struct conf_item){ flag->values[i], place };
    if (key->type->list)
        conf_assign(c, key, items, flag->count, &place, errs);
    else
        conf_assign(c, key, items + flag->count - 1, 1, &place, errs);
}

/* ------------------------------------------------------------------------------------------------ all of it */

/* Puts what is inherited in place; the slots keep the word. */
static void resolve(struct conf *c)
{
    uint64_t *const days[] = { &c->retention_sip_days, &c->retention_media_days, &c->retention_log_days,
                               &c->retention_other_days };
    uint64_t *const bytes[] = { &c->retention_sip_bytes, &c->retention_media_bytes, &c->retention_log_bytes,
                                &c->retention_other_bytes };
    for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
        *days[i] = *days[i] == CONF_INHERIT ? c->retention_days : *days[i];
        *bytes[i] = *bytes[i] == CONF_INHERIT ? c->retention_bytes : *bytes[i];
    }
}

static struct conf *make(const char *file)
{
    struct conf *c = calloc(1, sizeof(*c));
    if (c == NULL || (c->own = calloc(1, sizeof(*c->own))) == NULL)
        goto out;
    if (file != NULL && (c->own->file = strdup(file)) == NULL)
        goto out;
    return c;
out:
    conf_free(c);
    return NULL;
}

int conf_load(struct conf **ret, const struct conf_sources *sources, struct conf_errors *errs)
{
    errs->count = errs->errors = errs->hidden = 0;
    struct conf *c = make(sources->file);
    if (c == NULL) {
        conf_errors_add(errs, NULL, "out of memory");
        return -1;
    }
    read_defaults(c, errs);
    if (sources->text != NULL)
        conf_read_yaml(c, sources->text, sources->text_len, errs);
    else if (sources->file != NULL)
        read_file(c, sources->file, errs);
    if (sources->environ != NULL)
        read_environment(c, sources->environ, errs);
    for (size_t i = 0; i < sources->flag_count; i++)
        read_flag(c, &sources->flags[i], errs);
    resolve(c);
    conf_check(c, errs);
    if (errs->errors != 0) {
        conf_free(c);
        return -1;
    }
    *ret = c;
    return 0;
}

void conf_free(struct conf *c)
{
    if (c == NULL)
        return;
    if (c->own != NULL) {
        conf_mem_free(&c->own->mem);
        free(c->own->file);
        free(c->own);
    }
    free(c);
}

size_t conf_diff(const struct conf *a, const struct conf *b,
                 void (*changed)(void *arg, const char *path, bool reloadable), void *arg)
{
    size_t count = 0;
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
        if (strcmp(a->own->slots[i].text, b->own->slots[i].text) == 0)
            continue;
        count++;
        changed(arg, conf_keys[i].path, conf_keys[i].reloadable);
    }
    return count;
}
