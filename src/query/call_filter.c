#include "query/call_filter.h"

#include "filter/filter_text.h"

int call_filter(struct filter **ret, enum call_way way, const struct hep_slice *call_ids, size_t count,
                struct errmsg *err)
{
    static const char *const fields[CALL_WAYS] = { "callid", "correlation" };
    struct errmsg why = { "" };
    int rc = filter_text_parse(ret, fields[way], call_ids, count, &why);
    if (rc != 0)
        (void)errmsg_set(err, "this Call-ID cannot be looked for: %s", why.text);
    return rc;
}
