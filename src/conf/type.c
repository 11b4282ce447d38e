/* The types: text to value and back. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "conf/internal.h"

static uint64_t number_at(const void *value)
{
    uint64_t v;
    memcpy(&v, value, sizeof(v));
    return v;
}

static const char *text_at(const void *value)
{
    const char *text;
    memcpy(&text, value, sizeof(text));
    return text;
}

static void print_number(uint64_t v, struct buf *out)
{
    buf_printf(out, "%llu", (unsigned long long)v);
}

/* ------------------------------------------------------------------------------------------------ numbers */

/* Appends a number as the key's type writes it. */
static void print_limit(const struct conf_key *key, uint64_t v, struct buf *out)
{
    if (key->type == &conf_type_SIZE)
        conf_size_print(v, out);
    else if (key->type == &conf_type_DURATION)
        conf_duration_print(v, out);
    else
        print_number(v, out);
}

void conf_key_limits(const struct conf_key *key, struct buf *out)
{
    const struct conf_type *t = key->type;
    if (t == &conf_type_ENUM)
        buf_puts(out, key->words);
    if (t->list)
        buf_printf(out, "at most %llu", (unsigned long long)key->max);
    if (t != &conf_type_NUMBER && t != &conf_type_SIZE && t != &conf_type_DURATION && t != &conf_type_PERCENT)
        return;
    print_limit(key, key->min, out);
    buf_puts(out, "..");
    print_limit(key, key->max, out);
    buf_puts(out, t == &conf_type_PERCENT ? "%" : "");
    if (key->words != NULL)
        buf_printf(out, ", or %s", key->words);
}

static int out_of_range(const struct conf_key *key, const char *text, struct errmsg *err)
{
    struct buf limits;
    buf_init(&limits, 200);
    conf_key_limits(key, &limits);
    buf_putc(&limits, '\0');
    errmsg_set(err, "'%.60s' is out of range (%s)", text, limits.ptr != NULL ? (const char *)limits.ptr : "?");
    buf_free(&limits);
    return -1;
}

static int wrong(const struct conf_key *key, const char *text, struct errmsg *err)
{
    return errmsg_set(err, "'%.60s' is not %s", text, key->type->what);
}

/* The word that the key allows in place of a number, else a number in its limits. */
static int take_number(const struct conf_key *key, const char *text, bool (*parse)(const char *text, uint64_t *ret),
                       void *ret, struct errmsg *err)
{
    uint64_t v = CONF_INHERIT;
    bool word = key->words != NULL && strcmp(key->words, text) == 0;
    if (!word && !parse(text, &v))
        return wrong(key, text, err);
    if (!word && (v < key->min || v > key->max))
        return out_of_range(key, text, err);
    memcpy(ret, &v, sizeof(v));
    return 0;
}

static bool plain_number(const char *text, uint64_t *ret)
{
    return num_parse(text, strlen(text), UINT64_MAX, ret);
}

static bool percent(const char *text, uint64_t *ret)
{
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '%')
        len--;
    return num_parse(text, len, UINT64_MAX, ret);
}

static int parse_NUMBER(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret,
                        struct errmsg *err)
{
    (void)mem;
    return take_number(key, text, plain_number, ret, err);
}

static int parse_SIZE(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret, struct errmsg *err)
{
    (void)mem;
    return take_number(key, text, conf_size_parse, ret, err);
}

static int parse_DURATION(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret,
                          struct errmsg *err)
{
    (void)mem;
    return take_number(key, text, conf_duration_parse, ret, err);
}

static int parse_PERCENT(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret,
                         struct errmsg *err)
{
    (void)mem;
    return take_number(key, text, percent, ret, err);
}

static void print_any_number(const struct conf_key *key, const void *value, struct buf *out)
{
    uint64_t v = number_at(value);
    if (v == CONF_INHERIT && key->words != NULL) {
        buf_puts(out, key->words);
        return;
    }
    print_limit(key, v, out);
    buf_puts(out, key->type == &conf_type_PERCENT ? "%" : "");
}

/* ------------------------------------------------------------------------------------------------ words */

static int parse_BOOL(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret, struct errmsg *err)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };
    (void)mem;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(words[i], text) == 0) {
            const bool v = i % 2 == 1;
            memcpy(ret, &v, sizeof(v));
            return 0;
        }
    return wrong(key, text, err);
}

static void print_BOOL(const struct conf_key *key, const void *value, struct buf *out)
{
    bool v;
    (void)key;
    memcpy(&v, value, sizeof(v));
    buf_puts(out, v ? "true" : "false");
}

static int parse_ENUM(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret, struct errmsg *err)
{
    (void)mem;
    unsigned number = 0;
    for (const char *word = key->words; *word != '\0'; number++) {
        size_t len = strcspn(word, "|");
        if (len == strlen(text) && strncmp(word, text, len) == 0) {
            memcpy(ret, &number, sizeof(number));
            return 0;
        }
        word += len + (word[len] == '|' ? 1 : 0);
    }
    return errmsg_set(err, "'%.60s' is not one of %s", text, key->words);
}

static void print_ENUM(const struct conf_key *key, const void *value, struct buf *out)
{
    unsigned number;
    memcpy(&number, value, sizeof(number));
    const char *word = key->words;
    for (; number > 0; number--)
        word += strcspn(word, "|") + 1;
    buf_put(out, word, strcspn(word, "|"));
}

