/* conf: each type from text to value and back, units, listeners, near misses. */
#include "testlib.h"

#include "conf/internal.h"

union value {
    bool truth;
    uint64_t number;
    unsigned word;
    const char *text;
    struct conf_address address;
    struct conf_listen listen;
    struct ip_net net;
};

static struct conf_mem mem;

static int teardown(void **state)
{
    (void)state;
    conf_mem_free(&mem);
    return 0;
}

/* The printed form of what `text` is read as; "!" and the error if it is refused. */
static const char *again(const struct conf_key *key, const char *text)
{
    static char out[400];
    struct errmsg err = { "" };
    union value v;
    struct buf b;
    memset(&v, 0x5a, sizeof(v));
    const union value before = v;
    if (key->type->parse(key, text, &mem, &v, &err) != 0) {
        assert_memory_equal(&v, &before, sizeof(v));
        assert_int_not_equal(err.text[0], '\0');
        (void)snprintf(out, sizeof(out), "!%s", err.text);
        return out;
    }
    buf_init(&b, 300);
    key->type->print(key, &v, &b);
    (void)snprintf(out, sizeof(out), "%.*s", (int)b.len, b.ptr != NULL ? (const char *)b.ptr : "");
    buf_free(&b);
    return out;
}

struct row {
    const char *text;
    const char *want; /* printed again; "!..." a part of the error */
};

static void check_rows(const struct conf_key *key, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *got = again(key, rows[i].text);
        bool error = rows[i].want[0] == '!';
        if (error ? got[0] != '!' || strstr(got, rows[i].want + 1) == NULL : strcmp(got, rows[i].want) != 0)
            fail_msg("'%s' became '%s', not '%s'", rows[i].text, got, rows[i].want);
        if (error)
            continue;
        char first[400]; /* the form is stable */
        (void)snprintf(first, sizeof(first), "%s", got);
        assert_string_equal(again(key, first), first);
    }
}

static void test_bool(void **state)
{
    (void)state;
    static const struct conf_key key = { .type = &conf_type_BOOL };
    static const struct row rows[] = {
        { "true", "true" },         { "Yes", "true" },  { "on", "true" },   { "1", "true" },
        { "false", "false" },       { "no", "false" },  { "OFF", "false" }, { "0", "false" },
        { "2", "!is not true or" }, { "t", "!is not" },
    };
    check_rows(&key, rows, COUNT_OF(rows));
}

static void test_number(void **state)
{
    (void)state;
    static const struct conf_key key = { .type = &conf_type_NUMBER, .min = 2, .max = 4000000000, .words = "inherit" };
    static const struct row rows[] = {
        { "2", "2" },
        { "0010", "10" },
        { "4000000000", "4000000000" },
        { "inherit", "inherit" },
        { "1", "!out of range (2..4000000000, or inherit)" },
        { "4000000001", "!out of range" },
        { "18446744073709551615", "!out of range" },
        { "18446744073709551616", "!not a whole number" },
        { "-1", "!not a whole number" },
        { "+5", "!not a whole number" },
        { "5 ", "!not a whole number" },
        { "5.0", "!not a whole number" },
        { "0x10", "!not a whole number" },
        { "Inherit", "!not a whole number" },
    };
    check_rows(&key, rows, COUNT_OF(rows));
}

static void test_size(void **state)
{
    (void)state;
    static const struct conf_key key = { .type = &conf_type_SIZE, .min = 0, .max = CONF_TIB(8) };
    static const struct row rows[] = {
        { "0", "0" },
        { "0MB", "0" },
        { "1000", "1kB" },
        { "1023", "1023B" },
        { "1024", "1KiB" },
        { "64MB", "64MB" },
        { "64mb", "64MB" },
        { "64 MB", "64MB" },
        { "1GiB", "1GiB" },
        { "2g", "2GiB" },
        { "512M", "512MiB" },
        { "3t", "3TiB" },
        { "7B", "7B" },
        { "1024MiB", "1GiB" },
        { "1.5GB", "!is not a size such as" },
        { "MB", "!is not a size" },
        { "1XB", "!is not a size" },
        { "1GB2", "!is not a size" },
        { "-1MB", "!is not a size" },
        { "9TiB", "!out of range (0..8TiB)" },
        { "99999999999TiB", "!is not a size" },
    };
    check_rows(&key, rows, COUNT_OF(rows));
}

