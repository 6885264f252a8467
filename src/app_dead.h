/* app_dead.h - dead letters over HTTP: listed, shown sealed, tried again, purged.  Each answer has a
 * connection of its own to the database. */
#ifndef SLUICE_APP_DEAD_H
#define SLUICE_APP_DEAD_H

#include "app.h"

/* Answers of routes; ctx is the application.  No value of a message is in any.
 * Threads: that of slow answers; Blocks: on the database */
void sl_app_dead_list(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);
void sl_app_dead_show(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);
void sl_app_dead_retry(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);
void sl_app_dead_purge(void *ctx, const struct sl_http_asked *asked, struct sl_http_page *page);

#endif
