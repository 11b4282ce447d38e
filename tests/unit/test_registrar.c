/* Registrations in a short notation -> attempts and AoRs; in any order, seen by two taps, and across a restart. */
#include <errno.h>

#include "registrar_script.h"

#define CHALLENGED "0 A>B R 1 c=ph e=3600; 10 B>A 401 1;"
#define BOUND      CHALLENGED "20 A>B R 2 c=ph e=3600 auth; 30 B>A 200 2 c=ph:3600;"

static const struct row {
    const char *name, *messages, *attempts, *aors;
    unsigned at; /* second that the AoRs are looked at; 0: after all is over */
} rows[] = {
    { "registered at once", "0 A>B R 1 c=ph e=3600; 10 B>A 200 1 c=ph:3600;",
      "registered new s=200 asked=3600 got=3600 ms=10 n=2", "100 registered ph:3600", 60 },
    { "challenge and credentials are one attempt", BOUND, "registered new s=200 asked=3600 got=3600 ms=30 auth=1 n=4",
      "100 registered ph:3600", 60 },
    { "proxy challenge, then the registrar's",
      "0 A>B R 1 c=ph e=60; 5 B>A 407 1; 9 A>B R 2 c=ph e=60 auth; 15 B>A 401 2; 20 A>B R 3 c=ph e=60 auth;"
      "25 B>A 200 3 c=ph:60;",
      "registered new s=200 asked=60 got=60 ms=25 auth=2 n=6", "100 registered ph:60", 40 },
    { "less is granted", "0 A>B R 1 c=ph:3600; 10 B>A 200 1 c=ph:120;",
      "registered new s=200 asked=3600 got=120 ms=10 n=2", "100 registered ph:120", 60 },
    { "granted by the header alone", "0 A>B R 1 c=ph e=3600; 10 B>A 200 1 c=ph e=90;",
      "registered new s=200 asked=3600 got=90 ms=10 n=2", "100 registered ph:90", 60 },
    { "nobody says for how long", "0 A>B R 1 c=ph; 10 B>A 200 1 c=ph;", "registered new s=200 ms=10 n=2",
      "100 registered ph:3600", 60 },
    { "the answer shows the contact as it is behind a NAT", "0 A>B R 1 c=ph e=3600; 10 B>A 200 1 c=nat:300;",
      "registered new s=200 asked=3600 got=300 ms=10 n=2", "100 registered ph:300", 60 },
    { "the parameter goes before the header", "0 A>B R 1 c=ph:60 e=3600; 10 B>A 200 1 c=ph:60;",
      "registered new s=200 asked=60 got=60 ms=10 n=2", "100 registered ph:60", 40 },
    { "refresh", BOUND "1800000 A>B R 3 c=ph e=3600 auth; 1800010 B>A 200 3 c=ph:3600;",
      "registered new s=200 asked=3600 got=3600 ms=30 auth=1 n=4 | registered refresh s=200 asked=3600 got=3600 ms=10 "
      "n=2",
      "100 registered tried=2 ph:5400", 1900 },
    { "refresh after it expired binds anew",
      "0 A>B R 1 c=ph e=60; 10 B>A 200 1 c=ph:60; 90000 A>B R 2 c=ph e=60; 90010 B>A 200 2 c=ph:60;",
      "registered new s=200 asked=60 got=60 ms=10 n=2 | registered new s=200 asked=60 got=60 ms=10 n=2",
      "100 registered tried=2 changes=2 ph:150", 130 },
    { "expired", BOUND, "registered new s=200 asked=3600 got=3600 ms=30 auth=1 n=4", "100 expired ph-:3600", 4300 },
    { "removed", BOUND "60000 A>B R 3 c=ph:0 auth; 60010 B>A 200 3;",
      "registered new s=200 asked=3600 got=3600 ms=30 auth=1 n=4 | unregistered remove s=200 asked=0 got=0 ms=10 n=2",
      "100 unregistered tried=2 changes=1", 70 },
    { "removed by the header Expires", BOUND "60000 A>B R 3 c=ph e=0; 60010 B>A 200 3;",
      "registered new s=200 asked=3600 got=3600 ms=30 auth=1 n=4 | unregistered remove s=200 asked=0 got=0 ms=10 n=2",
      "100 unregistered tried=2 changes=1", 70 },
    { "all removed", "0 A>B R 1 c=ph,tab e=600; 5 B>A 200 1 c=ph:600,tab:600; 60000 A>B R 3 c=* e=0; 60010 B>A 200 3;",
      "registered new s=200 asked=600 got=600 ms=5 contacts=2 n=2 | unregistered remove s=200 asked=0 got=0 ms=10 "
      "contacts=0 n=2",
      "100 unregistered tried=2 changes=1", 70 },
    { "removed, and another contact stays",
      "0 A>B R 1 c=ph,tab e=600; 5 B>A 200 1 c=ph:600,tab:600; 60000 A>B R 3 c=ph:0; 60010 B>A 200 3 c=tab:540;",
      "registered new s=200 asked=600 got=600 ms=5 contacts=2 n=2 | unregistered remove s=200 asked=0 got=0 ms=10 n=2",
      "100 registered tried=2 tab:600", 70 },
    { "a second phone, whose answer tells of the first",
      "0 A>B R 1 c=ph e=600; 5 B>A 200 1 c=ph:600; 9000 C>B R 1 id=two c=tab e=300; 9010 B>C 200 1 id=two "
      "c=ph:591,tab:300;",
      "registered new s=200 asked=600 got=600 ms=5 n=2 | registered new s=200 asked=300 got=300 ms=10 n=2",
      "100 registered tried=2 changes=1 ph:600 tab:309", 70 },
    { "a contact that the registrar has no more",
      "0 A>B R 1 c=ph e=600; 5 B>A 200 1 c=ph:600; 9000 C>B R 1 id=two c=tab e=300; 9010 B>C 200 1 id=two c=tab:300;",
      "registered new s=200 asked=600 got=600 ms=5 n=2 | registered new s=200 asked=300 got=300 ms=10 n=2",
      "100 registered tried=2 changes=1 tab:309", 70 },
    { "two registrars",
      "0 A>B R 1 c=ph e=600; 5 B>A 200 1 c=ph:600; 9000 A>D R 1 id=two c=ph e=300; 9010 D>A 200 1 "
      "id=two c=ph:300;",
      "registered new s=200 asked=600 got=600 ms=5 n=2 | registered new s=200 asked=300 got=300 ms=10 n=2",
      "100 registered tried=2 changes=1 ph:600 ph:309", 70 },
    { "what is bound?", "0 A>B R 1; 10 B>A 200 1 c=ph:100;", "queried query s=200 ms=10 contacts=0 n=2",
      "100 registered ph:100", 60 },
    { "too brief", "0 A>B R 1 c=ph e=30; 10 B>A 423 1 min=120; 20 A>B R 2 c=ph e=120; 30 B>A 200 2 c=ph:120;",
      "registered new s=200 asked=120 got=120 min=120 ms=30 n=4", "100 registered ph:120", 60 },
    { "too brief, and no more", "0 A>B R 1 c=ph e=30; 10 B>A 423 1 min=120;",
      "refused new s=423 asked=30 min=120 ms=10 n=2", "100 failing failed=1 row=1", 0 },
    { "challenge without credentials", CHALLENGED, "challenged new s=401 asked=3600 ms=10 n=2",
      "100 failing failed=1 row=1", 0 },
    { "wrong password",
      CHALLENGED "20 A>B R 2 c=ph e=3600 auth; 30 B>A 401 2; 40 A>B R 3 c=ph e=3600 auth; 50 B>A 401 3;",
      "refused new s=401 asked=3600 ms=50 auth=2 n=6", "100 failing failed=1 row=1", 0 },
    { "forbidden", "0 A>B R 1 c=ph e=60; 10 B>A 403 1;", "refused new s=403 asked=60 ms=10 n=2",
      "100 failing failed=1 row=1", 0 },
    { "redirected", "0 A>B R 1 c=ph e=60; 10 B>A 302 1;", "refused new s=302 asked=60 ms=10 n=2",
      "100 failing failed=1 row=1", 0 },
    { "nobody answers", "0 A>B R 1 c=ph e=60; 500 A>B R 1 c=ph e=60; 1500 A>B R 1 c=ph e=60; 3500 A>B R 1 c=ph e=60;",
      "timed out new asked=60 n=4 again=3", "100 failing failed=1 row=1", 0 },
    { "100 alone is no answer", "0 A>B R 1 c=ph e=60; 5 B>A 100 1;", "timed out new asked=60 n=2",
      "100 failing failed=1 row=1", 0 },
    { "the second one is answered", "0 A>B R 1 c=ph e=60; 32500 A>B R 2 c=ph e=60; 32510 B>A 200 2 c=ph:60;",
      "timed out new asked=60 n=1 | registered new s=200 asked=60 got=60 ms=10 n=2",
      "100 registered tried=2 failed=1 ph:92", 80 },
    { "a refresh fails: it is failing while it is bound", BOUND "1800000 A>B R 3 c=ph e=3600; 1800010 B>A 503 3;",
      "registered new s=200 asked=3600 got=3600 ms=30 auth=1 n=4 | refused refresh s=503 asked=3600 ms=10 n=2",
      "100 failing tried=2 failed=1 row=1 changes=1 ph:3600", 1900 },
    { "a stranger guesses passwords: the phone is as it was",
      BOUND "9000 X>B R 1 id=evil c=bad e=60; 9005 B>X 401 1 id=evil; 9010 X>B R 2 id=evil c=bad e=60 auth; 9020 B>X "
            "403 2 id=evil;",
      "registered new s=200 asked=3600 got=3600 ms=30 auth=1 n=4 | refused new s=403 asked=60 ms=20 auth=1 n=4",
      "100 registered tried=2 failed=1 ph:3600", 60 },
    { "flapping: two that push each other out",
      "0 A>B R 1 c=ph e=600; 5 B>A 200 1 c=ph:600; 10000 C>B R 1 id=b c=tab e=600; 10005 B>C 200 1 id=b c=tab:600;"
      "20000 A>B R 2 c=ph e=600; 20005 B>A 200 2 c=ph:600; 30000 C>B R 2 id=b c=tab e=600; 30005 B>C 200 2 id=b "
      "c=tab:600; 40000 A>B R 3 c=ph e=600; 40005 B>A 200 3 c=ph:600;",
      "registered new s=200 asked=600 got=600 ms=5 n=2 | registered new s=200 asked=600 got=600 ms=5 n=2 | registered "
      "new s=200 asked=600 got=600 ms=5 n=2 | registered new s=200 asked=600 got=600 ms=5 n=2 | registered new s=200 "
      "asked=600 got=600 ms=5 n=2",
      "100 flapping tried=5 changes=4 ph:640", 60 },
    { "it was flapping",
      "0 A>B R 1 c=ph e=900; 5 B>A 200 1 c=ph:900; 10000 C>B R 1 id=b c=tab e=900; 10005 B>C 200 1 id=b c=tab:900;"
      "20000 A>B R 2 c=ph e=900; 20005 B>A 200 2 c=ph:900; 30000 C>B R 2 id=b c=tab e=900; 30005 B>C 200 2 id=b "
      "c=tab:900; 40000 A>B R 3 c=ph e=900; 40005 B>A 200 3 c=ph:900;",
      NULL, "100 registered tried=5 ph:940", 700 },
    { "sent again, seen by one",
      "0 A>B R 1 c=ph e=60; 500 A>B R 1 c=ph e=60; 510 B>A 200 1 c=ph:60; 515 B>A 200 1 c=ph:60;",
      "registered new s=200 asked=60 got=60 ms=510 n=4 again=2", "100 registered ph:60", 40 },
    { "seen by two taps",
      "0 A>B R 1 c=ph e=60; 1 A>B R 1 c=ph e=60 tap=2; 10 B>A 200 1 c=ph:60 tap=2; 11 B>A 200 1 c=ph:60;",
      "registered new s=200 asked=60 got=60 ms=10 n=4 seen-again=2 taps=2", "100 registered ph:60", 40 },
    { "sent twice, each seen by two taps",
      "0 A>B R 1 c=ph e=60; 1 A>B R 1 c=ph e=60 tap=2; 500 A>B R 1 c=ph e=60; 501 A>B R 1 c=ph e=60 tap=2; 510 B>A 200 "
      "1 c=ph:60;",
      "registered new s=200 asked=60 got=60 ms=510 n=5 again=1 seen-again=2 taps=2", "100 registered ph:60", 40 },
    { "by a proxy", "0 A>P R 1 c=ph e=60; 2 P>B R 1 c=ph e=60 x=1; 8 B>P 200 1 c=ph:60 x=1; 10 P>A 200 1 c=ph:60;",
      "registered new s=200 asked=60 got=60 ms=8 n=4", "100 registered ph:60", 40 },
    { "the answer alone was seen", "10 B>A 200 1 c=ph:60;", "registered  s=200 contacts=0 n=1", "100 registered ph:60",
      40 },
    { "hosts in any case, users not",
      "0 A>B R 1 c=ph e=60; 5 B>A 200 1 c=ph:60; 9000 A>B R 1 id=b host=EXAMPLE.com c=ph e=60; 9005 B>A 200 1 id=b "
      "host=EXAMPLE.com c=ph:60; 9010 A>B R 1 id=c to=IOO c=ph e=60; 9020 B>A 200 1 id=c to=IOO c=ph:60;",
      NULL, "100 registered tried=2 ph:69 | IOO registered ph:69", 40 },
    { "nothing to go by", "0 A>B R 1 no=To c=ph e=60; 1 A>B R 1 no=Call-ID c=ph e=60;", "", "", 0 },
};

