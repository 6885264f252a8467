/* net/http.c - HTTP requests of one worker, side by side, over libcurl multi. */
#include "net/http.h"

#include <pthread.h>
#include <stdlib.h>

#include <curl/curl.h>

#include "base/json.h"
#include "net/http_sockets.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    KEPT_CONNECTIONS = 256, /* more than are ever busy: a handshake costs as much as ten requests */
    EXPECT_MAX = 256 << 10, /* bytes reserved for a reply because it says that it is so long */
    RETRY_AFTER_MAX_MS = 30000, /* whatever a server says */
};

static const int64_t year_10000_s = 253402300800;

/* One request, from send to done.  Its handle keeps settings between requests. */
struct sl_http_call {
    struct sl_http_call *next; /* in `idle` or `busy` */
    struct sl_http_call *prev; /* in `busy` */
    CURL *easy;
    struct curl_slist *headers;
    struct sl_http_reply reply;
    void (*done)(void *ctx, struct sl_http_reply *reply);
    void *ctx;
    char error[CURL_ERROR_SIZE];
};

struct sl_http {
    CURLM *multi;
    struct sl_http_sockets sockets;
    struct sl_http_call *idle;
    struct sl_http_call *busy;
};

static pthread_once_t curl_started = PTHREAD_ONCE_INIT;

static void curl_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

sl_rc sl_http_new(struct sl_http **ret, struct sl_err *e)
{
    struct sl_http *h = calloc(1, sizeof *h);

    (void)pthread_once(&curl_started, curl_start);
    if (h != NULL) {
        h->multi = curl_multi_init();
    }
    if (h == NULL || h->multi == NULL) {
        free(h);
        return SL_FAIL(e, SL_NOMEM, "could not start an HTTP client");
    }
    if (sl_http_sockets_open(&h->sockets, h->multi, e) != SL_OK) {
        sl_http_free(h);
        return SL_NOMEM;
    }
    (void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    *ret = h;
    return SL_OK;
}

static void call_free(struct sl_http_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    sl_buf_done(&call->reply.body);
    free(call);
}

void sl_http_free(struct sl_http *h)
{
    struct sl_http_call *next;

    if (h == NULL) {
        return;
    }
    for (struct sl_http_call *call = h->busy; call != NULL; call = next) {
        next = call->next;
        (void)curl_multi_remove_handle(h->multi, call->easy);
        call->reply.rc = SL_FAIL(&call->reply.err, SL_STOPPED, "the request was aborted");
        call->done(call->ctx, &call->reply);
        call_free(call);
    }
    for (struct sl_http_call *call = h->idle; call != NULL; call = next) {
        next = call->next;
        call_free(call);
    }
    (void)curl_multi_cleanup(h->multi);
    sl_http_sockets_close(&h->sockets);
    free(h);
}

static size_t call_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct sl_http_call *call = ctx;

    sl_buf_add(&call->reply.body, bytes, size * n);
    return call->reply.body.has_failed ? 0 : size * n;
}

static bool header_is(sl_str header, const char *name)
{
    const size_t n = strlen(name);

    return header.len > n && header.ptr[n] == ':' && strncasecmp(header.ptr, name, n) == 0;
}

/* Years of more than four digits cannot be signed. */
int64_t sl_http_server_at_s(const struct sl_http_reply *reply)
{
    const time_t at_s = curl_getdate(reply->date, NULL);

    return at_s > 0 && at_s < year_10000_s ? at_s : 0;
}

/* What is said of the length only saves copies: nothing but what arrives is believed. */
static void call_expect(struct sl_http_call *call, sl_str length)
{
    int64_t n = 0;

    if (sl_str_to_i64(length, &n) && n > 0 && n <= EXPECT_MAX &&
        (size_t)n + SL_JSON_PADDING <= call->reply.body.max_bytes) {
        (void)sl_buf_reserve(&call->reply.body, (size_t)n + SL_JSON_PADDING);
    }
}

static size_t call_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct sl_http_call *call = ctx;
    sl_str header = { bytes, size * n };

    if (header_is(header, "x-amzn-query-error")) {
        (void)sl_str_cut(&header, ':');
        const sl_str code = sl_str_trim(sl_str_cut(&header, ';'));

        (void)snprintf(call->reply.error_code, sizeof call->reply.error_code, "%" SL_FMT,
                       SL_ARG(code));
    } else if (header_is(header, "date")) {
        (void)sl_str_cut(&header, ':');
        header = sl_str_trim(header);
        (void)snprintf(call->reply.date, sizeof call->reply.date, "%" SL_FMT, SL_ARG(header));
    } else if (header_is(header, "content-length")) {
        (void)sl_str_cut(&header, ':');
        call_expect(call, sl_str_trim(header));
    } else if (header_is(header, "x-amz-retry-after")) {
        int64_t wait_ms = 0;

        (void)sl_str_cut(&header, ':');
        if (sl_str_to_i64(sl_str_trim(header), &wait_ms) && wait_ms > 0) {
            call->reply.retry_after_ms =
                wait_ms < RETRY_AFTER_MAX_MS ? (unsigned)wait_ms : RETRY_AFTER_MAX_MS;
        }
    }
    return size * n;
}

/* Settings that stay with the handle from one request to the next. */
static struct sl_http_call *call_new(void)
{
    struct sl_http_call *call = calloc(1, sizeof *call);
    const char *ca_bundle = getenv("AWS_CA_BUNDLE");
    CURL *easy = call != NULL ? curl_easy_init() : NULL;

