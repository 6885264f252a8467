/* app_metrics.h - what a run has counted, and how it is, for Prometheus. */
#ifndef SLUICE_APP_METRICS_H
#define SLUICE_APP_METRICS_H

#include "app.h"

/* Write all metrics; those of the workers once they are there.  Threads: any */
void sl_app_metrics(struct sl_app *app, bool is_openmetrics, struct sl_buf *out);

#endif
