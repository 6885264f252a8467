/* app_console.c - who may look at a run over HTTP, and who may act. */
#include "app_console.h"

#include <strings.h>

#include "base/clock.h"
#include "net/http_origin.h"
#include "telemetry/log.h"

enum {
    WRONG_MAX = 5, /* tokens a second, of all who ask */

    UNAUTHORIZED = 401, /* statuses of HTTP */
    FORBIDDEN = 403,
    NOT_JSON = 415,
    ELSEWHERE = 421,
    TOO_MANY = 429,
};

void sl_app_page_error(struct sl_http_page *page, unsigned status, const char *text)
{
    sl_buf_reset(&page->body);
    page->status = status;
    page->type = "application/json";
    sl_buf_add_str(&page->body, SL_STR("{\"error\":"));
    sl_buf_add_json(&page->body, sl_str_of(text));
    sl_buf_add_str(&page->body, SL_STR("}\n"));
}

void sl_app_page_text(struct sl_buf *out, const char *name, sl_str text)
{
    sl_buf_printf(out, ",\"%s\":", name);
    if (text.len > 0) {
        sl_buf_add_json(out, text);
    } else {
        sl_buf_add_str(out, SL_STR("null"));
    }
}

static bool refuse(struct sl_http_page *page, unsigned status, const char *text)
{
    sl_app_page_error(page, status, text);
    return false;
}

/* A page of elsewhere whose name was made to lead here (DNS rebinding) asks with that name. */
bool sl_app_may_look(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    const struct sl_app *app = ctx;
    const char *host = sl_http_asked_header(asked, "Host");

    return !app->is_local_only || host[0] == '\0' || sl_http_host_is_plain(host) ||
           refuse(page, ELSEWHERE, "ask localhost, or an address in numbers");
}

/* What browsers say of themselves; other programs say nothing.  A proxy in front has changed the Host,
 * and then only the browser can tell; those that are too old to, or speak plain http to a name, have
 * their origin compared. */
static bool is_own_site(const struct sl_http_asked *asked)
{
    const char *site = sl_http_asked_header(asked, "Sec-Fetch-Site");
    const char *origin = sl_http_asked_header(asked, "Origin");

    if (site[0] != '\0') {
        return strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;
    }
    return origin[0] == '\0' || sl_http_origin_is_own(origin, sl_http_asked_header(asked, "Host"));
}

static sl_str token_of(const struct sl_http_asked *asked)
{
    static const char bearer[] = "Bearer ";
    const char *value = sl_http_asked_header(asked, "Authorization");
    const bool is_bearer = strncasecmp(value, bearer, sizeof bearer - 1) == 0;

    return sl_str_trim(sl_str_of(is_bearer ? value + sizeof bearer - 1 : ""));
}

/* Also the right one waits while somebody guesses, or a guess could be told from the others. */
static bool is_guessing(struct sl_app *app)
{
    const int64_t second = sl_clock_now_ms() / 1000;

    if (app->token_second != second) {
        app->token_second = second;
        app->token_wrong_n = 0;
    }
    return app->token_wrong_n >= WRONG_MAX;
}

static bool token_check(struct sl_app *app, const struct sl_http_asked *asked,
                        struct sl_http_page *page)
{
    const sl_str token = token_of(asked);

    if (token.len == 0) {
        return refuse(page, UNAUTHORIZED, "this takes the token: Authorization: Bearer TOKEN");
    }
    if (is_guessing(app)) {
        return refuse(page, TOO_MANY, "too many wrong tokens in this second");
    }
    if (sl_key_token_is(&app->token, token)) {
        return true;
    }
    app->token_wrong_n++;
    SL_LOG(SL_LOG_WARN, "a wrong token was refused",
           sl_field_str("client.address", sl_str_of(asked->from)));
    return refuse(page, UNAUTHORIZED, "the token is wrong");
}

bool sl_app_may_list(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    return sl_app_may_look(ctx, asked, page) &&
           (is_own_site(asked) || refuse(page, FORBIDDEN, "another site asks"));
}

bool sl_app_may_open(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    struct sl_app *app = ctx;

    if (!sl_app_may_list(ctx, asked, page)) {
        return false;
    }
    if (!app->token.is_set) {
        return refuse(page, FORBIDDEN,
                      "actions are off: give http.token_file or $" SL_KEY_TOKEN_VARIABLE);
    }
    return token_check(app, asked, page);
}

bool sl_app_may_change(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page)
{
    static const char json[] = "application/json";
    const char *type = sl_http_asked_header(asked, "Content-Type");

    if (!sl_app_may_open(ctx, asked, page)) {
        return false;
    }
    return (strncasecmp(type, json, sizeof json - 1) == 0 &&
            strchr(" ;", type[sizeof json - 1]) != NULL) ||
           refuse(page, NOT_JSON, "Content-Type must be application/json");
}
