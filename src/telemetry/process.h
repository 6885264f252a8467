/* telemetry/process.h - what the process costs. */
#ifndef SLUICE_TELEMETRY_PROCESS_H
#define SLUICE_TELEMETRY_PROCESS_H

/* CPU time so far, user and system.  Units: seconds */
double sl_process_cpu_s(void);

/* Memory in RAM; 0 where /proc does not say.  Units: bytes */
double sl_process_rss_bytes(void);

#endif
