/* tests/fuzz/fuzz_aws_answer.c - any bytes as what those say who hand out credentials: what is taken
 * can stand in a header, what is refused is refused with a reason that quotes no secret.
 */
#include "fuzz.h"
#include "net/aws_container.h"
#include "net/aws_json.h"

enum { TEXT_MAX = 64 << 10 };

static void check_creds(const struct sl_aws_creds *c)
{
    must(c->access_key_id.len > 0 && c->secret_access_key.len > 0, "credentials that are none");
    must(sl_aws_is_visible(c->access_key_id) && sl_aws_is_visible(c->secret_access_key) &&
             sl_aws_is_visible(c->session_token),
         "a header could be broken");
}

static void check_sts(sl_str text, const char *action, int status)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    struct sl_aws_creds creds = { 0 };
    struct sl_err e = { 0 };
    sl_rc rc;

    sl_arena_init(&a, 1 << 20, 4096);
    rc = sl_aws_sts_read(action, status, text, &a, &creds, &e);
    if (rc == SL_OK) {
        must(status == 200 && creds.session_token.len > 0, "credentials in an error");
        check_creds(&creds);
        return;
    }
    must(sl_rc_fate(rc) == SL_FATE_RETRY && creds.access_key_id.ptr == NULL,
         "a refusal of another kind");
    must_say(&e, rc);
}

static void check_json(sl_str text, enum sl_aws_json kind)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    struct sl_aws_creds creds = { 0 };
    struct sl_err e = { 0 };
    sl_rc rc;

    sl_arena_init(&a, 8 << 20, 4096);
    rc = sl_aws_json_read(kind, text, &a, &creds, &e);
    if (rc == SL_OK) {
        check_creds(&creds);
        return;
    }
    must(rc == SL_UNAVAILABLE && creds.access_key_id.ptr == NULL, "a refusal of another kind");
    must_say(&e, rc);
}

/* What is near over http has one of few beginnings. */
static void check_url(sl_str url)
{
    static const char *const near[] = { "https://", "http://localhost", "http://127.",
                                        "http://169.254.170.", "http://[" };
    bool is_known = false;

    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        is_known = is_known || sl_str_starts(url, sl_str_of(near[i]));
    }
    must(is_known || !sl_aws_container_url_is_near(url), "a token would go far");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const sl_str text = { (const char *)data, n };

    if (n > TEXT_MAX) {
        return 0;
    }
    check_json(text, SL_AWS_JSON_CONTAINER);
    check_json(text, SL_AWS_JSON_INSTANCE);
    check_json(text, SL_AWS_JSON_PROCESS);
    check_url(text);
    check_sts(text, "AssumeRole", 200);
    check_sts(text, "AssumeRoleWithWebIdentity", 200);
    check_sts(text, "AssumeRole", 403);
    check_sts(text, "AssumeRole", 503);
    return 0;
}
