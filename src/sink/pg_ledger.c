/* sink/pg_ledger.c - what is already loaded: the keys of a load, written and asked about. */
#include "sink/pg_ledger.h"

#include "sink/pg_oid.h"

enum {
    ARRAYS = 3,        /* at most */
    BUF_MAX = 1 << 30, /* PostgreSQL's own limit of a message */
};

#define FOUND_PLAIN                                            \
    "SELECT l.slot, l.sent_at, l.message_id"                   \
    " FROM unnest($1, $2, $3) AS k(slot, sent_at, message_id)" \
    " JOIN sluice.ledger AS l USING (slot, sent_at, message_id) WHERE l.pipeline = $4"
#define FOUND_KEYED                                                                  \
    "SELECT l.key FROM unnest($1) AS k(key) JOIN sluice.ledger_key AS l USING (key)" \
    " WHERE l.pipeline = $2"

/* The statements of the two ledgers.  Parameters: the arrays of keys, the pipeline, the batch. */
static const struct {
    const char *copy;
    const char *insert; /* returns those that are new */
    const char *ours;   /* which of the keys did this very batch put there */
    const char *others;
    unsigned arrays_n;
    uint32_t elements[ARRAYS];
    Oid arrays[ARRAYS];
} ledgers[] = {
    { .copy = SL_PG_BEGIN "COPY sluice.ledger (slot, sent_at, message_id, pipeline, batch_id)"
                          " FROM STDIN (FORMAT binary)",
      .insert = "INSERT INTO sluice.ledger (slot, sent_at, message_id, pipeline, batch_id)"
                " SELECT k.slot, k.sent_at, k.message_id, $4, $5"
                " FROM unnest($1, $2, $3) AS k(slot, sent_at, message_id)"
                " ORDER BY k.slot, k.sent_at, k.message_id COLLATE \"C\""
                " ON CONFLICT DO NOTHING RETURNING slot, sent_at, message_id",
      .ours = FOUND_PLAIN " AND l.batch_id = $5",
      .others = FOUND_PLAIN " AND l.batch_id <> $5",
      .arrays_n = 3,
      .elements = { SL_OID_INT2, SL_OID_TIMESTAMPTZ, SL_OID_TEXT },
      .arrays = { SL_OID_INT2_ARRAY, SL_OID_TIMESTAMPTZ_ARRAY, SL_OID_TEXT_ARRAY } },
    { .copy =
          SL_PG_BEGIN "COPY sluice.ledger_key (pipeline, key, batch_id) FROM STDIN (FORMAT binary)",
      .insert = "INSERT INTO sluice.ledger_key (pipeline, key, batch_id)"
                " SELECT $2, k.key, $3 FROM unnest($1) AS k(key) ORDER BY k.key"
                " ON CONFLICT DO NOTHING RETURNING key",
      .ours = FOUND_KEYED " AND l.batch_id = $3",
      .others = FOUND_KEYED " AND l.batch_id <> $3",
      .arrays_n = 1,
      .elements = { SL_OID_BYTEA },
      .arrays = { SL_OID_BYTEA_ARRAY } },
};

void sl_pg_ledger_init(struct sl_pg_ledger *l, bool is_keyed, sl_str pipeline)
{
    *l = (struct sl_pg_ledger){ .is_keyed = is_keyed, .pipeline = pipeline };
    sl_buf_init(&l->copy, BUF_MAX);
    for (unsigned k = 0; k < ARRAYS; k++) {
        sl_buf_init(&l->params[k], BUF_MAX);
    }
}

void sl_pg_ledger_done(struct sl_pg_ledger *l)
{
    sl_buf_done(&l->copy);
    for (unsigned k = 0; k < ARRAYS; k++) {
        sl_buf_done(&l->params[k]);
    }
}

sl_rc sl_pg_ledger_encode(struct sl_pg_ledger *l, const struct sl_pg_range *range, struct sl_err *e)
{
    sl_buf_reset(&l->copy);
    sl_pg_copy_begin(&l->copy);
    for (unsigned i = 0; i < range->n; i++) {
        const struct sl_ledger_key *key = &range->keys[i]->key;

        if (l->is_keyed) {
            sl_pg_copy_ledger_key(&l->copy, key, l->pipeline, range->batch_id);
        } else {
            sl_pg_copy_ledger(&l->copy, key, l->pipeline, range->batch_id);
        }
    }
    sl_pg_copy_end(&l->copy);
    return sl_buf_rc(&l->copy, e);
}

sl_rc sl_pg_ledger_copy(struct sl_pg_ledger *l, struct sl_pg_conn *c, struct sl_err *e)
{
    return sl_pg_copy(c, SL_PG_LEDGER, ledgers[l->is_keyed].copy, sl_buf_str(&l->copy), e);
}

/* ---- it knows some of them ------------------------------------------------------------------- */

