/* config/columns.c - the list of columns: its settings, the types, the facts of a message. */
#include "config/columns.h"

#include <strings.h>

#include "config/masks.h"
#include "config/path.h"
#include "config/reading.h"

enum {
    NAME_MAX_BYTES = 63, /* PostgreSQL: NAMEDATALEN - 1 */
    VARCHAR_MAX_CHARS = 10485760,
    ATTRIBUTE_MAX_CHARS = 256, /* SQS: name of a message attribute */
};

#define AT(m) .member = #m, .at = offsetof(struct sl_column, m)

static const struct sl_setting rows[] = {
    {
        .path = "columns.name",
        AT(name),
        .kind = SL_KIND_TEXT,
        .min = 1,
        .max = NAME_MAX_BYTES,
        .is_required = true,
        .doc = "The column of the table, exactly as it is called there.",
    },
    {
        .path = "columns.from",
        AT(from_text),
        .kind = SL_KIND_FROM,
        .min = 1,
        .max = 512,
        .is_required = true,
        .doc = "Where the value comes from: a field (`user_id`), a path (`device.id`, `tags[0]`, "
               "`\"odd.name\".x`) or a fact of the message.",
    },
    {
        .path = "columns.type",
        AT(type_text),
        .kind = SL_KIND_TYPE,
        .min = 1,
        .max = 64,
        .is_required = true,
        .doc = "The type of the column. A value that does not fit it makes a dead letter.",
    },
    {
        .path = "columns.required",
        AT(is_required),
        .kind = SL_KIND_BOOL,
        .doc = "Whether a record without this value, or with null, is a dead letter.",
    },
    {
        .path = "columns.mask",
        AT(masking.method),
        .kind = SL_KIND_WORD,
        .words = {
#define X(name, word, ...) [SL_MASK_##name] = (word),
#include "masking/methods.def"
#undef X
        },
        .is_said = true,
        .preset_doc = "not masked",
        .doc = "How the value is masked; docs/methods.md says what each method is good for.",
    },
    {
        .path = "columns.context",
        AT(masking.context),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = SL_MASK_CONTEXT_MAX,
        .preset_doc = "the text of `from`",
        .doc = "The context of the mask: equal values have equal tokens within one context. "
               "`dead_letter`, `ledger` and `vault` are taken.",
    },
    {
        .path = "columns.normalize",
        AT(masking.normalize),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 64,
        .preset_doc = "as it came",
        .doc = "What is made equal before masking: one or more of `ip` (spellings of an address), "
               "`lower`, `trim` and `nfc`, with commas between. The first spelling cannot be "
               "recovered.",
    },
    {
        .path = "columns.kid",
        AT(masking.kid),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 8,
        .preset_doc = "the ring's only key",
        .doc = "The key of `ip` and `fpe`, whose results have no room to name one: it stays the "
               "same when another key becomes active. With several keys it must be said.",
    },
    {
        .path = "columns.ip",
        AT(masking.ip),
        .kind = SL_KIND_WORD,
        .words = { [SL_IP_DETERMINISTIC] = "deterministic", [SL_IP_PREFIX] = "prefix" },
        .preset = SL_IP_DETERMINISTIC,
        .doc = "Of `mask: ip`: `prefix` keeps equal networks equal.",
    },
    {
        .path = "columns.alphabet",
        AT(masking.alphabet),
        .kind = SL_KIND_PRINTABLE,
        .min = 2,
        .max = 94,
        .preset_doc = "`0123456789`",
        .doc = "Of `mask: fpe`: the characters that are masked, each once.",
    },
    {
        .path = "columns.format",
        AT(masking.format),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 256,
        .preset_doc = "any number of characters of the alphabet",
        .doc = "Of `mask: fpe`: `d` stands for a character of the alphabet, `\\d` for a d, all "
               "else for itself.",
    },
    {
        .path = "columns.keep",
        AT(masking.keep),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 32,
        .preset_doc = "none",
        .doc = "Of `mask: keep`: `first N`, `last N`, `/24`, `/48`, `/24 /48`, `domain` or `year`.",
    },
    {
        .path = "columns.value",
        AT(masking.value),
        .kind = SL_KIND_TEXT,
        .min = 1,
        .max = 256,
        .preset_doc = "none",
        .doc = "Of `mask: fixed`: what stands in place of every value.",
    },
    {
        .path = "columns.key",
        AT(masking.key),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 128,
        .is_secret = true,
        .preset_doc = "none",
        .doc = "Of `mask: fernet` (44 characters of base64url) and `mask: aes-cbc` (64 digits of "
               "hex, or base64 of 32 bytes). From the environment: `key: \"${NAME}\"`.",
    },
    {
        .path = "columns.iv",
        AT(masking.iv),
        .kind = SL_KIND_PRINTABLE,
        .min = 1,
        .max = 64,
        .is_secret = true,
        .preset_doc = "none",
        .doc = "Of `mask: aes-cbc`: 32 digits of hex, or base64 of 16 bytes.",
    },
    {
        .path = "columns.convert",
        AT(convert),
        .kind = SL_KIND_WORD,
        .words = { [SL_CONVERT_VERSION] = "version", [SL_CONVERT_TEXT] = "text" },
        .preset_doc = "not converted",
        .doc = "`version` turns `2.3.1` into the integer 2003001, so that versions sort as such. "
               "`text` lets numbers and booleans into a text column, as JSON writes them.",
    },
};

