/* The page at /, its files, and the description of the API: built into the executable. */
#include <string.h>

#include "api/internal.h"

/* Files of the page: what Vite makes of web/. */
#if HEP_WEB
#define WEB_FILES(X)                                                                                                   \
    X(app_js, "/app.js", "text/javascript; charset=utf-8")                                                             \
    X(app_css, "/app.css", "text/css; charset=utf-8") X(live_js, "/live.js", "text/javascript; charset=utf-8")         \
        X(shared_js, "/shared.js", "text/javascript; charset=utf-8") X(icon_svg, "/icon.svg", "image/svg+xml")
#else
#define WEB_FILES(X)
#endif

#define FILES(X)                                                                                                       \
    X(index_html, "/", "text/html; charset=utf-8")                                                                     \
    WEB_FILES(X)                                                                                                       \
    X(api_yaml, "/api/v1/openapi.yaml", "application/yaml; charset=utf-8")

#define DECLARE(name, path, type)                                                                                      \
    extern const unsigned char page_##name[];                                                                          \
    extern const size_t page_##name##_len;                                                                             \
    extern const char page_##name##_etag[];
FILES(DECLARE)
#undef DECLARE

struct file {
    const char *path, *type;
    const unsigned char *octets;
    const size_t *len;
    const char *etag;
};

static const struct file files[] = {
#define ROW(name, path, type) { path, type, page_##name, &page_##name##_len, page_##name##_etag },
    FILES(ROW)
#undef ROW
};

void api_get_page(struct api_request *r, struct api_reply *reply)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strcmp(files[i].path, r->route->path) != 0)
            continue;
        reply->type = files[i].type;
        reply->html = true;
        reply->etag = files[i].etag;
        buf_put(&reply->body, files[i].octets, *files[i].len);
        return;
    }
    (void)api_problem(reply, 404, "this hepcat was built without its web page");
}
