/* What can be wrong with a SIP message. None of it is a reason to refuse one: malformed SIP is what people debug. */
#ifndef SIP_PROBLEM_H
#define SIP_PROBLEM_H

/* X(ID, name): the name is what users see and search for */
#define SIP_PROBLEM_LIST(X)                                                                                            \
    X(START_LINE, "start_line") /* neither a request line nor a status line */                                         \
    X(NO_CALL_ID, "no_call_id") /* one of the headers that every message has (RFC 3261 section 8.1.1) */               \
    X(NO_CSEQ, "no_cseq")                                                                                              \
    X(NO_FROM, "no_from")                                                                                              \
    X(NO_TO, "no_to")                                                                                                  \
    X(NO_VIA, "no_via")                                                                                                \
    X(CSEQ, "cseq")                     /* no number up to 2^32 - 1, or no method */                                   \
    X(CSEQ_METHOD, "cseq_method")       /* CSeq of a request names another method */                                   \
    X(CONTENT_LENGTH, "content_length") /* no number, or several that differ */                                        \
    X(BODY_SHORT, "body_short")         /* less body than Content-Length says */                                       \
    X(BODY_LONG, "body_long")           /* octets behind the body that Content-Length says */                          \
    X(NO_COLON, "no_colon")             /* a line among the headers that is none */                                    \
    X(HEADER_NAME, "header_name")       /* a header name that is empty or not a token */                               \
    X(CONTROL, "control")               /* control characters in start line or headers */                              \
    X(LONE_CR, "lone_cr")               /* CR without LF */                                                            \
    X(NOT_UTF8, "not_utf8")             /* start line or headers are not UTF-8 (RFC 3261 section 7) */                 \
    X(NO_END, "no_end")                 /* the empty line behind the headers is missing */                             \
    X(TOO_MANY, "too_many_headers")     /* more than SIP_HEADERS_READ_MAX */                                           \
    X(DUPLICATE, "duplicate")           /* several of a header that there is one of; the first one counts */           \
    X(URI, "uri")                       /* the Request-URI */                                                          \
    X(ADDRESS, "address")               /* a name and address, such as From */                                         \
    X(VIA, "via")                                                                                                      \
    X(NUMBER, "number") /* a header that is a number, such as Expires */                                               \
    X(VALUE, "value")   /* any other value that makes no sense */

enum sip_problem {
#define SIP_PROBLEM_ENUM(id, name) SIP_PROBLEM_##id,
    SIP_PROBLEM_LIST(SIP_PROBLEM_ENUM)
#undef SIP_PROBLEM_ENUM
        SIP_PROBLEM_COUNT
};

/* "no_call_id"; NULL for a number that is none. */
const char *sip_problem_name(enum sip_problem problem);

#endif
