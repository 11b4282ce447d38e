/* Which messages to take: all conditions must hold; several values of one condition are alternatives. */
#ifndef CMD_SELECT_H
#define CMD_SELECT_H

#include <stdbool.h>

#include "base/errmsg.h"
#include "base/ip.h"
#include "cmd/opt.h"
#include "hep/hep.h"

/* The options, as given. */
struct select_options {
    struct opt_list types; /* "sip,rtcp,100" */
    struct opt_list ips;   /* "10.0.0.0/8": source or destination */
    struct opt_list texts; /* in the payload, case matters */
};

struct select {
    bool by_type;
    bool types[256];
    struct ip_net nets[OPT_LIST_MAX];
    size_t net_count;
    const struct opt_list *texts;
};

/* Compiles the options, which must live as long. 0, or -1 with a text. */
int select_init(struct select *s, const struct select_options *options, struct errmsg *err);

/* True if the message is to be taken. Its payload must be readable (inflated) already. */
bool select_match(const struct select *s, const struct hep_msg *msg);

/* Help texts of the options, for the tables of the commands. */
#define SELECT_HELP      "Which messages (all conditions must hold; repeat one for alternatives):"
#define SELECT_TYPE_HELP "payload types by name or number: sip,rtcp,100"
#define SELECT_IP_HELP   "source or destination: 10.0.0.1, 10.0.0.0/8, 2001:db8::/32"
#define SELECT_TEXT_HELP "payload contains TEXT"

#endif
