#include "agent/sieve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "filter/filter.h"
#include "record/cell.h"
#include "record/reader.h"
#include "sip/peek.h"
#include "sip/start.h"

struct rule {
    char *name;            /* "keep from:alice" */
    struct filter *filter; /* NULL: a method */
    const char *method;    /* in the name */
    bool keep;
    uint64_t taken;
};

struct sieve {
    struct rule list[SIEVE_MAX + SIEVE_METHODS_MAX];
    size_t count, methods; /* methods stand first */
    struct record_reader *reader;
    struct record record; /* of the message under way */
};

void sieve_free(struct sieve *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->count; i++) {
        filter_free(r->list[i].filter);
        free(r->list[i].name);
    }
    record_reader_free(r->reader);
    free(r);
}

/* The next rule with its name; NULL if there is no memory. */
static struct rule *add(struct sieve *r, const char *kind, const char *text)
{
    struct rule *rule = &r->list[r->count];
    size_t size = strlen(kind) + strlen(text) + 2;
    rule->name = malloc(size);
    if (rule->name == NULL)
        return NULL;
    (void)snprintf(rule->name, size, "%s %s", kind, text);
    r->count++;
    return rule;
}

static int add_method(struct sieve *r, const char *text, size_t len, struct errmsg *err)
{
    char name[SIP_METHOD_LEN_MAX + 1];
    struct hep_slice word = { (const uint8_t *)text, len };
    if (r->methods == SIEVE_METHODS_MAX)
        return errmsg_set(err, "more than %d methods", SIEVE_METHODS_MAX);
    if (len == 0 || len >= sizeof(name) || sip_token_length(word) != len)
        return errmsg_set(err, "'%.*s' is no method", (int)(len < 60 ? len : 60), text);
    memcpy(name, text, len);
    name[len] = '\0';
    struct rule *rule = add(r, "method", name);
    if (rule == NULL)
        return errmsg_set(err, "out of memory");
    rule->method = rule->name + strlen("method ");
    r->methods++;
    return 0;
}

/* "OPTIONS", "OPTIONS,NOTIFY" */
static int add_methods(struct sieve *r, const char *text, struct errmsg *err)
{
    for (;; text++) {
        size_t len = strcspn(text, ",");
        if (add_method(r, text, len, err) != 0)
            return -1;
        text += len;
        if (*text == '\0')
            return 0;
    }
}

static int add_filter(struct sieve *r, const char *kind, const char *text, struct errmsg *err)
{
    struct filter_error wrong;
    if (r->count - r->methods == SIEVE_MAX)
        return errmsg_set(err, "more than %d filters", SIEVE_MAX);
    struct rule *rule = add(r, kind, text);
    if (rule == NULL)
        return errmsg_set(err, "out of memory");
    rule->keep = strcmp(kind, "keep") == 0;
    if (filter_parse(&rule->filter, text, strlen(text), &wrong) == 0)
        return 0;
    return errmsg_set(err, "filter '%s': at character %zu: %s", text, wrong.at + 1, wrong.text);
}

static int add_all(struct sieve *r, const struct sieve_options *o, struct errmsg *err)
{
    for (size_t i = 0; i < o->method_count; i++)
        if (add_methods(r, o->methods[i], err) != 0)
            return -1;
    for (size_t i = 0; i < o->drop_count; i++)
        if (add_filter(r, "drop", o->drop[i], err) != 0)
            return -1;
    for (size_t i = 0; i < o->keep_count; i++)
        if (add_filter(r, "keep", o->keep[i], err) != 0)
            return -1;
    return 0;
}

int sieve_new(struct sieve **ret, const struct sieve_options *options, struct errmsg *err)
{
    const struct record_options plain = { 0 };
    struct sieve *r = calloc(1, sizeof(*r));
    if (r == NULL || (r->reader = record_reader_new(&plain)) == NULL) {
        sieve_free(r);
        return errmsg_set(err, "out of memory");
    }
    if (add_all(r, options, err) != 0) {
        sieve_free(r);
        return -1;
    }
    *ret = r;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ matching */

/* The method of CSeq: "1 INVITE". */
static struct hep_slice method_of(const struct hep_msg *msg)
{
    struct hep_slice v = { NULL, 0 };
    if (msg->payload_type != HEP_TYPE_SIP || !sip_find(msg->payload.ptr, msg->payload.len, "CSeq", &v))
        return v;
    size_t at = v.len;
    while (at > 0 && v.ptr[at - 1] > ' ')
        at--;
    return (struct hep_slice){ v.ptr + at, v.len - at };
}

static struct rule *by_method(struct sieve *r, const struct hep_msg *msg)
{
    struct hep_slice method = r->methods == 0 ? (struct hep_slice){ NULL, 0 } : method_of(msg);
    for (size_t i = 0; i < r->methods && method.len > 0; i++) {
        const char *name = r->list[i].method;
        if (strlen(name) == method.len && strncasecmp(name, (const char *)method.ptr, method.len) == 0)
            return &r->list[i];
    }
    return NULL;
}

struct look {
    const struct record *record;
    struct record_scratch scratch;
};

static void cell(void *arg, int column, struct record_cell *ret)
{
    struct look *look = arg;
    record_cell_of(look->record, (unsigned)column, ret, &look->scratch);
}

static struct rule *by_filter(struct sieve *r, const struct hep_msg *msg)
{
    struct look look = { .record = &r->record };
    if (r->methods == r->count)
        return NULL;
    const struct sink_frame nobody = { .received_us = (int64_t)msg->time_sec * 1000000 + msg->time_usec };
    record_make(r->reader, &nobody, msg, &r->record);
    for (size_t i = r->methods; i < r->count; i++)
        if (filter_match(r->list[i].filter, r->record.table, cell, &look) != r->list[i].keep)
            return &r->list[i];
    return NULL;
}

const char *sieve_match(struct sieve *r, const struct hep_msg *msg)
{
    struct rule *rule = by_method(r, msg);
    if (rule == NULL)
        rule = by_filter(r, msg);
    if (rule == NULL)
        return NULL;
    rule->taken++;
    return rule->name;
}

bool sieve_count(const struct sieve *r, size_t index, const char **ret_name, uint64_t *ret_messages)
{
    if (index >= r->count)
        return false;
    *ret_name = r->list[index].name;
    *ret_messages = r->list[index].taken;
    return true;
}
