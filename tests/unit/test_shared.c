/* What users share: changes by several, refusals that change nothing, limits, restarts, damage, a full disk, crashes.
 */
#include <errno.h>

#include "api/shared.h"
#include "fault_vfs.h"
#include "testlib.h"

#define NOTHING "{\"aliases\":[],\"searches\":[]}"

struct world {
    struct fault_fs *fs;
    struct shared *shared;
    struct errmsg err;
};

static int setup(void **state)
{
    struct world *w = test_calloc(1, sizeof(*w));
    w->fs = fault_new(7);
    assert_int_equal(vfs_mkdirs(fault_vfs(w->fs), "/d"), 0);
    assert_int_equal(shared_open(&w->shared, fault_vfs(w->fs), "/d", &w->err), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    shared_close(w->shared);
    fault_free(w->fs);
    test_free(w);
    return 0;
}

static int change(struct world *w, const char *json)
{
    w->err.text[0] = '\0';
    return shared_change(w->shared, json, strlen(json), &w->err);
}

static void assert_shown(struct world *w, const char *want)
{
    struct buf out;
    buf_init(&out, SHARED_MAX);
    shared_show(w->shared, &out);
    buf_putc(&out, '\0');
    assert_string_equal((const char *)out.ptr, want);
    buf_free(&out);
}

static void again(struct world *w)
{
    shared_close(w->shared);
    w->shared = NULL;
    assert_int_equal(shared_open(&w->shared, fault_vfs(w->fs), "/d", &w->err), 0);
}

/* ------------------------------------------------------------------------------------------------ changes */

static void changes_of_several(void **state)
{
    struct world *w = *state;
    assert_shown(w, NOTHING);
    assert_int_equal(change(w, "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.1\",\"name\":\"sbc1\"},"
                               "{\"address\":\"10.2.0.0/16\",\"name\":\"gateways \\\"west\\\"\"}]}}"),
                     0);
    assert_int_equal(change(w, "{\"searches\":{\"set\":[{\"page\":\"calls\",\"name\":\"Fails\",\"q\":\"state:failed\"},"
                               "{\"page\":\"messages\",\"name\":\"Fails\",\"q\":\"\"}]}}"),
                     0);
    /* Another one, who has not seen any of it. */
    assert_int_equal(change(w, "{\"aliases\":{\"set\":[{\"address\":\"[2001:DB8::0:1]:5060\",\"name\":\"trünk\"}],"
                               "\"remove\":[\"10.9.9.9\"]}}"),
                     0);
    assert_shown(w, "{\"aliases\":[{\"address\":\"10.0.0.1\",\"name\":\"sbc1\"},"
                    "{\"address\":\"10.2.0.0/16\",\"name\":\"gateways \\\"west\\\"\"},"
                    "{\"address\":\"[2001:db8::1]:5060\",\"name\":\"trünk\"}],"
                    "\"searches\":[{\"page\":\"calls\",\"name\":\"Fails\",\"q\":\"state:failed\"},"
                    "{\"page\":\"messages\",\"name\":\"Fails\",\"q\":\"\"}]}");
    assert_int_equal(change(w, "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.1/32\",\"name\":\"SBC\"}],"
                               "\"remove\":[\"10.2.0.0/16\",\"[2001:db8::1]:5060\"]},"
                               "\"searches\":{\"remove\":[{\"page\":\"calls\",\"name\":\"Fails\"}]}}"),
                     0);
    const char *left = "{\"aliases\":[{\"address\":\"10.0.0.1\",\"name\":\"SBC\"}],"
                       "\"searches\":[{\"page\":\"messages\",\"name\":\"Fails\",\"q\":\"\"}]}";
    assert_shown(w, left);
    again(w);
    assert_string_equal(w->err.text, "");
    assert_shown(w, left);
    fault_crash(w->fs, 1);
    again(w);
    assert_shown(w, left);
}

static void what_is_refused_changes_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{\"aliases\":",
        "{\"alias\":{}}",
        "{\"aliases\":[]}",
        "{\"aliases\":{\"add\":[]}}",
        "{\"aliases\":{\"set\":{}}}",
        "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.2\",\"name\":\"a\"},1]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.2\",\"name\":\"\"}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.2\",\"name\":\"a\\nb\"}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.2\",\"name\":\"a\",\"more\":1}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.2\"}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"sbc1.example.com\",\"name\":\"a\"}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.256\",\"name\":\"a\"}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.1/33\",\"name\":\"a\"}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"10.0.0.1:65536\",\"name\":\"a\"}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"5060\",\"name\":\"a\"}]}}",
        "{\"aliases\":{\"set\":[{\"address\":\"\",\"name\":\"a\"}]}}",
        "{\"aliases\":{\"remove\":[\"nobody\"]}}",
        "{\"searches\":{\"set\":[{\"page\":\"calls\",\"name\":\"x\"}]}}",
        "{\"searches\":{\"set\":[{\"page\":\"\",\"name\":\"x\",\"q\":\"\"}]}}",
        "{\"searches\":{\"set\":[{\"page\":\"calls\",\"name\":\"x\",\"q\":\"\\u0007\"}]}}",
        "{\"searches\":{\"remove\":[{\"page\":\"calls\"}]}}",
        "{\"aliases\":{\"set\":[]},\"aliases\":{}}",
    };
    struct world *w = *state;
    assert_int_equal(change(w, "{\"aliases\":{\"set\":[{\"address\":\"::1\",\"name\":\"here\"}]}}"), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(change(w, bad[i]), -EINVAL);
        assert_string_not_equal(w->err.text, "");
        assert_shown(w, "{\"aliases\":[{\"address\":\"::1\",\"name\":\"here\"}],\"searches\":[]}");
    }
    again(w);
    assert_shown(w, "{\"aliases\":[{\"address\":\"::1\",\"name\":\"here\"}],\"searches\":[]}");
}

