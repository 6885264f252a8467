/* cmd/erase.h - all that the databases have of one value: found, counted, deleted. */
#ifndef SLUICE_CMD_ERASE_H
#define SLUICE_CMD_ERASE_H

#include "cmd/body_search.h"
#include "sink/pg_target.h"

enum { SL_ERASE_COLUMNS_MAX = 16 }; /* as many parameters as a statement takes */

/* One column that may have the value. */
struct sl_erase_column {
    struct sl_body_column in;
    struct sl_buf tokens; /* the value's, as an array parameter; empty: it can have none */
    int64_t rows;         /* of the table that have it here */
};

struct sl_erase_counts {
    int64_t rows;
    int64_t originals; /* in the vault */
    int64_t letters;
    int64_t looked_at; /* dead letters: all there are, */
    int64_t as_bytes;  /* those without a field to look at, and */
    int64_t closed;    /* those that do not open */
};

struct sl_erase {
    const struct sl_config *cfg;
    struct sl_masks masks;
    struct sl_pg_conn conn;
    struct sl_pg_conn vault; /* url "" = there is none */
    struct sl_pg_target target;
    struct sl_arena arena;
    struct sl_json_parser *parser;
    sl_cleartext value;
    struct sl_erase_column columns[SL_ERASE_COLUMNS_MAX];
    unsigned n;
    struct sl_buf vault_tokens; /* as an array parameter */
    unsigned vault_tokens_n;
    struct sl_buf ids; /* of dead letters: int8, as the wire has them */
};

/* Make the tokens of the value for each of the columns.  Why a column can have none of it, as it
 * is too long for one, goes to `notes`, a line each.
 * Errors: SL_NOMEM (retry), SL_CRYPTO (stop) */
sl_rc sl_erase_tokens(struct sl_erase *x, struct sl_buf *notes, struct sl_err *e) SL_MUST_CHECK;

/* Compare the key ring with the keys that the database has seen.  Of one that the ring lacks, an old copy perhaps, no token
 * can be made, and so none is found: each goes to `notes`, a line each.
 * Errors: those of the database */
sl_rc sl_erase_missing_keys(struct sl_erase *x, const struct sl_keyring *ring, struct sl_buf *notes,
                            bool *ret_lacks, struct sl_err *e) SL_MUST_CHECK;

/* Find and count, reading only; the ids of dead letters stay in `ids`.
 * Errors: those of sl_pg_exec; SL_NOMEM (retry) */
sl_rc sl_erase_find(struct sl_erase *x, struct sl_erase_counts *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Delete what was found, and record it in sluice.unmask_audit, in one transaction.
 *
 * The vault, which is another database, has one of its own.  It is deleted from before the other
 * commits, so that whatever can be refused is refused while nothing is gone; and it commits last:
 * should that fail, the record stands, the vault has originals that no row points to, and to run
 * the command again finds them by the value.  The other way round, originals could be gone for
 * good with no record, and rows left that nobody can read.
 *
 * Shape:   counts are what sl_erase_find said; ret has the numbers deleted
 * Errors:  those of sl_pg_exec; nothing is deleted then, except as said above
 */
sl_rc sl_erase_delete(struct sl_erase *x, const struct sl_erase_counts *counts, sl_str reason,
                      struct sl_erase_counts *ret, struct sl_err *e) SL_MUST_CHECK;

#endif