struct run {
    struct registrar *r;
    struct script_out attempts, aors;
};

static void make(struct run *run)
{
    const struct reg_options o = { .on_attempt = script_attempt, .arg = &run->attempts };
    run->r = registrar_new(&o);
    assert_non_null(run->r);
}

static bool put(void *arg, const uint8_t *p, size_t len)
{
    buf_put(arg, p, len);
    return true;
}

/* Puts another registrar into its place that knows what it knew. */
static void again(struct run *run)
{
    struct errmsg err;
    struct buf b, c;
    buf_init(&b, (size_t)1 << 24);
    buf_init(&c, (size_t)1 << 24);
    assert_true(registrar_save_to(run->r, put, &b));
    registrar_free(run->r);
    make(run);
    assert_int_equal(registrar_load(run->r, b.ptr, b.len, &err), 0);
    assert_true(registrar_save_to(run->r, put, &c));
    assert_int_equal(b.len, c.len);
    buf_free(&b);
    buf_free(&c);
}

static void look(struct run *run, int64_t now)
{
    for (uint32_t place = 0; place < registrar_places(run->r); place++)
        (void)registrar_show_place(run->r, place, now, script_aor, &run->aors);
}

/* Every message at its time, the clock going on by itself. */
static void play(struct run *run, const struct script *s, const struct row *row, bool restarts)
{
    int64_t end = SCRIPT_START + (row->at > 0 ? row->at : 40) * SCRIPT_SECOND, now = SCRIPT_START;
    size_t i = 0;
    for (; now <= end; now += SCRIPT_SECOND / 2) {
        for (; i < s->count && s->all[i].event.ts <= now; i++) {
            if (s->all[i].is_event)
                registrar_take(run->r, &s->all[i].event, &s->all[i].texts, now);
            if (restarts)
                again(run);
        }
        registrar_tick(run->r, now);
    }
    assert_int_equal(i, s->count);
    look(run, end);
}

