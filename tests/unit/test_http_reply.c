/* tests/unit/test_http_reply.c - answers of HTTP/1.1, whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "net/http_reply.h"

enum { BODY_MAX = 1000 };

struct world {
    struct sl_http_reply reply;
    struct sl_http_reading reading;
    struct sl_err why;
    size_t taken; /* of the last piece */
};

static void begin(struct world *w)
{
    w->reply = (struct sl_http_reply){ 0 };
    sl_buf_init(&w->reply.body, BODY_MAX + SL_JSON_PADDING);
    sl_http_reading_begin(&w->reading, &w->reply);
}

static void end(struct world *w)
{
    sl_buf_done(&w->reply.body);
    sl_buf_done(&w->reading.line);
}

/* In pieces of `piece` bytes, until all is taken or refused. */
static sl_rc take(struct world *w, const char *text, size_t len, size_t piece)
{
    sl_rc rc = SL_OK;

    for (size_t at = 0; rc == SL_OK && at < len; at += w->taken) {
        const size_t n = piece < len - at ? piece : len - at;

        rc = sl_http_reading_take(&w->reading, (sl_str){ text + at, n }, &w->taken, &w->why);
        if (rc == SL_OK && w->taken < n) {
            break;
        }
    }
    return rc;
}

static bool body_is(const struct world *w, const char *text)
{
    return sl_str_eq(sl_buf_str(&w->reply.body), sl_str_of(text));
}

/* ---- what is read -------------------------------------------------------------------------------- */

struct good {
    const char *text;
    int status;
    const char *body;
    bool is_last;
    bool ends_with_the_connection;
};

static const struct good goods[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false, false },
    { "HTTP/1.1 200 OK\r\ncontent-length:5\r\nConnection: Close\r\n\r\nhello", 200, "hello", true,
      false },
    { "HTTP/1.1 404\r\nConnection: x, close\r\nContent-Length: 0\r\n\r\n", 404, "", true, false },
    { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", true, false },
    { "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, "hi", false, false }, /* RFC 9112, 2.2 */
    { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
      false, false },
    { "HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 9\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
      200, "hi", false, false },
    { "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", 204, "", false, false },
    { "HTTP/1.1 304 Not Modified\r\n\r\n", 304, "", false, false },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nhel\r\n02;a=b\r\nlo\r\n0\r\n\r\n",
      200, "hello", false, false },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "A\r\n0123456789\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\n",
      200, "0123456789", false, false },
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n0\r\n\r\n",
      200, "hello", true, false },
    { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false,
      false },
    { "HTTP/1.1 500 Oh\r\n\r\nuntil the end", 500, "until the end", true, true },
};

static void assert_good(const struct good *g, size_t piece)
{
    struct world w = { 0 };

    begin(&w);
    assert_int_equal(take(&w, g->text, strlen(g->text), piece), SL_OK);
    assert_int_equal(w.reading.part == SL_HTTP_DONE, !g->ends_with_the_connection);
    assert_int_equal(sl_http_reading_end(&w.reading, &w.why), SL_OK);
    assert_int_equal(w.reply.status, g->status);
    assert_true(body_is(&w, g->body));
    assert_int_equal(w.reading.is_last, g->is_last);
    end(&w);
}

static void is_the_same_in_pieces_of_any_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        for (size_t piece = 1; piece <= strlen(goods[i].text); piece++) {
            assert_good(&goods[i], piece);
        }
    }
}

static void what_comes_behind_it_is_not_taken(void **state)
{
    struct world w = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        char text[512];

        if (goods[i].ends_with_the_connection) {
            continue;
        }
        (void)snprintf(text, sizeof text, "%sHTTP/1.1 200 OK\r\n", goods[i].text);
        begin(&w);
        assert_int_equal(take(&w, text, strlen(text), sizeof text), SL_OK);
        assert_int_equal(w.taken, strlen(goods[i].text));
        end(&w);
    }
}

static void an_answer_that_ends_within_is_none(void **state)
{
    struct world w = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof *goods; i++) {
        for (size_t n = 0; n < strlen(goods[i].text) && !goods[i].ends_with_the_connection; n++) {
            begin(&w);
            assert_int_equal(take(&w, goods[i].text, n, n), SL_OK);
            assert_int_equal(sl_http_reading_end(&w.reading, &w.why), SL_DISCONNECTED);
            assert_non_null(strstr(w.why.msg, n == 0 ? "before" : "within"));
            end(&w);
        }
    }
}

