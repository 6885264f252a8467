/* cmd/rewrap.h - tokens and sealed bytes of other keys, brought under the active one. */
#ifndef SLUICE_CMD_REWRAP_H
#define SLUICE_CMD_REWRAP_H

#include "keys/keyring.h"
#include "masking/masker.h"
#include "sink/pg_tokens.h"

enum {
    SL_REWRAP_SITES_MAX = 64,
    SL_REWRAP_PASSES_MAX = 20,
};

enum sl_rewrap_kind {
    SL_REWRAP_TOKENS,
    SL_REWRAP_DEAD_LETTERS,
    SL_REWRAP_LEDGER_KEYS,
    SL_REWRAP_VAULT,
};

/* A table and those of its columns that one statement takes. */
struct sl_rewrap_site {
    enum sl_rewrap_kind kind;
    struct sl_pg_masked masked;
    sl_str contexts[SL_PG_MASKED_MAX];
    struct sl_pg_conn *conn;
    int64_t rows_n; /* changed, in all passes */

    /* In the pass under way, or the last one. */
    int64_t changed_n;
    int64_t raced_n;                    /* changed by somebody else meanwhile */
    int64_t refused_n;                  /* by a constraint or trigger of the table */
    int64_t closed_n[SL_PG_MASKED_MAX]; /* do not open */
};

struct sl_rewrap {
    const struct sl_config *cfg;
    const struct sl_keyring *ring;
    struct sl_masker *masker;
    sl_str only; /* the key to get rid of; "" = every other one */
    unsigned batch_rows;
    unsigned rate; /* rows a second; 0 = as fast as it goes */
    unsigned wait_s;
    struct sl_pg_conn conn;
    struct sl_pg_conn vault;
    struct sl_rewrap_site sites[SL_REWRAP_SITES_MAX];
    unsigned sites_n;
    struct sl_arena names;   /* of the partitions of a pass */
    struct sl_arena scratch; /* values of a batch, wiped with it */
    unsigned pass;
    int64_t started_ms;
    int64_t next_show_ms;
    uint64_t walked_n; /* blocks of the site under way, and how many it has */
    uint64_t blocks_n;
    bool has_terminal;
    bool is_stopped; /* a signal asked for it */
    bool has_more;   /* rows still come under other keys, pass after pass */
};

/* Fill the sites from the configuration.
 * Errors: SL_CONFIG (stop) more columns than there is room for */
sl_rc sl_rewrap_init(struct sl_rewrap *r, const struct sl_config *cfg, struct sl_err *e)
    SL_MUST_CHECK;
void sl_rewrap_done(struct sl_rewrap *r);

/* Look for the tables and the rights on them.
 * Errors: SL_SCHEMA (stop) there is no such table; SL_DENIED (retry) what to grant; those of
 *         sl_pg_parts_find */
sl_rc sl_rewrap_check(struct sl_rewrap *r, struct sl_err *e) SL_MUST_CHECK;

/* Go through all sites until a pass changes nothing, or SIGINT or SIGTERM asks to stop.
 *
 * Errors:  what is no outage, or lasts longer than wait_s; what is done stays done
 * Blocks:  as long as it takes
 */
sl_rc sl_rewrap_run(struct sl_rewrap *r, struct sl_err *e) SL_MUST_CHECK;

#endif
