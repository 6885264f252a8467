/* cmd/cmd_status.c - sluice status: how a run that goes on is doing, as it says itself. */
#include <getopt.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "net/http_fetch.h"

enum {
    URL_MAX = 1024,
    ANSWER_MAX = 256 << 10,
    TIMEOUT_MS = 5000,
    STATUS_READY = 200,
    STATUS_NOT_READY = 503,
};

const char sl_help_status[] =
    "Usage: sluice status [URL]\n"
    "\n"
    "Ask a run that goes on, at its http.listen, whether it is ready and if not why not; what it "
    "has\n"
    "counted; how long its queue is; and what its workers do. The URL is http://127.0.0.1:9464\n"
    "unless another one is given.\n"
    "\n"
    "Options:\n"
    "  -h, --help             print this text\n"
    "\n"
    "Exit status: 0 ready; 1 not ready; 64 wrong usage; 75 nobody answers there.\n"
    "\n"
    "Examples:\n"
    "  sluice status\n"
    "  sluice status http://10.0.0.7:9464\n";

/* Whoever answers there, a terminal gets lines of text and nothing else. */
static void keep_text(struct sl_buf *b)
{
    for (size_t i = 0; i < b->len; i++) {
        if (((unsigned char)b->ptr[i] < ' ' && b->ptr[i] != '\n') || b->ptr[i] == 0x7f) {
            b->ptr[i] = '?';
        }
    }
}

static sl_rc status_ask(const char *base, struct sl_http_reply *ret, struct sl_err *e)
{
    static const char *const headers[] = { "Accept: text/plain", NULL };
    const size_t len = strlen(base);
    char url[URL_MAX];
    struct sl_http_request request = { .method = SL_HTTP_GET,
                                       .is_direct = true,
                                       .url = url,
                                       .headers = headers,
                                       .reply_max_bytes = ANSWER_MAX,
                                       .timeout_ms = TIMEOUT_MS };
    struct sl_err why = { 0 };
    sl_rc rc;

    (void)snprintf(url, sizeof url, "%s%s", base,
                   len > 0 && base[len - 1] == '/' ? "readyz" : "/readyz");
    rc = sl_http_fetch(&request, NULL, ret, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "%.900s: is a run up there, with http.listen?", why.msg);
    }
    if (ret->status != STATUS_READY && ret->status != STATUS_NOT_READY) {
        const int status = ret->status;

        sl_buf_done(&ret->body);
        return SL_FAIL(e, SL_UNAVAILABLE, "what answers at %.200s is no sluice (HTTP %d)", base,
                       status);
    }
    return SL_OK;
}

static sl_rc status_parse(int argc, char **argv, const char **ret_url, bool *ret_help,
                          struct sl_err *e)
{
    static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option != 'h') {
            return SL_FAIL(e, SL_USAGE, "unknown option '%.64s'", argv[optind - 1]);
        }
        *ret_help = true;
    }
    return sl_options_take_monitor(argc, argv, ret_url, e);
}

int sl_cmd_status(int argc, char **argv)
{
    struct sl_http_reply reply = { 0 };
    const char *url = NULL;
    bool wants_help = false;
    struct sl_err e;
    int status;

    if (status_parse(argc, argv, &url, &wants_help, &e) != SL_OK) {
        return sl_cmd_fail("status", &e);
    }
    if (wants_help) {
        return fputs(sl_help_status, stdout) < 0;
    }
    if (status_ask(url, &reply, &e) != SL_OK) {
        return sl_cmd_fail("status", &e);
    }
    keep_text(&reply.body);
    status = sl_cmd_print(&reply.body);
    sl_buf_done(&reply.body);
    return status != 0 ? status : reply.status != STATUS_READY;
}
