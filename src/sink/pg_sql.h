/* sink/pg_sql.h - names and texts as SQL spells them. */
#ifndef SLUICE_SINK_PG_SQL_H
#define SLUICE_SINK_PG_SQL_H

#include "base/buf.h"

/* "name", whatever is in it. */
void sl_sql_identifier(struct sl_buf *out, sl_str name);

/* "schema"."name"; the name alone for a schema of "". */
void sl_sql_table(struct sl_buf *out, sl_str schema, sl_str name);

/* E'text' */
void sl_sql_literal(struct sl_buf *out, sl_str text);

#endif
