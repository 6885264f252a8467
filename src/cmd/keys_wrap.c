/* cmd/keys_wrap.c - sluice keys wrap: a key file that takes AWS KMS to read. */
#include <stdio.h>

#include "cmd/keys_actions.h"
#include "keys/key_file.h"
#include "keys/key_kms.h"

enum { WRAPPED_MAX = 64 << 10 }; /* as any key file */

sl_rc sl_cmd_keys_wrap(const struct sl_keys_options *o, struct sl_err *e)
{
    const struct sl_config none = { 0 }; /* as whom: the environment, a profile, the machine */
    SL_AUTO(sl_buf_done) struct sl_buf out = { .max_bytes = WRAPPED_MAX };
    struct sl_keyring *ring = NULL;
    sl_rc rc;

    if (o->kms_key == NULL) {
        return SL_FAIL(e, SL_USAGE, "wrap with which key? say --kms-key ARN");
    }
    SL_TRY(sl_key_file_open(o->path, &ring, e));
    rc = sl_key_kms_wrap(ring, &none, sl_str_of(o->kms_key), &out, e);
    sl_keyring_free(ring);
    SL_TRY(rc);
    if (fwrite(out.ptr, 1, out.len, stdout) != out.len) {
        return SL_FAIL(e, SL_IO, "cannot write to standard output");
    }
    return SL_OK;
}
