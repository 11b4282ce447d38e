#include "query/diagnosis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "query/diagnosis_internal.h"

#define TEXT_MAX  1024 /* octets of a sentence */
#define SHOWN_MAX 64   /* octets shown of a text of a message */
#define EACH_MAX  8    /* findings of one rule */

/* ------------------------------------------------------------------------------------------------ the table */

#define RULE_TITLE(function, id, severity, title, hint) { id, DIAGNOSIS_##severity, title, hint },
static const struct diagnosis_title titles[] = { DIAGNOSIS_RULES(RULE_TITLE) };
#undef RULE_TITLE

#define RULE_FUNCTION(function, id, severity, title, hint) dx_##function,
static dx_rule_fn *const functions[] = { DIAGNOSIS_RULES(RULE_FUNCTION) };
#undef RULE_FUNCTION

#define RULES (sizeof(titles) / sizeof(titles[0]))

const struct diagnosis_title *diagnosis_titles(size_t *ret_count)
{
    *ret_count = RULES;
    return titles;
}

const char *diagnosis_severity_name(enum diagnosis_severity severity)
{
    static const char *const names[] = { "info", "warning", "error" };
    return names[severity];
}

/* ------------------------------------------------------------------------------------------------ saying */

struct buf *dx_begin(struct dx *x)
{
    struct diagnosis *d = x->out;
    size_t same = 0;
    buf_reset(&x->text);
    x->open = NULL;
    while (same < d->count && d->findings[d->count - 1 - same].title == x->title)
        same++;
    if (d->count == DIAGNOSIS_FINDINGS_MAX || same == EACH_MAX) {
        d->dropped++;
        return &x->text;
    }
    x->open = &d->findings[d->count++];
    *x->open = (struct diagnosis_finding){ .title = x->title };
    return &x->text;
}

void dx_cite(struct dx *x, uint32_t fact)
{
    struct diagnosis_finding *f = x->open;
    if (f == NULL || fact == DX_NONE)
        return;
    for (size_t i = 0; i < f->evidence_count; i++)
        if (f->evidence[i].number == x->f[fact].number)
            return;
    f->evidence_total++;
    if (f->evidence_count < DIAGNOSIS_EVIDENCE_MAX)
        f->evidence[f->evidence_count++] =
            (struct diagnosis_evidence){ x->f[fact].seq, x->f[fact].number, x->f[fact].ts };
}

void dx_end(struct dx *x)
{
    if (x->open == NULL)
        return;
    buf_putc(&x->text, '\0'); /* of a longer one than anyone would read: what there is of it */
    size_t len = x->text.len;
    x->open->text = len > 0 ? strndup((const char *)x->text.ptr, len - (x->text.failed ? 0 : 1)) : NULL;
    if (x->open->text == NULL) {
        x->no_memory = true;
        x->out->count--;
    }
    x->open = NULL;
}

void dx_put_host(struct buf *b, const struct diagnosis_host *h)
{
    char ip[IP_TEXT_MAX];
    (void)ip_format(&h->ip, ip);
    buf_printf(b, h->ip.len == 16 ? "[%s]:%u" : "%s:%u", h->ip.len == 0 ? "?" : ip, h->port);
}

void dx_put_hop(struct buf *b, const struct diagnosis_fact *f)
{
    dx_put_host(b, &f->src);
    buf_puts(b, " to ");
    dx_put_host(b, &f->dst);
}

void dx_put_slice(struct buf *b, struct hep_slice s)
{
    for (size_t i = 0; i < s.len && i < SHOWN_MAX; i++)
        buf_putc(b, s.ptr[i] == '\0' ? ' ' : (char)s.ptr[i]);
    if (s.len > SHOWN_MAX)
        buf_puts(b, "...");
}

void dx_put_span(struct buf *b, int64_t us)
{
    long long tenths = (long long)((us + (us < 0 ? -50000 : 50000)) / 100000);
    if (us > -SECOND && us < SECOND)
        buf_printf(b, "%lld ms", (long long)(us / 1000));
    else if (tenths < 1200)
        buf_printf(b, "%lld.%lld s", tenths / 10, (tenths < 0 ? -tenths : tenths) % 10);
    else if (tenths < 72000)
        buf_printf(b, "%lld min %lld s", tenths / 600, tenths / 10 % 60);
    else
        buf_printf(b, "%lld h %lld min", tenths / 36000, tenths / 600 % 60);
}

void dx_put_status(struct buf *b, const struct diagnosis_fact *f)
{
    buf_printf(b, "%u", f->status);
    if (f->reason.len > 0)
        buf_putc(b, ' ');
    dx_put_slice(b, f->reason);
}

void dx_put_method(struct buf *b, const struct diagnosis_fact *f)
{
    if (f->method_name.len == 0)
        buf_puts(b, "request");
    dx_put_slice(b, f->method_name);
}

void dx_put_user(struct buf *b, struct hep_slice user, struct hep_slice host)
{
    dx_put_slice(b, user);
    if (user.len > 0 && host.len > 0)
        buf_putc(b, '@');
    dx_put_slice(b, host);
    if (user.len == 0 && host.len == 0)
        buf_putc(b, '?');
}

void dx_put_times(struct buf *b, uint32_t n)
{
    if (n <= 2)
        buf_puts(b, n == 2 ? "twice" : "once");
    else
        buf_printf(b, "%u times", n);
}

