/* base: files and pipes by way of struct input, and the JSON texts in them. */
#include "testlib.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/input.h"
#include "base/json_texts.h"

/* A file with these octets; the caller unlinks. */
static void make_file(char path[32], const void *data, size_t len)
{
    strcpy(path, "/tmp/hepcat-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, (const uint8_t *)data + at, len - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    close(fd);
}

static struct input *open_octets(const void *data, size_t len)
{
    char path[32];
    struct input *in = NULL;
    struct errmsg msg = { "" };
    make_file(path, data, len);
    if (input_open(&in, path, NULL, &msg) != 0)
        fail_msg("%s", msg.text);
    assert_string_equal(input_name(in), path);
    unlink(path);
    return in;
}

/* One gzip member on the heap. */
static uint8_t *gzip(const uint8_t *data, size_t len, size_t *ret_len)
{
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uLong bound = deflateBound(&z, (uLong)len);
    uint8_t *out = malloc(bound), *in = malloc(len + 1);
    assert_non_null(out);
    assert_non_null(in);
    if (len > 0)
        memcpy(in, data, len);
    z.next_in = in;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *ret_len = bound - z.avail_out;
    deflateEnd(&z);
    free(in);
    return out;
}

/* Reads to the end by pieces of at most `step`, with a look ahead now and then. Returns the last result. */
static ssize_t read_all(struct input *in, size_t step, uint8_t *to, size_t cap, size_t *ret_len)
{
    uint64_t seed = step + 1;
    ssize_t n;
    *ret_len = 0;
    for (;;) {
        const uint8_t *ahead = NULL;
        static uint8_t seen[INPUT_PEEK_MAX];
        ssize_t peeked = 0;
        if (prng_below(&seed, 3) == 0) {
            size_t want = prng_below(&seed, INPUT_PEEK_MAX + 1);
            peeked = input_peek(in, want, &ahead);
            if (peeked > 0)
                memcpy(seen, ahead, (size_t)peeked);
        }
        assert_true(step <= cap - *ret_len);
        n = input_read(in, to + *ret_len, step);
        if (n <= 0)
            return n;
        size_t same = peeked > 0 ? (size_t)(peeked < n ? peeked : n) : 0;
        if (same > 0)
            assert_memory_equal(seen, to + *ret_len, same);
        *ret_len += (size_t)n;
    }
}

#define BIG 500000

static void test_read(void **state)
{
    (void)state;
    static const size_t lengths[] = { 0, 1, 2, 3, 4, 65535, 65536, 65537, BIG };
    static const size_t steps[] = { 7, 1000, 65536, 300000 };
    uint64_t seed = 1;
    uint8_t *data = malloc(BIG), *got = malloc(2 * BIG);
    assert_non_null(data);
    assert_non_null(got);
    prng_fill(&seed, data, BIG);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        for (size_t k = 0; k < COUNT_OF(steps); k++) {
            for (int members = 0; members <= 2; members++) { /* 0: not gzip; 2: joined members */
                size_t half = members == 2 ? lengths[i] / 3 : lengths[i], a_len, b_len, len;
                uint8_t *a = gzip(data, half, &a_len);
                uint8_t *b = gzip(data + half, lengths[i] - half, &b_len);
                uint8_t *both = malloc(a_len + b_len);
                assert_non_null(both);
                memcpy(both, a, a_len);
                memcpy(both + a_len, b, b_len);
                struct input *in = members == 0 ? open_octets(data, lengths[i])
                                                : open_octets(both, members == 1 ? a_len : a_len + b_len);
                assert_int_equal(read_all(in, steps[k], got, 2 * BIG, &len), 0);
                assert_int_equal(len, lengths[i]);
                assert_memory_equal(got, data, len);
                assert_int_equal(input_read(in, got, 1), 0); /* the end stays the end */
                assert_string_equal(input_error(in), "");
                input_close(in);
                free(a);
                free(b);
                free(both);
            }
        }
    }
    free(data);
    free(got);
}