static void test_duration(void **state)
{
    (void)state;
    static const struct conf_key key = { .type = &conf_type_DURATION, .min = 0, .max = CONF_DAYS(100) };
    static const struct row rows[] = {
        { "0", "0" },
        { "0s", "0" },
        { "100ms", "100ms" },
        { "1500ms", "1500ms" },
        { "1000us", "1ms" },
        { "60s", "1min" },
        { "90 s", "90s" },
        { "5m", "5min" },
        { "1h30min", "90min" },
        { "1h 30min", "90min" },
        { "24h", "1d" },
        { "2w", "14d" },
        { "30D", "30d" },
        { "60", "!is not a duration such as" },
        { "1h30", "!is not a duration" },
        { "1.5s", "!is not a duration" },
        { "s", "!is not a duration" },
        { "1y", "!is not a duration" },
        { "-1s", "!is not a duration" },
        { "101d", "!out of range (0..100d)" },
        { "99999999999999999999s", "!is not a duration" },
        { "18446744073709551615us1us", "!is not a duration" },
        { "9223372036854775807s", "!is not a duration" },
    };
    check_rows(&key, rows, COUNT_OF(rows));
}

static void test_percent_enum(void **state)
{
    (void)state;
    static const struct conf_key percent = { .type = &conf_type_PERCENT, .min = 1, .max = 100 };
    static const struct row percents[] = {
        { "80%", "80%" },
        { "100", "100%" },
        { "0%", "!out of range (1..100%)" },
        { "101%", "!out of range" },
        { "%", "!is not a percentage" },
        { "5%%", "!is not a percentage" },
        { "5 %", "!is not a percentage" },
    };
    static const struct conf_key word = { .type = &conf_type_ENUM, .words = "interval|always|off" };
    static const struct row words[] = {
        { "interval", "interval" },
        { "always", "always" },
        { "off", "off" },
        { "inter", "!not one of interval|always|off" },
        { "interval|always", "!not one of" },
        { "Off", "!not one of" },
        { "|", "!not one of" },
    };
    check_rows(&percent, percents, COUNT_OF(percents));
    check_rows(&word, words, COUNT_OF(words));
}

static void test_texts(void **state)
{
    (void)state;
    static const struct conf_key secret = { .type = &conf_type_SECRET };
    static const struct conf_key path = { .type = &conf_type_PATH };
    static const struct conf_key name = { .type = &conf_type_NAMES };
    static const struct row texts[] = {
        { "a b", "a b" },
        { "p\xc3\xa4th", "p\xc3\xa4th" },
        { "a\nb", "!control character" },
        { "\x7f", "!control" },
    };
    static const struct row names[] = {
        { "X-CID", "X-CID" },
        { "P_x.y!", "P_x.y!" },
        { "X-CID:", "!is not the name of a header" },
        { "X CID", "!is not the name" },
        { "X-\xc3\xa4", "!is not the name" },
    };
    check_rows(&secret, texts, COUNT_OF(texts));
    check_rows(&path, texts, COUNT_OF(texts));
    check_rows(&name, names, COUNT_OF(names));
    assert_null(strstr(again(&secret, "hunter2\n"), "hunter2"));
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct conf_key address = { .type = &conf_type_ADDRESS };
    static const struct row addresses[] = {
        { "127.0.0.1:9080", "127.0.0.1:9080" },
        { "[::1]:80", "[::1]:80" },
        { "localhost:0", "localhost:0" },
        { ":9080", ":9080" },
        { "9080", ":9080" },
        { "*:9080", ":9080" },
        { "127.0.0.1", "!is not an address such as" },
        { "[::1]", "!is not an address" },
        { "::1", "!is not an address" },
        { "a:65536", "!is not an address" },
        { "http://a:80", "!is not an address" },
        { "a b:80", "!is not an address" },
    };
    static const struct conf_key net = { .type = &conf_type_NETS };
    static const struct row nets[] = {
        { "10.0.0.0/8", "10.0.0.0/8" },         { "192.0.2.1", "192.0.2.1/32" },
        { "2001:db8::/32", "2001:db8::/32" },   { "::1", "::1/128" },
        { "10.0.0.0/33", "!is not a network" }, { "10.0.0/8", "!is not a network" },
        { "host", "!is not a network" },        { "10.0.0.0/", "!is not a network" },
    };
    check_rows(&address, addresses, COUNT_OF(addresses));
    check_rows(&net, nets, COUNT_OF(nets));
}

