/* The configuration for people: the file of defaults, and the values with where they came from. */
#include <stdio.h>
#include <string.h>

#include "conf/internal.h"

#define MASK "********"

/* ------------------------------------------------------------------------------------------------ defaults */

/* "# what it is  [limits; needs a restart]" */
static void print_help(const struct conf_key *key, size_t indent, struct buf *out)
{
    struct buf limits;
    buf_init(&limits, 256);
    conf_key_limits(key, &limits);
    buf_printf(out, "%*s# %s", (int)indent, "", key->help);
    if (limits.len > 0)
        buf_printf(out, " [%.*s]", (int)limits.len, (const char *)limits.ptr);
    buf_puts(out, key->reloadable ? "\n" : " (restart)\n");
    buf_free(&limits);
}

static void print_default(const struct conf_key *key, const char *name, size_t indent, struct buf *out)
{
    print_help(key, indent, out);
    buf_printf(out, "%*s%s:", (int)indent, "", name);
    if (!key->type->list || key->def[0] == '\0') {
        buf_printf(out, "%s%s\n", key->def[0] != '\0' ? " " : "", key->def);
        return;
    }
    buf_putc(out, '\n');
    for (const char *item = key->def; *item != '\0';) {
        size_t len = strcspn(item, ",");
        buf_printf(out, "%*s- %.*s\n", (int)indent + 2, "", (int)len, item);
        item += len + (item[len] == ',' ? 1 : 0);
    }
}

/* Prints the names of the sections of `path` that are not those of `last`; returns where the key's own name begins. */
static const char *open_sections(const char *path, const char *last, struct buf *out, size_t *ret_indent)
{
    size_t indent = 0;
    bool same = true;
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1, indent += 2) {
        size_t len = (size_t)(dot - path) + 1;
        same = same && strncmp(path, last, len) == 0;
        if (!same)
            buf_printf(out, "%s%*s%.*s:\n", indent == 0 ? "\n" : "", (int)indent, "", (int)len - 1, path);
        last += same ? len : 0;
    }
    *ret_indent = indent;
    return path;
}

void conf_print_defaults(struct buf *out)
{
    buf_puts(out,
             "# hepcat: every key with its default. Any of them can be left out; a key without a value is not set.\n"
             "# Sizes: kB, MB, GB, TB (1000) and KiB, MiB, GiB, TiB (1024). Durations: us, ms, s, min, h, d, w.\n"
             "# A key is also an environment variable: wal.interval is HEPCAT_WAL_INTERVAL, lists with commas.\n"
             "# SIGHUP reads the file again; what is marked (restart) waits for the next start.\n\n");
    const char *last = "";
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
        size_t indent;
        const char *name = open_sections(conf_keys[i].path, last, out, &indent);
        print_default(&conf_keys[i], name, indent, out);
        last = conf_keys[i].path;
    }
}

/* ------------------------------------------------------------------------------------------------ values */

static void print_text(const struct conf_key *key, const char *text, struct buf *out)
{
    if (text[0] == '\0')
        buf_puts(out, "-");
    for (;;) {
        size_t len = strcspn(text, "\n");
        if (key->type->secret && len > 0)
            buf_puts(out, MASK);
        else
            buf_put(out, text, len);
        if (text[len] == '\0')
            return;
        buf_puts(out, ", ");
        text += len + 1;
    }
}

static void print_origin(const struct conf *c, const struct conf_key *key, struct buf *out)
{
    const struct conf_place *place = &c->own->slots[key - conf_keys].place;
    char env[CONF_PATH_MAX + 8];
    switch (place->source) {
    case CONF_DEFAULT:
        buf_puts(out, "default");
        break;
    case CONF_FILE:
        buf_printf(out, "%s:%u", c->own->file != NULL ? c->own->file : "file", place->line);
        break;
    case CONF_ENVIRONMENT:
        conf_key_env(key, env);
        buf_printf(out, "environment %s", env);
        break;
    case CONF_FLAG:
        buf_printf(out, "flag --%s", key->flag != NULL ? key->flag : "?");
        break;
    }
}

static void pad(size_t len, size_t width, struct buf *out)
{
    buf_printf(out, "%*s", (int)(len < width ? width - len : 0) + 2, "");
}

void conf_print(const struct conf *c, struct buf *out)
{
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
        buf_puts(out, conf_keys[i].path);
        pad(strlen(conf_keys[i].path), 22, out);
        size_t before = out->len;
        print_text(&conf_keys[i], c->own->slots[i].text, out);
        pad(out->len - before, 24, out);
        print_origin(c, &conf_keys[i], out);
        buf_putc(out, '\n');
    }
}
