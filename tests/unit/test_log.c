/* tests/unit/test_log.c - a line is one line, one write, and in JSON it is JSON with ECS names.
 * stderr is a socket that keeps writes apart. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "telemetry/log.h"
#include "telemetry/repeats.h"

enum { ROOM = 65536 };

struct world {
    int stderr_fd; /* the real one */
    int fds[2];
    char line[ROOM];
    size_t len;
    struct sl_arena arena;
    struct sl_json_parser *parser;
};

static int world_new(void **state)
{
    static struct world w;

    memset(&w, 0, sizeof w);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, w.fds) != 0 ||
        sl_json_parser_new(ROOM, &w.parser, NULL) != SL_OK) {
        return -1;
    }
    sl_arena_init(&w.arena, 1 << 20, 4096);
    w.stderr_fd = dup(STDERR_FILENO);
    (void)dup2(w.fds[1], STDERR_FILENO);
    sl_log_init(SL_LOG_JSON, SL_LOG_INFO);
    *state = &w;
    return 0;
}

static int world_free(void **state)
{
    struct world *w = *state;

    sl_log_status_line("");
    (void)dup2(w->stderr_fd, STDERR_FILENO);
    (void)close(w->stderr_fd);
    (void)close(w->fds[0]);
    (void)close(w->fds[1]);
    sl_arena_done(&w->arena);
    sl_json_parser_freep(&w->parser);
    return 0;
}

/* What the next write(2) brought; nothing may be left over by it. */
static void take(struct world *w)
{
    const ssize_t n = recv(w->fds[0], w->line, ROOM - SL_JSON_PADDING, MSG_DONTWAIT);

    assert_true(n > 0);
    w->len = (size_t)n;
    w->line[n] = '\0';
}

static void says_nothing(struct world *w)
{
    assert_true(recv(w->fds[0], w->line, ROOM, MSG_DONTWAIT) < 0);
}

static const struct sl_json *take_json(struct world *w)
{
    const struct sl_json *root = NULL;
    enum sl_json_fault fault = SL_JSON_EMPTY;

    take(w);
    assert_int_equal(w->line[w->len - 1], '\n');
    assert_null(memchr(w->line, '\n', w->len - 1));
    assert_int_equal(
        sl_json_parse(w->parser, (sl_cleartext){ w->line, w->len }, &w->arena, &root, &fault, NULL),
        SL_OK);
    assert_int_equal(fault, SL_JSON_OK);
    assert_int_equal(root->type, SL_JSON_OBJECT);
    return root;
}

static void has(const struct sl_json *line, const char *key, const char *value)
{
    const struct sl_json *j = sl_json_member(line, sl_str_of(key));

    assert_non_null(j);
    assert_int_equal(j->text.len, strlen(value));
    assert_memory_equal(sl_cleartext_publish(j->text).ptr, value, strlen(value));
}

