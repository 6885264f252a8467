/* sink/pg_login.c - how the database is entered, where its URL does not say it all. */
#include "sink/pg_login.h"

#include <stdlib.h>

#include "net/aws_rds.h"
#include "net/aws_secret.h"

enum {
    TEXT_MAX = 64 << 10, /* a secret's limit */
    ARENA_MAX = 8 << 20,
};

static void options_done(PQconninfoOption **options)
{
    PQconninfoFree(*options);
}

/* libpq's words on what is wrong quote the text. */
static sl_rc options_read(const char *text, const char *what, PQconninfoOption **ret,
                          struct sl_err *e)
{
    char *words = NULL;

    *ret = PQconninfoParse(text, &words);
    PQfreemem(words);
    return *ret != NULL
               ? SL_OK
               : SL_FAIL(e, SL_DENIED,
                         "%s cannot be read as a URL of PostgreSQL; in a password, characters such "
                         "as / @ %% must be percent-encoded",
                         what);
}

static void word_write(struct sl_buf *out, const char *key, sl_str value)
{
    sl_buf_printf(out, "%s='", key);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'' || value.ptr[i] == '\\') {
            sl_buf_add_char(out, '\\');
        }
        sl_buf_add_char(out, value.ptr[i]);
    }
    sl_buf_add_str(out, SL_STR("' "));
}

static sl_rc text_end(struct sl_buf *out, struct sl_err *e)
{
    sl_buf_add_char(out, '\0');
    return sl_buf_rc(out, e);
}

/* ---- the secret ------------------------------------------------------------------------------ */

/* What RDS keeps there; the port may be a number. */
static sl_rc json_words(const struct sl_json *root, struct sl_buf *out, struct sl_err *e)
{
    static const char *const names[][2] = { { "username", "user" },
                                            { "password", "password" },
                                            { "host", "host" },
                                            { "port", "port" },
                                            { "dbname", "dbname" } };
    const sl_str engine = sl_aws_service_text(root, "engine");

    if (engine.len > 0 && memmem(engine.ptr, engine.len, "postgres", 8) == NULL) {
        return SL_FAIL(e, SL_DENIED, "sink.postgres.url_secret is of another engine");
    }
    if (sl_aws_service_text(root, "username").len == 0 ||
        sl_aws_service_text(root, "password").len == 0) {
        return SL_FAIL(e, SL_DENIED, "sink.postgres.url_secret has no username and password");
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct sl_json *j = sl_json_member(root, sl_str_of(names[i][0]));

        if (j != NULL && (j->type == SL_JSON_STRING || j->type == SL_JSON_NUMBER)) {
            word_write(out, names[i][1], sl_cleartext_publish(j->text));
        }
    }
    return text_end(out, e);
}

static sl_rc json_parse(sl_str text, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *p = NULL;
    SL_AUTO(sl_arena_done) struct sl_arena a;
    enum sl_json_fault fault = SL_JSON_OK;
    const struct sl_json *root = NULL;
    sl_cleartext padded;

    sl_arena_init(&a, ARENA_MAX, 4096);
    SL_TRY(sl_json_parser_new(TEXT_MAX, &p, e));
    SL_TRY(sl_json_padded(sl_cleartext_of(text), &a, &padded, e));
    SL_TRY(sl_json_parse(p, padded, &a, &root, &fault, e));
    return fault == SL_JSON_OK
               ? json_words(root, out, e)
               : SL_FAIL(e, SL_DENIED, "sink.postgres.url_secret begins with '{' and is not JSON");
}

sl_rc sl_pg_login_parse(sl_str text, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(options_done) PQconninfoOption *options = NULL;

    text = sl_str_trim(text);
    if (text.len > 0 && text.ptr[0] == '{') {
        return json_parse(text, out, e);
    }
    sl_buf_add_str(out, text);
    SL_TRY(text_end(out, e));
    return options_read(out->ptr, "sink.postgres.url_secret", &options, e);
}

sl_rc sl_pg_login_read(const struct sl_config *cfg, const struct sl_stop *stop, struct sl_buf *out,
                       struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = TEXT_MAX };
    struct sl_err why = { 0 };
    const sl_rc rc =
        sl_aws_secret_read(cfg, cfg->postgres.url_secret, SL_DENIED, stop, &text, &why);

    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "sink.postgres.url_secret: %.900s", why.msg);
    }
    return sl_pg_login_parse(sl_buf_str(&text), out, e);
}

/* ---- both together --------------------------------------------------------------------------- */

/* What the URL and the secret say; both arrays are of the same words in the same order. */
struct login {
    PQconninfoOption *url;
    PQconninfoOption *kept; /* in the secret; NULL without one */
};

