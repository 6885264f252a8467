/* sink/pg_copy.h - rows and keys in PostgreSQL's binary formats: pure, no I/O.
 * Source: https://www.postgresql.org/docs/current/sql-copy.html (binary format) */
#ifndef SLUICE_SINK_PG_COPY_H
#define SLUICE_SINK_PG_COPY_H

#include "base/buf.h"
#include "config/config.h"
#include "record/batch.h"

/* Where a message stands in the ledger; in sluice.ledger_key, by what kind of key. */
struct sl_ledger_key {
    int16_t slot;       /* UTC day of sent_at, modulo 32; or enum sl_ledger_kind */
    int64_t sent_at_us; /* since 2000-01-01, as PostgreSQL counts; or 0 */
    sl_str id;          /* of the message; or what r->ledger_key holds */
};

/* First byte of a key of sluice.ledger_key. */
enum sl_ledger_kind {
    SL_LEDGER_BY_VALUE, /* an HMAC of a field or of the body */
    SL_LEDGER_BY_ID,    /* the message's id: of a FIFO queue, and of every dead letter */
};

/* Where a record stands in the ledger of a configuration.
 *
 * A dead letter is never known by a value: it may have none, and a good message with the value of a
 * refused one must load.
 *
 * Owns:    the id is the record's
 */
struct sl_ledger_key sl_ledger_key_of(const struct sl_config *cfg, const struct sl_record *r);

/* The order of the ledger's primary key: <0, 0, >0. */
int sl_ledger_key_cmp(const struct sl_ledger_key *a, const struct sl_ledger_key *b);

/* Milliseconds since 1970 as PostgreSQL's timestamptz. */
int64_t sl_pg_timestamp(int64_t at_ms);

/* Begin and end a binary COPY; between them come rows. */
void sl_pg_copy_begin(struct sl_buf *out);
void sl_pg_copy_end(struct sl_buf *out);

/* (slot, sent_at, message_id, pipeline, batch_id) */
void sl_pg_copy_ledger(struct sl_buf *out, const struct sl_ledger_key *key, sl_str pipeline,
                       const unsigned char batch_id[static 16]);

/* (pipeline, key, batch_id), the same of sluice.ledger_key */
void sl_pg_copy_ledger_key(struct sl_buf *out, const struct sl_ledger_key *key, sl_str pipeline,
                           const unsigned char batch_id[static 16]);

/* The values of a record whose columns are all masked; a value of kind CLEARTEXT is a bug that
 * spoils the buffer rather than the promise. */
void sl_pg_copy_row(struct sl_buf *out, const struct sl_column *columns, unsigned n,
                    const struct sl_value *values);

/* A key of sluice.ledger_key as an element of an array, and back from what the server sends. */
void sl_pg_array_add_key(struct sl_buf *out, const struct sl_ledger_key *key);
struct sl_ledger_key sl_ledger_key_from(sl_str bytes);

/* A one-dimensional array as a parameter: begin, then each element. */
void sl_pg_array_begin(struct sl_buf *out, uint32_t element_type, unsigned n);
void sl_pg_array_add(struct sl_buf *out, sl_str bytes);
void sl_pg_array_add_null(struct sl_buf *out);
void sl_pg_array_add_i16(struct sl_buf *out, int16_t v);
void sl_pg_array_add_i64(struct sl_buf *out, int64_t v);

#endif