static void has_not(const struct sl_json *line, const char *key)
{
    assert_null(sl_json_member(line, sl_str_of(key)));
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void a_line_is_one_write_of_json_with_ecs_keys(void **state)
{
    const struct sl_json *line;
    const struct sl_json *at;

    SL_LOG(SL_LOG_WARN, "loaded a batch", sl_field_str("queue.url", SL_STR("http://q")),
           sl_field_int("sluice.rows", -7));
    line = take_json(*state);
    says_nothing(*state);
    has(line, "log.level", "warn");
    has(line, "message", "loaded a batch");
    has(line, "ecs.version", "8.11.0");
    has(line, "service.name", "sluice");
    has(line, "service.version", SLUICE_VERSION);
    has(line, "event.dataset", "sluice.log");
    assert_int_equal(sl_json_member(line, SL_STR("process.pid"))->type, SL_JSON_NUMBER);
    has_not(line, "sluice.pipeline");
    has(line, "queue.url", "http://q");
    has(line, "sluice.rows", "-7");
    assert_int_equal(sl_json_member(line, SL_STR("sluice.rows"))->type, SL_JSON_NUMBER);
    assert_int_equal(sl_json_member(line, SL_STR("queue.url"))->type, SL_JSON_STRING);
    at = sl_json_member(line, SL_STR("@timestamp"));
    assert_non_null(at);
    assert_int_equal(at->text.len, 24);
    assert_int_equal(line->n, 10);
}

static void time_level_and_message_stand_first(void **state)
{
    static const char *const first[] = { "@timestamp", "log.level", "message" };
    const struct sl_json *j;

    SL_LOG(SL_LOG_WARN, "x", sl_field_int("n", 1));
    j = take_json(*state)->child;
    for (int i = 0; i < 3; i++, j = j->next) {
        assert_true(sl_str_eq(sl_cleartext_publish(j->name), sl_str_of(first[i])));
    }
}

static void a_pipeline_that_is_named_is_in_every_line(void **state)
{
    sl_log_pipeline(SL_STR("logins \"a\""));
    SL_LOG(SL_LOG_INFO, "x", sl_field_int("n", 1));
    has(take_json(*state), "sluice.pipeline", "logins \"a\"");
    sl_log_pipeline(SL_STR(""));
    SL_LOG(SL_LOG_INFO, "x", sl_field_int("n", 1));
    has_not(take_json(*state), "sluice.pipeline");
}

static void every_level_has_its_name(void **state)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };

    sl_log_init(SL_LOG_JSON, SL_LOG_DEBUG);
    for (int level = SL_LOG_DEBUG; level <= SL_LOG_ERROR; level++) {
        SL_LOG((enum sl_log_level)level, "x", sl_field_int("n", level));
        has(take_json(*state), "log.level", names[level]);
    }
}

static void what_is_below_the_lowest_level_is_not_said(void **state)
{
    sl_log_init(SL_LOG_JSON, SL_LOG_WARN);
    SL_LOG(SL_LOG_DEBUG, "x", sl_field_int("n", 1));
    SL_LOG(SL_LOG_INFO, "x", sl_field_int("n", 1));
    says_nothing(*state);
    SL_LOG(SL_LOG_WARN, "x", sl_field_int("n", 1));
    has(take_json(*state), "log.level", "warn");
}

static void what_a_person_did_is_said_at_any_level(void **state)
{
    const struct sl_field n = sl_field_int("n", 1);

    sl_log_init(SL_LOG_JSON, SL_LOG_ERROR);
    sl_log_act("purged", &n, 1);
    has(take_json(*state), "log.level", "info");
}

static void control_characters_and_quotes_cannot_end_a_field_or_a_line(void **state)
{
    static const char hostile[] = "a\"b\\c\n{\"log.level\":\"error\"}\r\t\x1b[2K\0z\x7f";
    const struct sl_json *line;

    SL_LOG(SL_LOG_INFO, "x", sl_field_str("f", (sl_str){ hostile, sizeof hostile - 1 }));
    line = take_json(*state);
    for (size_t i = 0; i + 1 < ((struct world *)*state)->len; i++) {
        assert_in_range(((struct world *)*state)->line[i], 0x20, 0x7e);
    }
    assert_int_equal(sl_json_member(line, SL_STR("f"))->text.len, sizeof hostile - 1);
    assert_memory_equal(sl_cleartext_publish(sl_json_member(line, SL_STR("f"))->text).ptr, hostile,
                        sizeof hostile - 1);
}

static void bytes_that_are_no_utf8_do_not_spoil_a_line(void **state)
{
    SL_LOG(SL_LOG_INFO, "x", sl_field_str("f", SL_STR("a\xff\xc3")));
    has(take_json(*state), "f", "a\xef\xbf\xbd\xef\xbf\xbd");
}

static void integers_are_written_to_both_ends(void **state)
{
    const struct sl_json *line;

    SL_LOG(SL_LOG_INFO, "x", sl_field_int("a", INT64_MIN), sl_field_int("b", INT64_MAX));
    line = take_json(*state);
    has(line, "a", "-9223372036854775808");
    has(line, "b", "9223372036854775807");
}

