#ifndef QUERY_WHEN_H
#define QUERY_WHEN_H

#include "base/when.h"

#endif
