/* Names of headers, in every form, and lines. */
#include "testlib.h"

#include "guard.h"
#include "sip/header.h"

#define S(text) ((struct hep_slice){ (const uint8_t *)(text), strlen(text) })

static const struct {
    enum sip_header_id id;
    const char *name;
    char compact;
} rows[] = {
#define ROW(id, name, compact, kind, handler, field) { SIP_H_##id, name, compact },
    SIP_HEADER_LIST(ROW)
#undef ROW
};

/* Fails if header_hash.h was not made from this header_list.h. */
static void test_every_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char other[64];
        assert_int_equal(sip_header_id(S(rows[i].name)), rows[i].id);
        assert_string_equal(sip_header_name(rows[i].id), rows[i].name);
        for (size_t k = 0; k <= strlen(rows[i].name); k++) /* each letter in the other case */
            other[k] = (char)(rows[i].name[k] >= 'A' ? rows[i].name[k] ^ 0x20 : rows[i].name[k]);
        assert_int_equal(sip_header_id(S(other)), rows[i].id);
        if (rows[i].compact == '-')
            continue;
        char compact[2] = { rows[i].compact, '\0' };
        assert_int_equal(sip_header_id(S(compact)), rows[i].id);
        compact[0] ^= 0x20;
        assert_int_equal(sip_header_id(S(compact)), rows[i].id);
        assert_true(sip_name_is(S(compact), rows[i].name));
    }
}

/* A name that differs in one octet is another name. */
static void test_near_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t text[64];
        size_t n = strlen(rows[i].name);
        memcpy(text, rows[i].name, n);
        for (size_t k = 0; k < n; k++) {
            uint8_t kept = text[k];
            for (unsigned c = 0; c < 256; c++) {
                bool same = c == kept || ((c ^ kept) == 0x20 && (kept | 0x20) >= 'a' && (kept | 0x20) <= 'z');
                text[k] = (uint8_t)c;
                if ((sip_header_id((struct hep_slice){ text, n }) == rows[i].id) != same)
                    fail_msg("%s, octet %zu as %02x", rows[i].name, k, c);
            }
            text[k] = kept;
        }
        if (n > 2) /* "T" is "To" */
            assert_true(sip_header_id((struct hep_slice){ text, n - 1 }) != rows[i].id);
    }
}

static void test_unknown(void **state)
{
    (void)state;
    static const char *const names[] = { "", "X-Foo", "g", "*", "@", "!", "\x16", "Via2", "Fro", "0", "call_id" };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(sip_header_id(S(names[i])), SIP_H_OTHER);
    assert_string_equal(sip_header_name(SIP_H_OTHER), "");
    assert_string_equal(sip_header_name((enum sip_header_id)999), "");
    assert_true(sip_name_is(S("x-foo"), "X-Foo"));
    assert_false(sip_name_is(S("x-foo"), "X-Fo"));
    assert_false(sip_name_is(S("x-foo"), "Via"));
}

/* Prints each line as "name=value/flags;". */
static void print_lines(const char *msg, size_t n, char out[512])
{
    struct sip_headers it;
    struct sip_header h;
    size_t used = 0;
    out[0] = '\0';
    sip_headers_begin(&it, (const uint8_t *)msg, n);
    while (sip_headers_step(&it, &h))
        used += (size_t)snprintf(out + used, 512 - used, "%.*s=%.*s/%u;", (int)h.name.len, (const char *)h.name.ptr,
                                 (int)h.value.len, (const char *)h.value.ptr, h.flags);
    (void)snprintf(out + used, 512 - used, "%s%.*s", it.complete ? "|" : "", (int)it.rest.len,
                   it.rest.len > 0 ? (const char *)it.rest.ptr : "");
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *msg, *expect;
    } cases[] = {
        { "S\r\na: b\r\n\r\nbody", "a=b/0;|body" },
        { "S\na: b\n\nbody", "a=b/0;|body" },
        { "S\ra: b\rc:d\r\rbody", "a=b/2;c=d/2;|body" }, /* CR alone, no LF anywhere */
        { "S\ra\r\nb: c\r\n\r\n", "b=c/0;|" },           /* a CR in the start line, but LF ends lines */
        { "S\r\na: b\rc: d\r\n\r\n", "a=b\rc: d/2;|" },
        { "S\r\na: b\r\r\n\r\r\nx", "a=b/2;|x" },
        { "S\r\na: b\r\n c\r\n\td\r\n\r\n", "a=b\r\n c\r\n\td/0;|" },
        { "S\r\na: b\r\n\r\n c", "a=b/0;| c" }, /* the empty line does not fold */
        { "S\r\na: b", "a=b/0;" },
        { "S\r\na: b\r", "a=b/0;" },
        { "S\r\na: b\r\n", "a=b/0;" },
        { "S\r\na: b\r\n ", "a=b/0;" },
        { "S\r\nno colon\r\n: no name\r\n\r\n", "=no colon/8;=no name/0;|" },
        { "S\r\na: \x01z\x7f\r\n\r\n", "a=\x01z\x7f/1;|" },
        { "S\r\na: \xc3\xa9\r\nb: \xff\r\n\r\n", "a=\xc3\xa9/0;b=\xff/4;|" },
        { "S\r\na: \xc3\r\n \xa9\r\n\r\n", "a=\xc3\r\n \xa9/4;|" },
        { "\r\n\n\r\nS\r\n\r\n", "|" },
        { "S", "" },
        { "", "" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[512];
        size_t n = strlen(cases[i].msg);
        uint8_t *p = guard_copy((const uint8_t *)cases[i].msg, n);
        print_lines((const char *)p, n, out);
        guard_free(p, n);
        if (strcmp(out, cases[i].expect) != 0)
            fail_msg("case %zu: %s", i, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name),
        cmocka_unit_test(test_near_names),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
