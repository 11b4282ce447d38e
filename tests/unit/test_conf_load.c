/* conf: files with all their errors, precedence of the sources, limits, comparing, printing. */
#include "record/reader.h"
#include "testlib.h"

#include "conf/internal.h"

static struct conf_errors errs;

static int load_sources(const struct conf_sources *sources, struct conf **ret)
{
    *ret = NULL;
    int rc = conf_load(ret, sources, &errs);
    assert_true(rc == 0 ? *ret != NULL && errs.errors == 0 : *ret == NULL && errs.errors > 0);
    return rc;
}

static int load(const char *text, struct conf **ret)
{
    const struct conf_sources sources = { .file = "f.yaml", .text = text, .text_len = strlen(text) };
    return load_sources(&sources, ret);
}

static struct conf *load_ok(const char *text)
{
    struct conf *c;
    if (load(text, &c) != 0)
        fail_msg("%u:%u: %s", errs.items[0].line, errs.items[0].column, errs.items[0].text);
    assert_int_equal(errs.count, 0);
    return c;
}

static const char *error_text(size_t i)
{
    static char text[1000];
    struct buf b;
    buf_init(&b, 900);
    conf_error_print(&errs.items[i], "f.yaml", &b);
    (void)snprintf(text, sizeof(text), "%.*s", (int)b.len, (const char *)b.ptr);
    buf_free(&b);
    return text;
}

/* ------------------------------------------------------------------------------------------------ values */

static void test_defaults(void **state)
{
    (void)state;
    static const struct conf_sources none = { 0 };
    struct conf *c;
    assert_int_equal(load_sources(&none, &c), 0);
    assert_string_equal(c->data, "./data");
    assert_int_equal(c->listen.count, 2);
    assert_int_equal(c->listen.items[0].transport, CONF_UDP);
    assert_string_equal(c->listen.items[1].host, "::");
    assert_int_equal(c->listen.items[1].port, 9060);
    assert_int_equal(c->memory, 512000000);
    assert_string_equal(c->http_listen.host, "127.0.0.1");
    assert_int_equal(c->http_listen.port, 9080);
    assert_null(c->http_token);
    assert_null(c->tls_cert);
    assert_int_equal(c->hep_keys.count, 0);
    assert_int_equal(c->hep_allow.count, 0);
    assert_int_equal(c->hep_clock_window_us, UINT64_C(86400000000));
    assert_int_equal(c->hep_sender_share, 100);
    assert_int_equal(c->ingest_rcvbuf, 4 << 20);
    assert_int_equal(c->wal_sync, CONF_WAL_INTERVAL);
    assert_int_equal(c->wal_interval_us, 100000);
    assert_int_equal(c->seal_interval_us, 60000000);
    assert_int_equal(c->retention_days, 30);
    assert_int_equal(c->retention_media_days, 30);
    assert_int_equal(c->retention_media_bytes, 0);
    assert_int_equal(c->query_temp_max, 1 << 30);
    assert_int_equal(c->search_headers.count, 0);
    assert_int_equal(c->calls_leg_headers.count, RECORD_LEG_HEADERS); /* those that hold without a configuration */
    for (size_t i = 0; i < RECORD_LEG_HEADERS; i++)
        assert_string_equal(c->calls_leg_headers.items[i], record_leg_headers[i]);
    assert_null(c->calls_leg_pattern);
    assert_null(c->numbers_country);
    assert_string_equal(c->numbers_international, "00,011");
    assert_string_equal(c->numbers_trunk, "0");
    assert_int_equal(c->log_level, CONF_LOG_INFO);
    assert_int_equal(c->log_format, CONF_LOG_TEXT);
    conf_free(c);
    conf_free(NULL);
}

