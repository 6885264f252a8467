/* sink/pg_migrations.c - sluice's own database objects, from each version of the schema to the next. */
#include "sink/pg_migrations.h"

enum {
    SLOTS = 32,
    PARTITIONED_KEYS_SINCE = 110000, /* a partitioned table may have a primary key */
};

static void ledger_sql(struct sl_buf *out, bool is_partitioned)
{
    sl_buf_add_str(out, SL_STR("CREATE TABLE IF NOT EXISTS sluice.ledger (\n"
                               "    slot       smallint    NOT NULL,\n"
                               "    sent_at    timestamptz NOT NULL,\n"
                               "    message_id text        COLLATE \"C\" NOT NULL,\n"
                               "    pipeline   text        COLLATE \"C\" NOT NULL,\n"
                               "    batch_id   uuid        NOT NULL,\n"
                               "    PRIMARY KEY (slot, sent_at, message_id, pipeline)\n"
                               ")"));
    if (!is_partitioned) {
        sl_buf_add_str(out, SL_STR(";\n"));
        return;
    }
    sl_buf_add_str(out, SL_STR(" PARTITION BY LIST (slot);\n"));
    for (int slot = 0; slot < SLOTS; slot++) {
        sl_buf_printf(out,
                      "CREATE TABLE IF NOT EXISTS sluice.ledger_%02d PARTITION OF sluice.ledger"
                      " FOR VALUES IN (%d);\n",
                      slot, slot);
    }
}

/* What the first version had. */
static void first_sql(struct sl_buf *out, int server_version)
{
    sl_buf_add_str(
        out, SL_STR("CREATE SCHEMA IF NOT EXISTS sluice;\n"
                    "CREATE TABLE IF NOT EXISTS sluice.meta (schema_version integer NOT NULL);\n"));
    ledger_sql(out, server_version >= PARTITIONED_KEYS_SINCE);
    sl_buf_add_str(out,
                   SL_STR("CREATE TABLE IF NOT EXISTS sluice.dead_letter (\n"
                          "    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
                          "    pipeline    text        NOT NULL,\n"
                          "    message_id  text        NOT NULL,\n"
                          "    sent_at     timestamptz NOT NULL,\n"
                          "    received_at timestamptz NOT NULL,\n"
                          "    stage       text        NOT NULL,\n"
                          "    reason      text        NOT NULL,\n"
                          "    field       text,\n"
                          "    sqlstate    text,\n"
                          "    sealed_body bytea       NOT NULL CHECK (length(sealed_body) > 0),\n"
                          "    status      text        NOT NULL DEFAULT 'new',\n"
                          "    UNIQUE (pipeline, message_id)\n"
                          ");\n"
                          "CREATE TABLE IF NOT EXISTS sluice.key_check (\n"
                          "    kid         text        PRIMARY KEY,\n"
                          "    check_value text        NOT NULL\n"
                          ");\n"
                          "INSERT INTO sluice.meta SELECT 1"
                          " WHERE NOT EXISTS (SELECT FROM sluice.meta);\n"));
}

/* 2: who recovered what. */
static const char audit[] =
    "CREATE TABLE IF NOT EXISTS sluice.unmask_audit (\n"
    "    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
    "    at          timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
    "    os_user     text        NOT NULL,\n"
    "    db_user     text        NOT NULL DEFAULT session_user,\n"
    "    pipeline    text        NOT NULL,\n"
    "    contexts    text[]      NOT NULL,\n"
    "    n           bigint      NOT NULL,\n"
    "    how         text        NOT NULL,\n"
    "    reason      text        NOT NULL CHECK (reason <> '')\n"
    ");\n";

/* 3: a ledger for what is known by a field or by its body, with its key, sealed; and dead letters that
 * are done with.  Of ledger_key, what is old goes pipeline by pipeline. */
static const char keyed[] =
    "CREATE TABLE IF NOT EXISTS sluice.ledger_key (\n"
    "    pipeline    text        COLLATE \"C\" NOT NULL,\n"
    "    key         bytea       NOT NULL,\n"
    "    loaded_at   timestamptz NOT NULL DEFAULT now(),\n"
    "    batch_id    uuid        NOT NULL,\n"
    "    PRIMARY KEY (pipeline, key)\n"
    ");\n"
    "CREATE INDEX IF NOT EXISTS ledger_key_loaded_at ON sluice.ledger_key (pipeline, loaded_at);\n"
    "CREATE TABLE IF NOT EXISTS sluice.ledger_secret (\n"
    "    pipeline    text        COLLATE \"C\" PRIMARY KEY,\n"
    "    sealed      bytea       NOT NULL\n"
    ");\n"
    "ALTER TABLE sluice.dead_letter ADD COLUMN IF NOT EXISTS done_at timestamptz;\n";

void sl_pg_migrations_sql(struct sl_buf *out, unsigned from_version, int server_version)
{
    static const char *const later[SL_SCHEMA_VERSION + 1] = { [2] = audit, [3] = keyed };

    if (from_version == 0) {
        first_sql(out, server_version);
    }
    for (unsigned v = from_version < 1 ? 2 : from_version + 1; v <= SL_SCHEMA_VERSION; v++) {
        sl_buf_add_str(out, sl_str_of(later[v]));
    }
    if (from_version < SL_SCHEMA_VERSION) {
        sl_buf_printf(out,
                      "UPDATE sluice.meta SET schema_version = %d WHERE schema_version < %d;\n",
                      SL_SCHEMA_VERSION, SL_SCHEMA_VERSION);
    }
}
