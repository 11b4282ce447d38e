#include "cmd/ports.h"

#include <string.h>

#include "base/num.h"

static int add_range(struct ports *p, const char *text, size_t len, struct errmsg *err)
{
    uint64_t first, last;
    const char *dash = memchr(text, '-', len);
    size_t first_len = dash != NULL ? (size_t)(dash - text) : len;
    bool ok = num_parse(text, first_len, UINT16_MAX, &first);
    last = first;
    if (ok && dash != NULL)
        ok = num_parse(dash + 1, len - first_len - 1, UINT16_MAX, &last);
    if (!ok || last < first)
        return errmsg_set(err, "'%.*s' is neither a port nor a range of ports", (int)len, text);
    for (uint64_t port = first; port <= last; port++)
        ports_add(p, (uint16_t)port);
    return 0;
}

static int add_list(struct ports *p, const char *list, struct errmsg *err)
{
    for (;;) {
        size_t len = strcspn(list, ",");
        if (add_range(p, list, len, err) != 0)
            return -1;
        if (list[len] == '\0')
            return 0;
        list += len + 1;
    }
}

int ports_init(struct ports *p, const struct opt_list *list, const char *fallback, struct errmsg *err)
{
    memset(p, 0, sizeof(*p));
    if (list->count == 0)
        return add_list(p, fallback, err);
    for (size_t i = 0; i < list->count; i++)
        if (add_list(p, list->items[i], err) != 0)
            return -1;
    return 0;
}