const struct sl_settings sl_column_settings = { rows, sizeof rows / sizeof rows[0] };

const struct sl_type_row sl_type_rows[SL_TYPE_JSONB + 1] = {
    [SL_TYPE_VARCHAR] = { "varchar", "character varying(n)",
                          "a string of at most n characters, n from 1 to 10485760" },
    [SL_TYPE_TEXT] = { "text", "", "a string" },
    [SL_TYPE_INTEGER] = { "integer", "int, int4", "a whole number of 32 bits" },
    [SL_TYPE_BIGINT] = { "bigint", "int8", "a whole number of 64 bits" },
    [SL_TYPE_DOUBLE] = { "double precision", "float8", "a number" },
    [SL_TYPE_BOOLEAN] = { "boolean", "bool", "true or false" },
    [SL_TYPE_DATE] = { "date", "",
                       "an ISO 8601 date or time, or seconds or milliseconds since 1970, as a day "
                       "in UTC; `20260131` is a date in a string, seconds as a number" },
    [SL_TYPE_TIMESTAMPTZ] = { "timestamptz", "timestamp with time zone",
                              "an ISO 8601 time, or seconds or milliseconds since 1970; as "
                              "`date`" },
    [SL_TYPE_UUID] = { "uuid", "", "a string with a UUID" },
    [SL_TYPE_INET] = { "inet", "", "a string with an IPv4 or IPv6 address or network" },
    [SL_TYPE_JSONB] = { "jsonb", "", "any JSON value" },
};

#define IN(t)   (1U << SL_TYPE_##t)
#define STRINGS (IN(TEXT) | IN(VARCHAR))

const struct sl_fact_row sl_fact_rows[] = {
    { "$message_id", SL_FROM_MESSAGE_ID, STRINGS, "the id that the queue gave the message" },
    { "$sent_at", SL_FROM_SENT_AT, IN(DATE) | IN(TIMESTAMPTZ) | IN(BIGINT),
      "when the message was sent; as bigint, milliseconds since 1970" },
    { "$received_at", SL_FROM_RECEIVED_AT, IN(DATE) | IN(TIMESTAMPTZ) | IN(BIGINT),
      "when sluice received it; as bigint, milliseconds since 1970" },
    { "$receive_count", SL_FROM_RECEIVE_COUNT, IN(INTEGER) | IN(BIGINT),
      "how often it was delivered, this time included" },
    { "$attribute.", SL_FROM_ATTRIBUTE, STRINGS | IN(DATE) | IN(TIMESTAMPTZ) | IN(UUID) | IN(INET),
      "the message attribute NAME, read like a JSON string" },
    { "$body", SL_FROM_BODY, STRINGS | IN(JSONB),
      "the whole message; beside masked columns it needs `allow_cleartext: true`" },
    { "$trace_id", SL_FROM_TRACE_ID, STRINGS | IN(UUID),
      "the id of its trace, 32 digits: of the message attribute `traceparent`, else of "
      "`AWSTraceHeader`; NULL if neither is well-formed" },
};

