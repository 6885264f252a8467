/* cmd/manual.c - the manual of everything that can go wrong, from advice.def, err.def,
 * reasons.def, sqs_errors.def and the table of SQLSTATEs. */
#include "cmd/manual.h"

#include "base/err.h"
#include "record/batch.h"
#include "sink/pg_err.h"

static void print_exits(struct sl_buf *out)
{
    sl_buf_add_str(
        out, SL_STR("## Exit statuses\n\n"
                    "| status | meaning |\n|---|---|\n"
                    "| 0 | done; dead letters alone are no failure |\n"
                    "| 1 | the work failed, a check failed, or the counts did not add up |\n"
                    "| 64 | the command line is wrong |\n"
                    "| 70 | the program or its crypto library failed; the message says what |\n"
                    "| 71 | memory ran out |\n"
                    "| 74 | a file or stream could not be read or written |\n"
                    "| 75 | queue or database could not be reached within `--wait`; an outage "
                    "outlasted the "
                    "patience with `--exit-on-outage`; a worker is stuck: start it anew |\n"
                    "| 78 | configuration, keys, rights or schema are wrong |\n"
                    "| 130, 143 | a second SIGINT or SIGTERM, 0.5 s or more after the first; "
                    "nothing is lost |\n\n"));
}

static void print_codes(struct sl_buf *out)
{
    sl_buf_add_str(out,
                   SL_STR("## Result codes\n\n"
                          "The field `error.code` of a log line. *retry*: the work is kept and "
                          "tried again; *dead letter*: this record alone; *stop*: a person "
                          "must look.\n\n"
                          "| code | fate | exit status | meaning |\n|---|---|---|---|\n"));
#define X(name, fate, exit_code, text)                                       \
    if (SL_##name != SL_OK) {                                                \
        sl_buf_printf(out, "| `%s` | %s | %d | %s |\n", #name,               \
                      sl_fate_name(sl_rc_fate(SL_##name)), exit_code, text); \
    }
#include "base/err.def"
#undef X
    sl_buf_add_char(out, '\n');
}

static void print_reasons(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR("## Dead-letter reasons\n\n"
                               "The columns `stage` and `reason` of `sluice.dead_letter`; `field` "
                               "names the field as the configuration has it.\n\n"
                               "| reason | stage | meaning |\n|---|---|---|\n"));
#define X(name, code, stage, text) sl_buf_printf(out, "| `%s` | %s | %s |\n", code, stage, text);
#include "record/reasons.def"
#undef X
    sl_buf_add_char(out, '\n');
}

static void print_sqs(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR("## Errors of SQS\n\n"
                               "| code | result code | meaning |\n|---|---|---|\n"));
#define X(code, rc, what, advice)                                                      \
    sl_buf_printf(out, "| `%s` | `%s` | %s%s%s |\n", #code, sl_rc_name(SL_##rc), what, \
                  sizeof(advice) > 1 ? ": " : "", advice);
#include "source/sqs_errors.def"
#undef X
    sl_buf_add_char(out, '\n');
}

static void print_advice(struct sl_buf *out)
{
    sl_buf_add_str(out,
                   SL_STR("## Messages of the log\n\n"
                          "What is warned of, the field `message` of a log line. No message is "
                          "lost by any of it, and all go on by themselves once the cause is "
                          "gone, unless the table says otherwise.\n\n"
                          "| message | what goes on | what to do |\n|---|---|---|\n"));
#define X(message, meaning, advice) \
    sl_buf_printf(out, "| `%s` | %s | %s |\n", message, meaning, advice);
#include "telemetry/advice.def"
#undef X
    sl_buf_add_char(out, '\n');
}

void sl_errors_manual(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR("# Errors\n\nPrinted by `sluice docs errors`.\n\n"));
    print_exits(out);
    print_advice(out);
    print_codes(out);
    print_reasons(out);
    print_sqs(out);
    sl_buf_add_str(out, SL_STR("## SQLSTATEs\n\n"
                               "Whose fault is it? The longest prefix that matches decides. A "
                               "row's fault is one that goes away when the row is taken out; it is "
                               "looked for only while rows are loaded and committed.\n\n"));
    sl_pg_err_manual(out);
}