static void login_done(struct login *l)
{
    PQconninfoFree(l->url);
    PQconninfoFree(l->kept);
}

static const char *value_of(const PQconninfoOption *o)
{
    return o->val != NULL && o->val[0] != '\0' ? o->val : NULL;
}

/* Whoever comes in is named by the secret alone, which a rotation may change. */
static const char *login_at(const struct login *l, size_t i)
{
    const bool is_whom =
        strcmp(l->url[i].keyword, "user") == 0 || strcmp(l->url[i].keyword, "password") == 0;
    const char *url = value_of(&l->url[i]);
    const char *secret = l->kept != NULL ? value_of(&l->kept[i]) : NULL;

    return secret != NULL && (is_whom || url == NULL) ? secret : url;
}

/* Else as libpq does: its environment. */
static sl_str login_get(const struct login *l, const char *key, const char *variable)
{
    const char *value = NULL;

    for (size_t i = 0; l->url[i].keyword != NULL; i++) {
        if (strcmp(l->url[i].keyword, key) == 0) {
            value = login_at(l, i);
        }
    }
    value = value != NULL ? value : getenv(variable);
    return sl_str_of(value != NULL ? value : "");
}

static sl_rc token_write(const struct login *l, const struct sl_config *cfg,
                         const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf token = { .max_bytes = TEXT_MAX };
    const sl_str mode = login_get(l, "sslmode", "PGSSLMODE");
    struct sl_aws_rds db = { .host = login_get(l, "host", "PGHOST"),
                             .port = login_get(l, "port", "PGPORT"),
                             .user = login_get(l, "user", "PGUSER") };

    if (db.port.len == 0) {
        db.port = SL_STR("5432");
    }
    if (db.host.len == 0 || db.user.len == 0 || db.host.ptr[0] == '/' ||
        memchr(db.host.ptr, ',', db.host.len) != NULL) {
        return SL_FAIL(e, SL_CONFIG,
                       "sink.postgres.auth: iam needs one host and a user in sink.postgres.url");
    }
    if (!sl_str_eq(mode, SL_STR("require")) && !sl_str_starts(mode, SL_STR("verify-"))) {
        return SL_FAIL(e, SL_CONFIG,
                       "sink.postgres.auth: iam sends a token that must not be seen: say "
                       "sslmode=verify-full and sslrootcert in sink.postgres.url, or "
                       "sslmode=require at least");
    }
    SL_TRY(sl_aws_rds_enter(&db, cfg, stop, &token, e));
    word_write(out, "password", sl_buf_str(&token));
    word_write(out, "sslmode", mode); /* a service file would overrule PGSSLMODE */
    return SL_OK;
}

static sl_rc login_write(const struct login *l, const struct sl_config *cfg,
                         const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
{
    const bool is_iam = cfg->postgres.auth == SL_AUTH_IAM;

    for (size_t i = 0; l->url[i].keyword != NULL; i++) {
        const char *value = login_at(l, i);

        if (value != NULL && !(is_iam && strcmp(l->url[i].keyword, "password") == 0)) {
            word_write(out, l->url[i].keyword, sl_str_of(value));
        }
    }
    if (is_iam) {
        SL_TRY(token_write(l, cfg, stop, out, e));
    }
    return text_end(out, e);
}

sl_rc sl_pg_login_write(const struct sl_config *cfg, struct sl_buf *secret,
                        const struct sl_stop *stop, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(login_done) struct login l = { 0 };
    const char *url = cfg->postgres.url.len > 0 ? cfg->postgres.url.ptr : "";

    if (cfg->postgres.url_secret.len == 0 && cfg->postgres.auth == SL_AUTH_PASSWORD) {
        sl_buf_add_str(out, cfg->postgres.url);
        return text_end(out, e);
    }
    SL_TRY(options_read(url, "sink.postgres.url", &l.url, e));
    if (cfg->postgres.url_secret.len > 0) {
        if (secret->len == 0) {
            SL_TRY(sl_pg_login_read(cfg, stop, secret, e));
        }
        SL_TRY(options_read(secret->ptr, "sink.postgres.url_secret", &l.kept, e));
    }
    return login_write(&l, cfg, stop, out, e);
}

bool sl_pg_login_is_verified(PGconn *pg)
{
    SL_AUTO(options_done) PQconninfoOption *options = PQconninfo(pg);

    for (size_t i = 0; options != NULL && options[i].keyword != NULL; i++) {
        if (strcmp(options[i].keyword, "sslmode") == 0) {
            return options[i].val != NULL && strcmp(options[i].val, "verify-full") == 0;
        }
    }
    return false;
}
