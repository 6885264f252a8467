/* sink/pg_audit.c - who recovered what, when and why. */
#include "sink/pg_audit.h"

#include "sink/pg_copy.h"

enum {
    PARAMS = 6,
    ARRAY_MAX = 64 << 10,

    /* pg_type.dat */
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_TEXT_ARRAY = 1009,
};

static struct sl_pg_param text_param(sl_str text)
{
    return (struct sl_pg_param){ .type = OID_TEXT,
                                 .bytes = text.ptr != NULL ? text.ptr : "",
                                 .len = text.len };
}

sl_rc sl_pg_audit_add(struct sl_pg_conn *c, const struct sl_audit *audit, struct sl_err *e)
{
    static const char sql[] =
        "INSERT INTO sluice.unmask_audit (os_user, pipeline, contexts, n, how, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6)";
    const uint64_t n = __builtin_bswap64((uint64_t)audit->n);
    SL_AUTO(sl_buf_done) struct sl_buf contexts = { .max_bytes = ARRAY_MAX };

    sl_pg_array_begin(&contexts, OID_TEXT, audit->contexts_n);
    for (unsigned i = 0; i < audit->contexts_n; i++) {
        sl_pg_array_add(&contexts, audit->contexts[i]);
    }
    SL_TRY(sl_buf_rc(&contexts, e));
    const struct sl_pg_param params[PARAMS] = {
        text_param(audit->os_user),
        text_param(audit->pipeline),
        { .type = OID_TEXT_ARRAY, .bytes = contexts.ptr, .len = contexts.len },
        { .type = OID_INT8, .bytes = (const char *)&n, .len = sizeof n },
        text_param(audit->how),
        text_param(audit->reason),
    };

    return sl_pg_write(c, SL_PG_SESSION, sql, params, PARAMS, NULL, e);
}
