/* A call as the tracker knows it -> a row of table `call`. */
#ifndef ENGINE_CALL_ROW_H
#define ENGINE_CALL_ROW_H

#include "record/record.h"
#include "track/quality.h"
#include "track/track.h"

/* Room for texts that are put together. */
struct call_row_texts {
    char flags[320], signalling[64], likes[128];
    char group[17], probable[17];
    char keys[RECORD_TEXT_MAX + 1];
};

/* Slices point into the call and the texts. `now_us`: when it is written. */
void call_row_make(const struct call_record *call, const struct quality_of_call *quality, enum record_source source,
                   int64_t now_us, struct call_row_texts *texts, struct record *ret);

/* A figure as hundredths; RECORD_NONE if it is not known (below 0). */
int64_t call_row_decimal(double v);

/* The row of one of its keys in table `call_key`; false if it is of no use to later legs. */
bool call_row_key(const struct call_record *call, size_t key, enum record_source source, int64_t now_us,
                  struct record *ret);

#endif