const unsigned sl_fact_rows_n = sizeof sl_fact_rows / sizeof sl_fact_rows[0];

const char *sl_type_name(enum sl_type type)
{
    return sl_type_rows[type].name;
}

void sl_type_names(unsigned types, struct sl_buf *out)
{
    bool is_first = true;

    for (unsigned i = 0; i <= SL_TYPE_JSONB; i++) {
        if ((types & (1U << i)) != 0) {
            sl_buf_printf(out, "%s%s%s", is_first ? "" : ", ", sl_type_rows[i].name,
                          i == SL_TYPE_VARCHAR ? "(n)" : "");
            is_first = false;
        }
    }
}

/* One column on its way. */
struct column_reading {
    struct sl_reading rd;
    struct sl_column *col;
    const struct sl_yaml *map;
};

static struct sl_place column_place(const struct column_reading *c, const char *path)
{
    return sl_reading_place(&c->rd, c->map, path);
}

/* --- type ---------------------------------------------------------------------------------- */

/* Two spellings of a type are one when they differ in capitals and in how many blanks. */
static bool type_is(sl_str text, sl_str name)
{
    sl_str word;

    do {
        word = sl_str_cut(&name, ' ');
        text = sl_str_trim(text);
        if (text.len < word.len || strncasecmp(text.ptr, word.ptr, word.len) != 0) {
            return false;
        }
        text.ptr += word.len;
        text.len -= word.len;
        if (name.len > 0 && (text.len == 0 || text.ptr[0] != ' ')) {
            return false;
        }
    } while (name.len > 0);
    return sl_str_trim(text).len == 0;
}

static bool type_find(sl_str text, enum sl_type *ret)
{
    for (unsigned i = 0; i <= SL_TYPE_JSONB; i++) {
        sl_str aliases = sl_str_of(sl_type_rows[i].aliases);
        bool is = type_is(text, sl_str_of(sl_type_rows[i].name));

        while (!is && aliases.len > 0) {
            sl_str alias = sl_str_trim(sl_str_cut(&aliases, ','));

            is = type_is(text, sl_str_cut(&alias, '('));
        }
        if (is) {
            *ret = (enum sl_type)i;
            return true;
        }
    }
    return false;
}

/* Split "varchar(128)" into a name and what stands in the parentheses; ptr NULL without any. */
static bool type_split(sl_str text, sl_str *ret_name, sl_str *ret_n)
{
    sl_str rest = text;
    const sl_str name = sl_str_cut(&rest, '(');

    *ret_name = name;
    *ret_n = (sl_str){ 0 };
    if (name.len == text.len) {
        return true;
    }
    *ret_n = sl_str_cut(&rest, ')');
    return ret_n->ptr + ret_n->len < text.ptr + text.len && rest.len == 0;
}

static sl_rc type_refuse(const struct column_reading *c, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf names = { .max_bytes = 512 };

    sl_type_names(~0U, &names);
    return SL_FAIL_AT(e, column_place(c, "columns.type"),
                      "columns.type cannot be \"%" SL_FMT "\"; allowed: %" SL_FMT,
                      SL_ARG(sl_yaml_clip(c->col->type_text)), SL_ARG(sl_buf_str(&names)));
}

