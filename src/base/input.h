/*
 * A file or standard input that can be looked into before it is read: `hepcat decode FILE` tells raw frames, pcap,
 * pcapng, base64 and JSON apart by content, also on a pipe. A gzip file is unpacked on the way.
 */
#ifndef BASE_INPUT_H
#define BASE_INPUT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/errmsg.h"

struct input;

/* Most that input_peek() can be asked for. */
#define INPUT_PEEK_MAX 65536

/* What to do while a pipe has nothing to read. */
struct input_wait {
    void (*on_wait)(void *arg); /* called before each wait: the moment to hand on what was made of the input so far */
    void *arg;
    const volatile sig_atomic_t *stop; /* not NULL and not 0: the input ends here, also in the middle of a wait */

    /* Called after each read: octets read of the file so far (compressed, if it is) and its size, 0 if not known. */
    void (*on_read)(void *arg, uint64_t octets, uint64_t size);
    void *read_arg;
};

/* Opens `path`, or standard input for "-". `wait` is copied; NULL: just wait. 0, or -1 with a text in err. */
int input_open(struct input **ret, const char *path, const struct input_wait *wait, struct errmsg *err);
void input_close(struct input *in); /* NULL is fine */

/* Name for messages: the path, or "standard input". */
const char *input_name(const struct input *in);

/*
 * Looks at the next `want` octets without taking them. Returns how many there are (fewer only at the end of the
 * input), or -1 on a read error. *ret is valid until the next call.
 */
ssize_t input_peek(struct input *in, size_t want, const uint8_t **ret);

/*
 * Takes up to cap octets; may return fewer than there are. 0 is the end, -1 a read error.
 */
ssize_t input_read(struct input *in, uint8_t *buf, size_t cap);

/* Text of the last error. */
const char *input_error(const struct input *in);

#endif
