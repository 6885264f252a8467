/* tests/unit/test_sqs_attempt.c - by which id a receive is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "source/sqs_attempt.h"

static void every_receive_has_an_id_of_its_own(void **state)
{
    struct sl_sqs_attempts attempts = { 0 };
    const struct sl_sqs_attempt one = sl_sqs_attempt_next(&attempts, 1000, 30000);
    const struct sl_sqs_attempt two = sl_sqs_attempt_next(&attempts, 1000, 30000);

    (void)state;
    assert_int_equal(strlen(one.id), SL_SQS_ATTEMPT_ID - 1);
    assert_int_equal(strspn(one.id, "0123456789abcdef"), SL_SQS_ATTEMPT_ID - 1);
    assert_string_not_equal(one.id, two.id);
    assert_false(one.is_repeated);
}

static void a_receive_whose_answer_was_lost_is_asked_again_by_its_id(void **state)
{
    struct sl_sqs_attempts attempts = { 0 };
    const struct sl_sqs_attempt lost = sl_sqs_attempt_next(&attempts, 1000, 30000);
    struct sl_sqs_attempt again;

    (void)state;
    sl_sqs_attempt_lost(&attempts, &lost);
    again = sl_sqs_attempt_next(&attempts, 30999, 30000);
    assert_string_equal(again.id, lost.id);
    assert_true(again.is_repeated);
    again = sl_sqs_attempt_next(&attempts, 30999, 30000);
    assert_string_not_equal(again.id, lost.id);
}

static void an_id_is_good_until_its_messages_are_visible_again(void **state)
{
    struct sl_sqs_attempts attempts = { 0 };
    struct sl_sqs_attempt lost = sl_sqs_attempt_next(&attempts, 1000, 30000);

    (void)state;
    sl_sqs_attempt_lost(&attempts, &lost);
    assert_string_not_equal(sl_sqs_attempt_next(&attempts, 31000, 30000).id, lost.id);
    lost = sl_sqs_attempt_next(&attempts, 1000, 3600000);
    sl_sqs_attempt_lost(&attempts, &lost);
    assert_string_not_equal(sl_sqs_attempt_next(&attempts, 301000, 30000).id, lost.id);
}

static void as_many_are_kept_as_receives_may_be_out(void **state)
{
    struct sl_sqs_attempts attempts = { 0 };

    (void)state;
    for (unsigned i = 0; i < 2 * SL_SQS_ATTEMPTS_LOST; i++) {
        const struct sl_sqs_attempt lost = { .id = "a", .until_ms = 1000 };

        sl_sqs_attempt_lost(&attempts, &lost);
    }
    assert_int_equal(attempts.n, SL_SQS_ATTEMPTS_LOST);
    sl_sqs_attempt_lost(&attempts, &(struct sl_sqs_attempt){ 0 }); /* of no FIFO queue */
    assert_int_equal(attempts.n, SL_SQS_ATTEMPTS_LOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_receive_has_an_id_of_its_own),
        cmocka_unit_test(a_receive_whose_answer_was_lost_is_asked_again_by_its_id),
        cmocka_unit_test(an_id_is_good_until_its_messages_are_visible_again),
        cmocka_unit_test(as_many_are_kept_as_receives_may_be_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