static void test_file(void **state)
{
    (void)state;
    struct conf *c = load_ok("# all kinds\n"
                             "data: \"/var/lib/hep cat\"\n"
                             "listen: [udp://:9060, 'tls://[::1]']\n"
                             "tls: { cert: a.pem, key: b.pem }\n"
                             "http:\n"
                             "  listen: 0.0.0.0:80\n"
                             "  token: 's3cret, really'\n"
                             "hep:\n"
                             "  keys:\n"
                             "    - one\n"
                             "    - two,three\n"
                             "  allow: [10.0.0.0/8, 2001:db8::/32]\n"
                             "wal: {sync: off, interval: 1s}\n"
                             "retention:\n"
                             "  days: 10\n"
                             "  bytes: ~\n"
                             "  sip: {days: 3}\n"
                             "  log:\n"
                             "query:\n"
                             "search: {headers: [X-CID, x-a]}\n"
                             "log: {level: debug, format: json}\n");
    assert_string_equal(c->data, "/var/lib/hep cat");
    assert_int_equal(c->listen.count, 2);
    assert_int_equal(c->listen.items[1].port, 9061);
    assert_string_equal(c->tls_key, "b.pem");
    assert_string_equal(c->http_listen.host, "0.0.0.0");
    assert_string_equal(c->http_token, "s3cret, really");
    assert_int_equal(c->hep_keys.count, 2);
    assert_string_equal(c->hep_keys.items[1], "two,three");
    assert_int_equal(c->hep_allow.items[0].bits, 8);
    assert_int_equal(c->hep_allow.items[1].addr.len, 16);
    assert_int_equal(c->wal_sync, CONF_WAL_OFF);
    assert_int_equal(c->wal_interval_us, 1000000);
    assert_int_equal(c->retention_sip_days, 3);
    assert_int_equal(c->retention_log_days, 10);
    assert_int_equal(c->retention_sip_bytes, 0);
    assert_string_equal(c->search_headers.items[0], "X-CID");
    assert_int_equal(c->log_level, CONF_LOG_DEBUG);
    assert_int_equal(c->log_format, CONF_LOG_JSON);
    conf_free(c);
}

static void test_empty_files(void **state)
{
    (void)state;
    static const char *const texts[] = { "",
                                         "\n",
                                         "# nothing\n",
                                         "---\n",
                                         "--- ~\n",
                                         "{}",
                                         "\357\273\277data: x\n",
                                         "data:\nlisten:\nhttp:\n",
                                         "listen: []\n",
                                         "---\ndata: x\n...\n",
                                         "%YAML 1.1\n---\ndata: x\r\nnode: 1\r\n" };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        conf_free(load_ok(texts[i]));
}

/* ------------------------------------------------------------------------------------------------ errors */

/* A file and its errors, all of them, in their order; `want` may leave the end of an error's text out. */
struct bad {
    const char *text;
    const char *want[6];
};

static void check_bad(const struct bad *bad)
{
    struct conf *c;
    if (load(bad->text, &c) == 0)
        fail_msg("taken: %s", bad->text);
    size_t n = 0;
    for (; n < COUNT_OF(bad->want) && bad->want[n] != NULL; n++)
        if (n >= errs.count || strncmp(error_text(n), bad->want[n], strlen(bad->want[n])) != 0)
            fail_msg("%s\nerror %zu of %zu: %s\nwanted: %s", bad->text, n, errs.count,
                     n < errs.count ? error_text(n) : "-", bad->want[n]);
    if (errs.count != n)
        fail_msg("%s\none more error: %s", bad->text, error_text(n));
    assert_int_equal(errs.errors, n);
}

