#include "agent/account.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name, *text;
    size_t offset;
} rows[] = {
#define ACCOUNT_ROW(name, text) { #name, text, offsetof(struct account, name) },
    AGENT_COUNTERS(ACCOUNT_ROW)
#undef ACCOUNT_ROW
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

void account_add(struct account *to, const struct account *from)
{
    /* Nothing but numbers of one size. */
    _Static_assert(sizeof(struct account) % sizeof(uint64_t) == 0, "account has other members");
    for (size_t at = 0; at < sizeof(*to); at += sizeof(uint64_t)) {
        uint64_t a, b;
        memcpy(&a, (const uint8_t *)to + at, sizeof(a));
        memcpy(&b, (const uint8_t *)from + at, sizeof(b));
        a += b;
        memcpy((uint8_t *)to + at, &a, sizeof(a));
    }
}

bool account_row(const struct account *a, size_t index, struct account_row *ret)
{
    if (index >= ROWS)
        return false;
    *ret = (struct account_row){ .name = rows[index].name, .text = rows[index].text };
    memcpy(&ret->value, (const uint8_t *)a + rows[index].offset, sizeof(ret->value));
    return true;
}

bool account_is_loss(enum dissect_outcome outcome)
{
    switch (outcome) {
    case DISSECT_UDP:
    case DISSECT_TCP:
    case DISSECT_SCTP:
    case DISSECT_FRAGMENT:
    case DISSECT_FRAGMENT_DUPLICATE:
    case DISSECT_OTHER_PROTOCOL:
    case DISSECT_NOT_IP:
        return false;
    default:
        return true;
    }
}
