#include "cmd/vendor.h"

#include <string.h>

#include "base/num.h"

static const struct {
    const char *name;
    enum hep_kind kind;
} kinds[] = {
    { "text:", HEP_KIND_OCTETS }, { "u8:", HEP_KIND_U8 },   { "u16:", HEP_KIND_U16 },
    { "u32:", HEP_KIND_U32 },     { "u64:", HEP_KIND_U64 },
};

/* Takes "NUMBER:" from the front of *text. */
static bool take_number(const char **text, uint16_t *ret)
{
    uint64_t number;
    size_t len = strcspn(*text, ":");
    if ((*text)[len] != ':' || !num_parse(*text, len, UINT16_MAX, &number))
        return false;
    *ret = (uint16_t)number;
    *text += len + 1;
    return true;
}

static bool parse(const char *text, struct hep_vendor_key *key)
{
    if (!take_number(&text, &key->vendor) || !take_number(&text, &key->type))
        return false;
    key->kind = HEP_KIND_OCTETS;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i].name);
        if (strncmp(text, kinds[i].name, len) == 0) {
            key->kind = kinds[i].kind;
            text += len;
            break;
        }
    }
    key->key = text;
    return text[0] != '\0';
}

int vendor_init(struct vendor *v, const struct opt_list *specs, struct errmsg *err)
{
    v->registry = (struct hep_registry){ v->keys, 0, OPT_LIST_MAX, false };
    for (size_t i = 0; i < specs->count; i++) {
        struct hep_vendor_key key;
        if (!parse(specs->items[i], &key))
            return errmsg_set(err, "--vendor-key: '%s' is not VENDOR:TYPE:[u8|u16|u32|u64|text:]NAME", specs->items[i]);
        int rc = hep_registry_add(&v->registry, &key);
        if (rc != HEP_OK)
            return errmsg_set(err, "--vendor-key: '%s': %s", specs->items[i], hep_strerror(rc));
    }
    return 0;
}
