/* tests/fuzz/fuzz_pg_err.c - any texts as what PostgreSQL and libpq say: only SQLSTATE and names
 * leave, wherever the server quotes a row, and the line of COPY is found behind whatever a trigger
 * says.
 *
 * libpq's functions are replaced by those below, which give out pieces of the input.
 */
#include <inttypes.h>

#include "fuzz.h"
#include "sink/pg_err.h"

#define CANARY "canary-7f3e91"
#define COPY   "COPY user_logins, line "

static struct said {
    const char *sqlstate;
    const char *schema;
    const char *table;
    const char *column;
    const char *constraint;
    const char *context;
    const char *text; /* of the connection */
    const char *host;
    const char *address;
} said;

/* ---- libpq, as far as pg_err.c asks it --------------------------------------------------------- */

char *PQresultErrorField(const PGresult *result, int code)
{
    (void)result;
    switch (code) {
    case PG_DIAG_SEVERITY:
    case PG_DIAG_SEVERITY_NONLOCALIZED:
        return NULL;
    case PG_DIAG_SQLSTATE:
        return (char *)(uintptr_t)said.sqlstate;
    case PG_DIAG_SCHEMA_NAME:
        return (char *)(uintptr_t)said.schema;
    case PG_DIAG_TABLE_NAME:
        return (char *)(uintptr_t)said.table;
    case PG_DIAG_COLUMN_NAME:
        return (char *)(uintptr_t)said.column;
    case PG_DIAG_CONSTRAINT_NAME:
        return (char *)(uintptr_t)said.constraint;
    case PG_DIAG_CONTEXT:
        return (char *)(uintptr_t)said.context;
    default:
        must(false, "a field is asked for that quotes rows");
        return NULL;
    }
}

char *PQerrorMessage(const PGconn *conn)
{
    (void)conn;
    return (char *)(uintptr_t)said.text;
}

char *PQhost(const PGconn *conn)
{
    (void)conn;
    return (char *)(uintptr_t)said.host;
}

char *PQhostaddr(const PGconn *conn)
{
    (void)conn;
    return (char *)(uintptr_t)said.address;
}

char *PQport(const PGconn *conn)
{
    (void)conn;
    return (char *)(uintptr_t) "5432";
}

/* ---- what must hold ---------------------------------------------------------------------------- */

static sl_rc judge(enum sl_pg_step step, struct sl_pg_fault *f, struct sl_err *e)
{
    const sl_rc rc = sl_pg_err_result(NULL, step, "user_logins", f, e);

    must(rc == SL_ROW || sl_rc_fate(rc) == SL_FATE_RETRY, "a judgement of another kind");
    must(rc != SL_ROW || step == SL_PG_ROWS || step == SL_PG_COMMIT, "a row's fault without rows");
    must_say(e, rc);
    must(strlen(f->sqlstate) < sizeof f->sqlstate && strcmp(e->sqlstate, f->sqlstate) == 0,
         "another SQLSTATE is reported");
    return rc;
}

/* CONTEXT says where, and nothing of it is repeated. */
static void check_context(enum sl_pg_step step, struct sl_arena *a)
{
    struct sl_pg_fault f;
    struct sl_pg_fault f_at_7;
    struct sl_err e = { 0 };
    struct sl_err e_at_7 = { 0 };
    const sl_rc rc = judge(step, &f, &e);

    said.context = sl_arena_printf(a, "%s\n" COPY "7, column ip: \"" CANARY "\"", said.context).ptr;
    must(said.context != NULL && judge(step, &f_at_7, &e_at_7) == rc && f_at_7.line == 7,
         "the line of COPY is not found");
    must(strcmp(e.msg, e_at_7.msg) == 0, "a report that depends on CONTEXT");
    f_at_7.line = f.line;
    must(memcmp(&f, &f_at_7, sizeof f) == 0, "a fault that depends on CONTEXT");
}

static void check_result(uint8_t choice, sl_str pieces, struct sl_arena *a)
{
    const char **const places[] = { &said.sqlstate, &said.schema,     &said.table,
                                    &said.column,   &said.constraint, &said.context };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const sl_str piece = sl_str_cut(&pieces, '\0');

        /* A server may leave a field out. */
        *places[i] = piece.ptr == NULL && i < 5 ? NULL : sl_arena_copy(a, piece).ptr;
    }
    check_context((enum sl_pg_step)(choice % (SL_PG_COMMIT + 1)), a);
}

static void check_connection(sl_str pieces, struct sl_arena *a)
{
    const sl_str text = sl_str_cut(&pieces, '\0');
    const bool is_servers = has(text, SL_STR("FATAL:  "));
    struct sl_err e = { 0 };
    sl_rc rc;

    said.text = sl_arena_printf(a, CANARY "%" SL_FMT "\n" CANARY, SL_ARG(text)).ptr;
    said.host = sl_arena_copy(a, sl_str_cut(&pieces, '\0')).ptr;
    said.address = sl_arena_copy(a, pieces).ptr;
    rc = sl_pg_err_connection((const PGconn *)&said, &e);
    must(sl_rc_fate(rc) == SL_FATE_RETRY, "a judgement of another kind");
    must_say(&e, rc);
    must(strstr(e.msg, CANARY) == NULL || is_servers || has(text, SL_STR(CANARY)) ||
             strstr(said.host, CANARY) != NULL || strstr(said.address, CANARY) != NULL,
         "libpq's own words are repeated");
    must(!is_servers || strstr(e.msg, "\n") == NULL, "more than a line is repeated");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };

    if (n == 0) {
        return 0;
    }
    sl_arena_init(&a, 8 << 20, 4096);
    if ((data[0] & 0x80) != 0) {
        check_connection((sl_str){ (const char *)data + 1, n - 1 }, &a);
    } else {
        check_result(data[0], (sl_str){ (const char *)data + 1, n - 1 }, &a);
    }
    return 0;
}
