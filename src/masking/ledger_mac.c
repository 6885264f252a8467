/* masking/ledger_mac.c - what a ledger of keys knows messages by: an HMAC under a key of its own. */
#include "masking/ledger_mac.h"

#include <sys/random.h>

#include <openssl/crypto.h>

enum { KEY_BYTES = 32 };

sl_rc sl_ledger_key_new(struct sl_masker *m, sl_str pipeline, struct sl_arena *a, sl_str *ret,
                        struct sl_err *e)
{
    char key[KEY_BYTES];
    sl_rc rc;

    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key) {
        return SL_FAIL(e, SL_BUG, "cannot read random bytes");
    }
    rc = sl_seal_ledger_key(m, pipeline, sl_cleartext_of((sl_str){ key, sizeof key }), a, ret, e);
    OPENSSL_cleanse(key, sizeof key);
    return rc;
}

/* Without the key, all that comes again would be new: no start is better. */
static sl_rc key_closed(sl_str pipeline, sl_str sealed, struct sl_err *e)
{
    sl_str kid = SL_STR("?");

    (void)sl_sealed_kid(sealed, &kid);
    return SL_FAIL(e, SL_KEY,
                   "the ledger's key of pipeline %" SL_FMT " does not open: it is sealed with key "
                   "%" SL_FMT ", which must be in the key ring and not retired; if that key is "
                   "lost, delete the pipeline's row of sluice.ledger_secret, and what was loaded "
                   "before is not recognized any more",
                   SL_ARG(pipeline), SL_ARG(kid));
}

static sl_rc mac_of(sl_cleartext key, sl_str way, struct sl_hmac **ret, struct sl_err *e)
{
    unsigned char of_way[SL_HMAC_BYTES];
    struct sl_hmac *mac = NULL;
    sl_rc rc;

    SL_TRY(sl_hmac_new((const unsigned char *)key.secret, key.len, &mac, e));
    rc = sl_hmac_of(mac, sl_cleartext_of(way), of_way, e);
    sl_hmac_free(mac);
    SL_TRY(rc);
    rc = sl_hmac_new(of_way, sizeof of_way, ret, e);
    OPENSSL_cleanse(of_way, sizeof of_way);
    return rc;
}

sl_rc sl_ledger_mac_open(struct sl_masker *m, sl_str pipeline, sl_str sealed, sl_str way,
                         struct sl_hmac **ret, struct sl_err *e)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    struct sl_err why = { 0 };
    sl_cleartext key = { 0 };
    sl_rc rc;

    sl_arena_init(&a, 4 << 10, 1 << 10);
    rc = sl_open_ledger_key(m, pipeline, sealed, &a, &key, &why);
    if (rc == SL_VALUE || (rc == SL_OK && key.len != KEY_BYTES)) {
        return key_closed(pipeline, sealed, e);
    }
    return rc == SL_OK ? mac_of(key, way, ret, e) : SL_FAIL(e, rc, "%.1000s", why.msg);
}