static void test_errors(void **state)
{
    (void)state;
    static const struct bad rows[] = {
        { "dta: x\n", { "f.yaml:1:1: dta: unknown key, did you mean data?" } },
        { "wal:\n  intervall: 1s\n", { "f.yaml:2:3: wal.intervall: unknown key, did you mean wal.interval?" } },
        { "wal.interval: 1s\n", { "f.yaml:1:1: wal.interval: unknown key, did you mean wal.interval?" } },
        { "qqqqqq: {a: [b, {c: d}]}\nnode: x\n",
          { "f.yaml:1:1: qqqqqq: unknown key", "f.yaml:2:7: node: 'x' is not a whole number" } },
        { "wal:\n  interval: 50s\n  sync: maybe\n",
          { "f.yaml:2:13: wal.interval: '50s' is out of range (1ms..10s)",
            "f.yaml:3:9: wal.sync: 'maybe' is not one of interval|always|off" } },
        { "memory: 1MB\n", { "f.yaml:1:9: memory: '1MB' is out of range (192MB..1TiB)" } },
        { "data: [a]\n", { "f.yaml:1:7: data: a path is expected, not a list" } },
        { "data: {a: b}\nnode: 1\n", { "f.yaml:1:7: data: a path is expected, not a section" } },
        { "data: ''\n", { "f.yaml:1:7: data: the value is empty" } },
        { "wal: 5\n", { "f.yaml:1:6: wal: this is a section" } },
        { "wal: [a, b]\n", { "f.yaml:1:6: wal: this is a section" } },
        { "listen: udp://:1\n", { "f.yaml:1:9: listen: a list is expected" } },
        { "listen: {a: b}\n", { "f.yaml:1:9: listen: a list is expected" } },
        { "listen:\n  - udp://:1\n  - xyz\n  - [a]\n  - udp://:1/x\n",
          { "f.yaml:4:5: listen: a URL such as udp://[::]:9060 is expected, not a list",
            "f.yaml:3:5: listen: 'xyz' does not begin", "f.yaml:5:5: listen: 'udp://:1/x'" } },
        { "listen:\n  - udp://:1\n  - xyz\n  - udp://:1/x\n",
          { "f.yaml:3:5: listen: 'xyz' does not begin with",
            "f.yaml:4:5: listen: 'udp://:1/x': only http has a path" } },
        { "listen: [~, udp://:1]\n", { "f.yaml:1:10: listen: '~' does not begin" } },
        { "node: 1\ndata: a\nnode: 2\n", { "f.yaml:3:1: node: given twice, first in line 1" } },
        { "node:\nnode: 2\n", { "f.yaml:2:1: node: given twice, first in line 1" } },
        { "wal:\n  sync: off\nnode: 1\nwal:\n  interval: 1s\n", { "f.yaml:4:1: wal: given twice, first in line 1" } },
        { "retention:\n  sip: {days: 1}\n  sip: {days: x}\n",
          { "f.yaml:3:3: retention.sip: given twice, first in line 2" } },
        { "data: &a x\n", { "f.yaml:1:7: anchors (&a) are not supported" } },
        { "wal: &w {sync: off}\nseal: *w\n",
          { "f.yaml:1:6: anchors (&w) are not supported", "f.yaml:2:7: aliases (*w) are not supported" } },
        { "listen: [&a 'udp://:1', *a]\n", { "f.yaml:1:10: anchors (&a)", "f.yaml:1:25: aliases (*a)" } },
        { "node: !!int 5\n", { "f.yaml:1:7: tags (tag:yaml.org,2002:int) are not supported" } },
        { "data: !x y\n", { "f.yaml:1:7: tags (!x) are not supported" } },
        { "*a : 1\n", { "f.yaml:1:1: aliases (*a) are not supported" } },
        { "[a, b]: 1\nnode: x\n", { "f.yaml:1:1: a key is expected, not a list or section", "f.yaml:2:7: node: 'x'" } },
        { "? {a: b}\n: [c]\nnode: x\n", { "f.yaml:1:3: a key is expected", "f.yaml:3:7: node" } },
        { "- a\n- b\n", { "f.yaml:1:1: keys are expected" } },
        { "just text\n", { "f.yaml:1:1: keys are expected" } },
        { "node: 1\n---\nnode: 2\n", { "f.yaml:2:1: a second document" } },
        { "data: 'x\nnode: y\n",
          { "f.yaml:3:1: found unexpected end of stream (while scanning a quoted scalar in line 1)" } },
        { "node: y\nwal:\n\tsync: off\n",
          { "f.yaml:1:7: node: 'y'", "f.yaml:3:1: found character that cannot start any token" } },
        { "wal: {sync: off\n", { "f.yaml:2:1: did not find expected ',' or '}'" } },
        { "wal: {interval: {a: 1}, sync: {\n",
          { "f.yaml:1:17: wal.interval: a duration such as 100ms, 60s or 30d is "
            "expected, not a section",
            "f.yaml:1:31: wal.sync: a word is expected, not a section", "f.yaml:2:1: did not find" } },
        { "data: x\n  y: z\n", { "f.yaml:2:4: mapping values are not allowed in this context" } },
        { "data: a\nnode: \"\xff\"\n", { "f.yaml:2:8: this is not UTF-8" } },
        { "data: \"a\\0b\"\n", { "f.yaml:1:7: data: the text has a control character" } },
        { "data: \"a\\nb\"\n", { "f.yaml:1:7: data: the text has a control character" } },
        { "data: a\x01\n", { "f.yaml:1:8: a control character" } },
        { "{\xc3\xa4\xc3\xb6: 1, node: x}\n",
          { "f.yaml:1:2: \xc3\xa4\xc3\xb6: unknown key", "f.yaml:1:15: node: 'x'" } },
        { "http: {listen: '0.0.0.0:80'}\n",
          { "f.yaml:1:16: http.listen: an address that is not loopback needs a token" } },
        { "http: {listen: 9080}\n", { "f.yaml:1:16: http.listen: an address that is not loopback" } },
        { "listen: ['tls://', 'https://:1']\n",
          { "f.yaml:1:9: listen: tls:// needs a certificate", "f.yaml:1:9: listen: https:// needs a certificate" } },
        { "listen: ['tcp://:1', 'udp://:1', 'http://:1']\n",
          { "f.yaml:1:9: listen: values 1 and 3 are the same address and port" } },
        { "tls: {key: a, client_ca: b}\n",
          { "f.yaml:1:12: tls.key: a key without", "f.yaml:1:26: tls.client_ca: this is of no use" } },
        { "query: {memory: 400MB}\n", { "f.yaml:1:17: query.memory: this is more than half of 'memory'" } },
        { "memory: 192MB\nquery: {memory: 97MB}\n", { "f.yaml:2:17: query.memory: this is more than half" } },
        { "hep: {allow: [10.0.0.0/8, foo]}\n", { "f.yaml:1:27: hep.allow: 'foo' is not a network" } },
        { "search: {headers: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]}\n",
          { "f.yaml:1:19: search.headers: 17 values are out of range (0..16)" } },
        { "numbers: {country: +49}\n",
          { "f.yaml:1:20: numbers.country: '+49' is no country code: digits, such as 49" } },
        { "numbers: {trunk: 12345678}\n",
          { "f.yaml:1:18: numbers.trunk: '12345678' is no prefix: digits, such as 0, or none" } },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_bad(&rows[i]);
}

/* An error shows what was given only if it is no secret, and never more than one clean line. */
static void test_error_texts(void **state)
{
    (void)state;
    struct conf *c;
    assert_int_equal(load("http: {token: \"hunter2\\n\"}\nhep: {keys: [\"hunter2\\x7f\"]}\n", &c), -1);
    assert_int_equal(errs.count, 2);
    for (size_t i = 0; i < errs.count; i++)
        assert_null(strstr(error_text(i), "hunter2"));
    assert_int_equal(load("\"a\\e[31m\\nb\": 1\n", &c), -1);
    assert_string_equal(error_text(0), "f.yaml:1:1: a?[31m?b: unknown key");
    char text[5000] = "node: '";
    memset(text + 7, 'a', 4000);
    memcpy(text + 4007, "'\n", 3);
    assert_int_equal(load(text, &c), -1);
    assert_true(strlen(errs.items[0].text) < 120);
    memset(text + 7, 'a', 4200);
    memcpy(text + 4207, "'\n", 3);
    assert_int_equal(load(text, &c), -1);
    assert_non_null(strstr(error_text(0), "node: the value has 4200 octets, 4096 are the most"));
}

/* ------------------------------------------------------------------------------------------------ limits */

static void test_depth(void **state)
{
    (void)state;
    struct conf *c;
    /* With the mapping around it, 8 levels and 9. */
    assert_int_equal(load("xyzzy: [[[[[[[x]]]]]]]\nnode: x\n", &c), -1);
    assert_int_equal(errs.count, 2);
    assert_string_equal(error_text(1), "f.yaml:2:7: node: 'x' is not a whole number");
    assert_int_equal(load("xyzzy: [[[[[[[[x]]]]]]]]\nnode: x\n", &c), -1);
    assert_int_equal(errs.count, 2);
    assert_string_equal(error_text(1), "f.yaml:1:15: nested deeper than 8 levels");
    /* Deeper: told once, and the end. */
    size_t len = 100000;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, '[', len);
    memcpy(text, "xyzzy: ", 7);
    const struct conf_sources sources = { .text = text, .text_len = len };
    assert_int_equal(load_sources(&sources, &c), -1);
    assert_int_equal(errs.count, 2);
    assert_string_equal(errs.items[0].text, "xyzzy: unknown key");
    assert_string_equal(errs.items[1].text, "nested deeper than 8 levels");
    free(text);
}

