/*
 * A row as one JSON object, the form in which rows leave hepcat: docs/api.md describes it.
 *
 * "table" comes first, then the columns in the order of the schema under their names. Columns that are NULL are left
 * out. Times are "2026-01-31T12:00:00.123456Z", `flags` a list of names, `source` a name, addresses text, call_uid 16
 * hex digits. `payload` is a string, or base64 with "payload_encoding":"base64" if it is not UTF-8.
 */
#ifndef QUERY_ROW_JSON_H
#define QUERY_ROW_JSON_H

#include "base/buf.h"
#include "store/store.h"

/* Appends the object. cells: by column of the table; columns: those to show. A failed append shows in out->failed. */
void row_json(struct buf *out, enum record_table table, const struct record_cell *cells,
              const struct store_columns *columns);

/* The same without the braces, for an object that has further members; "table" is always among these. */
void row_json_members(struct buf *out, enum record_table table, const struct record_cell *cells,
                      const struct store_columns *columns);

#endif