static sl_rc column_type(struct column_reading *c, struct sl_err *e)
{
    struct sl_column *col = c->col;
    int64_t chars = 0;
    sl_str name;
    sl_str n;

    if (!type_split(sl_str_trim(col->type_text), &name, &n) || !type_find(name, &col->type) ||
        (n.ptr != NULL && col->type != SL_TYPE_VARCHAR)) {
        return type_refuse(c, e);
    }
    if (col->type != SL_TYPE_VARCHAR) {
        col->type_text = sl_str_of(sl_type_name(col->type));
        return SL_OK;
    }
    if (n.ptr == NULL || !sl_str_to_i64(sl_str_trim(n), &chars) || chars < 1 ||
        chars > VARCHAR_MAX_CHARS) {
        return SL_FAIL_AT(e, column_place(c, "columns.type"),
                          "varchar needs a length from 1 to %d, as in varchar(128); text has none",
                          VARCHAR_MAX_CHARS);
    }
    col->max_chars = (unsigned)chars;
    col->type_text = sl_arena_printf(c->rd.a, "varchar(%u)", col->max_chars);
    return col->type_text.ptr == NULL ? SL_FAIL(e, SL_NOMEM, "no memory for the columns") : SL_OK;
}

/* --- from ---------------------------------------------------------------------------------- */

static sl_rc column_path(struct column_reading *c, struct sl_err *e)
{
    struct sl_column *col = c->col;
    struct sl_err fault = { 0 };

    if (sl_path_parse(col->from_text, c->rd.a, &col->path, &col->path_n, &fault) == SL_OK) {
        return SL_OK;
    }
    if (fault.rc != SL_CONFIG) {
        return SL_FAIL(e, fault.rc, "no memory for the columns");
    }
    return SL_FAIL_AT(e, column_place(c, "columns.from"),
                      "columns.from \"%" SL_FMT "\" is no path: %s; %s",
                      SL_ARG(sl_yaml_clip(col->from_text)), fault.msg,
                      "write names with dots between, [n] for elements, odd names in quotes");
}

static bool attribute_is_name(sl_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char ch = name.ptr[i];

        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
              ch == '_' || ch == '-' || ch == '.')) {
            return false;
        }
    }
    return name.len > 0 && name.len <= ATTRIBUTE_MAX_CHARS;
}

const struct sl_fact_row *sl_fact_find(struct sl_column *col)
{
    for (unsigned i = 0; i < sl_fact_rows_n; i++) {
        const sl_str name = sl_str_of(sl_fact_rows[i].name);

        if (sl_fact_rows[i].from == SL_FROM_ATTRIBUTE) {
            const sl_str attribute = { col->from_text.ptr + name.len,
                                       col->from_text.len - name.len };

            if (sl_str_starts(col->from_text, name) && attribute_is_name(attribute)) {
                col->attribute = attribute;
                return &sl_fact_rows[i];
            }
        } else if (sl_str_eq(col->from_text, name)) {
            return &sl_fact_rows[i];
        }
    }
    return NULL;
}

/* The types that a fact can fill; an attribute may become one more by conversion. */
static sl_rc fact_check_type(const struct column_reading *c, const struct sl_fact_row *fact,
                             struct sl_err *e)
{
    const struct sl_column *col = c->col;
    SL_AUTO(sl_buf_done) struct sl_buf names = { .max_bytes = 512 };

    if ((fact->types & (1U << col->type)) != 0 ||
        (fact->from == SL_FROM_ATTRIBUTE && col->convert == SL_CONVERT_VERSION)) {
        return SL_OK;
    }
    sl_type_names(fact->types, &names);
    return SL_FAIL_AT(e, column_place(c, "columns.type"),
                      "%" SL_FMT " cannot become %" SL_FMT "; allowed: %" SL_FMT,
                      SL_ARG(sl_yaml_clip(col->from_text)), SL_ARG(col->type_text),
                      SL_ARG(sl_buf_str(&names)));
}

