/* tests/fuzz/fuzz_redact.c - any bytes as a PostgreSQL URL or conninfo: where libpq finds a
 * password, it is found, and the redacted text does not have it. */
#include <libpq-fe.h>

#include "config/config.h"
#include "fuzz.h"

enum { TEXT_MAX = 2048, TELLING_BYTES = 6 /* a shorter one may stand elsewhere by chance */ };

/* The secrets that libpq of today reads. */
static const char *const secrets[] = { "password", "sslpassword" };

/* What libpq takes for `keyword` in a text; "" when it takes none, or refuses the text. */
static sl_str libpq_value(sl_str text, const char *keyword, struct sl_arena *a)
{
    const sl_str copy = sl_arena_copy(a, text);
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(copy.ptr, &why);
    sl_str value = { "", 0 };

    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        if (strcmp(o->keyword, keyword) == 0 && o->val != NULL) {
            value = sl_arena_copy(a, sl_str_of(o->val));
        }
    }
    PQconninfoFree(options);
    PQfreemem(why);
    return value;
}

static unsigned count(sl_str text, sl_str part)
{
    unsigned n = 0;

    for (size_t i = 0; i + part.len <= text.len; i++) {
        n += memcmp(text.ptr + i, part.ptr, part.len) == 0;
    }
    return n;
}

static void check_secret(sl_str text, sl_str redacted, const char *keyword, struct sl_arena *a)
{
    const sl_str secret = libpq_value(text, keyword, a);

    if (secret.len == 0) {
        return;
    }
    must(sl_config_has_password(text), "a password that is not found");
    must(sl_str_eq(secret, SL_STR("***")) || !sl_str_eq(libpq_value(redacted, keyword, a), secret),
         "a password that can be read from what was redacted");
    must(secret.len < TELLING_BYTES || count(text, secret) != 1 || has(secret, SL_STR("*")) ||
             count(redacted, secret) == 0,
         "a password that stands in what was redacted");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    const sl_str text = { (const char *)data, n };
    sl_str redacted;

    if (n > TEXT_MAX || memchr(data, '\0', n) != NULL) {
        return 0; /* the configuration takes no control characters */
    }
    sl_arena_init(&a, 4 << 20, 4096);
    redacted = sl_config_redact(text, &a);
    must(redacted.ptr != NULL && redacted.ptr[redacted.len] == '\0', "memory");
    must(sl_config_has_password(text) || sl_str_eq(text, redacted), "a change without a password");
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        check_secret(text, redacted, secrets[i], &a);
    }
    return 0;
}
