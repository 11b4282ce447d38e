/* Files and pipes into the decoder: raw frames, base64, JSON events of an API gateway, captures. */
#ifndef CMD_DECODE_FILE_H
#define CMD_DECODE_FILE_H

#include "cmd/decoder.h"
#include "cmd/ports.h"

/* Reads `path` ("-": standard input) to its end, whatever it is. Problems are reported and counted in d. */
void decode_file(struct decoder *d, const char *path, const struct ports *hep_ports);

/*
 * What an API gateway hands to a function, as a JSON text: {"body": "...", "isBase64Encoded": true, ...}. Gives the
 * octets of the body in `out`. 0, or -1 with a text.
 */
int gateway_event(const char *text, size_t len, struct buf *out, struct errmsg *err);

/* Octets of a base64 text, in `out`. 0, or -1 with a text that names the character. */
int base64_body(const char *text, size_t len, struct buf *out, struct errmsg *err);

#endif