static unsigned wrong;

/* All that is wrong is told before the test fails. */
static void check(const char *name, const char *got, const char *want)
{
    if (want == NULL || strcmp(got, want) == 0)
        return;
    print_error("%s:\n got  \"%s\"\n want \"%s\"\n", name, got, want);
    wrong++;
}

static void run_row(const struct row *row, bool restarts)
{
    static struct script s;
    struct run run = { .r = NULL };
    struct reg_stats stats;
    script_read(&s, row->messages);
    make(&run);
    play(&run, &s, row, restarts);
    check(row->name, run.attempts.text, row->attempts);
    check(row->name, run.aors.text, row->aors);
    registrar_stats(run.r, &stats);
    assert_int_equal(stats.no_memory, 0);
    registrar_free(run.r);
}

static void test_scenarios(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        run_row(&rows[i], false);
    assert_int_equal(wrong, 0);
}

static void test_restarts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        run_row(&rows[i], true);
    assert_int_equal(wrong, 0);
}

/* ------------------------------------------------------------------------------------------------ any order */

/* Those of a second come in any order, and with what one tap says twice. */
static void shuffle(struct script *s, uint64_t *random)
{
    for (size_t i = s->count; i > 1; i--) {
        size_t k = prng_next(random) % i;
        int64_t apart = s->all[i - 1].event.ts - s->all[k].event.ts;
        if (apart > SCRIPT_SECOND || apart < -SCRIPT_SECOND)
            continue;
        struct script_message *a = &s->all[i - 1], *b = &s->all[k];
        struct reg_event event = a->event;
        struct reg_texts texts = a->texts;
        bool is_event = a->is_event;
        a->event = b->event;
        a->texts = b->texts;
        a->is_event = b->is_event;
        b->event = event;
        b->texts = texts;
        b->is_event = is_event;
    }
}

