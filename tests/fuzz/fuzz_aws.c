/* tests/fuzz/fuzz_aws.c - any bytes as the two files of AWS profiles: entries can be written again,
 * an identity that is found can stand in a header, and no refusal quotes a secret.
 *
 * The first NUL of the input parts the credentials file from the config file.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/command.h"
#include "fuzz.h"
#include "net/aws_target.h"
#include "net/http_fetch.h"
#include "net/ini.h"

enum { TEXT_MAX = 16 << 10, TELLING_BYTES = 16 };

static int fds[2] = { -1, -1 };

/* ---- the format -------------------------------------------------------------------------------- */

/* A name that can be written: it begins no comment. */
static bool is_plain(sl_str s)
{
    const bool begins = s.len > 0 && (s.ptr[0] == '#' || s.ptr[0] == ';');

    return !begins && !has(s, SL_STR(" #")) && !has(s, SL_STR(" ;"));
}

/* Entries stand last one first. */
static bool write_entries(const struct sl_ini_entry *entry, struct sl_buf *out)
{
    if (entry == NULL) {
        return true;
    }
    if (!write_entries(entry->next, out) || !is_plain(entry->section) || !is_plain(entry->key)) {
        return false;
    }
    if (entry->key.ptr == NULL) {
        sl_buf_printf(out, "[%" SL_FMT "]\n", SL_ARG(entry->section));
    } else {
        sl_buf_add_str(out, entry->key);
        sl_buf_add_char(out, '=');
        sl_buf_add_str(out, entry->value);
        sl_buf_add_char(out, '\n');
    }
    return true;
}

static unsigned length_of(const struct sl_ini_entry *entry)
{
    unsigned n = 0;

    for (; entry != NULL; entry = entry->next) {
        n++;
    }
    return n;
}

static void check_ini(sl_str text)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    SL_AUTO(sl_buf_done) struct sl_buf out = { 0 };
    struct sl_ini ini = { 0 };
    struct sl_ini again = { 0 };
    const struct sl_ini_entry *x;
    const struct sl_ini_entry *y;

    sl_arena_init(&a, 16 << 20, 4096);
    sl_buf_init(&out, 4 << 20);
    must(sl_ini_parse(text, &a, &ini, NULL) == SL_OK, "memory");
    must(length_of(ini.entries) < 2000, "too long for a stack");
    if (!write_entries(ini.entries, &out)) {
        return;
    }
    must(sl_buf_rc(&out, NULL) == SL_OK, "memory");
    must(sl_ini_parse(sl_buf_str(&out), &a, &again, NULL) == SL_OK, "memory");
    x = ini.entries;
    y = again.entries;
    for (; x != NULL && y != NULL; x = x->next, y = y->next) {
        must(sl_str_eq(x->section, y->section) && sl_str_eq(x->key, y->key) &&
                 sl_str_eq(x->value, y->value),
             "another entry came back");
        must(sl_ini_has(&ini, x->section), "a section that is not found");
    }
    must(x == NULL && y == NULL, "another number of entries came back");
}

/* ---- in place of the network ------------------------------------------------------------------- */

sl_rc sl_http_fetch(const struct sl_http_request *request, const struct sl_stop *stop,
                    struct sl_http_reply *ret, struct sl_err *e)
{
    (void)stop;
    (void)ret;
    for (const char *const *header = request->headers; *header != NULL; header++) {
        must(strpbrk(*header, "\r\n") == NULL, "a header was broken");
    }
    return SL_FAIL(e, SL_DISCONNECTED, "nobody is there");
}

/* ---- and of the programs that a profile names ------------------------------------------------------ */

sl_rc sl_command_read(const struct sl_command *command, struct sl_arena *a, sl_str *ret_program,
                      struct sl_buf *text, struct sl_err *e)
{
    (void)a;
    (void)ret_program;
    (void)text;
    must(command->takes_quotes && command->stop == NULL, "another command");
    return SL_FAIL(e, SL_UNAVAILABLE, "no program is run");
}

/* ---- identities -------------------------------------------------------------------------------- */

