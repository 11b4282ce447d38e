/* Calls in a short notation -> what the tracker says of them; in any order, seen by two taps, and across a restart. */
#include <errno.h>

#include "track_script.h"

#define INVITE "0 A>B INVITE 1 i sdp;"
#define TRIES  "10 B>A 100 1 i;"
#define RINGS  "900 B>A 180 1 i;"
#define OK     "4000 B>A 200 1 i sdp; 4020 A>B ACK 1 k t=b;"
#define UP     INVITE TRIES RINGS OK
#define BYE    "64000 A>B BYE 2 y t=b q=16; 64010 B>A 200/BYE 2 y;"

static const struct row {
    const char *name, *messages, *want;
    bool live; /* what it looks like before its time is over */
} rows[] = {
    { "answered", UP BYE, "completed by-caller s=200 q=16 pdd=900 ring=3100 talk=60000 n=7", false },
    { "answered, still on", UP, "answered s=200 pdd=900 ring=3100 talk=20 n=5", true },
    { "callee hangs up", UP "34000 B>A BYE 1 y f=b t=a; 34010 A>B 200/BYE 1 y f=b t=a;",
      "completed by-callee s=200 pdd=900 ring=3100 talk=30000 n=7", false },
    { "both hang up", UP "34000 B>A BYE 1 y f=b t=a; 34005 A>B BYE 2 z t=b; 34010 A>B 200/BYE 1 y f=b t=a;",
      "completed by-callee s=200 pdd=900 ring=3100 talk=30000 n=8", false },
    { "calling", INVITE TRIES, "calling n=2", true },
    { "ringing", INVITE RINGS, "ringing pdd=900 ring=0 n=2", true },
    { "early media", INVITE "500 B>A 183 1 i sdp;", "early pdd=500 n=2 early-media", true },
    { "early media, then 180, then answered", INVITE "500 B>A 183 1 i sdp;" RINGS OK BYE,
      "completed by-caller s=200 q=16 pdd=500 ring=3100 talk=60000 n=7 early-media", false },
    { "no answer at all", INVITE "500 A>B INVITE 1 i sdp; 1500 A>B INVITE 1 i sdp; 3500 A>B INVITE 1 i sdp;",
      "timed out n=4 again-invite=3", false },
    { "rings for ever", INVITE RINGS, "timed out pdd=900 ring=0 n=2", false },
    { "busy", INVITE TRIES "800 B>A 486 1 i q=17; 810 A>B ACK 1 i t=b;", "rejected by-callee s=486 q=17 pdd=800 n=4",
      false },
    { "declined", INVITE RINGS "2000 B>A 603 1 i;", "rejected by-callee s=603 pdd=900 ring=1100 n=3", false },
    { "not found", INVITE "30 B>A 404 1 i q=1;", "failed s=404 q=1 pdd=30 n=2", false },
    { "not acceptable", INVITE "30 B>A 488 1 i;", "failed s=488 pdd=30 n=2", false },
    { "server error", INVITE "30 B>A 503 1 i;", "failed s=503 pdd=30 n=2", false },
    { "408", INVITE TRIES "32000 B>A 408 1 i;", "timed out s=408 pdd=32000 n=3", false },
    { "cancelled", INVITE RINGS "9000 A>B CANCEL 1 i c=200; 9010 B>A 200/CANCEL 1 i; 9020 B>A 487 1 i;",
      "cancelled by-caller s=487 c=200 pdd=900 ring=8120 n=5", false },
    { "cancelled, 487 never seen", INVITE RINGS "9000 A>B CANCEL 1 i;", "cancelled by-caller pdd=900 ring=8100 n=3",
      false },
    { "CANCEL too late", INVITE RINGS "3999 A>B CANCEL 1 i;" OK BYE,
      "completed by-caller s=200 q=16 pdd=900 ring=3100 talk=60000 n=7", false },
    { "credentials",
      INVITE "20 B>A 407 1 i; 25 A>B ACK 1 i t=b; 40 A>B INVITE 2 j sdp; 940 B>A 180 2 j;"
             "4000 B>A 200 2 j sdp; 4020 A>B ACK 2 k t=b; 9000 A>B BYE 3 y t=b; 9001 B>A 200/BYE 3 y;",
      "completed by-caller s=200 pdd=940 ring=3060 talk=5000 n=9 auth=1", false },
    { "credentials, in between", INVITE "20 B>A 407 1 i; 25 A>B ACK 1 i t=b; 40 A>B INVITE 2 j sdp;",
      "calling s=407 pdd=20 n=4 auth=1", true },
    { "credentials refused three times",
      INVITE "20 B>A 401 1 i; 40 A>B INVITE 2 j; 60 B>A 401 2 j; 80 A>B INVITE 3 l; 90 B>A 401 3 l;",
      "failed s=401 pdd=90 n=6 auth=3", false },
    { "redirected", INVITE "20 B>A 302 1 i; 30 A>C INVITE 2 j sdp; 400 C>A 180 2 j; 900 C>A 486 2 j;",
      "rejected by-callee s=486 pdd=400 ring=500 n=5 redirected forwarded", false },
    { "redirected, to nowhere", INVITE "20 B>A 302 1 i;", "failed s=302 pdd=20 n=2 redirected forwarded", false },
    { "forwarded by Diversion", "0 A>B INVITE 1 i sdp fwd; 30 B>A 404 1 i;", "failed s=404 pdd=30 n=2 forwarded",
      false },
    { "200 again and again until the ACK", UP "4500 B>A 200 1 i sdp; 5500 B>A 200 1 i sdp; 5520 A>B ACK 1 k t=b;" BYE,
      "completed by-caller s=200 q=16 pdd=900 ring=3100 talk=60000 n=10 again-2xx=2 again-ack=1", false },
    { "200 without ACK",
      INVITE RINGS "4000 B>A 200 1 i sdp; 4500 B>A 200 1 i sdp; 36000 B>A BYE 1 y f=b t=a;"
                   "36010 A>B 200/BYE 1 y f=b t=a;",
      "completed by-callee s=200 pdd=900 ring=3100 talk=32000 n=6 again-2xx=1 no-ack", false },
    { "other requests again",
      INVITE "9 B>A 100 1 i; 19 B>A 100 1 i; 30 B>A 404 1 i; 530 B>A 404 1 i; 540 A>B ACK 1 i "
             "t=b; 1040 A>B ACK 1 i t=b; 100 A>B CANCEL 1 i; 600 A>B CANCEL 1 i;",
      "failed s=404 pdd=30 n=9 again-request=1 again-1xx=1 again-failure=1 again-ack=1", false },
    { "two provisional responses with other content",
      INVITE "100 B>A 183 1 i x=1; 200 B>A 183 1 i x=2; 300 B>A 404 1 i;", "failed s=404 pdd=100 n=4", false },
    { "nobody answers the BYE", UP "64000 A>B BYE 2 y t=b; 64500 A>B BYE 2 y t=b; 65500 A>B BYE 2 y t=b;",
      "completed by-caller s=200 pdd=900 ring=3100 talk=60000 n=8 again-request=2 no-bye-answer", false },
    { "never ends", UP, "incomplete s=200 pdd=900 ring=3100 talk=20 n=5", false },
    { "hold and resume",
      UP "10000 A>B INVITE 2 h t=b hold; 10020 B>A 200 2 h sdp; 10030 A>B ACK 2 g t=b;"
         "20000 A>B INVITE 3 r t=b sdp; 20020 B>A 200 3 r sdp; 20030 A>B ACK 3 e t=b; 64000 A>B BYE 4 y t=b;"
         "64001 B>A 200/BYE 4 y;",
      "completed by-caller s=200 pdd=900 ring=3100 talk=60000 n=13 reinvites=2 holds=1 resumes=1", false },
    { "on hold", UP "10000 A>B INVITE 2 h t=b hold; 10020 B>A 200 2 h sdp;",
      "held s=200 pdd=900 ring=3100 talk=6020 n=7 reinvites=1 holds=1", true },
    { "refreshed while on hold",
      UP "10000 B>A INVITE 1 h f=b t=a hold; 20000 B>A INVITE 2 r f=b t=a hold; 30000 B>A INVITE 3 e f=b t=a sdp;",
      "answered s=200 pdd=900 ring=3100 talk=26000 n=8 reinvites=3 holds=1 resumes=1", true },
    { "re-INVITE refused", UP "9000 A>B INVITE 2 h t=b sdp; 9010 B>A 488 2 h; 9020 A>B ACK 2 h t=b;" BYE,
      "completed by-caller s=200 q=16 pdd=900 ring=3100 talk=60000 n=10 reinvites=1", false },
    { "session timer by UPDATE", UP "9000 A>B UPDATE 2 u t=b; 9010 B>A 200/UPDATE 2 u;",
      "answered s=200 pdd=900 ring=3100 talk=5010 n=7 updates=1", true },
    { "transfer by REFER", UP "9000 B>A REFER 1 u f=b t=a to=sip:7@c; 9010 A>B 202/REFER 1 u f=b t=a;" BYE,
      "completed by-caller s=200 q=16 pdd=900 ring=3100 talk=60000 n=9 refers=1 transferred", false },
    { "takes a call over", "0 A>B INVITE 1 i sdp repl; 30 B>A 200 1 i sdp; 40 A>B ACK 1 k t=b;",
      "answered s=200 pdd=30 talk=10 n=3 transferred", true },
    { "through a proxy",
      INVITE "1 P>B INVITE 1 j sdp via=2; 500 B>P 180 1 j via=2; 501 P>A 180 1 i; 900 B>P 200 1 j via=2 sdp;"
             "901 P>A 200 1 i sdp; 910 A>P ACK 1 k t=b; 911 P>B ACK 1 l t=b via=2; 2900 A>P BYE 2 y t=b; 2901 P>B BYE "
             "2 z t=b via=2; 2910 B>P 200/BYE 2 z via=2; 2911 P>A 200/BYE 2 y;",
      "completed by-caller s=200 pdd=500 ring=400 talk=2000 n=12 hops=2", false },
    { "parallel fork, two ring, one answers",
      INVITE "1 P>B INVITE 1 j via=2; 2 P>C INVITE 1 l via=2; 50 B>P 180 1 j via=2; 60 C>P 180 1 l via=2 t=c;"
             "900 C>P 200 1 l via=2 t=c sdp; 901 P>A 200 1 i t=c sdp; 902 P>B CANCEL 1 j via=2; 903 B>P 487 1 j via=2;"
             "910 A>P ACK 1 k t=c; 1900 A>P BYE 2 y t=c; 1910 P>A 200/BYE 2 y t=c;",
      "completed by-caller s=200 pdd=50 ring=850 talk=1000 n=12 hops=2 branches=2 tags=2", false },
    { "two 200 from a fork: the second dialog gets its BYE at once",
      INVITE "900 B>A 200 1 i t=b sdp; 950 B>A 200 1 i t=c sdp; 960 A>B ACK 1 k t=b; 970 A>B ACK 1 l t=c;"
             "980 A>B BYE 2 y t=c; 990 B>A 200/BYE 2 y t=c;",
      "answered s=200 pdd=900 talk=90 n=7 tags=2", true },
    { "... and the first one by the called side",
      INVITE "900 B>A 200 1 i t=b sdp; 950 B>A 200 1 i t=c sdp; 960 A>B ACK 1 k t=b; 970 A>B ACK 1 l t=c;"
             "980 A>B BYE 2 y t=c; 990 B>A 200/BYE 2 y t=c; 5000 B>A BYE 1 z f=b t=a; 5010 A>B 200/BYE 1 z f=b t=a;",
      "completed by-callee s=200 pdd=900 talk=4100 n=9 tags=2", false },
    { "a BYE of some other dialog",
      "0 A>B BYE 9 o f=p t=q; 10 B>A 481/BYE 9 o f=p t=q; 1000 A>B INVITE 1 i sdp; 1500 B>A 180 1 i;"
      "2500 B>A 486 1 i; 2510 A>B ACK 1 i;",
      "rejected by-callee s=486 pdd=500 ring=1000 n=6", false },
    { "next carrier after a 503, still ringing",
      INVITE
      "1 P>B INVITE 1 j via=2; 40 B>P 503 1 j via=2; 50 P>C INVITE 1 l via=2; 60 C>P 180 1 l via=2; 61 P>A 180 1 i;",
      "ringing s=503 pdd=60 ring=1 n=6 hops=2 branches=2", true },
    { "the proxy gives up",
      INVITE "1 P>B INVITE 1 j via=2; 40 B>P 180 1 j via=2; 30000 P>B CANCEL 1 j via=2;"
             "30010 B>P 487 1 j via=2; 30020 P>A 408 1 i;",
      "timed out s=408 pdd=40 ring=29980 n=6 hops=2", false },
    { "two taps", "0 A>B INVITE 1 i sdp tap=1; 3 A>B INVITE 1 i sdp tap=2; 30 B>A 404 1 i tap=1; 33 B>A 404 1 i tap=2;",
      "failed s=404 pdd=30 n=4 seen-again=2 taps=2", false },
    { "two taps, sent again",
      "0 A>B INVITE 1 i tap=1; 3 A>B INVITE 1 i tap=2; 500 A>B INVITE 1 i tap=1; 503 A>B INVITE 1 i tap=2; 600 B>A 404 "
      "1 i;",
      "failed s=404 pdd=600 n=5 seen-again=2 again-invite=1 taps=3", false },
    { "each tap saw another transmission", "0 A>B INVITE 1 i tap=1; 501 A>B INVITE 1 i tap=2; 600 B>A 404 1 i tap=1;",
      "failed s=404 pdd=600 n=3 again-invite=1 taps=2", false },
    { "start before the capture", "0 A>B ACK 1 k t=b; 5000 A>B BYE 2 y t=b; 5010 B>A 200/BYE 2 y;",
      "completed n=3 start-missing", false },
    { "start before the capture, re-INVITE", "0 A>B INVITE 5 h t=b sdp; 20 B>A 200 5 h sdp; 30 A>B ACK 5 g t=b;",
      "answered s=200 n=3 reinvites=1 start-missing", true },
    { "only a BYE's answer", "0 B>A 200/BYE 2 y;", "completed n=1 start-missing", false },
    { "INVITE lost",
      "0 B>A 180 1 i; 3000 B>A 200 1 i sdp; 3010 A>B ACK 1 k t=b; 9000 A>B BYE 2 y t=b; 9010 B>A "
      "200/BYE 2 y;",
      "completed by-caller s=200 ring=3000 talk=6000 n=5 start-missing", false },
    { "late offer", "0 A>B INVITE 1 i; 500 B>A 200 1 i sdp; 510 A>B ACK 1 k t=b sdp;",
      "answered s=200 pdd=500 talk=10 n=3 late-offer", true },
    { "BYE with an earlier time than the INVITE", "5000 A>B INVITE 1 i; 0 A>B BYE 2 y t=b; 10 B>A 200/BYE 2 y;",
      "completed by-caller n=3", false },
    { "CSeq used again", INVITE "20 B>A 404 1 i; 2000 A>B INVITE 1 j sdp; 2020 B>A 180 1 j; 3000 B>A 486 1 j;",
      "failed s=404 pdd=2020 ring=0 n=5 branches=2", false },
    { "Call-ID used again after the end", UP BYE "70000 A>B INVITE 1 n f=z; 73000 B>A 404 1 n f=z;",
      "completed by-caller s=200 q=16 pdd=900 ring=3100 talk=60000 n=7 | failed s=404 pdd=3000 n=2", false },
    { "Call-ID used again, end unseen", UP "99000 A>B INVITE 1 n f=z; 102000 B>A 404 1 n f=z;",
      "incomplete s=200 pdd=900 ring=3100 talk=20 n=5 | failed s=404 pdd=3000 n=2", false },
    { "OPTIONS inside a call", UP "9000 A>B OPTIONS 2 o t=b; 9010 B>A 200/OPTIONS 2 o;" BYE,
      "completed by-caller s=200 q=16 pdd=900 ring=3100 talk=60000 n=9", false },
    { "OPTIONS alone", "0 A>B OPTIONS 1 o; 10 B>A 200/OPTIONS 1 o;", "", false },
    { "REGISTER", "0 A>B REGISTER 1 o; 10 B>A 200/REGISTER 1 o;", "", false },
    { "status out of range", INVITE "9 B>A 42 1 i; 20 B>A 999 1 i;", "failed s=999 pdd=20 n=3", false },
};

