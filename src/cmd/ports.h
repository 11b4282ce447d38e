/* A set of ports. */
#ifndef CMD_PORTS_H
#define CMD_PORTS_H

#include "base/errmsg.h"
#include "cmd/opt.h"

struct ports {
    uint8_t bits[65536 / 8];
};

static inline bool ports_has(const struct ports *p, uint16_t port)
{
    return (p->bits[port / 8] >> port % 8 & 1) != 0;
}

/* Ports and ranges ("9060", "9060-9063,9070"); if the list is empty, those of `fallback`. 0, or -1 with a text. */
int ports_init(struct ports *p, const struct opt_list *list, const char *fallback, struct errmsg *err);

#endif
