#include "cmd/select.h"

#include <string.h>

#include "base/num.h"

static int add_type(struct select *s, const char *name, size_t len, struct errmsg *err)
{
    uint64_t number;
    int type = hep_type_number(name, len);
    if (type < 0 && num_parse(name, len, UINT8_MAX, &number))
        type = (int)number;
    if (type < 0)
        return errmsg_set(err, "--type: '%.*s' is neither a known payload type nor a number in 0..255", (int)len, name);
    s->types[type] = true;
    return 0;
}

static int add_types(struct select *s, const char *list, struct errmsg *err)
{
    s->by_type = true;
    for (;;) {
        size_t len = strcspn(list, ",");
        if (add_type(s, list, len, err) != 0)
            return -1;
        if (list[len] == '\0')
            return 0;
        list += len + 1;
    }
}

int select_init(struct select *s, const struct select_options *options, struct errmsg *err)
{
    memset(s, 0, sizeof(*s));
    s->texts = &options->texts;
    for (size_t i = 0; i < options->types.count; i++)
        if (add_types(s, options->types.items[i], err) != 0)
            return -1;
    for (size_t i = 0; i < options->ips.count; i++)
        if (!ip_net_parse(options->ips.items[i], &s->nets[s->net_count++]))
            return errmsg_set(err, "--ip: '%s' is neither an address nor a network", options->ips.items[i]);
    return 0;
}

static bool match_ip(const struct select *s, const struct hep_msg *msg)
{
    for (size_t i = 0; i < s->net_count; i++)
        if (ip_net_match(&s->nets[i], &msg->src) || ip_net_match(&s->nets[i], &msg->dst))
            return true;
    return s->net_count == 0;
}

static bool match_text(const struct select *s, const struct hep_msg *msg)
{
    for (size_t i = 0; i < s->texts->count; i++) {
        const char *text = s->texts->items[i];
        /* memmem() must not be handed NULL, not even with length 0. */
        if (msg->payload.len > 0 && memmem(msg->payload.ptr, msg->payload.len, text, strlen(text)) != NULL)
            return true;
    }
    return s->texts->count == 0;
}

bool select_match(const struct select *s, const struct hep_msg *msg)
{
    return (!s->by_type || s->types[msg->payload_type]) && match_ip(s, msg) && match_text(s, msg);
}
