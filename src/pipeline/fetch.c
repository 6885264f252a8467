/* pipeline/fetch.c - the objects of S3 that bodies point to: fetched before they are decoded, deleted
 * once they are rows, if so configured.  While S3 is away it is as with the
 * database: nothing new is received, and what is held is kept. */
#include "pipeline/pipeline.h"

static sl_rc fetch_once(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    bool has_more = true;

    p->awaited = "S3";
    while (has_more) {
        SL_TRY(sl_s3_fetch(p->s3, b, &has_more, e));
        sl_pulse_beat(&p->pulse);
    }
    return SL_OK;
}

sl_rc sl_objects_fetch(struct sl_pipeline *p, struct sl_batch *b, struct sl_err *e)
{
    return p->s3 == NULL ? SL_OK : sl_pipeline_persist(p, b, fetch_once, e);
}

void sl_objects_delete(struct sl_pipeline *p, const struct sl_batch *b)
{
    if (p->cfg->delete_objects && p->s3 != NULL && !atomic_load(&p->stop->is_urgent)) {
        sl_s3_delete(p->s3, b);
    }
}
