/* cmd/record.c - what is shown or erased goes on record first. */
#include "cmd/record.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sink/pg_audit.h"
#include "sink/pg_sql.h"

enum {
    REASON_MAX = 1000,
    USER_MAX = 256,
};

sl_rc sl_record_check_reason(const char *reason, struct sl_err *e)
{
    const sl_str text = sl_str_trim(sl_str_of(reason != NULL ? reason : ""));

    return text.len > 0 && text.len <= REASON_MAX
               ? SL_OK
               : SL_FAIL(e, SL_USAGE, "say why: --reason TEXT, 1 to %d bytes; it is recorded",
                         REASON_MAX);
}

/* Who is at the keyboard, as far as the system knows. */
static void user_name(char out[static USER_MAX])
{
    const struct passwd *user = getpwuid(getuid());
    const char *sudo = getenv("SUDO_USER");

    if (user != NULL) {
        (void)snprintf(out, USER_MAX, "%s%s%s", user->pw_name, sudo != NULL ? " for " : "",
                       sudo != NULL ? sudo : "");
    } else {
        (void)snprintf(out, USER_MAX, "uid %u", (unsigned)getuid());
    }
}

sl_rc sl_record_pipeline(struct sl_pg_conn *c, const struct sl_config *cfg,
                         char out[static SL_RECORD_PIPELINE_MAX], struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    SL_AUTO(sl_buf_done) struct sl_buf name = { .max_bytes = 1024 };
    SL_AUTO(sl_buf_done) struct sl_buf sql = { .max_bytes = 4096 };

    (void)snprintf(out, SL_RECORD_PIPELINE_MAX, "%" SL_FMT,
                   SL_ARG(cfg->pipeline.len > 0 ? cfg->pipeline : cfg->postgres.table));
    if (cfg->pipeline.len > 0) {
        return SL_OK;
    }
    sl_sql_table(&name, cfg->postgres.table_schema, cfg->postgres.table_name);
    sl_buf_add_str(&sql, SL_STR("SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN"
                                " pg_namespace AS n ON n.oid = c.relnamespace"
                                " WHERE c.oid = to_regclass("));
    sl_sql_literal(&sql, sl_buf_str(&name));
    sl_buf_add_str(&sql, SL_STR(")"));
    sl_buf_add_char(&sql, '\0');
    SL_TRY(sl_buf_rc(&sql, e));
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, sql.ptr, NULL, 0, &result, e));
    if (PQntuples(result) > 0) {
        (void)snprintf(out, SL_RECORD_PIPELINE_MAX, "%s", PQgetvalue(result, 0, 0));
    }
    return SL_OK;
}

sl_rc sl_record_commit(struct sl_pg_conn *c, const struct sl_record_use *use, struct sl_err *e)
{
    char user[USER_MAX];
    const struct sl_audit audit = {
        .os_user = sl_str_of((user_name(user), user)),
        .pipeline = use->pipeline,
        .contexts = use->contexts,
        .contexts_n = use->contexts_n,
        .n = use->n,
        .how = sl_str_of(use->how),
        .reason = use->reason,
    };
    struct sl_err why = { 0 };
    const sl_rc rc = sl_pg_audit_add(c, &audit, &why);

    return rc == SL_OK
               ? SL_OK
               : SL_FAIL(e, rc, "nothing is done, for it cannot be recorded: %.900s", why.msg);
}
