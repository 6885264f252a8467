/* config/masks.c - which settings a masking method takes, and which columns. */
#include "config/masks.h"

#include "config/columns.h"

#define IN(t) (1U << SL_TYPE_##t)

/* A setting of a method, and who takes it. */
struct method_option {
    unsigned bit;
    const char *path;
};

enum {
    OPTION_CONTEXT = 1 << 0,
    OPTION_NORMALIZE = 1 << 1,
    OPTION_KID = 1 << 2,
    OPTION_IP = 1 << 3,
    OPTION_ALPHABET = 1 << 4,
    OPTION_FORMAT = 1 << 5,
    OPTION_KEEP = 1 << 6,
    OPTION_VALUE = 1 << 7,
    OPTION_KEY = 1 << 8,
    OPTION_IV = 1 << 9,
};

static const struct method_option method_options[] = {
    { OPTION_CONTEXT, "columns.context" },   { OPTION_NORMALIZE, "columns.normalize" },
    { OPTION_KID, "columns.kid" },           { OPTION_IP, "columns.ip" },
    { OPTION_ALPHABET, "columns.alphabet" }, { OPTION_FORMAT, "columns.format" },
    { OPTION_KEEP, "columns.keep" },         { OPTION_VALUE, "columns.value" },
    { OPTION_KEY, "columns.key" },           { OPTION_IV, "columns.iv" },
};

struct method_row {
    const char *name;
    unsigned flags;
    unsigned options;
    unsigned needs;
    unsigned types;
    unsigned least; /* characters of a varchar */
};

/* The words of the table, for as long as it is read. */
#define REVERSIBLE SL_MASK_REVERSIBLE
#define JOINS      SL_MASK_JOINS
#define SEALED     SL_MASK_SEALED
#define HAS_KID    SL_MASK_HAS_KID
#define ONE_WAY    SL_MASK_ONE_WAY
#define WEAK       SL_MASK_WEAK
#define CONTEXT    OPTION_CONTEXT
#define NORMALIZE  OPTION_NORMALIZE
#define KID        OPTION_KID
#define IP         OPTION_IP
#define ALPHABET   OPTION_ALPHABET
#define FORMAT     OPTION_FORMAT
#define KEEP       OPTION_KEEP
#define VALUE      OPTION_VALUE
#define KEY        OPTION_KEY
#define IV         OPTION_IV
#define TEXTS      (IN(TEXT) | IN(VARCHAR))
#define INETS      IN(INET)
#define ANY        (~0U)

static const struct method_row method_rows[] = {
    [SL_MASK_NONE] = { .name = "none" },

#define X(id, word, flags, options, needs, types, least, ...) \
    [SL_MASK_##id] = { (word), (flags), (options), (needs), (types), (least) },
#include "masking/methods.def"
#undef X
};

const char *sl_mask_name(enum sl_mask method)
{
    return method_rows[method].name;
}

unsigned sl_mask_flags(enum sl_mask method)
{
    return method_rows[method].flags;
}

/* The methods that take an option, for a message. */
static void methods_with(unsigned option, struct sl_buf *out)
{
    for (unsigned i = 0; i < sizeof method_rows / sizeof *method_rows; i++) {
        if ((method_rows[i].options & option) != 0) {
            sl_buf_printf(out, "%s%s", out->len > 0 ? ", " : "", method_rows[i].name);
        }
    }
}

/* One column on its way. */
struct masking_reading {
    const struct sl_reading *rd;
    const struct sl_yaml *map;
    struct sl_column *col;
};

static struct sl_place masking_place(const struct masking_reading *c, const char *path)
{
    return sl_reading_place(c->rd, c->map, path);
}

/* What is given goes with the method, and what the method needs is given. */
static sl_rc masking_options(const struct masking_reading *c, struct sl_err *e)
{
    const struct method_row *method = &method_rows[c->col->masking.method];
    SL_AUTO(sl_buf_done) struct sl_buf names = { .max_bytes = 512 };

    for (unsigned i = 0; i < sizeof method_options / sizeof *method_options; i++) {
        const struct method_option *option = &method_options[i];
        const bool is_given = sl_reading_has(c->rd, option->path);

        if (is_given && (method->options & option->bit) == 0) {
            methods_with(option->bit, &names);
            return SL_FAIL_AT(e, masking_place(c, option->path),
                              "%s goes with mask: %" SL_FMT "; leave it out", option->path,
                              SL_ARG(sl_buf_str(&names)));
        }
        if (!is_given && (method->needs & option->bit) != 0) {
            return SL_FAIL_AT(e, masking_place(c, "columns.mask"), "mask: %s needs %s",
                              method->name, option->path);
        }
    }
    return SL_OK;
}

static sl_rc masking_context(const struct masking_reading *c, struct sl_err *e)
{
    struct sl_column *col = c->col;
    const bool is_given = sl_reading_has(c->rd, "columns.context");
    const struct sl_place place = masking_place(c, is_given ? "columns.context" : "columns.from");

    if ((method_rows[col->masking.method].options & OPTION_CONTEXT) == 0) {
        return SL_OK;
    }
    if (!is_given) {
        col->masking.context = col->from_text;
    }
    if (col->masking.context.len > SL_MASK_CONTEXT_MAX ||
        !sl_reading_is_printable(col->masking.context)) {
        return SL_FAIL_AT(e, place,
                          "this path is no context for a mask; give a context of 1 to %d printable "
                          "ASCII characters",
                          SL_MASK_CONTEXT_MAX);
    }
    if (sl_str_eq(col->masking.context, SL_STR("dead_letter")) ||
        sl_str_eq(col->masking.context, SL_STR("ledger")) ||
        sl_str_eq(col->masking.context, SL_STR("vault"))) {
        return SL_FAIL_AT(e, place, "the context %" SL_FMT " is taken; give another",
                          SL_ARG(col->masking.context));
    }
    return SL_OK;
}

static sl_rc masking_column(const struct masking_reading *c, struct sl_err *e)
{
    const struct sl_column *col = c->col;
    const struct method_row *method = &method_rows[col->masking.method];
    const struct sl_place place = masking_place(c, "columns.type");
    SL_AUTO(sl_buf_done) struct sl_buf names = { .max_bytes = 512 };

    if (col->masking.method == SL_MASK_NONE) {
        return SL_OK;
    }
    if (col->from != SL_FROM_PATH && col->from != SL_FROM_ATTRIBUTE && col->from != SL_FROM_BODY) {
        return SL_FAIL_AT(e, masking_place(c, "columns.mask"), "%" SL_FMT " cannot be masked",
                          SL_ARG(col->from_text));
    }
    if ((method->types & (1U << col->type)) == 0) {
        sl_type_names(method->types, &names);
        return SL_FAIL_AT(e, place,
                          "a column with mask: %s cannot be %" SL_FMT "; allowed: %" SL_FMT,
                          method->name, SL_ARG(col->type_text), SL_ARG(sl_buf_str(&names)));
    }
    if (col->type == SL_TYPE_VARCHAR && col->max_chars < method->least) {
        return SL_FAIL_AT(e, place,
                          "%" SL_FMT " is too short for mask: %s; the shortest allowed is "
                          "varchar(%u)",
                          SL_ARG(col->type_text), method->name, method->least);
    }
    return SL_OK;
}

sl_rc sl_mask_settings_check(const struct sl_reading *rd, const struct sl_yaml *map,
                             struct sl_column *col, struct sl_err *e)
{
    const struct masking_reading c = { rd, map, col };

    SL_TRY(masking_options(&c, e));
    SL_TRY(masking_column(&c, e));
    return masking_context(&c, e);
}
