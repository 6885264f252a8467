/* sink/ndjson.c - rows as NDJSON on stdout. */
#include "sink/ndjson.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"

enum { LINE_MAX = 64 << 20 };

struct ndjson_sink {
    const struct sl_config *cfg;
    struct sl_buf line;
};

static void add_moment(struct sl_buf *out, enum sl_type type, int64_t v)
{
    char text[32];

    if (type == SL_TYPE_DATE) {
        sl_clock_text(v * 86400000, text);
        sl_buf_printf(out, "\"%.10s\"", text);
    } else if (type == SL_TYPE_TIMESTAMPTZ) {
        sl_clock_text(v / 1000, text);
        sl_buf_printf(out, "\"%s\"", text);
    } else {
        sl_buf_printf(out, "%lld", (long long)v);
    }
}

static void add_inet(struct sl_buf *out, const struct sl_inet *inet)
{
    char text[INET6_ADDRSTRLEN];

    (void)inet_ntop(inet->is_v6 ? AF_INET6 : AF_INET, inet->addr, text, sizeof text);
    sl_buf_printf(out, "\"%s", text);
    if (inet->prefix != (inet->is_v6 ? 128 : 32)) {
        sl_buf_printf(out, "/%u", inet->prefix);
    }
    sl_buf_add_char(out, '"');
}

static void add_uuid(struct sl_buf *out, const unsigned char uuid[static 16])
{
    sl_buf_add_char(out, '"');
    for (int i = 0; i < 16; i++) {
        sl_buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    }
    sl_buf_add_char(out, '"');
}

static void add_value(struct sl_buf *out, enum sl_type type, const struct sl_value *v)
{
    switch (v->kind) {
    case SL_VALUE_NULL:
        sl_buf_add_str(out, SL_STR("null"));
        break;
    case SL_VALUE_TEXT:
        if (type == SL_TYPE_JSONB) {
            sl_buf_add_str(out, v->text);
        } else {
            sl_buf_add_json(out, v->text);
        }
        break;
    case SL_VALUE_INT:
        add_moment(out, type, v->i);
        break;
    case SL_VALUE_DOUBLE:
        sl_buf_printf(out, "%.17g", v->d);
        break;
    case SL_VALUE_BOOL:
        sl_buf_printf(out, "%s", v->b ? "true" : "false");
        break;
    case SL_VALUE_UUID:
        add_uuid(out, v->uuid);
        break;
    case SL_VALUE_INET:
        add_inet(out, &v->inet);
        break;
    case SL_VALUE_CLEARTEXT:
    default:
        out->has_failed = true;
        break;
    }
}

static void add_row(struct sl_buf *out, const struct sl_config *cfg, const struct sl_record *r)
{
    for (unsigned i = 0; i < cfg->columns_n; i++) {
        sl_buf_add_char(out, i == 0 ? '{' : ',');
        sl_buf_add_json(out, cfg->columns[i].name);
        sl_buf_add_char(out, ':');
        add_value(out, cfg->columns[i].type, &r->values[i]);
    }
    sl_buf_add_str(out, SL_STR("}\n"));
}

static sl_rc ndjson_load(void *self, struct sl_batch *b, struct sl_err *e)
{
    struct ndjson_sink *p = self;

    for (unsigned i = 0; i < b->n; i++) {
        const struct sl_record *r = b->records[i];

        if (r->verdict.reason != SL_REASON_NONE) {
            sl_record_tell(r, "this message would become a dead letter");
            continue;
        }
        sl_buf_reset(&p->line);
        add_row(&p->line, p->cfg, r);
        SL_TRY(sl_buf_rc(&p->line, e));
        if (fwrite(p->line.ptr, 1, p->line.len, stdout) != p->line.len) {
            return SL_FAIL(e, SL_IO, "could not write to stdout");
        }
    }
    return fflush(stdout) == 0 ? SL_OK : SL_FAIL(e, SL_IO, "could not write to stdout");
}

static sl_rc ndjson_probe(void *self, struct sl_err *e)
{
    (void)self;
    (void)e;
    return SL_OK;
}

static void ndjson_close(void *self)
{
    struct ndjson_sink *p = self;

    sl_buf_done(&p->line);
    free(p);
}

sl_rc sl_ndjson_open(const struct sl_config *cfg, struct sl_sink *ret, struct sl_err *e)
{
    static const struct sl_sink_ops ops = { .load = ndjson_load,
                                            .probe = ndjson_probe,
                                            .close = ndjson_close };
    struct ndjson_sink *p = calloc(1, sizeof *p);

    if (p == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not make a sink");
    }
    p->cfg = cfg;
    sl_buf_init(&p->line, LINE_MAX);
    *ret = (struct sl_sink){ .self = p, .ops = &ops };
    return SL_OK;
}
