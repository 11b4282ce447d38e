/* Files and pipes into the encoder: JSON texts, files of frames, captures of plain SIP and RTCP. */
#ifndef CMD_ENCODE_FILE_H
#define CMD_ENCODE_FILE_H

#include "cmd/encoder.h"

/* Reads `path` ("-": standard input) to its end, whatever it is. Problems are reported and counted in e. */
void encode_file(struct encoder *e, const char *path, const struct hep_registry *registry);

#endif
