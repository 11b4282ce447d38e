#include <string.h>

#include "api/internal.h"

static const char *const search_params[] = { "q",       "from",    "to",    "limit",  "order",   "reverse", "after",
                                             "columns", "payload", "total", "format", "timeout", NULL };
static const char *const live_params[] = { "q", "columns", "payload", "rate", NULL };
static const char *const counts_params[] = { "of", "q", "from", "to", "interval", "by", "top", "timeout", NULL };
static const char *const values_params[] = { "of", "field", "prefix", "q", "from", "to", "limit", "timeout", NULL };
static const char *const sql_params[] = { "limit", "timeout", NULL };
static const char *const flow_params[] = { "call_id", "legs",    "media",   "from",   "to", "limit",
                                           "after",   "columns", "payload", "format", NULL };
static const char *const diagnosis_params[] = { "legs", "from", "to", NULL };
static const char *const kpi_params[] = { "q", "from", "to", "by", "prefix", "groups", "step", "timeout", NULL };
static const char *const call_params[] = { "timeout", NULL };
static const char *const message_params[] = { "seq", "ts", "raw", NULL };

static const char *const export_params[] = { "q",     "call_id", "calls",   "legs",    "from",    "to",      "limit",
                                             "order", "format",  "columns", "payload", "partial", "timeout", NULL };

static const char *const registrations_params[] = { "aor", "state", "limit", NULL };

static const char *const senders_params[] = { "limit", NULL };

static const char *const page_params[] = { "q", "span", "call", NULL }; /* read by the page */

/*
 * A path of several methods has a row for each. The first row that fits counts: "{name}" in a path is any text, even
 * one with slashes, as Call-IDs may have, but not an empty one.
 */
static const struct api_route routes[] = {
    { .path = "/", .method = "GET", .params = page_params, .handle = api_get_page },
    { .path = "/app.js", .method = "GET", .handle = api_get_page },
    { .path = "/app.css", .method = "GET", .handle = api_get_page },
    { .path = "/live.js", .method = "GET", .handle = api_get_page },
    { .path = "/shared.js", .method = "GET", .handle = api_get_page },
    { .path = "/icon.svg", .method = "GET", .handle = api_get_page },
    { .path = "/api/v1/openapi.yaml", .method = "GET", .handle = api_get_page },
    { .path = "/health", .method = "GET", .kind = API_KIND_STATE, .open = true, .handle = api_get_health },
    { .path = "/ready", .method = "GET", .kind = API_KIND_STATE, .open = true, .handle = api_get_ready },
    { .path = "/metrics", .method = "GET", .kind = API_KIND_STATE, .handle = api_get_metrics },
    { .path = "/api/v1/search", .method = "GET", .params = search_params, .handle = api_get_search },
    { .path = "/api/v1/search", .method = "POST", .form = search_params, .handle = api_get_search },
    { .path = "/api/v1/calls", .method = "GET", .params = search_params, .handle = api_get_calls },
    { .path = "/api/v1/calls", .method = "POST", .form = search_params, .handle = api_get_calls },
    { .path = "/api/v1/registrations",
      .method = "GET",
      .params = registrations_params,
      .handle = api_get_registrations },
    { .path = "/api/v1/registrations/attempts", .method = "GET", .params = search_params, .handle = api_get_attempts },
    { .path = "/api/v1/registrations/attempts", .method = "POST", .form = search_params, .handle = api_get_attempts },
    { .path = "/api/v1/live", .method = "GET", .kind = API_KIND_LIVE, .params = live_params, .handle = api_get_live },
    { .path = "/api/v1/live", .method = "POST", .kind = API_KIND_LIVE, .form = live_params, .handle = api_get_live },
    { .path = "/api/v1/counts", .method = "GET", .params = counts_params, .handle = api_get_counts },
    { .path = "/api/v1/counts", .method = "POST", .form = counts_params, .handle = api_get_counts },
    { .path = "/api/v1/kpi", .method = "GET", .params = kpi_params, .handle = api_get_kpi },
    { .path = "/api/v1/values", .method = "GET", .params = values_params, .handle = api_get_values },
    { .path = "/api/v1/fields", .method = "GET", .handle = api_get_fields },
    { .path = "/api/v1/flow", .method = "GET", .params = flow_params, .handle = api_get_flow },
    { .path = "/api/v1/calls/{call_id}/diagnosis",
      .method = "GET",
      .params = diagnosis_params,
      .handle = api_get_diagnosis },
    { .path = "/api/v1/calls/{call_id}", .method = "GET", .params = call_params, .handle = api_get_call },
    { .path = "/api/v1/message", .method = "GET", .params = message_params, .handle = api_get_message },
    { .path = "/api/v1/export",
      .method = "GET",
      .kind = API_KIND_EXPORT,
      .params = export_params,
      .handle = api_get_export },
    { .path = "/api/v1/export",
      .method = "POST",
      .kind = API_KIND_EXPORT,
      .form = export_params,
      .handle = api_get_export },
    { .path = "/api/v1/senders", .method = "GET", .params = senders_params, .handle = api_get_senders },
    { .path = "/api/v1/sql",
      .method = "POST",
      .params = sql_params,
      .handle = api_post_sql,
      .begin = api_sql_begin,
      .body = api_sql_body,
      .end = api_sql_end },
    { .path = "/api/v1/shared", .method = "GET", .handle = api_get_shared },
    { .path = "/api/v1/shared",
      .method = "POST",
      .handle = api_post_shared,
      .begin = api_shared_begin,
      .body = api_shared_body,
      .end = api_shared_end },
    { .path = "/api/v1/import",
      .method = "POST",
      .handle = api_post_import,
      .begin = api_import_begin,
      .body = api_import_body,
      .end = api_import_end },
};

/* True if the path is of this form; the part that stands for "{name}". */
static bool path_fits(const char *form, const char *path, const char **ret_value, size_t *ret_len)
{
    const char *open = strchr(form, '{');
    size_t before = open == NULL ? strlen(form) : (size_t)(open - form);
    const char *behind = open == NULL ? "" : strchr(open, '}') + 1;
    size_t len = strlen(path), end = strlen(behind);
    if (open == NULL)
        return strcmp(form, path) == 0;
    if (len <= before + end || memcmp(form, path, before) != 0 || strcmp(path + len - end, behind) != 0)
        return false;
    *ret_value = path + before;
    *ret_len = len - before - end;
    return true;
}

const char *api_path_value(const struct api_request *r, size_t *ret_len)
{
    const char *value = NULL;
    *ret_len = 0;
    (void)path_fits(r->route->path, r->path, &value, ret_len);
    return value;
}

const struct api_route *api_route_find(const char *path, const char *method, const char **ret_allow)
{
    const char *value;
    size_t len;
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!path_fits(routes[i].path, path, &value, &len))
            continue;
        if (strcmp(routes[i].method, method) == 0)
            return &routes[i];
        const char *more = strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method;
        *ret_allow = *ret_allow == NULL ? more : "GET, HEAD, POST";
    }
    return NULL;
}
