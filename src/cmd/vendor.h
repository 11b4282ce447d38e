/* Vendor keys given on the command line: --vendor-key 8:128:conversationId or 8:133:u8:codec. */
#ifndef CMD_VENDOR_H
#define CMD_VENDOR_H

#include "base/errmsg.h"
#include "cmd/opt.h"
#include "hep/hep.h"

struct vendor {
    struct hep_registry registry;
    struct hep_vendor_key keys[OPT_LIST_MAX];
};

/* 0, or -1 with a text. The texts of `specs` are borrowed. */
int vendor_init(struct vendor *v, const struct opt_list *specs, struct errmsg *err);

#endif
