#define PCRE2_CODE_UNIT_WIDTH 8
#include "filter/regex.h"

#include <pcre2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NESTED_MAX    64      /* parentheses in each other */
#define STEPS         2000000 /* of one value: a few hundredths of a second */
#define STEPS_A_START 1000    /* at least, of those that are tried from one place of the value */
#define DEPTH_MAX     20000
#define HEAP_MAX      4096 /* KiB */

struct regex {
    pcre2_code *code;
};

/* ------------------------------------------------------------------------------------------------ compiling */

static bool has_high(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((p[i] & 0x80) != 0)
            return true;
    return false;
}

static int fail(struct regex_error *err, size_t at, const char *text)
{
    err->at = at;
    (void)snprintf(err->text, sizeof(err->text), "%s", text);
    return -1;
}

static int compile(struct regex *r, pcre2_compile_context *context, const uint8_t *source, size_t len, uint32_t options,
                   struct regex_error *err)
{
    int code;
    PCRE2_SIZE at;
    (void)pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    (void)pcre2_set_bsr(context, PCRE2_BSR_ANYCRLF);
    (void)pcre2_set_parens_nest_limit(context, NESTED_MAX);
    r->code = pcre2_compile(source, len, options, &code, &at, context);
    if (r->code != NULL)
        return 0;
    PCRE2_UCHAR text[sizeof(err->text)];
    if (pcre2_get_error_message(code, text, sizeof(text)) <= 0)
        text[0] = '\0';
    return fail(err, at < len ? at : len, (const char *)text);
}

int regex_compile(struct regex **ret, const uint8_t *source, size_t len, bool nocase, struct regex_error *err)
{
    uint32_t options = PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP;
    if (len > REGEX_SOURCE_MAX)
        return fail(err, REGEX_SOURCE_MAX, "it is too long");
    options |= has_high(source, len) ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : PCRE2_NEVER_UTF;
    options |= nocase ? PCRE2_CASELESS : 0;
    struct regex *r = calloc(1, sizeof(*r));
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    int rc =
        r == NULL || context == NULL ? fail(err, 0, "out of memory") : compile(r, context, source, len, options, err);
    pcre2_compile_context_free(context);
    if (rc != 0) {
        regex_free(r);
        return -1;
    }
    *ret = r;
    return 0;
}

void regex_free(struct regex *r)
{
    if (r == NULL)
        return;
    pcre2_code_free(r->code);
    free(r);
}

/* ------------------------------------------------------------------------------------------------ matching */

/* PCRE2 counts the steps anew at each place of the value from which it tries. */
static void set_limits(pcre2_match_context *context, size_t len)
{
    size_t steps = STEPS / (len + 1);
    (void)pcre2_set_match_limit(context, (uint32_t)(steps > STEPS_A_START ? steps : STEPS_A_START));
    (void)pcre2_set_depth_limit(context, DEPTH_MAX);
    (void)pcre2_set_heap_limit(context, HEAP_MAX);
}

static struct hep_slice captured(pcre2_match_data *data, const uint8_t *value, int groups)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
    size_t which = groups > 1 && at[2] != PCRE2_UNSET ? 2 : 0;
    /* \K in a look-ahead may put the start behind the end. */
    return (struct hep_slice){ value + at[which], at[which + 1] > at[which] ? at[which + 1] - at[which] : 0 };
}

