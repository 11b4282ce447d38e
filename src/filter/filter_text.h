/* Filters that test one field for equality with any of some texts: what look-ups by key are made of. */
#ifndef FILTER_FILTER_TEXT_H
#define FILTER_FILTER_TEXT_H

#include "base/errmsg.h"
#include "filter/filter.h"

/* 0, or -EINVAL with a text if no filter can say that. The caller's to free. */
int filter_text_parse(struct filter **ret, const char *field, const struct hep_slice *values, size_t count,
                      struct errmsg *err);

#endif