static void test_many_errors(void **state)
{
    (void)state;
    struct conf *c;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < 1000; i++)
        buf_printf(&text, "qqq%zu: 1\n", i);
    const struct conf_sources sources = { .text = (const char *)text.ptr, .text_len = text.len };
    assert_int_equal(load_sources(&sources, &c), -1);
    assert_int_equal(errs.count, CONF_ERRORS_MAX);
    assert_int_equal(errs.errors, 1000);
    assert_int_equal(errs.hidden, 1000 - CONF_ERRORS_MAX);
    buf_reset(&text);
    buf_puts(&text, "hep: {allow: [");
    for (size_t i = 0; i < 5000; i++)
        buf_puts(&text, "10.0.0.1, ");
    buf_puts(&text, "]}\nnode: x\n");
    const struct conf_sources list = { .text = (const char *)text.ptr, .text_len = text.len };
    assert_int_equal(load_sources(&list, &c), -1);
    assert_int_equal(errs.count, 2);
    assert_string_equal(errs.items[0].text, "hep.allow: 5000 values are out of range (at most 1024)");
    buf_free(&text);
}

static void write_file(const char *path, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs("data: x\n#", f);
    for (size_t i = 9; i < len; i++)
        fputc('.', f);
    assert_int_equal(fclose(f), 0);
}

