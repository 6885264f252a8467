/* keys/key_config.c - the key ring that a configuration names. */
#include "keys/key_config.h"

#include "keys/key_source.h"

sl_rc sl_keys_of(const struct sl_config *cfg, struct sl_keyring **ret, struct sl_err *e)
{
    return sl_keys_again(cfg, NULL, ret, e);
}

sl_rc sl_keys_again(const struct sl_config *cfg, const struct sl_stop *stop,
                    struct sl_keyring **ret, struct sl_err *e)
{
    const struct sl_key_source source = {
        .file = cfg->keys.file,
        .env = cfg->keys.env,
        .fd = cfg->keys.fd == 0 ? -1 : (int)cfg->keys.fd,
        .command = cfg->keys.command,
        .credential = cfg->keys.credential,
        .kms_file = cfg->keys.kms_file,
        .secret_arn = cfg->keys.secret_arn,
        .aws = cfg,
        .stop = stop,
    };

    return sl_keys_open(&source, ret, e);
}

const char *sl_keys_place(const struct sl_config *cfg)
{
    return cfg->keys.file.len > 0         ? cfg->keys.file.ptr
           : cfg->keys.env.len > 0        ? "keys.env"
           : cfg->keys.credential.len > 0 ? "keys.credential"
           : cfg->keys.command.len > 0    ? "keys.command"
           : cfg->keys.kms_file.len > 0   ? cfg->keys.kms_file.ptr
           : cfg->keys.secret_arn.len > 0 ? cfg->keys.secret_arn.ptr
                                          : "keys.fd";
}

bool sl_keys_can_reload(const struct sl_config *cfg)
{
    return cfg->keys.env.len == 0 && cfg->keys.fd == 0;
}
