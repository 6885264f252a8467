/* app_monitor.c - who watches is answered. */
#include "app_monitor.h"

#include <stdio.h>

#include "app_console.h"
#include "app_console_files.h"
#include "app_dead.h"
#include "app_health.h"
#include "app_metrics.h"
#include "app_state.h"
#include "net/http_origin.h"
#include "telemetry/exposition.h"
#include "telemetry/log.h"

static const char type_json[] = "application/json";
static const char type_text[] = "text/plain; charset=utf-8";

enum {
    OK = 200,
    BAD_REQUEST = 400,
    NOT_FOUND = 404,
    ELSEWHERE = 421,
    NOT_READY = 503
}; /* of HTTP */

/* Of every reply: nothing from elsewhere, nothing inline, in no frame, kept nowhere. */
static const char *const headers[][2] = {
    { "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
      "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
    { "X-Content-Type-Options", "nosniff" },
    { "Referrer-Policy", "no-referrer" },
    { "Cache-Control", "no-store" },
    { NULL, NULL },
};

static void answer_metrics(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    const char *accept = sl_http_asked_header(asked, "Accept");
    const bool is_openmetrics = strstr(accept, "application/openmetrics-text") != NULL;

    page->type = sl_exposition_type(is_openmetrics);
    sl_app_metrics(ctx, is_openmetrics, &page->body);
}

static void answer_health(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    (void)asked;
    page->type = type_json;
    page->status = sl_app_is_healthy(ctx, &page->body) ? OK : NOT_READY;
}

static void answer_ready(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    const char *accept = sl_http_asked_header(asked, "Accept");
    const bool is_text = sl_str_starts(sl_str_of(accept), SL_STR("text/plain"));

    page->type = is_text ? type_text : type_json;
    page->status = sl_app_is_ready(ctx, is_text, &page->body) ? OK : NOT_READY;
}

static void answer_state(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    (void)asked;
    page->type = type_json;
    sl_app_state(ctx, &page->body);
}

static void answer_history(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    const char *after = sl_http_asked_query(asked, "after_ms");
    struct sl_app *app = ctx;
    int64_t after_ms = 0;

    page->type = type_json;
    if (after != NULL && !sl_str_to_i64(sl_str_of(after), &after_ms)) {
        sl_app_page_error(page, BAD_REQUEST, "after_ms takes a number");
        return;
    }
    sl_app_history_json(&app->history, after_ms, &page->body);
}

/* The console's own files, or nothing. */
static void answer_file(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    const struct sl_console_file *file = sl_console_file_find(asked->path);

    (void)ctx;
    if (file != NULL) {
        page->type = file->type;
        sl_buf_add_str(&page->body, (sl_str){ file->bytes, file->len });
        return;
    }
    page->type = type_text;
    page->status = NOT_FOUND;
    sl_buf_add_str(&page->body,
                   SL_STR("there are /, /metrics, /healthz, /readyz and /api/state\n"));
}

/* The first that fits answers. */
static const struct sl_http_route routes[] = {
    { .path = "/metrics", .check = sl_app_may_look, .answer = answer_metrics },
    { .path = "/healthz", .check = sl_app_may_look, .answer = answer_health },
    { .path = "/readyz", .check = sl_app_may_look, .answer = answer_ready },
    { .path = "/api/state", .check = sl_app_may_look, .answer = answer_state },
    { .path = "/api/history", .check = sl_app_may_look, .answer = answer_history },
    { .path = "/api/dead", .check = sl_app_may_list, .answer = sl_app_dead_list, .is_slow = true },
    { "/api/dead/retry", sl_app_may_change, sl_app_dead_retry, .is_post = true, .is_slow = true },
    { "/api/dead/purge", sl_app_may_change, sl_app_dead_purge, .is_post = true, .is_slow = true },
    { .path = "/api/dead/", .check = sl_app_may_open, .answer = sl_app_dead_show, .is_slow = true },
    { .path = NULL, .check = sl_app_may_look, .answer = answer_file },
};

sl_rc sl_app_monitor_start(struct sl_app *app, struct sl_err *e)
{
    const struct sl_config *cfg = app->cfg;
    struct sl_err why = { 0 };
    struct sl_listen at;
    sl_rc rc;

    if (cfg->http.listen.len == 0 || app->options.is_dry_run) {
        sl_key_token_forget();
        return SL_OK;
    }
    SL_TRY(sl_key_token_read(cfg->http.token_file, &app->token, e));
    if (!sl_listen_read(cfg->http.listen, &at)) {
        return SL_FAIL(e, SL_BUG, "http.listen was not checked");
    }
    app->is_local_only = sl_http_is_loopback(at.host);
    app->site = (struct sl_http_site){
        .routes = routes,
        .routes_n = sizeof routes / sizeof *routes,
        .headers = headers,
        .ctx = app,
    };
    rc = sl_http_server_start(&app->server, &at, &app->site, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%" SL_FMT ":%u:%u: http.listen: %.900s", SL_ARG(cfg->file),
                       cfg->http.line, cfg->http.column, why.msg);
    }
    SL_LOG(SL_LOG_INFO, "metrics and health are answered",
           sl_field_str("server.address", sl_str_of(at.host)),
           sl_field_int("server.port", app->server.port));
    return SL_OK;
}
