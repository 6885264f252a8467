/* config/config.c - load a configuration file: read it, apply flags, check what goes together. */
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "config/columns.h"
#include "config/input.h"
#include "config/path.h"
#include "config/queue.h"
#include "config/reading.h"
#include "config/settings.h"
#include "config/yaml.h"

enum {
    FILE_MAX_BYTES = 1 << 20,
    ARENA_MAX_BYTES = 32 << 20, /* the largest tree takes 6 MiB */
    ARENA_BLOCK_BYTES = 16 << 10,
    IDENTIFIER_MAX_BYTES = 63, /* PostgreSQL: NAMEDATALEN - 1 */
};

/* --- flags --------------------------------------------------------------------------------- */

static sl_rc config_override(struct sl_reading *rd, const struct sl_overrides *overrides,
                             struct sl_err *e)
{
    for (unsigned i = 0; overrides != NULL && i < rd->table->n; i++) {
        const struct sl_setting *s = &rd->table->rows[i];
        const struct sl_place place = { .name = s->flag };
        sl_str text = { 0 };

        if (s->flag != NULL) {
            memcpy(&text, (const char *)overrides + s->flag_at, sizeof text);
        }
        if (text.len == 0) {
            continue;
        }
        if (s->kind == SL_KIND_POSTGRES && sl_config_has_password(text)) {
            return SL_FAIL_AT(e, place,
                              "a password on the command line can be read by everybody on this "
                              "machine; use the environment (PGPASSWORD), a passfile or a service "
                              "file");
        }
        SL_TRY(sl_reading_text(rd, i, text, place, e));
    }
    return SL_OK;
}

/* --- what goes together -------------------------------------------------------------------- */

/* A key without its secret would be signed with somebody else's. */
static sl_rc config_check_credentials(const struct sl_reading *rd, const struct sl_yaml *root,
                                      struct sl_err *e)
{
    static const char *const pairs[][2] = {
        { "source.sqs.access_key_id", "source.sqs.secret_access_key" },
        { "source.sqs.secret_access_key", "source.sqs.access_key_id" },
        { "source.sqs.session_token", "source.sqs.access_key_id" },
        { "source.sqs.external_id", "source.sqs.role_arn" },
        { "source.sqs.role_session_name", "source.sqs.role_arn" },
    };

    for (unsigned i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (sl_reading_has(rd, pairs[i][0]) && !sl_reading_has(rd, pairs[i][1])) {
            return SL_FAIL_AT(e, sl_reading_place(rd, root, pairs[i][0]), "%s needs %s, too",
                              pairs[i][0], pairs[i][1]);
        }
    }
    return SL_OK;
}

/* The sources of keys; a flag takes the place of all. */
static const char *const key_sources[] = { "keys.file",    "keys.env", "keys.credential",
                                           "keys.command", "keys.fd",  "keys.kms.file",
                                           "keys.secret" };

static sl_rc config_check_keys(struct sl_config *cfg, const struct sl_reading *rd,
                               const struct sl_yaml *root, const struct sl_overrides *overrides,
                               struct sl_err *e)
{
    const char *given = NULL;

    if (overrides != NULL && overrides->keys.len > 0) {
        cfg->keys.env = cfg->keys.credential = cfg->keys.command = SL_STR("");
        cfg->keys.kms_file = cfg->keys.secret_arn = SL_STR("");
        cfg->keys.fd = 0;
        return SL_OK;
    }
    for (unsigned i = 0; i < sizeof key_sources / sizeof *key_sources; i++) {
        if (!sl_reading_has(rd, key_sources[i])) {
            continue;
        }
        if (given != NULL) {
            return SL_FAIL_AT(e, sl_reading_place(rd, root, key_sources[i]),
                              "keys come from one place: leave out %s or %s", given,
                              key_sources[i]);
        }
        given = key_sources[i];
    }
    return given != NULL ? SL_OK
                         : SL_FAIL_AT(e, sl_reading_place(rd, root, "keys.file"),
                                      "keys.file is missing; give a text, here or with --keys, or "
                                      "one of keys.env, keys.credential, keys.command, keys.fd, "
                                      "keys.kms.file, keys.secret");
}

/* A name of a table, in its parts. */
struct table_name {
    const char *path; /* of the setting */
    sl_str text;
    sl_str *schema;
    sl_str *name;
};

