/*
 * Inputs that end right before a page that cannot be read: a parser that looks one octet too far crashes the test, with
 * or without sanitizers.
 */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline size_t guard_pages_size(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (n / page + 2) * page;
}

/* Copy of n octets (n may be 0); guard_free() takes the same n. Aborts if out of memory: this is for tests. */
static inline uint8_t *guard_copy(const uint8_t *data, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = guard_pages_size(n);
    uint8_t *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + size - page, page, PROT_NONE) != 0)
        abort();
    uint8_t *copy = base + size - page - n;
    if (n > 0)
        memcpy(copy, data, n);
    return copy;
}

static inline void guard_free(uint8_t *copy, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = guard_pages_size(n);
    (void)munmap(copy + n + page - size, size);
}

#endif
