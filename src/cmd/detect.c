#include "cmd/detect.h"

#include <string.h>

#include "base/base64.h"
#include "capture/pcap_in.h"

#define LOOK       512
#define FIRST_LOOK PCAP_IN_PROBE_SIZE

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum input_kind detect_message(const uint8_t *p, size_t len)
{
    if (len >= 4 && memcmp(p, "HEP3", 4) == 0)
        return INPUT_FRAMES;
    /* Versions 1 and 2: version, header length, family. Protobuf: field 1 is the family, field 2 the protocol. */
    bool legacy = len >= 3 && (p[0] == 1 || p[0] == 2) && p[2] != 0;
    bool protobuf = len >= 3 && p[0] == 0x08 && p[2] == 0x10;
    return legacy || protobuf ? INPUT_DATAGRAM : INPUT_UNKNOWN;
}

static enum input_kind detect_base64(const uint8_t *p, size_t len)
{
    uint8_t octets[LOOK];
    struct base64_in b64 = { 0 };
    /* A text that is cut here has a last group that says nothing: whole groups are enough for the magic. */
    ptrdiff_t n = base64_plausible(p, len) ? base64_decode(&b64, (const char *)p, len, octets) : -1;
    if (n <= 0)
        return INPUT_UNKNOWN;
    bool gzip = n >= 3 && octets[0] == 0x1f && octets[1] == 0x8b;
    return gzip || detect_message(octets, (size_t)n) != INPUT_UNKNOWN ? INPUT_BASE64 : INPUT_UNKNOWN;
}

enum input_kind detect_octets(const uint8_t *p, size_t len)
{
    if (len > LOOK)
        len = LOOK;
    if (len == 0)
        return INPUT_EMPTY;
    if (pcap_in_probe(p, len))
        return INPUT_CAPTURE;
    enum input_kind kind = detect_message(p, len);
    if (kind != INPUT_UNKNOWN)
        return kind;
    size_t start = 0;
    while (start < len && is_space(p[start]))
        start++;
    if (start < len && p[start] == '{')
        return INPUT_JSON;
    return detect_base64(p, len);
}

int detect_input(struct input *in)
{
    const uint8_t *p;
    /* A few octets tell all but base64, which needs more to be sure: a pipe may not have more for a long time. */
    ssize_t n = input_peek(in, FIRST_LOOK, &p);
    int kind = n < 0 ? -1 : (int)detect_octets(p, (size_t)n);
    if (kind != INPUT_BASE64 && kind != INPUT_UNKNOWN)
        return kind;
    n = input_peek(in, LOOK, &p);
    return n < 0 ? -1 : (int)detect_octets(p, (size_t)n);
}
