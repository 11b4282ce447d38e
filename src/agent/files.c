#include "agent/files.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static int add(struct files *f, const char *name, struct errmsg *err)
{
    if (f->count == f->room) {
        size_t room = f->room == 0 ? 16 : f->room * 2;
        char **names = f->room >= FILES_MAX ? NULL : realloc(f->names, room * sizeof(*names));
        if (names == NULL)
            return errmsg_set(err, "%s: too many files", name);
        f->names = names;
        f->room = room;
    }
    f->names[f->count] = strdup(name);
    if (f->names[f->count] == NULL)
        return errmsg_set(err, "out of memory");
    f->count++;
    return 0;
}

static bool ends(const char *name, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len > n && strncasecmp(name + len - n, end, n) == 0;
}

static bool is_capture_name(const char *name)
{
    size_t len = strlen(name);
    if (ends(name, len, ".gz"))
        len -= 3;
    return ends(name, len, ".pcap") || ends(name, len, ".pcapng") || ends(name, len, ".cap");
}

static int capture_filter(const struct dirent *entry)
{
    return is_capture_name(entry->d_name);
}

static int add_directory(struct files *f, const char *dir, struct errmsg *err)
{
    struct dirent **list;
    size_t before = f->count;
    int rc = 0, n = scandir(dir, &list, capture_filter, alphasort);
    if (n < 0)
        return errmsg_set(err, "%s: %s", dir, strerror(errno));
    for (int i = 0; i < n; i++) {
        char path[4096];
        struct stat st;
        int len = snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
        if (rc == 0 && len > 0 && (size_t)len < sizeof(path) && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            rc = add(f, path, err);
        free(list[i]);
    }
    free(list);
    if (rc == 0 && f->count == before)
        return errmsg_set(err, "%s: no file of the names *.pcap, *.pcapng, *.cap or these with .gz", dir);
    return rc;
}

static int add_pattern(struct files *f, const char *pattern, struct errmsg *err)
{
    glob_t g;
    int rc = glob(pattern, 0, NULL, &g);
    if (rc != 0)
        return errmsg_set(err, "%s: %s", pattern, rc == GLOB_NOMATCH ? "no file matches" : "cannot be read");
    for (size_t i = 0; i < g.gl_pathc && rc == 0; i++)
        rc = add(f, g.gl_pathv[i], err);
    globfree(&g);
    return rc;
}

int files_add(struct files *f, const char *word, struct errmsg *err)
{
    struct stat st;
    if (strcmp(word, "-") == 0)
        return add(f, word, err);
    if (stat(word, &st) == 0)
        return S_ISDIR(st.st_mode) ? add_directory(f, word, err) : add(f, word, err);
    if (errno == ENOENT && strpbrk(word, "*?[") != NULL)
        return add_pattern(f, word, err);
    return errmsg_set(err, "%s: %s", word, strerror(errno));
}

void files_free(struct files *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->names[i]);
    free(f->names);
    *f = (struct files){ 0 };
}
