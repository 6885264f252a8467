/* config/reading.c - a mapping of the file becomes a struct, by a table of settings. */
#include "config/reading.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/arn.h"
#include "config/listen.h"
#include "config/units.h"

enum {
    PATH_CHARS = 96,            /* the longest path has 28 */
    VALUE_MAX_BYTES = 64 << 10, /* of one value, with its variables replaced */
};

/* --- numbers ------------------------------------------------------------------------------- */

static void reading_store(const struct sl_reading *rd, const struct sl_setting *s, int64_t value)
{
    char *member = (char *)rd->base + s->at;
    const unsigned small = (unsigned)value;
    const size_t size = (size_t)value;
    const bool is = value != 0;

    /* An enum without negative values has the size of an unsigned. */
    _Static_assert(sizeof(enum sl_create) == sizeof small, "words are stored as unsigned");
    if (s->kind == SL_KIND_SIZE) {
        memcpy(member, &size, sizeof size);
    } else if (s->kind == SL_KIND_BOOL) {
        memcpy(member, &is, sizeof is);
    } else {
        memcpy(member, &small, sizeof small);
    }
}

static sl_rc reading_number(struct sl_reading *rd, const struct sl_setting *s, sl_str text,
                            struct sl_place place, struct sl_err *e)
{
    char range[SL_SETTING_NUMBER_MAX];
    int64_t number;

    if (s->has_auto && sl_str_eq(text, SL_STR("auto"))) {
        reading_store(rd, s, 0);
        return SL_OK;
    }
    if (!sl_units_read(s->kind, text, &number) || number < s->min || number > s->max) {
        sl_setting_range(s, range);
        return SL_FAIL_AT(e, place, "%s must be %s%s, not \"%" SL_FMT "\"", s->path, range,
                          sl_units_examples(s->kind), SL_ARG(sl_yaml_clip(text)));
    }
    reading_store(rd, s, number);
    return SL_OK;
}

/* --- texts --------------------------------------------------------------------------------- */

bool sl_reading_is_printable(sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e) {
            return false;
        }
    }
    return text.len > 0;
}

static bool text_has_control(sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* http(s)://host, without user, query or fragment; with a path if one is needed. */
static bool text_is_http(sl_str text, bool needs_path)
{
    const sl_str https = SL_STR("https://");
    const sl_str http = SL_STR("http://");
    const size_t head = sl_str_starts(text, https)  ? https.len
                        : sl_str_starts(text, http) ? http.len
                                                    : 0;
    sl_str rest = { text.ptr + head, text.len - head };

    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" @?#", text.ptr[i]) != NULL) {
            return false;
        }
    }
    return head > 0 && sl_reading_is_printable(text) && sl_str_cut(&rest, '/').len > 0 &&
           (!needs_path || rest.len > 0);
}

/* A URL, or at least one key=value. */
static bool text_is_postgres(sl_str text)
{
    const sl_str key = sl_str_trim(sl_str_cut(&text, '='));

    if (sl_str_starts(key, SL_STR("postgresql://")) || sl_str_starts(key, SL_STR("postgres://"))) {
        return true;
    }
    for (size_t i = 0; i < key.len; i++) {
        if ((key.ptr[i] < 'a' || key.ptr[i] > 'z') && key.ptr[i] != '_') {
            return false;
        }
    }
    return key.len > 0 && text.ptr != NULL;
}

static bool text_is_secret(sl_str text)
{
    struct sl_arn arn;

    return sl_arn_read(text, &arn) && sl_str_eq(arn.service, SL_STR("secretsmanager")) &&
           sl_str_starts(arn.name, SL_STR("secret:"));
}

static bool text_is_listen(sl_str text)
{
    struct sl_listen at;

    return sl_listen_read(text, &at);
}

static sl_rc text_check_kind(const struct sl_setting *s, sl_str text, struct sl_place place,
                             struct sl_err *e)
{
    if (s->kind == SL_KIND_QUEUE_URL && !text_is_http(text, true)) {
        return SL_FAIL_AT(e, place, "%s must be a URL such as %s", s->path,
                          "https://sqs.eu-west-1.amazonaws.com/123456789012/my-queue");
    }
    if (s->kind == SL_KIND_ENDPOINT && !text_is_http(text, false)) {
        return SL_FAIL_AT(e, place, "%s must be a URL such as http://localhost:4566", s->path);
    }
    if (s->kind == SL_KIND_SECRET && !text_is_secret(text)) {
        return SL_FAIL_AT(e, place, "%s must be the ARN of a secret, such as %s", s->path,
                          "arn:aws:secretsmanager:eu-west-1:123456789012:secret:sluice-AbCdEf");
    }
    if (s->kind == SL_KIND_LISTEN && !text_is_listen(text)) {
        return SL_FAIL_AT(e, place, "%s must be %s", s->path,
                          "an address and a port, such as 127.0.0.1:9464 or [::1]:9464, or a port");
    }
    if (s->kind == SL_KIND_POSTGRES && !text_is_postgres(text)) {
        return SL_FAIL_AT(e, place, "%s must start with postgresql:// or postgres://, or be %s",
                          s->path, "libpq's key=value words");
    }
    return SL_OK;
}

