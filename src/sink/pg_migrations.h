/* sink/pg_migrations.h - sluice's own database objects, from each version of the schema to the next.
 *
 * A version that has been released is never edited: what comes later is a step of its own.
 */
#ifndef SLUICE_SINK_PG_MIGRATIONS_H
#define SLUICE_SINK_PG_MIGRATIONS_H

#include "base/buf.h"

enum { SL_SCHEMA_VERSION = 3 };

/* Write the SQL that brings the objects of one version (0 = none) to SL_SCHEMA_VERSION, for a
 * server of that version (150004).  Run it in one transaction; what is there already may be. */
void sl_pg_migrations_sql(struct sl_buf *out, unsigned from_version, int server_version);

#endif
