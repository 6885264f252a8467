/* sink/pg_tokens.h - what masked columns, dead letters and the vault hold, walked block by block.
 *
 * No statement looks at more than a piece of a table: none runs for long, holds a snapshot open or
 * brings more rows than fit in memory, however large the table is.
 */
#ifndef SLUICE_SINK_PG_TOKENS_H
#define SLUICE_SINK_PG_TOKENS_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/config.h"
#include "sink/pg_conn.h"

enum {
    SL_PG_MASKED_MAX = 7, /* columns of one statement */
    SL_PG_TID_BYTES = 6,  /* of a ctid: its block and its place there */
    SL_PG_KIDS_MAX = 64,  /* that are counted at once */
};

/* Columns of a table that hold tokens, or one that holds sealed bytes. */
struct sl_pg_masked {
    sl_str schema; /* "" = found as the session finds it */
    sl_str table;
    sl_str columns[SL_PG_MASKED_MAX];
    unsigned columns_n;
    const char *form; /* what stands before the key id: "v1.", "h1." */
    sl_str id;        /* the column that sealed bytes belong to; "" = the columns are texts */
};

/* A table with rows of its own: the one that is named, a partition of it, or a child. */
struct sl_pg_part {
    sl_str sql; /* "schema"."name" */
    uint32_t oid;
    uint32_t blocks_n;
    bool is_child;
    bool is_foreign;
    bool can_select;
    bool can_update;
    bool hides_rows; /* row-level security applies to this role */
    bool moves_rows; /* set by who has seen that an update takes rows into another partition */
};

struct sl_pg_parts {
    struct sl_pg_part *of;
    unsigned n;
    uint64_t blocks_n; /* of all */
};

/* Find the parts of a table as it is now; none if there is no such table.
 * Owns:    *ret lives in `a`
 * Errors:  SL_SCHEMA (stop) a part is a foreign table, or hides rows; those of sl_pg_exec */
sl_rc sl_pg_parts_find(struct sl_pg_conn *c, const struct sl_pg_masked *masked, struct sl_arena *a,
                       struct sl_pg_parts *ret, struct sl_err *e) SL_MUST_CHECK;

/* A piece of a part: rows after a ctid, up to a block and without it. */
struct sl_pg_piece {
    const struct sl_pg_part *part;
    unsigned char after[SL_PG_TID_BYTES];
    uint32_t end_block;
};

/* The piece that begins at a block, of a size that one statement bears. */
struct sl_pg_piece sl_pg_piece_at(const struct sl_pg_part *part, uint32_t block);

/* Whose tokens: those under a key, or those under any other; and how many rows at most. */
struct sl_pg_wanted {
    sl_str kid;
    bool is_others;
    unsigned rows_n;
};

/* Read rows of a piece in which one of the columns is wanted, in the order of their ctids.
 *
 * Shape:   rows in binary: ctid; the id, for sealed bytes; the columns.  About 8 MiB of sealed
 *          bytes at most; no row at the end of the piece
 * Owns:    *ret is the caller's to PQclear
 * Errors:  those of sl_pg_exec
 */
sl_rc sl_pg_tokens_read(struct sl_pg_conn *c, const struct sl_pg_masked *masked,
                        const struct sl_pg_piece *piece, const struct sl_pg_wanted *wanted,
                        PGresult **ret, struct sl_err *e) SL_MUST_CHECK;

/* One row: what its columns had when it was read, and what they get. */
struct sl_pg_token_row {
    sl_str tid;
    sl_str before[SL_PG_MASKED_MAX]; /* ptr is NULL for NULL */
    sl_str after[SL_PG_MASKED_MAX];
};

struct sl_pg_token_rows {
    const struct sl_pg_part *part;
    const struct sl_pg_token_row *of;
    unsigned n;
};

/* Change rows, in one statement; one that somebody else has changed meanwhile is left.
 *
 * Returns: in *ret_n how many were changed
 * Errors:  SL_ROW (dead letter)  the table refuses one of them, and none is changed
 *          the others of sl_pg_exec
 */
sl_rc sl_pg_tokens_update(struct sl_pg_conn *c, const struct sl_pg_masked *masked,
                          const struct sl_pg_token_rows *rows, unsigned *ret_n, struct sl_err *e)
    SL_MUST_CHECK;

/* Count what a column holds: under each of some keys, under any other, and everything.
 *
 * Shape:   ret has room for kids_n + 2; the column is the first of `masked`
 * Errors:  those of sl_pg_parts_find and sl_pg_exec
 */
sl_rc sl_pg_tokens_count(struct sl_pg_conn *c, const struct sl_pg_masked *masked,
                         const sl_str *kids, unsigned kids_n, int64_t *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* The bodies of dead letters, the keys of ledgers, and the originals in the vault of a configuration. */
struct sl_pg_masked sl_pg_masked_dead_letters(void);
struct sl_pg_masked sl_pg_masked_ledger_keys(void);
struct sl_pg_masked sl_pg_masked_vault(const struct sl_config *cfg);

/* One column of the target. */
struct sl_pg_masked sl_pg_masked_column(const struct sl_config *cfg,
                                        const struct sl_column *column);

#endif
