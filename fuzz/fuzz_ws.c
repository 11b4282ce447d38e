/*
 * WebSocket in a TCP stream: the first octet says how it is cut into segments, and whether it begins with frames; then
 * the octets. Messages are within their limit; as long as nothing is wrong they do not depend on the cutting.
 */
#include <string.h>

#include "capture/ws_flow.h"
#include "fuzz.h"

struct seen {
    uint64_t messages, hash, bad;
};

static void on_message(void *arg, const uint8_t *message, size_t len)
{
    struct seen *s = arg;
    FUZZ_CHECK(len <= WS_MESSAGE_MAX);
    s->messages++;
    for (size_t i = 0; i < len; i++)
        s->hash = (s->hash ^ message[i]) * UINT64_C(0x100000001b3);
    s->hash = s->hash * 31 + len;
}

static void on_bad(void *arg, enum ws_problem problem)
{
    struct seen *s = arg;
    FUZZ_CHECK(ws_problem_text(problem) != NULL);
    s->bad++;
}

static struct seen run(const uint8_t *data, size_t size, size_t step, bool joins, bool gap)
{
    static const bool done = false;
    struct seen s = { 0, 0, 0 };
    struct ws_flows all = { .on_message = on_message, .on_bad = on_bad, .arg = &s, .done = &done };
    struct ws_flow *f = ws_flow_new(&all, joins);
    FUZZ_CHECK(f != NULL && all.flows == 1);
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < step ? size - at : step;
        if (gap && at >= size / 2) {
            ws_flow_gap(f);
            gap = false;
        }
        if (!ws_flow_data(f, data + at, n))
            break;
    }
    ws_flow_free(f);
    FUZZ_CHECK(all.flows == 0 && all.inflaters == 0);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    bool joins = (data[0] & 1) != 0;
    size_t step = 1 + (data[0] >> 2);
    struct seen whole = run(data + 1, size - 1, size, joins, false), cut = run(data + 1, size - 1, step, joins, false);
    if (!joins && whole.bad == 0 && cut.bad == 0)
        FUZZ_CHECK(whole.messages == cut.messages && whole.hash == cut.hash);
    (void)run(data + 1, size - 1, step, joins, (data[0] & 2) != 0);
    return 0;
}
