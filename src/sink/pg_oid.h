/* sink/pg_oid.h - the types of parameters, by their numbers in the catalog.
 * Source: src/include/catalog/pg_type.dat of PostgreSQL */
#ifndef SLUICE_SINK_PG_OID_H
#define SLUICE_SINK_PG_OID_H

enum {
    SL_OID_BYTEA = 17,
    SL_OID_INT8 = 20,
    SL_OID_INT2 = 21,
    SL_OID_TEXT = 25,
    SL_OID_BYTEA_ARRAY = 1001,
    SL_OID_INT2_ARRAY = 1005,
    SL_OID_TEXT_ARRAY = 1009,
    SL_OID_TIMESTAMPTZ = 1184,
    SL_OID_TIMESTAMPTZ_ARRAY = 1185,
    SL_OID_UUID = 2950,
};

#endif
