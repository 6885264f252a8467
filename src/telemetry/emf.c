/* telemetry/emf.c - counts in CloudWatch's embedded metric format. */
#include "telemetry/emf.h"

#include <inttypes.h>

enum { DIMENSION_MAX_CHARS = 255 };

/* "unknown": a dimension may not be empty. */
static void add_pipeline(struct sl_buf *out, sl_str pipeline)
{
    const sl_str name = pipeline.len > 0 ? pipeline : SL_STR("unknown");
    char text[DIMENSION_MAX_CHARS];
    size_t n = 0;

    while (n < name.len && n < sizeof text) {
        text[n] = name.ptr[n];
        if (text[n] < ' ' || text[n] > '~') {
            text[n] = '?';
        }
        n++;
    }
    sl_buf_add_str(out, SL_STR("\"pipeline\":"));
    sl_buf_add_json(out, (sl_str){ text, n });
}

static void add_definitions(struct sl_buf *out)
{
    static const char *const names[] = {
#define X(name, ...) #name,
#include "telemetry/metrics.def"
#undef X
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        sl_buf_printf(out, "%s{\"Name\":\"%s\",\"Unit\":\"Count\"}", i > 0 ? "," : "", names[i]);
    }
}

void sl_emf_write(struct sl_buf *out, sl_str pipeline, int64_t at_ms, const struct sl_counts *since)
{
    add_pipeline(out, pipeline);
#define X(name, ...) sl_buf_printf(out, ",\"" #name "\":%" PRIu64, since->name);
#include "telemetry/metrics.def"
#undef X
    sl_buf_printf(out,
                  ",\"_aws\":{\"Timestamp\":%" PRId64 ",\"CloudWatchMetrics\":[{\"Namespace\":"
                  "\"sluice\",\"Dimensions\":[[\"pipeline\"]],\"Metrics\":[",
                  at_ms);
    add_definitions(out);
    sl_buf_add_str(out, SL_STR("]}]}"));
}