/* `count` aliases from number `first` on. */
static int set_many(struct world *w, unsigned first, unsigned count)
{
    struct buf json;
    buf_init(&json, SHARED_CHANGE_MAX);
    buf_printf(&json, "{\"aliases\":{\"set\":[");
    for (unsigned i = first; i < first + count; i++)
        buf_printf(&json, "%s{\"address\":\"10.%u.%u.%u\",\"name\":\"%u\"}", i == first ? "" : ",", i >> 16,
                   i >> 8 & 255, i & 255, i);
    buf_printf(&json, "]}}");
    assert_false(json.failed);
    int rc = shared_change(w->shared, json.ptr, json.len, &w->err);
    buf_free(&json);
    return rc;
}

static void limits(void **state)
{
    struct world *w = *state;
    char q[SHARED_FILTER_MAX + 1], json[SHARED_FILTER_MAX + 200];
    assert_int_equal(set_many(w, 0, SHARED_ALIASES_MAX), 0);
    assert_int_equal(set_many(w, SHARED_ALIASES_MAX, 1), -E2BIG);
    assert_string_equal(w->err.text, "more than 10000 aliases");
    assert_int_equal(set_many(w, 5, 10), 0); /* they are there */
    memset(q, 'q', sizeof(q));
    unsigned n = 0;
    int rc = 0;
    for (; rc == 0 && n <= SHARED_SEARCHES_MAX; n++) {
        (void)snprintf(json, sizeof(json),
                       "{\"searches\":{\"set\":[{\"page\":\"calls\",\"name\":\"%u\",\"q\":\"%.*s\"}]}}", n,
                       SHARED_FILTER_MAX, q);
        rc = change(w, json);
    }
    assert_int_equal(rc, -E2BIG); /* octets in all, before the number of searches */
    assert_string_equal(w->err.text, "more than 2097152 octets in all");
    assert_in_range(n, 150, 250);
    (void)snprintf(json, sizeof(json), "{\"searches\":{\"set\":[{\"page\":\"calls\",\"name\":\"x\",\"q\":\"%.*sq\"}]}}",
                   SHARED_FILTER_MAX, q);
    assert_int_equal(change(w, json), -EINVAL);
    again(w);
    assert_string_equal(w->err.text, "");
    assert_int_equal(change(w, "{\"searches\":{\"remove\":[{\"page\":\"calls\",\"name\":\"0\"}]}}"), 0);
}

/* ------------------------------------------------------------------------------------------------ the file */

static void a_damaged_file_is_set_aside(void **state)
{
    static const char *const damaged[] = { "", "{", "{\"aliases\":[],\"searches\":[1]}", "{\"aliases\":[]}",
                                           "{\"aliases\":[{\"address\":\"x\",\"name\":\"y\"}],\"searches\":[]}" };
    struct world *w = *state;
    size_t len;
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        fault_put(w->fs, "/d/SHARED.json", damaged[i], strlen(damaged[i]));
        again(w);
        assert_string_not_equal(w->err.text, "");
        assert_shown(w, NOTHING);
        assert_non_null(fault_data(w->fs, "/d/SHARED.json.bad", &len));
        assert_int_equal(len, strlen(damaged[i]));
        assert_null(fault_data(w->fs, "/d/SHARED.json", &len));
    }
    assert_int_equal(change(w, "{\"aliases\":{\"set\":[{\"address\":\"::1\",\"name\":\"here\"}]}}"), 0);
}

static void a_disk_that_fails(void **state)
{
    static const unsigned ops[] = { FAULT_OPEN, FAULT_WRITE, FAULT_SYNC, FAULT_RENAME };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        fault_inject(w->fs, ops[i], 0, -ENOSPC, 0);
        assert_int_equal(change(w, "{\"aliases\":{\"set\":[{\"address\":\"::1\",\"name\":\"here\"}]}}"), -ENOSPC);
        assert_non_null(strstr(w->err.text, "SHARED.json"));
        fault_clear(w->fs);
        assert_shown(w, NOTHING);
        assert_int_equal(fault_open_files(w->fs), 0);
    }
}

/* After a power loss at any moment it is what it was before or after the change. */
static void a_crash_at_any_moment(void **state)
{
    struct world *w = *state;
    const char *old = "{\"aliases\":[{\"address\":\"::1\",\"name\":\"old\"}],\"searches\":[]}";
    const char *new = "{\"aliases\":[{\"address\":\"::1\",\"name\":\"new\"}],\"searches\":[]}";
    unsigned kept = 0;
    for (uint64_t n = 1; n < 12; n++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            assert_int_equal(change(w, "{\"aliases\":{\"set\":[{\"address\":\"::1\",\"name\":\"old\"}]}}"), 0);
            fault_crash(w->fs, seed);
            fault_power_at(w->fs, n);
            int rc = change(w, "{\"aliases\":{\"set\":[{\"address\":\"::1\",\"name\":\"new\"}]}}");
            fault_crash(w->fs, seed);
            again(w);
            assert_string_equal(w->err.text, "");
            struct buf out;
            buf_init(&out, SHARED_MAX);
            shared_show(w->shared, &out);
            buf_putc(&out, '\0');
            bool is_old = strcmp((const char *)out.ptr, old) == 0;
            assert_true(is_old || strcmp((const char *)out.ptr, new) == 0);
            assert_false(rc == 0 && is_old);
            kept += !is_old;
            buf_free(&out);
        }
    assert_in_range(kept, 1, 219);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_of_several, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_set_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(a_disk_that_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crash_at_any_moment, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