/* As play(), with messages up to a second late. */
static void play_shuffled(struct run *run, const struct script *s, const struct row *row)
{
    int64_t end = SCRIPT_START + (row->at > 0 ? row->at : 40) * SCRIPT_SECOND, latest = 0;
    for (size_t i = 0; i < s->count; i++) {
        latest = s->all[i].event.ts > latest ? s->all[i].event.ts : latest;
        if (s->all[i].is_event)
            registrar_take(run->r, &s->all[i].event, &s->all[i].texts, latest);
    }
    for (int64_t now = latest; now <= end; now += SCRIPT_SECOND)
        registrar_tick(run->r, now);
    look(run, end);
}

static void test_any_order(void **state)
{
    static struct script s;
    uint64_t random = 5;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (unsigned n = 0; n < 50; n++) {
            struct run run = { .r = NULL };
            script_read(&s, rows[i].messages);
            for (unsigned k = 0; k < 1 + n % 3; k++)
                shuffle(&s, &random);
            make(&run);
            play_shuffled(&run, &s, &rows[i]);
            check(rows[i].name, run.attempts.text, rows[i].attempts);
            check(rows[i].name, run.aors.text, rows[i].aors);
            registrar_free(run.r);
        }
    assert_int_equal(wrong, 0);
}

/* What comes when all is said is late, and no attempt of its own. */
static void test_late(void **state)
{
    static struct script s;
    struct run run = { .r = NULL };
    struct reg_stats stats;
    (void)state;
    script_read(&s, BOUND "30 B>A 200 2 c=ph:3600 tap=2; 28 B>A 200 2 c=ph:3600 tap=3;");
    make(&run);
    for (size_t i = 0; i < 4; i++)
        registrar_take(run.r, &s.all[i].event, &s.all[i].texts, SCRIPT_START);
    registrar_tick(run.r, SCRIPT_START + 10 * SCRIPT_SECOND);
    for (size_t i = 4; i < 6; i++)
        registrar_take(run.r, &s.all[i].event, &s.all[i].texts, SCRIPT_START + 11 * SCRIPT_SECOND);
    registrar_tick(run.r, SCRIPT_START + 200 * SCRIPT_SECOND);
    registrar_stats(run.r, &stats);
    assert_int_equal(stats.late, 2);
    assert_int_equal(stats.attempts, 1);
    assert_int_equal(stats.open, 0);
    assert_int_equal(stats.by_state[REG_STATE_REGISTERED], 1);
    registrar_free(run.r);
}