static void a_report_is_a_line_with_code_message_and_place(void **state)
{
    struct sl_err e;
    const struct sl_json *line;

    (void)SL_FAIL(&e, SL_CONFIG, "setting \"%s\"", "x");
    sl_log_err(SL_LOG_ERROR, "cannot go on", &e);
    line = take_json(*state);
    has(line, "message", "cannot go on");
    has(line, "error.code", "CONFIG");
    has(line, "error.message", "setting \"x\"");
    assert_non_null(sl_json_member(line, SL_STR("log.origin.file.name")));
    assert_int_equal(sl_json_member(line, SL_STR("log.origin.file.line"))->type, SL_JSON_NUMBER);
    has_not(line, "log.origin.file");
    has_not(line, "db.response.status_code");
    has_not(line, "http.response.status_code");
}

static void a_report_has_sqlstate_and_http_status_when_there_is_one(void **state)
{
    struct sl_err e = {
        .rc = SL_ROW, .sqlstate = "23505", .http_status = 503, .at = "../../src/x.c:12"
    };
    const struct sl_json *line;

    sl_log_err(SL_LOG_ERROR, "x", &e);
    line = take_json(*state);
    has(line, "error.code", "ROW");
    has(line, "db.response.status_code", "23505");
    has(line, "http.response.status_code", "503");
    has(line, "log.origin.file.name", "src/x.c");
    has(line, "log.origin.file.line", "12");
}

static void a_report_from_nowhere_has_no_place(void **state)
{
    struct sl_err e = { .rc = SL_ROW };

    sl_log_err(SL_LOG_ERROR, "x", &e);
    has_not(take_json(*state), "log.origin.file.name");
}

static void the_longest_report_is_still_one_json_line(void **state)
{
    struct sl_err e;

    (void)SL_FAIL(&e, SL_CONFIG, "%*d", 5000, 1);
    memset(e.msg, '\x01', sizeof e.msg - 1);
    sl_log_err(SL_LOG_ERROR, "x", &e);
    assert_int_equal(sl_json_member(take_json(*state), SL_STR("error.message"))->text.len,
                     sizeof e.msg - 1);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* The line without its time. */
static void is_text(struct world *w, const char *text)
{
    take(w);
    assert_true(w->len > 25);
    assert_int_equal(w->line[24], ' ');
    assert_string_equal(w->line + 25, text);
}

static void text_lines_are_level_message_and_fields(void **state)
{
    sl_log_init(SL_LOG_TEXT, SL_LOG_INFO);
    SL_LOG(SL_LOG_INFO, "loaded a batch", sl_field_int("sluice.rows", 7),
           sl_field_str("pipeline", SL_STR("p")));
    is_text(*state, "info  loaded a batch sluice.rows=7 pipeline=p\n");
}

static void text_fields_are_quoted_when_they_would_run_into_others(void **state)
{
    static const struct {
        const char *value;
        const char *line;
    } rows[] = {
        { "", "warn  x f=\"\"\n" },
        { "a b", "warn  x f=\"a b\"\n" },
        { "a\"b", "warn  x f=\"a\\\"b\"\n" },
        { "a\\b", "warn  x f=\"a\\\\b\"\n" },
        { "a\nb=c", "warn  x f=\"a\\nb=c\"\n" },
        { "\x1b[2K", "warn  x f=\"\\u001b[2K\"\n" },
        { "\x7f", "warn  x f=\"\\u007f\"\n" },
        { "plain", "warn  x f=plain\n" },
    };

    sl_log_init(SL_LOG_TEXT, SL_LOG_INFO);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SL_LOG(SL_LOG_WARN, "x", sl_field_str("f", sl_str_of(rows[i].value)));
        is_text(*state, rows[i].line);
    }
}

static void a_status_line_is_redrawn_below_each_line(void **state)
{
    struct world *w = *state;

    sl_log_init(SL_LOG_TEXT, SL_LOG_INFO);
    sl_log_status_line("50 %");
    take(w);
    assert_string_equal(w->line, "\r\033[K50 %");
    SL_LOG(SL_LOG_INFO, "x", sl_field_int("n", 1));
    take(w);
    assert_memory_equal(w->line, "\r\033[K", 4);
    assert_string_equal(w->line + 4 + 25, "info  x n=1\n50 %");
    sl_log_status_line("");
    take(w);
    assert_string_equal(w->line, "\r\033[K");
    SL_LOG(SL_LOG_INFO, "x", sl_field_int("n", 1));
    is_text(w, "info  x n=1\n");
}

/* ---- the journal ----------------------------------------------------------------------------- */

