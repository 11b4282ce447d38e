/*
 * What parent and child say to each other: frames of a length (4 octets), a type and a body, little-endian, over
 * sockets of their own. Both ends are the same executable, but a child that went wrong may send anything: bodies are
 * read through a checked cursor and lengths have a maximum.
 *
 *   control   parent: HELLO           child: READY
 *             parent: INTERRUPT       (of the query with that number on that slot, if it still runs)
 *   a slot    parent: QUERY           child: ROWS..., END
 *
 * A slot is a connection of DuckDB with a thread and a socket of its own. Private to duck*.
 */
#ifndef STORE_LAKE_DUCK_WIRE_H
#define STORE_LAKE_DUCK_WIRE_H

#include "base/buf.h"
#include "base/le.h"
#include "store/lake/duck.h"

enum duck_frame {
    DUCK_FRAME_HELLO = 1, /* struct duck_hello */
    DUCK_FRAME_READY,     /* i32 error, u32 ABI of Landlock, text: version of DuckDB or what went wrong */
    DUCK_FRAME_QUERY,     /* u64 number, text SQL, u32 count, values, u8 is a script; then u32 count, texts before it */
    DUCK_FRAME_ROWS,      /* u32 rows, u32 columns, values */
    DUCK_FRAME_END,       /* i32 error, u64 octets read, u64 CPU us, u64 values given up, text */
    DUCK_FRAME_INTERRUPT, /* u32 slot, u64 number */
    DUCK_FRAME_HEAD       /* of a script, before ROWS: u32 columns, texts: name and type of each */
};

#define DUCK_HEAD      5
#define DUCK_FRAME_MAX (DUCK_ROW_MAX + (4u << 20))

/* Where the child finds its sockets. */
#define DUCK_FD_CONTROL 3
#define DUCK_FD_SLOT    4

/* What the child must know. Texts are borrowed from the frame. */
struct duck_hello {
    struct duck_slice lake_dir, temp_dir, library; /* library: empty to search */
    uint64_t memory, address_space, temp_max;
    uint32_t threads, slots;
    bool ordered, any_statement;
};

/* Writing: begin, put, end. A buffer may hold several frames; its `failed` tells of one that does not fit. */
size_t duck_frame_begin(struct buf *b, enum duck_frame type); /* returns where it starts, for duck_frame_end() */
void duck_frame_end(struct buf *b, size_t start);
void duck_put_u8(struct buf *b, uint8_t v);
void duck_put_u32(struct buf *b, uint32_t v);
void duck_put_u64(struct buf *b, uint64_t v);
void duck_put_text(struct buf *b, const void *ptr, size_t len);
void duck_put_value(struct buf *b, const struct duck_value *v);
void duck_put_hello(struct buf *b, const struct duck_hello *h);

/* Reading. `rd.bad` tells of a body that is too short. */
struct duck_slice duck_get_text(struct rd *r);
/* Texts of DUCK_TEXTS go to `texts`, of which *used are taken, up to cap. -1: malformed. */
int duck_get_value(struct rd *r, struct duck_value *ret, struct duck_slice *texts, size_t cap, size_t *used);
int duck_get_hello(struct rd *r, struct duck_hello *ret);

/*
 * Called before each send and receive: waits until `events` (poll) may be done on fd. 0, or a number other than 0 that
 * ends the transfer and is returned by it. NULL as a function: the transfer blocks.
 */
typedef int duck_wait_fn(void *arg, int fd, short events);

enum { DUCK_WIRE_CLOSED = 1, DUCK_WIRE_MALFORMED = 2 }; /* beside what wait() returned */

/* Sends all of it. 0, DUCK_WIRE_CLOSED, or what wait() said. */
int duck_send(int fd, const void *ptr, size_t len, duck_wait_fn *wait, void *arg);

/* Receives one frame: its type into *ret_type, its body into `body`. */
int duck_receive(int fd, struct buf *body, enum duck_frame *ret_type, duck_wait_fn *wait, void *arg);

#endif