static void test_gzip_damaged(void **state)
{
    (void)state;
    uint64_t seed = 1;
    uint8_t data[3000], got[8000];
    size_t len, n;
    prng_fill(&seed, data, sizeof(data));
    uint8_t *packed = gzip(data, sizeof(data), &len);
    for (size_t cut = 3; cut < len; cut += cut < 30 ? 1 : 97) {
        struct input *in = open_octets(packed, cut);
        assert_int_equal(read_all(in, 1000, got, sizeof(got), &n), -1);
        assert_non_null(strstr(input_error(in), "cut"));
        assert_true(n < sizeof(data) || cut >= len - 8); /* the check sum comes last */
        assert_memory_equal(got, data, n);               /* what came before is good */
        assert_int_equal(input_read(in, got, 1), -1);
        input_close(in);
    }
    packed[len - 1] ^= 1;
    struct input *in = open_octets(packed, len);
    assert_int_equal(read_all(in, 1000, got, sizeof(got), &n), -1);
    assert_non_null(strstr(input_error(in), "damaged"));
    input_close(in);
    free(packed);
}

static void test_open_errors(void **state)
{
    (void)state;
    struct input *in = NULL;
    struct errmsg msg = { "" };
    assert_int_equal(input_open(&in, "/nonexistent/file", NULL, &msg), -1);
    assert_non_null(strstr(msg.text, "/nonexistent/file"));
    msg.text[0] = '\0';
    assert_int_equal(input_open(&in, "/tmp", NULL, &msg), -1);
    assert_non_null(strstr(msg.text, "directory"));
    input_close(NULL);
}