static sl_rc reading_copy(struct sl_reading *rd, const struct sl_setting *s, sl_str text,
                          struct sl_place place, struct sl_err *e)
{
    sl_str copy;

    const bool is_printable = s->kind == SL_KIND_PRINTABLE;

    if ((s->max > 0 && ((int64_t)text.len < s->min || (int64_t)text.len > s->max)) ||
        (is_printable && !sl_reading_is_printable(text))) {
        return SL_FAIL_AT(e, place, "%s must be %lld to %lld %s", s->path, (long long)s->min,
                          (long long)s->max, is_printable ? "printable ASCII characters" : "bytes");
    }
    SL_TRY(text_check_kind(s, text, place, e));
    if (text_has_control(text)) {
        return SL_FAIL_AT(e, place, "%s has a control character in it", s->path);
    }
    copy = sl_arena_copy(rd->a, text);
    if (copy.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no memory for the configuration");
    }
    memcpy((char *)rd->base + s->at, &copy, sizeof copy);
    return SL_OK;
}

/* --- words --------------------------------------------------------------------------------- */

/* What stands behind "field:" goes to a member of its own. */
static sl_rc reading_argument(struct sl_reading *rd, const struct sl_setting *s, size_t skip,
                              sl_str text, struct sl_place place, struct sl_err *e)
{
    const struct sl_setting argument = {
        .path = s->path, .at = s->argument_at, .kind = s->argument_kind, .min = 1, .max = 1024
    };

    return reading_copy(rd, &argument, (sl_str){ text.ptr + skip, text.len - skip }, place, e);
}

static sl_rc reading_word(struct sl_reading *rd, const struct sl_setting *s, sl_str text,
                          struct sl_place place, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf words = { .max_bytes = 512 };

    for (unsigned i = 0; i < SL_SETTING_WORDS_MAX; i++) {
        const sl_str word = sl_str_of(s->words[i] != NULL ? s->words[i] : "");
        const bool has_argument = word.len > 0 && sl_setting_argument(s, i)[0] != '\0';

        if (word.len == 0) {
            continue;
        }
        if (has_argument ? sl_str_starts(text, word) : sl_str_eq(text, word)) {
            reading_store(rd, s, i);
            return has_argument ? reading_argument(rd, s, word.len, text, place, e) : SL_OK;
        }
    }
    sl_setting_words(s, &words);
    return SL_FAIL_AT(e, place, "%s cannot be \"%" SL_FMT "\"; allowed: %" SL_FMT, s->path,
                      SL_ARG(sl_yaml_clip(text)), SL_ARG(sl_buf_str(&words)));
}

static sl_rc reading_bool(struct sl_reading *rd, const struct sl_setting *s, sl_str text,
                          struct sl_place place, struct sl_err *e)
{
    const bool is = sl_str_eq(text, SL_STR("true"));

    if (!is && !sl_str_eq(text, SL_STR("false"))) {
        return SL_FAIL_AT(e, place, "%s must be true or false, not \"%" SL_FMT "\"", s->path,
                          SL_ARG(sl_yaml_clip(text)));
    }
    reading_store(rd, s, is);
    return SL_OK;
}

sl_rc sl_reading_text(struct sl_reading *rd, unsigned row, sl_str text, struct sl_place place,
                      struct sl_err *e)
{
    const struct sl_setting *s = &rd->table->rows[row];

    if (sl_kind_is_text(s->kind)) {
        SL_TRY(reading_copy(rd, s, text, place, e));
    } else if (s->kind == SL_KIND_WORD) {
        SL_TRY(reading_word(rd, s, text, place, e));
    } else if (s->kind == SL_KIND_BOOL) {
        SL_TRY(reading_bool(rd, s, text, place, e));
    } else {
        SL_TRY(reading_number(rd, s, text, place, e));
    }
    rd->places[row] = place;
    return SL_OK;
}

/* --- ${NAME} ------------------------------------------------------------------------------- */

