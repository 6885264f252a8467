/* keys/key_command.c - the keys that a program prints. */
#include "keys/key_command.h"

#include "base/command.h"
#include "keys/key_io.h"

sl_rc sl_key_command_read(const struct sl_key_command *command, struct sl_arena *a,
                          sl_str *ret_name, struct sl_buf *text, struct sl_err *e)
{
    const struct sl_command run = { .what = "key command",
                                    .words = command->words,
                                    .failure = SL_KEY,
                                    .max_bytes = SL_KEY_FILE_MAX,
                                    .limit_ms = command->limit_ms,
                                    .stop = command->stop };
    sl_str program;
    sl_str name;

    SL_TRY(sl_command_read(&run, a, &program, text, e));
    name = sl_arena_printf(a, "command %" SL_FMT, SL_ARG(program));
    if (name.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not copy the key command");
    }
    *ret_name = name;
    return SL_OK;
}
