/* sink/pg_conn.c - one PostgreSQL connection in the worker's one wait. */
#include "sink/pg_conn.h"

#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "sink/pg_login.h"

enum {
    CONNECT_MS = 10000,
    URGENT_MS = 15000,      /* left to the server once a stop is urgent */
    LOOK_UP_MS = 1000,      /* between two looks whether it is */
    COPY_CHUNK = 256 << 10, /* bytes; bounds what libpq buffers */
    PARAMS_MAX = 16,
    LOGIN_MAX = 128 << 10, /* a secret has 64 KiB at most, and may be escaped */
};

static int64_t statement_due_ms(const struct sl_pg_conn *c)
{
    return sl_clock_now_ms() +
           (c->statement_ms > 0 ? c->statement_ms : SL_FAULT_MS(SL_PG_STATEMENT_MS));
}

void sl_pg_clear(PGresult **result)
{
    PQclear(*result);
    *result = NULL;
}

/* What the secret said stays: with AWS away, too, the database can be entered again. */
static void conn_drop(struct sl_pg_conn *c)
{
    PQfinish(c->pg);
    c->pg = NULL;
}

void sl_pg_close(struct sl_pg_conn *c)
{
    conn_drop(c);
    sl_buf_done(&c->said);
}

/* In mid-query libpq's own text may still hold what the server said of a row. */
static sl_rc conn_lost(struct sl_pg_conn *c, struct sl_err *e)
{
    conn_drop(c);
    return SL_FAIL(e, SL_DISCONNECTED, "the connection to PostgreSQL was lost");
}

static sl_rc conn_refused(struct sl_pg_conn *c, struct sl_err *e)
{
    const sl_rc rc = sl_pg_err_connection(c->pg, e);

    conn_drop(c);
    return rc;
}

/* Notices quote rows as errors do, and would go to stderr. */
static void ignore_notice(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

static sl_rc conn_timeout(struct sl_pg_conn *c, const char *what, struct sl_err *e)
{
    conn_drop(c);
    return SL_FAIL(e, SL_TIMEOUT, "PostgreSQL did not answer in time while %s", what);
}

/* Wait for the socket.  *ret_ready may be 0: woken; look and come again. */
static sl_rc conn_wait(struct sl_pg_conn *c, short events, int64_t *due_ms, const char *what,
                       short *ret_ready, struct sl_err *e)
{
    const int64_t now_ms = sl_clock_now_ms();
    const bool is_urgent = c->stop != NULL && atomic_load(&c->stop->is_urgent);
    const int64_t look_ms = now_ms + LOOK_UP_MS;

    if (is_urgent && *due_ms > now_ms + URGENT_MS) {
        *due_ms = now_ms + URGENT_MS;
    }
    *ret_ready =
        c->wait.until(c->wait.self, PQsocket(c->pg), events, look_ms < *due_ms ? look_ms : *due_ms);
    return *ret_ready == 0 && sl_clock_now_ms() >= *due_ms ? conn_timeout(c, what, e) : SL_OK;
}

/* Keywords before dbname are presets that the URL may overrule; those after it are not. */
static PGconn *conn_start(const char *url)
{
    static const char *const keys[] = { "fallback_application_name", "keepalives_idle",
                                        "keepalives_interval",       "keepalives_count",
                                        "tcp_user_timeout",          "dbname",
                                        "client_encoding",           NULL };
    const char *const values[] = { "sluice", "30", "10", "3", "60000", url, "UTF8", NULL };

    return PQconnectStartParams(keys, values, 1);
}

static sl_rc conn_open(struct sl_pg_conn *c, struct sl_err *e)
{
    int64_t due_ms;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    SL_AUTO(sl_buf_done) struct sl_buf login = { .max_bytes = LOGIN_MAX };

    if (c->cfg != NULL) {
        c->said.max_bytes = LOGIN_MAX;
        SL_TRY(sl_pg_login_write(c->cfg, &c->said, c->stop, &login, e));
    }
    due_ms = sl_clock_now_ms() + CONNECT_MS;
    c->pg = conn_start(c->cfg != NULL ? login.ptr : c->url);
    if (c->pg == NULL || PQstatus(c->pg) == CONNECTION_BAD) {
        return conn_refused(c, e);
    }
    (void)PQsetNoticeProcessor(c->pg, ignore_notice, NULL);
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        const short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        short ready;

        SL_TRY(conn_wait(c, events, &due_ms, "connecting", &ready, e));
        if (ready != 0) {
            status = PQconnectPoll(c->pg);
        }
    }
    if (status != PGRES_POLLING_OK || PQsetnonblocking(c->pg, 1) != 0) {
        return conn_refused(c, e);
    }
    return SL_OK;
}

