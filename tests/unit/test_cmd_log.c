/* cmd/log: both formats, quoting, levels, the limits per place and key, the journal, many threads. */
#include "testlib.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/log.h"

static uint64_t fake_now;
static int out_fd = -1;

static uint64_t clock_now(void *arg)
{
    (void)arg;
    return fake_now;
}

static void begin(enum log_level level, bool json)
{
    const struct log_options options = { level, json, out_fd, clock_now, NULL };
    log_close();
    fake_now += 2 * LOG_WINDOW_US;
    assert_int_equal(ftruncate(out_fd, 0), 0);
    assert_int_equal(lseek(out_fd, 0, SEEK_SET), 0);
    log_open(&options);
}

/* What was written since begin(), without the times. */
static const char *written(void)
{
    static char text[400000];
    ssize_t n = pread(out_fd, text, sizeof(text) - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
        n++;
    return n;
}

static void test_text(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, false);
    log_info("started");
    log_warning("wrong key", log_text("sender", "10.0.0.1"), log_number("count", 7));
    log_debug("not shown");
    log_error("odd", log_text("a", "x y"), log_text("b", "\"\n\x1b[31m\xff"), log_text("c", ""), log_text("d", NULL));
    const char *text = written();
    /* 2026-08-01T12:00:00.123456Z */
    assert_int_equal(text[10], 'T');
    assert_int_equal(text[26], 'Z');
    assert_true(strncmp(text + 27, " info started\n", 14) == 0);
    assert_non_null(strstr(text, " warning wrong key sender=10.0.0.1 count=7\n"));
    assert_non_null(strstr(text, " error odd a=\"x y\" b=\"\\\"\\n\\u001b[31m\xef\xbf\xbd\" c=\"\" d=\"\"\n"));
    assert_int_equal(count(text, "\n"), 3);
}

static void test_json(void **state)
{
    (void)state;
    begin(LOG_LEVEL_DEBUG, true);
    log_debug("listening", log_text("url", "udp://:9060"), log_number("port", 9060), log_text("q", "a\"b"));
    log_info("plain");
    const char *text = written();
    assert_true(strncmp(text, "{\"time\":\"20", 11) == 0);
    assert_non_null(strstr(text,
                           "Z\",\"level\":\"debug\",\"message\":\"listening\",\"url\":\"udp://:9060\",\"port\":9060,"
                           "\"q\":\"a\\\"b\"}\n"));
    assert_non_null(strstr(text, "\"level\":\"info\",\"message\":\"plain\"}\n"));
}

static void test_long_value(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof(text) - 1);
    begin(LOG_LEVEL_INFO, false);
    log_info("long", log_text("a", text));
    assert_int_equal(count(written(), "x"), 512);
}

static void flood(const char *key, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        log_warning_of(key, "refused", log_text("sender", key));
}

static void test_place_limit(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, false);
    for (unsigned i = 0; i < 1000; i++)
        log_warning("flood", log_number("i", i));
    log_info("another place");
    assert_int_equal(count(written(), "flood"), LOG_PLACE_MAX);
    assert_int_equal(count(written(), "another"), 1);
    fake_now += LOG_WINDOW_US - 1;
    log_tick();
    assert_null(strstr(written(), "suppressed"));
    fake_now += 1;
    log_tick();
    assert_non_null(strstr(written(), " warning flood suppressed=980\n"));
    log_tick();
    assert_int_equal(count(written(), "suppressed"), 1);
}

static void test_key_limit(void **state)
{
    (void)state;
    begin(LOG_LEVEL_INFO, false);
    flood("10.0.0.1", 13);
    flood("10.0.0.2", 1);
    assert_int_equal(count(written(), "sender=10.0.0.1\n"), LOG_KEY_MAX);
    assert_int_equal(count(written(), "sender=10.0.0.2\n"), 1);
    fake_now += LOG_WINDOW_US;
    flood("10.0.0.1", 1); /* tells of the last minute first */
    const char *told = strstr(written(), " warning refused of=10.0.0.1 suppressed=10\n");
    assert_non_null(told);
    assert_non_null(strstr(told, "sender=10.0.0.1\n"));
    assert_int_equal(count(written(), "suppressed"), 1);
}

/* Many senders: the place's limit bounds all of them together, and nothing grows. */
static void test_many_keys(void **state)
{
    (void)state;
    char key[32];
    begin(LOG_LEVEL_INFO, false);
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(key, sizeof(key), "sender-%u", i);
        flood(key, 1);
    }
    assert_int_equal(count(written(), "\n"), LOG_PLACE_MAX);
    log_close();
    assert_non_null(strstr(written(), " warning refused suppressed=99980\n"));
    assert_int_equal(count(written(), "\n"), LOG_PLACE_MAX + 1);
}

static void test_journal(void **state)
{
    (void)state;
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(out_fd, &st), 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    begin(LOG_LEVEL_INFO, false);
    log_error("bad", log_number("n", 1));
    log_info("good");
    assert_string_equal(written(), "<3>error bad n=1\n<6>info good\n");
    assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0); /* somebody else's */
    begin(LOG_LEVEL_INFO, false);
    log_info("good");
    assert_int_equal(written()[0], '2');
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

static void *talk(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 200; i++) {
        log_info("from a thread", log_number("i", i));
        flood("key", 1);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    begin(LOG_LEVEL_INFO, false);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    log_close();
    const char *text = written();
    assert_int_equal(count(text, "from a thread i="), LOG_PLACE_MAX);
    assert_non_null(strstr(text, "from a thread suppressed=780\n"));
    assert_non_null(strstr(text, "refused of=key suppressed=797\n"));
    assert_int_equal(count(text, "\n"), LOG_PLACE_MAX + LOG_KEY_MAX + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),        cmocka_unit_test(test_json),      cmocka_unit_test(test_long_value),
        cmocka_unit_test(test_place_limit), cmocka_unit_test(test_key_limit), cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_journal),     cmocka_unit_test(test_threads),
    };
    char path[] = "/tmp/hepcat-log-XXXXXX";
    out_fd = mkstemp(path);
    if (out_fd < 0 || unlink(path) != 0)
        return 1;
    (void)unsetenv("JOURNAL_STREAM");
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    log_close();
    (void)close(out_fd);
    return rc;
}
