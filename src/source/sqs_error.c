/* source/sqs_error.c - what an error code of SQS means to us. */
#include "source/sqs_error.h"

enum {
    CODE_MAX = 96,
    MESSAGE_MAX = 100, /* of the server's own words */
};

static const struct sqs_error {
    sl_str code;
    sl_rc rc;
    const char *what;
    const char *advice; /* "" for none */
} sqs_errors[] = {

#define X(name, rc, what, advice) { { #name, sizeof(#name) - 1 }, SL_##rc, what, advice },
#include "source/sqs_errors.def"
#undef X
};

static const struct sqs_error *error_find(sl_str code)
{
    const sl_str prefix = SL_STR("AWS.SimpleQueueService.");

    if (sl_str_starts(code, prefix)) {
        code = (sl_str){ code.ptr + prefix.len, code.len - prefix.len };
    }
    for (size_t i = 0; i < sizeof sqs_errors / sizeof sqs_errors[0]; i++) {
        if (sl_str_eq(code, sqs_errors[i].code)) {
            return &sqs_errors[i];
        }
    }
    return NULL;
}

/* "com.amazonaws.sqs#QueueDoesNotExist" and "ThrottlingException:http://..." have the code inside;
 * "AWS.SimpleQueueService.NonExistentQueue;Sender" as well. */
static sl_str code_cut(sl_str text)
{
    sl_str rest = text;
    sl_str code = sl_str_cut(&rest, '#');

    if (rest.len > 0) {
        code = rest;
    }
    rest = code;
    rest = sl_str_cut(&rest, ';');
    code = sl_str_cut(&rest, ':');
    code = sl_str_trim(code);
    return code.len <= CODE_MAX ? code : (sl_str){ 0 };
}

/* The server's words are repeated only when they are few and plain. */
static sl_str message_or_nothing(sl_str message)
{
    if (message.len > MESSAGE_MAX) {
        return (sl_str){ 0 };
    }
    for (size_t i = 0; i < message.len; i++) {
        if (message.ptr[i] < ' ' || message.ptr[i] > '~') {
            return (sl_str){ 0 };
        }
    }
    return sl_str_trim(message);
}

static sl_rc rc_of_status(int status)
{
    switch (status) {
    case 401:
    case 403:
        return SL_DENIED;
    case 429:
        return SL_THROTTLED;
    default:
        return SL_UNAVAILABLE;
    }
}

static sl_rc error_say(int status, sl_str code, sl_str message, struct sl_err *e)
{
    const struct sqs_error *known = error_find(code);
    const char *before = message.len > 0 ? "; SQS says: " : "";
    sl_rc rc = known != NULL ? known->rc : rc_of_status(status);

    if (rc == SL_BUG && status >= 500) {
        rc = SL_UNAVAILABLE; /* a server in trouble says all sorts of things */
    }
    if (code.len == 0) {
        return SL_FAIL(e, rc, "%s (HTTP %d without an error code of SQS)",
                       rc == SL_DENIED      ? "SQS refuses these credentials"
                       : rc == SL_THROTTLED ? "SQS asks to slow down"
                                            : "SQS could not serve, or the endpoint is not one",
                       status);
    }
    if (known == NULL) {
        return SL_FAIL(e, rc, "SQS answers with an unknown error (HTTP %d, %" SL_FMT ")%s%" SL_FMT,
                       status, SL_ARG(code), before, SL_ARG(message));
    }
    return SL_FAIL(e, rc, "%s (%" SL_FMT ")%s%s%s%" SL_FMT, known->what, SL_ARG(code),
                   known->advice[0] != '\0' ? ": " : "", known->advice, before, SL_ARG(message));
}

/* The server's words add nothing to a text of ours, and about a message's contents they may quote
 * them. */
static bool error_wants_message(sl_str code)
{
    const struct sqs_error *known = error_find(code);

    return known == NULL ||
           (known->rc == SL_BUG && !sl_str_eq(known->code, SL_STR("InvalidMessageContents")));
}

sl_rc sl_sqs_error_report(int status, sl_str code, sl_str message, struct sl_err *e)
{
    sl_rc rc;

    code = code_cut(code);
    message = error_wants_message(code) ? message_or_nothing(message) : (sl_str){ 0 };
    rc = error_say(status, code, message, e);
    if (e != NULL) {
        e->http_status = status;
    }
    return rc;
}