static void test_listen(void **state)
{
    (void)state;
    static const struct conf_key key = { .type = &conf_type_LISTENS };
    static const struct row rows[] = {
        { "udp://0.0.0.0:9060", "udp://0.0.0.0:9060" },
        { "udp://[::]:9060", "udp://[::]:9060" },
        { "udp://10.0.0.1", "udp://10.0.0.1:9060" },
        { "tcp://", "tcp://:9060" },
        { "tls://", "tls://:9061" },
        { "tls://[::1]", "tls://[::1]:9061" },
        { "tcp://*:1", "tcp://:1" },
        { "tcp://:9070", "tcp://:9070" },
        { "http://:9070", "http://:9070" },
        { "http://:9070/", "http://:9070/" },
        { "https://host.example:9070/hep/in", "https://host.example:9070/hep/in" },
        { "udp://:0", "udp://:0" },
        { "9060", "!does not begin with udp://" },
        { "sctp://:9060", "!does not begin with" },
        { "UDP://:9060", "!does not begin with" },
        { "udp:/:9060", "!does not begin with" },
        { "udp://:9060/path", "!only http has a path" },
        { "udp://:65536", "!no ADDR:PORT" },
        { "udp://[::1:9060", "!no ADDR:PORT" },
        { "udp://a b:1", "!no ADDR:PORT" },
        { "http://", "!no ADDR:PORT[/PATH]" },
        { "http://host/hep", "!no ADDR:PORT[/PATH]" },
        { "http://:1/a?b", "!this is no path" },
    };
    check_rows(&key, rows, COUNT_OF(rows));
    struct conf_listen l;
    struct errmsg err;
    assert_int_equal(conf_listen_parse(&key, "https://[2001:db8::1]:443/hep", &mem, &l, &err), 0);
    assert_int_equal(l.transport, CONF_HTTPS);
    assert_string_equal(l.host, "2001:db8::1");
    assert_int_equal(l.port, 443);
    assert_string_equal(l.path, "/hep");
    char far[400];
    memset(far, 'a', sizeof(far));
    memcpy(far, "udp://", 6);
    far[sizeof(far) - 1] = '\0';
    assert_int_equal(conf_listen_parse(&key, far, &mem, &l, &err), -1);
}

static void test_suggest(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *name, *want;
    } rows[] = {
        { "", "dta", "data" },
        { "", "lisen", "listen" },
        { "", "retension", "retention" },
        { "wal", "intervall", "wal.interval" },
        { "wal", "snyc", "wal.sync" },
        { "retention", "sib", "retention.sip" },
        { "retention.sip", "day", "retention.sip.days" },
        { "", "wal.interval", "wal.interval" },
        { "", "token", "http.token" },
        { "", "zzz", NULL },
        { "wal", "", NULL },
        { "", "completely-different-and-much-too-long-for-any-key-of-ours", NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char near[CONF_PATH_MAX] = "";
        bool found = conf_key_suggest(rows[i].prefix, rows[i].name, near);
        if (found != (rows[i].want != NULL) || (found && strcmp(near, rows[i].want) != 0))
            fail_msg("'%s' in '%s': '%s'", rows[i].name, rows[i].prefix, near);
    }
}

static bool of_agent(const struct conf_key *k)
{
    return strncmp(k->path, "agent.", 6) == 0;
}

/* What the rest of the code takes for granted of the table. */
static void test_table(void **state)
{
    (void)state;
    char env[2][CONF_PATH_MAX + 8];
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
        const struct conf_key *k = &conf_keys[i];
        unsigned dots = 0;
        for (const char *p = k->path; *p != '\0'; p++)
            dots += *p == '.' ? 1 : 0;
        assert_true(dots < CONF_LEVELS);
        assert_true(strlen(k->path) < CONF_PATH_MAX);
        assert_true(k->min <= k->max);
        assert_null(conf_key_section(k->path));
        assert_ptr_equal(conf_key_find(k->path), k);
        assert_string_equal(conf_key_path((enum conf_key_id)i), k->path);
        conf_key_env(k, env[0]);
        for (size_t j = 0; j < i; j++) {
            conf_key_env(&conf_keys[j], env[1]);
            assert_string_not_equal(env[0], env[1]);
            /* `hepcat agent` and `hepcat serve` have flags of their own, which may be called the same. */
            if (k->flag != NULL && conf_keys[j].flag != NULL && of_agent(k) == of_agent(&conf_keys[j]))
                assert_string_not_equal(k->flag, conf_keys[j].flag);
        }
    }
    conf_key_env(conf_key_find("wal.interval"), env[0]);
    assert_string_equal(env[0], "HEPCAT_WAL_INTERVAL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bool),      cmocka_unit_test(test_number),       cmocka_unit_test(test_size),
        cmocka_unit_test(test_duration),  cmocka_unit_test(test_percent_enum), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_listen),       cmocka_unit_test(test_suggest),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
