/* sink/pg_copy.c - rows and keys in PostgreSQL's binary formats. */
#include "sink/pg_copy.h"

enum {
    SLOTS = 32,
    DAY_MS = 86400000,
    EPOCH_DAYS = 10957, /* 1970-01-01 to 2000-01-01 */
    PG_AF_INET = 2,     /* PGSQL_AF_INET, utils/inet.h */
    PG_AF_INET6 = 3,
};

static const int64_t epoch_us = (int64_t)EPOCH_DAYS * DAY_MS * 1000;

int64_t sl_pg_timestamp(int64_t at_ms)
{
    return at_ms * 1000 - epoch_us;
}

static struct sl_ledger_key plain_key(const struct sl_record *r)
{
    return (struct sl_ledger_key){ .slot = (int16_t)(r->sent_at_ms / DAY_MS % SLOTS),
                                   .sent_at_us = sl_pg_timestamp(r->sent_at_ms),
                                   .id = r->message_id };
}

struct sl_ledger_key sl_ledger_key_of(const struct sl_config *cfg, const struct sl_record *r)
{
    const sl_str value = { (const char *)r->ledger_key, sizeof r->ledger_key };

    if (!sl_config_is_keyed(cfg)) {
        return plain_key(r);
    }
    if (cfg->dedup == SL_DEDUP_MESSAGE_ID || r->verdict.reason != SL_REASON_NONE) {
        return (struct sl_ledger_key){ .slot = SL_LEDGER_BY_ID, .id = r->message_id };
    }
    return (struct sl_ledger_key){ .slot = SL_LEDGER_BY_VALUE, .id = value };
}

struct sl_ledger_key sl_ledger_key_from(sl_str bytes)
{
    if (bytes.len == 0) {
        return (struct sl_ledger_key){ .slot = -1 };
    }
    return (struct sl_ledger_key){ .slot = (unsigned char)bytes.ptr[0],
                                   .id = { bytes.ptr + 1, bytes.len - 1 } };
}

int sl_ledger_key_cmp(const struct sl_ledger_key *a, const struct sl_ledger_key *b)
{
    if (a->slot != b->slot) {
        return a->slot < b->slot ? -1 : 1;
    }
    if (a->sent_at_us != b->sent_at_us) {
        return a->sent_at_us < b->sent_at_us ? -1 : 1;
    }
    return sl_str_cmp(a->id, b->id);
}

void sl_pg_copy_begin(struct sl_buf *out)
{
    static const char signature[11] = "PGCOPY\n\377\r\n";

    sl_buf_add(out, signature, sizeof signature);
    sl_buf_add_u32(out, 0); /* flags */
    sl_buf_add_u32(out, 0); /* header extension */
}

void sl_pg_copy_end(struct sl_buf *out)
{
    sl_buf_add_u16(out, UINT16_MAX);
}

static void copy_bytes(struct sl_buf *out, sl_str bytes)
{
    sl_buf_add_u32(out, (uint32_t)bytes.len);
    sl_buf_add_str(out, bytes);
}

static void copy_i32(struct sl_buf *out, int32_t v)
{
    sl_buf_add_u32(out, sizeof v);
    sl_buf_add_u32(out, (uint32_t)v);
}

static void copy_i64(struct sl_buf *out, int64_t v)
{
    sl_buf_add_u32(out, sizeof v);
    sl_buf_add_u64(out, (uint64_t)v);
}

void sl_pg_copy_ledger(struct sl_buf *out, const struct sl_ledger_key *key, sl_str pipeline,
                       const unsigned char batch_id[static 16])
{
    sl_buf_add_u16(out, 5);
    sl_buf_add_u32(out, sizeof key->slot);
    sl_buf_add_u16(out, (uint16_t)key->slot);
    copy_i64(out, key->sent_at_us);
    copy_bytes(out, key->id);
    copy_bytes(out, pipeline);
    copy_bytes(out, (sl_str){ (const char *)batch_id, 16 });
}

void sl_pg_copy_ledger_key(struct sl_buf *out, const struct sl_ledger_key *key, sl_str pipeline,
                           const unsigned char batch_id[static 16])
{
    sl_buf_add_u16(out, 3);
    copy_bytes(out, pipeline);
    sl_pg_array_add_key(out, key);
    copy_bytes(out, (sl_str){ (const char *)batch_id, 16 });
}