static void test_file_limits(void **state)
{
    (void)state;
    struct conf *c;
    char dir[] = "/tmp/hepcat-conf-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/c.yaml", dir);
    const struct conf_sources sources = { .file = path };
    assert_int_equal(load_sources(&sources, &c), -1);
    assert_non_null(strstr(errs.items[0].text, "No such file"));
    write_file(path, CONF_FILE_MAX);
    assert_int_equal(load_sources(&sources, &c), 0);
    assert_string_equal(c->data, "x");
    conf_free(c);
    write_file(path, CONF_FILE_MAX + 1);
    assert_int_equal(load_sources(&sources, &c), -1);
    assert_non_null(strstr(errs.items[0].text, "larger than 1048576 octets"));
    assert_int_equal(remove(path), 0);
    const struct conf_sources folder = { .file = dir };
    assert_int_equal(load_sources(&folder, &c), -1);
    assert_non_null(strstr(errs.items[0].text, "Is a directory"));
    assert_int_equal(remove(dir), 0);
}

/* ------------------------------------------------------------------------------------------------ sources */

/* A variable that is not const, as environ has them. */
#define ENV(text)                                                                                                      \
    (char[])                                                                                                           \
    {                                                                                                                  \
        text                                                                                                           \
    }

static char *no_env[] = { NULL };

