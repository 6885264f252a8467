/* config/input.c - where messages come from, a queue or files, and what goes with which. */
#include "config/input.h"

#define FILE_PATH "source.file.path"

bool sl_config_reads_files(const struct sl_config *cfg)
{
    return cfg->files.path.len > 0;
}

/* The first setting of the queue's that was given; NULL if none was. */
static const char *given_of_queue(const struct sl_reading *rd)
{
    for (unsigned i = 0; i < rd->table->n; i++) {
        const char *path = rd->table->rows[i].path;

        if (sl_str_starts(sl_str_of(path), SL_STR("source.sqs.")) && sl_reading_has(rd, path)) {
            return path;
        }
    }
    return NULL;
}

sl_rc sl_input_choose(struct sl_config *cfg, const struct sl_reading *rd,
                      const struct sl_yaml *root, const struct sl_overrides *overrides,
                      struct sl_err *e)
{
    if (overrides != NULL && overrides->queue_url.len > 0) {
        cfg->files.path = SL_STR("");
        return SL_OK;
    }
    if (sl_reading_has(rd, FILE_PATH) && given_of_queue(rd) != NULL) {
        return SL_FAIL_AT(e, sl_reading_place(rd, root, FILE_PATH),
                          "messages come from one place: leave out " FILE_PATH " or %s",
                          given_of_queue(rd));
    }
    return SL_OK;
}

/* What a line has not; all lines would be bad if a column needed it. */
static bool is_of_queue(const struct sl_config *cfg, const struct sl_column *column)
{
    return column->from == SL_FROM_SENT_AT || column->from == SL_FROM_RECEIVE_COUNT ||
           column->from == SL_FROM_TRACE_ID ||
           (column->from == SL_FROM_ATTRIBUTE && !sl_config_has_own_attributes(cfg));
}

static sl_rc check_columns(const struct sl_config *cfg, const struct sl_yaml *columns,
                           struct sl_err *e)
{
    const struct sl_yaml *column = columns->child;

    for (unsigned i = 0; i < cfg->columns_n && column != NULL; i++, column = column->next) {
        if (cfg->columns[i].is_required && is_of_queue(cfg, &cfg->columns[i])) {
            return SL_FAIL_AT(e, column->at,
                              "column %" SL_FMT " is required, and a line of a file has no "
                              "%" SL_FMT,
                              SL_ARG(cfg->columns[i].name), SL_ARG(cfg->columns[i].from_text));
        }
    }
    return SL_OK;
}

sl_rc sl_input_check(const struct sl_config *cfg, const struct sl_reading *rd,
                     const struct sl_yaml *root, struct sl_err *e)
{
    if (!sl_config_reads_files(cfg)) {
        return SL_OK;
    }
    if (cfg->dedup == SL_DEDUP_MESSAGE_ID) {
        return SL_FAIL_AT(e, sl_reading_place(rd, root, "dedup"),
                          "a line of a file has no id of its own: say dedup: field:NAME, a field "
                          "that no two events share, or dedup: body");
    }
    if (cfg->dedup == SL_DEDUP_FIELD && is_of_queue(cfg, &cfg->dedup_from)) {
        return SL_FAIL_AT(e, sl_reading_place(rd, root, "dedup"),
                          "a line of a file has no %" SL_FMT ": say a field of the body",
                          SL_ARG(cfg->dedup_field));
    }
    if (cfg->envelope == SL_ENVELOPE_S3) {
        return SL_FAIL_AT(e, sl_reading_place(rd, root, "envelope"),
                          "envelope: s3 is for a queue, whose identity fetches the objects");
    }
    if (cfg->dead_letter != SL_DEAD_LETTER_TABLE) {
        return SL_FAIL_AT(e, sl_reading_place(rd, root, "dead_letter"),
                          "bad lines of a file go to the table: dead_letter: %s is for a queue",
                          cfg->dead_letter == SL_DEAD_LETTER_LEAVE ? "leave" : "queue:URL");
    }
    return check_columns(cfg, rd->columns, e);
}