static bool variable_is_name(sl_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
              (i > 0 && c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return name.len > 0;
}

/* Append the value of "NAME" or "NAME:-default". */
static sl_rc variable_add(const struct sl_reading *rd, sl_str inside, struct sl_place place,
                          struct sl_buf *out, struct sl_err *e)
{
    const char *dash = inside.len == 0 ? NULL : memmem(inside.ptr, inside.len, ":-", 2);
    sl_str name = inside;
    const char *value;

    if (dash != NULL) {
        name.len = (size_t)(dash - inside.ptr);
    }
    if (!variable_is_name(name)) {
        return SL_FAIL_AT(e, place, "\"${%" SL_FMT "}\" names no variable; write ${NAME}, %s",
                          SL_ARG(sl_yaml_clip(inside)), "${NAME:-default}, or $${ for a plain ${");
    }
    name = sl_arena_copy(rd->scratch, name);
    if (name.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "no memory for the configuration");
    }
    value = getenv(name.ptr);
    if (dash != NULL && (value == NULL || value[0] == '\0')) {
        sl_buf_add(out, dash + 2, inside.len - name.len - 2);
        return SL_OK;
    }
    if (value == NULL) {
        const sl_str shown = sl_yaml_clip(name);

        return SL_FAIL_AT(e, place,
                          "the environment has no %" SL_FMT "; set it, or write ${%" SL_FMT
                          ":-default}",
                          SL_ARG(shown), SL_ARG(shown));
    }
    sl_buf_add_str(out, sl_str_of(value));
    return SL_OK;
}

static sl_rc variables_replace(const struct sl_reading *rd, sl_str text, struct sl_place place,
                               struct sl_buf *out, struct sl_err *e)
{
    while (text.len > 0) {
        size_t step = 1;

        if (sl_str_starts(text, SL_STR("$${"))) {
            sl_buf_add_str(out, SL_STR("${"));
            step = 3;
        } else if (sl_str_starts(text, SL_STR("${"))) {
            const char *end = memchr(text.ptr, '}', text.len);

            if (end == NULL) {
                return SL_FAIL_AT(e, place, "a ${ has no } after it; write $${ for a plain ${");
            }
            step = (size_t)(end + 1 - text.ptr);
            SL_TRY(variable_add(rd, (sl_str){ text.ptr + 2, step - 3 }, place, out, e));
        } else {
            sl_buf_add_char(out, text.ptr[0]);
        }
        text.ptr += step;
        text.len -= step;
    }
    return sl_buf_rc(out, e);
}

/* --- the mapping --------------------------------------------------------------------------- */

static sl_rc reading_nothing(const struct sl_setting *s, const struct sl_yaml *y, struct sl_err *e)
{
    return !s->is_said ? SL_OK
                       : SL_FAIL_AT(e, y->at, "%s is empty; say which, or leave it out", s->path);
}

static sl_rc reading_setting(struct sl_reading *rd, unsigned row, const struct sl_yaml *y,
                             struct sl_err *e)
{
    const struct sl_setting *s = &rd->table->rows[row];
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = VALUE_MAX_BYTES };

    /* YAML's null is a word where one is called so. */
    if (y->is_null && !sl_setting_has_word(s, y->text)) {
        return reading_nothing(s, y, e);
    }
    if (y->kind != (s->kind == SL_KIND_COLUMNS ? SL_YAML_LIST : SL_YAML_SCALAR)) {
        return SL_FAIL_AT(e, y->at, "%s must be %s, not %s", s->path, sl_kind_name(s->kind),
                          sl_yaml_kind_name(y->kind));
    }
    if (s->kind == SL_KIND_COLUMNS) {
        rd->columns = y;
        rd->places[row] = y->at;
        return SL_OK;
    }
    SL_TRY(variables_replace(rd, y->text, y->at, &text, e));
    return text.len == 0 ? reading_nothing(s, y, e)
                         : sl_reading_text(rd, row, sl_buf_str(&text), y->at, e);
}

static sl_rc reading_unknown(const struct sl_reading *rd, const struct sl_yaml *y, const char *path,
                             struct sl_err *e)
{
    const sl_str nearest = sl_settings_nearest(rd->table, path, y->name);
    SL_AUTO(sl_buf_done) struct sl_buf allowed = { .max_bytes = 1024 };

    sl_settings_allowed(rd->table, path, &allowed);
    return SL_FAIL_AT(e, y->name_at,
                      "unknown setting \"%" SL_FMT "\"; %s%" SL_FMT "%sallowed here: %" SL_FMT,
                      SL_ARG(sl_yaml_clip(y->name)), nearest.len > 0 ? "did you mean \"" : "",
                      SL_ARG(nearest), nearest.len > 0 ? "\"? " : "", SL_ARG(sl_buf_str(&allowed)));
}