/* Standard input as a pipe that fills slowly: peek waits for what it was asked for. */
static void test_pipe(void **state)
{
    (void)state;
    int fds[2];
    struct input *in;
    struct errmsg msg;
    const uint8_t *p;
    uint8_t got[64];
    int saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (unsigned i = 0; i < 10; i++) {
            usleep(2000);
            if (write(fds[1], &"0123456789"[i], 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(fds[1]);
    assert_true(dup2(fds[0], STDIN_FILENO) >= 0);
    close(fds[0]);
    assert_int_equal(input_open(&in, "-", NULL, &msg), 0);
    assert_string_equal(input_name(in), "standard input");
    assert_int_equal(input_peek(in, 6, &p), 6);
    assert_memory_equal(p, "012345", 6);
    assert_int_equal(input_read(in, got, 4), 4);
    assert_int_equal(input_peek(in, INPUT_PEEK_MAX, &p), 6);
    assert_memory_equal(p, "456789", 6);
    assert_int_equal(input_peek(in, 0, &p), 0);
    assert_int_equal(input_read(in, got, sizeof(got)), 6);
    assert_int_equal(input_read(in, got, sizeof(got)), 0);
    input_close(in);
    assert_true(dup2(saved, STDIN_FILENO) >= 0);
    close(saved);
}

/* ------------------------------------------------------------------------------------------------ waiting */

/* A named pipe with both ends in this process. */
struct live {
    struct input *in;
    int to;
    unsigned waits;
    const char *on_wait; /* written at the next wait; NULL: stop instead */
    volatile sig_atomic_t stop;
};

static void live_write(const struct live *l, const char *text)
{
    assert_int_equal(write(l->to, text, strlen(text)), strlen(text));
}

static void live_wait(void *arg)
{
    struct live *l = arg;
    l->waits++;
    if (l->on_wait != NULL)
        live_write(l, l->on_wait);
    else
        l->stop = 1;
}

static void live_open(struct live *l)
{
    char path[] = "/tmp/hepcat-test-pipe-XXXXXX";
    struct errmsg msg = { "" };
    const struct input_wait wait = { .on_wait = live_wait, .arg = l, .stop = &l->stop };
    *l = (struct live){ .on_wait = "###" }; /* for the look that input_open() takes */
    assert_non_null(mkdtemp(path));
    char pipe_path[64];
    (void)snprintf(pipe_path, sizeof(pipe_path), "%s/p", path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    l->to = open(pipe_path, O_RDWR);
    assert_true(l->to >= 0);
    assert_int_equal(input_open(&l->in, pipe_path, &wait, &msg), 0);
    assert_int_equal(l->waits, 1);
    uint8_t skipped[3];
    assert_int_equal(input_read(l->in, skipped, sizeof(skipped)), 3);
    l->waits = 0;
    unlink(pipe_path);
    rmdir(path);
}

static void live_close(struct live *l)
{
    input_close(l->in);
    close(l->to);
}

static void test_wait(void **state)
{
    (void)state;
    struct live l;
    const uint8_t *p;
    uint8_t got[16];
    live_open(&l);
    live_write(&l, "ab");
    assert_int_equal(input_read(l.in, got, sizeof(got)), 2);
    assert_int_equal(l.waits, 0); /* nothing to wait for */
    l.on_wait = "cd";
    assert_int_equal(input_read(l.in, got, sizeof(got)), 2);
    assert_int_equal(l.waits, 1);
    assert_int_equal(input_peek(l.in, 4, &p), 4);
    assert_memory_equal(p, "cdcd", 4);
    assert_int_equal(l.waits, 3);
    l.on_wait = NULL;
    assert_int_equal(input_peek(l.in, 6, &p), 4); /* stopped while it waits for two more */
    assert_int_equal(input_read(l.in, got, sizeof(got)), 4);
    assert_int_equal(input_read(l.in, got, sizeof(got)), 0);
    assert_string_equal(input_error(l.in), "");
    live_close(&l);
}

/* ------------------------------------------------------------------------------------------------ JSON texts */

/* All results as one line: "LINE:text|", with blanks and line ends taken out; "LINE!" for a text that is too long. */
static void list_texts(const char *data, size_t len, size_t max, char *out, size_t cap)
{
    struct input *in = open_octets(data, len);
    struct json_texts t;
    const char *text = NULL;
    size_t text_len = 0;
    uint64_t line = 0;
    int rc;
    json_texts_init(&t, in, max);
    out[0] = '\0';
    while ((rc = json_texts_next(&t, &text, &text_len, &line)) != 0) {
        size_t n = strlen(out);
        assert_true(rc == 1 || rc == -2);
        n += (size_t)snprintf(out + n, cap - n, rc == 1 ? "%llu:" : "%llu!|", (unsigned long long)line);
        for (size_t i = 0; rc == 1 && i < text_len; i++)
            if (strchr(" \r\n", text[i]) == NULL && n + 3 < cap)
                out[n++] = text[i];
        if (rc == 1)
            memcpy(out + n, "|", 2);
    }
    assert_int_equal(json_texts_next(&t, &text, &text_len, &line), 0);
    json_texts_free(&t);
    input_close(in);
}

/* A writer that is still there: what a pipe holds is handed out before the next octet has come. */
static void test_texts_live(void **state)
{
    (void)state;
    static const char *const texts[] = { "{\"a\":1}\n", "{\n \"b\":\"}\"\n}\n", "x\n" };
    struct live live;
    struct json_texts t;
    live_open(&live);
    json_texts_init(&t, live.in, 1000);
    for (uint64_t i = 0, want = 1; i < 3; i++) {
        const char *text;
        size_t len;
        uint64_t line;
        live_write(&live, texts[i]);
        assert_int_equal(json_texts_next(&t, &text, &len, &line), 1); /* would wait for ever */
        assert_int_equal(line, want);
        assert_int_equal(len, strlen(texts[i]));
        want += i == 1 ? 3 : 1;
    }
    assert_int_equal(live.waits, 0);
    json_texts_free(&t);
    live_close(&live);
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *data, *want;
    } rows[] = {
        { "", "" },
        { "\n\r\n  \n", "" },
        { "{\"a\":1}", "1:{\"a\":1}|" },
        { "{\"a\":1}\n", "1:{\"a\":1}|" },
        { "{\"a\":1}\n{\"b\":2}", "1:{\"a\":1}|2:{\"b\":2}|" },
        { "{\"a\":1}\r\n\r\n{\"b\":2}\r\n", "1:{\"a\":1}|3:{\"b\":2}|" },
        { "{\n \"a\": {\n  \"b\": [\n 1 ]\n }\n}\n{\"c\":3}\n", "1:{\"a\":{\"b\":[1]}}|7:{\"c\":3}|" },
        { "{\r\n  \"a\": 1\r\n}\r\n{\r\n  \"b\": 2\r\n}", "1:{\"a\":1}|4:{\"b\":2}|" },
        { "{\"a\":\"}{\\\"[\"}\n{}\n", "1:{\"a\":\"}{\\\"[\"}|2:{}|" },
        { "{\"a\":\n{\"b\":2}\n", "1:{\"a\":|2:{\"b\":2}|" },       /* never closed: costs only itself */
        { "{\"a\":\"x\n{\"b\":2}\n", "1:{\"a\":\"x|2:{\"b\":2}|" }, /* string never closed */
        { "{\"a\":[[[\n{\"b\":2}\n{\"c\":3}\n", "1:{\"a\":[[[|2:{\"b\":2}|3:{\"c\":3}|" },
        { "garbage\n{\"b\":2}\n", "1:garbage|2:{\"b\":2}|" },
        { "}}}}\n{\"b\":2}\n", "1:}}}}|2:{\"b\":2}|" },
        { "{\n\"a\":1\n", "1:{\"a\":1|" }, /* cut at the end */
        { "{\n\"a\":", "1:{\"a\":|" },
        { "{ \"a\": \"x\\\\\" }\n{}\n", "1:{\"a\":\"x\\\\\"}|2:{}|" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char got[256];
        list_texts(rows[i].data, strlen(rows[i].data), 1000, got, sizeof(got));
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("row %zu: %s", i, got);
    }
}

/* Texts around the limit, at places of the input that fall before, on and behind what is read at a time. */
static void test_texts_too_long(void **state)
{
    (void)state;
    enum { MAX = 100000 };
    char *data = malloc(1000000), got[256];
    assert_non_null(data);
    for (size_t len = MAX - 2; len <= 4 * MAX; len += len < MAX + 2 ? 1 : 65536) {
        for (int pretty = 0; pretty < 2; pretty++) {
            size_t n = (size_t)sprintf(data, "{\"a\":1}\n");
            size_t start = n;
            n += (size_t)sprintf(data + n, pretty ? "{\n" : "{");
            memset(data + n, ' ', 4 * MAX);
            if (pretty)
                for (size_t i = n + 999; i < start + len - 10; i += 1000)
                    data[i] = '\n';
            size_t lines = 0;
            memcpy(data + start + len - 2, "}\n", 2); /* len octets with the line end */
            for (size_t i = start; i < start + len; i++)
                lines += data[i] == '\n';
            n = start + len;
            n += (size_t)sprintf(data + n, "{\"b\":2}\n");
            list_texts(data, n, MAX, got, sizeof(got));
            /* The rest of a text that was given up may come line by line; what follows is whole, with its number. */
            const char *head = len <= MAX ? "1:{\"a\":1}|2:{}|" : "1:{\"a\":1}|2!|";
            char tail[40];
            size_t tail_len = (size_t)snprintf(tail, sizeof(tail), "|%zu:{\"b\":2}|", lines + 2);
            bool whole = len <= MAX || !pretty;
            if (strncmp(got, head, strlen(head)) != 0 || strcmp(got + strlen(got) - tail_len, tail) != 0 ||
                (whole && strlen(got) != strlen(head) + tail_len - 1))
                fail_msg("%zu octets, pretty %d: %s, want %s...%s", len, pretty, got, head, tail);
        }
    }
    free(data);
}

/* A broken text must not take the next one with it, also if both together are beyond the limit. */
static void test_broken_before_long(void **state)
{
    (void)state;
    enum { MAX = 200000, EACH = 180000 };
    char *data = malloc(2 * MAX + 100), *got = malloc(2 * MAX + 100);
    assert_non_null(data);
    assert_non_null(got);
    memset(data, ' ', 2 * EACH);
    memcpy(data, "{\"a\":[", 6);
    data[EACH - 1] = '\n';
    memcpy(data + EACH, "{\"b\":2}", 7);
    data[2 * EACH - 1] = '\n';
    list_texts(data, 2 * EACH, MAX, got, 2 * MAX);
    assert_string_equal(got, "1:{\"a\":[|2:{\"b\":2}|");
    free(data);
    free(got);
}

/* A gzip file that is cut: the error is told, also if it comes inside a text of several lines. */
static void test_texts_read_error(void **state)
{
    (void)state;
    uint64_t seed = 9;
    char text[4000];
    size_t len;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + prng_below(&seed, 26));
    for (size_t i = 50; i < sizeof(text); i += 50)
        text[i] = '\n';
    memcpy(text, "{\n", 2);
    uint8_t *packed = gzip((const uint8_t *)text, sizeof(text), &len);
    for (size_t cut = 100; cut < len; cut += 100) {
        struct input *in = open_octets(packed, cut);
        struct json_texts t;
        const char *p;
        size_t n, texts = 0;
        uint64_t line;
        int rc;
        json_texts_init(&t, in, 10000);
        while ((rc = json_texts_next(&t, &p, &n, &line)) == 1)
            texts++;
        assert_int_equal(rc, -1);
        assert_true(texts <= 1);
        json_texts_free(&t);
        input_close(in);
    }
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_gzip_damaged),
        cmocka_unit_test(test_open_errors),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_texts_live),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_texts_too_long),
        cmocka_unit_test(test_broken_before_long),
        cmocka_unit_test(test_texts_read_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