/* ------------------------------------------------------------------------------------------------ limits */

static void count_attempt(void *arg, const struct reg_attempt *a)
{
    unsigned *results = arg;
    results[a->result]++;
}

static void register_many(struct registrar *r, struct script_message *m, size_t count, unsigned from, unsigned n,
                          int64_t now)
{
    for (unsigned k = 0; k < n; k++)
        for (size_t i = 0; i < count; i++) {
            m[i].event.aor = UINT64_C(0x9e3779b97f4a7c15) * (from + k + 1);
            m[i].event.key = m[i].event.aor ^ 5;
            m[i].event.ts = now + (int64_t)i;
            registrar_take(r, &m[i].event, &m[i].texts, now);
        }
}

static void test_limits(void **state)
{
    static struct script good, bad;
    unsigned results[REG_RESULTS] = { 0 };
    const struct reg_options o = { .max_aors = 1000, .max_open = 2000, .on_attempt = count_attempt, .arg = results };
    struct registrar *r = registrar_new(&o);
    struct reg_stats stats;
    (void)state;
    script_read(&good, "0 A>B R 1 c=ph e=3600; 10 B>A 200 1 c=ph:3600;");
    script_read(&bad, "0 X>B R 1 c=ph e=3600; 10 B>X 403 1;");
    register_many(r, good.all, 2, 0, 900, SCRIPT_START);
    registrar_tick(r, SCRIPT_START + 5 * SCRIPT_SECOND);
    register_many(r, bad.all, 2, 100000, 1500, SCRIPT_START + 6 * SCRIPT_SECOND);
    registrar_tick(r, SCRIPT_START + 12 * SCRIPT_SECOND);
    registrar_stats(r, &stats);
    assert_int_equal(stats.aors, 1000);
    assert_int_equal(stats.aors_evicted, 1400);
    assert_int_equal(stats.by_state[REG_STATE_REGISTERED], 900); /* who thinks of AoRs pushes none of these out */
    assert_int_equal(stats.by_state[REG_STATE_FAILING], 100);
    assert_int_equal(stats.evicted, 0); /* only those went that had been handed out */
    assert_int_equal(stats.open, 2000);
    register_many(r, bad.all, 1, 200000, 3000, SCRIPT_START + 13 * SCRIPT_SECOND);
    registrar_stats(r, &stats);
    assert_int_equal(stats.open, 2000);
    assert_int_equal(stats.evicted, 1000);
    assert_int_equal(results[REG_INCOMPLETE], 1000);
    registrar_finish(r);
    registrar_stats(r, &stats);
    assert_int_equal(stats.attempts, 900 + 1500 + 3000);
    assert_int_equal(stats.open, 0);
    assert_true(stats.octets < (size_t)1000 * 1500 + 2000 * 400 + 400000);
    for (unsigned i = 0; i < 400; i++) /* a sweep looks at some of them */
        registrar_tick(r, SCRIPT_START + (700000 + i) * SCRIPT_SECOND);
    registrar_stats(r, &stats);
    assert_int_equal(stats.aors, 0);
    assert_int_equal(stats.aors_forgotten, 1000);
    registrar_free(r);
}