static void copy_double(struct sl_buf *out, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    copy_i64(out, (int64_t)bits);
}

/* family, bits, is_cidr, length, address: network_recv of utils/adt/network.c */
static void copy_inet(struct sl_buf *out, const struct sl_inet *inet)
{
    const uint8_t length = inet->is_v6 ? 16 : 4;

    sl_buf_add_u32(out, 4U + length);
    sl_buf_add_u8(out, inet->is_v6 ? PG_AF_INET6 : PG_AF_INET);
    sl_buf_add_u8(out, inet->prefix);
    sl_buf_add_u8(out, 0);
    sl_buf_add_u8(out, length);
    sl_buf_add(out, inet->addr, length);
}

static void copy_int(struct sl_buf *out, enum sl_type type, int64_t v)
{
    if (type == SL_TYPE_INTEGER) {
        copy_i32(out, (int32_t)v);
    } else if (type == SL_TYPE_DATE) {
        copy_i32(out, (int32_t)(v - EPOCH_DAYS));
    } else {
        copy_i64(out, type == SL_TYPE_TIMESTAMPTZ ? v - epoch_us : v);
    }
}

static void copy_text(struct sl_buf *out, enum sl_type type, sl_str text)
{
    if (type == SL_TYPE_JSONB) {
        sl_buf_add_u32(out, (uint32_t)text.len + 1);
        sl_buf_add_u8(out, 1); /* version of jsonb_recv */
        sl_buf_add_str(out, text);
    } else {
        copy_bytes(out, text);
    }
}

static void copy_value(struct sl_buf *out, enum sl_type type, const struct sl_value *v)
{
    switch (v->kind) {
    case SL_VALUE_NULL:
        sl_buf_add_u32(out, UINT32_MAX);
        break;
    case SL_VALUE_TEXT:
        copy_text(out, type, v->text);
        break;
    case SL_VALUE_INT:
        copy_int(out, type, v->i);
        break;
    case SL_VALUE_DOUBLE:
        copy_double(out, v->d);
        break;
    case SL_VALUE_BOOL:
        sl_buf_add_u32(out, 1);
        sl_buf_add_u8(out, v->b);
        break;
    case SL_VALUE_UUID:
        copy_bytes(out, (sl_str){ (const char *)v->uuid, sizeof v->uuid });
        break;
    case SL_VALUE_INET:
        copy_inet(out, &v->inet);
        break;
    case SL_VALUE_CLEARTEXT:
    default:
        out->has_failed = true;
        break;
    }
}

void sl_pg_copy_row(struct sl_buf *out, const struct sl_column *columns, unsigned n,
                    const struct sl_value *values)
{
    sl_buf_add_u16(out, (uint16_t)n);
    for (unsigned i = 0; i < n; i++) {
        copy_value(out, columns[i].type, &values[i]);
    }
}

void sl_pg_array_add_key(struct sl_buf *out, const struct sl_ledger_key *key)
{
    sl_buf_add_u32(out, (uint32_t)key->id.len + 1);
    sl_buf_add_u8(out, (uint8_t)key->slot);
    sl_buf_add_str(out, key->id);
}

void sl_pg_array_begin(struct sl_buf *out, uint32_t element_type, unsigned n)
{
    sl_buf_add_u32(out, 1); /* dimensions */
    sl_buf_add_u32(out, 1); /* may have nulls */
    sl_buf_add_u32(out, element_type);
    sl_buf_add_u32(out, n);
    sl_buf_add_u32(out, 1); /* lower bound */
}

void sl_pg_array_add(struct sl_buf *out, sl_str bytes)
{
    copy_bytes(out, bytes);
}

void sl_pg_array_add_null(struct sl_buf *out)
{
    sl_buf_add_u32(out, UINT32_MAX);
}

void sl_pg_array_add_i16(struct sl_buf *out, int16_t v)
{
    sl_buf_add_u32(out, sizeof v);
    sl_buf_add_u16(out, (uint16_t)v);
}

void sl_pg_array_add_i64(struct sl_buf *out, int64_t v)
{
    copy_i64(out, v);
}
