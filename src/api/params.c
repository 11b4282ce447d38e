#include <stdio.h>
#include <string.h>

#include "api/internal.h"
#include "base/near.h"
#include "base/num.h"
#include "base/when.h"

#define DAY_US INT64_C(86400000000) /* longer times are refused, unless the parameter may be longer */

struct check {
    const char *const *known; /* NULL: none */
    struct api_reply *reply;
    const char *seen[API_VALUES_MAX];
    size_t count;
    bool ok;
};

static bool is_known(const struct check *c, const char *name)
{
    for (const char *const *p = c->known; p != NULL && *p != NULL; p++)
        if (strcmp(*p, name) == 0)
            return true;
    return false;
}

static bool unknown(struct check *c, const char *name)
{
    static const char *const none[] = { NULL };
    const char *near = near_word(name, strlen(name), c->known == NULL ? none : c->known);
    return near == NULL ? api_problem(c->reply, 400, "unknown parameter '%.64s'", name)
                        : api_problem(c->reply, 400, "unknown parameter '%.64s', did you mean '%s'?", name, near);
}

static bool check_one(struct check *c, const char *name, size_t name_len, const char *value, size_t len)
{
    if (strlen(name) != name_len || !is_known(c, name))
        return unknown(c, name);
    if (value != NULL && strlen(value) != len)
        return api_problem_at(c->reply, name, strlen(value), "a NUL character");
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->seen[i], name) == 0)
            return api_problem_at(c->reply, name, SIZE_MAX, "given more than once");
    if (c->count == API_VALUES_MAX)
        return api_problem(c->reply, 400, "too many parameters");
    c->seen[c->count++] = name;
    return true;
}

static enum MHD_Result on_value(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                const char *value, size_t len)
{
    struct check *c = arg;
    (void)kind;
    c->ok = check_one(c, name, name_len, value, len);
    return c->ok ? MHD_YES : MHD_NO;
}

bool api_params_check(struct api_request *r, struct api_reply *reply)
{
    struct check c = { .known = r->route->params, .reply = reply, .ok = true };
    (void)MHD_get_connection_values_n(r->mc, MHD_GET_ARGUMENT_KIND, on_value, &c);
    return c.ok;
}

bool api_params_check_form(struct api_request *r, struct api_reply *reply)
{
    struct check c = { .known = r->route->form, .reply = reply, .ok = true };
    size_t count;
    const struct api_form_value *v = api_form_values(r->form, &count);
    for (size_t i = 0; i < count && c.ok; i++)
        c.ok = check_one(&c, v[i].name, v[i].name_len, v[i].value, v[i].len);
    return c.ok;
}

/* NULL: it is not there. */
static const char *form_param(const struct api_form *f, const char *name)
{
    size_t count;
    const struct api_form_value *v = api_form_values(f, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(v[i].name, name) == 0)
            return v[i].value == NULL ? "" : v[i].value;
    return NULL;
}

const char *api_param(struct api_request *r, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (r->form != NULL)
        return form_param(r->form, name);
    if (MHD_lookup_connection_value_n(r->mc, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, &len) != MHD_YES)
        return NULL;
    return value == NULL ? "" : value; /* "?payload" without a value */
}

bool api_param_number(struct api_request *r, struct api_reply *reply, const char *name, uint64_t least, uint64_t most,
                      uint64_t *ret)
{
    const char *text = api_param(r, name);
    uint64_t v;
    if (text == NULL)
        return true;
    if (!num_parse(text, strlen(text), most, &v) || v < least)
        return api_problem_at(reply, name, SIZE_MAX, "'%.64s' is not a number in %llu..%llu", text,
                              (unsigned long long)least, (unsigned long long)most);
    *ret = v;
    return true;
}

