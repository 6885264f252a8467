/* tests/unit/test_aws_identity.c - snapshots of credentials, and when others are looked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/aws_refresher.h"
#include "telemetry/log.h"

#define MINUTE INT64_C(60000)

static struct sl_aws_snapshot *snapshot(const char *id)
{
    const struct sl_aws_creds creds = { .access_key_id = sl_str_of(id),
                                        .secret_access_key = SL_STR("secret"),
                                        .from = SL_STR("a test") };
    struct sl_aws_snapshot *s = NULL;

    assert_int_equal(sl_aws_snapshot_new(&creds, &s, NULL), SL_OK);
    return s;
}

static void a_snapshot_outlives_its_change(void **state)
{
    struct sl_aws_identity identity;
    struct sl_aws_snapshot *first;
    struct sl_aws_snapshot *second;

    (void)state;
    sl_aws_identity_init(&identity, snapshot("one"));
    first = sl_aws_identity_take(&identity);
    sl_aws_identity_change(&identity, snapshot("two"));
    second = sl_aws_identity_take(&identity);
    assert_string_equal(first->creds.access_key_id.ptr, "one");
    assert_string_equal(second->creds.access_key_id.ptr, "two");
    assert_string_equal(second->creds.session_token.ptr, "");
    assert_int_equal(first->number, 1);
    assert_int_equal(second->number, 2);
    sl_aws_snapshot_free(first);
    sl_aws_snapshot_free(second);
    sl_aws_identity_done(&identity);
}

static void only_a_refusal_of_the_newest_is_news(void **state)
{
    struct sl_aws_identity identity;

    (void)state;
    sl_aws_identity_init(&identity, snapshot("one"));
    sl_aws_identity_change(&identity, snapshot("two"));
    sl_aws_identity_refuse(&identity, 1);
    assert_false(sl_aws_identity_await(&identity, 0));
    sl_aws_identity_refuse(&identity, 2);
    sl_aws_identity_refuse(&identity, 2);
    assert_true(sl_aws_identity_await(&identity, INT64_MAX / 2));
    assert_false(sl_aws_identity_await(&identity, 0));
    sl_aws_identity_refuse(&identity, 2);
    sl_aws_identity_change(&identity, snapshot("three"));
    assert_false(sl_aws_identity_await(&identity, 0));
    sl_aws_identity_stop(&identity);
    assert_false(sl_aws_identity_await(&identity, INT64_MAX / 2));
    sl_aws_identity_done(&identity);
}

static void others_are_looked_for_well_before_the_end(void **state)
{
    const int64_t at = 1700000000000;

    (void)state;
    assert_int_equal(sl_aws_refresh_due(0, at), INT64_MAX);
    assert_int_equal(sl_aws_refresh_due(at + 60 * MINUTE, at), at + 45 * MINUTE);
    assert_int_equal(sl_aws_refresh_due(at + 31 * MINUTE, at), at + 16 * MINUTE);
    assert_int_equal(sl_aws_refresh_due(at + 15 * MINUTE, at), at + 7 * MINUTE + MINUTE / 2);
    assert_int_equal(sl_aws_refresh_due(at + 2000, at), at + 1000);
    assert_true(sl_aws_refresh_due(at - 2000, at) <= at);
}

/* ---- the thread: credentials that a file has ------------------------------------------------- */

static char file[] = "/tmp/sluice-identity-XXXXXX";

static int file_new(void **state)
{
    const int fd = mkstemp(file);

    (void)state;
    (void)clearenv();
    (void)setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    sl_log_init(SL_LOG_TEXT, SL_LOG_ERROR);
    return fd < 0 || close(fd) != 0 || setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1) != 0;
}

static int file_free(void **state)
{
    (void)state;
    return unlink(file);
}

static void file_write(const char *id)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    assert_true(fprintf(f, "[default]\naws_access_key_id=%s\naws_secret_access_key=s\n", id) > 0);
    assert_int_equal(fclose(f), 0);
}

static bool now_is(struct sl_aws_identity *identity, const char *id)
{
    struct sl_aws_snapshot *now = sl_aws_identity_take(identity);
    const bool is = sl_str_eq(now->creds.access_key_id, sl_str_of(id));

    sl_aws_snapshot_free(now);
    return is;
}

static void await_id(struct sl_aws_identity *identity, const char *id)
{
    const int64_t due_ms = sl_clock_now_ms() + 10000;

    while (!now_is(identity, id)) {
        assert_true(sl_clock_now_ms() < due_ms);
        (void)usleep(1000);
    }
}

static void what_is_refused_is_looked_for_again_at_once(void **state)
{
    const struct sl_config cfg = { 0 };
    struct sl_aws_target target = { 0 };
    struct sl_aws_refresher r;
    const int64_t began_ms = sl_clock_now_ms();

    (void)state;
    file_write("one");
    assert_int_equal(sl_aws_refresher_open(&r, &cfg, &target, NULL), SL_OK);
    assert_true(now_is(target.identity, "one"));
    file_write("two");
    sl_aws_identity_refuse(target.identity, 1);
    await_id(target.identity, "two");
    sl_aws_refresher_close(&r);
    assert_true(sl_clock_now_ms() - began_ms < 5000);
}

static void a_failed_refresh_leaves_the_old_ones_and_is_tried_again(void **state)
{
    const struct sl_config cfg = { 0 };
    struct sl_aws_target target = { 0 };
    struct sl_aws_refresher r;

    (void)state;
    file_write("one");
    assert_int_equal(sl_aws_refresher_open(&r, &cfg, &target, NULL), SL_OK);
    file_write("");
    sl_aws_identity_refuse(target.identity, 1);
    (void)usleep(100000);
    assert_true(now_is(target.identity, "one"));
    file_write("three");
    sl_aws_identity_refuse(target.identity, 1);
    await_id(target.identity, "three");
    sl_aws_refresher_close(&r);
}

static void nothing_is_open_after_a_failure(void **state)
{
    const struct sl_config cfg = { 0 };
    struct sl_aws_target target = { 0 };
    struct sl_aws_refresher r;

    (void)state;
    file_write("");
    assert_int_equal(sl_aws_refresher_open(&r, &cfg, &target, NULL), SL_CONFIG);
    assert_null(target.identity);
    sl_aws_refresher_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_outlives_its_change),
        cmocka_unit_test(only_a_refusal_of_the_newest_is_news),
        cmocka_unit_test(others_are_looked_for_well_before_the_end),
        cmocka_unit_test(what_is_refused_is_looked_for_again_at_once),
        cmocka_unit_test(a_failed_refresh_leaves_the_old_ones_and_is_tried_again),
        cmocka_unit_test(nothing_is_open_after_a_failure),
    };

    return cmocka_run_group_tests(tests, file_new, file_free);
}