/* The parts of name or schema.name are written as those of a path are. */
static sl_rc config_split_table(struct sl_config *cfg, const struct table_name *t,
                                struct sl_place place, struct sl_err *e)
{
    const struct sl_path_step *parts = NULL;
    struct sl_err fault = { 0 };
    unsigned n = 0;
    bool is_good = sl_path_parse(t->text, &cfg->arena, &parts, &n, &fault) == SL_OK;

    if (!is_good && fault.rc != SL_CONFIG) {
        return SL_FAIL(e, fault.rc, "no memory for the configuration");
    }
    for (unsigned i = 0; i < n; i++) {
        is_good = is_good && !parts[i].is_index && parts[i].name.len > 0 &&
                  parts[i].name.len <= IDENTIFIER_MAX_BYTES;
    }
    if (!is_good || n > 2) {
        return SL_FAIL_AT(e, place,
                          "%s must be name or schema.name, each 1 to %d bytes, in "
                          "double quotes if there is a dot, blank, bracket or quote in it",
                          t->path, IDENTIFIER_MAX_BYTES);
    }
    *t->name = parts[n - 1].name;
    *t->schema = n == 2 ? parts[0].name : SL_STR("");
    if (sl_str_eq(*t->schema, SL_STR("sluice"))) {
        return SL_FAIL_AT(e, place, "the schema sluice is for sluice's own tables; name another");
    }
    return SL_OK;
}

static sl_rc config_split_tables(struct sl_config *cfg, const struct sl_reading *rd,
                                 const struct sl_yaml *root, struct sl_err *e)
{
    const struct table_name target = { "sink.postgres.table", cfg->postgres.table,
                                       &cfg->postgres.table_schema, &cfg->postgres.table_name };
    const sl_str vault_text = cfg->vault.table.len > 0 ? cfg->vault.table : SL_STR("sluice_vault");
    const struct table_name vault = { "vault.table", vault_text, &cfg->vault.table_schema,
                                      &cfg->vault.table_name };

    SL_TRY(config_split_table(cfg, &target, sl_reading_place(rd, root, target.path), e));
    if (cfg->vault.url.len == 0) {
        return !sl_reading_has(rd, vault.path)
                   ? SL_OK
                   : SL_FAIL_AT(e, sl_reading_place(rd, root, vault.path),
                                "vault.table needs vault.url, too");
    }
    cfg->vault.table = vault.text;
    return config_split_table(cfg, &vault, sl_reading_place(rd, root, vault.path), e);
}

/* A vault without anything to keep is a mistake. */
static sl_rc config_check_vault(const struct sl_config *cfg, const struct sl_reading *rd,
                                const struct sl_yaml *root, struct sl_err *e)
{
    bool has_one_way = cfg->vault.url.len == 0;

    for (unsigned i = 0; i < cfg->columns_n; i++) {
        has_one_way =
            has_one_way || (sl_mask_flags(cfg->columns[i].masking.method) & SL_MASK_ONE_WAY) != 0;
    }
    return has_one_way ? SL_OK
                       : SL_FAIL_AT(e, sl_reading_place(rd, root, "vault.url"),
                                    "a vault keeps what mask: hmac and mask: sha256 cannot give "
                                    "back, and no column has one of these");
}

/* Sent to where it came from, a bad message would come back as another one, for ever. */
static sl_rc config_check_dead_letter(const struct sl_config *cfg, const struct sl_reading *rd,
                                      const struct sl_yaml *root, struct sl_err *e)
{
    return cfg->dead_letter != SL_DEAD_LETTER_QUEUE ||
                   !sl_str_eq(cfg->dead_letter_url, cfg->sqs.queue_url)
               ? SL_OK
               : SL_FAIL_AT(e, sl_reading_place(rd, root, "dead_letter"),
                            "dead_letter is the queue that is read; give another one");
}

/* A message that comes once more points to nothing then, and is known by its id alone. */
static sl_rc config_check_objects(const struct sl_config *cfg, const struct sl_reading *rd,
                                  const struct sl_yaml *root, struct sl_err *e)
{
    return !cfg->delete_objects ||
                   (cfg->envelope == SL_ENVELOPE_S3 && cfg->dedup == SL_DEDUP_MESSAGE_ID)
               ? SL_OK
               : SL_FAIL_AT(e, sl_reading_place(rd, root, "delete_objects"),
                            "delete_objects needs envelope: s3 and dedup: message_id");
}