/* ------------------------------------------------------------------------------------------------ texts */

/* Never quotes the text: it may be a secret. */
static int parse_TEXT(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret, struct errmsg *err)
{
    (void)key;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return errmsg_set(err, "the text has a control character");
    const char *copy = conf_mem_text(mem, text, strlen(text));
    if (copy == NULL)
        return errmsg_set(err, "out of memory");
    memcpy(ret, &copy, sizeof(copy));
    return 0;
}

static void print_TEXT(const struct conf_key *key, const void *value, struct buf *out)
{
    (void)key;
    const char *text = text_at(value);
    if (text != NULL)
        buf_puts(out, text);
}

/* A name of a SIP header: a token of RFC 3261. */
static int parse_NAME(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret, struct errmsg *err)
{
    for (const char *p = text; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("-.!%*_+`'~", *p) == NULL)
            return wrong(key, text, err);
    return parse_TEXT(key, text, mem, ret, err);
}

/* ------------------------------------------------------------------------------------------------ addresses */

static int parse_ADDRESS(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret,
                         struct errmsg *err)
{
    char host[256];
    struct conf_address a = { NULL, 0 };
    if (!ip_host_port(text, host, &a.port, 0) || strpbrk(host, " /@,\"'") != NULL)
        return wrong(key, text, err);
    a.host = conf_mem_text(mem, host, strcmp(host, "*") == 0 ? 0 : strlen(host));
    if (a.host == NULL)
        return errmsg_set(err, "out of memory");
    memcpy(ret, &a, sizeof(a));
    return 0;
}

static void print_ADDRESS(const struct conf_key *key, const void *value, struct buf *out)
{
    (void)key;
    struct conf_address a;
    memcpy(&a, value, sizeof(a));
    if (a.host == NULL)
        return;
    bool v6 = strchr(a.host, ':') != NULL;
    buf_printf(out, "%s%s%s:%u", v6 ? "[" : "", a.host, v6 ? "]" : "", (unsigned)a.port);
}

static int parse_NET(const struct conf_key *key, const char *text, struct conf_mem *mem, void *ret, struct errmsg *err)
{
    (void)mem;
    struct ip_net net = { 0 };
    if (!ip_net_parse(text, &net))
        return wrong(key, text, err);
    memcpy(ret, &net, sizeof(net));
    return 0;
}

static void print_NET(const struct conf_key *key, const void *value, struct buf *out)
{
    (void)key;
    char text[IP_TEXT_MAX];
    struct ip_net net;
    memcpy(&net, value, sizeof(net));
    ip_format(&net.addr, text);
    buf_printf(out, "%s/%u", text, (unsigned)net.bits);
}

/* ------------------------------------------------------------------------------------------------ the table */

#define NUMBER_SIZE sizeof(uint64_t)
#define TEXT_SIZE   sizeof(const char *)

/* clang-format off */
const struct conf_type conf_type_BOOL = { "true or false", false, false, sizeof(bool), parse_BOOL, print_BOOL };
const struct conf_type conf_type_NUMBER = { "a whole number", false, false, NUMBER_SIZE, parse_NUMBER, print_any_number };
const struct conf_type conf_type_SIZE =
    { "a size such as 64MB or 1GiB", false, false, NUMBER_SIZE, parse_SIZE, print_any_number };
const struct conf_type conf_type_DURATION =
    { "a duration such as 100ms, 60s or 30d", false, false, NUMBER_SIZE, parse_DURATION, print_any_number };
const struct conf_type conf_type_PERCENT =
    { "a percentage such as 80%", false, false, NUMBER_SIZE, parse_PERCENT, print_any_number };
const struct conf_type conf_type_ENUM = { "a word", false, false, sizeof(unsigned), parse_ENUM, print_ENUM };
const struct conf_type conf_type_TEXT = { "a text", false, false, TEXT_SIZE, parse_TEXT, print_TEXT };
const struct conf_type conf_type_SECRET = { "a text", false, true, TEXT_SIZE, parse_TEXT, print_TEXT };
const struct conf_type conf_type_PATH = { "a path", false, false, TEXT_SIZE, parse_TEXT, print_TEXT };
const struct conf_type conf_type_ADDRESS =
    { "an address such as 127.0.0.1:9080 or [::1]:9080", false, false, sizeof(struct conf_address), parse_ADDRESS, print_ADDRESS };
const struct conf_type conf_type_TEXTS = { "a text", true, false, TEXT_SIZE, parse_TEXT, print_TEXT };
const struct conf_type conf_type_SECRETS = { "a text", true, true, TEXT_SIZE, parse_TEXT, print_TEXT };
const struct conf_type conf_type_NAMES = { "the name of a header", true, false, TEXT_SIZE, parse_NAME, print_TEXT };
const struct conf_type conf_type_LISTENS =
    { "a URL such as udp://[::]:9060", true, false, sizeof(struct conf_listen), conf_listen_parse, conf_listen_print };
const struct conf_type conf_type_NETS =
    { "a network such as 10.0.0.0/8 or an address", true, false, sizeof(struct ip_net), parse_NET, print_NET };
/* clang-format on */