static uint64_t read_u64(const char *wire)
{
    uint64_t v;

    memcpy(&v, wire, sizeof v);
    return __builtin_bswap64(v);
}

static uint16_t read_u16(const char *wire)
{
    uint16_t v;

    memcpy(&v, wire, sizeof v);
    return __builtin_bswap16(v);
}

static sl_str cell(const PGresult *result, int row, int column)
{
    return (sl_str){ PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column) };
}

/* NULL would be a bug of the server's. */
static struct sl_ledger_key key_of_row(const struct sl_pg_ledger *l, const PGresult *result,
                                       int row)
{
    if (l->is_keyed) {
        return sl_ledger_key_from(cell(result, row, 0));
    }
    return (struct sl_ledger_key){ .slot = (int16_t)read_u16(PQgetvalue(result, row, 0)),
                                   .sent_at_us = (int64_t)read_u64(PQgetvalue(result, row, 1)),
                                   .id = cell(result, row, 2) };
}

static void encode_key(struct sl_pg_ledger *l, const struct sl_ledger_key *key)
{
    if (l->is_keyed) {
        sl_pg_array_add_key(&l->params[0], key);
        return;
    }
    sl_pg_array_add_i16(&l->params[0], key->slot);
    sl_pg_array_add_i64(&l->params[1], key->sent_at_us);
    sl_pg_array_add(&l->params[2], key->id);
}

static sl_rc encode_keys(struct sl_pg_ledger *l, const struct sl_pg_range *range, struct sl_err *e)
{
    const unsigned arrays_n = ledgers[l->is_keyed].arrays_n;

    for (unsigned k = 0; k < arrays_n; k++) {
        sl_buf_reset(&l->params[k]);
        sl_pg_array_begin(&l->params[k], ledgers[l->is_keyed].elements[k], range->n);
    }
    for (unsigned i = 0; i < range->n; i++) {
        encode_key(l, &range->keys[i]->key);
    }
    for (unsigned k = 0; k < arrays_n; k++) {
        SL_TRY(sl_buf_rc(&l->params[k], e));
    }
    return SL_OK;
}

/* Each row that comes back says something of its entry. */
typedef void entry_mark(struct sl_pg_entry *entry);

static void mark_new(struct sl_pg_entry *entry)
{
    entry->is_known = false;
}

static void mark_known(struct sl_pg_entry *entry)
{
    entry->is_known = true;
}

static void mark_ours(struct sl_pg_entry *entry)
{
    entry->is_ours = true;
}

/* Ask about the keys of encode_keys. */
static sl_rc ask(struct sl_pg_ledger *l, struct sl_pg_conn *c, const struct sl_pg_range *range,
                 const char *sql, entry_mark *mark, struct sl_err *e)
{
    const unsigned n = ledgers[l->is_keyed].arrays_n;
    struct sl_pg_param params[ARRAYS + 2];
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    for (unsigned k = 0; k < n; k++) {
        params[k] = sl_pg_param_of(ledgers[l->is_keyed].arrays[k], sl_buf_str(&l->params[k]));
    }
    params[n] = sl_pg_param_of(SL_OID_TEXT, l->pipeline);
    params[n + 1] = sl_pg_param_of(SL_OID_UUID, (sl_str){ (const char *)range->batch_id, 16 });
    SL_TRY(sl_pg_exec(c, SL_PG_LEDGER, sql, params, n + 2, &result, e));
    for (int row = 0; row < PQntuples(result); row++) {
        const struct sl_ledger_key key = key_of_row(l, result, row);
        struct sl_pg_entry *entry = sl_pg_range_find(range, &key);

        if (entry == NULL) {
            return SL_FAIL(e, SL_BUG, "the ledger returned a key that was not asked for");
        }
        mark(entry);
    }
    return SL_OK;
}

sl_rc sl_pg_ledger_ask(struct sl_pg_ledger *l, struct sl_pg_conn *c,
                       const struct sl_pg_range *range, struct sl_err *e)
{
    for (unsigned i = 0; i < range->n; i++) {
        range->keys[i]->is_known = true;
        range->keys[i]->is_ours = false;
    }
    SL_TRY(encode_keys(l, range, e));
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, SL_PG_BEGIN, NULL, 0, NULL, e));
    SL_TRY(ask(l, c, range, ledgers[l->is_keyed].insert, mark_new, e));
    /* After the insert, which waits for a COMMIT of ours that is still on its way. */
    return ask(l, c, range, ledgers[l->is_keyed].ours, mark_ours, e);
}

sl_rc sl_pg_ledger_recognize(struct sl_pg_ledger *l, struct sl_pg_conn *c,
                             const struct sl_pg_range *range, struct sl_err *e)
{
    SL_TRY(encode_keys(l, range, e));
    return ask(l, c, range, ledgers[l->is_keyed].others, mark_known, e);
}
