/* tests/fuzz/fuzz_path.c - any bytes as a path: what is taken can be written again, with every name
 * in quotes, and is the same path. */
#include "base/buf.h"
#include "config/path.h"
#include "fuzz.h"

enum { STEPS_MAX = 64, INDEX_MAX = 999999, TEXT_MAX = 4096 };

static void write_name(sl_str name, struct sl_buf *out)
{
    sl_buf_add_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"') {
            sl_buf_add_char(out, '"');
        }
        sl_buf_add_char(out, name.ptr[i]);
    }
    sl_buf_add_char(out, '"');
}

static void write_path(const struct sl_path_step *steps, unsigned n, struct sl_buf *out)
{
    for (unsigned i = 0; i < n; i++) {
        if (steps[i].is_index) {
            sl_buf_printf(out, "[%u]", steps[i].index);
            continue;
        }
        if (i > 0) {
            sl_buf_add_char(out, '.');
        }
        write_name(steps[i].name, out);
    }
}

static void check_steps(const struct sl_path_step *steps, unsigned n, sl_str text)
{
    size_t names = 0;

    must(n >= 1 && n <= STEPS_MAX, "a path of no length");
    must(!steps[0].is_index, "a path that starts with an index");
    for (unsigned i = 0; i < n; i++) {
        must(!steps[i].is_index || (steps[i].index <= INDEX_MAX && steps[i].name.len == 0),
             "an index that is none");
        names += steps[i].name.len;
    }
    must(names <= text.len, "names longer than the path they were in");
}

static void check_again(const struct sl_path_step *steps, unsigned n, struct sl_arena *a)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { 0 };
    const struct sl_path_step *again = NULL;
    unsigned again_n = 0;

    sl_buf_init(&text, 1 << 20);
    write_path(steps, n, &text);
    must(sl_buf_rc(&text, NULL) == SL_OK, "memory");
    must(sl_path_parse(sl_buf_str(&text), a, &again, &again_n, NULL) == SL_OK && again_n == n,
         "a path that cannot be written");
    for (unsigned i = 0; i < n; i++) {
        must(again[i].is_index == steps[i].is_index && again[i].index == steps[i].index &&
                 sl_str_eq(again[i].name, steps[i].name),
             "another path came back");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    SL_AUTO(sl_arena_done) struct sl_arena a = { 0 };
    const struct sl_path_step *steps = NULL;
    const sl_str text = { (const char *)data, n };
    struct sl_err e = { 0 };
    unsigned steps_n = 77;
    sl_rc rc;

    if (n > TEXT_MAX) {
        return 0;
    }
    sl_arena_init(&a, 1 << 20, 4096);
    rc = sl_path_parse(text, &a, &steps, &steps_n, &e);
    if (rc == SL_OK) {
        check_steps(steps, steps_n, text);
        check_again(steps, steps_n, &a);
    } else {
        must(rc == SL_CONFIG && steps == NULL && steps_n == 77, "a refusal of another kind");
        must_say(&e, rc);
    }
    return 0;
}