/* stderr of this test, as systemd would name it; `off` for another one. */
static void journal_is(ino_t off)
{
    struct stat st;
    char text[64];

    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    (void)snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)(st.st_ino + off));
    (void)setenv("JOURNAL_STREAM", text, 1);
}

static void lines_of_the_journal_begin_with_their_priority(void **state)
{
    static const char *const priorities[] = { "<7>{", "<6>{", "<4>{", "<3>{" };
    struct world *w = *state;

    journal_is(0);
    sl_log_init(SL_LOG_JSON, SL_LOG_DEBUG);
    for (int level = SL_LOG_DEBUG; level <= SL_LOG_ERROR; level++) {
        SL_LOG((enum sl_log_level)level, "x", sl_field_int("n", 1));
        take(w);
        assert_memory_equal(w->line, priorities[level], 4);
    }
    (void)unsetenv("JOURNAL_STREAM");
}

static void a_journal_that_is_not_at_the_other_end_wants_no_priority(void **state)
{
    static const char *const streams[] = { "", ":", "1", "x:y", "1:", "-1:-1" };

    journal_is(1);
    sl_log_init(SL_LOG_JSON, SL_LOG_INFO);
    SL_LOG(SL_LOG_WARN, "x", sl_field_int("n", 1));
    (void)take_json(*state);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        (void)setenv("JOURNAL_STREAM", streams[i], 1);
        sl_log_init(SL_LOG_JSON, SL_LOG_INFO);
        assert_string_equal(sl_log_priority(SL_LOG_ERROR), "");
    }
    (void)unsetenv("JOURNAL_STREAM");
}

/* ---- what comes again and again -------------------------------------------------------------- */

static void only_the_first_warnings_of_a_kind_are_said_and_the_rest_is_told_at_the_end(void **state)
{
    const struct sl_err e = { .rc = SL_THROTTLED };
    const struct sl_json *line;

    sl_log_repeats_begin();
    for (int i = 0; i < SL_REPEATS_FIRST + 7; i++) {
        sl_log_err(SL_LOG_WARN, "again", &e);
    }
    for (int i = 0; i < SL_REPEATS_FIRST; i++) {
        has(take_json(*state), "message", "again");
    }
    says_nothing(*state);
    sl_log_repeats_look();
    says_nothing(*state);
    sl_log_repeats_end();
    line = take_json(*state);
    has(line, "log.level", "warn");
    has(line, "sluice.left_out", "7");
    has(line, "sluice.warning", "again");
    has(line, "error.code", "THROTTLED");
    says_nothing(*state);
}

static void errors_and_news_are_said_however_often_they_come(void **state)
{
    sl_log_repeats_begin();
    for (int i = 0; i < 2 * SL_REPEATS_FIRST; i++) {
        SL_LOG(SL_LOG_ERROR, "again", sl_field_int("n", i));
        has(take_json(*state), "log.level", "error");
        SL_LOG(SL_LOG_INFO, "again", sl_field_int("n", i));
        has(take_json(*state), "log.level", "info");
    }
    sl_log_repeats_end();
    says_nothing(*state);
}

static void outside_of_a_run_every_warning_is_said(void **state)
{
    for (int i = 0; i < 2 * SL_REPEATS_FIRST; i++) {
        SL_LOG(SL_LOG_WARN, "again", sl_field_int("n", i));
        has(take_json(*state), "message", "again");
    }
}

/* ---- metrics --------------------------------------------------------------------------------- */

static void metrics_are_lines_of_their_own_that_no_level_leaves_out(void **state)
{
    const struct sl_json *line;

    assert_false(sl_log_wants_metrics());
    sl_log_init(SL_LOG_EMF, SL_LOG_ERROR);
    assert_true(sl_log_wants_metrics());
    sl_log_metrics(SL_STR("\"received\":1"));
    line = take_json(*state);
    has(line, "received", "1");
    has(line, "event.kind", "metric");
    has(line, "message", "metrics");
    SL_LOG(SL_LOG_ERROR, "x", sl_field_int("n", 1));
    has(take_json(*state), "message", "x");
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, LINES = 50 };

