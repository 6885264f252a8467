/* app_monitor.c - who watches is answered. */
#include "app_monitor.h"

#include <stdio.h>

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

/* A page of elsewhere whose name was made to lead here (DNS rebinding) asks with that name. */
static bool check_host(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    const struct sl_app *app = ctx;
    const char *host = sl_http_asked_header(asked, "Host");

    if (!app->is_local_only || host[0] == '\0' || sl_http_host_is_plain(host)) {
        return true;
    }
    page->status = ELSEWHERE;
    page->type = type_json;
    sl_buf_add_str(&page->body,
                   SL_STR("{\"error\":\"ask localhost, or an address in numbers\"}\n"));
    return false;
}

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
        page->status = BAD_REQUEST;
        sl_buf_add_str(&page->body, SL_STR("{\"error\":\"after_ms is a number\"}\n"));
        return;
    }
    sl_app_history_json(&app->history, after_ms, &page->body);
}

static void answer_nothing(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    (void)ctx;
    (void)asked;
    page->type = type_text;
    page->status = NOT_FOUND;
    sl_buf_add_str(&page->body, SL_STR("there are /metrics, /healthz, /readyz and /api/state\n"));
}

static const struct sl_http_route routes[] = {
    { .path = "/metrics", .check = check_host, .answer = answer_metrics },
    { .path = "/healthz", .check = check_host, .answer = answer_health },
    { .path = "/readyz", .check = check_host, .answer = answer_ready },
    { .path = "/api/state", .check = check_host, .answer = answer_state },
    { .path = "/api/history", .check = check_host, .answer = answer_history },
    { .path = NULL, .check = check_host, .answer = answer_nothing },
};

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
