/* masking/manual.c - the manual of the methods, printed from their table. */
#include "base/buf.h"
#include "config/config.h"
#include "masking/masker.h"

struct method_text {
    enum sl_mask method;
    const char *form;
    const char *length;
    const char *recovery;
    const char *text;
    const char *example;
};

static const struct method_text methods[] = {

#define X(id, word, flags, options, needs, types, least, form, length, recovery, text, example) \
    { SL_MASK_##id, (form), (length), (recovery), (text), (example) },
#include "masking/methods.def"
#undef X
};

static const char closing[] =
    "\n## What all of them show\n\n"
    "A method with which equal stays equal tells which rows share a value and how often it is\n"
    "there; that is what it is for. Columns that must join share one `context:`, all others have\n"
    "different results for equal values. A null stays null, an empty text stays empty.\n"
    "\n"
    "`normalize:` makes spellings equal before masking. What is normalized cannot be recovered in\n"
    "its first spelling: `ip` writes addresses in one way (`2001:DB8:0::1` as `2001:db8::1`,\n"
    "`::ffff:192.0.2.1` as `192.0.2.1`) and leaves alone what is none, `lower` takes capitals\n"
    "away, `trim` white space at both ends, `nfc` composes accents (Unicode NFC). They go in the\n"
    "order trim, nfc, lower, ip.\n"
    "\n"
    "The results of `ip` and `fpe` cannot name their key: a column has one key for good, the one\n"
    "that `kid:` names, whichever key is active. While the ring has one key only, that is it.\n"
    "\n"
    "With a `vault:`, the originals of one-way results (`hmac`, `sha256`) are kept in another\n"
    "database, sealed, and `sluice unmask` finds them there.\n";

void sl_masking_manual(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR("# Masking methods\n\nWhat `sluice docs methods` prints.\n\n"
                               "| `mask:` | result | length | equal stays equal | can be recovered "
                               "| a change is noticed |\n|---|---|---|---|---|---|\n"));
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const struct method_text *m = &methods[i];
        const unsigned flags = sl_mask_flags(m->method);

        sl_buf_printf(out, "| `%s` | %s | %s | %s | %s | %s |\n", sl_mask_name(m->method), m->form,
                      m->length, (flags & SL_MASK_JOINS) != 0 ? "yes" : "no", m->recovery,
                      (flags & SL_MASK_SEALED) != 0 ? "yes" : "no");
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const struct method_text *m = &methods[i];

        sl_buf_printf(out, "\n## `%s`\n\n%s%s\n\n```yaml\n- %s\n```\n", sl_mask_name(m->method),
                      (sl_mask_flags(m->method) & SL_MASK_WEAK) != 0
                          ? "**This is no masking**; `check` and the start warn of it. "
                          : "",
                      m->text, m->example);
    }
    sl_buf_add_str(out, SL_STR(closing));
}
