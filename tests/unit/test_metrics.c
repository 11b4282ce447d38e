/* Prometheus text: what is written is valid by the rules of the exposition format 0.0.4. */
#include "metrics/metrics.h"
#include "testlib.h"

static bool is_name(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool letter = (p[i] >= 'a' && p[i] <= 'z') || p[i] == '_';
        if (!letter && !(i > 0 && p[i] >= '0' && p[i] <= '9'))
            return false;
    }
    return n > 0;
}

/* `{a="x",b="y"}`: where it ends. */
static const char *skip_labels(const char *p)
{
    assert_true(*p++ == '{');
    for (;;) {
        size_t n = strcspn(p, "=");
        assert_true(is_name(p, n));
        p += n;
        assert_true(p[0] == '=' && p[1] == '"');
        for (p += 2; *p != '"'; p++) {
            assert_true(*p != '\n' && *p != '\0');
            if (*p == '\\') {
                p++;
                assert_non_null(strchr("\\\"n", *p));
            }
        }
        p++;
        if (*p == '}')
            return p + 1;
        assert_true(*p++ == ',');
    }
}

struct families {
    char names[256][96];
    size_t count;
};

static void check_comment(struct families *f, const char *line)
{
    static char last_help[96];
    char name[96];
    if (strncmp(line, "# HELP ", 7) == 0) {
        (void)snprintf(last_help, sizeof(last_help), "%.*s", (int)strcspn(line + 7, " "), line + 7);
        return;
    }
    assert_int_equal(strncmp(line, "# TYPE ", 7), 0);
    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + 7, " "), line + 7);
    assert_string_equal(name, last_help);
    assert_int_equal(strncmp(name, "hepcat_", 7), 0);
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->names[i], name) == 0)
            fail_msg("family %s stands twice", name);
    (void)snprintf(f->names[f->count++], sizeof(f->names[0]), "%s", name);
    const char *type = line + 7 + strlen(name) + 1;
    bool counter = strcmp(type, "counter") == 0;
    assert_true(counter || strcmp(type, "gauge") == 0);
    size_t n = strlen(name);
    if (counter != (n > 6 && strcmp(name + n - 6, "_total") == 0))
        fail_msg("%s: counters, and they alone, end in _total", name);
}

static void check_sample(const struct families *f, const char *line)
{
    char *end;
    size_t n = strcspn(line, "{ ");
    assert_true(is_name(line, n));
    assert_true(f->count > 0 && strlen(f->names[f->count - 1]) == n && memcmp(f->names[f->count - 1], line, n) == 0);
    const char *p = line[n] == '{' ? skip_labels(line + n) : line + n;
    assert_true(*p == ' ');
    (void)strtod(p + 1, &end);
    assert_true(end > p + 1 && *end == '\0');
}

static size_t check_text(struct buf *b)
{
    struct families f = { .count = 0 };
    assert_false(b->failed);
    assert_true(b->len > 0 && b->ptr[b->len - 1] == '\n');
    buf_putc(b, '\0');
    for (char *line = (char *)b->ptr; *line != '\0';) {
        char *end = strchr(line, '\n');
        *end = '\0';
        if (line[0] == '#')
            check_comment(&f, line);
        else
            check_sample(&f, line);
        line = end + 1;
    }
    return f.count;
}

static void everything_is_valid(void **state)
{
    (void)state;
    struct buf b;
    struct store_figures *store = calloc(1, sizeof(*store));
    struct wal_stats wal = { .records = UINT64_MAX, .sync_us = 1500000 };
    memset(store, 0xff, sizeof(*store)); /* every number at its largest; negative where it is signed */
    store->disk_full = true;
    buf_init(&b, METRICS_TEXT_MAX);
    metrics_write_build(&b, "0.1.0");
    metrics_write_store(&b, store);
    metrics_write_wal(&b, &wal, 5, true);
    assert_non_null(memmem(b.ptr, b.len, "\nhepcat_wal_commit_seconds_total 1.500000\n", 42));
    assert_true(check_text(&b) > 40);
    buf_free(&b);
    free(store);
}

static void labels_are_escaped(void **state)
{
    (void)state;
    struct buf b;
    const char *labels[] = { "a", "x\"y\\z\nw", "b", "\xff\xc3\xbc", NULL };
    static const char expect[] =
        "# HELP hepcat_x_total A\\nB \\\\.\n# TYPE hepcat_x_total counter\n"
        "hepcat_x_total{a=\"x\\\"y\\\\z\\nw\",b=\"\xef\xbf\xbd\xc3\xbc\"} 18446744073709551615\n";
    buf_init(&b, 4096);
    metrics_family(&b, "x_total", METRICS_COUNTER, "A\nB \\.");
    metrics_sample(&b, "x_total", labels, UINT64_MAX);
    assert_int_equal(b.len, sizeof(expect) - 1);
    assert_memory_equal(b.ptr, expect, b.len);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_valid),
        cmocka_unit_test(labels_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
