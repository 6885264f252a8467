/* config/setting.c - one setting: its words, its numbers, as they are written. */
#include <stdio.h>

#include "config/settings.h"

bool sl_setting_has_word(const struct sl_setting *s, sl_str text)
{
    for (unsigned i = 0; i < SL_SETTING_WORDS_MAX; i++) {
        if (s->words[i] != NULL && sl_str_eq(text, sl_str_of(s->words[i]))) {
            return true;
        }
    }
    return false;
}

const char *sl_setting_argument(const struct sl_setting *s, unsigned word)
{
    const size_t len = strlen(s->words[word]);

    return len > 0 && s->words[word][len - 1] == ':' ? s->argument : "";
}

void sl_setting_words(const struct sl_setting *s, struct sl_buf *out)
{
    bool is_first = true;

    for (unsigned i = 0; i < SL_SETTING_WORDS_MAX; i++) {
        if (s->words[i] != NULL) {
            sl_buf_printf(out, "%s%s%s", is_first ? "" : ", ", s->words[i],
                          sl_setting_argument(s, i));
            is_first = false;
        }
    }
}

const char *sl_kind_name(enum sl_kind kind)
{
    static const char *const names[] = {
        [SL_KIND_TEXT] = "a text",
        [SL_KIND_PRINTABLE] = "a text",
        [SL_KIND_ENDPOINT] = "an http or https URL",
        [SL_KIND_QUEUE_URL] = "an http or https URL",
        [SL_KIND_SECRET] = "the ARN of a secret",
        [SL_KIND_LISTEN] = "an address and port, or a port",
        [SL_KIND_POSTGRES] = "a connection URL",
        [SL_KIND_TABLE] = "a table name",
        [SL_KIND_FROM] = "a path or fact",
        [SL_KIND_TYPE] = "a column type",
        [SL_KIND_WORD] = "a word",
        [SL_KIND_BOOL] = "true or false",
        [SL_KIND_COUNT] = "a whole number",
        [SL_KIND_SECONDS] = "a duration",
        [SL_KIND_MS] = "a duration",
        [SL_KIND_SIZE] = "a size",
        [SL_KIND_COLUMNS] = "a list of columns",
    };

    return names[kind];
}

bool sl_kind_is_text(enum sl_kind kind)
{
    return kind <= SL_KIND_TYPE;
}

static void number_of_bytes(int64_t bytes, char out[static SL_SETTING_NUMBER_MAX])
{
    static const char *const units[] = { "", "KiB", "MiB", "GiB" };
    unsigned i = 0;

    while (i < 3 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        i++;
    }
    (void)snprintf(out, SL_SETTING_NUMBER_MAX, "%lld%s", (long long)bytes, units[i]);
}

static void number_of_seconds(int64_t seconds, char out[static SL_SETTING_NUMBER_MAX])
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };

    unsigned i = seconds == 0 ? 3 : 0;

    while (seconds % units[i].seconds != 0) {
        i++;
    }
    (void)snprintf(out, SL_SETTING_NUMBER_MAX, "%lld%c", (long long)(seconds / units[i].seconds),
                   units[i].unit);
}

void sl_setting_number(enum sl_kind kind, int64_t number, char out[static SL_SETTING_NUMBER_MAX])
{
    if (kind == SL_KIND_SIZE) {
        number_of_bytes(number, out);
        return;
    }
    if (kind == SL_KIND_MS && number % 1000 == 0) {
        number /= 1000;
        kind = SL_KIND_SECONDS;
    }
    if (kind == SL_KIND_SECONDS) {
        number_of_seconds(number, out);
        return;
    }
    (void)snprintf(out, SL_SETTING_NUMBER_MAX, "%lld%s", (long long)number,
                   kind == SL_KIND_MS ? "ms" : "");
}

void sl_setting_range(const struct sl_setting *s, char out[static SL_SETTING_NUMBER_MAX])
{
    char min[SL_SETTING_NUMBER_MAX];
    char max[SL_SETTING_NUMBER_MAX];

    sl_setting_number(s->kind, s->min, min);
    sl_setting_number(s->kind, s->max, max);
    (void)snprintf(out, SL_SETTING_NUMBER_MAX, "%s%.30s to %.30s", s->has_auto ? "auto or " : "",
                   min, max);
}
