/* telemetry/emf.h - counts in CloudWatch's embedded metric format.  Pure.
 * Source:  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
#ifndef SLUICE_TELEMETRY_EMF_H
#define SLUICE_TELEMETRY_EMF_H

#include "base/buf.h"
#include "telemetry/counters.h"

/* Write the members of a JSON object that are metrics: namespace "sluice", dimension "pipeline", a
 * metric a counter.
 *
 *     "pipeline":"...","received":12,...,"_aws":{"Timestamp":...,"CloudWatchMetrics":[...]}
 *
 * Shape:   since: what was counted since the last ones, as CloudWatch adds up; of the pipeline's name
 *          what is not printable ASCII becomes '?', as CloudWatch refuses it
 */
void sl_emf_write(struct sl_buf *out, sl_str pipeline, int64_t at_ms,
                  const struct sl_counts *since);

#endif
