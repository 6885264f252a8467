/* net/http_request.c - the text of a request. */
#include "net/http_request.h"

#include <strings.h>

static const char host_header[] = "host:";
static const char accept_header[] = "accept:";

sl_str sl_http_origin(const char *url)
{
    const char *host = strstr(url, "://");

    return (sl_str){ url, host == NULL ? 0 : (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") };
}

sl_str sl_http_origin_shown(sl_str origin)
{
    const char *at = origin.len > 0 ? memrchr(origin.ptr, '@', origin.len) : NULL;

    return at == NULL ? origin : (sl_str){ at + 1, origin.len - (size_t)(at + 1 - origin.ptr) };
}

/* As servers and signatures want it: without a user, without the scheme's own port. */
static sl_str host_of(sl_str origin)
{
    const bool is_https = sl_str_starts(origin, SL_STR("https://"));
    const sl_str port = is_https ? SL_STR(":443") : SL_STR(":80");
    sl_str host = origin;

    (void)sl_str_cut(&host, '/');
    (void)sl_str_cut(&host, '/');
    host = sl_http_origin_shown(host);
    if (host.len > port.len && memcmp(host.ptr + host.len - port.len, port.ptr, port.len) == 0) {
        host.len -= port.len;
    }
    return host;
}

static sl_rc add_target(sl_str url, struct sl_buf *out, struct sl_err *e)
{
    const sl_str origin = sl_http_origin(url.ptr);
    sl_str target = { url.ptr + origin.len, url.len - origin.len };

    target = sl_str_cut(&target, '#');
    for (size_t i = 0; i < target.len; i++) {
        if ((unsigned char)target.ptr[i] <= ' ' || target.ptr[i] == 0x7f) {
            return SL_FAIL(e, SL_CONFIG, "the URL of a request at %" SL_FMT " has a blank in it",
                           SL_ARG(sl_http_origin_shown(origin)));
        }
    }
    if (target.len == 0 || *target.ptr != '/') {
        sl_buf_add_char(out, '/');
    }
    sl_buf_add_str(out, target);
    return SL_OK;
}

static sl_rc add_header(const char *line, struct sl_buf *out, struct sl_err *e)
{
    const sl_str text = sl_str_of(line);

    if (memchr(text.ptr, '\r', text.len) != NULL || memchr(text.ptr, '\n', text.len) != NULL) {
        return SL_FAIL(e, SL_CONFIG, "the header %.*s of a request has a line end in it",
                       (int)strcspn(line, ":"), line);
    }
    sl_buf_add_str(out, text);
    sl_buf_add_str(out, SL_STR("\r\n"));
    return SL_OK;
}

static sl_rc add_headers(const struct sl_http_request *request, struct sl_buf *out,
                         struct sl_err *e)
{
    bool has_accept = false;
    bool has_host = false;

    for (const char *const *line = request->headers; *line != NULL; line++) {
        has_host = has_host || strncasecmp(*line, host_header, sizeof host_header - 1) == 0;
        has_accept = has_accept || strncasecmp(*line, accept_header, sizeof accept_header - 1) == 0;
        SL_TRY(add_header(*line, out, e));
    }
    if (!has_host) {
        sl_buf_add_str(out, SL_STR("host: "));
        sl_buf_add_str(out, host_of(sl_http_origin(request->url)));
        sl_buf_add_str(out, SL_STR("\r\n"));
    }
    sl_buf_add_str(out, SL_STR("user-agent: sluice/" SLUICE_VERSION "\r\n"));
    if (!has_accept) {
        sl_buf_add_str(out, SL_STR("accept: */*\r\n"));
    }
    return SL_OK;
}

sl_rc sl_http_request_write(const struct sl_http_request *request, struct sl_buf *out,
                            struct sl_err *e)
{
    static const sl_str methods[] = { [SL_HTTP_POST] = SL_STR("POST "),
                                      [SL_HTTP_GET] = SL_STR("GET "),
                                      [SL_HTTP_PUT] = SL_STR("PUT "),
                                      [SL_HTTP_DELETE] = SL_STR("DELETE ") };

    sl_buf_add_str(out, methods[request->method]);
    SL_TRY(add_target(sl_str_of(request->url), out, e));
    sl_buf_add_str(out, SL_STR(" HTTP/1.1\r\n"));
    SL_TRY(add_headers(request, out, e));
    if (request->method == SL_HTTP_POST || request->method == SL_HTTP_PUT) {
        sl_buf_add_str(out, SL_STR("content-length: "));
        sl_buf_add_unsigned(out, request->body.len);
        sl_buf_add_str(out, SL_STR("\r\n"));
    }
    sl_buf_add_str(out, SL_STR("\r\n"));
    sl_buf_add_str(out, request->body);
    return sl_buf_rc(out, e);
}
