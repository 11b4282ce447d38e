/* A diagnosis as JSON: docs/api.md, GET /api/v1/calls/{call_id}/diagnosis. */
#include "base/json_out.h"
#include "base/when.h"
#include "query/diagnosis.h"

static void put_text(struct buf *out, bool *first, const char *key, struct hep_slice s)
{
    if (s.len == 0)
        return;
    json_out_key(out, first, key);
    (void)json_out_string(out, s.ptr, s.len);
}

static void put_time(struct buf *out, bool *first, const char *key, int64_t ts)
{
    char text[WHEN_TEXT_MAX];
    if (ts == RECORD_NO_TIME)
        return;
    (void)when_format(ts, text);
    json_out_key(out, first, key);
    json_out_text(out, text);
}

static void put_number(struct buf *out, bool *first, const char *key, uint64_t v)
{
    json_out_key(out, first, key);
    json_out_number(out, v);
}

static void put_call(struct buf *out, bool *first, const struct diagnosis_call *c)
{
    bool member = true;
    json_out_key(out, first, "call");
    if (!c->is_call) {
        buf_puts(out, "null");
        return;
    }
    buf_putc(out, '{');
    json_out_key(out, &member, "outcome");
    json_out_text(out, c->outcome);
    put_text(out, &member, "from_user", c->from_user);
    put_text(out, &member, "from_host", c->from_host);
    put_text(out, &member, "to_user", c->to_user);
    put_text(out, &member, "to_host", c->to_host);
    put_time(out, &member, "first", c->first);
    put_time(out, &member, "last", c->last);
    put_time(out, &member, "start", c->start);
    put_time(out, &member, "answer", c->answer);
    put_time(out, &member, "end", c->end);
    if (c->status != 0)
        put_number(out, &member, "status", c->status);
    put_text(out, &member, "reason", c->reason);
    buf_putc(out, '}');
}

static void put_evidence(struct buf *out, bool *first, const struct diagnosis_finding *f)
{
    json_out_key(out, first, "evidence");
    buf_putc(out, '[');
    for (size_t i = 0; i < f->evidence_count; i++) {
        bool member = true;
        buf_puts(out, i > 0 ? ",{" : "{");
        put_number(out, &member, "number", f->evidence[i].number);
        put_number(out, &member, "seq", f->evidence[i].seq);
        put_time(out, &member, "ts", f->evidence[i].ts);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    if (f->evidence_total > f->evidence_count)
        put_number(out, first, "further_evidence", f->evidence_total - f->evidence_count);
}

static void put_finding(struct buf *out, const struct diagnosis_finding *f)
{
    bool member = true;
    buf_putc(out, '{');
    json_out_key(out, &member, "id");
    json_out_text(out, f->title->id);
    json_out_key(out, &member, "severity");
    json_out_text(out, diagnosis_severity_name(f->title->severity));
    json_out_key(out, &member, "text");
    json_out_text(out, f->text);
    json_out_key(out, &member, "hint");
    json_out_text(out, f->title->hint);
    put_evidence(out, &member, f);
    buf_putc(out, '}');
}

void diagnosis_json(struct buf *out, const struct diagnosis *d)
{
    bool first = true;
    put_call(out, &first, &d->call);
    put_number(out, &first, "legs", d->legs);
    put_number(out, &first, "messages", d->messages);
    if (d->left_out > 0)
        put_number(out, &first, "left_out", d->left_out);
    json_out_key(out, &first, "findings");
    buf_putc(out, '[');
    for (size_t i = 0; i < d->count; i++) {
        buf_puts(out, i > 0 ? ",\n" : "\n");
        put_finding(out, &d->findings[i]);
    }
    buf_puts(out, d->count > 0 ? "\n]" : "]");
    if (d->dropped > 0)
        put_number(out, &first, "further_findings", d->dropped);
}
