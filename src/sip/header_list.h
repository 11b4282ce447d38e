/*
 * The headers that are known by name, one row each:
 *
 *     X(ID, name, compact form or '-', ONCE or MANY, handler, field of struct sip_msg)
 *
 * Names and compact forms: IANA "SIP Parameters", table "Header Fields", and the field's own (X-RTP-Stat, P-RTP-Stat,
 * Remote-Party-ID). The handlers are in fields.h. After a change run gen_header_hash.py.
 */
#ifndef SIP_HEADER_LIST_H
#define SIP_HEADER_LIST_H

/* clang-format off */
#define SIP_HEADER_LIST(X) \
    X(CALL_ID,             "Call-ID",                 'i', ONCE, text,            call_id) \
    X(CSEQ,                "CSeq",                    '-', ONCE, cseq,            cseq) \
    X(FROM,                "From",                    'f', ONCE, address,         from) \
    X(TO,                  "To",                      't', ONCE, address,         to) \
    X(VIA,                 "Via",                     'v', MANY, via,             vias) \
    X(CONTACT,             "Contact",                 'm', MANY, contact,         contact) \
    X(ROUTE,               "Route",                   '-', MANY, route,           route) \
    X(RECORD_ROUTE,        "Record-Route",            '-', MANY, route,           record_route) \
    X(MAX_FORWARDS,        "Max-Forwards",            '-', ONCE, number,          max_forwards) \
    X(EXPIRES,             "Expires",                 '-', ONCE, number,          expires) \
    X(MIN_EXPIRES,         "Min-Expires",             '-', ONCE, number,          min_expires) \
    X(SESSION_EXPIRES,     "Session-Expires",         'x', ONCE, session_expires, session_expires) \
    X(MIN_SE,              "Min-SE",                  '-', ONCE, number,          min_se) \
    X(RSEQ,                "RSeq",                    '-', ONCE, number,          rseq) \
    X(RACK,                "RAck",                    '-', ONCE, text,            rack) \
    X(RETRY_AFTER,         "Retry-After",             '-', ONCE, number,          retry_after) \
    X(CONTENT_LENGTH,      "Content-Length",          'l', ONCE, content_length,  content_length) \
    X(CONTENT_TYPE,        "Content-Type",            'c', ONCE, text,            content_type) \
    X(CONTENT_ENCODING,    "Content-Encoding",        'e', ONCE, text,            content_encoding) \
    X(USER_AGENT,          "User-Agent",              '-', ONCE, text,            user_agent) \
    X(SERVER,              "Server",                  '-', ONCE, text,            server) \
    X(ALLOW,               "Allow",                   '-', MANY, text,            allow) \
    X(SUPPORTED,           "Supported",               'k', MANY, text,            supported) \
    X(REQUIRE,             "Require",                 '-', MANY, text,            require) \
    X(P_ASSERTED_IDENTITY, "P-Asserted-Identity",     '-', MANY, asserted,        asserted) \
    X(P_PREFERRED_IDENTITY,"P-Preferred-Identity",    '-', MANY, first_address,   preferred) \
    X(REMOTE_PARTY_ID,     "Remote-Party-ID",         '-', MANY, first_address,   remote_party) \
    X(PRIVACY,             "Privacy",                 '-', MANY, text,            privacy) \
    X(DIVERSION,           "Diversion",               '-', MANY, diversion,       diversion) \
    X(HISTORY_INFO,        "History-Info",            '-', MANY, history_info,    history_info) \
    X(REASON,              "Reason",                  '-', MANY, reason,          reasons) \
    X(SESSION_ID,          "Session-ID",              '-', ONCE, session_id,      session_id) \
    X(P_CHARGING_VECTOR,   "P-Charging-Vector",       '-', ONCE, charging,        icid) \
    X(P_ACCESS_NETWORK,    "P-Access-Network-Info",   '-', MANY, text,            access_network) \
    X(IDENTITY,            "Identity",                'y', MANY, identity,        identity) \
    X(REPLACES,            "Replaces",                '-', ONCE, replaces,        replaces) \
    X(REFER_TO,            "Refer-To",                'r', ONCE, address,         refer_to) \
    X(REFERRED_BY,         "Referred-By",             'b', ONCE, address,         referred_by) \
    X(EVENT,               "Event",                   'o', ONCE, text,            event) \
    X(SUBSCRIPTION_STATE,  "Subscription-State",      '-', ONCE, text,            subscription_state) \
    X(WARNING,             "Warning",                 '-', MANY, warning,         warning) \
    X(AUTHORIZATION,       "Authorization",           '-', MANY, credentials,     authorization) \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization",     '-', MANY, credentials,     proxy_authorization) \
    X(WWW_AUTHENTICATE,    "WWW-Authenticate",        '-', MANY, credentials,     www_authenticate) \
    X(PROXY_AUTHENTICATE,  "Proxy-Authenticate",      '-', MANY, credentials,     proxy_authenticate) \
    X(DATE,                "Date",                    '-', ONCE, text,            date) \
    X(SUBJECT,             "Subject",                 's', ONCE, text,            subject) \
    X(ORGANIZATION,        "Organization",            '-', ONCE, text,            organization) \
    X(X_RTP_STAT,          "X-RTP-Stat",              '-', ONCE, text,            x_rtp_stat) \
    X(P_RTP_STAT,          "P-RTP-Stat",              '-', ONCE, text,            p_rtp_stat) \
    X(ALLOW_EVENTS,        "Allow-Events",            'u', MANY, ignore,          raw) \
    X(ACCEPT_CONTACT,      "Accept-Contact",          'a', MANY, ignore,          raw) \
    X(REJECT_CONTACT,      "Reject-Contact",          'j', MANY, ignore,          raw) \
    X(REQUEST_DISPOSITION, "Request-Disposition",     'd', MANY, ignore,          raw) \
    X(IDENTITY_INFO,       "Identity-Info",           'n', MANY, ignore,          raw) \
    X(CONTENT_DISPOSITION, "Content-Disposition",     '-', ONCE, ignore,          raw)
/* clang-format on */

#endif
