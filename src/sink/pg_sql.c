/* sink/pg_sql.c - names and texts as SQL spells them. */
#include "sink/pg_sql.h"

/* Quoted always, so that mixed case and reserved words are just names.  Doubling the quotes is
 * all that PostgreSQL asks of an identifier. */
void sl_sql_identifier(struct sl_buf *out, sl_str name)
{
    sl_buf_add_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"') {
            sl_buf_add_char(out, '"');
        }
        sl_buf_add_char(out, name.ptr[i]);
    }
    sl_buf_add_char(out, '"');
}

void sl_sql_table(struct sl_buf *out, sl_str schema, sl_str name)
{
    if (schema.len > 0) {
        sl_sql_identifier(out, schema);
        sl_buf_add_char(out, '.');
    }
    sl_sql_identifier(out, name);
}

/* A string literal; E'' because a backslash means different things to different settings. */
void sl_sql_literal(struct sl_buf *out, sl_str text)
{
    sl_buf_add_str(out, SL_STR("E'"));
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'' || text.ptr[i] == '\\') {
            sl_buf_add_char(out, text.ptr[i]);
        }
        sl_buf_add_char(out, text.ptr[i]);
    }
    sl_buf_add_char(out, '\'');
}
