/* tests/unit/test_file.c - the source "file": what a batch could not end comes again. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/file.h"

enum { LINES = 40, BATCH_BYTES = 1 << 20 };

struct scene {
    char path[32];
    sl_str paths[1];
    struct sl_config cfg;
    struct sl_file_list files;
    struct sl_counters counters;
    struct sl_stop stop;
    struct sl_source source;
};

/* A file of so many lines. */
static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    int fd;

    assert_non_null(s);
    memcpy(s->path, "/tmp/sluice.XXXXXX", sizeof "/tmp/sluice.XXXXXX");
    fd = mkstemp(s->path);
    assert_true(fd >= 0);
    for (unsigned i = 0; i < LINES; i++) {
        assert_true(dprintf(fd, "{\"n\":%u}\n", i) > 0);
    }
    assert_int_equal(close(fd), 0);
    s->paths[0] = sl_str_of(s->path);
    s->files = (struct sl_file_list){ .paths = s->paths, .n = 1, .quota = INT64_MAX };
    assert_int_equal(sl_file_open(&(struct sl_file_settings){ .cfg = &s->cfg,
                                                              .files = &s->files,
                                                              .counters = &s->counters,
                                                              .stop = &s->stop,
                                                              .memory_bytes = 64 << 20 },
                                  &s->source, NULL),
                     SL_OK);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    s->source.ops->close(s->source.self);
    assert_int_equal(unlink(s->path), 0);
    free(s);
    return 0;
}

/* A batch of at most `cap` lines, all of which have that end.  Returns: how many it had. */
static unsigned batch_end(struct scene *s, unsigned cap, enum sl_outcome outcome)
{
    SL_AUTO(sl_batch_done) struct sl_batch b = { 0 };

    assert_int_equal(sl_batch_init(&b, cap, BATCH_BYTES, NULL), SL_OK);
    assert_int_equal(s->source.ops->receive(s->source.self, &b, INT64_MAX, NULL), SL_OK);
    assert_true(b.n <= cap);
    for (unsigned i = 0; i < b.n; i++) {
        b.records[i]->outcome = outcome;
    }
    s->source.ops->ack(s->source.self, &b);
    s->source.ops->release(s->source.self, &b);
    return b.n;
}

static void what_failed_comes_again_in_batches_as_small_as_asked_for(void **state)
{
    struct scene *s = *state;

    s->cfg.linger_ms = 10000;
    assert_int_equal(batch_end(s, 30, SL_OUTCOME_NONE), 30);
    for (unsigned n = 0; n < LINES; n += 10) {
        assert_false(s->source.ops->is_idle(s->source.self));
        assert_int_equal(batch_end(s, 10, SL_OUTCOME_LOADED), 10);
    }
    assert_int_equal(batch_end(s, 10, SL_OUTCOME_LOADED), 0);
    assert_true(s->source.ops->is_idle(s->source.self));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_failed_comes_again_in_batches_as_small_as_asked_for,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
