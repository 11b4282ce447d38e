/* GET and POST /api/v1/shared: names of addresses and searches that all users of the server have. */
#include <errno.h>
#include <stdlib.h>

#include "api/internal.h"
#include "api/shared.h"

struct change {
    struct buf body;
};

bool api_shared_begin(struct api_request *r, struct api_reply *reply)
{
    if (!api_has_type(r, "application/json")) /* a form of another site cannot say that */
        return api_problem(reply, 415, "a change is needed: Content-Type: application/json");
    struct change *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return api_problem(reply, 503, "out of memory");
    buf_init(&c->body, SHARED_CHANGE_MAX);
    r->state = c;
    return true;
}

/* What comes behind the limit is read, so that the answer can be, but not kept. */
unsigned api_shared_body(struct api_request *r, const void *data, size_t len)
{
    struct change *c = r->state;
    if (!c->body.failed)
        buf_put(&c->body, data, len);
    return 0;
}

void api_shared_end(struct api_request *r)
{
    struct change *c = r->state;
    if (c == NULL)
        return;
    buf_free(&c->body);
    free(c);
    r->state = NULL;
}

void api_get_shared(struct api_request *r, struct api_reply *reply)
{
    if (r->api->sources.shared == NULL) {
        (void)api_problem(reply, 503, "this server shares nothing");
        return;
    }
    reply->type = "application/json";
    shared_show(r->api->sources.shared, &reply->body);
}

void api_post_shared(struct api_request *r, struct api_reply *reply)
{
    struct change *c = r->state;
    struct errmsg err = { "out of memory" };
    if (c->body.failed) {
        (void)api_problem(reply, 413, "more than %zu octets in one change", SHARED_CHANGE_MAX);
        return;
    }
    int rc = r->api->sources.shared == NULL ? 0 : shared_change(r->api->sources.shared, c->body.ptr, c->body.len, &err);
    if (rc == 0)
        api_get_shared(r, reply);
    else
        (void)api_problem(reply, rc == -EINVAL ? 400 : rc == -E2BIG ? 413 : 503, "%s", err.text);
}