static void test_precedence(void **state)
{
    (void)state;
    static const char file[] = "data: file\nnode: 1\nlog: {level: error}\nlisten: ['udp://:1']\n";
    char *env[] = { ENV("HOME=/"),
                    ENV("HEPCAT_NODE=2"),
                    ENV("HEPCAT_LOG_LEVEL=debug"),
                    ENV("HEPCAT_LISTEN= tcp://:2 ,udp://:2"),
                    ENV("HEPCAT_HEP_KEYS=a,b"),
                    ENV("HEPCAT_DATA="),
                    ENV("HEPCAT_SERVICE_HOST=10.0.0.1"),
                    ENV("HEPCAT_NODES"),
                    NULL };
    static const char *const levels[] = { "warning", "info" };
    static const char *const urls[] = { "tcp://:3", "tcp://:4", "udp://:5" };
    const struct conf_flag flags[] = { { CONF_KEY_log_level, levels, 2 },
                                       { CONF_KEY_listen, urls, 3 },
                                       { CONF_KEY_memory, NULL, 0 } };
    struct conf *c;
    struct conf_sources sources = { .file = "f", .text = file, .text_len = sizeof(file) - 1, .environ = no_env };
    assert_int_equal(load_sources(&sources, &c), 0);
    assert_string_equal(c->data, "file");
    assert_int_equal(c->node, 1);
    assert_int_equal(c->log_level, CONF_LOG_ERROR);
    assert_int_equal(c->listen.items[0].port, 1);
    conf_free(c);
    sources.environ = env;
    assert_int_equal(load_sources(&sources, &c), 0);
    assert_int_equal(errs.count, 0);
    assert_string_equal(c->data, "file");
    assert_int_equal(c->node, 2);
    assert_int_equal(c->log_level, CONF_LOG_DEBUG);
    assert_int_equal(c->listen.count, 2);
    assert_int_equal(c->listen.items[0].transport, CONF_TCP);
    assert_int_equal(c->hep_keys.count, 2);
    conf_free(c);
    sources.flags = flags;
    sources.flag_count = 3;
    assert_int_equal(load_sources(&sources, &c), 0);
    assert_int_equal(c->node, 2);
    assert_int_equal(c->log_level, CONF_LOG_INFO); /* the last one */
    assert_int_equal(c->listen.count, 3);
    assert_int_equal(c->listen.items[2].port, 5);
    conf_free(c);
}

/* Errors of every source are told, even of values that another source replaces. */
static void test_source_errors(void **state)
{
    (void)state;
    char *env[] = { ENV("HEPCAT_NODE=x"), ENV("HEPCAT_WAL_INTERVALL=1s"), ENV("HEPCAT_HEP_ALLOW=10.0.0.1,,b"),
                    ENV("HEPCAT_DATA=a\xff"), NULL };
    static const char *const nodes[] = { "y" };
    static const char *const tokens[] = { "" };
    const struct conf_flag flags[] = { { CONF_KEY_node, nodes, 1 }, { CONF_KEY_http_token, tokens, 1 } };
    const struct conf_sources sources = {
        .file = "f.yaml", .text = "node: z\n", .text_len = 8, .environ = env, .flags = flags, .flag_count = 2
    };
    static const char *const want[] = {
        "f.yaml:1:7: node: 'z' is not a whole number",
        "HEPCAT_NODE: 'x' is not a whole number",
        "HEPCAT_WAL_INTERVALL: unknown variable, did you mean HEPCAT_WAL_INTERVAL?",
        "HEPCAT_HEP_ALLOW: the value is empty",
        "HEPCAT_HEP_ALLOW: 'b' is not a network such as 10.0.0.0/8 or an address",
        "HEPCAT_DATA: the value is not UTF-8",
        "--node: 'y' is not a whole number",
        "--token: the value is empty",
    };
    struct conf *c;
    assert_int_equal(load_sources(&sources, &c), -1);
    assert_int_equal(errs.count, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        assert_string_equal(error_text(i), want[i]);
        assert_int_equal(errs.items[i].warning, i == 2);
    }
    assert_int_equal(errs.errors, COUNT_OF(want) - 1);
}

/* A warning alone is no obstacle. */
static void test_warning(void **state)
{
    (void)state;
    char *env[] = { ENV("HEPCAT_LOGLEVEL=debug"), NULL };
    const struct conf_sources sources = { .environ = env };
    struct conf *c;
    assert_int_equal(load_sources(&sources, &c), 0);
    assert_int_equal(errs.count, 1);
    assert_true(errs.items[0].warning);
    conf_free(c);
}

/* ------------------------------------------------------------------------------------------------ comparing */

static void on_change(void *arg, const char *path, bool reloadable)
{
    struct buf *b = arg;
    buf_printf(b, "%s%s ", path, reloadable ? "" : "!");
}

static const char *diff(const char *before, const char *after, size_t want)
{
    static char text[500];
    struct conf *a = load_ok(before), *b = load_ok(after);
    struct buf out;
    buf_init(&out, sizeof(text) - 1);
    assert_int_equal(conf_diff(a, b, on_change, &out), want);
    (void)snprintf(text, sizeof(text), "%.*s", (int)out.len, out.len > 0 ? (const char *)out.ptr : "");
    buf_free(&out);
    conf_free(a);
    conf_free(b);
    return text;
}

