/*
 * A configuration file from anybody: errors have a place inside the file and a clean text; what is taken is within its
 * limits, and the same when it is loaded again.
 */
#include <string.h>

#include "base/utf8.h"
#include "conf/conf.h"
#include "fuzz.h"

static struct conf_errors errs;
static struct buf first, second;

static void never(void *arg, const char *path, bool reloadable)
{
    (void)arg;
    (void)reloadable;
    fprintf(stderr, "%s differs\n", path);
}

static void check_errors(const uint8_t *data, size_t size)
{
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' || data[i] == '\r' ? 1 : 0;
    /* NEL, LS and PS end lines of YAML as well. */
    lines += size / 2;
    FUZZ_CHECK(errs.errors > 0 && errs.count > 0 && errs.count <= CONF_ERRORS_MAX);
    for (size_t i = 0; i < errs.count; i++) {
        const struct conf_error *e = &errs.items[i];
        FUZZ_CHECK(e->text[0] != '\0' && memchr(e->text, '\0', sizeof(e->text)) != NULL);
        FUZZ_CHECK(utf8_valid((const uint8_t *)e->text, strlen(e->text)));
        FUZZ_CHECK(e->line <= lines + 1 && (e->line == 0) == (e->column == 0));
    }
}

static void check_loaded(const struct conf *c, const struct conf_sources *sources)
{
    struct conf *again;
    FUZZ_CHECK(conf_load(&again, sources, &errs) == 0);
    FUZZ_CHECK(conf_diff(c, again, never, NULL) == 0);
    buf_reset(&first);
    buf_reset(&second);
    conf_print(c, &first);
    conf_print(again, &second);
    FUZZ_CHECK(!first.failed && first.len == second.len && memcmp(first.ptr, second.ptr, first.len) == 0);
    FUZZ_CHECK(utf8_valid(first.ptr, first.len));
    FUZZ_CHECK(c->wal_interval_us >= 1000 && c->wal_interval_us <= 10000000);
    FUZZ_CHECK(c->wal_sync <= CONF_WAL_OFF && c->log_level <= CONF_LOG_DEBUG);
    FUZZ_CHECK(c->retention_sip_days <= 36500 && c->retention_disk >= 1 && c->retention_disk <= 100);
    FUZZ_CHECK(c->search_headers.count <= 16);
    FUZZ_CHECK(c->http_token == NULL || c->http_token[0] != '\0');
    conf_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct conf_sources sources = { .file = "f", .text = size > 0 ? (const char *)data : "", .text_len = size };
    struct conf *c = NULL;
    if (first.max == 0) {
        buf_init(&first, 16u << 20);
        buf_init(&second, 16u << 20);
    }
    if (conf_load(&c, &sources, &errs) != 0) {
        FUZZ_CHECK(c == NULL);
        check_errors(data, size);
        return 0;
    }
    FUZZ_CHECK(errs.errors == 0);
    check_loaded(c, &sources);
    conf_free(c);
    return 0;
}
