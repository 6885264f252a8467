/* app_console.h - who may look at a run over HTTP, and who may act. */
#ifndef SLUICE_APP_CONSOLE_H
#define SLUICE_APP_CONSOLE_H

#include "app.h"

/* Answer with {"error":"text"}. */
void sl_app_page_error(struct sl_http_page *page, unsigned status, const char *text);

/* Append one more member, ,"name":"text"; null for "". */
void sl_app_page_text(struct sl_buf *out, const char *name, sl_str text);

/* Checks of routes; ctx is the application.
 *
 * look    the Host header is no name, where this machine alone is listened on: 421
 * list    and it comes from no other site: 403
 * open    and with the token: 403, 401, 429
 * change  and its body says that it is JSON, which no form of another site can: 415
 */
bool sl_app_may_look(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);
bool sl_app_may_list(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);
bool sl_app_may_open(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);
bool sl_app_may_change(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);

#endif
