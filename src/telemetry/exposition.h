/* telemetry/exposition.h - metrics as Prometheus reads them, in its text format or as OpenMetrics.
 *
 * Labels take sl_str; there is none for sl_cleartext, on purpose.
 * Source:  https://prometheus.io/docs/instrumenting/exposition_formats/,
 *          https://github.com/prometheus/OpenMetrics (1.0.0)
 */
#ifndef SLUICE_TELEMETRY_EXPOSITION_H
#define SLUICE_TELEMETRY_EXPOSITION_H

#include "base/buf.h"
#include "telemetry/counters.h"

/* The rows of both tables, in their order. */
enum sl_family {

#define X(name, prometheus, text) SL_FAMILY_COUNT_##name,
#include "telemetry/metrics.def"
#undef X

#define X(name, kind, prometheus, labels, text) SL_FAMILY_##name,
#include "telemetry/families.def"
#undef X
    SL_FAMILIES_N,
};

struct sl_exposition {
    struct sl_buf *out;
    bool is_openmetrics;
};

struct sl_label {
    const char *name;
    sl_str value;
};

enum { SL_LABELS_MAX = 3 };

/* The labels of a sample; those without a name are none. */
struct sl_labels {
    struct sl_label at[SL_LABELS_MAX];
};

/* Begin a family: what it means, and its type.  Its samples follow, before the next one begins. */
void sl_expose_family(const struct sl_exposition *x, enum sl_family family);

/* One sample of the family that was begun. */
void sl_expose_sample(const struct sl_exposition *x, enum sl_family family,
                      const struct sl_labels *labels, double value);

/* A family of one sample without labels. */
void sl_expose(const struct sl_exposition *x, enum sl_family family, double value);

/* All of metrics.def. */
void sl_expose_counts(const struct sl_exposition *x, const struct sl_counts *counts);

/* The samples of a histogram of the family that was begun. */
void sl_expose_tally(const struct sl_exposition *x, enum sl_family family,
                     const struct sl_labels *labels, const struct sl_bounds *bounds,
                     const struct sl_tally *tally);

/* What stands behind the last family. */
void sl_expose_end(const struct sl_exposition *x);

/* The media type of the format. */
const char *sl_exposition_type(bool is_openmetrics);

/* Print the manual of all metrics (Markdown) from their tables. */
void sl_metrics_manual(struct sl_buf *out);

#endif
