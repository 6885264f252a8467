/* sink/pg_tokens.c - what masked columns, dead letters and the vault hold, walked block by block. */
#include "sink/pg_tokens.h"

#include <stdio.h>

#include "sink/pg_copy.h"
#include "sink/pg_sql.h"

enum {
    SQL_MAX = 256 << 10,
    ARRAY_MAX = 512 << 20,
    PARTS_MAX = 16 << 20,
    SEALED_MAX = 8 << 20,      /* bytes in one answer */
    READ_BLOCKS = 128,         /* of 8 KiB: a MiB */
    COUNT_BLOCKS = 8192,       /* 64 MiB */
    TID_RANGES_SINCE = 140000, /* ctid >= ... is a scan of those blocks alone */
    LEAST_TUPLE = 28,          /* bytes of a row and its pointer: how many fit a block */
    PARAMS = 1 + 2 * SL_PG_MASKED_MAX,

    /* pg_type.dat */
    OID_BYTEA = 17,
    OID_TEXT = 25,
    OID_TID = 27,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009,
    OID_TID_ARRAY = 1010,
};

static bool is_sealed(const struct sl_pg_masked *masked)
{
    return masked->id.len > 0;
}

static sl_rc tokens_exec(struct sl_pg_conn *c, struct sl_buf *sql, const struct sl_pg_param *params,
                         unsigned params_n, PGresult **ret, struct sl_err *e)
{
    sl_buf_add_char(sql, '\0');
    SL_TRY(sl_buf_rc(sql, e));
    return sl_pg_exec(c, SL_PG_SESSION, sql->ptr, params, params_n, ret, e);
}

/* ---- parts ------------------------------------------------------------------------------------ */

