/* sink/pg_rights.c - what a role lacks, said before a run finds out. */
#include "sink/pg_rights.h"

#include "sink/pg_migrations.h"

/* Each row of the answer is a line: the right and its object. */
static sl_rc list(struct sl_pg_conn *c, const char *sql, const char *why, struct sl_buf *missing,
                  struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, sql, NULL, 0, &result, e));
    for (int row = 0; row < PQntuples(result); row++) {
        sl_buf_printf(missing, "%sgrant %s on %s\n", why, PQgetvalue(result, row, 0),
                      PQgetvalue(result, row, 1));
    }
    return SL_OK;
}

#define MISSING(rows)                                                   \
    "SELECT r.what, r.object FROM (VALUES " rows ") AS r(what, object)" \
    " WHERE NOT has_table_privilege(r.object, r.what)"

sl_rc sl_pg_rights_load(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_buf *missing,
                        struct sl_err *e)
{
    static const char always[] =
        MISSING("('select', 'sluice.meta'),"
                "('insert', 'sluice.dead_letter'), ('select', 'sluice.dead_letter'),"
                "('insert', 'sluice.key_check'), ('select', 'sluice.key_check')");
    static const char plain[] = MISSING("('insert', 'sluice.ledger'), ('select', 'sluice.ledger')");
    static const char keyed[] =
        MISSING("('insert', 'sluice.ledger_key'), ('select', 'sluice.ledger_key')");
    static const char secret[] =
        MISSING("('insert', 'sluice.ledger_secret'), ('select', 'sluice.ledger_secret')");

    SL_TRY(list(c, always, "", missing, e));
    SL_TRY(list(c, sl_config_is_keyed(cfg) ? keyed : plain, "", missing, e));
    return cfg->dedup == SL_DEDUP_MESSAGE_ID ? SL_OK : list(c, secret, "", missing, e);
}

sl_rc sl_pg_rights_create(struct sl_pg_conn *c, unsigned version, struct sl_buf *missing,
                          struct sl_err *e)
{
    static const char database[] =
        "SELECT 'create', current_database()"
        " WHERE NOT has_database_privilege(current_database(), 'create')";
    static const char owner[] = "SELECT 1 WHERE NOT has_schema_privilege('sluice', 'create')"
                                " OR NOT pg_has_role((SELECT relowner FROM pg_class"
                                " WHERE oid = 'sluice.dead_letter'::regclass), 'usage')";
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    if (version == 0 || version == SL_SCHEMA_VERSION) {
        return list(c, database, "", missing, e);
    }
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, owner, NULL, 0, &result, e));
    if (PQntuples(result) > 0) {
        sl_buf_printf(missing,
                      "only the owner of schema sluice can bring it from version %u to %d: have "
                      "them run what sluice sql schema --from %u prints\n",
                      version, SL_SCHEMA_VERSION, version);
    }
    return SL_OK;
}

sl_rc sl_pg_rights_upkeep(struct sl_pg_conn *c, const struct sl_config *cfg, struct sl_buf *missing,
                          struct sl_err *e)
{
    static const char plain[] =
        "SELECT 'truncate', 'the partitions of sluice.ledger, or delete on sluice.ledger'"
        " WHERE NOT has_table_privilege('sluice.ledger', 'delete') AND NOT coalesce("
        "(SELECT bool_and(has_table_privilege(inhrelid, 'truncate')) FROM pg_inherits"
        " WHERE inhparent = 'sluice.ledger'::regclass), false)";
    static const char keyed[] = "SELECT 'delete', 'sluice.ledger_key'"
                                " WHERE NOT has_table_privilege('sluice.ledger_key', 'delete')";

    return list(c, sl_config_is_keyed(cfg) ? keyed : plain,
                "what is old stays in the ledger, which grows: ", missing, e);
}
