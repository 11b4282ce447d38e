#include "cmd/rows_cell.h"

#include <inttypes.h>
#include <string.h>

struct hep_slice rows_cell_text(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    if (!json_is_string(v))
        return (struct hep_slice){ (const uint8_t *)"", 0 };
    return (struct hep_slice){ (const uint8_t *)json_string_value(v), json_string_length(v) };
}

int64_t rows_cell_number(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : -1;
}

static void put_text(struct buf *to, const json_t *row, const char *key)
{
    struct hep_slice text = rows_cell_text(row, key);
    buf_put(to, text.ptr, text.len);
}

static void put_list(struct buf *to, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        buf_printf(to, "%s%s", i > 0 ? " " : "", item != NULL ? item : "");
    }
}

void rows_cell_plain(struct buf *to, const json_t *row, const char *title)
{
    const json_t *v = json_object_get(row, title);
    if (json_is_integer(v))
        buf_printf(to, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        buf_printf(to, "%.15g", json_real_value(v));
    else if (json_is_array(v))
        put_list(to, v);
    else
        put_text(to, row, title);
}

/* "01-31 12:00:00.123": year and further digits are left to the other formats. */
static void put_time(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    struct hep_slice text = rows_cell_text(row, "ts");
    for (size_t i = 5; i < text.len && i < 23; i++)
        buf_putc(to, text.ptr[i] == 'T' ? ' ' : (char)text.ptr[i]);
}

/* Without the port that nearly all have: room is scarce. */
static void put_host(struct buf *to, const json_t *row, const char *ip, const char *port_key)
{
    struct hep_slice text = rows_cell_text(row, ip);
    int64_t port = rows_cell_number(row, port_key);
    bool brackets = port != 5060 && memchr(text.ptr, ':', text.len) != NULL;
    if (brackets)
        buf_putc(to, '[');
    buf_put(to, text.ptr, text.len);
    if (brackets)
        buf_putc(to, ']');
    if (port != 5060)
        buf_printf(to, ":%" PRId64, port);
}

static void put_source(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_host(to, row, "src_ip", "src_port");
}

static void put_destination(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_host(to, row, "dst_ip", "dst_port");
}

static void put_message(struct buf *to, const json_t *row, const char *title)
{
    int64_t status = rows_cell_number(row, "status");
    (void)title;
    if (json_object_get(row, "kind") != NULL) {
        put_text(to, row, "kind");
        buf_printf(to, " (%" PRId64 " octets)", rows_cell_number(row, "payload_len"));
    } else if (status >= 0) {
        buf_printf(to, "%" PRId64 " ", status);
        put_text(to, row, "reason");
    } else {
        put_text(to, row, "method");
    }
    if (json_object_get(row, "parse_error") != NULL)
        buf_puts(to, " (malformed)");
}

static void put_from(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, "from_user");
}

static void put_to(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, "to_user");
}

/* Of what is no SIP: the correlation id, which is one mostly. */
static void put_call_id(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, json_object_get(row, "call_id") != NULL ? "call_id" : "correlation_id");
}

/* "1:02:03", "2:03", "0.350 s" */
static void put_span(struct buf *to, const json_t *row, const char *key)
{
    int64_t ms = rows_cell_number(row, key), s = ms / 1000;
    if (ms < 0)
        return;
    if (s >= 3600)
        buf_printf(to, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
    else if (s >= 60)
        buf_printf(to, "%d:%02d", (int)(s / 60), (int)(s % 60));
    else
        buf_printf(to, "%d.%03d s", (int)s, (int)(ms % 1000));
}

static void put_pdd(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_span(to, row, "pdd_ms");
}

static void put_talk(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_span(to, row, "talk_ms");
}

static void put_state(struct buf *to, const json_t *row, const char *title)
{
    int64_t status = rows_cell_number(row, "status");
    (void)title;
    put_text(to, row, "state");
    if (status < 300)
        return;
    buf_printf(to, " %" PRId64 " ", status);
    put_text(to, row, "reason");
}

/* Whom the call is for: the number in the request, where it is another than in To. */
static void put_called(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, json_object_get(row, "ruri_user") != NULL ? "ruri_user" : "to_user");
}

static void put_flags(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, "call_flags");
}

static void put_codec(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, "codec");
}

static void put_mos(struct buf *to, const json_t *row, const char *title)
{
    const json_t *mos = json_object_get(row, "mos");
    (void)title;
    if (json_is_number(mos))
        buf_printf(to, "%.2f", json_number_value(mos));
}

static void put_aor(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, "to_user");
    buf_puts(to, json_object_get(row, "to_user") != NULL ? "@" : "");
    put_text(to, row, "to_host");
}

static void put_binding(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, "binding");
}

static void put_contact(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, "contact");
}

/* "3600", "60 of 3600" */
static void put_expires(struct buf *to, const json_t *row, const char *title)
{
    int64_t asked = rows_cell_number(row, "expires_asked"), granted = rows_cell_number(row, "expires");
    (void)title;
    if (granted >= 0)
        buf_printf(to, "%" PRId64, granted);
    if (granted != asked && asked >= 0)
        buf_printf(to, "%s%" PRId64, granted >= 0 ? " of " : "- of ", asked);
}

static void put_answer(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_span(to, row, "answer_ms");
}

static void put_agent(struct buf *to, const json_t *row, const char *title)
{
    (void)title;
    put_text(to, row, "user_agent");
}

const struct rows_column *rows_cell_usual(enum rows_kind kind, size_t *ret_count)
{
    static const struct rows_column messages[] = {
        { .title = "TIME (UTC)", .put = put_time, .whole = true },
        { .title = "SOURCE", .put = put_source },
        { .title = "DESTINATION", .put = put_destination },
        { .title = "MESSAGE", .put = put_message },
        { .title = "FROM", .put = put_from },
        { .title = "TO", .put = put_to },
        { .title = "CALL-ID", .put = put_call_id },
    };
    static const struct rows_column calls[] = {
        { .title = "TIME (UTC)", .put = put_time, .whole = true },
        { .title = "FROM", .put = put_from },
        { .title = "TO", .put = put_called },
        { .title = "STATE", .put = put_state },
        { .title = "PDD", .put = put_pdd },
        { .title = "TALK", .put = put_talk },
        { .title = "CODEC", .put = put_codec },
        { .title = "MOS", .put = put_mos },
        { .title = "FLAGS", .put = put_flags },
        { .title = "CALL-ID", .put = put_call_id },
    };
    static const struct rows_column attempts[] = {
        { .title = "TIME (UTC)", .put = put_time, .whole = true },
        { .title = "AOR", .put = put_aor },
        { .title = "RESULT", .put = put_state },
        { .title = "BINDING", .put = put_binding },
        { .title = "CONTACT", .put = put_contact },
        { .title = "EXPIRES", .put = put_expires },
        { .title = "ANSWER", .put = put_answer },
        { .title = "SOURCE", .put = put_source },
        { .title = "USER AGENT", .put = put_agent },
        { .title = "CALL-ID", .put = put_call_id },
    };
    static const struct {
        const struct rows_column *columns;
        size_t count;
    } kinds[] = {
        [ROWS_MESSAGES] = { messages, sizeof(messages) / sizeof(messages[0]) },
        [ROWS_CALLS] = { calls, sizeof(calls) / sizeof(calls[0]) },
        [ROWS_ATTEMPTS] = { attempts, sizeof(attempts) / sizeof(attempts[0]) },
    };
    *ret_count = kinds[kind].count;
    return kinds[kind].columns;
}
