#include <stdlib.h>
#include <string.h>

#include "conf/internal.h"

struct conf_block {
    struct conf_block *next;
    size_t size;
    _Alignas(max_align_t) uint8_t data[];
};

void *conf_mem_get(struct conf_mem *mem, size_t size)
{
    struct conf_block *b = size <= SIZE_MAX / 2 ? calloc(1, sizeof(*b) + size) : NULL;
    if (b == NULL)
        return NULL;
    b->next = mem->blocks;
    b->size = size;
    mem->blocks = b;
    return b->data;
}

char *conf_mem_text(struct conf_mem *mem, const char *text, size_t len)
{
    char *copy = conf_mem_get(mem, len + 1);
    if (copy != NULL && len > 0)
        memcpy(copy, text, len);
    return copy;
}

void conf_mem_free(struct conf_mem *mem)
{
    while (mem->blocks != NULL) {
        struct conf_block *b = mem->blocks;
        mem->blocks = b->next;
        explicit_bzero(b->data, b->size); /* may hold secrets */
        free(b);
    }
}