/* ------------------------------------------------------------------------------------------------ the call */

/* The leg that tells what the call was: the first one with an INVITE outside of a dialog, else the first of a call. */
static const struct dx_leg *main_leg(const struct dx *x)
{
    const struct dx_leg *best = NULL;
    for (size_t i = 0; i < x->leg_count; i++) {
        const struct dx_leg *leg = &x->legs[i];
        if (leg->invite != DX_NONE)
            return leg;
        if (leg->has_call && best == NULL)
            best = leg;
    }
    return best;
}

/* Who sent the BYE: by the address of the first INVITE, or by the tag where that is known. */
static bool bye_of_caller(const struct dx *x, const struct dx_leg *leg)
{
    return text_equal(x->f[leg->bye].from_tag, x->f[leg->invite].from_tag);
}

static const char *outcome_of(const struct dx *x, const struct dx_leg *leg)
{
    if (leg->bye != DX_NONE && leg->invite == DX_NONE)
        return "answered before the capture began, ended by a BYE";
    if (leg->bye != DX_NONE)
        return bye_of_caller(x, leg) ? "answered, the caller hung up" : "answered, the called side hung up";
    if (leg->answer != DX_NONE || leg->ack != DX_NONE)
        return "answered, no BYE was seen";
    if (leg->final != DX_NONE && x->f[leg->final].status == 487)
        return "the caller gave up";
    if (leg->final != DX_NONE)
        return x->f[leg->final].status < 400 ? "redirected" : "not answered";
    if (leg->cancel != DX_NONE)
        return "the caller gave up";
    return leg->progress != DX_NONE ? "no final response was seen" : "no answer was seen";
}

static void describe_times(const struct dx *x, const struct dx_leg *leg, struct diagnosis_call *c)
{
    c->start = leg->invite != DX_NONE ? x->f[leg->invite].ts : RECORD_NO_TIME;
    c->answer = leg->answer != DX_NONE ? x->f[leg->answer].ts : RECORD_NO_TIME;
    uint32_t end = leg->bye != DX_NONE ? leg->bye : leg->answer != DX_NONE ? DX_NONE : leg->final;
    c->end = end != DX_NONE ? x->f[end].ts : RECORD_NO_TIME;
    uint32_t final = leg->answer != DX_NONE ? leg->answer : leg->final;
    if (final == DX_NONE)
        return;
    c->status = x->f[final].status;
    c->reason = x->f[final].reason;
}

static void describe(const struct dx *x, struct diagnosis_call *c)
{
    const struct dx_leg *leg = main_leg(x);
    *c = (struct diagnosis_call){ .start = RECORD_NO_TIME, .answer = RECORD_NO_TIME, .end = RECORD_NO_TIME };
    if (x->count == 0)
        return;
    c->first = x->f[0].ts;
    c->last = x->f[x->count - 1].ts;
    c->outcome = "no call";
    uint32_t who = leg == NULL ? 0 : leg->invite != DX_NONE ? leg->invite : leg->first;
    c->from_user = x->f[who].from_user;
    c->from_host = x->f[who].from_host;
    c->to_user = x->f[who].to_user;
    c->to_host = x->f[who].to_host;
    if (leg == NULL)
        return;
    c->is_call = true;
    c->outcome = outcome_of(x, leg);
    describe_times(x, leg, c);
}

/* ------------------------------------------------------------------------------------------------ at work */

static int by_severity(const void *a, const void *b)
{
    const struct diagnosis_finding *x = a, *y = b;
    if (x->title->severity != y->title->severity)
        return x->title->severity > y->title->severity ? -1 : 1;
    uint32_t m = x->evidence_count > 0 ? x->evidence[0].number : 0;
    uint32_t n = y->evidence_count > 0 ? y->evidence[0].number : 0;
    if (m != n)
        return m < n ? -1 : 1;
    return x->title < y->title ? -1 : x->title > y->title;
}

int diagnosis_make(struct diagnosis *ret, const struct diagnosis_facts *facts, const struct diagnosis_options *options)
{
    struct dx *x = calloc(1, sizeof(*x));
    *ret = (struct diagnosis){ .messages = facts->count, .left_out = facts->left_out };
    if (x == NULL)
        return -ENOMEM;
    x->facts = facts;
    x->f = facts->all;
    x->count = (uint32_t)facts->count;
    x->options = options;
    x->out = ret;
    buf_init(&x->text, TEXT_MAX);
    ret->findings = calloc(DIAGNOSIS_FINDINGS_MAX, sizeof(ret->findings[0]));
    if (ret->findings == NULL || !dx_prepare(x)) {
        x->no_memory = true;
        goto out;
    }
    ret->legs = x->leg_count;
    describe(x, &ret->call);
    for (size_t i = 0; i < RULES; i++) {
        x->title = &titles[i];
        functions[i](x);
    }
    if (ret->count > 0)
        qsort(ret->findings, ret->count, sizeof(ret->findings[0]), by_severity);
out:
    if (x->no_memory)
        diagnosis_free(ret);
    int rc = x->no_memory ? -ENOMEM : 0;
    dx_free(x);
    free(x);
    return rc;
}

void diagnosis_free(struct diagnosis *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->count; i++)
        free(d->findings[i].text);
    free(d->findings);
    *d = (struct diagnosis){ .count = 0 };
}
