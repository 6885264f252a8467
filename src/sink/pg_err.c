/* sink/pg_err.c - the only reader of server messages. */
#include "sink/pg_err.h"

#include <stdio.h>
#include <stdlib.h>

/* Longest prefix first: the first that matches decides.  FATAL: the connection ends with it.
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
static const struct {
    const char *prefix;
    sl_rc rc;
    const char *text;
} states[] = {
    { "08P01 FATAL", SL_DISCONNECTED, "ended by a pooler: it has no server" },
    { "08P01", SL_TABLE, "protocol violation" },
    { "22P03", SL_TABLE, "invalid binary representation" },
    { "22P04", SL_TABLE, "bad COPY file format" },
    { "25006", SL_UNAVAILABLE, "read-only transaction, as after a failover" },
    { "3D000", SL_DENIED, "no such database" },
    { "42501", SL_DENIED, "insufficient privilege" },
    { "55006", SL_UNAVAILABLE, "object in use" },
    { "55P03", SL_UNAVAILABLE, "lock not available" },
    { "08", SL_DISCONNECTED, "connection exception" },
    { "21", SL_ROW, "cardinality violation" },
    { "22", SL_ROW, "data exception" },
    { "23", SL_ROW, "integrity constraint violation" },
    { "28", SL_DENIED, "invalid authorization" },
    { "38", SL_ROW, "external routine exception" },
    { "39", SL_ROW, "external routine invocation exception" },
    { "40", SL_UNAVAILABLE, "transaction rollback: deadlock, serialization failure" },
    { "44", SL_ROW, "with check option violation" },
    { "53", SL_UNAVAILABLE, "insufficient resources: disk, memory, connections" },
    { "54", SL_ROW, "program limit exceeded" },
    { "57", SL_UNAVAILABLE, "operator intervention: cancel, shutdown, starting up" },
    { "58", SL_UNAVAILABLE, "system error: I/O" },
    { "P0", SL_ROW, "raised by a trigger or function" },
    { "", SL_TABLE, "anything else: the catalog or the server, no row" },
};

static size_t state_find(const char *sqlstate, bool is_fatal)
{
    char said[16];
    size_t i = 0;

    (void)snprintf(said, sizeof said, "%s%s", sqlstate, is_fatal ? " FATAL" : "");
    while (strncmp(said, states[i].prefix, strlen(states[i].prefix)) != 0) {
        i++;
    }
    return i;
}

static void fault_field(const PGresult *result, int code, char *out, size_t size)
{
    const char *text = PQresultErrorField(result, code);

    (void)snprintf(out, size, "%s", text != NULL ? text : "");
}

/* A pooler says it in English alone. */
static bool is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    severity = severity != NULL ? severity : PQresultErrorField(result, PG_DIAG_SEVERITY);
    return severity != NULL && strcmp(severity, "FATAL") == 0;
}

/* "COPY user_logins, line 3, column ip: ..." in CONTEXT.  Lines of a trigger's stand before it, and
 * may quote anything; COPY is outermost, so the last one counts.  A server that speaks another
 * language says "line" otherwise, which halving makes up for. */
static unsigned long context_line(const char *context, const char *table)
{
    const size_t table_len = strlen(table);
    unsigned long line = 0;

    while (context != NULL && *context != '\0') {
        const char *end = strchr(context, '\n');

        if (strncmp(context, "COPY ", 5) == 0 && strncmp(context + 5, table, table_len) == 0 &&
            strncmp(context + 5 + table_len, ", line ", 7) == 0) {
            line = strtoul(context + 5 + table_len + 7, NULL, 10);
        }
        context = end != NULL ? end + 1 : NULL;
    }
    return line;
}

static void fault_read(const PGresult *result, const char *table, struct sl_pg_fault *f)
{
    *f = (struct sl_pg_fault){ 0 };
    fault_field(result, PG_DIAG_SQLSTATE, f->sqlstate, sizeof f->sqlstate);
    fault_field(result, PG_DIAG_SCHEMA_NAME, f->schema, sizeof f->schema);
    fault_field(result, PG_DIAG_TABLE_NAME, f->table, sizeof f->table);
    fault_field(result, PG_DIAG_COLUMN_NAME, f->column, sizeof f->column);
    fault_field(result, PG_DIAG_CONSTRAINT_NAME, f->constraint, sizeof f->constraint);
    f->line = context_line(PQresultErrorField(result, PG_DIAG_CONTEXT), table);
}

static const char *labelled(char *out, size_t size, const char *label, const char *name)
{
    (void)snprintf(out, size, "%s%s", *name != '\0' ? label : "", name);
    return out;
}

sl_rc sl_pg_err_result(const PGresult *result, enum sl_pg_step step, const char *table,
                       struct sl_pg_fault *ret_fault, struct sl_err *e)
{
    struct sl_pg_fault *f = ret_fault;
    char in_table[96];
    char in_column[96];
    char of_constraint[96];
    size_t state;
    sl_rc rc;