/* A value that is cut must not match for its end, nor can it be said of it that nothing matches. */
enum regex_answer regex_capture(const struct regex *r, const uint8_t *value, size_t len, struct hep_slice *ret)
{
    bool cut = len > REGEX_SUBJECT_MAX;
    enum regex_answer answer = REGEX_GAVE_UP;
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(2, NULL);
    if (context != NULL && data != NULL) {
        len = cut ? REGEX_SUBJECT_MAX : len;
        set_limits(context, len);
        int rc = pcre2_match(r->code, value, len, 0, cut ? PCRE2_PARTIAL_HARD : 0, data, context);
        if (rc >= 0) {
            *ret = captured(data, value, rc > 0 ? rc : 2); /* 0: there are more groups than asked for */
            answer = REGEX_YES;
        } else if (rc == PCRE2_ERROR_NOMATCH || rc == PCRE2_ERROR_PARTIAL)
            answer = cut ? REGEX_CUT : REGEX_NO;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return answer;
}

enum regex_answer regex_match(const struct regex *r, const uint8_t *value, size_t len)
{
    struct hep_slice where;
    return regex_capture(r, value, len, &where);
}

/* ------------------------------------------------------------------------------------------------ for SQL */

/* What SQL asked for lately. Threads of one query ask for the same. */
#define CACHED 16u
#define IDLE_S 3 /* seconds */

struct cached {
    struct regex *regex;
    size_t len; /* of the spec */
    uint64_t used;
    time_t used_s; /* the same by the clock */
    unsigned users;
    atomic_uint gave_ups; /* of its values, since it was new or idle */
    uint8_t spec[REGEX_SOURCE_MAX + 1];
};

static struct cached cache[CACHED];
static uint64_t cache_clock;
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint_fast64_t gave_up;

static struct cached *find_cached(const uint8_t *spec, size_t len)
{
    for (size_t i = 0; i < CACHED; i++)
        if (cache[i].regex != NULL && cache[i].len == len && memcmp(cache[i].spec, spec, len) == 0)
            return &cache[i];
    return NULL;
}

/* An entry that nobody uses, the one that was used the longest ago; NULL if all are in use. */
static struct cached *free_entry(void)
{
    struct cached *oldest = NULL;
    for (size_t i = 0; i < CACHED; i++)
        if (cache[i].users == 0 && (oldest == NULL || cache[i].used < oldest->used))
            oldest = &cache[i];
    return oldest;
}

static struct cached *fill_entry(const uint8_t *spec, size_t len)
{
    struct regex_error err;
    struct cached *c = free_entry();
    if (c == NULL)
        return NULL;
    regex_free(c->regex);
    c->regex = NULL;
    if (regex_compile(&c->regex, spec + 1, len - 1, spec[0] == 'R', &err) != 0)
        return NULL;
    memcpy(c->spec, spec, len);
    c->len = len;
    atomic_store(&c->gave_ups, 0);
    return c;
}

/* A question that comes later is another one. */
static void note_use(struct cached *c)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec - c->used_s > IDLE_S)
        atomic_store(&c->gave_ups, 0);
    c->used_s = now.tv_sec;
    c->used = ++cache_clock;
    c->users++;
}

/* NULL: no expression, or no room. */
static struct cached *take_cached(const uint8_t *spec, size_t len)
{
    if (len == 0 || len > sizeof(cache[0].spec))
        return NULL;
    pthread_mutex_lock(&cache_lock);
    struct cached *c = find_cached(spec, len);
    if (c == NULL)
        c = fill_entry(spec, len);
    if (c != NULL)
        note_use(c);
    pthread_mutex_unlock(&cache_lock);
    return c;
}

static void give_cached(struct cached *c)
{
    pthread_mutex_lock(&cache_lock);
    c->users--;
    pthread_mutex_unlock(&cache_lock);
}

bool regex_function(const uint8_t *value, size_t len, const uint8_t *spec, size_t spec_len)
{
    enum regex_answer answer = REGEX_GAVE_UP;
    struct cached *c = take_cached(spec, spec_len);
    if (c != NULL) {
        if (atomic_load(&c->gave_ups) < REGEX_GIVE_UPS)
            answer = regex_match(c->regex, value, len);
        if (answer == REGEX_GAVE_UP)
            atomic_fetch_add(&c->gave_ups, 1);
        give_cached(c);
    }
    if (answer == REGEX_GAVE_UP || answer == REGEX_CUT)
        atomic_fetch_add_explicit(&gave_up, 1, memory_order_relaxed);
    return answer == REGEX_YES;
}

uint64_t regex_function_gave_up(void)
{
    return atomic_load_explicit(&gave_up, memory_order_relaxed);
}