/* The detail of an event is an object, which nobody packs. */
static sl_rc config_check_encoding(const struct sl_config *cfg, const struct sl_reading *rd,
                                   const struct sl_yaml *root, struct sl_err *e)
{
    return cfg->encoding == SL_ENCODING_NONE || cfg->envelope != SL_ENVELOPE_EVENTBRIDGE
               ? SL_OK
               : SL_FAIL_AT(e, sl_reading_place(rd, root, "encoding"),
                            "the detail of an EventBridge event is an object: leave out encoding");
}

/* --- dedup --------------------------------------------------------------------------------- */

static sl_rc config_dedup_path(struct sl_config *cfg, struct sl_place place, struct sl_err *e)
{
    struct sl_column *from = &cfg->dedup_from;
    struct sl_err fault = { 0 };

    if (sl_path_parse(from->from_text, &cfg->arena, &from->path, &from->path_n, &fault) == SL_OK) {
        return SL_OK;
    }
    return fault.rc != SL_CONFIG
               ? SL_FAIL(e, fault.rc, "no memory for the configuration")
               : SL_FAIL_AT(e, place,
                            "dedup: \"%" SL_FMT "\" is no path: %s; write it as a column's from",
                            SL_ARG(sl_yaml_clip(from->from_text)), fault.msg);
}

/* Where the key of a message is, as a column would say it. */
static sl_rc config_dedup(struct sl_config *cfg, const struct sl_reading *rd,
                          const struct sl_yaml *root, struct sl_err *e)
{
    const struct sl_place place = sl_reading_place(rd, root, "dedup");
    struct sl_column *from = &cfg->dedup_from;
    const struct sl_fact_row *fact;

    from->from = SL_FROM_BODY;
    from->from_text = cfg->dedup_field;
    if (cfg->dedup != SL_DEDUP_FIELD) {
        return SL_OK;
    }
    from->from = SL_FROM_PATH;
    if (from->from_text.ptr[0] != '$') {
        return config_dedup_path(cfg, place, e);
    }
    fact = sl_fact_find(from);
    if (fact == NULL || fact->from != SL_FROM_ATTRIBUTE) {
        return SL_FAIL_AT(e, place,
                          "\"%" SL_FMT "\" makes no two messages the same; allowed after field: a "
                          "path in the body, or $attribute.NAME",
                          SL_ARG(sl_yaml_clip(from->from_text)));
    }
    from->from = fact->from;
    return SL_OK;
}

bool sl_config_is_keyed(const struct sl_config *cfg)
{
    const sl_str fifo = SL_STR(".fifo"); /* what SQS asks of the name of every FIFO queue */
    const sl_str name = cfg->sqs.queue_url.len > 0 ? cfg->sqs.queue_url : cfg->sqs.queue_name;

    return cfg->dedup != SL_DEDUP_MESSAGE_ID ||
           (name.len > fifo.len && memcmp(name.ptr + name.len - fifo.len, fifo.ptr, fifo.len) == 0);
}

/* Whether it can be listened on is seen at the start of a run. */
static void config_http(struct sl_config *cfg, const struct sl_reading *rd,
                        const struct sl_yaml *root)
{
    const struct sl_place place = sl_reading_place(rd, root, "http.listen");

    cfg->http.line = place.line;
    cfg->http.column = place.column;
}

/* --- a whole configuration ----------------------------------------------------------------- */

static sl_rc config_fill(struct sl_config *cfg, const struct sl_yaml *root,
                         const struct sl_overrides *overrides, struct sl_arena *scratch,
                         struct sl_err *e)
{
    struct sl_reading rd = {
        .table = &sl_settings,
        .prefix = "",
        .base = cfg,
        .a = &cfg->arena,
        .scratch = scratch,
    };

    sl_reading_presets(&rd);
    SL_TRY(sl_reading_map(&rd, root, e));
    SL_TRY(config_override(&rd, overrides, e));
    SL_TRY(sl_reading_require(&rd, root, e));
    SL_TRY(sl_input_choose(cfg, &rd, root, overrides, e));
    SL_TRY(sl_queue_read(cfg, &rd, root, overrides, e));
    SL_TRY(config_check_credentials(&rd, root, e));
    SL_TRY(config_check_keys(cfg, &rd, root, overrides, e));
    SL_TRY(config_check_dead_letter(cfg, &rd, root, e));
    SL_TRY(config_check_encoding(cfg, &rd, root, e));
    SL_TRY(config_check_objects(cfg, &rd, root, e));
    SL_TRY(config_split_tables(cfg, &rd, root, e));
    SL_TRY(config_dedup(cfg, &rd, root, e));
    SL_TRY(sl_columns_read(rd.columns, cfg, scratch, e));
    SL_TRY(sl_input_check(cfg, &rd, root, e));
    config_http(cfg, &rd, root);
    return config_check_vault(cfg, &rd, root, e);
}

