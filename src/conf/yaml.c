/*
 * The file: libyaml's events against the table of keys. Nothing is built in memory but the values, and reading goes on
 * after an error, so that all of them are told. Only a broken syntax, or nesting without end, ends it early.
 */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/utf8.h"
#include "conf/internal.h"

/* Items of a list that are looked at; no key takes more. */
#define ITEMS_MAX 1024

struct reader {
    yaml_parser_t parser;
    struct conf *c;
    struct conf_errors *errs;
    bool stopped;                                       /* no event can come any more */
    unsigned key_line[CONF_KEY_COUNT];                  /* where a key was given, 0: not yet */
    unsigned section_line[CONF_KEY_COUNT][CONF_LEVELS]; /* by the section's first key and level */
};

static struct conf_place place_of(yaml_mark_t mark)
{
    return (struct conf_place){ CONF_FILE, (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

/* ------------------------------------------------------------------------------------------------ events */

static void report_syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct conf_place place = place_of(p->problem_mark);
    if (p->error == YAML_MEMORY_ERROR)
        conf_errors_add(r->errs, &place, "out of memory");
    else if (p->context != NULL && p->context_mark.line != p->problem_mark.line)
        conf_errors_add(r->errs, &place, "%s (%s in line %zu)", p->problem, p->context, p->context_mark.line + 1);
    else
        conf_errors_add(r->errs, &place, "%s", p->problem != NULL ? p->problem : "this is not YAML");
}

/* Anchors, aliases and tags make other things of a value than what stands there. */
static void report_extras(struct reader *r, const yaml_event_t *e)
{
    const struct conf_place place = place_of(e->start_mark);
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT)
        anchor = e->data.scalar.anchor, tag = e->data.scalar.tag;
    else if (e->type == YAML_SEQUENCE_START_EVENT)
        anchor = e->data.sequence_start.anchor, tag = e->data.sequence_start.tag;
    else if (e->type == YAML_MAPPING_START_EVENT)
        anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag;
    if (anchor != NULL)
        conf_errors_add(r->errs, &place, "anchors (&%.40s) are not supported", (const char *)anchor);
    if (tag != NULL)
        conf_errors_add(r->errs, &place, "tags (%.40s) are not supported", (const char *)tag);
    if (e->type == YAML_ALIAS_EVENT)
        conf_errors_add(r->errs, &place, "aliases (*%.40s) are not supported", (const char *)e->data.alias.anchor);
}

/* The next event, to be released with yaml_event_delete(); YAML_NO_EVENT at an error, and ever after. */
static void next(struct reader *r, yaml_event_t *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (r->stopped)
        return;
    if (!yaml_parser_parse(&r->parser, ret)) {
        memset(ret, 0, sizeof(*ret));
        r->stopped = true;
        report_syntax(r);
        return;
    }
    report_extras(r, ret);
}

static bool starts(const yaml_event_t *e)
{
    return e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT;
}

static bool ends(const yaml_event_t *e)
{
    return e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT;
}

/* Passes over the rest of a node whose first event is `e`. */
static void skip(struct reader *r, const yaml_event_t *e, unsigned level)
{
    unsigned depth = starts(e) ? 1 : 0;
    while (depth > 0 && !r->stopped) {
        yaml_event_t inner;
        next(r, &inner);
        const struct conf_place place = place_of(inner.start_mark);
        depth = starts(&inner) ? depth + 1 : ends(&inner) ? depth - 1 : depth;
        yaml_event_delete(&inner);
        if (depth + level > CONF_DEPTH_MAX) {
            conf_errors_add(r->errs, &place, "nested deeper than %d levels", CONF_DEPTH_MAX);
            r->stopped = true;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ values */

static bool is_null(const yaml_event_t *e)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };
    if (e->type != YAML_SCALAR_EVENT || e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp((const char *)e->data.scalar.value, words[i]) == 0)
            return true;
    return false;
}

/* The scalar as an item; false (told) if it cannot be one. */
static bool take_item(struct reader *r, const struct conf_key *key, const yaml_event_t *e, struct conf_item *ret)
{
    const struct conf_place place = place_of(e->start_mark);
    if (e->type == YAML_ALIAS_EVENT)
        return false;
    if (e->type != YAML_SCALAR_EVENT) {
        conf_errors_key(r->errs, &place, key, "%s is expected, not a %s", key->type->what,
                        e->type == YAML_SEQUENCE_START_EVENT ? "list" : "section");
        return false;
    }
    const char *text = (const char *)e->data.scalar.value;
    if (memchr(text, '\0', e->data.scalar.length) != NULL) {
        conf_errors_key(r->errs, &place, key, "the text has a control character");
        return false;
    }
    ret->place = place;
    ret->text = conf_mem_text(&r->c->own->mem, text, e->data.scalar.length);
    if (ret->text == NULL)
        conf_errors_key(r->errs, &place, key, "out of memory");
    return ret->text != NULL;
}

static void read_list(struct reader *r, const struct conf_key *key, const yaml_event_t *start, unsigned level)
{
    const struct conf_place place = place_of(start->start_mark);
    struct conf_item *items = conf_mem_get(&r->c->own->mem, ITEMS_MAX * sizeof(*items));
    size_t n = 0, kept = 0;
    for (;; n++) {
        yaml_event_t e;
        next(r, &e);
        bool last = e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_NO_EVENT;
        if (!last && items != NULL && n < ITEMS_MAX && take_item(r, key, &e, &items[kept]))
            kept++;
        if (!last)
            skip(r, &e, level + 1);
        yaml_event_delete(&e);
        if (last)
            break;
    }
    if (items == NULL)
        conf_errors_key(r->errs, &place, key, "out of memory");
    else if (n > ITEMS_MAX)
        conf_errors_key(r->errs, &place, key, "%zu values are out of range (at most %llu)", n,
                        (unsigned long long)key->max);
    else if (!r->stopped)
        conf_assign(r->c, key, items, kept, &place, r->errs); /* fewer than there were: for their errors */
}

/* A key and the first event of its value. */
static void read_value(struct reader *r, const struct conf_key *key, const yaml_event_t *e, unsigned level)
{
    const struct conf_place place = place_of(e->start_mark);
    struct conf_item item;
    if (is_null(e))
        return;
    if (key->type->list && e->type == YAML_SEQUENCE_START_EVENT) {
        read_list(r, key, e, level);
        return;
    }
    if (key->type->list && e->type != YAML_ALIAS_EVENT)
        conf_errors_key(r->errs, &place, key, "a list is expected, such as [A, B]");
    else if (take_item(r, key, e, &item))
        conf_assign(r->c, key, &item, 1, &item.place, r->errs);
    skip(r, e, level);
}

/* ------------------------------------------------------------------------------------------------ sections */

static void read_section(struct reader *r, const char *prefix, unsigned level);

/* The section `path` and the first event of what is in it. */
static void enter_section(struct reader *r, const char *path, const yaml_event_t *e, unsigned level)
{
    const struct conf_place place = place_of(e->start_mark);
    if (is_null(e))
        return;
    if (e->type == YAML_MAPPING_START_EVENT) {
        read_section(r, path, level);
        return;
    }
    if (e->type != YAML_ALIAS_EVENT)
        conf_errors_add(r->errs, &place, "%s: this is a section, its keys stand below it and indented", path);
    skip(r, e, level);
}

static bool seen(struct reader *r, unsigned *line, const char *path, const struct conf_place *place)
{
    if (*line != 0)
        conf_errors_add(r->errs, place, "%s: given twice, first in line %u", path, *line);
    bool twice = *line != 0;
    *line = place->line;
    return twice;
}

static void report_unknown(struct reader *r, const char *prefix, const char *name, const struct conf_place *place)
{
    char near[CONF_PATH_MAX];
    const char *dot = prefix[0] != '\0' ? "." : "";
    if (conf_key_suggest(prefix, name, near))
        conf_errors_add(r->errs, place, "%s%s%.60s: unknown key, did you mean %s?", prefix, dot, name, near);
    else
        conf_errors_add(r->errs, place, "%s%s%.60s: unknown key", prefix, dot, name);
}

/* One name in the section `prefix` and its value. */
static void read_entry(struct reader *r, const char *prefix, const yaml_event_t *name_event, unsigned level)
{
    const struct conf_place place = place_of(name_event->start_mark);
    const char *name = (const char *)name_event->data.scalar.value;
    char path[CONF_PATH_MAX];
    yaml_event_t e;
    next(r, &e);
    if (e.type == YAML_NO_EVENT)
        return;
    int n = snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", name);
    /* A name with a dot in it is none of ours: the dots of paths stand for sections. */
    bool fits = n > 0 && (size_t)n < sizeof(path) && strchr(name, '.') == NULL && name[0] != '\0';
    const struct conf_key *key = fits ? conf_key_find(path) : NULL;
    const struct conf_key *first = fits ? conf_key_section(path) : NULL;
    if (key != NULL && !seen(r, &r->key_line[key - conf_keys], path, &place))
        read_value(r, key, &e, level);
    else if (first != NULL && !seen(r, &r->section_line[first - conf_keys][level - 1], path, &place))
        enter_section(r, path, &e, level + 1);
    else {
        if (key == NULL && first == NULL)
            report_unknown(r, prefix, name, &place);
        skip(r, &e, level);
    }
    yaml_event_delete(&e);
}

/* The entries of a mapping whose start was read. Goes down only into sections that exist: at most CONF_LEVELS deep. */
static void read_section(struct reader *r, const char *prefix, unsigned level)
{
    for (;;) {
        yaml_event_t e;
        next(r, &e);
        const struct conf_place place = place_of(e.start_mark);
        bool last = e.type == YAML_MAPPING_END_EVENT || e.type == YAML_NO_EVENT;
        if (e.type == YAML_SCALAR_EVENT) {
            read_entry(r, prefix, &e, level);
        } else if (!last) {
            yaml_event_t value;
            if (e.type != YAML_ALIAS_EVENT)
                conf_errors_add(r->errs, &place, "a key is expected, not a list or section");
            skip(r, &e, level);
            next(r, &value);
            skip(r, &value, level);
            yaml_event_delete(&value);
        }
        yaml_event_delete(&e);
        if (last)
            return;
    }
}

/* ------------------------------------------------------------------------------------------------ document */

static void read_root(struct reader *r, const yaml_event_t *e)
{
    const struct conf_place place = place_of(e->start_mark);
    if (is_null(e))
        return;
    if (e->type == YAML_MAPPING_START_EVENT) {
        read_section(r, "", 1);
        return;
    }
    if (e->type != YAML_ALIAS_EVENT && e->type != YAML_NO_EVENT)
        conf_errors_add(r->errs, &place, "keys are expected, such as 'data: /var/lib/hepcat'");
    skip(r, e, 1);
}

/* Stream start, at most one document, stream end. */
static void read_stream(struct reader *r)
{
    unsigned documents = 0;
    for (bool last = false; !last && !r->stopped;) {
        yaml_event_t e;
        next(r, &e);
        const struct conf_place place = place_of(e.start_mark);
        last = e.type == YAML_STREAM_END_EVENT;
        if (e.type == YAML_DOCUMENT_START_EVENT && documents++ > 0) {
            conf_errors_add(r->errs, &place, "a second document ('---') is not supported");
            last = true;
        } else if (starts(&e) || e.type == YAML_SCALAR_EVENT || e.type == YAML_ALIAS_EVENT) {
            read_root(r, &e);
        }
        yaml_event_delete(&e);
    }
}

static bool allowed(const char *text, size_t n)
{
    unsigned char c = (unsigned char)text[0];
    return n > 0 && (c >= 0x20 || c == '\t' || c == '\n' || c == '\r') && c != 0x7f;
}

/* libyaml tells no line of octets that it does not take: they are found here, before it sees them. */
static bool readable(const char *text, size_t len, struct conf_errors *errs)
{
    struct conf_place place = { CONF_FILE, 1, 1 };
    for (size_t i = 0; i < len;) {
        size_t n = utf8_char((const uint8_t *)text + i, len - i);
        if (!allowed(text + i, n)) {
            conf_errors_add(errs, &place, n == 0 ? "this is not UTF-8" : "a control character");
            return false;
        }
        place.column = text[i] == '\n' ? 1 : place.column + 1;
        place.line += text[i] == '\n' ? 1 : 0;
        i += n;
    }
    return true;
}

void conf_read_yaml(struct conf *c, const char *text, size_t len, struct conf_errors *errs)
{
    struct reader r = { .c = c, .errs = errs };
    if (len > CONF_FILE_MAX) {
        conf_errors_add(errs, NULL, "the file is larger than %zu octets", CONF_FILE_MAX);
        return;
    }
    if (!readable(text, len, errs))
        return;
    if (!yaml_parser_initialize(&r.parser)) {
        conf_errors_add(errs, NULL, "out of memory");
        return;
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(len > 0 ? text : ""), len);
    read_stream(&r);
    yaml_parser_delete(&r.parser);
}
