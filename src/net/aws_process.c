/* net/aws_process.c - the identity that a program prints. */
#include "net/aws_process.h"

#include "base/command.h"
#include "net/aws_json.h"

enum {
    LIMIT_MS = 60000, /* it may ask somebody far away */
    PRINT_MAX = 64 << 10,
};

sl_rc sl_aws_process_creds(const struct sl_aws_search *s, sl_str words, struct sl_aws_creds *ret,
                           struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = PRINT_MAX + 1 };
    const struct sl_command run = { .what = "credential_process",
                                    .words = words,
                                    .takes_quotes = true,
                                    .failure = SL_UNAVAILABLE,
                                    .max_bytes = PRINT_MAX,
                                    .limit_ms = LIMIT_MS,
                                    .stop = s->sts.stop };
    struct sl_aws_creds creds;
    struct sl_err why = { 0 };
    sl_str program;
    sl_rc rc;

    SL_TRY(sl_command_read(&run, s->arena, &program, &text, e));
    rc = sl_aws_json_read(SL_AWS_JSON_PROCESS, sl_buf_str(&text), s->arena, &creds, &why);
    if (rc != SL_OK) {
        return SL_FAIL(e, rc, "credential_process %" SL_FMT ": %.700s", SL_ARG(program), why.msg);
    }
    creds.from = sl_arena_printf(s->arena, "the program %" SL_FMT, SL_ARG(program));
    *ret = creds;
    return SL_OK;
}
