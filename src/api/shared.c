#include "api/shared.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/json_out.h"

#define NAME    "SHARED.json"
#define BAD     "SHARED.json.bad"
#define PARTIAL "SHARED.json.new"

/* Both keep the order in which keys were first set. */
struct content {
    json_t *aliases;  /* address: name */
    json_t *searches; /* "page\nname": filter */
};

struct shared {
    const struct vfs *vfs;
    char path[VFS_PATH_MAX], partial[VFS_PATH_MAX], bad[VFS_PATH_MAX];
    pthread_mutex_t lock; /* of content, and of the file */
    struct content content;
};

static void content_free(struct content *c)
{
    json_decref(c->aliases);
    json_decref(c->searches);
    *c = (struct content){ 0 };
}

static bool content_copy(struct content *to, const struct content *from)
{
    *to = (struct content){ from->aliases == NULL ? json_object() : json_copy(from->aliases),
                            from->searches == NULL ? json_object() : json_copy(from->searches) };
    return to->aliases != NULL && to->searches != NULL;
}

/* ------------------------------------------------------------------------------------------------ checks */

static int wrong(struct errmsg *err, const char *what, size_t i, const char *text)
{
    (void)errmsg_set(err, "%s, number %zu: %s", what, i + 1, text);
    return -EINVAL;
}