static void *say_lines(void *number)
{
    for (int i = 0; i < LINES; i++) {
        SL_LOG(SL_LOG_INFO, "x", sl_field_int("thread", *(const int *)number),
               sl_field_int("line", i));
    }
    return NULL;
}

static void lines_of_several_threads_stay_whole_and_in_order(void **state)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    int64_t next[THREADS] = { 0 };
    const int room = 4 << 20;

    (void)setsockopt(((struct world *)*state)->fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, say_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS * LINES; i++) {
        struct world *w = *state;
        const ssize_t n = recv(w->fds[0], w->line, ROOM - SL_JSON_PADDING, MSG_PEEK);
        const struct sl_json *line;
        int64_t thread = -1;
        int64_t number = -1;

        assert_true(n > 0);
        line = take_json(w);
        assert_true(sl_str_to_i64(
            sl_cleartext_publish(sl_json_member(line, SL_STR("thread"))->text), &thread));
        assert_true(sl_str_to_i64(sl_cleartext_publish(sl_json_member(line, SL_STR("line"))->text),
                                  &number));
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(number, next[thread]);
        next[thread]++;
        sl_arena_reset(&w->arena);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        assert_int_equal(next[i], LINES);
    }
}

static void *say_to_nobody(void *unused)
{
    SL_LOG(SL_LOG_WARN, "nobody reads this", sl_field_int("n", 1));
    return unused;
}

static void *await_in_recent(void *unused)
{
    struct sl_recent recent;

    do {
        sl_log_recent(&recent);
    } while (strcmp(recent.kinds[0].message, "nobody reads this") != 0);
    return unused;
}

static void what_was_warned_of_is_known_also_while_nobody_reads_the_log(void **state)
{
    struct world *w = *state;
    struct timespec due;
    pthread_t writer;
    pthread_t reader;
    int rc;

    while (send(w->fds[1], w->line, 1024, MSG_DONTWAIT) > 0) {
    }
    assert_int_equal(pthread_create(&writer, NULL, say_to_nobody, NULL), 0);
    assert_int_equal(pthread_create(&reader, NULL, await_in_recent, NULL), 0);
    (void)clock_gettime(CLOCK_REALTIME, &due);
    due.tv_sec += 10;
    rc = pthread_timedjoin_np(reader, NULL, &due);
    while (recv(w->fds[0], w->line, ROOM, MSG_DONTWAIT) > 0) {
    }
    (void)pthread_join(writer, NULL);
    assert_int_equal(rc, 0);
}

int main(void)
{
#define RULE(f) cmocka_unit_test_setup_teardown(f, world_new, world_free)
    const struct CMUnitTest tests[] = {
        RULE(a_line_is_one_write_of_json_with_ecs_keys),
        RULE(time_level_and_message_stand_first),
        RULE(a_pipeline_that_is_named_is_in_every_line),
        RULE(every_level_has_its_name),
        RULE(what_is_below_the_lowest_level_is_not_said),
        RULE(what_a_person_did_is_said_at_any_level),
        RULE(control_characters_and_quotes_cannot_end_a_field_or_a_line),
        RULE(bytes_that_are_no_utf8_do_not_spoil_a_line),
        RULE(integers_are_written_to_both_ends),
        RULE(a_report_is_a_line_with_code_message_and_place),
        RULE(a_report_has_sqlstate_and_http_status_when_there_is_one),
        RULE(a_report_from_nowhere_has_no_place),
        RULE(the_longest_report_is_still_one_json_line),
        RULE(text_lines_are_level_message_and_fields),
        RULE(text_fields_are_quoted_when_they_would_run_into_others),
        RULE(a_status_line_is_redrawn_below_each_line),
        RULE(lines_of_the_journal_begin_with_their_priority),
        RULE(a_journal_that_is_not_at_the_other_end_wants_no_priority),
        RULE(only_the_first_warnings_of_a_kind_are_said_and_the_rest_is_told_at_the_end),
        RULE(errors_and_news_are_said_however_often_they_come),
        RULE(outside_of_a_run_every_warning_is_said),
        RULE(metrics_are_lines_of_their_own_that_no_level_leaves_out),
        RULE(lines_of_several_threads_stay_whole_and_in_order),
        RULE(what_was_warned_of_is_known_also_while_nobody_reads_the_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
