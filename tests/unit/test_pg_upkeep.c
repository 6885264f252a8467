/* tests/unit/test_pg_upkeep.c - which slots of the ledger may be emptied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sink/pg_copy.h"
#include "sink/pg_upkeep.h"

#define DAY_MS INT64_C(86400000)

/* The slot of a message that was sent then. */
static int slot_of(int64_t sent_at_ms)
{
    const struct sl_record r = { .sent_at_ms = sent_at_ms };
    const struct sl_config cfg = { .dedup = SL_DEDUP_MESSAGE_ID };

    return sl_ledger_key_of(&cfg, &r).slot;
}

static void no_message_that_can_come_again_is_in_an_old_slot(void **state)
{
    (void)state;
    for (unsigned days = 15; days <= 29; days++) {
        for (int64_t at_ms = 20000 * DAY_MS; at_ms < 20070 * DAY_MS; at_ms += DAY_MS / 3) {
            /* a day ahead, for a clock that is; then back to the oldest that must be known */
            for (int64_t sent = at_ms + DAY_MS; sent >= at_ms - days * DAY_MS; sent -= DAY_MS / 4) {
                assert_false(sl_pg_slot_is_old(slot_of(sent), at_ms, days));
            }
        }
    }
}

static void every_slot_becomes_old_once_in_a_round_of_32_days(void **state)
{
    (void)state;
    for (unsigned days = 15; days <= 29; days++) {
        for (int slot = 0; slot < 32; slot++) {
            unsigned old = 0;

            for (int64_t day = 20000; day < 20032; day++) {
                old += sl_pg_slot_is_old(slot, day * DAY_MS + 1, days);
            }
            assert_int_equal(old, 30 - days);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_that_can_come_again_is_in_an_old_slot),
        cmocka_unit_test(every_slot_becomes_old_once_in_a_round_of_32_days),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