static struct script script;

static struct tracker *fresh(struct script_out *out)
{
    const struct track_options o = { .on_call = script_show, .arg = out };
    struct tracker *t = tracker_new(&o);
    assert_non_null(t);
    memset(out, 0, sizeof(*out));
    return t;
}

static void take(struct tracker *t, const struct script_message *m, int64_t now)
{
    if (m->is_event)
        (void)tracker_take(t, &m->event, track_event_has_news(&m->event) ? &m->texts : NULL, now);
}

static void end(struct tracker *t, bool live, struct script_out *out)
{
    if (live)
        tracker_each(t, script_show, out);
    else
        tracker_tick(t, SCRIPT_START + 200000 * SCRIPT_SECOND);
    tracker_free(t);
}

static void check(const struct row *row, const struct script_out *out, const char *how)
{
    const char *got = out->text[0] == ' ' ? out->text + 1 : out->text;
    if (strcmp(got, row->want) != 0)
        fail_msg("%s, %s:\n got  %s\n want %s", row->name, how, got, row->want);
}

static void test_scenarios(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct script_out out;
        struct tracker *t = fresh(&out);
        script_read(&script, rows[i].messages);
        for (size_t m = 0; m < script.count; m++)
            take(t, &script.all[m], script.all[m].event.ts);
        end(t, rows[i].live, &out);
        if (strcmp(out.text + (out.text[0] == ' '), rows[i].want) != 0) {
            print_error("%s:\n got  %s\n want %s\n", rows[i].name, out.text + 1, rows[i].want);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

struct arrival {
    int64_t at;
    size_t message;
};

static int by_arrival(const void *a, const void *b)
{
    const struct arrival *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->message < y->message ? -1 : 1;
}

/* Each message comes up to two seconds late: the record is the same. */
static void test_any_order(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        script_read(&script, rows[i].messages);
        for (unsigned round = 0; round < 50; round++) {
            struct arrival order[SCRIPT_MAX];
            struct script_out out;
            struct tracker *t = fresh(&out);
            for (size_t m = 0; m < script.count; m++)
                order[m] =
                    (struct arrival){ script.all[m].event.ts + (int64_t)prng_below(&random, 2 * SCRIPT_SECOND), m };
            qsort(order, script.count, sizeof(order[0]), by_arrival);
            for (size_t m = 0; m < script.count; m++)
                take(t, &script.all[order[m].message], order[m].at);
            end(t, rows[i].live, &out);
            check(&rows[i], &out, "in another order");
        }
    }
}

/* Saved and loaded after each message: the record is the same, and so are the octets. */
static void test_restart(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct script_out out, ignored;
        struct errmsg err;
        struct tracker *t = fresh(&out);
        script_read(&script, rows[i].messages);
        for (size_t m = 0; m < script.count; m++) {
            struct buf a, b;
            buf_init(&a, 1 << 20);
            buf_init(&b, 1 << 20);
            take(t, &script.all[m], script.all[m].event.ts);
            tracker_save(t, &a);
            tracker_free(t);
            struct script_out so_far = out;
            t = fresh(&out);
            out = so_far;
            assert_int_equal(tracker_load(t, a.ptr, a.len, &err), 0);
            tracker_save(t, &b);
            assert_true(!a.failed && a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0);
            for (size_t len = 0; len < a.len; len++) { /* cut anywhere, it is refused */
                struct tracker *other = fresh(&ignored);
                assert_int_equal(tracker_load(other, a.ptr, len, &err), -EINVAL);
                tracker_free(other);
                len += m == 0 ? 0 : 97;
            }
            buf_free(&a);
            buf_free(&b);
        }
        end(t, rows[i].live, &out);
        check(&rows[i], &out, "restarted");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
