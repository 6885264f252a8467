/* tests/fuzz/fuzz_trace.c - any bytes as the header of a trace: what is taken is an id and nothing but
 * an id, which stood in the header and can be written again. */
#include "base/buf.h"
#include "fuzz.h"
#include "record/trace.h"

enum { TEXT_MAX = 4096 };

static const struct sl_trace before = { "untouched" };

static void check_id(const struct sl_trace *t)
{
    const sl_str id = sl_trace_text(t);
    size_t zeros = 0;

    must(id.len == SL_TRACE_DIGITS, "an id of another length");
    for (size_t i = 0; i < id.len; i++) {
        must(strchr("0123456789abcdef", id.ptr[i]) != NULL && id.ptr[i] != '\0',
             "an id of something else than digits");
        zeros += id.ptr[i] == '0';
    }
    must(zeros < id.len, "an id that is none");
}

/* Headers differ in what stands before, between and behind the digits. */
static void check_again(bool (*read)(sl_str header, struct sl_trace *ret),
                        const char *const around[3], const struct sl_trace *t)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { 0 };
    struct sl_trace again = before;

    sl_buf_init(&text, TEXT_MAX);
    sl_buf_printf(&text, "%s%.8s%s%.24s%s", around[0], t->digits, around[1], t->digits + 8,
                  around[2]);
    must(read(sl_buf_str(&text), &again) && memcmp(&again, t, sizeof again) == 0,
         "another id came back");
}

static const char *const w3c[] = { "00-", "", "-00f067aa0ba902b7-01" };
static const char *const aws[] = { "Sampled=0;Root=1-", "-", "" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const sl_str header = { (const char *)data, n };
    struct sl_trace t = before;

    if (n > TEXT_MAX) {
        return 0;
    }
    if (sl_trace_read_w3c(header, &t)) {
        must(has(header, sl_trace_text(&t)), "an id out of nowhere");
        check_id(&t);
        check_again(sl_trace_read_w3c, w3c, &t);
    }
    must(!sl_trace_read_aws(header, &t) || t.digits[0] != 'u', "an id out of nowhere");
    if (t.digits[0] != 'u') {
        check_id(&t);
        check_again(sl_trace_read_aws, aws, &t);
    } else {
        must(memcmp(&t, &before, sizeof t) == 0, "a refusal that writes");
    }
    return 0;
}
