/* GET /api/v1/fields: the fields of the filter language, for completion and help. */
#include <string.h>

#include "api/internal.h"
#include "base/json_out.h"
#include "filter/fields.h"
#include "query/counts.h"

/* What values of a field are, and one of them. */
static const struct kind {
    const char *name, *example;
} kinds[] = {
    [FILTER_TEXT] = { "text", "abc*" },
    [FILTER_WORD] = { "word", "INVITE" },
    [FILTER_LIST] = { "element", "cseq" },
    [FILTER_USER] = { "user", "+4930*" },
    [FILTER_URI] = { "uri", "+4930*@example.com" },
    [FILTER_COUNT] = { "number", ">=16" },
    [FILTER_SPAN] = { "duration", ">60s" },
    [FILTER_DECIMAL] = { "decimal", "<3.5" },
    [FILTER_PERCENT] = { "percent", ">2%" },
    [FILTER_DELAY] = { "milliseconds", ">30ms" },
    [FILTER_STATUS] = { "status", "4xx" },
    [FILTER_ADDR] = { "address", "10.0.0.0/8" },
    [FILTER_SENDER] = { "network", "192.0.2.0/24" },
    [FILTER_TYPE] = { "type", "rtcp" },
    [FILTER_PHONE] = { "phone", "+49301234" },
    [FILTER_TIME] = { "time", ">-1h" },
    [FILTER_HEADER] = { "header", "abc*" },
    [FILTER_BODY] = { "octets", "hello" },
    [FILTER_PAYLOAD] = { "octets", "hello" },
};

static struct kind kind_of(const struct filter_field *f)
{
    size_t i = (size_t)f->type;
    bool known = i < sizeof(kinds) / sizeof(kinds[0]) && kinds[i].name != NULL;
    return known ? kinds[i] : (struct kind){ "text", "abc*" };
}

static void put_aliases(struct buf *out, const struct filter_field *f)
{
    struct filter_word alias;
    bool first = true;
    buf_puts(out, ",\"aliases\":[");
    for (const char *words = f->aliases; filter_word_next(&words, &alias); first = false) {
        buf_puts(out, first ? "" : ",");
        (void)json_out_string(out, (const uint8_t *)alias.ptr, alias.len);
    }
    buf_putc(out, ']');
}

static bool is_of(const struct filter_field *f, unsigned tables)
{
    struct filter_word column;
    for (const char *words = f->columns; filter_word_next(&words, &column);)
        for (unsigned t = 0; t < RECORD_TABLES; t++) {
            int c = record_column_by_name((enum record_table)t, column.ptr, column.len);
            if ((tables >> t & 1) != 0 && c >= 0 && !record_column_empty((enum record_table)t, (unsigned)c))
                return true;
        }
    return false;
}

static void put_of(struct buf *out, const struct filter_field *f)
{
    static const struct {
        unsigned tables;
        const char *name;
    } all[] = { { RECORD_TABLES_MESSAGES, "messages" },
                { RECORD_TABLES_CALLS, "calls" },
                { RECORD_TABLES_REGISTRATIONS, "registrations" } };
    const char *comma = "";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (is_of(f, all[i].tables)) {
            buf_printf(out, "%s\"%s\"", comma, all[i].name);
            comma = ",";
        }
}

static void put_field(struct buf *out, const struct filter_field *f)
{
    struct kind kind = kind_of(f);
    struct counts_by by;
    struct errmsg ignored;
    buf_puts(out, "\n{\"name\":");
    json_out_text(out, f->name);
    put_aliases(out, f);
    buf_puts(out, ",\"kind\":");
    json_out_text(out, kind.name);
    buf_puts(out, ",\"description\":");
    json_out_text(out, f->help);
    const char *name = f->type == FILTER_HEADER ? "header.X-Foo" : f->name;
    buf_printf(out, ",\"example\":\"%s:%s\"", name, kind.example);
    bool values = counts_by_parse(&by, RECORD_TABLES_ALL, f->name, strlen(f->name), &ignored) == 0;
    buf_puts(out, ",\"of\":[");
    put_of(out, f);
    buf_printf(out, "],\"values\":%s}", values ? "true" : "false");
}

void api_get_fields(struct api_request *r, struct api_reply *reply)
{
    size_t count, shown = 0;
    const struct filter_field *fields = filter_fields(&count);
    (void)r;
    buf_puts(&reply->body, "{\"fields\":[");
    for (size_t i = 0; i < count; i++) {
        if (!is_of(&fields[i], RECORD_TABLES_ALL & ~RECORD_TABLES_FOUND_BY_CALL))
            continue; /* nothing that is served has it */
        buf_puts(&reply->body, shown++ == 0 ? "" : ",");
        put_field(&reply->body, &fields[i]);
    }
    buf_printf(&reply->body, "],\"count\":%zu}\n", shown);
}