    if (easy == NULL) {
        free(call);
        return NULL;
    }
    call->easy = easy;
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* as it was signed */
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, call_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, call_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    if (ca_bundle != NULL && *ca_bundle != '\0') {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, ca_bundle);
    }
    return call;
}

static struct sl_http_call *http_take(struct sl_http *h)
{
    struct sl_http_call *call = h->idle;

    if (call == NULL) {
        return call_new();
    }
    h->idle = call->next;
    return call;
}

static bool call_headers(struct sl_http_call *call, const char *const *headers)
{
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    for (; *headers != NULL; headers++) {
        struct curl_slist *longer = curl_slist_append(call->headers, *headers);

        if (longer == NULL) {
            return false;
        }
        call->headers = longer;
    }
    return true;
}

/* The handle remembers its last request. */
static bool call_method(CURL *easy, const struct sl_http_request *request)
{
    static const char *const custom[] = { [SL_HTTP_PUT] = "PUT", [SL_HTTP_DELETE] = "DELETE" };
    const char *body = request->body.len > 0 ? request->body.ptr : "";

    if (curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, custom[request->method]) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PROXY, request->is_direct ? "" : NULL) != CURLE_OK) {
        return false;
    }
    if (request->method == SL_HTTP_GET || request->method == SL_HTTP_DELETE) {
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    }
    return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body) == CURLE_OK;
}

static bool call_prepare(struct sl_http_call *call, const struct sl_http_request *request)
{
    call->done = request->done;
    call->ctx = request->ctx;
    call->error[0] = '\0';
    call->reply = (struct sl_http_reply){ 0 };
    sl_buf_init(&call->reply.body, request->reply_max_bytes + SL_JSON_PADDING);
    return call_headers(call, request->headers) &&
           curl_easy_setopt(call->easy, CURLOPT_URL, request->url) == CURLE_OK &&
           call_method(call->easy, request) &&
           curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK &&
           curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms) == CURLE_OK;
}

sl_rc sl_http_send(struct sl_http *h, const struct sl_http_request *request, struct sl_err *e)
{
    struct sl_http_call *call = http_take(h);

    if (call == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not prepare a request");
    }
    if (!call_prepare(call, request) || curl_multi_add_handle(h->multi, call->easy) != CURLM_OK) {
        call_free(call);
        return SL_FAIL(e, SL_NOMEM, "could not start a request");
    }
    call->prev = NULL;
    call->next = h->busy;
    if (h->busy != NULL) {
        h->busy->prev = call;
    }
    h->busy = call;
    return SL_OK;
}

static void http_unlink(struct sl_http *h, struct sl_http_call *call)
{
    *(call->prev != NULL ? &call->prev->next : &h->busy) = call->next;
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    call->next = h->idle;
    h->idle = call;
}

/* "https://host:443" of a URL.  What follows may be a message's own word, the key of an object, say,
 * and none of that gets into an error. */
static int origin_len(const char *url)
{
    const char *host = strstr(url, "://");

    return (int)(host == NULL ? 0 : (size_t)(host + 3 - url) + strcspn(host + 3, "/?#"));
}

static void call_outcome(struct sl_http_call *call, CURLcode result)
{
    struct sl_http_reply *reply = &call->reply;
    const char *why = call->error[0] != '\0' ? call->error : curl_easy_strerror(result);
    char *room = sl_buf_reserve(&reply->body, SL_JSON_PADDING);
    long status = 0;
    const char *url = NULL;
    int url_n;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->easy, CURLINFO_EFFECTIVE_URL, &url);
    url = url != NULL ? url : "";
    url_n = origin_len(url);
    reply->status = (int)status;
    if (room == NULL) {
        reply->rc = SL_FAIL(&reply->err, SL_NOMEM, "the reply of %.*s is over %zu bytes", url_n,
                            url, reply->body.max_bytes - SL_JSON_PADDING);
        return;
    }
    memset(room, 0, SL_JSON_PADDING);
    if (result == CURLE_OPERATION_TIMEDOUT) {
        reply->rc = SL_FAIL(&reply->err, SL_TIMEOUT, "no answer from %.*s in time (curl %d: %s)",
                            url_n, url, (int)result, why);
    } else if (result != CURLE_OK) {
        reply->rc = SL_FAIL(&reply->err, SL_DISCONNECTED, "could not reach %.*s (curl %d: %s)",
                            url_n, url, (int)result, why);
    }
}

/* Hand out what is complete.  Returns: how many requests that were. */
static unsigned http_complete(struct sl_http *h)
{
    unsigned completed = 0;
    int queued;
    CURLMsg *message;

    while ((message = curl_multi_info_read(h->multi, &queued)) != NULL) {
        CURL *easy = message->easy_handle;
        const CURLcode result = message->data.result;
        struct sl_http_call *call = NULL;
        struct sl_http_reply reply;

        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
        (void)curl_multi_remove_handle(h->multi, easy);
        call_outcome(call, result);
        http_unlink(h, call);
        /* `done` may send again and be given this very call. */
        reply = call->reply;
        call->reply = (struct sl_http_reply){ 0 };
        call->done(call->ctx, &reply);
        sl_buf_done(&reply.body);
        completed++;
    }
    return completed;
}

short sl_http_wait(struct sl_http *h, int fd, short events, int64_t due_ms)
{
    short ready;

    sl_http_sockets_tick(&h->sockets); /* what was sent since begins here */
    /* What was completed may be what the caller waits for. */
    ready = sl_http_sockets_wait(&h->sockets, fd, events, http_complete(h) > 0 ? 0 : due_ms);
    (void)http_complete(h);
    return ready;
}

void sl_http_wake(struct sl_http *h)
{
    sl_http_sockets_wake(&h->sockets);
}