static sl_rc column_from(struct column_reading *c, struct sl_err *e)
{
    struct sl_column *col = c->col;
    const struct sl_fact_row *fact;

    if (col->from_text.ptr[0] != '$') {
        col->from = SL_FROM_PATH;
        return column_path(c, e);
    }
    fact = sl_fact_find(col);
    if (fact == NULL) {
        return SL_FAIL_AT(e, column_place(c, "columns.from"),
                          "\"%" SL_FMT "\" is no fact of a message; allowed: %s",
                          SL_ARG(sl_yaml_clip(col->from_text)),
                          "$message_id, $sent_at, $received_at, $receive_count, $attribute.NAME, "
                          "$body, $trace_id");
    }
    col->from = fact->from;
    return fact_check_type(c, fact, e);
}

/* --- what goes together -------------------------------------------------------------------- */

static bool column_is_text(const struct sl_column *col)
{
    return col->type == SL_TYPE_TEXT || col->type == SL_TYPE_VARCHAR;
}

static sl_rc column_check_convert(const struct column_reading *c, struct sl_err *e)
{
    const struct sl_column *col = c->col;
    const struct sl_place place = column_place(c, "columns.convert");

    if (col->convert == SL_CONVERT_VERSION) {
        if (col->type != SL_TYPE_INTEGER) {
            return SL_FAIL_AT(e, place, "convert: version needs a column of type integer");
        }
        if (col->from != SL_FROM_PATH && col->from != SL_FROM_ATTRIBUTE) {
            return SL_FAIL_AT(e, place,
                              "convert: version needs a field or an attribute, not %" SL_FMT,
                              SL_ARG(col->from_text));
        }
    }
    if (col->convert == SL_CONVERT_TEXT) {
        if (!column_is_text(col)) {
            return SL_FAIL_AT(e, place, "convert: text needs a column of type text or varchar(n)");
        }
        if (col->from != SL_FROM_PATH) {
            return SL_FAIL_AT(e, place, "convert: text needs a field, not %" SL_FMT,
                              SL_ARG(sl_yaml_clip(col->from_text)));
        }
    }
    return SL_OK;
}

/* --- one column ---------------------------------------------------------------------------- */

static sl_rc column_read(struct column_reading *c, struct sl_err *e)
{
    if (c->map->kind != SL_YAML_MAP) {
        return SL_FAIL_AT(e, c->map->at,
                          "a column must be a mapping with name, from and type, "
                          "not %s",
                          sl_yaml_kind_name(c->map->kind));
    }
    sl_reading_presets(&c->rd);
    SL_TRY(sl_reading_map(&c->rd, c->map, e));
    SL_TRY(sl_reading_require(&c->rd, c->map, e));
    c->col->line = c->map->at.line;
    c->col->attribute = SL_STR("");
    SL_TRY(column_type(c, e));
    SL_TRY(column_from(c, e));
    SL_TRY(sl_mask_settings_check(&c->rd, c->map, c->col, e));
    return column_check_convert(c, e);
}

/* --- all of them --------------------------------------------------------------------------- */

/* PostgreSQL has them in every table (manual, 5.5 System Columns). */
static bool is_system_column(sl_str name)
{
    static const sl_str names[] = { SL_STR("tableoid"), SL_STR("xmin"), SL_STR("cmin"),
                                    SL_STR("xmax"),     SL_STR("cmax"), SL_STR("ctid") };
    bool is_one = false;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        is_one = is_one || sl_str_eq(name, names[i]);
    }
    return is_one;
}

