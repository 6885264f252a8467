/* app_monitor.c - who watches is answered. */
#include "app_monitor.h"

#include "app_health.h"
#include "app_metrics.h"
#include "telemetry/exposition.h"
#include "telemetry/log.h"

static const char type_json[] = "application/json";
static const char type_text[] = "text/plain; charset=utf-8";

enum { OK = 200, NOT_FOUND = 404, NOT_READY = 503 }; /* statuses of HTTP */

static void answer_metrics(struct sl_app *app, const struct sl_http_asked *asked,
                           struct sl_http_page *page)
{
    const bool is_openmetrics = strstr(asked->accept, "application/openmetrics-text") != NULL;

    page->type = sl_exposition_type(is_openmetrics);
    sl_app_metrics(app, is_openmetrics, &page->body);
}

static void answer_health(struct sl_app *app, const struct sl_http_asked *asked,
                          struct sl_http_page *page)
{
    (void)asked;
    page->type = type_json;
    page->status = sl_app_is_healthy(app, &page->body) ? OK : NOT_READY;
}

static void answer_ready(struct sl_app *app, const struct sl_http_asked *asked,
                         struct sl_http_page *page)
{
    const bool is_text = sl_str_starts(sl_str_of(asked->accept), SL_STR("text/plain"));

    page->type = is_text ? type_text : type_json;
    page->status = sl_app_is_ready(app, is_text, &page->body) ? OK : NOT_READY;
}

static void answer(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    static const struct {
        const char *path;
        void (*answer)(struct sl_app *app, const struct sl_http_asked *asked,
                       struct sl_http_page *page);
    } pages[] = {
        { "/metrics", answer_metrics },
        { "/healthz", answer_health },
        { "/readyz", answer_ready },
    };

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(asked->path, pages[i].path) == 0) {
            pages[i].answer(ctx, asked, page);
            return;
        }
    }
    page->type = type_text;
    page->status = NOT_FOUND;
    sl_buf_add_str(&page->body, SL_STR("there are /metrics, /healthz and /readyz\n"));
}

sl_rc sl_app_monitor_start(struct sl_app *app, struct sl_err *e)
{
    const struct sl_config *cfg = app->cfg;
    struct sl_err why = { 0 };
    struct sl_listen at;
    sl_rc rc;

    if (cfg->http.listen.len == 0 || app->options.is_dry_run) {
        return SL_OK;
    }
    if (!sl_listen_read(cfg->http.listen, &at)) {
        return SL_FAIL(e, SL_BUG, "http.listen was not checked");
    }
    rc = sl_http_server_start(&app->server, &at, answer, app, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%" SL_FMT ":%u:%u: http.listen: %.900s", SL_ARG(cfg->file),
                       cfg->http.line, cfg->http.column, why.msg);
    }
    SL_LOG(SL_LOG_INFO, "metrics and health are answered",
           sl_field_str("server.address", sl_str_of(at.host)),
           sl_field_int("server.port", app->server.port));
    return SL_OK;
}