static void keeps_what_is_said_of_the_queue(void **state)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n"
                               "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
                               "X-Amzn-Query-Error:  AWS.SimpleQueueService.Gone;Sender \r\n"
                               "x-amz-retry-after: 900000\r\n"
                               "Content-Length: 0\r\n\r\n";
    struct world w = { 0 };

    (void)state;
    begin(&w);
    assert_int_equal(take(&w, text, sizeof text - 1, 7), SL_OK);
    assert_string_equal(w.reply.error_code, "AWS.SimpleQueueService.Gone");
    assert_int_equal(w.reply.retry_after_ms, 30000);
    assert_int_equal(sl_http_server_at_s(&w.reply), 1795255200);
    end(&w);
}

/* ---- what is refused ----------------------------------------------------------------------------- */

static void what_is_no_http_is_refused(void **state)
{
    static const char *const bads[] = {
        "HTTP/2 200 OK\r\n",
        "HTTP/0.9 200 OK\r\n",
        "<html>\r\n",
        "\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 099 Low\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5g\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000000\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n",
    };
    struct world w = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
        begin(&w);
        assert_int_equal(take(&w, bads[i], strlen(bads[i]), strlen(bads[i])), SL_DISCONNECTED);
        assert_non_null(strstr(w.why.msg, "the answer is no HTTP/1.1: "));
        end(&w);
    }
}

static void headers_without_an_end_are_refused(void **state)
{
    static const char *const pieces[] = { "a", "a: b\r\n" }; /* one line, and many */
    struct world w = { 0 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sl_rc rc = SL_OK;
        size_t n = 0;

        begin(&w);
        assert_int_equal(take(&w, "HTTP/1.1 200 OK\r\n", 17, 17), SL_OK);
        for (; rc == SL_OK && n < 1 << 20; n += strlen(pieces[i])) {
            rc = take(&w, pieces[i], strlen(pieces[i]), 100);
        }
        assert_int_equal(rc, SL_DISCONNECTED);
        assert_in_range(n, 1, (64 << 10) + 10);
        end(&w);
    }
}

/* A body may have as many small chunks as it likes: their lines are no headers. */
static void lines_between_chunks_are_counted_chunk_by_chunk(void **state)
{
    static const char chunk[] = "1;a=b\r\nx\r\n";
    struct world w = { 0 };

    (void)state;
    begin(&w);
    sl_buf_init(&w.reply.body, 1 << 20);
    assert_int_equal(take(&w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47, 47),
                     SL_OK);
    for (size_t i = 0; i < 20000; i++) {
        assert_int_equal(take(&w, chunk, sizeof chunk - 1, sizeof chunk), SL_OK);
    }
    assert_int_equal(take(&w, "0\r\n\r\n", 5, 5), SL_OK);
    assert_int_equal(w.reading.part, SL_HTTP_DONE);
    assert_int_equal(w.reply.body.len, 20000);
    end(&w);
}

static void a_body_over_its_limit_is_refused(void **state)
{
    char text[BODY_MAX + 200] = "HTTP/1.1 200 OK\r\n\r\n";
    const size_t head = strlen(text);
    struct world w = { 0 };

    (void)state;
    memset(text + head, 'x', sizeof text - head);
    for (size_t over = 0; over < 2; over++) {
        begin(&w);
        assert_int_equal(take(&w, text, head + BODY_MAX + over, 100), over ? SL_NOMEM : SL_OK);
        end(&w);
    }
    assert_string_equal(w.why.msg, "the reply is over 1000 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_same_in_pieces_of_any_size),
        cmocka_unit_test(what_comes_behind_it_is_not_taken),
        cmocka_unit_test(an_answer_that_ends_within_is_none),
        cmocka_unit_test(keeps_what_is_said_of_the_queue),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(headers_without_an_end_are_refused),
        cmocka_unit_test(lines_between_chunks_are_counted_chunk_by_chunk),
        cmocka_unit_test(a_body_over_its_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
