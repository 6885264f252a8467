/* config/manual.c - the manual of all settings, printed from their tables. */
#include "config/columns.h"
#include "config/settings.h"

static const char intro[] =
    "# Configuration\n"
    "\n"
    "One YAML file, named with `-c FILE`, checked whole before anything runs. Anything unknown or\n"
    "out of bounds is refused with its place in the file and what is allowed there. This page is\n"
    "what `sluice docs config` prints; `sluice docs example` prints a file to begin with, which "
    "is\n"
    "also what `sluice run QUEUE_URL` goes by.\n"
    "\n"
    "```yaml\n"
    "source:\n"
    "  sqs:\n"
    "    queue_url: https://sqs.eu-west-1.amazonaws.com/123456789012/logins\n"
    "keys:\n"
    "  file: sluice.keys\n"
    "sink:\n"
    "  postgres:\n"
    "    url: ${DATABASE_URL:-postgresql://localhost/logins}\n"
    "    table: user_logins\n"
    "columns:\n"
    "  - { name: user_id,     from: user_id,     type: varchar(128), required: true }\n"
    "  - { name: masked_ip,   from: ip,          type: varchar(256), required: true, mask: siv }\n"
    "  - { name: app_version, from: app_version, type: integer, convert: version }\n"
    "  - { name: first_tag,   from: \"tags[0]\",   type: text }\n"
    "  - { name: create_date, from: $sent_at,    type: date }\n"
    "```\n"
    "\n";

static const char values[] =
    "## How values are written\n"
    "\n"
    "* `${NAME}` is replaced by the environment variable NAME, and refused when there is none.\n"
    "  `${NAME:-default}` takes the default when NAME is unset or empty. `$${` is a plain `${`; a\n"
    "  `$` without a brace stays. Values are replaced after the YAML is read, names never, so a\n"
    "  variable cannot bring settings in. Inside `{ }` put quotes around them: `\"${NAME}\"`.\n"
    "* A value that is empty counts as not given: `region: ${REGION:-}` is the preset.\n"
    "* Durations are `200ms`, `30s`, `2m`, `12h`, `15d`, or a plain number of seconds.\n"
    "* Sizes are `512KiB`, `64MiB`, `1GiB`, or a plain number of bytes.\n"
    "* YAML's anchors and aliases work; tags, a second document and a name given twice do not.\n"
    "* Flags come before the file, the file before the environment, the environment before an AWS\n"
    "  profile. `--postgres-url` takes no password: a command line can be read by everybody.\n"
    "\n";

static const char columns_intro[] = "## Columns\n"
                                    "\n"
                                    "`columns` is a list; each column has these settings.\n"
                                    "\n";

static const char paths[] =
    "## Paths\n"
    "\n"
    "`from: ip` is a field of the message, `device.id` a field inside of one, `tags[0]` the first\n"
    "element of a list. A name with a dot, blank, bracket or quote in it, or a `$` at the start, "
    "is\n"
    "quoted inside the path: `'\"odd.name\".x'`. Inside `{ }` YAML wants quotes around a path "
    "with\n"
    "brackets: `from: \"tags[0]\"`.\n"
    "\n"
    "A field that one column masks may not be shown by another, nor may `$body`, without\n"
    "`allow_cleartext: true`.\n"
    "\n";

/* The text of a table's cell: what would end it is escaped. */
static void manual_cell(struct sl_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            sl_buf_add_char(out, '\\');
        }
        sl_buf_add_char(out, *text);
    }
}