/* Cheap, because names before it are known and unlike. */
static sl_rc reading_check_once(const struct sl_yaml *map, const struct sl_yaml *y,
                                struct sl_err *e)
{
    const struct sl_yaml *first = sl_yaml_member(map, y->name);

    if (first != y) {
        return SL_FAIL_AT(e, y->name_at, "\"%" SL_FMT "\" is given twice; the first is at line %u",
                          SL_ARG(y->name), first->name_at.line);
    }
    return SL_OK;
}

static sl_rc reading_section(struct sl_reading *rd, const struct sl_yaml *map, const char *path,
                             struct sl_err *e);

static sl_rc reading_member(struct sl_reading *rd, const struct sl_yaml *map,
                            const struct sl_yaml *y, const char *above, struct sl_err *e)
{
    char path[PATH_CHARS];
    const size_t len = strlen(above) + (above[0] != '\0') + y->name.len;
    bool is_name;
    unsigned row;

    (void)snprintf(path, sizeof path, "%s%s%" SL_FMT, above, above[0] != '\0' ? "." : "",
                   SL_ARG(y->name));
    /* A name that was cut, has a NUL in it, or names two levels at once is nobody's. */
    is_name = strlen(path) == len && memchr(y->name.ptr, '.', y->name.len) == NULL;
    if (is_name && sl_settings_has_below(rd->table, path)) {
        SL_TRY(reading_check_once(map, y, e));
        return reading_section(rd, y, path, e);
    }
    if (is_name && sl_settings_find(rd->table, path, &row)) {
        SL_TRY(reading_check_once(map, y, e));
        return reading_setting(rd, row, y, e);
    }
    return reading_unknown(rd, y, above, e);
}

static sl_rc reading_section(struct sl_reading *rd, const struct sl_yaml *map, const char *path,
                             struct sl_err *e)
{
    if (map->is_null) {
        return SL_OK;
    }
    if (map->kind != SL_YAML_MAP) {
        return SL_FAIL_AT(e, map->at, "%s must be a mapping of settings, not %s",
                          path[0] != '\0' ? path : "the file", sl_yaml_kind_name(map->kind));
    }
    for (const struct sl_yaml *y = map->child; y != NULL; y = y->next) {
        SL_TRY(reading_member(rd, map, y, path, e));
    }
    return SL_OK;
}

sl_rc sl_reading_map(struct sl_reading *rd, const struct sl_yaml *map, struct sl_err *e)
{
    return reading_section(rd, map, rd->prefix, e);
}

void sl_reading_presets(struct sl_reading *rd)
{
    const sl_str empty = SL_STR("");

    for (unsigned i = 0; i < rd->table->n; i++) {
        const struct sl_setting *s = &rd->table->rows[i];

        if (sl_kind_is_text(s->kind)) {
            memcpy((char *)rd->base + s->at, &empty, sizeof empty);
        } else if (s->kind != SL_KIND_COLUMNS) {
            reading_store(rd, s, s->preset);
        }
        if (s->argument != NULL) {
            memcpy((char *)rd->base + s->argument_at, &empty, sizeof empty);
        }
    }
}

struct sl_place sl_reading_place(const struct sl_reading *rd, const struct sl_yaml *map,
                                 const char *path)
{
    const size_t skip = strlen(rd->prefix);
    struct sl_place nearest = map->at;
    unsigned row;
    sl_str rest;

    if (sl_settings_find(rd->table, path, &row) && rd->places[row].name != NULL) {
        return rd->places[row];
    }
    rest = sl_str_of(path + skip + (skip > 0));
    while (rest.len > 0 && (map = sl_yaml_member(map, sl_str_cut(&rest, '.'))) != NULL) {
        nearest = map->name_at;
    }
    return nearest;
}

bool sl_reading_has(const struct sl_reading *rd, const char *path)
{
    unsigned row;

    return sl_settings_find(rd->table, path, &row) && rd->places[row].name != NULL;
}

sl_rc sl_reading_require(const struct sl_reading *rd, const struct sl_yaml *map, struct sl_err *e)
{
    for (unsigned i = 0; i < rd->table->n; i++) {
        const struct sl_setting *s = &rd->table->rows[i];

        if (s->is_required && rd->places[i].name == NULL) {
            return SL_FAIL_AT(e, sl_reading_place(rd, map, s->path), "%s is missing; give %s%s%s",
                              s->path, sl_kind_name(s->kind),
                              s->flag != NULL ? ", here or with " : "",
                              s->flag != NULL ? s->flag : "");
        }
    }
    return SL_OK;
}