static void parts_sql(struct sl_buf *out, const struct sl_pg_masked *masked)
{
    SL_AUTO(sl_buf_done) struct sl_buf name = { .max_bytes = SQL_MAX };

    sl_sql_table(&name, masked->schema, masked->table);
    sl_buf_add_str(out, SL_STR("WITH RECURSIVE p(oid, is_child) AS (SELECT to_regclass("));
    sl_sql_literal(out, sl_buf_str(&name));
    sl_buf_add_str(out, SL_STR(")::oid, false UNION SELECT i.inhrelid, true FROM pg_inherits AS i"
                               " JOIN p ON i.inhparent = p.oid)"
                               " SELECT n.nspname, c.relname, c.oid,"
                               " CASE c.relkind WHEN 'r' THEN pg_relation_size(c.oid) ELSE 0 END"
                               " / current_setting('block_size')::bigint,"
                               " p.is_child, c.relkind = 'f', has_table_privilege(c.oid, 'SELECT'),"
                               " has_table_privilege(c.oid, 'UPDATE'), row_security_active(c.oid)"
                               " FROM p JOIN pg_class AS c ON c.oid = p.oid"
                               " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                               " WHERE c.relkind IN ('r', 'f') ORDER BY n.nspname, c.relname"));
    if (name.has_failed) {
        out->has_failed = true;
    }
}

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static sl_rc part_read(const PGresult *result, int row, struct sl_arena *a, struct sl_pg_part *ret,
                       struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf name = { .max_bytes = SQL_MAX };
    int64_t oid = 0;
    int64_t blocks = 0;

    sl_sql_table(&name, sl_str_of(PQgetvalue(result, row, 0)),
                 sl_str_of(PQgetvalue(result, row, 1)));
    (void)sl_str_to_i64(sl_str_of(PQgetvalue(result, row, 2)), &oid);
    (void)sl_str_to_i64(sl_str_of(PQgetvalue(result, row, 3)), &blocks);
    *ret = (struct sl_pg_part){ .sql = sl_arena_copy(a, sl_buf_str(&name)),
                                .oid = (uint32_t)oid,
                                .blocks_n = (uint32_t)blocks,
                                .is_child = is_true(result, row, 4),
                                .is_foreign = is_true(result, row, 5),
                                .can_select = is_true(result, row, 6),
                                .can_update = is_true(result, row, 7),
                                .hides_rows = is_true(result, row, 8) };
    if (ret->sql.ptr == NULL || name.has_failed) {
        return SL_FAIL(e, SL_NOMEM, "could not hold the partitions of a table");
    }
    if (ret->is_foreign || ret->hides_rows) {
        return SL_FAIL(e, SL_SCHEMA, "%" SL_FMT " %s", SL_ARG(ret->sql),
                       ret->is_foreign ? "is a foreign table: its rows can only be reached in the "
                                         "database that has them"
                                       : "has row-level security, which hides rows from this role");
    }
    return SL_OK;
}

sl_rc sl_pg_parts_find(struct sl_pg_conn *c, const struct sl_pg_masked *masked, struct sl_arena *a,
                       struct sl_pg_parts *ret, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    struct sl_pg_parts parts = { 0 };

    SL_TRY(sl_pg_connect(c, e));
    parts_sql(&sql, masked);
    SL_TRY(tokens_exec(c, &sql, NULL, 0, &result, e));
    parts.n = (unsigned)PQntuples(result);
    parts.of = sl_arena_calloc(a, parts.n + 1, sizeof *parts.of);
    if (parts.of == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold the partitions of a table");
    }
    for (unsigned i = 0; i < parts.n; i++) {
        SL_TRY(part_read(result, (int)i, a, &parts.of[i], e));
        parts.blocks_n += parts.of[i].blocks_n;
    }
    *ret = parts;
    return SL_OK;
}

/* ---- pieces ------------------------------------------------------------------------------------ */

static struct sl_pg_piece piece_of(const struct sl_pg_part *part, uint32_t block, uint32_t blocks_n)
{
    const uint32_t left = part->blocks_n - block;
    struct sl_pg_piece piece = { .part = part,
                                 .end_block = block + (left < blocks_n ? left : blocks_n) };

    for (unsigned i = 0; i < sizeof block; i++) {
        piece.after[i] = (unsigned char)(block >> (24 - 8 * i)); /* places begin at 1 */
    }
    return piece;
}

struct sl_pg_piece sl_pg_piece_at(const struct sl_pg_part *part, uint32_t block)
{
    return piece_of(part, block, READ_BLOCKS);
}

static uint32_t piece_block(const struct sl_pg_piece *piece)
{
    return (uint32_t)piece->after[0] << 24 | (uint32_t)piece->after[1] << 16 |
           (uint32_t)piece->after[2] << 8 | piece->after[3];
}

/* " FROM ONLY part WHERE ctid ..."; $1 is the ctid before the first.  An older server scans the
 * whole part for a range, yet goes straight to ctids that it is given. */
static void piece_sql(struct sl_buf *out, const struct sl_pg_conn *c,
                      const struct sl_pg_piece *piece)
{
    sl_buf_printf(out, " FROM ONLY %" SL_FMT " WHERE ctid > $1", SL_ARG(piece->part->sql));
    if (PQserverVersion(c->pg) >= TID_RANGES_SINCE) {
        sl_buf_printf(out, " AND ctid < '(%u,0)'::tid", piece->end_block);
        return;
    }
    sl_buf_printf(out,
                  " AND ctid = ANY (ARRAY(SELECT ('(' || b || ',' || i || ')')::tid"
                  " FROM generate_series(%lld, %lld) AS b, generate_series(1,"
                  " current_setting('block_size')::integer / %d) AS i))",
                  (long long)piece_block(piece), (long long)piece->end_block - 1, LEAST_TUPLE);
}

static struct sl_pg_param piece_param(const struct sl_pg_piece *piece)
{
    return (struct sl_pg_param){ .type = OID_TID,
                                 .bytes = (const char *)piece->after,
                                 .len = sizeof piece->after };
}

/* ---- tokens ------------------------------------------------------------------------------------ */

/* A column as SQL compares it: byte for byte, whatever its collation. */
static void column_sql(struct sl_buf *out, const struct sl_pg_masked *masked, sl_str column)
{
    sl_sql_identifier(out, column);
    sl_buf_add_str(out, is_sealed(masked) ? SL_STR("") : SL_STR("::text COLLATE \"C\""));
}

/* The first characters of a column; sealed bytes begin as tokens do. */
static void head_sql(struct sl_buf *out, const struct sl_pg_masked *masked, sl_str column, size_t n)
{
    if (is_sealed(masked)) {
        sl_buf_add_str(out, SL_STR("encode(substring("));
        sl_sql_identifier(out, column);
        sl_buf_printf(out, " FROM 1 FOR %zu), 'escape')", n);
        return;
    }
    sl_buf_add_str(out, SL_STR("left("));
    column_sql(out, masked, column);
    sl_buf_printf(out, ", %zu)", n);
}

/* left(column, n) = 'v1.kid.'; of a kid of "", 'v1.' */
static void is_under_sql(struct sl_buf *out, const struct sl_pg_masked *masked, sl_str column,
                         sl_str kid)
{
    const size_t n = strlen(masked->form) + (kid.len > 0 ? kid.len + 1 : 0);
    char text[16];

    (void)snprintf(text, sizeof text, "%s%" SL_FMT "%s", masked->form, SL_ARG(kid),
                   kid.len > 0 ? "." : "");
    head_sql(out, masked, column, n);
    sl_buf_add_str(out, SL_STR(" = "));
    sl_sql_literal(out, sl_str_of(text));
}

static void wanted_sql(struct sl_buf *out, const struct sl_pg_masked *masked,
                       const struct sl_pg_wanted *wanted)
{
    for (unsigned k = 0; k < masked->columns_n; k++) {
        const sl_str column = masked->columns[k];

        sl_buf_add_str(out, k == 0 ? SL_STR(" AND (") : SL_STR(" OR "));
        if (wanted->is_others) {
            is_under_sql(out, masked, column, SL_STR(""));
            sl_buf_add_str(out, SL_STR(" AND NOT "));
        }
        is_under_sql(out, masked, column, wanted->kid);
    }
    sl_buf_add_char(out, ')');
}

/* Bodies are large: how many bytes come is limited, too. */
static void read_sealed_sql(struct sl_buf *out, const struct sl_pg_conn *c,
                            const struct sl_pg_masked *masked, const struct sl_pg_piece *piece,
                            const struct sl_pg_wanted *wanted)
{
    sl_buf_add_str(out, SL_STR("SELECT at, id, sealed FROM (SELECT ctid AS at, "));
    sl_sql_identifier(out, masked->id);
    sl_buf_add_str(out, SL_STR(" AS id, "));
    sl_sql_identifier(out, masked->columns[0]);
    sl_buf_add_str(out, SL_STR(" AS sealed, row_number() OVER w AS i, sum(octet_length("));
    sl_sql_identifier(out, masked->columns[0]);
    sl_buf_add_str(out, SL_STR(")::bigint) OVER w AS total"));
    piece_sql(out, c, piece);
    wanted_sql(out, masked, wanted);
    sl_buf_printf(out,
                  " WINDOW w AS (ORDER BY ctid)) AS q WHERE i = 1 OR (i <= %u AND total <= %d)"
                  " ORDER BY at",
                  wanted->rows_n, SEALED_MAX);
}

static void read_texts_sql(struct sl_buf *out, const struct sl_pg_conn *c,
                           const struct sl_pg_masked *masked, const struct sl_pg_piece *piece,
                           const struct sl_pg_wanted *wanted)
{
    sl_buf_add_str(out, SL_STR("SELECT ctid"));
    for (unsigned k = 0; k < masked->columns_n; k++) {
        sl_buf_add_str(out, SL_STR(", "));
        column_sql(out, masked, masked->columns[k]);
    }
    piece_sql(out, c, piece);
    wanted_sql(out, masked, wanted);
    sl_buf_printf(out, " ORDER BY ctid LIMIT %u", wanted->rows_n);
}

sl_rc sl_pg_tokens_read(struct sl_pg_conn *c, const struct sl_pg_masked *masked,
                        const struct sl_pg_piece *piece, const struct sl_pg_wanted *wanted,
                        PGresult **ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    const struct sl_pg_param param = piece_param(piece);

    SL_TRY(sl_pg_connect(c, e));
    if (is_sealed(masked)) {
        read_sealed_sql(&sql, c, masked, piece, wanted);
    } else {
        read_texts_sql(&sql, c, masked, piece, wanted);
    }
    return tokens_exec(c, &sql, &param, 1, ret, e);
}

/* ---- changing ----------------------------------------------------------------------------------- */

static void array_put(struct sl_buf *out, sl_str bytes)
{
    if (bytes.ptr != NULL) {
        sl_pg_array_add(out, bytes);
    } else {
        sl_pg_array_add_null(out);
    }
}

/* The parameters, one behind the other: ctids, then before and after of each column. */
static sl_rc update_params(const struct sl_pg_masked *masked, const struct sl_pg_token_rows *rows,
                           struct sl_buf bytes[static PARAMS],
                           struct sl_pg_param params[static PARAMS], struct sl_err *e)
{
    const Oid element = is_sealed(masked) ? OID_BYTEA : OID_TEXT;
    const Oid array = is_sealed(masked) ? OID_BYTEA_ARRAY : OID_TEXT_ARRAY;
    const unsigned n = 1 + 2 * masked->columns_n;

    for (unsigned p = 0; p < n; p++) {
        sl_pg_array_begin(&bytes[p], p == 0 ? OID_TID : element, rows->n);
    }
    for (unsigned i = 0; i < rows->n; i++) {
        const struct sl_pg_token_row *row = &rows->of[i];

        array_put(&bytes[0], row->tid);
        for (unsigned k = 0; k < masked->columns_n; k++) {
            array_put(&bytes[1 + 2 * k], row->before[k]);
            array_put(&bytes[2 + 2 * k], row->after[k]);
        }
    }
    for (unsigned p = 0; p < n; p++) {
        SL_TRY(sl_buf_rc(&bytes[p], e));
        params[p] = (struct sl_pg_param){ .type = p == 0 ? OID_TID_ARRAY : array,
                                          .bytes = bytes[p].ptr,
                                          .len = bytes[p].len };
    }
    return SL_OK;
}

/* Once a token has turned out to decide the partition, the whole table is told to move the row. */
static void update_sql(struct sl_buf *out, const struct sl_pg_masked *masked,
                       const struct sl_pg_part *part)
{
    sl_buf_add_str(out, SL_STR("UPDATE "));
    if (part->moves_rows) {
        sl_sql_table(out, masked->schema, masked->table);
    } else {
        sl_buf_printf(out, "ONLY %" SL_FMT, SL_ARG(part->sql));
    }
    sl_buf_add_str(out, SL_STR(" AS t SET "));
    for (unsigned k = 0; k < masked->columns_n; k++) {
        sl_buf_add_str(out, k > 0 ? SL_STR(", ") : SL_STR(""));
        sl_sql_identifier(out, masked->columns[k]);
        sl_buf_printf(out, " = k.n%u", k);
    }
    sl_buf_add_str(out, SL_STR(" FROM unnest($1"));
    for (unsigned k = 0; k < masked->columns_n; k++) {
        sl_buf_printf(out, ", $%u, $%u", 2 + 2 * k, 3 + 2 * k);
    }
    sl_buf_add_str(out, SL_STR(") AS k(at"));
    for (unsigned k = 0; k < masked->columns_n; k++) {
        sl_buf_printf(out, ", o%u, n%u", k, k);
    }
    sl_buf_printf(out, ") WHERE t.tableoid = %u AND t.ctid = ANY ($1) AND t.ctid = k.at",
                  part->oid);
    for (unsigned k = 0; k < masked->columns_n; k++) {
        sl_buf_add_str(out, SL_STR(" AND t."));
        column_sql(out, masked, masked->columns[k]);
        sl_buf_printf(out, " IS NOT DISTINCT FROM k.o%u%s", k,
                      is_sealed(masked) ? "" : " COLLATE \"C\"");
    }
}

sl_rc sl_pg_tokens_update(struct sl_pg_conn *c, const struct sl_pg_masked *masked,
                          const struct sl_pg_token_rows *rows, unsigned *ret_n, struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
    struct sl_buf bytes[PARAMS];
    struct sl_pg_param params[PARAMS];
    int64_t n = 0;
    sl_rc rc;

    for (unsigned p = 0; p < PARAMS; p++) {
        sl_buf_init(&bytes[p], ARRAY_MAX);
    }
    update_sql(&sql, masked, rows->part);
    sl_buf_add_char(&sql, '\0');
    rc = sl_buf_rc(&sql, e);
    rc = rc == SL_OK ? update_params(masked, rows, bytes, params, e) : rc;
    rc = rc == SL_OK ? sl_pg_connect(c, e) : rc;
    if (rc == SL_OK) {
        /* A row's fault is told apart: constraints and triggers of the target refuse single rows. */
        rc = sl_pg_write(c, SL_PG_ROWS, sql.ptr, params, 1 + 2 * masked->columns_n, &result, e);
    }
    for (unsigned p = 0; p < PARAMS; p++) {
        sl_buf_done(&bytes[p]);
    }
    SL_TRY(rc);
    if (!sl_str_to_i64(sl_str_of(PQcmdTuples(result)), &n)) {
        return SL_FAIL(e, SL_BUG, "an update told no number of rows");
    }
    *ret_n = (unsigned)n;
    return SL_OK;
}

/* ---- counting ------------------------------------------------------------------------------------ */

static void count_sql(struct sl_buf *out, const struct sl_pg_masked *masked, const sl_str *kids,
                      unsigned kids_n)
{
    const sl_str column = masked->columns[0];

    sl_buf_add_str(out, SL_STR("SELECT "));
    for (unsigned i = 0; i <= kids_n; i++) {
        sl_buf_add_str(out, SL_STR("count(*) FILTER (WHERE "));
        is_under_sql(out, masked, column, i < kids_n ? kids[i] : SL_STR(""));
        sl_buf_add_str(out, SL_STR("), "));
    }
    sl_buf_add_str(out, SL_STR("count("));
    sl_sql_identifier(out, column);
    sl_buf_add_char(out, ')');
}

static int64_t count_value(const PGresult *result, unsigned column)
{
    uint64_t wire;

    memcpy(&wire, PQgetvalue(result, 0, (int)column), sizeof wire);
    return (int64_t)__builtin_bswap64(wire);
}

static sl_rc count_part(struct sl_pg_conn *c, const struct sl_buf *head,
                        const struct sl_pg_part *part, unsigned counts_n, int64_t *counts,
                        struct sl_err *e)
{
    const uint32_t blocks_n =
        PQserverVersion(c->pg) >= TID_RANGES_SINCE ? COUNT_BLOCKS : READ_BLOCKS;
    uint32_t block = 0;

    while (block < part->blocks_n) {
        SL_AUTO(sl_pg_clear) PGresult *result = NULL;
        SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = SQL_MAX };
        const struct sl_pg_piece piece = piece_of(part, block, blocks_n);
        const struct sl_pg_param param = piece_param(&piece);

        sl_buf_add_str(&sql, sl_buf_str(head));
        piece_sql(&sql, c, &piece);
        SL_TRY(tokens_exec(c, &sql, &param, 1, &result, e));
        for (unsigned i = 0; i < counts_n; i++) {
            counts[i] += count_value(result, i);
        }
        block = piece.end_block;
    }
    return SL_OK;
}

sl_rc sl_pg_tokens_count(struct sl_pg_conn *c, const struct sl_pg_masked *masked,
                         const sl_str *kids, unsigned kids_n, int64_t *ret, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    SL_AUTO(sl_buf_done) struct sl_buf head = { .max_bytes = SQL_MAX };
    int64_t counts[SL_PG_KIDS_MAX + 2] = { 0 };
    struct sl_pg_parts parts;

    if (kids_n > SL_PG_KIDS_MAX) {
        return SL_FAIL(e, SL_BUG, "%u key ids to count", kids_n);
    }
    sl_arena_init(&a, PARTS_MAX, 16 << 10);
    SL_TRY(sl_pg_parts_find(c, masked, &a, &parts, e));
    count_sql(&head, masked, kids, kids_n);
    SL_TRY(sl_buf_rc(&head, e));
    for (unsigned i = 0; i < parts.n; i++) {
        SL_TRY(count_part(c, &head, &parts.of[i], kids_n + 2, counts, e));
    }
    for (unsigned i = 0; i < kids_n; i++) {
        counts[kids_n] -= counts[i]; /* of that form at all, without those under a key */
    }
    memcpy(ret, counts, (kids_n + 2) * sizeof *ret);
    return SL_OK;
}

/* ---- where they are -------------------------------------------------------------------------------- */

struct sl_pg_masked sl_pg_masked_dead_letters(void)
{
    return (struct sl_pg_masked){ .schema = SL_STR("sluice"),
                                  .table = SL_STR("dead_letter"),
                                  .columns = { SL_STR("sealed_body") },
                                  .columns_n = 1,
                                  .form = "v1.",
                                  .id = SL_STR("message_id") };
}

struct sl_pg_masked sl_pg_masked_ledger_keys(void)
{
    return (struct sl_pg_masked){ .schema = SL_STR("sluice"),
                                  .table = SL_STR("ledger_secret"),
                                  .columns = { SL_STR("sealed") },
                                  .columns_n = 1,
                                  .form = "v1.",
                                  .id = SL_STR("pipeline") };
}

struct sl_pg_masked sl_pg_masked_vault(const struct sl_config *cfg)
{
    return (struct sl_pg_masked){ .schema = cfg->vault.table_schema,
                                  .table = cfg->vault.table_name,
                                  .columns = { SL_STR("sealed") },
                                  .columns_n = 1,
                                  .form = "v1.",
                                  .id = SL_STR("token") };
}

struct sl_pg_masked sl_pg_masked_column(const struct sl_config *cfg, const struct sl_column *column)
{
    return (struct sl_pg_masked){ .schema = cfg->postgres.table_schema,
                                  .table = cfg->postgres.table_name,
                                  .columns = { column->name },
                                  .columns_n = 1,
                                  .form = column->masking.method == SL_MASK_HMAC ? "h1." : "v1." };
}