/* A rotation changes the secret and then the database, or the other way: what is known may be old. */
static bool secret_has_changed(struct sl_pg_conn *c)
{
    SL_AUTO(sl_buf_done) struct sl_buf now = { .max_bytes = LOGIN_MAX };
    struct sl_buf before;

    if (c->said.len == 0 || sl_pg_login_read(c->cfg, c->stop, &now, NULL) != SL_OK ||
        sl_str_eq(sl_buf_str(&now), sl_buf_str(&c->said))) {
        return false;
    }
    before = c->said;
    c->said = now;
    now = before;
    return true;
}

sl_rc sl_pg_connect(struct sl_pg_conn *c, struct sl_err *e)
{
    sl_rc rc;

    if (c->pg != NULL && PQstatus(c->pg) == CONNECTION_OK) {
        return SL_OK;
    }
    conn_drop(c);
    rc = conn_open(c, e);
    return rc == SL_DENIED && secret_has_changed(c) ? conn_open(c, e) : rc;
}

/* Send what libpq holds; an early error of the server's is read on the way. */
static sl_rc conn_flush(struct sl_pg_conn *c, int64_t *due_ms, struct sl_err *e)
{
    short ready;
    int left;

    while ((left = PQflush(c->pg)) > 0) {
        SL_TRY(conn_wait(c, POLLIN | POLLOUT, due_ms, "sending", &ready, e));
        if ((ready & POLLIN) != 0 && PQconsumeInput(c->pg) == 0) {
            return conn_lost(c, e);
        }
    }
    return left < 0 ? conn_lost(c, e) : SL_OK;
}

static sl_rc conn_result(struct sl_pg_conn *c, int64_t *due_ms, PGresult **ret, struct sl_err *e)
{
    short ready;

    SL_TRY(conn_flush(c, due_ms, e));
    while (PQisBusy(c->pg) != 0) {
        SL_TRY(conn_wait(c, POLLIN, due_ms, "answering", &ready, e));
        if (PQconsumeInput(c->pg) == 0) {
            return conn_lost(c, e);
        }
    }
    *ret = PQgetResult(c->pg);
    return SL_OK;
}

static bool is_failure(const PGresult *result)
{
    const ExecStatusType status = PQresultStatus(result);

    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
           status == PGRES_NONFATAL_ERROR || status == PGRES_EMPTY_QUERY;
}

/* A session keeps what it was given at its start: read-only it stays, after the server is not. */
static bool is_useless(const struct sl_pg_conn *c, sl_rc rc)
{
    return PQstatus(c->pg) != CONNECTION_OK ||
           (rc != SL_OK && strcmp(c->fault.sqlstate, "25006") == 0);
}

/* Read results until there are no more, or COPY wants its data.  The last one is kept; after a
 * failure that one. */
static sl_rc conn_results(struct sl_pg_conn *c, enum sl_pg_step step, int64_t *due_ms,
                          PGresult **ret, struct sl_err *e)
{
    sl_rc rc = SL_OK;

    for (;;) {
        PGresult *result = NULL;

        SL_TRY(conn_result(c, due_ms, &result, e));
        if (result == NULL) {
            break;
        }
        if (rc == SL_OK) {
            PQclear(*ret);
            *ret = result;
            rc =
                is_failure(result) ? sl_pg_err_result(result, step, c->table, &c->fault, e) : SL_OK;
        } else {
            PQclear(result);
        }
        if (rc == SL_OK && PQresultStatus(*ret) == PGRES_COPY_IN) {
            return SL_OK;
        }
    }
    if (is_useless(c, rc)) {
        conn_drop(c);
        return rc != SL_OK ? rc : SL_FAIL(e, SL_DISCONNECTED, "the connection was lost");
    }
    return rc;
}

static int conn_send(struct sl_pg_conn *c, const char *sql, const struct sl_pg_param *params,
                     unsigned params_n)
{
    Oid types[PARAMS_MAX];
    const char *values[PARAMS_MAX];
    int lengths[PARAMS_MAX];
    int formats[PARAMS_MAX];

    if (params_n == 0) {
        return PQsendQuery(c->pg, sql);
    }
    for (unsigned i = 0; i < params_n; i++) {
        types[i] = params[i].type;
        values[i] = params[i].bytes;
        lengths[i] = (int)params[i].len;
        formats[i] = 1;
    }
    return PQsendQueryParams(c->pg, sql, (int)params_n, types, values, lengths, formats, 1);
}

