/* tests/unit/test_emf.c - every counter is a metric of CloudWatch, and the document is one that
 * CloudWatch takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "telemetry/emf.h"

enum { ROOM = 16 << 10, METRICS_MAX = 100 /* of a directive, in CloudWatch */ };

struct world {
    struct sl_arena arena;
    struct sl_json_parser *parser;
    struct sl_buf text;
};

static int world_new(void **state)
{
    static struct world w;

    sl_arena_init(&w.arena, 1 << 20, 4096);
    sl_buf_init(&w.text, ROOM);
    *state = &w;
    return sl_json_parser_new(ROOM, &w.parser, NULL) == SL_OK ? 0 : -1;
}

static int world_free(void **state)
{
    struct world *w = *state;

    sl_arena_done(&w->arena);
    sl_buf_done(&w->text);
    sl_json_parser_freep(&w->parser);
    return 0;
}

static const struct sl_json *document(struct world *w, sl_str pipeline,
                                      const struct sl_counts *since)
{
    const struct sl_json *root = NULL;
    enum sl_json_fault fault = SL_JSON_EMPTY;
    size_t len;

    sl_buf_add_char(&w->text, '{');
    sl_emf_write(&w->text, pipeline, 1700000000123, since);
    sl_buf_add_char(&w->text, '}');
    len = w->text.len;
    for (int i = 0; i < SL_JSON_PADDING; i++) {
        sl_buf_add_char(&w->text, '\0');
    }
    assert_int_equal(sl_buf_rc(&w->text, NULL), SL_OK);
    assert_int_equal(sl_json_parse(w->parser, sl_cleartext_of((sl_str){ w->text.ptr, len }),
                                   &w->arena, &root, &fault, NULL),
                     SL_OK);
    assert_int_equal(fault, SL_JSON_OK);
    return root;
}

static const struct sl_json *member(const struct sl_json *j, const char *name)
{
    const struct sl_json *found = sl_json_member(j, sl_str_of(name));

    assert_non_null(found);
    return found;
}

static void is(const struct sl_json *j, enum sl_json_type type, const char *text)
{
    assert_int_equal(j->type, type);
    assert_true(sl_str_eq(sl_cleartext_publish(j->text), sl_str_of(text)));
}

static void a_document_has_namespace_dimension_and_time(void **state)
{
    const struct sl_counts since = { .received = 12 };
    const struct sl_json *root = document(*state, SL_STR("public.logins"), &since);
    const struct sl_json *aws = member(root, "_aws");
    const struct sl_json *directive = sl_json_element(member(aws, "CloudWatchMetrics"), 0);

    is(member(root, "pipeline"), SL_JSON_STRING, "public.logins");
    is(member(aws, "Timestamp"), SL_JSON_NUMBER, "1700000000123");
    assert_int_equal(aws->n, 2);
    assert_int_equal(member(aws, "CloudWatchMetrics")->n, 1);
    is(member(directive, "Namespace"), SL_JSON_STRING, "sluice");
    is(sl_json_element(sl_json_element(member(directive, "Dimensions"), 0), 0), SL_JSON_STRING,
       "pipeline");
    assert_int_equal(directive->n, 3);
}

/* Each definition points to a number beside it, or CloudWatch takes none of them. */
static void every_counter_is_a_metric_with_its_value(void **state)
{
    const struct sl_counts since = { .received = 12, .dead_lettered = UINT64_C(1) << 53 };
    const struct sl_json *root = document(*state, SL_STR("p"), &since);
    const struct sl_json *metrics =
        member(sl_json_element(member(member(root, "_aws"), "CloudWatchMetrics"), 0), "Metrics");

    assert_in_range(metrics->n, 1, METRICS_MAX);
    assert_int_equal(root->n, metrics->n + 2);
    for (const struct sl_json *m = metrics->child; m != NULL; m = m->next) {
        const sl_str name = sl_cleartext_publish(member(m, "Name")->text);

        is(member(m, "Unit"), SL_JSON_STRING, "Count");
        assert_int_equal(sl_json_member(root, name)->type, SL_JSON_NUMBER);
    }
    is(member(root, "received"), SL_JSON_NUMBER, "12");
    is(member(root, "dead_lettered"), SL_JSON_NUMBER, "9007199254740992");
    is(member(root, "loaded"), SL_JSON_NUMBER, "0");
}

/* CloudWatch adds up what it gets. */
static void lines_add_up_to_what_was_counted(void **state)
{
    const struct sl_counts first = { .received = 10, .retries = 3 };
    const struct sl_counts second = { .received = 25, .retries = 3, .loaded = 24 };
    const struct sl_counts since = sl_counts_since(&second, &first);

    (void)state;
    assert_int_equal(since.received, 15);
    assert_int_equal(since.retries, 0);
    assert_int_equal(since.loaded, 24);
}

static void a_name_that_cloudwatch_refuses_is_made_one_that_it_takes(void **state)
{
    const struct sl_counts since = { 0 };
    struct world *w = *state;
    char name[300];

    is(member(document(w, SL_STR("a\xc3\xa4 b\n\"c"), &since), "pipeline"), SL_JSON_STRING,
       "a?? b?\"c");
    sl_buf_reset(&w->text);
    is(member(document(w, SL_STR(""), &since), "pipeline"), SL_JSON_STRING, "unknown");
    sl_buf_reset(&w->text);
    memset(name, 'x', sizeof name);
    assert_int_equal(
        member(document(w, (sl_str){ name, sizeof name }, &since), "pipeline")->text.len, 255);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(a_document_has_namespace_dimension_and_time),
        RULE(every_counter_is_a_metric_with_its_value),
        RULE(lines_add_up_to_what_was_counted),
        RULE(a_name_that_cloudwatch_refuses_is_made_one_that_it_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
