#include <ctype.h>
#include <string.h>

#include "base/near.h"
#include "conf/internal.h"

enum { RESTART, RELOAD };

/* clang-format off */
const struct conf_key conf_keys[CONF_KEY_COUNT] = {
#define ROW(member, path, type, def, min, max, words, reload, help) \
    { path, NULL, &conf_type_##type, offsetof(struct conf, member), def, min, max, words, (reload) != RESTART, help },
#define ROW_F(flag, metavar, member, path, type, def, min, max, words, reload, help) \
    { path, flag, &conf_type_##type, offsetof(struct conf, member), def, min, max, words, (reload) != RESTART, help },
#define ROW_A(flag, letter, metavar, member, path, type, def, min, max, words, reload, help) \
    { path, flag, &conf_type_##type, offsetof(struct conf, member), def, min, max, words, (reload) != RESTART, help },
    CONF_TABLE(ROW, ROW_F, ROW_A)
#undef ROW
#undef ROW_A
#undef ROW_F
};
/* clang-format on */

const char *conf_key_path(enum conf_key_id id)
{
    return conf_keys[id].path;
}

const struct conf_key *conf_key_find(const char *path)
{
    for (size_t i = 0; i < CONF_KEY_COUNT; i++)
        if (strcmp(conf_keys[i].path, path) == 0)
            return &conf_keys[i];
    return NULL;
}

const struct conf_key *conf_key_section(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < CONF_KEY_COUNT; i++)
        if (strncmp(conf_keys[i].path, path, len) == 0 && conf_keys[i].path[len] == '.')
            return &conf_keys[i];
    return NULL;
}

void conf_key_env(const struct conf_key *key, char out[CONF_PATH_MAX + 8])
{
    size_t at = sizeof("HEPCAT_") - 1;
    memcpy(out, "HEPCAT_", at);
    for (const char *p = key->path; *p != '\0' && at < CONF_PATH_MAX + 7; p++)
        out[at++] = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
    out[at] = '\0';
}

/* Keeps the nearest candidate. */
struct nearest {
    size_t distance;
    char *out;
};

static void offer(struct nearest *best, const char *name, const char *path, size_t path_len, const char *part)
{
    size_t distance = near_distance(name, strlen(name), part, strlen(part), best->distance);
    if (distance >= best->distance || path_len >= CONF_PATH_MAX)
        return;
    best->distance = distance;
    memcpy(best->out, path, path_len);
    best->out[path_len] = '\0';
}

/* Offers the part of the path that stands in the section: "interval" and "wal.interval", or "wal" and "wal". */
static void offer_sibling(struct nearest *best, const char *prefix, const char *name, const char *path)
{
    char part[CONF_PATH_MAX];
    size_t skip = strlen(prefix);
    if (skip > 0 && (strncmp(path, prefix, skip) != 0 || path[skip++] != '.'))
        return;
    size_t len = strcspn(path + skip, ".");
    memcpy(part, path + skip, len);
    part[len] = '\0';
    offer(best, name, path, skip + len, part);
}

bool conf_key_suggest(const char *prefix, const char *name, char out[CONF_PATH_MAX])
{
    size_t len = strlen(name);
    struct nearest best = { len < 3 ? 2 : len < 6 ? 3 : 4, out }; /* nearer than this */
    size_t far = best.distance;
    for (size_t i = 0; i < CONF_KEY_COUNT; i++)
        offer_sibling(&best, prefix, name, conf_keys[i].path);
    if (best.distance < far)
        return true;
    /* In the wrong section, or the path in one word. */
    best.distance = 2;
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
        const char *path = conf_keys[i].path, *dot = strrchr(path, '.');
        offer(&best, name, path, strlen(path), path);
        offer(&best, name, path, strlen(path), dot != NULL ? dot + 1 : path);
    }
    return best.distance < 2;
}