sl_rc sl_pg_exec(struct sl_pg_conn *c, enum sl_pg_step step, const char *sql,
                 const struct sl_pg_param *params, unsigned params_n, PGresult **ret,
                 struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    int64_t due_ms = statement_due_ms(c);

    if (params_n > PARAMS_MAX) {
        return SL_FAIL(e, SL_BUG, "%u parameters", params_n);
    }
    if (conn_send(c, sql, params, params_n) == 0) {
        return conn_lost(c, e);
    }
    if (step == SL_PG_COMMIT) {
        SL_TRY(conn_flush(c, &due_ms, e));
        SL_FAULT_POINT(commit_sent);
    }
    SL_TRY(conn_results(c, step, &due_ms, &result, e));
    if (ret != NULL) {
        *ret = result;
        result = NULL;
    }
    return SL_OK;
}

sl_rc sl_pg_run(struct sl_pg_conn *c, struct sl_buf *sql, PGresult **ret, struct sl_err *e)
{
    sl_buf_add_char(sql, '\0');
    SL_TRY(sl_buf_rc(sql, e));
    return sl_pg_exec(c, SL_PG_SESSION, sql->ptr, NULL, 0, ret, e);
}

static sl_rc write_and_commit(struct sl_pg_conn *c, enum sl_pg_step step, const char *sql,
                              const struct sl_pg_param *params, unsigned params_n, PGresult **ret,
                              struct sl_err *e)
{
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, SL_PG_BEGIN, NULL, 0, NULL, e));
    SL_TRY(sl_pg_exec(c, step, sql, params, params_n, ret, e));
    return sl_pg_exec(c, step, "COMMIT", NULL, 0, NULL, e);
}

sl_rc sl_pg_write(struct sl_pg_conn *c, enum sl_pg_step step, const char *sql,
                  const struct sl_pg_param *params, unsigned params_n, PGresult **ret,
                  struct sl_err *e)
{
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;
    sl_rc rc;

    if (PQtransactionStatus(c->pg) != PQTRANS_IDLE) {
        return sl_pg_exec(c, step, sql, params, params_n, ret, e);
    }
    rc = write_and_commit(c, step, sql, params, params_n, &result, e);
    if (rc != SL_OK) {
        sl_pg_rollback(c);
    } else if (ret != NULL) {
        *ret = result;
        result = NULL;
    }
    return rc;
}

void sl_pg_rollback(struct sl_pg_conn *c)
{
    const struct sl_pg_fault fault = c->fault;

    if (c->pg != NULL && PQtransactionStatus(c->pg) != PQTRANS_IDLE &&
        sl_pg_exec(c, SL_PG_SESSION, "ROLLBACK", NULL, 0, NULL, NULL) != SL_OK) {
        conn_drop(c);
    }
    c->fault = fault; /* of what failed first */
}

sl_rc sl_pg_probe(struct sl_pg_conn *c, struct sl_err *e)
{
    static const char sql[] = "SELECT pg_is_in_recovery() OR"
                              " current_setting('transaction_read_only') = 'on'";
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    SL_TRY(sl_pg_connect(c, e));
    SL_TRY(sl_pg_exec(c, SL_PG_SESSION, sql, NULL, 0, &result, e));
    if (PQgetvalue(result, 0, 0)[0] == 't') {
        return SL_FAIL(e, SL_UNAVAILABLE, "the database is read-only, as after a failover");
    }
    return SL_OK;
}

sl_rc sl_pg_copy(struct sl_pg_conn *c, enum sl_pg_step step, const char *sql, sl_str data,
                 struct sl_err *e)
{
    int64_t due_ms = statement_due_ms(c);
    SL_AUTO(sl_pg_clear) PGresult *result = NULL;

    if (PQsendQuery(c->pg, sql) == 0) {
        return conn_lost(c, e);
    }
    SL_TRY(conn_results(c, step, &due_ms, &result, e));
    if (PQresultStatus(result) != PGRES_COPY_IN) {
        return SL_FAIL(e, SL_BUG, "COPY did not ask for data");
    }
    for (size_t at = 0; at < data.len; at += COPY_CHUNK) {
        const size_t n = data.len - at < COPY_CHUNK ? data.len - at : COPY_CHUNK;

        /* 0 means that nothing was taken, for want of memory */
        if (PQputCopyData(c->pg, data.ptr + at, (int)n) <= 0) {
            return conn_lost(c, e);
        }
        SL_TRY(conn_flush(c, &due_ms, e));
        SL_FAULT_POINT(in_copy);
    }
    if (PQputCopyEnd(c->pg, NULL) <= 0) {
        return conn_lost(c, e);
    }
    return conn_results(c, step, &due_ms, &result, e);
}
