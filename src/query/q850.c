#include "query/q850.h"

#include <stddef.h>

static const struct {
    uint8_t cause;
    uint8_t kind;
    const char *text;
} causes[] = {
    { 1, Q850_UNKNOWN, "unallocated (unassigned) number" },
    { 2, Q850_NETWORK, "no route to specified transit network" },
    { 3, Q850_NETWORK, "no route to destination" },
    { 4, Q850_OTHER, "send special information tone" },
    { 5, Q850_OTHER, "misdialled trunk prefix" },
    { 6, Q850_NETWORK, "channel unacceptable" },
    { 7, Q850_NORMAL, "call awarded and being delivered in an established channel" },
    { 8, Q850_OTHER, "preemption" },
    { 9, Q850_OTHER, "preemption, circuit reserved for reuse" },
    { 14, Q850_OTHER, "query on release" },
    { 16, Q850_NORMAL, "normal call clearing" },
    { 17, Q850_BUSY, "user busy" },
    { 18, Q850_SILENT, "no user responding" },
    { 19, Q850_SILENT, "no answer from user (user alerted)" },
    { 20, Q850_SILENT, "subscriber absent" },
    { 21, Q850_REFUSED, "call rejected" },
    { 22, Q850_UNKNOWN, "number changed" },
    { 23, Q850_OTHER, "redirection to new destination" },
    { 24, Q850_REFUSED, "call rejected due to feature at the destination" },
    { 25, Q850_NETWORK, "exchange routing error" },
    { 26, Q850_OTHER, "non-selected user clearing" },
    { 27, Q850_NETWORK, "destination out of order" },
    { 28, Q850_UNKNOWN, "invalid number format (address incomplete)" },
    { 29, Q850_OTHER, "facility rejected" },
    { 30, Q850_OTHER, "response to status enquiry" },
    { 31, Q850_OTHER, "normal, unspecified" },
    { 34, Q850_NETWORK, "no circuit or channel available" },
    { 38, Q850_NETWORK, "network out of order" },
    { 39, Q850_NETWORK, "permanent frame mode connection out of service" },
    { 40, Q850_NETWORK, "permanent frame mode connection operational" },
    { 41, Q850_NETWORK, "temporary failure" },
    { 42, Q850_NETWORK, "switching equipment congestion" },
    { 43, Q850_NETWORK, "access information discarded" },
    { 44, Q850_NETWORK, "requested circuit or channel not available" },
    { 46, Q850_OTHER, "precedence call blocked" },
    { 47, Q850_NETWORK, "resource unavailable, unspecified" },
    { 49, Q850_NETWORK, "quality of service unavailable" },
    { 50, Q850_REFUSED, "requested facility not subscribed" },
    { 53, Q850_REFUSED, "outgoing calls barred within closed user group" },
    { 55, Q850_REFUSED, "incoming calls barred within closed user group" },
    { 57, Q850_OTHER, "bearer capability not authorized" },
    { 58, Q850_MEDIA, "bearer capability not presently available" },
    { 62, Q850_OTHER, "inconsistency in designated outgoing access information and subscriber class" },
    { 63, Q850_OTHER, "service or option not available, unspecified" },
    { 65, Q850_MEDIA, "bearer capability not implemented" },
    { 66, Q850_OTHER, "channel type not implemented" },
    { 69, Q850_OTHER, "requested facility not implemented" },
    { 70, Q850_MEDIA, "only restricted digital information bearer capability is available" },
    { 79, Q850_OTHER, "service or option not implemented, unspecified" },
    { 81, Q850_OTHER, "invalid call reference value" },
    { 82, Q850_OTHER, "identified channel does not exist" },
    { 83, Q850_OTHER, "a suspended call exists, but this call identity does not" },
    { 84, Q850_OTHER, "call identity in use" },
    { 85, Q850_OTHER, "no call suspended" },
    { 86, Q850_OTHER, "call having the requested call identity has been cleared" },
    { 87, Q850_REFUSED, "user not member of closed user group" },
    { 88, Q850_MEDIA, "incompatible destination" },
    { 90, Q850_OTHER, "non-existent closed user group" },
    { 91, Q850_NETWORK, "invalid transit network selection" },
    { 95, Q850_OTHER, "invalid message, unspecified" },
    { 96, Q850_OTHER, "mandatory information element is missing" },
    { 97, Q850_OTHER, "message type non-existent or not implemented" },
    { 98, Q850_OTHER, "message not compatible with call state, or message type non-existent" },
    { 99, Q850_OTHER, "information element or parameter non-existent or not implemented" },
    { 100, Q850_OTHER, "invalid information element contents" },
    { 101, Q850_OTHER, "message not compatible with call state" },
    { 102, Q850_OTHER, "recovery on timer expiry" },
    { 103, Q850_OTHER, "parameter non-existent or not implemented, passed on" },
    { 110, Q850_OTHER, "message with unrecognized parameter, discarded" },
    { 111, Q850_OTHER, "protocol error, unspecified" },
    { 127, Q850_OTHER, "interworking, unspecified" },
};
#define CAUSES (sizeof(causes) / sizeof(causes[0]))

static size_t find(int64_t cause)
{
    size_t i = 0;
    while (i < CAUSES && causes[i].cause != cause)
        i++;
    return i;
}

const char *q850_text(int64_t cause)
{
    size_t i = find(cause);
    return i < CAUSES ? causes[i].text : "unknown cause";
}

enum q850_kind q850_kind(int64_t cause)
{
    size_t i = find(cause);
    return i < CAUSES ? (enum q850_kind)causes[i].kind : Q850_OTHER;
}

enum q850_kind q850_kind_of_status(unsigned status)
{
    static const struct {
        uint16_t status;
        uint8_t kind;
    } statuses[] = {
        { 403, Q850_REFUSED }, { 404, Q850_UNKNOWN }, { 408, Q850_SILENT },  { 410, Q850_UNKNOWN },
        { 415, Q850_MEDIA },   { 480, Q850_SILENT },  { 484, Q850_UNKNOWN }, { 486, Q850_BUSY },
        { 488, Q850_MEDIA },   { 500, Q850_NETWORK }, { 502, Q850_NETWORK }, { 503, Q850_NETWORK },
        { 504, Q850_NETWORK }, { 600, Q850_BUSY },    { 603, Q850_REFUSED }, { 604, Q850_UNKNOWN },
        { 606, Q850_MEDIA },   { 607, Q850_REFUSED }, { 608, Q850_REFUSED },
    };
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].status == status)
            return (enum q850_kind)statuses[i].kind;
    return Q850_OTHER;
}
