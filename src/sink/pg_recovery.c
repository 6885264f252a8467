/* sink/pg_recovery.c - recovery inside PostgreSQL: the functions, and the keys they need. */
#include "sink/pg_recovery.h"

#include <openssl/crypto.h>

#include "base/hex.h"

enum {
    HALF_BYTES = 32, /* of a derived key: one half for the MAC, one for the encryption */
    DERIVED_BYTES = 2 * HALF_BYTES,
};

/* recovery.sql; scripts/embed.py makes it at build time. */
extern const char sl_recovery_sql_text[];

void sl_pg_recovery_sql(struct sl_buf *out)
{
    sl_buf_add_str(out, sl_str_of(sl_recovery_sql_text));
}

static void add_doubled(struct sl_buf *out, sl_str text, const char *special)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(special, text.ptr[i]) != NULL) {
            sl_buf_add_char(out, text.ptr[i]);
        }
        sl_buf_add_char(out, text.ptr[i]);
    }
}

/* A column of COPY's text format: the backslash of bytea's hex form is doubled. */
static void add_hex(struct sl_buf *out, const unsigned char *bytes, size_t n)
{
    char *digits;

    sl_buf_add_str(out, SL_STR("\t\\\\x"));
    digits = sl_buf_reserve(out, 2 * n);
    if (digits != NULL) {
        sl_hex(bytes, n, digits);
        out->len += 2 * n;
    }
}

static sl_rc add_key(const struct sl_key *key, sl_str context, struct sl_buf *out, struct sl_err *e)
{
    unsigned char derived[DERIVED_BYTES];

    SL_TRY(sl_key_derive(key, "siv", context, derived, sizeof derived, e));
    sl_buf_printf(out, "%s\t", key->id);
    add_doubled(out, context, "\\");
    add_hex(out, derived, HALF_BYTES);
    add_hex(out, derived + HALF_BYTES, HALF_BYTES);
    sl_buf_add_char(out, '\n');
    OPENSSL_cleanse(derived, sizeof derived);
    return SL_OK;
}

static bool is_named_before(const sl_str *contexts, unsigned at)
{
    for (unsigned i = 0; i < at; i++) {
        if (sl_str_eq(contexts[i], contexts[at])) {
            return true;
        }
    }
    return false;
}

static sl_rc check_contexts(const sl_str *contexts, unsigned n, struct sl_err *e)
{
    if (n == 0) {
        return SL_FAIL(e, SL_USAGE, "name the contexts that the database shall recover");
    }
    for (unsigned i = 0; i < n; i++) {
        if (sl_str_eq(contexts[i], SL_STR("dead_letter")) ||
            sl_str_eq(contexts[i], SL_STR("vault"))) {
            return SL_FAIL(e, SL_USAGE,
                           "context %" SL_FMT " is no column's: its key stays out of databases",
                           SL_ARG(contexts[i]));
        }
    }
    return SL_OK;
}

/* In one transaction, locked against another load: a COPY that fails puts the line it was at, with
 * its key, into the server's log, so nothing in here may collide. */
static void add_statements(const sl_str *contexts, unsigned n, struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR("\\set ON_ERROR_STOP on\n"
                               "BEGIN;\n"
                               "SET LOCAL ROLE sluice_owner;\n"
                               "LOCK TABLE sluice.field_key IN SHARE ROW EXCLUSIVE MODE;\n"
                               "DELETE FROM sluice.field_key WHERE context IN ("));
    for (unsigned i = 0; i < n; i++) {
        sl_buf_add_str(out, i > 0 ? SL_STR(", E'") : SL_STR("E'"));
        add_doubled(out, contexts[i], "'\\");
        sl_buf_add_char(out, '\'');
    }
    sl_buf_add_str(out, SL_STR(");\nCOPY sluice.field_key (kid, context, k_mac, k_enc)"
                               " FROM stdin;\n"));
}

sl_rc sl_pg_recovery_keys(const struct sl_keyring *ring, const sl_str *contexts, unsigned n,
                          struct sl_buf *out, struct sl_err *e)
{
    SL_TRY(check_contexts(contexts, n, e));
    add_statements(contexts, n, out);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; !is_named_before(contexts, i) && j < sl_keyring_n(ring); j++) {
            const struct sl_key *key = sl_keyring_at(ring, j);

            if (key->state != SL_KEY_RETIRED) {
                SL_TRY(add_key(key, contexts[i], out, e));
            }
        }
    }
    sl_buf_add_str(out, SL_STR("\\.\nCOMMIT;\n"));
    return sl_buf_rc(out, e);
}