static void file_fill(unsigned i, const char *variable, sl_str text)
{
    char path[64];

    if (fds[i] < 0) {
        fds[i] = memfd_create(variable, MFD_CLOEXEC);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fds[i]);
        must(fds[i] >= 0 && setenv(variable, path, 1) == 0, "memfd");
    }
    must(ftruncate(fds[i], 0) == 0 &&
             pwrite(fds[i], text.ptr != NULL ? text.ptr : "", text.len, 0) == (ssize_t)text.len,
         "write");
}

static bool is_visible(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~') {
            return false;
        }
    }
    return true;
}

static void check_found(const struct sl_aws_target *t, const struct sl_aws_creds *creds)
{
    const sl_str endpoint = t->endpoint;

    must(creds->access_key_id.len > 0 && creds->secret_access_key.len > 0 && t->region.len > 0,
         "an identity that is none");
    must(is_visible(creds->access_key_id) && is_visible(creds->secret_access_key) &&
             is_visible(creds->session_token) && is_visible(t->region) && is_visible(endpoint),
         "a header could be broken");
    must((sl_str_starts(endpoint, SL_STR("http://")) ||
          sl_str_starts(endpoint, SL_STR("https://"))) &&
             endpoint.ptr[endpoint.len - 1] != '/',
         "an endpoint that is none");
    must(endpoint.ptr[endpoint.len] == '\0', "a text without an end");
}

/* A secret stands behind its key; once in both files, so that it is nothing else as well. */
static void check_quotes(sl_str text, sl_str other, const char *message)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    struct sl_ini ini = { 0 };

    sl_arena_init(&a, 16 << 20, 4096);
    must(sl_ini_parse(text, &a, &ini, NULL) == SL_OK, "memory");
    for (const struct sl_ini_entry *i = ini.entries; i != NULL; i = i->next) {
        const char *behind = i->value.len < TELLING_BYTES ? NULL : i->value.ptr + i->value.len;

        if (behind == NULL || !sl_str_eq(i->key, SL_STR("aws_secret_access_key")) ||
            has(other, i->value) ||
            has((sl_str){ text.ptr, (size_t)(i->value.ptr - text.ptr) }, i->value) ||
            has((sl_str){ behind, (size_t)(text.ptr + text.len - behind) }, i->value)) {
            continue;
        }
        must(!has(sl_str_of(message), i->value), "a refusal that quotes a secret");
    }
}

static void check_identity(sl_str text, const char *profile)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    const struct sl_config cfg = { .sqs = { .queue_url = SL_STR("http://localhost:4566/0/q"),
                                            .profile = sl_str_of(profile) } };
    struct sl_aws_target target = { 0 };
    struct sl_aws_creds creds = { 0 };
    struct sl_err e = { 0 };
    sl_str rest = text;
    const sl_str credentials = sl_str_cut(&rest, '\0');
    sl_rc rc;

    sl_arena_init(&a, 16 << 20, 4096);
    file_fill(0, "AWS_SHARED_CREDENTIALS_FILE", credentials);
    file_fill(1, "AWS_CONFIG_FILE", rest);
    rc = sl_aws_target_find(&cfg, &a, &target, &e);
    if (rc == SL_OK) {
        rc = sl_aws_creds_find(&cfg, target.region, NULL, &a, &creds, &e);
    }
    if (rc == SL_OK) {
        check_found(&target, &creds);
    } else {
        must((rc == SL_CONFIG || rc == SL_DISCONNECTED || rc == SL_UNAVAILABLE) &&
                 creds.access_key_id.ptr == NULL,
             "a refusal of another kind");
        must_say(&e, rc);
        check_quotes(credentials, rest, e.msg);
        check_quotes(rest, credentials, e.msg);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const sl_str text = { (const char *)data, n };
    sl_str rest = text;
    sl_str credentials;

    if (n > TEXT_MAX) {
        return 0;
    }
    if (fds[0] < 0) {
        must(clearenv() == 0 && setenv("HOME", "/nonexistent", 1) == 0, "environment");
    }
    credentials = sl_str_cut(&rest, '\0');
    check_ini(credentials);
    if (rest.len > 0 && memchr(rest.ptr, '\0', rest.len) == NULL) {
        check_ini(rest);
    }
    check_identity(text, "");
    check_identity(text, "x");
    return 0;
}
