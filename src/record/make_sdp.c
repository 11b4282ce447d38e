/* From the SDP of a SIP message to a few columns: enough to find it and to see at a glance what was offered. */
#include "base/num.h"
#include "record/internal.h"

static void put_slice(struct buf *b, struct hep_slice s)
{
    buf_put(b, s.ptr, s.len);
}

static void put_number(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t len = num_format(v, digits);
    buf_put(b, digits, len);
}

static void put_format(struct buf *b, const struct sdp_format *f)
{
    put_slice(b, f->codec.len > 0 ? f->codec : f->text);
    if (f->clock_rate > 0) {
        buf_putc(b, '/');
        put_number(b, f->clock_rate);
    }
}

/* "audio PCMU/8000,telephone-event/8000 sendrecv ptime=20" */
static void put_media(struct buf *b, const struct sdp_media *m)
{
    static const char *const directions[] = { "", " sendrecv", " sendonly", " recvonly", " inactive" };
    if (b->len > 0)
        buf_puts(b, "; ");
    put_slice(b, m->kind);
    for (uint16_t i = 0; i < m->format_kept; i++) {
        buf_putc(b, i == 0 ? ' ' : ',');
        put_format(b, &m->formats[i]);
    }
    buf_puts(b, directions[m->direction]);
    if (m->ptime > 0) {
        buf_puts(b, " ptime=");
        put_number(b, m->ptime);
    }
}

static void keep_medium(struct record_sdp *sdp, const struct sdp_media *m)
{
    if (m->port != 0 && m->addr.len != 0 && sdp->media_count < RECORD_SDP_MEDIA_MAX)
        sdp->media[sdp->media_count++] = (struct record_medium){ m->addr, m->port };
}

void record_make_sdp(struct record_reader *r, struct record *ret)
{
    struct hep_slice sdp;
    if (!sdp_find_in(r->sip.body, r->sip.content_type, &sdp))
        return;
    struct sdp_iter it;
    struct sdp_media *m = &r->media;
    buf_reset(&r->sdp_media);
    ret->flags |= RECORD_FLAG_SDP;
    sdp_begin(&it, sdp);
    ret->sdp.user = it.session.user;
    ret->sdp.session = it.session.id;
    ret->sdp.origin = it.session.origin;
    for (unsigned n = 0; n < SDP_MEDIA_MAX && sdp_next(&it, m); n++) {
        if (n == 0) {
            ret->sdp_ip = m->host;
            ret->sdp_port = m->port;
        }
        keep_medium(&ret->sdp, m);
        put_media(&r->sdp_media, m);
        if (m->crypto || m->fingerprint)
            ret->flags |= RECORD_FLAG_SRTP;
        if (sdp_has_ice(m))
            ret->flags |= RECORD_FLAG_ICE;
    }
    ret->sdp_media = (struct hep_slice){ r->sdp_media.ptr, r->sdp_media.len };
}
