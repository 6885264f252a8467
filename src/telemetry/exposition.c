/* telemetry/exposition.c - metrics as Prometheus reads them. */
#include "telemetry/exposition.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const struct family {
    const char *name;
    const char *labels; /* their names, for the manual */
    const char *text;
    enum kind kind;
} families[] = {

#define X(name, prometheus, text) { prometheus, "", text, COUNTER },
#include "telemetry/metrics.def"
#undef X

#define X(name, kind, prometheus, labels, text) { prometheus, labels, text, kind },
#include "telemetry/families.def"
#undef X
};

static const char *kind_name(enum kind kind)
{
    static const char *const names[] = { "counter", "gauge", "histogram" };

    return names[kind];
}

/* OpenMetrics names a family of counters without what its samples end in. */
static sl_str family_name(const struct sl_exposition *x, const struct family *f)
{
    const sl_str total = SL_STR("_total");
    sl_str name = sl_str_of(f->name);

    if (x->is_openmetrics && f->kind == COUNTER) {
        name.len -= total.len;
    }
    return name;
}

void sl_expose_family(const struct sl_exposition *x, enum sl_family family)
{
    const struct family *f = &families[family];
    const sl_str name = family_name(x, f);

    sl_buf_printf(x->out, "# HELP %" SL_FMT " %s\n# TYPE %" SL_FMT " %s\n", SL_ARG(name), f->text,
                  SL_ARG(name), kind_name(f->kind));
}

static void add_escaped(struct sl_buf *out, sl_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        const char c = value.ptr[i];

        if (c == '\n') {
            sl_buf_add_str(out, SL_STR("\\n"));
            continue;
        }
        if (c == '\\' || c == '"') {
            sl_buf_add_char(out, '\\');
        }
        sl_buf_add_char(out, c);
    }
}

/* Returns: how many there are now. */
static unsigned add_label(struct sl_buf *out, unsigned n, const char *name, sl_str value)
{
    sl_buf_printf(out, "%s%s=\"", n == 0 ? "{" : ",", name);
    add_escaped(out, value);
    sl_buf_add_char(out, '"');
    return n + 1;
}

/* `le` is the bound of a bucket; NULL for none. */
static void add_sample(const struct sl_exposition *x, const char *name, const char *suffix,
                       const struct sl_labels *labels, const char *le, double value)
{
    unsigned n = 0;

    sl_buf_printf(x->out, "%s%s", name, suffix);
    for (unsigned i = 0; labels != NULL && i < SL_LABELS_MAX; i++) {
        if (labels->at[i].name != NULL) {
            n = add_label(x->out, n, labels->at[i].name, labels->at[i].value);
        }
    }
    if (le != NULL) {
        n = add_label(x->out, n, "le", sl_str_of(le));
    }
    sl_buf_printf(x->out, "%s %.15g\n", n > 0 ? "}" : "", value);
}

void sl_expose_sample(const struct sl_exposition *x, enum sl_family family,
                      const struct sl_labels *labels, double value)
{
    add_sample(x, families[family].name, "", labels, NULL, value);
}

void sl_expose(const struct sl_exposition *x, enum sl_family family, double value)
{
    sl_expose_family(x, family);
    sl_expose_sample(x, family, NULL, value);
}

void sl_expose_counts(const struct sl_exposition *x, const struct sl_counts *counts)
{
#define X(name, prometheus, text) sl_expose(x, SL_FAMILY_COUNT_##name, (double)counts->name);
#include "telemetry/metrics.def"
#undef X
}

static void add_bound(struct sl_buf *out, int64_t us)
{
    sl_buf_reset(out);
    sl_buf_printf(out, "%.15g", (double)us / 1e6);
    sl_buf_add_char(out, '\0');
}

void sl_expose_tally(const struct sl_exposition *x, enum sl_family family,
                     const struct sl_labels *labels, const struct sl_bounds *bounds,
                     const struct sl_tally *tally)
{
    SL_AUTO(sl_buf_done) struct sl_buf le = { .max_bytes = 64 };
    const char *name = families[family].name;
    uint64_t below = 0;

    for (unsigned i = 0; i < SL_BOUNDS_N; i++) {
        below += tally->n[i];
        add_bound(&le, bounds->us[i]);
        add_sample(x, name, "_bucket", labels, le.ptr, (double)below);
    }
    below += tally->n[SL_BOUNDS_N];
    add_sample(x, name, "_bucket", labels, "+Inf", (double)below);
    add_sample(x, name, "_sum", labels, NULL, (double)tally->sum_us / 1e6);
    add_sample(x, name, "_count", labels, NULL, (double)below);
}

void sl_expose_end(const struct sl_exposition *x)
{
    if (x->is_openmetrics) {
        sl_buf_add_str(x->out, SL_STR("# EOF\n"));
    }
}

const char *sl_exposition_type(bool is_openmetrics)
{
    return is_openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                          : "text/plain; version=0.0.4; charset=utf-8";
}

static const char intro[] =
    "# Metrics\n"
    "\n"
    "What `/metrics` has, once `http.listen` is set ([operations.md](operations.md#watch-it)), as "
    "Prometheus text\n"
    "or as OpenMetrics, whichever is asked for. This page is what `sluice docs metrics` prints. "
    "No label has a value\n"
    "out of a message: stages, actions, codes and reasons ([errors.md](errors.md)) are fixed "
    "tables, the rest stands in\n"
    "the configuration.\n"
    "\n"
    "| metric | type | labels | what it is |\n|---|---|---|---|\n";

static void manual_bounds(struct sl_buf *out, const char *name, const struct sl_bounds *bounds)
{
    sl_buf_printf(out, "* `%s`:", name);
    for (unsigned i = 0; i < SL_BOUNDS_N; i++) {
        sl_buf_printf(out, "%s %.15g", i == 0 ? "" : ",", (double)bounds->us[i] / 1e6);
    }
    sl_buf_add_str(out, SL_STR("\n"));
}

static const char questions[] =
    "\n## Questions\n"
    "\n"
    "Every delivery has one end: `sluice_messages_received_total` = `sluice_rows_loaded_total` + "
    "duplicates +\n"
    "dead-lettered + returned + `sluice_messages_in_flight`, at every scrape, but for what moves "
    "while it is made.\n"
    "\n"
    "```\n"
    "sum(rate(sluice_rows_loaded_total[5m]))                         rows a second\n"
    "histogram_quantile(0.99, sum by (le) (rate(sluice_message_latency_seconds_bucket[5m])))\n"
    "                                                                99 of 100 are rows after so "
    "many seconds\n"
    "1e6 * sum(increase(sluice_sqs_requests_total[1d]))\n"
    "    / sum(increase(sluice_messages_received_total[1d]))         requests for a million "
    "messages\n"
    "```\n"
    "\n"
    "Times the price of a request that is the cost of the queue; SQS counts an answer of more than "
    "64 KiB as several.\n";

void sl_metrics_manual(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR(intro));
    for (unsigned i = 0; i < SL_FAMILIES_N; i++) {
        const struct family *f = &families[i];

        sl_buf_printf(out, "| `%s` | %s | %s | %s |\n", f->name, kind_name(f->kind), f->labels,
                      f->text);
    }
    sl_buf_add_str(out, SL_STR("\nUpper bounds of the histograms, in seconds:\n\n"));
    manual_bounds(out, families[SL_FAMILY_stages].name, &sl_bounds_stage);
    manual_bounds(out, families[SL_FAMILY_latency].name, &sl_bounds_latency);
    sl_buf_add_str(out, SL_STR(questions));
}
