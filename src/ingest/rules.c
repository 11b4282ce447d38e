#include "ingest/rules.h"

#include <stdlib.h>
#include <string.h>

static bool copy_keys(struct ingest_rules *to, const struct ingest_rules *from)
{
    struct hep_slice *keys = calloc(from->key_count + 1, sizeof(*keys));
    to->keys = keys;
    to->key_count = 0;
    if (keys == NULL)
        return false;
    for (size_t i = 0; i < from->key_count; i++) {
        size_t len = from->keys[i].len;
        uint8_t *octets = malloc(len + 1);
        if (octets == NULL)
            return false;
        if (len > 0)
            memcpy(octets, from->keys[i].ptr, len);
        keys[i] = (struct hep_slice){ octets, len };
        to->key_count = i + 1;
    }
    return true;
}

static bool copy_networks(struct ingest_rules *to, const struct ingest_rules *from)
{
    struct ip_net *nets = calloc(from->allow_count + 1, sizeof(*nets));
    to->allow = nets;
    if (nets == NULL)
        return false;
    if (from->allow_count > 0)
        memcpy(nets, from->allow, from->allow_count * sizeof(*nets));
    return true;
}

/* NULL stays NULL. False if there is no memory. */
static bool copy_text(const char **to, const char *from)
{
    *to = from == NULL ? NULL : strdup(from);
    return (*to == NULL) == (from == NULL);
}

static bool copy_files(struct net_tls_files *to, const struct net_tls_files *from)
{
    *to = (struct net_tls_files){ NULL };
    return copy_text(&to->cert, from->cert) && copy_text(&to->key, from->key != NULL ? from->key : from->cert) &&
           copy_text(&to->client_ca, from->client_ca);
}

struct ingest_rules *rules_copy(const struct ingest_rules *rules)
{
    struct ingest_rules *copy = malloc(sizeof(*copy));
    if (copy == NULL)
        return NULL;
    *copy = *rules;
    copy->allow = NULL;
    bool files = copy_files(&copy->tls, &rules->tls);
    if (copy_keys(copy, rules) && copy_networks(copy, rules) && files)
        return copy;
    rules_free(copy);
    return NULL;
}

void rules_free(struct ingest_rules *rules)
{
    if (rules == NULL)
        return;
    for (size_t i = 0; i < rules->key_count; i++) {
        void *octets = (void *)(uintptr_t)rules->keys[i].ptr; /* ours, and const for everybody else */
        explicit_bzero(octets, rules->keys[i].len);
        free(octets);
    }
    free((void *)(uintptr_t)rules->keys);
    free((void *)(uintptr_t)rules->allow);
    free((void *)(uintptr_t)rules->tls.cert);
    free((void *)(uintptr_t)rules->tls.key);
    free((void *)(uintptr_t)rules->tls.client_ca);
    free(rules);
}

bool rules_allow(const struct ingest_rules *rules, const struct hep_addr *addr)
{
    for (size_t i = 0; i < rules->allow_count; i++) {
        if (ip_net_match(&rules->allow[i], addr))
            return true;
    }
    return rules->allow_count == 0;
}

enum ingest_counter rules_check_key(const struct ingest_rules *rules, const struct hep_msg *msg)
{
    if (rules->key_count == 0 || (rules->legacy_without_key && (msg->version == 1 || msg->version == 2)))
        return 0;
    bool match = false;
    for (size_t i = 0; i < rules->key_count; i++) /* all of them: the time must not say which */
        match |= hep_auth_equal(msg, rules->keys[i].ptr, rules->keys[i].len);
    if (match)
        return 0;
    return hep_has(msg, HEP_CHUNK_AUTH_KEY) ? INGEST_DROP_KEY_WRONG : INGEST_DROP_KEY_MISSING;
}