/* A text of 1 (or `least`) to `most` octets without control characters: the separators of keys are some. */
static bool is_text(const json_t *j, size_t least, size_t most)
{
    const char *text = json_string_value(j);
    size_t len = json_string_length(j);
    if (text == NULL || len < least || len > most)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

/* The form that is the same for all ways to write an address. */
static bool canonical(const char *text, char *out, size_t size)
{
    char host[256], addr[IP_TEXT_MAX];
    struct ip_net net;
    struct hep_addr a;
    uint16_t port;
    if (ip_net_parse(text, &net)) {
        unsigned most = net.addr.len == 4 ? 32 : 128;
        (void)ip_format(&net.addr, addr);
        if (net.bits == most)
            (void)snprintf(out, size, "%s", addr);
        else
            (void)snprintf(out, size, "%s/%u", addr, net.bits);
        return true;
    }
    if (!ip_host_port(text, host, &port, 0) || !ip_parse(host, strlen(host), &a))
        return false;
    (void)ip_format(&a, addr);
    (void)snprintf(out, size, a.len == 4 ? "%s:%u" : "[%s]:%u", addr, port);
    return true;
}

static int address_of(const json_t *j, char *out, size_t size, size_t i, struct errmsg *err)
{
    if (!is_text(j, 1, SHARED_ADDRESS_MAX) || !canonical(json_string_value(j), out, size))
        return wrong(err, "aliases", i, "that is no address, address with a port, or network");
    return 0;
}

#define KEY_MAX (SHARED_PAGE_MAX + SHARED_NAME_MAX + 2)

static int key_of(const json_t *page, const json_t *name, char out[KEY_MAX], size_t i, struct errmsg *err)
{
    if (!is_text(page, 1, SHARED_PAGE_MAX) || !is_text(name, 1, SHARED_NAME_MAX))
        return wrong(err, "searches", i, "a page and a name are needed, of 32 and 128 octets at most");
    (void)snprintf(out, KEY_MAX, "%s\n%s", json_string_value(page), json_string_value(name));
    return 0;
}

static int put(json_t *object, const char *key, json_t *value, struct errmsg *err)
{
    if (json_object_set(object, key, value) == 0)
        return 0;
    (void)errmsg_set(err, "out of memory");
    return -ENOMEM;
}

/* ------------------------------------------------------------------------------------------------ changes */

typedef int apply_fn(struct content *c, json_t *item, size_t i, struct errmsg *err);

static int set_alias(struct content *c, json_t *item, size_t i, struct errmsg *err)
{
    json_t *address, *name;
    char key[SHARED_ADDRESS_MAX + 16];
    if (json_unpack_ex(item, NULL, JSON_STRICT, "{s:o,s:o}", "address", &address, "name", &name) != 0)
        return wrong(err, "aliases", i, "an object of an address and a name is needed");
    int rc = address_of(address, key, sizeof(key), i, err);
    if (rc == 0 && !is_text(name, 1, SHARED_NAME_MAX))
        rc = wrong(err, "aliases", i, "a name of 1 to 128 octets is needed");
    return rc == 0 ? put(c->aliases, key, name, err) : rc;
}

static int remove_alias(struct content *c, json_t *item, size_t i, struct errmsg *err)
{
    char key[SHARED_ADDRESS_MAX + 16];
    int rc = address_of(item, key, sizeof(key), i, err);
    if (rc == 0)
        (void)json_object_del(c->aliases, key);
    return rc;
}

static int set_search(struct content *c, json_t *item, size_t i, struct errmsg *err)
{
    json_t *page, *name, *q;
    char key[KEY_MAX];
    if (json_unpack_ex(item, NULL, JSON_STRICT, "{s:o,s:o,s:o}", "page", &page, "name", &name, "q", &q) != 0)
        return wrong(err, "searches", i, "an object of page, name and q is needed");
    int rc = key_of(page, name, key, i, err);
    if (rc == 0 && !is_text(q, 0, SHARED_FILTER_MAX))
        rc = wrong(err, "searches", i, "q is a filter of 8192 octets at most");
    return rc == 0 ? put(c->searches, key, q, err) : rc;
}

static int remove_search(struct content *c, json_t *item, size_t i, struct errmsg *err)
{
    json_t *page, *name;
    char key[KEY_MAX];
    if (json_unpack_ex(item, NULL, JSON_STRICT, "{s:o,s:o}", "page", &page, "name", &name) != 0)
        return wrong(err, "searches", i, "an object of page and name is needed");
    int rc = key_of(page, name, key, i, err);
    if (rc == 0)
        (void)json_object_del(c->searches, key);
    return rc;
}

static int each(struct content *c, json_t *list, apply_fn *apply, const char *what, struct errmsg *err)
{
    int rc = 0;
    if (list != NULL && !json_is_array(list)) {
        (void)errmsg_set(err, "%s: a list is needed", what);
        return -EINVAL;
    }
    for (size_t i = 0; i < json_array_size(list) && rc == 0; i++)
        rc = apply(c, json_array_get(list, i), i, err);
    return rc;
}

static int apply_part(struct content *c, json_t *part, const char *what, apply_fn *set, apply_fn *unset,
                      struct errmsg *err)
{
    json_t *wanted = NULL, *unwanted = NULL;
    json_error_t bad;
    if (part == NULL)
        return 0;
    if (json_unpack_ex(part, &bad, JSON_STRICT, "{s?o,s?o}", "set", &wanted, "remove", &unwanted) != 0) {
        (void)errmsg_set(err, "%s: an object of \"set\" and \"remove\" is needed: %s", what, bad.text);
        return -EINVAL;
    }
    int rc = each(c, unwanted, unset, what, err);
    return rc == 0 ? each(c, wanted, set, what, err) : rc;
}

static int too_much(struct errmsg *err, const char *what, size_t most)
{
    (void)errmsg_set(err, "more than %zu %s", most, what);
    return -E2BIG;
}

static int apply(struct content *c, json_t *change, struct errmsg *err)
{
    json_t *aliases = NULL, *searches = NULL;
    json_error_t bad;
    if (json_unpack_ex(change, &bad, JSON_STRICT, "{s?o,s?o}", "aliases", &aliases, "searches", &searches) != 0) {
        (void)errmsg_set(err, "an object of \"aliases\" and \"searches\" is needed: %s", bad.text);
        return -EINVAL;
    }
    int rc = apply_part(c, aliases, "aliases", set_alias, remove_alias, err);
    if (rc == 0)
        rc = apply_part(c, searches, "searches", set_search, remove_search, err);
    if (rc == 0 && json_object_size(c->aliases) > SHARED_ALIASES_MAX)
        rc = too_much(err, "aliases", SHARED_ALIASES_MAX);
    if (rc == 0 && json_object_size(c->searches) > SHARED_SEARCHES_MAX)
        rc = too_much(err, "searches", SHARED_SEARCHES_MAX);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ the document */

static void show_aliases(struct buf *out, json_t *aliases)
{
    const char *address;
    json_t *name;
    bool first = true;
    json_object_foreach(aliases, address, name)
    {
        buf_printf(out, "%s{\"address\":\"%s\",\"name\":", first ? "" : ",", address);
        json_out_text(out, json_string_value(name));
        buf_putc(out, '}');
        first = false;
    }
}

static void show_searches(struct buf *out, json_t *searches)
{
    const char *key;
    json_t *q;
    bool first = true;
    json_object_foreach(searches, key, q)
    {
        size_t page = strcspn(key, "\n");
        buf_printf(out, "%s{\"page\":", first ? "" : ",");
        (void)json_out_string(out, (const uint8_t *)key, page);
        buf_printf(out, ",\"name\":");
        json_out_text(out, key + page + 1);
        buf_printf(out, ",\"q\":");
        json_out_text(out, json_string_value(q));
        buf_putc(out, '}');
        first = false;
    }
}

static void show(const struct content *c, struct buf *out)
{
    buf_printf(out, "{\"aliases\":[");
    show_aliases(out, c->aliases);
    buf_printf(out, "],\"searches\":[");
    show_searches(out, c->searches);
    buf_printf(out, "]}");
}

void shared_show(struct shared *s, struct buf *out)
{
    pthread_mutex_lock(&s->lock);
    show(&s->content, out);
    pthread_mutex_unlock(&s->lock);
}

/* ------------------------------------------------------------------------------------------------ the file */

static int write_file(struct shared *s, const struct buf *text)
{
    int file = vfs_open(s->vfs, s->partial, VFS_WRITE | VFS_CREATE | VFS_TRUNC);
    if (file < 0)
        return file;
    int rc = vfs_write_at(s->vfs, file, text->ptr, text->len, 0);
    if (rc == 0)
        rc = vfs_sync(s->vfs, file);
    int closed = vfs_close(s->vfs, file);
    if (rc == 0)
        rc = closed;
    return rc == 0 ? vfs_publish(s->vfs, s->partial, s->path) : rc;
}

static int save(struct shared *s, const struct content *c, struct errmsg *err)
{
    struct buf text;
    buf_init(&text, SHARED_MAX);
    show(c, &text);
    int rc = text.failed ? too_much(err, "octets in all", SHARED_MAX) : 0;
    if (rc == 0 && (rc = write_file(s, &text)) != 0)
        (void)errmsg_set(err, "%s: %s", s->path, strerror(-rc));
    buf_free(&text);
    return rc;
}

int shared_change(struct shared *s, const void *json, size_t len, struct errmsg *err)
{
    json_error_t bad;
    struct content next = { 0 };
    json_t *change = json_loadb(json, len, JSON_REJECT_DUPLICATES, &bad);
    if (change == NULL) {
        (void)errmsg_set(err, "that is no JSON: %s, at octet %d", bad.text, bad.position);
        return -EINVAL;
    }
    pthread_mutex_lock(&s->lock);
    int rc = content_copy(&next, &s->content) ? apply(&next, change, err) : -ENOMEM;
    if (rc == 0)
        rc = save(s, &next, err);
    if (rc == 0) {
        struct content old = s->content;
        s->content = next;
        next = old;
    }
    pthread_mutex_unlock(&s->lock);
    content_free(&next);
    json_decref(change);
    return rc;
}

/* The document as a change to nothing. */
static int take_document(struct content *c, const uint8_t *text, size_t len, struct errmsg *err)
{
    json_error_t bad;
    json_t *aliases = NULL, *searches = NULL;
    json_t *all = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, &bad);
    int rc = -EINVAL;
    if (all == NULL)
        (void)errmsg_set(err, "%s", bad.text);
    else if (json_unpack_ex(all, &bad, JSON_STRICT, "{s:o,s:o}", "aliases", &aliases, "searches", &searches) != 0)
        (void)errmsg_set(err, "%s", bad.text);
    else
        rc = each(c, aliases, set_alias, "aliases", err);
    if (rc == 0)
        rc = each(c, searches, set_search, "searches", err);
    json_decref(all);
    return rc;
}

/* -ENOENT: there is none; -EINVAL with a text: it is none of ours. */
static int read_file(struct shared *s, struct errmsg *err)
{
    int file = vfs_open(s->vfs, s->path, VFS_READ);
    if (file < 0)
        return file;
    uint8_t *text = malloc(SHARED_MAX);
    int64_t size = vfs_size(s->vfs, file);
    int64_t n = size < 0 ? size : text == NULL ? -ENOMEM : vfs_read_at(s->vfs, file, text, SHARED_MAX, 0);
    int rc = n < 0 ? (int)n : 0;
    if (rc == 0 && (uint64_t)size > SHARED_MAX) {
        (void)errmsg_set(err, "it has more than %zu octets", SHARED_MAX);
        rc = -EINVAL;
    }
    if (rc == 0)
        rc = take_document(&s->content, text, (size_t)n, err);
    free(text);
    (void)vfs_close(s->vfs, file);
    return rc;
}

static int load(struct shared *s, const char *dir, struct errmsg *err)
{
    struct errmsg why = { "" };
    if (!content_copy(&s->content, &s->content))
        return -ENOMEM;
    int rc = vfs_join(s->path, dir, NAME);
    if (rc == 0)
        rc = vfs_join(s->partial, dir, PARTIAL);
    if (rc == 0)
        rc = vfs_join(s->bad, dir, BAD);
    if (rc == 0)
        rc = read_file(s, &why);
    if (rc == -ENOENT)
        return 0;
    if (rc != -EINVAL)
        return rc;
    content_free(&s->content);
    if (!content_copy(&s->content, &s->content))
        return -ENOMEM;
    rc = vfs_publish(s->vfs, s->path, s->bad);
    (void)errmsg_set(err, "%s was damaged and is %s now: %s", s->path, BAD, why.text);
    return rc;
}

int shared_open(struct shared **ret, const struct vfs *vfs, const char *dir, struct errmsg *err)
{
    struct shared *s = calloc(1, sizeof(*s));
    err->text[0] = '\0';
    if (s == NULL)
        return -ENOMEM;
    s->vfs = vfs;
    (void)pthread_mutex_init(&s->lock, NULL);
    int rc = load(s, dir, err);
    if (rc != 0) {
        (void)errmsg_set(err, "%s/%s: %s", dir, NAME, strerror(-rc));
        shared_close(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void shared_close(struct shared *s)
{
    if (s == NULL)
        return;
    content_free(&s->content);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