static void test_many_transactions(void **state)
{
    static struct script s;
    unsigned results[REG_RESULTS] = { 0 };
    const struct reg_options o = { .on_attempt = count_attempt, .arg = results };
    struct registrar *r = registrar_new(&o);
    struct reg_stats stats;
    (void)state;
    script_read(&s, "0 A>B R 1 c=a,b,c,d,e,f,g,h,i,j e=60;");
    for (uint32_t cseq = 1; cseq <= 100; cseq++) {
        s.all[0].event.cseq = cseq;
        for (unsigned i = 0; i < 20; i++) {
            s.all[0].event.message = cseq * 100 + i;
            registrar_take(r, &s.all[0].event, &s.all[0].texts, SCRIPT_START);
        }
    }
    registrar_finish(r);
    registrar_stats(r, &stats);
    assert_int_equal(results[REG_TIMED_OUT], 99);
    assert_int_equal(results[REG_INCOMPLETE], 1);
    assert_true(stats.cut > 100);
    registrar_free(r);
}

static void test_options(void **state)
{
    static const struct reg_options bad[] = { { .max_aors = REG_AORS_MAX + 1 },
                                              { .max_open = REG_OPEN_MAX + 1 },
                                              { .linger_s = REG_LINGER_MAX + 1 },
                                              { .no_answer_s = REG_ANSWER_MAX + 1 },
                                              { .flap_changes = REG_CHANGES_MAX + 1 } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_null(registrar_new(&bad[i]));
}

/* Damage is found, or does no harm. */
static void test_damaged(void **state)
{
    static struct script s;
    struct run run = { .r = NULL };
    struct errmsg err;
    struct buf b;
    uint64_t random = 3;
    (void)state;
    script_read(&s, BOUND "40 A>B R 1 id=two c=* e=0; 50 B>A 401 1 id=two;");
    make(&run);
    for (size_t i = 0; i < s.count; i++)
        registrar_take(run.r, &s.all[i].event, &s.all[i].texts, SCRIPT_START);
    registrar_tick(run.r, SCRIPT_START + 5 * SCRIPT_SECOND);
    buf_init(&b, (size_t)1 << 20);
    assert_true(registrar_save_to(run.r, put, &b));
    registrar_free(run.r);
    for (size_t len = 0; len < b.len; len++) {
        make(&run);
        assert_int_equal(registrar_load(run.r, b.ptr, len, &err), -EINVAL);
        registrar_free(run.r);
    }
    for (unsigned i = 0; i < 20000; i++) {
        size_t at = prng_next(&random) % b.len;
        uint8_t was = b.ptr[at];
        b.ptr[at] = (uint8_t)prng_next(&random);
        make(&run);
        if (registrar_load(run.r, b.ptr, b.len, &err) == 0) {
            run.attempts.text[0] = run.aors.text[0] = '\0';
            look(&run, SCRIPT_START);
            registrar_finish(run.r);
        }
        registrar_free(run.r);
        b.ptr[at] = was;
    }
    buf_free(&b);
}

/* Texts go to another thread and come back. */
static void test_pack(void **state)
{
    static struct script s;
    struct reg_texts back;
    struct buf b;
    (void)state;
    script_read(&s, "0 A>B R 1 c=ph,tab e=3600 auth;");
    buf_init(&b, 8192);
    reg_texts_pack(&s.all[0].texts, &b);
    assert_true(reg_texts_unpack(b.ptr, b.len, &back));
    for (int i = 0; i < REG_TEXTS; i++) {
        assert_int_equal(back.of[i].len, s.all[0].texts.of[i].len);
        assert_true(back.of[i].len == 0 || memcmp(back.of[i].ptr, s.all[0].texts.of[i].ptr, back.of[i].len) == 0);
    }
    assert_memory_equal(back.of[REG_TEXT_CONTACT].ptr, "sip:ph@192.0.2.1:5070", back.of[REG_TEXT_CONTACT].len);
    for (size_t len = 0; len < b.len; len++)
        assert_false(reg_texts_unpack(b.ptr, len, &back));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios), cmocka_unit_test(test_restarts), cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_late),      cmocka_unit_test(test_limits),   cmocka_unit_test(test_many_transactions),
        cmocka_unit_test(test_options),   cmocka_unit_test(test_damaged),  cmocka_unit_test(test_pack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
