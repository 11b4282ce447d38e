#include "record/cell.h"

#include <string.h>

static void number_cell(int64_t number, int64_t none, struct record_cell *ret)
{
    *ret = (struct record_cell){ .null = number == none, .number = number == none ? 0 : number };
}

static void octets_cell(struct hep_slice octets, bool null, struct record_cell *ret)
{
    *ret = (struct record_cell){ .null = null, .octets = octets };
}

static void ip_cell(const struct hep_addr *a, struct record_cell *ret, struct record_scratch *scratch)
{
    size_t len = a->len > 0 ? ip_format(a, scratch->text) : 0;
    octets_cell((struct hep_slice){ (const uint8_t *)scratch->text, len }, len == 0, ret);
}

static void addr_cell(const struct hep_addr *a, struct record_cell *ret, struct record_scratch *scratch)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    memcpy(scratch->octets, mapped, sizeof(mapped));
    memcpy(scratch->octets + (a->len == 4 ? sizeof(mapped) : 0), a->octets, a->len);
    octets_cell((struct hep_slice){ scratch->octets, 16 }, a->len == 0, ret);
}

void record_cell_of(const struct record *r, unsigned column, struct record_cell *ret, struct record_scratch *scratch)
{
    const struct record_column *c = &record_schema(r->table)->columns[column];
    const void *member = (const char *)r + c->offset;
    switch (c->kind) {
    case RECORD_TIME:
        number_cell(*(const int64_t *)member, RECORD_NO_TIME, ret);
        break;
    case RECORD_SEQ:
        *ret = (struct record_cell){ .number = (int64_t) * (const uint64_t *)member };
        break;
    case RECORD_NUMBER:
        *ret = (struct record_cell){ .number = *(const uint32_t *)member };
        break;
    case RECORD_OPTIONAL:
    case RECORD_DECIMAL:
        number_cell(*(const int64_t *)member, RECORD_NONE, ret);
        break;
    case RECORD_UID:
        number_cell((int64_t) * (const uint64_t *)member, 0, ret);
        break;
    case RECORD_TEXT:
        octets_cell(*(const struct hep_slice *)member, ((const struct hep_slice *)member)->len == 0, ret);
        break;
    case RECORD_IP:
        ip_cell(member, ret, scratch);
        break;
    case RECORD_ADDR:
        addr_cell(member, ret, scratch);
        break;
    case RECORD_BYTES:
        octets_cell(*(const struct hep_slice *)member, false, ret);
        break;
    }
}

void record_cell_set(struct record *r, unsigned column, const struct record_cell *cell)
{
    const struct record_column *c = &record_schema(r->table)->columns[column];
    void *member = (char *)r + c->offset;
    if (cell->null)
        return;
    switch (c->kind) {
    case RECORD_TIME:
    case RECORD_OPTIONAL:
    case RECORD_DECIMAL:
        *(int64_t *)member = cell->number;
        break;
    case RECORD_SEQ:
    case RECORD_UID:
        *(uint64_t *)member = (uint64_t)cell->number;
        break;
    case RECORD_NUMBER:
        *(uint32_t *)member = (uint32_t)cell->number;
        break;
    case RECORD_TEXT:
    case RECORD_BYTES:
        *(struct hep_slice *)member = cell->octets;
        break;
    case RECORD_IP:
        (void)ip_parse((const char *)cell->octets.ptr, cell->octets.len, member);
        break;
    case RECORD_ADDR: /* the same address in another form */
        break;
    }
}
