/* cmd/confirm.c - a person is asked before something is gone for good. */
#include "cmd/confirm.h"

#include "base/str.h"

sl_rc sl_confirm_open(const char *to_see, FILE **ret, struct sl_err *e)
{
    FILE *terminal = fopen("/dev/tty", "re");

    if (terminal == NULL) {
        return SL_FAIL(e, SL_USAGE,
                       "there is no terminal to ask on: say --yes, or %s to see what there is",
                       to_see);
    }
    *ret = terminal;
    return SL_OK;
}

sl_rc sl_confirm_ask(FILE *terminal, const char *word, struct sl_err *e)
{
    char answer[64] = "";

    (void)fprintf(stderr, "Type %s to delete them for good: ", word);
    if (fgets(answer, sizeof answer, terminal) == NULL ||
        !sl_str_eq(sl_str_trim(sl_str_of(answer)), sl_str_of(word))) {
        return SL_FAIL(e, SL_USAGE, "that is not '%s': nothing was changed", word);
    }
    return SL_OK;
}