static sl_rc columns_check_name(const struct column_reading *columns, unsigned i, struct sl_err *e)
{
    if (is_system_column(columns[i].col->name)) {
        return SL_FAIL_AT(e, column_place(&columns[i], "columns.name"),
                          "\"%" SL_FMT "\" is a system column of PostgreSQL, in every table",
                          SL_ARG(columns[i].col->name));
    }
    for (unsigned k = 0; k < i; k++) {
        if (sl_str_eq(columns[i].col->name, columns[k].col->name)) {
            return SL_FAIL_AT(e, column_place(&columns[i], "columns.name"),
                              "two columns are named \"%" SL_FMT "\"; the first is at line %u",
                              SL_ARG(columns[i].col->name), columns[k].col->line);
        }
    }
    return SL_OK;
}

/* True when a column that holds `outer` holds `inner`, too: the same field, or one inside of it. */
static bool column_holds(const struct sl_column *outer, const struct sl_column *inner)
{
    if (outer->from == SL_FROM_BODY && inner->from == SL_FROM_PATH) {
        return true;
    }
    if (outer->from != inner->from || outer->path_n > inner->path_n ||
        !sl_str_eq(outer->attribute, inner->attribute)) {
        return false;
    }
    for (unsigned i = 0; i < outer->path_n; i++) {
        const struct sl_path_step *a = &outer->path[i];
        const struct sl_path_step *b = &inner->path[i];

        if (a->is_index != b->is_index || a->index != b->index || !sl_str_eq(a->name, b->name)) {
            return false;
        }
    }
    return true;
}

/* What one column masks, no other may show, unless that is wanted. */
static sl_rc columns_check_cleartext(const struct column_reading *columns, unsigned n,
                                     struct sl_err *e)
{
    for (unsigned i = 0; i < n; i++) {
        const struct sl_column *shown = columns[i].col;

        for (unsigned k = 0; k < n && shown->masking.method == SL_MASK_NONE; k++) {
            const struct sl_column *masked = columns[k].col;

            if (masked->masking.method != SL_MASK_NONE &&
                (shown->from == SL_FROM_BODY || column_holds(shown, masked))) {
                return SL_FAIL_AT(e, column_place(&columns[i], "columns.from"),
                                  "\"%" SL_FMT "\" would show what column \"%" SL_FMT
                                  "\" masks; mask it, or set allow_cleartext: true",
                                  SL_ARG(sl_yaml_clip(shown->from_text)), SL_ARG(masked->name));
            }
        }
    }
    return SL_OK;
}

static sl_rc columns_check_n(const struct sl_yaml *list, struct sl_err *e)
{
    unsigned row;

    if (!sl_settings_find(&sl_settings, "columns", &row)) {
        return SL_FAIL(e, SL_BUG, "columns are no setting");
    }
    if (list->n < sl_settings.rows[row].min || list->n > sl_settings.rows[row].max) {
        return SL_FAIL_AT(e, list->at, "columns must be a list of 1 to %lld columns, not of %u",
                          (long long)sl_settings.rows[row].max, list->n);
    }
    return SL_OK;
}

sl_rc sl_columns_read(const struct sl_yaml *list, struct sl_config *cfg, struct sl_arena *scratch,
                      struct sl_err *e)
{
    struct column_reading *columns;
    unsigned i = 0;

    SL_TRY(columns_check_n(list, e));
    columns = sl_arena_calloc(scratch, list->n, sizeof *columns);
    cfg->columns = sl_arena_calloc(&cfg->arena, list->n, sizeof *cfg->columns);
    if (columns == NULL || cfg->columns == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no memory for the columns");
    }
    for (const struct sl_yaml *map = list->child; map != NULL; map = map->next, i++) {
        columns[i].map = map;
        columns[i].col = &cfg->columns[i];
        columns[i].rd = (struct sl_reading){
            .table = &sl_column_settings,
            .prefix = "columns",
            .base = columns[i].col,
            .a = &cfg->arena,
            .scratch = scratch,
        };
        SL_TRY(column_read(&columns[i], e));
        SL_TRY(columns_check_name(columns, i, e));
    }
    cfg->columns_n = i;
    return cfg->allow_cleartext ? SL_OK : columns_check_cleartext(columns, i, e);
}
