/*
 * Reports on media. First octet: the form. What comes out is within the ranges of docs/media.md, a field is known or
 * bad and not both, texts stay inside, and a report that is read again gives the same.
 */
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "rtp/report.h"
#include "rtp/stream.h"

static void check_texts(const struct media_reports *all, const struct media_report *r)
{
    for (unsigned t = 0; t < MEDIA_TEXT_COUNT; t++) {
        const struct hep_slice *s = &r->text[t];
        FUZZ_CHECK(s->len == 0 || (s->ptr >= all->texts && s->ptr + s->len <= all->texts + all->texts_len));
    }
}

static void check_report(const struct media_reports *all, const struct media_report *r)
{
    FUZZ_CHECK((r->known & r->bad) == 0 && (r->computed & ~r->known) == 0);
    for (unsigned f = 0; f < MEDIA_FIELD_COUNT; f++)
        FUZZ_CHECK(isfinite(r->value[f]) && (media_has(r, (enum media_field)f) || r->value[f] == 0));
    check_texts(all, r);
}

/* All blocks as if they were of one stream: the figures stay what they can be. */
static void check_stream(const struct media_reports *all)
{
    struct rtp_stream s;
    rtp_stream_init(&s);
    for (size_t i = 0; i < all->count; i++) {
        struct rtcp_block b;
        struct rtcp_sender_info sender;
        struct rtp_interval in;
        if (media_sender(&all->list[i], &sender))
            rtp_stream_sent(&s, &sender, (int64_t)i * 1000000);
        if (!media_block(&all->list[i], &b))
            continue;
        rtp_stream_report(&s, &b, 8000, (int64_t)i * 5000000, &in);
        FUZZ_CHECK(in.loss_pct >= 0 && in.loss_pct <= 100 && in.rtt_ms >= 0 && in.jitter_ms >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct media_reports all;
    static struct media_reports again;
    if (size == 0)
        return 0;
    enum media_form form = (enum media_form)(data[0] % (MEDIA_FORM_P_STAT + 1));
    struct hep_slice payload = { data + 1, size - 1 };
    enum media_result result = media_read(form, payload, &all);
    FUZZ_CHECK((result == MEDIA_BAD) == (all.error != NULL));
    FUZZ_CHECK(all.error_at <= payload.len && all.count <= MEDIA_REPORTS_MAX && all.texts_len <= MEDIA_TEXTS_MAX);
    FUZZ_CHECK(result != MEDIA_OK || all.count > 0);
    FUZZ_CHECK(media_read(form, payload, &again) == result && again.count == all.count);
    for (size_t i = 0; i < all.count; i++) {
        check_report(&all, &all.list[i]);
        FUZZ_CHECK(again.list[i].known == all.list[i].known && again.list[i].bad == all.list[i].bad);
        FUZZ_CHECK(memcmp(again.list[i].value, all.list[i].value, sizeof(all.list[i].value)) == 0);
    }
    check_stream(&all);
    return 0;
}
