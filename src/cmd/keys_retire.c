/* cmd/keys_retire.c - sluice keys retire: the end of a key, asked for twice. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/keys_actions.h"
#include "keys/key_edit.h"

static sl_rc retire_edit(const struct sl_keys_options *o, bool is_dry, struct sl_err *e)
{
    const struct sl_key_edit edit = {
        .change = o->is_destroyed ? SL_KEY_DESTROY : SL_KEY_RETIRE,
        .kid = sl_str_of(o->kid),
        .is_dry = is_dry,
    };
    struct sl_keyring *ring = NULL;

    SL_TRY(sl_key_edit(o->path, &edit, &ring, e));
    sl_keyring_free(ring);
    return SL_OK;
}

static sl_rc database_agrees(const struct sl_keys_options *o, struct sl_err *e)
{
    int64_t staying_n = 0;
    int64_t n = 0;

    if (o->common.config == NULL) {
        return SL_FAIL(e, SL_USAGE,
                       "nobody asked the table whether values under key %s remain: say -c CONFIG "
                       "to ask it, or --force",
                       o->kid);
    }
    SL_TRY(sl_cmd_keys_uses(&o->common, sl_str_of(o->kid), &n, &staying_n, e));
    if (staying_n > 0) {
        return SL_FAIL(
            e, SL_KEY,
            "key %s is needed for %" PRId64 " values, and for %" PRId64
            " of these for good, since sluice rewrap leaves them as they are: keep it as "
            "decrypt, or say --force",
            o->kid, n, staying_n);
    }
    if (n > 0) {
        return SL_FAIL(e, SL_KEY,
                       "key %s is needed for %" PRId64
                       " values: bring them under the active key with sluice rewrap "
                       "first, or say --force",
                       o->kid, n);
    }
    return SL_OK;
}

static sl_rc retire_ask(const struct sl_keys_options *o, struct sl_err *e)
{
    struct sl_err why = { 0 };
    const sl_rc rc = database_agrees(o, &why);

    if (rc == SL_OK) {
        return SL_OK;
    }
    if (!o->is_forced) {
        return SL_FAIL(e, rc, "%s", why.msg);
    }
    (void)fprintf(stderr, "sluice: warning: %s\n",
                  o->common.config == NULL
                      ? "nobody asked the table whether values under this key remain"
                      : why.msg);
    return SL_OK;
}

static sl_rc retire_confirm(const struct sl_keys_options *o, struct sl_err *e)
{
    char answer[64] = "";

    if (!o->is_destroyed || o->is_yes) {
        return SL_OK;
    }
    if (isatty(STDIN_FILENO) != 1) {
        return SL_FAIL(e, SL_USAGE, "--destroy asks on a terminal: here say --yes");
    }
    (void)fprintf(stderr,
                  "This destroys key %s in %s: what is masked or sealed under it can never be "
                  "read again, also not from a backup of the table.\n"
                  "Type %s to go on: ",
                  o->kid, o->path, o->kid);
    if (fgets(answer, sizeof answer, stdin) == NULL ||
        !sl_str_eq(sl_str_trim(sl_str_of(answer)), sl_str_of(o->kid))) {
        return SL_FAIL(e, SL_USAGE, "that is not %s: nothing was changed", o->kid);
    }
    return SL_OK;
}

sl_rc sl_cmd_keys_retire(const struct sl_keys_options *o, struct sl_err *e)
{
    SL_TRY(retire_edit(o, true, e)); /* what cannot be done is said before anybody is asked */
    SL_TRY(retire_ask(o, e));
    SL_TRY(retire_confirm(o, e));
    SL_TRY(retire_edit(o, false, e));
    if (o->is_destroyed) {
        (void)printf("destroyed %s in %s; copies and backups of the file still have it: destroy "
                     "them, too\n",
                     o->kid, o->path);
    } else {
        (void)printf("retired %s in %s: nothing is read with it any more; the file still has it\n",
                     o->kid, o->path);
    }
    return SL_OK;
}
