/* config/settings.h - THE TABLE of settings: what may be written, what it means, where it goes.
 *
 * One row a setting.  The checks of a file and the manual both come from it.
 */
#ifndef SLUICE_CONFIG_SETTINGS_H
#define SLUICE_CONFIG_SETTINGS_H

#include "base/buf.h"
#include "config/config.h"

enum sl_kind {
    SL_KIND_TEXT,      /* sl_str, min..max bytes */
    SL_KIND_PRINTABLE, /* sl_str, min..max printable ASCII characters */
    SL_KIND_ENDPOINT,  /* sl_str, http(s)://host... */
    SL_KIND_QUEUE_URL, /* sl_str, http(s)://host/path */
    SL_KIND_SECRET,    /* sl_str, the ARN of a secret of Secrets Manager */
    SL_KIND_LISTEN,    /* sl_str, address:port or a port */
    SL_KIND_POSTGRES,  /* sl_str, postgresql://... or key=value words */
    SL_KIND_TABLE,     /* sl_str, name or schema.name */
    SL_KIND_FROM,      /* sl_str, a path or a fact of the message */
    SL_KIND_TYPE,      /* sl_str, a column type */
    SL_KIND_WORD,      /* an enum, whose values are places in .words */
    SL_KIND_BOOL,      /* bool */
    SL_KIND_COUNT,     /* unsigned */
    SL_KIND_SECONDS,   /* unsigned, whole seconds */
    SL_KIND_MS,        /* unsigned, milliseconds */
    SL_KIND_SIZE,      /* size_t, bytes */
    SL_KIND_COLUMNS,   /* the list of columns, read by columns.c */
};

enum {
    SL_SETTING_WORDS_MAX = 16,
    SL_SETTING_NUMBER_MAX = 80, /* bytes of sl_setting_number and _range, with their NUL */
};

struct sl_setting {
    const char *path;   /* "sink.postgres.table" */
    const char *member; /* the struct member it goes to, whose name ends in the unit */
    size_t at;          /* of the member */
    enum sl_kind kind;
    int64_t min; /* of numbers; bytes, of texts */
    int64_t max; /* 0: no limit but the file's */
    int64_t preset;
    const char *preset_doc; /* what the preset means, in words; NULL: the preset itself */
    const char *words[SL_SETTING_WORDS_MAX]; /* "field:" takes an argument, as in field:NAME */
    const char *argument;                    /* what it is called; NULL: no word takes one */
    enum sl_kind argument_kind;              /* of texts */
    size_t argument_at;                      /* where it goes, a sl_str */
    const char *unit;                        /* "s", "ms", "bytes"; NULL: none */
    const char *flag; /* of the command line, that takes its place; NULL: none */
    size_t flag_at;   /* in sl_overrides */
    const char *doc;
    bool is_required;
    bool is_secret; /* never printed */
    bool has_auto;  /* `auto` is 0 */
    bool is_said;   /* nothing in its place is refused: it would mean something else */
};

struct sl_settings {
    const struct sl_setting *rows;
    unsigned n;
};

enum {
    SL_SETTINGS_MAX = 64, /* rows of either table */
};

extern const struct sl_settings sl_settings;        /* offsets into struct sl_config */
extern const struct sl_settings sl_column_settings; /* offsets into struct sl_column */

/* The place of a row by its path; false if there is none. */
bool sl_settings_find(const struct sl_settings *t, const char *path, unsigned *ret_i);

/* True when settings stand below this path: "sink", "sink.postgres". */
bool sl_settings_has_below(const struct sl_settings *t, const char *path);

/* Print the names allowed right below a path ("": at the top), with commas between. */
void sl_settings_allowed(const struct sl_settings *t, const char *path, struct sl_buf *out);

/* The allowed name right below a path that a mistyped one is nearest to; "" if none is near. */
sl_str sl_settings_nearest(const struct sl_settings *t, const char *path, sl_str name);

/* Whether this is one of its words. */
bool sl_setting_has_word(const struct sl_setting *s, sl_str text);

/* What follows one of its words: "NAME" behind "field:"; "" if nothing does. */
const char *sl_setting_argument(const struct sl_setting *s, unsigned word);

/* The words of a setting, printed with commas between. */
void sl_setting_words(const struct sl_setting *s, struct sl_buf *out);

/* What is wanted for a kind: "a duration", "a text". */
const char *sl_kind_name(enum sl_kind kind);

/* True for the kinds that are an sl_str. */
bool sl_kind_is_text(enum sl_kind kind);

/* A number as one writes it for a kind: "64MiB", "200ms", "8". */
void sl_setting_number(enum sl_kind kind, int64_t number, char out[static SL_SETTING_NUMBER_MAX]);

/* What a number may be: "auto or 1 to 64", "0s to 20s". */
void sl_setting_range(const struct sl_setting *s, char out[static SL_SETTING_NUMBER_MAX]);

#endif
