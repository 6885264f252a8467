/* tests/unit/test_pg_err.c - whose fault it is, where, and that nothing that a server quotes leaves.
 *
 * The program asks the function below in place of libpq's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sink/pg_err.h"

static const char *said_sqlstate;
static const char *said_context;
static const char *said_severity;

char *PQresultErrorField(const PGresult *result, int code)
{
    (void)result;
    return (char *)(uintptr_t)(code == PG_DIAG_SQLSTATE   ? said_sqlstate
                               : code == PG_DIAG_CONTEXT  ? said_context
                               : code == PG_DIAG_SEVERITY ? said_severity
                                                          : NULL);
}

static struct sl_pg_fault judge(enum sl_pg_step step, const char *sqlstate, const char *context,
                                sl_rc rc)
{
    struct sl_pg_fault fault;
    struct sl_err e = { 0 };

    said_sqlstate = sqlstate;
    said_context = context;
    assert_int_equal(sl_pg_err_result(NULL, step, "user_logins", &fault, &e), rc);
    assert_string_equal(e.sqlstate, sqlstate != NULL ? sqlstate : "");
    assert_null(strstr(e.msg, "secret"));
    return fault;
}

static unsigned long line_of(const char *context)
{
    return judge(SL_PG_ROWS, "P0001", context, SL_ROW).line;
}

static void a_row_is_to_blame_only_while_rows_are_loaded(void **state)
{
    (void)state;
    (void)judge(SL_PG_ROWS, "22001", NULL, SL_ROW);
    (void)judge(SL_PG_COMMIT, "23503", NULL, SL_ROW);
    (void)judge(SL_PG_LEDGER, "22001", NULL, SL_TABLE);
    (void)judge(SL_PG_SESSION, "22001", NULL, SL_TABLE);
    (void)judge(SL_PG_ROWS, "22P03", NULL, SL_TABLE);
    (void)judge(SL_PG_ROWS, "40P01", NULL, SL_UNAVAILABLE);
    (void)judge(SL_PG_ROWS, NULL, NULL, SL_DISCONNECTED);
}

/* PgBouncer has that one SQLSTATE for all that it has to say. */
static void a_pooler_without_a_server_is_no_fault_of_the_table(void **state)
{
    (void)state;
    said_severity = "FATAL";
    (void)judge(SL_PG_ROWS, "08P01", NULL, SL_DISCONNECTED);
    (void)judge(SL_PG_ROWS, "57P01", NULL, SL_UNAVAILABLE);
    said_severity = "ERROR";
    (void)judge(SL_PG_ROWS, "08P01", NULL, SL_TABLE);
    said_severity = NULL;
}

static void finds_the_line_of_copy(void **state)
{
    (void)state;
    assert_int_equal(line_of("COPY user_logins, line 3, column ip"), 3);
    assert_int_equal(line_of("COPY user_logins, line 12: \"secret\""), 12);
    assert_int_equal(line_of("PL/pgSQL function f() line 3 at RAISE\nCOPY user_logins, line 7"), 7);
    assert_int_equal(line_of("COPY other, line 3"), 0);
    assert_int_equal(line_of("COPY user_logins, Zeile 3"), 0);
    assert_int_equal(line_of(""), 0);
    assert_int_equal(line_of(NULL), 0);
}

static void what_a_trigger_quotes_is_not_the_line_of_copy(void **state)
{
    (void)state;
    assert_int_equal(line_of("SQL statement \"SELECT '\nCOPY user_logins, line 5\n'\"\n"
                             "PL/pgSQL function f() line 3 at EXECUTE\n"
                             "COPY user_logins, line 2"),
                     2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_to_blame_only_while_rows_are_loaded),
        cmocka_unit_test(a_pooler_without_a_server_is_no_fault_of_the_table),
        cmocka_unit_test(finds_the_line_of_copy),
        cmocka_unit_test(what_a_trigger_quotes_is_not_the_line_of_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
