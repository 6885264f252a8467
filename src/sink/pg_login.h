/* sink/pg_login.h - how the database is entered, where its URL does not say it all: by a secret that
 * AWS keeps, by a token that RDS takes. */
#ifndef SLUICE_SINK_PG_LOGIN_H
#define SLUICE_SINK_PG_LOGIN_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/stop.h"
#include "config/config.h"

/* Write what libpq connects with, followed by a NUL: the URL; with a secret, all that either says,
 * user and password the secret's, the rest as the URL has it first; with auth: iam, a token in place of
 * the password.
 *
 * Shape:   *secret is what sl_pg_login_read read last, "" for nothing yet: then it is read
 * Owns:    the caller wipes `out` and *secret
 * Errors:  SL_DENIED (retry)  the URL or the secret is none; what they have is never said
 *          SL_CONFIG (stop)   a token, and no host, no user, or no TLS
 *          those of sl_pg_login_read and sl_aws_rds_enter
 * Blocks:  as those
 */
sl_rc sl_pg_login_write(const struct sl_config *cfg, struct sl_buf *secret,
                        const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
    SL_MUST_CHECK;

/* Read the secret as it is now, in libpq's words.
 *
 * Shape:   its text is a URL, key=value words, or RDS's JSON: username, password, host, port, dbname
 * Errors:  SL_DENIED (retry)  it is none of these, or not there; those of sl_aws_secret_read
 * Blocks:  as sl_aws_secret_read
 */
sl_rc sl_pg_login_read(const struct sl_config *cfg, const struct sl_stop *stop, struct sl_buf *out,
                       struct sl_err *e) SL_MUST_CHECK;

/* The same of a text; pure. */
sl_rc sl_pg_login_parse(sl_str text, struct sl_buf *out, struct sl_err *e) SL_MUST_CHECK;

/* Whether the server was shown to be the one of the URL's host: sslmode=verify-full. */
bool sl_pg_login_is_verified(PGconn *pg);

#endif