static sl_rc config_parse(struct sl_config *cfg, sl_str text, const struct sl_overrides *overrides,
                          struct sl_arena *scratch, struct sl_err *e)
{
    const struct sl_yaml *root = NULL;

    if (text.len > FILE_MAX_BYTES) {
        return SL_FAIL(e, SL_CONFIG, "%" SL_FMT " is over 1 MiB, which no configuration needs",
                       SL_ARG(cfg->file));
    }
    SL_TRY(sl_yaml_parse(cfg->file.ptr, text, scratch, &root, e));
    if (root == NULL || root->is_null) {
        return SL_FAIL(e, SL_CONFIG, "%" SL_FMT " is empty; `sluice docs config` has an example",
                       SL_ARG(cfg->file));
    }
    return config_fill(cfg, root, overrides, scratch, e);
}

sl_rc sl_config_parse(const char *name, sl_str text, const struct sl_overrides *overrides,
                      struct sl_config *ret, struct sl_err *e)
{
    struct sl_config cfg = { 0 };
    SL_AUTO(sl_arena_done) struct sl_arena scratch;
    sl_rc rc;

    sl_arena_init(&scratch, ARENA_MAX_BYTES, ARENA_BLOCK_BYTES);
    sl_arena_init(&cfg.arena, ARENA_MAX_BYTES, ARENA_BLOCK_BYTES);
    cfg.file = sl_arena_copy(&cfg.arena, sl_str_of(name));
    rc = cfg.file.ptr == NULL ? SL_FAIL(e, SL_NOMEM, "no memory for the configuration")
                              : config_parse(&cfg, text, overrides, &scratch, e);
    if (rc != SL_OK) {
        sl_config_done(&cfg);
        return rc;
    }
    *ret = cfg;
    return SL_OK;
}

/* --- the file ------------------------------------------------------------------------------ */

static void file_close(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static sl_rc file_refuse(const char *file, int reason, struct sl_err *e)
{
    const char *text = reason == ENOENT   ? "there is no such file"
                       : reason == EISDIR ? "it is a directory"
                                          : strerrordesc_np(reason);

    if (text == NULL || text[0] == '\0') {
        text = "unknown error";
    }
    return SL_FAIL(e, SL_CONFIG, "cannot read %s: %c%s", file, tolower((unsigned char)text[0]),
                   text + 1);
}

/* One byte more than is allowed is enough to see that it is too long. */
static sl_rc file_read(const char *file, struct sl_buf *out, struct sl_err *e)
{
    SL_AUTO(file_close) const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t got;

    if (fd < 0) {
        return file_refuse(file, errno, e);
    }
    do {
        char *room = sl_buf_reserve(out, 4096);

        if (room == NULL) {
            return sl_buf_rc(out, e);
        }
        got = read(fd, room, 4096);
        if (got < 0 && errno != EINTR) {
            return file_refuse(file, errno, e);
        }
        out->len += got > 0 ? (size_t)got : 0;
    } while (got != 0 && out->len <= FILE_MAX_BYTES);
    return SL_OK;
}

sl_rc sl_config_load(const char *file, const struct sl_overrides *overrides, struct sl_config *ret,
                     struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text;

    sl_buf_init(&text, FILE_MAX_BYTES + 8192);
    SL_TRY(file_read(file, &text, e));
    return sl_config_parse(file, sl_buf_str(&text), overrides, ret, e);
}

void sl_config_done(struct sl_config *cfg)
{
    sl_arena_done(&cfg->arena);
}

bool sl_config_has_own_attributes(const struct sl_config *cfg)
{
    return cfg->envelope == SL_ENVELOPE_SNS || cfg->envelope == SL_ENVELOPE_EVENTBRIDGE;
}

bool sl_config_wants_trace(const struct sl_config *cfg)
{
    bool wants = cfg->tracing;

    for (unsigned i = 0; i < cfg->columns_n; i++) {
        wants = wants || cfg->columns[i].from == SL_FROM_TRACE_ID;
    }
    return wants;
}
