/* tests/fakes/fake_http.h - HTTP/1.1 as text: where a request ends, what it asks, what is answered.
 * No I/O. */
#ifndef FAKE_HTTP_H
#define FAKE_HTTP_H

#include "base/buf.h"

struct fake_request {
    sl_str method;
    sl_str path;   /* with its query */
    sl_str action; /* of x-amz-target, without "AmazonSQS."; "" when there is none */
    sl_str host;
    sl_str body;
    size_t bytes; /* of all of it */
    bool wants_continue;
    bool ends_connection;
};

enum fake_http { FAKE_HTTP_PART, FAKE_HTTP_WHOLE, FAKE_HTTP_BROKEN };

/* Read the first request of what has come so far.
 *
 * Owns:    the runs of *ret point into `text`
 * Returns: FAKE_HTTP_PART while more must come; wants_continue is set as soon as the head is there
 */
enum fake_http fake_http_read(sl_str text, struct fake_request *ret);

/* The head of a reply with `body_bytes` to follow.  `more` is further header lines, each with its
 * end. */
void fake_http_head(struct sl_buf *out, int status, const char *type, const char *more,
                    size_t body_bytes);

#endif
