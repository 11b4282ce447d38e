#include "store/lake/duck_api.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libduckdb.so"

/* Folder of this executable, without a slash at its end. */
static int own_folder(char *out, size_t cap)
{
    ssize_t len = readlink("/proc/self/exe", out, cap - 1);
    if (len <= 0)
        return -1;
    out[len] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        return -1;
    *slash = '\0';
    return 0;
}

static void *open_library(const char *path)
{
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static void *open_one(const char *path, struct errmsg *err)
{
    void *library = open_library(path);
    if (library == NULL) {
        const char *why = dlerror();
        (void)errmsg_set(err, "DuckDB's library cannot be loaded: %s", why != NULL ? why : path);
    }
    return library;
}

/* Says what is wrong with a library that is there, and where there is none if there is none. */
static void *search(struct errmsg *err)
{
    static const char *const places[] = { "/" LIBRARY, "/../lib/hepcat/" LIBRARY };
    char folder[PATH_MAX], path[PATH_MAX + 64];
    if (own_folder(folder, sizeof(folder)) != 0) {
        (void)errmsg_set(err, LIBRARY " not found: the folder of the executable is unknown; set HEPCAT_DUCKDB");
        return NULL;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", folder, places[i]);
        if (access(path, F_OK) == 0)
            return open_one(path, err);
    }
    (void)errmsg_set(err, LIBRARY " not found: neither in %s nor in ../lib/hepcat beside it; HEPCAT_DUCKDB is not set",
                     folder);
    return NULL;
}

static int missing(struct errmsg *err, const char *name)
{
    return errmsg_set(err, "DuckDB's library is of another version: it has no %s", name);
}

int duck_api_load(struct duck_api *api, const char *path, struct errmsg *err)
{
    if (path == NULL)
        path = getenv("HEPCAT_DUCKDB");
    void *library = path != NULL && path[0] != '\0' ? open_one(path, err) : search(err);
    if (library == NULL)
        return -1;
        /* POSIX lets an object pointer of dlsym() hold a function; ISO C has no cast for it. */
#define LOAD(result, name, arguments)                                                                                  \
    {                                                                                                                  \
        void *symbol = dlsym(library, "duckdb_" #name);                                                                \
        if (symbol == NULL)                                                                                            \
            return missing(err, "duckdb_" #name);                                                                      \
        memcpy(&api->name, &symbol, sizeof(symbol));                                                                   \
    }
    DUCK_API_FUNCTIONS(LOAD)
#undef LOAD
    return 0;
}
