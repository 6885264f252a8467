/* config/redact.c - find the passwords in a PostgreSQL URL or conninfo.
 *
 * It reads as libpq does and, where a URL is spoilt, rather hides too much.
 * Source: PostgreSQL documentation, section 34.1.1 (connection strings)
 */
#include <strings.h>

#include "config/config.h"

enum {
    SPANS_MAX = 16,
    KEY_MAX_BYTES = 32, /* no secret's key is longer */
};

/* Where secrets are, sorted. */
struct spans {
    struct {
        size_t from;
        size_t to;
    } at[SPANS_MAX];

    unsigned n;
};

/* Nobody has so many: hide all between the first and the last. */
static void spans_join(struct spans *spans)
{
    for (unsigned i = 1; i < spans->n; i++) {
        if (spans->at[i].to > spans->at[0].to) {
            spans->at[0].to = spans->at[i].to;
        }
    }
    spans->n = 1;
}

static void span_add(struct spans *spans, size_t from, size_t to)
{
    unsigned i;

    if (from >= to) {
        return;
    }
    if (spans->n == SPANS_MAX) {
        spans_join(spans);
    }
    for (i = spans->n; i > 0 && spans->at[i - 1].from > from; i--) {
        spans->at[i] = spans->at[i - 1];
    }
    spans->at[i].from = from;
    spans->at[i].to = to;
    spans->n++;
}

static bool key_is_secret(sl_str key)
{
    static const char *const secrets[] = { "password", "sslpassword", "scram_client_key",
                                           "scram_server_key", "oauth_client_secret" };

    for (unsigned i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        if (key.len == strlen(secrets[i]) && strncasecmp(key.ptr, secrets[i], key.len) == 0) {
            return true;
        }
    }
    return false;
}

/* --- scheme://user:password@host/name?key=value&key=value ------------------------------------ */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* libpq decodes keys, too: pass%77ord is password. */
static bool url_key_is_secret(sl_str key)
{
    char plain[KEY_MAX_BYTES];
    size_t n = 0;

    for (size_t i = 0; i < key.len && n < sizeof plain; i++) {
        const int high = key.len - i > 2 ? hex_digit(key.ptr[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(key.ptr[i + 2]) : -1;

        if (key.ptr[i] == '%' && low >= 0) {
            plain[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            plain[n++] = key.ptr[i];
        }
    }
    return key_is_secret((sl_str){ plain, n });
}

static size_t str_find(sl_str s, size_t from, char c)
{
    const char *at = from < s.len ? memchr(s.ptr + from, c, s.len - from) : NULL;

    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

/* The password runs from the first ':' to the last '@' before the query.  The query starts at the
 * first '?' behind the first '@': libpq lets a '?' stand in a password. */
static void url_find_userinfo(sl_str url, size_t start, struct spans *spans)
{
    size_t at = str_find(url, start, '@');
    const size_t colon = str_find(url, start, ':');

    if (at == url.len) {
        return;
    }
    for (const size_t query = str_find(url, at, '?');;) {
        const size_t next = str_find(url, at + 1, '@');

        if (next >= query) {
            break;
        }
        at = next;
    }
    if (colon < at) {
        span_add(spans, colon + 1, at);
    }
}

static void url_find_query(sl_str url, size_t start, struct spans *spans)
{
    for (size_t i = start; i < url.len; i++) {
        if (url.ptr[i] == '?' || url.ptr[i] == '&') {
            const size_t end = str_find(url, i + 1, '&');
            const size_t equals = str_find(url, i + 1, '=');

            if (equals < end && url_key_is_secret((sl_str){ url.ptr + i + 1, equals - i - 1 })) {
                span_add(spans, equals + 1, end);
            }
        }
    }
}

/* --- key=value key = 'va\'lue' ---------------------------------------------------------------- */

static size_t skip_blanks(sl_str s, size_t i)
{
    while (i < s.len && strchr(" \t\r\n\f\v", s.ptr[i]) != NULL) {
        i++;
    }
    return i;
}

/* The end of a value that starts at i. */
static size_t conninfo_value_end(sl_str s, size_t i)
{
    const bool is_quoted = i < s.len && s.ptr[i] == '\'';

    for (i += is_quoted; i < s.len; i++) {
        if (s.ptr[i] == '\\') {
            i++;
        } else if (is_quoted ? s.ptr[i] == '\'' : skip_blanks(s, i) > i) {
            break;
        }
    }
    i += is_quoted;
    return i < s.len ? i : s.len;
}

static void conninfo_find(sl_str s, struct spans *spans)
{
    for (size_t i = skip_blanks(s, 0); i < s.len; i = skip_blanks(s, i)) {
        const size_t key_at = i;
        sl_str key = { s.ptr + key_at, 0 };

        while (i < s.len && s.ptr[i] != '=' && skip_blanks(s, i) == i) {
            i++;
        }
        key.len = i - key_at;
        i = skip_blanks(s, i);
        if (i < s.len && s.ptr[i] == '=') {
            const size_t value_at = skip_blanks(s, i + 1);

            i = conninfo_value_end(s, value_at);
            if (key_is_secret(key)) {
                span_add(spans, value_at, i);
            }
        }
    }
}

/* --------------------------------------------------------------------------------------------- */

static void spans_find(sl_str url, struct spans *spans)
{
    const char *scheme = url.len == 0 ? NULL : memmem(url.ptr, url.len, "://", 3);

    if (scheme != NULL) {
        const size_t start = (size_t)(scheme - url.ptr) + 3;

        url_find_userinfo(url, start, spans);
        url_find_query(url, start, spans);
    }
    if (scheme == NULL || !sl_str_starts(url, SL_STR("postgres"))) {
        conninfo_find(url, spans);
    }
}

bool sl_config_has_password(sl_str url)
{
    struct spans spans = { 0 };

    spans_find(url, &spans);
    return spans.n > 0;
}

sl_str sl_config_redact(sl_str url, struct sl_arena *a)
{
    struct spans spans = { 0 };
    sl_str out = SL_STR("");
    size_t done = 0;

    spans_find(url, &spans);
    for (unsigned i = 0; i < spans.n && out.ptr != NULL; i++) {
        if (i == 0 || spans.at[i].from > done) {
            out = sl_arena_printf(a, "%" SL_FMT "%" SL_FMT "***", SL_ARG(out),
                                  (int)(spans.at[i].from - done), url.ptr + done);
        }
        done = spans.at[i].to > done ? spans.at[i].to : done;
    }
    if (out.ptr == NULL) {
        return out;
    }
    return sl_arena_printf(a, "%" SL_FMT "%" SL_FMT, SL_ARG(out), (int)(url.len - done),
                           url.len > 0 ? url.ptr + done : "");
}
