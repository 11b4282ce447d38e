#include "sip/start.h"
#include "track/call.h"

static enum track_again kind_of(const struct track_event *e)
{
    if (e->flags & TRACK_EVENT_REQUEST)
        return e->method == SIP_INVITE ? TRACK_AGAIN_INVITE
               : e->method == SIP_ACK  ? TRACK_AGAIN_ACK
                                       : TRACK_AGAIN_REQUEST;
    return e->status < 200 ? TRACK_AGAIN_PROVISIONAL : e->status < 300 ? TRACK_AGAIN_SUCCESS : TRACK_AGAIN_FAILURE;
}

/* How often it was sent again: what the tap that saw most of it saw; or each saw another transmission. */
static unsigned sent_again(const struct recent *r)
{
    unsigned most = r->copies[0] > r->copies[1] ? r->copies[0] : r->copies[1];
    if (most == 1 && r->copies[1] == 1 && r->apart > RECENT_SAME_MS / RECENT_UNIT_MS)
        return 1;
    return most - 1;
}

static unsigned seen_again(const struct recent *r)
{
    return r->copies[0] + r->copies[1] - 1u - sent_again(r);
}

/* Adds a copy; false if there is nothing to count it by: a third tap. */
static bool add(struct recent *r, unsigned tap, int32_t ms)
{
    unsigned place = (r->taps & 15u) == tap + 1 ? 0 : 1;
    if (place == 1 && r->taps >> 4 == 0) {
        int64_t apart = ms > r->ms ? (int64_t)ms - r->ms : (int64_t)r->ms - ms;
        apart = (apart + RECENT_UNIT_MS - 1) / RECENT_UNIT_MS;
        r->apart = apart < UINT8_MAX ? (uint8_t)apart : UINT8_MAX;
        r->taps = (uint8_t)(r->taps | (tap + 1) << 4);
    }
    if (place == 1 && r->taps >> 4 != tap + 1)
        return false;
    r->copies[place] = (uint8_t)(r->copies[place] + (r->copies[place] < UINT8_MAX));
    return true;
}

static void count(uint16_t *counter, unsigned by)
{
    *counter = (uint16_t)(*counter + by <= UINT16_MAX ? *counter + by : UINT16_MAX);
}

void recent_note(struct track_call *c, const struct track_event *e, unsigned tap, int32_t ms)
{
    for (size_t i = 0; i < RECENT_MAX; i++) {
        struct recent *r = &c->recent[i];
        if (r->message != e->message || r->copies[0] == 0)
            continue;
        unsigned sent = sent_again(r), seen = seen_again(r);
        uint16_t *sent_counter = &c->again[kind_of(e)];
        if (!add(r, tap, ms)) {
            count(&c->seen_again, 1);
            return;
        }
        /* A second copy by each tap turns "sent twice" into "sent twice, seen by two": both figures may change. */
        *sent_counter = (uint16_t)(*sent_counter - (*sent_counter < sent ? *sent_counter : sent));
        c->seen_again = (uint16_t)(c->seen_again - (c->seen_again < seen ? c->seen_again : seen));
        count(sent_counter, sent_again(r));
        count(&c->seen_again, seen_again(r));
        return;
    }
    c->recent[c->recent_at] =
        (struct recent){ .message = e->message, .ms = ms, .taps = (uint8_t)(tap + 1), .copies = { 1, 0 } };
    c->recent_at = (uint8_t)((c->recent_at + 1) % RECENT_MAX);
}