static void test_diff(void **state)
{
    (void)state;
    assert_string_equal(diff("", "", 0), "");
    /* The same in other words. */
    assert_string_equal(
        diff("", "seal: {interval: 1min}\nlisten: ['udp://[::]', 'tcp://[::]:9060']\nmemory: 512 MB\n", 0), "");
    assert_string_equal(diff("", "node: 5\nlog: {level: debug}\nwal: {sync: off}\n", 3), "node! wal.sync! log.level ");
    assert_string_equal(diff("hep: {keys: [a, b]}\n", "hep: {keys: ['a,b']}\n", 1), "hep.keys ");
    assert_string_equal(diff("hep: {keys: [a, b]}\n", "hep: {keys: [b, a]}\n", 1), "hep.keys ");
    assert_string_equal(diff("http: {token: a}\n", "", 1), "http.token ");
    assert_string_equal(diff("", "retention: {days: 5}\n", 1), "retention.days ");
    assert_string_equal(diff("", "retention: {sip: {days: 30}}\n", 1), "retention.sip.days ");
}

/* ------------------------------------------------------------------------------------------------ printing */

static void test_print_defaults(void **state)
{
    (void)state;
    static const struct conf_sources none = { 0 };
    struct conf *c, *again;
    struct buf text, first, second;
    buf_init(&text, 65536);
    buf_init(&first, 65536);
    buf_init(&second, 65536);
    conf_print_defaults(&text);
    buf_putc(&text, '\0');
    assert_false(text.failed);
    assert_int_equal(load_sources(&none, &c), 0);
    again = load_ok((const char *)text.ptr);
    assert_int_equal(conf_diff(c, again, on_change, &first), 0);
    conf_print(c, &second);
    for (size_t i = 0; i < CONF_KEY_COUNT; i++) /* every key stands in it, with its help */
        assert_non_null(strstr((const char *)text.ptr, conf_keys[i].help));
    conf_free(c);
    conf_free(again);
    buf_free(&text);
    buf_free(&first);
    buf_free(&second);
}

static void test_print(void **state)
{
    (void)state;
    static const char file[] = "node: 7\nhttp: {token: hunter2}\nhep: {keys: [hunter2, hunter3]}\n"
                               "retention:\n  sip: {days: 3}\n";
    char *env[] = { ENV("HEPCAT_WAL_INTERVAL=20ms"), NULL };
    static const char *const data[] = { "/d" };
    const struct conf_flag flags[] = { { CONF_KEY_data, data, 1 } };
    const struct conf_sources sources = {
        .file = "f.yaml", .text = file, .text_len = sizeof(file) - 1, .environ = env, .flags = flags, .flag_count = 1
    };
    static const char *const lines[] = {
        "data                    /d                        flag --data\n",
        "\nlisten                  udp://[::]:9060, tcp://[::]:9060  default\n",
        "\nnode                    7                         f.yaml:1\n",
        "\nhttp.token              ********                  f.yaml:2\n",
        "\nhep.keys                ********, ********        f.yaml:3\n",
        "\nhep.allow               -                         default\n",
        "\nwal.interval            20ms                      environment HEPCAT_WAL_INTERVAL\n",
        "\nretention.sip.days      3                         f.yaml:5\n",
        "\nretention.log.days      inherit                   default\n",
    };
    struct conf *c;
    struct buf out;
    buf_init(&out, 65536);
    assert_int_equal(load_sources(&sources, &c), 0);
    conf_print(c, &out);
    buf_putc(&out, '\0');
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (strstr((const char *)out.ptr, lines[i]) == NULL)
            fail_msg("not there: %sin\n%s", lines[i], (const char *)out.ptr);
    assert_null(strstr((const char *)out.ptr, "hunter"));
    buf_free(&out);
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),       cmocka_unit_test(test_file),        cmocka_unit_test(test_empty_files),
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_error_texts), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_many_errors),    cmocka_unit_test(test_file_limits), cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_source_errors),  cmocka_unit_test(test_warning),     cmocka_unit_test(test_diff),
        cmocka_unit_test(test_print_defaults), cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
