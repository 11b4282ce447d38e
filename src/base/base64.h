/* Base64 (RFC 4648), both directions; the decoder also takes the URL alphabet, white space and joined texts. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets of the text of `len` octets, padding included. */
static inline size_t base64_text_len(size_t len)
{
    return (len + 2) / 3 * 4;
}

/* Writes base64_text_len(len) characters, no terminator; returns their number. */
size_t base64_encode(const uint8_t *data, size_t len, char *out);

/*
 * Incremental decoder. White space is skipped. Padding ends one text; what follows starts another, so that a file of
 * one text a line reads as the octets of all of them.
 */
struct base64_in {
    uint32_t bits;
    unsigned count;  /* characters of the current group of four */
    bool padded;     /* inside the padding of a group */
    uint64_t offset; /* characters taken so far; after an error the place of the bad one */
};

/*
 * Decodes `len` characters to `out` (room for 3 * (len + 3) / 4 octets). Returns how many octets came out, -1 on a
 * character that does not belong there.
 */
ptrdiff_t base64_decode(struct base64_in *b, const char *text, size_t len, uint8_t *out);

/*
 * Ends the text: without padding the last group may be short. Up to 2 octets to `out`, -1 if it was cut inside an
 * octet. The state is fresh again, except for the offset.
 */
ptrdiff_t base64_finish(struct base64_in *b, uint8_t *out);

/* True if all `len` characters could belong to base64 text (alphabet, padding, white space). */
bool base64_plausible(const uint8_t *text, size_t len);

#endif