bool api_param_time(struct api_request *r, struct api_reply *reply, const char *name, int64_t *ret)
{
    const char *text = api_param(r, name);
    if (text == NULL || text[0] == '\0' || when_parse(text, strlen(text), when_now(), ret))
        return true;
    return api_problem_at(reply, name, SIZE_MAX,
                          "'%.64s' is not a time: 2026-01-31T12:00:00Z, seconds since 1970, -1h, -15m, now", text);
}

bool api_param_columns(struct api_request *r, struct api_reply *reply, struct columns *ret)
{
    struct errmsg err = { "" };
    const char *text = api_param(r, "columns");
    bool payload = false;
    if (!api_param_flag(r, reply, "payload", &payload))
        return false;
    columns_all(ret, payload ? COLUMNS_PAYLOAD : COLUMNS_NO_PAYLOAD);
    if (text == NULL || text[0] == '\0')
        return true;
    if (columns_parse(ret, text, strlen(text), &err) != 0)
        return api_problem_at(reply, "columns", SIZE_MAX, "%s", err.text);
    for (size_t t = 0; t < RECORD_TABLES && payload; t++)
        store_columns_add(&ret->table[t], RECORD_COL_payload);
    return true;
}

bool api_param_duration(struct api_request *r, struct api_reply *reply, const char *name, int64_t max_us, int64_t *ret)
{
    const char *text = api_param(r, name);
    int64_t v;
    if (text == NULL)
        return true;
    if (!when_duration(text, strlen(text), max_us > DAY_US ? max_us : DAY_US, &v) || v == 0)
        return api_problem_at(reply, name, SIZE_MAX, "'%.64s' is not a length of time: 5, 2.5, 500ms, 1m", text);
    *ret = v < max_us ? v : max_us;
    return true;
}

bool api_param_window(struct api_request *r, struct api_reply *reply, int64_t *ret_from, int64_t *ret_to)
{
    *ret_from = INT64_MIN;
    *ret_to = INT64_MAX;
    if (!api_param_time(r, reply, "from", ret_from) || !api_param_time(r, reply, "to", ret_to))
        return false;
    return *ret_from <= *ret_to || api_problem_at(reply, "to", SIZE_MAX, "it is before \"from\"");
}

bool api_param_filter(struct api_request *r, struct api_reply *reply, struct filter **ret)
{
    struct filter_error bad = { 0 };
    const struct filter_options options = { r->api->numbers, when_now() };
    const char *text = api_param(r, "q");
    if (text == NULL || filter_parse_with(ret, text, strlen(text), &options, &bad) == 0)
        return true;
    return api_problem_at(reply, "q", bad.at, "%s", bad.text);
}

bool api_param_cursor(struct api_request *r, struct api_reply *reply, bool *ret_has, struct search_cursor *ret)
{
    const char *text = api_param(r, "after");
    if (text == NULL || text[0] == '\0')
        return true;
    *ret_has = search_cursor_parse(text, strlen(text), ret);
    return *ret_has || api_problem_at(reply, "after", SIZE_MAX, "'%.64s' is not what \"next\" of an answer was", text);
}

bool api_param_word(struct api_request *r, struct api_reply *reply, const char *name, const char *const *words,
                    unsigned *ret)
{
    const char *text = api_param(r, name);
    char known[256] = "";
    size_t len = 0;
    if (text == NULL)
        return true;
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = i;
            return true;
        }
        int n = snprintf(known + len, sizeof(known) - len, "%s%s", i == 0 ? "" : ", ", words[i]);
        len += n > 0 && (size_t)n < sizeof(known) - len ? (size_t)n : 0;
    }
    return api_problem_at(reply, name, SIZE_MAX, "'%.64s' is none of %s", text, known);
}

bool api_param_flag(struct api_request *r, struct api_reply *reply, const char *name, bool *ret)
{
    static const char *const words[] = { "0", "1", NULL };
    unsigned v = *ret;
    if (!api_param_word(r, reply, name, words, &v))
        return false;
    *ret = v == 1;
    return true;
}
