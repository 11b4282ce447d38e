/* Rows as CSV (RFC 4180): a column of each name that the user chose, whatever table a row is of. */
#ifndef QUERY_ROW_CSV_H
#define QUERY_ROW_CSV_H

#include "base/buf.h"
#include "query/columns.h"

#define ROW_CSV_COLUMNS_MAX 64

/* The columns of CSV and tables where the user names none. */
#define ROW_CSV_USUAL                                                                                                  \
    "ts,seq,src_ip,src_port,dst_ip,dst_port,proto,method,status,reason,from_user,to_user,ruri_user,call_id,user_"      \
    "agent,"                                                                                                           \
    "kind,correlation_id,payload_len,parse_error,sender,node"

/* The same of calls. */
#define ROW_CSV_CALLS                                                                                                  \
    "ts,state,from_user,to_user,ruri_user,status,reason,q850_cause,hangup,pdd_ms,ring_ms,talk_ms,codec,mos,loss,"      \
    "jitter_ms,src_ip,src_port,dst_ip,dst_port,caller_agent,callee_agent,call_flags,messages,retransmissions,call_id," \
    "call_uid"

/* The same of attempts to register. */
#define ROW_CSV_ATTEMPTS                                                                                               \
    "ts,state,binding,to_user,to_host,contact,status,reason,expires_asked,expires,auth_rounds,answer_ms,src_ip,src_"   \
    "port,dst_ip,dst_port,user_agent,auth_user,messages,retransmissions,call_id,call_uid"

struct row_csv_column {
    char title[32];
    int column[RECORD_TABLES]; /* number in each table; -1: it has none of that name */
    bool encoding;             /* "base64" where the payload is */
};

struct row_csv {
    struct row_csv_column columns[ROW_CSV_COLUMNS_MAX];
    size_t count;
};

/*
 * names: by commas; NULL or empty: the usual ones. payload: with "payload" and "payload_encoding" as the last two.
 * -1 with a text for an unknown name.
 */
int row_csv_init(struct row_csv *c, const char *names, bool payload, struct errmsg *err);

/* What a fetch has to bring. */
void row_csv_wants(const struct row_csv *c, struct columns *ret);

/* The line of titles; the line of a row. A failed append shows in out->failed. */
void row_csv_head(struct buf *out, const struct row_csv *c);
void row_csv_put(struct buf *out, const struct row_csv *c, enum record_table table, const struct record_cell *cells);

/* One field, in quotes where it needs them. */
void row_csv_field(struct buf *out, struct hep_slice text);

#endif
