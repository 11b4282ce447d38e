#include "sip/scan.h"

/* clang-format off */
#define BLANKS(first) [first] = SCAN_BLANK, SCAN_BLANK, SCAN_BLANK, SCAN_BLANK, SCAN_BLANK, SCAN_BLANK, SCAN_BLANK, SCAN_BLANK
const uint8_t scan_stops[256] = {
    BLANKS(0), BLANKS(8), BLANKS(16), BLANKS(24), [' '] = SCAN_BLANK,
    [';'] = SCAN_SEMI, [','] = SCAN_COMMA, ['='] = SCAN_EQUALS, ['<'] = SCAN_LT, ['"'] = SCAN_QUOTE, [':'] = SCAN_COLON,
    ['?'] = SCAN_QUERY,
};
/* clang-format on */

static bool is_control(uint8_t c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

size_t scan_control_scalar(const uint8_t *p, size_t n, bool *high)
{
    size_t at = 0;
    uint8_t all = 0;
    for (; at < n && !is_control(p[at]); at++)
        all |= p[at];
    if (all & 0x80)
        *high = true;
    return at;
}
