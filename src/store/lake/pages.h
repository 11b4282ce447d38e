/*
 * Pages of payloads, and what the groups of a lake share: raw pages to be used again, the thread that compresses full
 * ones, and the count of octets that groups take.
 *
 * A page is a list of payloads in PLAIN encoding (length in 4 octets, then the octets): the body of a Parquet data
 * page before compression. Its life: open -> waiting -> busy -> zipped. While it is open the writer adds at the end;
 * raw octets never move and are counted references, so a reader may copy from them while they are being replaced.
 */
#ifndef STORE_LAKE_PAGES_H
#define STORE_LAKE_PAGES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/lake/slab.h"
#include "store/parquet/zip.h"

struct group;
struct pages;

struct pages_options {
    size_t limit;            /* octets of all groups */
    int level;               /* of zstd */
    bool no_thread;          /* nothing is compressed but by pages_finish() */
    void (*room)(void *arg); /* there is room again after pages_full() said true; may be NULL */
    void *arg;
};

int pages_open(struct pages **ret, const struct pages_options *options);
void pages_close(struct pages *p); /* after the last group is gone; NULL is fine */

/* ------------------------------------------------------------------------------------------------ room */

/* A group takes so many octets more, or fewer. (any thread; as all of these) */
void pages_count(struct pages *p, ptrdiff_t octets);
size_t pages_octets(const struct pages *p);
bool pages_full(struct pages *p);
bool pages_pressed(const struct pages *p);
uint64_t pages_cpu_us(const struct pages *p); /* spent on compressing, by whom ever */

struct slabs *pages_slabs(struct pages *p); /* what groups are made of; NULL for p NULL */

/* Gives memory back to the system that was not needed since the last call. */
void pages_trim(struct pages *p);

/* ------------------------------------------------------------------------------------------------ raw octets */

struct page_raw {
    _Atomic unsigned refs;
    unsigned slabs; /* that it is made of; 0: memory of its own */
    size_t size;    /* of data */
    uint8_t data[];
};

#define PAGE_RAW_SLABS 2u
#define PAGE_RAW_ROOM  (PAGE_RAW_SLABS * SLAB_SIZE - sizeof(struct page_raw)) /* octets of an ordinary one */

/* Octets of memory that it takes. */
static inline size_t page_raw_memory(const struct page_raw *raw)
{
    return sizeof(*raw) + raw->size;
}

/* Room for at least `size` octets, with one reference. `p` NULL: not shared. NULL if out of memory. */
struct page_raw *page_raw_take(struct pages *p, size_t size);
void page_raw_ref(struct page_raw *raw);
void page_raw_unref(struct pages *p, struct page_raw *raw); /* NULL is fine */

/* ------------------------------------------------------------------------------------------------ compressing */

enum page_state { PAGE_OPEN, PAGE_WAITING, PAGE_BUSY, PAGE_ZIPPED };

struct group_page {
    struct group *group; /* set when it is full: a reference while it stands in the queue */
    struct page_raw *raw;
    uint8_t *zipped;
    size_t len, zipped_len; /* octets before and after */
    uint32_t first_row, rows;
    enum page_state state;   /* under the lock of `pages`, from PAGE_WAITING on */
    struct group_page *next; /* in the queue */
};

/* A page is full (state PAGE_WAITING): queues it, unless there is no thread. */
void pages_submit(struct pages *p, struct group_page *page);

/* What compressing takes; one a thread. */
struct page_zipper {
    struct pq_zip *zip;
    struct buf out;
};
int page_zipper_init(struct page_zipper *z); /* 0, -ENOMEM */
void page_zipper_free(struct page_zipper *z);

/* Compresses the page now, or waits until it is. 0, -ENOMEM. */
int pages_finish(struct pages *p, struct group_page *page, struct page_zipper *zipper);

/* Ends the thread; what waits stays raw. Before the groups are given up. */
void pages_stop(struct pages *p);

#endif
