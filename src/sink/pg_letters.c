/* sink/pg_letters.c - the dead letters of a load, inserted in its transaction. */
#include "sink/pg_letters.h"

#include "sink/pg_oid.h"

enum {
    FIELDS = SL_PG_LETTER_FIELDS,
    BUF_MAX = 1 << 30, /* PostgreSQL's own limit of a message */
};

void sl_pg_letters_init(struct sl_pg_letters *l, sl_str pipeline)
{
    *l = (struct sl_pg_letters){ .pipeline = pipeline };
    for (unsigned k = 0; k < FIELDS; k++) {
        sl_buf_init(&l->params[k], BUF_MAX);
    }
}

void sl_pg_letters_done(struct sl_pg_letters *l)
{
    for (unsigned k = 0; k < FIELDS; k++) {
        sl_buf_done(&l->params[k]);
    }
}

static void add_text_or_null(struct sl_buf *out, sl_str text)
{
    if (text.len == 0) {
        sl_pg_array_add_null(out);
    } else {
        sl_pg_array_add(out, text);
    }
}

static void encode_letter(struct sl_buf *params, const struct sl_record *r)
{
    params[7].has_failed = params[7].has_failed || r->sealed.len == 0;
    sl_pg_array_add(&params[0], r->message_id);
    sl_pg_array_add_i64(&params[1], sl_pg_timestamp(r->sent_at_ms));
    sl_pg_array_add_i64(&params[2], sl_pg_timestamp(r->received_at_ms));
    sl_pg_array_add(&params[3], sl_str_of(sl_reason_stage(r->verdict.reason)));
    sl_pg_array_add(&params[4], sl_str_of(sl_reason_code(r->verdict.reason)));
    add_text_or_null(&params[5], r->verdict.field);
    add_text_or_null(&params[6], sl_str_of(r->verdict.sqlstate));
    sl_pg_array_add(&params[7], r->sealed);
}

static bool is_letter(const struct sl_pg_entry *entry)
{
    return !entry->is_known && sl_pg_entry_is_dead(entry) && !entry->r->is_sent;
}

static sl_rc encode_letters(struct sl_pg_letters *l, struct sl_pg_entry *const *entries, unsigned n,
                            unsigned *ret_n, struct sl_err *e)
{
    static const uint32_t elements[FIELDS] = { SL_OID_TEXT, SL_OID_TIMESTAMPTZ, SL_OID_TIMESTAMPTZ,
                                               SL_OID_TEXT, SL_OID_TEXT,        SL_OID_TEXT,
                                               SL_OID_TEXT, SL_OID_BYTEA };
    unsigned letters = 0;

    for (unsigned i = 0; i < n; i++) {
        letters += is_letter(entries[i]);
    }
    for (unsigned k = 0; k < FIELDS; k++) {
        sl_buf_reset(&l->params[k]);
        sl_pg_array_begin(&l->params[k], elements[k], letters);
    }
    for (unsigned i = 0; i < n; i++) {
        if (is_letter(entries[i])) {
            encode_letter(l->params, entries[i]->r);
        }
    }
    for (unsigned k = 0; k < FIELDS; k++) {
        SL_TRY(sl_buf_rc(&l->params[k], e));
    }
    *ret_n = letters;
    return SL_OK;
}

/* Dead letters are few, and an INSERT can say ON CONFLICT: a message that the queue gives another
 * sent_at passes the ledger twice, and must not stop the batch. */
sl_rc sl_pg_letters_insert(struct sl_pg_letters *l, struct sl_pg_conn *c,
                           struct sl_pg_entry *const *entries, unsigned n, struct sl_err *e)
{
    static const char sql[] =
        "INSERT INTO sluice.dead_letter (pipeline, message_id, sent_at, received_at, stage, reason,"
        " field, sqlstate, sealed_body) SELECT $1, * FROM unnest($2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (pipeline, message_id) DO NOTHING";
    static const Oid arrays[FIELDS] = { SL_OID_TEXT_ARRAY,        SL_OID_TIMESTAMPTZ_ARRAY,
                                        SL_OID_TIMESTAMPTZ_ARRAY, SL_OID_TEXT_ARRAY,
                                        SL_OID_TEXT_ARRAY,        SL_OID_TEXT_ARRAY,
                                        SL_OID_TEXT_ARRAY,        SL_OID_BYTEA_ARRAY };
    struct sl_pg_param params[1 + FIELDS] = { sl_pg_param_of(SL_OID_TEXT, l->pipeline) };
    unsigned letters = 0;

    SL_TRY(encode_letters(l, entries, n, &letters, e));
    if (letters == 0) {
        return SL_OK;
    }
    for (unsigned k = 0; k < FIELDS; k++) {
        params[1 + k] = sl_pg_param_of(arrays[k], sl_buf_str(&l->params[k]));
    }
    return sl_pg_exec(c, SL_PG_DEAD_LETTERS, sql, params, 1 + FIELDS, NULL, e);
}