static void manual_kind(struct sl_buf *out, const struct sl_setting *s)
{
    char range[SL_SETTING_NUMBER_MAX];

    switch (s->kind) {
    case SL_KIND_WORD:
        for (unsigned i = 0, n = 0; i < SL_SETTING_WORDS_MAX; i++) {
            if (s->words[i] != NULL) {
                sl_buf_printf(out, "%s`%s%s`", n++ > 0 ? " or " : "", s->words[i],
                              sl_setting_argument(s, i));
            }
        }
        break;
    case SL_KIND_COUNT:
    case SL_KIND_SECONDS:
    case SL_KIND_MS:
    case SL_KIND_SIZE:
        sl_setting_range(s, range);
        sl_buf_printf(out, "%s, %s", sl_kind_name(s->kind), range);
        break;
    case SL_KIND_PRINTABLE:
        sl_buf_printf(out, "%lld to %lld printable ASCII characters", (long long)s->min,
                      (long long)s->max);
        break;
    default:
        sl_buf_printf(out, "%s", sl_kind_name(s->kind));
    }
}

static void manual_preset(struct sl_buf *out, const struct sl_setting *s)
{
    char number[SL_SETTING_NUMBER_MAX];

    if (s->is_required) {
        sl_buf_printf(out, "**required**");
    } else if (s->preset_doc != NULL) {
        manual_cell(out, s->preset_doc);
    } else if (s->kind == SL_KIND_WORD) {
        sl_buf_printf(out, "`%s`", s->words[s->preset]);
    } else if (s->kind == SL_KIND_BOOL) {
        sl_buf_printf(out, "`%s`", s->preset != 0 ? "true" : "false");
    } else if (s->has_auto && s->preset == 0) {
        sl_buf_printf(out, "`auto`");
    } else if (!sl_kind_is_text(s->kind)) {
        sl_setting_number(s->kind, s->preset, number);
        sl_buf_printf(out, "`%s`", number);
    }
}

static void manual_settings(struct sl_buf *out, const struct sl_settings *t, const char *prefix)
{
    sl_buf_printf(out, "| setting | value | preset | what it is |\n|---|---|---|---|\n");
    for (unsigned i = 0; i < t->n; i++) {
        const struct sl_setting *s = &t->rows[i];

        sl_buf_printf(out, "| `%s` | ", s->path + strlen(prefix));
        manual_kind(out, s);
        sl_buf_printf(out, " | ");
        manual_preset(out, s);
        sl_buf_printf(out, " | ");
        manual_cell(out, s->doc);
        if (s->flag != NULL) {
            sl_buf_printf(out, " Flag: `%s`.", s->flag);
        }
        sl_buf_printf(out, " |\n");
    }
    sl_buf_add_char(out, '\n');
}

static void manual_types(struct sl_buf *out)
{
    sl_buf_printf(out, "## Types\n\n| type | also written | takes |\n|---|---|---|\n");
    for (unsigned i = 0; i <= SL_TYPE_JSONB; i++) {
        const struct sl_type_row *type = &sl_type_rows[i];

        sl_buf_printf(out, "| `%s%s` | %s | %s |\n", type->name, i == SL_TYPE_VARCHAR ? "(n)" : "",
                      type->aliases, type->doc);
    }
    sl_buf_add_char(out, '\n');
}

static void manual_facts(struct sl_buf *out)
{
    sl_buf_printf(out, "## Facts of a message\n\n| from | what it is | types |\n|---|---|---|\n");
    for (unsigned i = 0; i < sl_fact_rows_n; i++) {
        const struct sl_fact_row *fact = &sl_fact_rows[i];

        sl_buf_printf(out, "| `%s%s` | %s | ", fact->name,
                      fact->from == SL_FROM_ATTRIBUTE ? "NAME" : "", fact->doc);
        sl_type_names(fact->types, out);
        sl_buf_printf(out, " |\n");
    }
}

void sl_config_manual(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR(intro));
    sl_buf_add_str(out, SL_STR(values));
    sl_buf_printf(out, "## Settings\n\n");
    manual_settings(out, &sl_settings, "");
    sl_buf_add_str(out, SL_STR(columns_intro));
    manual_settings(out, &sl_column_settings, "columns.");
    sl_buf_add_str(out, SL_STR(paths));
    manual_types(out);
    manual_facts(out);
}