    fault_read(result, table, f);
    if (f->sqlstate[0] == '\0') {
        return SL_FAIL(e, SL_DISCONNECTED, "the connection to PostgreSQL was lost");
    }
    state = state_find(f->sqlstate, is_fatal(result));
    rc = states[state].rc;
    if (rc == SL_ROW && step != SL_PG_ROWS && step != SL_PG_COMMIT) {
        rc = SL_TABLE;
    }
    rc = SL_FAIL(e, rc, "PostgreSQL refuses with SQLSTATE %s (%s)%s%s%s", f->sqlstate,
                 states[state].text, labelled(in_table, sizeof in_table, ", table ", f->table),
                 labelled(in_column, sizeof in_column, ", column ", f->column),
                 labelled(of_constraint, sizeof of_constraint, ", constraint ", f->constraint));
    if (e != NULL) {
        memcpy(e->sqlstate, f->sqlstate, sizeof e->sqlstate);
    }
    return rc;
}

/* What the server says at the door, and whether waiting can help. */
static sl_rc door_refused(sl_str line, struct sl_err *e)
{
    static const char *const finals[] = { "authentication failed", "does not exist",
                                          "no pg_hba.conf entry", "permission denied" };
    char text[256];

    (void)snprintf(text, sizeof text, "%" SL_FMT, SL_ARG(line));
    for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
        if (strstr(text, finals[i]) != NULL) {
            return SL_FAIL(e, SL_DENIED, "PostgreSQL refuses the connection: %s", text);
        }
    }
    return SL_FAIL(e, SL_UNAVAILABLE, "could not connect to PostgreSQL: %s", text);
}

/* Where it was tried: the address, or the directory of the socket.  Not the host as it was read:
 * that may be a piece of the password. */
static const char *place_of(const PGconn *conn, char *out, size_t size)
{
    const char *host = PQhost(conn);
    const char *address = PQhostaddr(conn);

    out[0] = '\0';
    if (address != NULL && *address != '\0') {
        (void)snprintf(out, size, " at %s, port %s", address, PQport(conn));
    } else if (host != NULL && *host == '/') {
        (void)snprintf(out, size, " at socket %s/.s.PGSQL.%s", host, PQport(conn));
    }
    return out;
}

/* libpq quotes pieces of the URL, and a password that was not percent-encoded ends up in them: of
 * its own texts only known parts are repeated. */
sl_rc sl_pg_err_connection(const PGconn *conn, struct sl_err *e)
{
    static const struct {
        const char *part;
        sl_rc rc;
        const char *meaning;
    } known[] = {
        { "no password supplied", SL_DENIED,
          "a password is needed: PGPASSWORD, a passfile or a service file" },
        { "Connection refused", SL_DISCONNECTED, "nothing listens there" },
        { "No such file or directory", SL_DISCONNECTED, "there is no such socket" },
        { "could not translate host name", SL_DISCONNECTED, "the host name is not known" },
        { "session is ", SL_DISCONNECTED,
          "none of its servers is of the kind that target_session_attrs asks for" },
        { " in hot standby mode", SL_DISCONNECTED,
          "none of its servers is of the kind that target_session_attrs asks for" },
        { "Too many open files", SL_DISCONNECTED,
          "no file descriptor is left: raise the limit of open files, or have fewer workers" },
        { "timeout", SL_TIMEOUT, "no answer in time" },
        { "Network is unreachable", SL_DISCONNECTED, "the network is not reachable" },
        { "does not match host name", SL_DISCONNECTED,
          "the server's certificate is of another host" },
        { "certificate verify failed", SL_DISCONNECTED,
          "the server's certificate is of no authority in sslrootcert, or not valid today" },
        { "root certificate file", SL_DISCONNECTED,
          "there is no sslrootcert to verify the server's certificate with" },
        { "private key file", SL_DISCONNECTED,
          "sslkey, the key of our certificate, cannot be read, or others may read it" },
        { " alert ", SL_DISCONNECTED,
          "the server breaks TLS off: it may not accept our certificate, sslcert" },
        { "certificate", SL_DISCONNECTED, "the server's certificate is not accepted" },
        { "SSL", SL_DISCONNECTED, "TLS could not be agreed on" },
        { "server closed the connection", SL_DISCONNECTED, "the server hung up" },
        { "Connection reset", SL_DISCONNECTED, "the server hung up" },
    };

    const char *text = conn != NULL ? PQerrorMessage(conn) : "";
    const char *fatal = strstr(text, "FATAL:  ");
    sl_str line = sl_str_of(fatal != NULL ? fatal + strlen("FATAL:  ") : "");
    char place[256];

    if (fatal != NULL) {
        return door_refused(sl_str_trim(sl_str_cut(&line, '\n')), e);
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strstr(text, known[i].part) != NULL) {
            return SL_FAIL(e, known[i].rc, "could not connect to PostgreSQL%s: %s",
                           place_of(conn, place, sizeof place), known[i].meaning);
        }
    }
    return SL_FAIL(e, SL_DISCONNECTED,
                   "could not connect to PostgreSQL: check sink.postgres.url; in a password, "
                   "characters such as / @ %% must be percent-encoded");
}

bool sl_pg_err_is_ledger(const struct sl_pg_fault *fault)
{
    return strcmp(fault->sqlstate, "23505") == 0 && strcmp(fault->schema, "sluice") == 0;
}

void sl_pg_err_manual(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR("| SQLSTATE | meaning | whose fault |\n|---|---|---|\n"));
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        const char *whose = states[i].rc == SL_ROW     ? "the row's: a dead letter"
                            : states[i].rc == SL_TABLE ? "the table's: wait and say so"
                                                       : "an outage: keep the batch, retry";

        sl_buf_printf(out, "| `%s%s` | %s | %s |\n", states[i].prefix,
                      strlen(states[i].prefix) < 5 ? "…" : "", states[i].text, whose);
    }
}
