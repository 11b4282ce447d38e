#include "api/gzip.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define LEVEL       1 /* three quarters of what the best level saves, for a fifth of its time */
#define WINDOW_GZIP (15 + 16)
#define STEP        ((size_t)32 << 10)

/* ------------------------------------------------------------------------------------------------ negotiation */

/* "gzip;q=0" refuses it: the weight has a digit other than 0 unless it is nothing. */
static bool has_weight(const char *params, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if ((params[i] != 'q' && params[i] != 'Q') || params[i + 1] != '=')
            continue;
        for (i += 2; i < len && params[i] != ';'; i++)
            if (params[i] >= '1' && params[i] <= '9')
                return true;
        return false;
    }
    return true;
}

bool gzip_accepted(const char *accept_encoding)
{
    const char *at = accept_encoding == NULL ? "" : accept_encoding;
    while (*at != '\0') {
        at += strspn(at, " \t,");
        size_t len = strcspn(at, ",");
        size_t name = strcspn(at, ",; \t");
        if ((name == 4 && strncasecmp(at, "gzip", 4) == 0) || (name == 1 && *at == '*'))
            return has_weight(at + name, len - name);
        at += len;
    }
    return false;
}

bool gzip_pays(const char *type)
{
    static const char *const yes[] = { "application/json",
                                       "application/x-ndjson",
                                       "application/problem+json",
                                       "application/yaml",
                                       "text/plain",
                                       "text/html",
                                       "text/css",
                                       "text/csv",
                                       "text/javascript" };
    size_t len = strcspn(type, ";");
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (strlen(yes[i]) == len && memcmp(yes[i], type, len) == 0)
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------ compressing */

struct gzip {
    z_stream z;
};

struct gzip *gzip_new(void)
{
    struct gzip *g = calloc(1, sizeof(*g));
    if (g == NULL || deflateInit2(&g->z, LEVEL, Z_DEFLATED, WINDOW_GZIP, 8, Z_DEFAULT_STRATEGY) == Z_OK)
        return g;
    free(g);
    return NULL;
}

void gzip_free(struct gzip *g)
{
    if (g == NULL)
        return;
    (void)deflateEnd(&g->z);
    free(g);
}

static bool step(struct gzip *g, int flush, struct buf *out, bool *ret_more)
{
    uint8_t *room = buf_space(out, STEP);
    if (room == NULL)
        return false;
    g->z.next_out = room;
    g->z.avail_out = (uInt)STEP;
    int rc = deflate(&g->z, flush);
    buf_added(out, STEP - g->z.avail_out);
    *ret_more = g->z.avail_out == 0 && rc != Z_STREAM_END;
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR;
}

bool gzip_put(struct gzip *g, const void *data, size_t len, bool last, struct buf *out)
{
    const uint8_t *at = data;
    for (bool end = false; !end;) {
        size_t n = len < UINT_MAX ? len : UINT_MAX;
        bool more = true;
        end = n == len;
        g->z.next_in = (Bytef *)(uintptr_t)at;
        g->z.avail_in = (uInt)n;
        while (more)
            if (!step(g, end && last ? Z_FINISH : Z_NO_FLUSH, out, &more))
                return false;
        at += n;
        len -= n;
    }
    return true;
}
