/* cmd/cmd_sql.c - sluice sql: what sluice would run in the database, and what others may run. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "keys/key_config.h"
#include "sink/pg_migrations.h"
#include "sink/pg_recovery.h"
#include "sink/pg_target.h"
#include "sink/vault.h"

enum {
    PRINT_MAX = 1 << 20,
    CONTEXTS_MAX = 64,
    SQL_FOR_VERSION = 150000, /* the objects are the same from 11 on */
};

const char sl_help_sql[] =
    "Usage: sluice sql schema [--from VERSION] [-c FILE]\n"
    "       sluice sql recovery\n"
    "       sluice sql recovery-keys -c FILE --contexts LIST\n"
    "\n"
    "schema         Print the SQL that 'sluice run' would execute where something is missing, for\n"
    "               people whose DBA must run it: schema sluice and, with a configuration, the\n"
    "               target table and the vault's (which is for the vault's database). For servers\n"
    "               of version 11 and later; docs/operations.md has the way for 10.\n"
    "recovery       Print functions for teams who want to recover values inside the database:\n"
    "               sluice.unmask, sluice.tokens, sluice.rewrap, their roles and key table.\n"
    "recovery-keys  Print the derived keys that those need, as COPY data for psql: they are\n"
    "               secrets, so pipe them on. The master keys are never printed.\n"
    "\n"
    "Options:\n"
    "      --from VERSION     only what brings a schema of that version up to date\n"
    "      --contexts LIST    whose keys are printed, with commas between\n" SL_OPTIONS_HELP "\n"
    "Examples:\n"
    "  sluice sql schema | psql mydb\n"
    "  sluice sql schema -c sluice.yaml\n"
    "  sluice sql schema --from 2 | psql --single-transaction mydb\n"
    "  sluice sql recovery | psql mydb\n"
    "  sluice sql recovery-keys -c sluice.yaml --contexts ip,device_id | psql mydb\n";

struct sql_options {
    struct sl_options common;
    const char *contexts;
    const char *what;
    int64_t from; /* version of the schema that is there; 0 = none */
};

static sl_rc from_take(struct sql_options *o, const char *value, struct sl_err *e)
{
    return sl_str_to_i64(sl_str_of(value), &o->from) && o->from >= 1 && o->from < SL_SCHEMA_VERSION
               ? SL_OK
               : SL_FAIL(e, SL_USAGE, "--from takes an older version of the schema: 1 to %d",
                         SL_SCHEMA_VERSION - 1);
}

static sl_rc sql_parse(int argc, char **argv, struct sql_options *o, struct sl_err *e)
{
    static const struct option options[] = { SL_OPTIONS_LONG,
                                             { "contexts", required_argument, NULL, 'x' },
                                             { "from", required_argument, NULL, 'f' },
                                             { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, options, NULL)) != -1) {
        if (option == 'x') {
            o->contexts = optarg;
        } else if (option == 'f') {
            SL_TRY(from_take(o, optarg, e));
        } else {
            SL_TRY(sl_options_take(&o->common, option, optarg, e));
        }
    }
    o->what = optind + 1 == argc ? argv[optind] : "";
    if (o->common.wants_help || strcmp(o->what, "schema") == 0 ||
        strcmp(o->what, "recovery") == 0 || strcmp(o->what, "recovery-keys") == 0) {
        return SL_OK;
    }
    return SL_FAIL(e, SL_USAGE, "which SQL? say schema, recovery or recovery-keys");
}

static sl_rc print_schema(const struct sql_options *o, struct sl_buf *out, struct sl_err *e)
{
    struct sl_config cfg;

    sl_pg_migrations_sql(out, (unsigned)o->from, SQL_FOR_VERSION);
    if (o->common.config == NULL) {
        return SL_OK;
    }
    SL_TRY(sl_options_load(&o->common, &cfg, e));
    sl_pg_target_sql(out, &cfg);
    if (cfg.postgres.create == SL_CREATE_ADD_COLUMNS) {
        sl_pg_target_add_sql(out, &cfg);
    }
    if (cfg.vault.url.len > 0) {
        sl_buf_add_str(out, SL_STR("-- in the database of the vault:\n"));
        sl_vault_sql(out, &cfg);
    }
    sl_config_done(&cfg);
    return SL_OK;
}

static sl_rc print_keys(const struct sql_options *o, struct sl_buf *out, struct sl_err *e)
{
    sl_str contexts[CONTEXTS_MAX];
    sl_str list = sl_str_of(o->contexts != NULL ? o->contexts : "");
    struct sl_keyring *ring = NULL;
    struct sl_config cfg;
    unsigned n = 0;
    sl_rc rc;

    while (list.len > 0 && n < CONTEXTS_MAX) {
        contexts[n++] = sl_str_trim(sl_str_cut(&list, ','));
    }
    if (n == 0 || list.len > 0) {
        return SL_FAIL(e, SL_USAGE, "which contexts? say --contexts with 1 to %d names",
                       CONTEXTS_MAX);
    }
    SL_TRY(sl_options_load(&o->common, &cfg, e));
    rc = sl_keys_of(&cfg, &ring, e);
    if (rc == SL_OK) {
        rc = sl_pg_recovery_keys(ring, contexts, n, out, e);
    }
    sl_keyring_free(ring);
    sl_config_done(&cfg);
    return rc;
}

static sl_rc sql_print(const struct sql_options *o, struct sl_buf *out, struct sl_err *e)
{
    if (strcmp(o->what, "schema") == 0) {
        return print_schema(o, out, e);
    }
    if (strcmp(o->what, "recovery-keys") == 0) {
        return print_keys(o, out, e);
    }
    sl_pg_recovery_sql(out);
    return SL_OK;
}

int sl_cmd_sql(int argc, char **argv)
{
    struct sql_options o = { 0 };
    struct sl_buf out;
    struct sl_err e;
    int status;

    sl_options_init(&o.common, argv);
    if (sql_parse(argc, argv, &o, &e) != SL_OK) {
        return sl_cmd_fail("sql", &e);
    }
    if (o.common.wants_help) {
        return fputs(sl_help_sql, stdout) < 0;
    }
    sl_buf_init(&out, PRINT_MAX);
    status = sql_print(&o, &out, &e) == SL_OK ? sl_cmd_print(&out) : sl_cmd_fail("sql", &e);
    sl_buf_done(&out);
    return status;
}
