/* masking/manual.c - the manual of the methods, printed from their table. */
#include "base/buf.h"
#include "masking/masker.h"

struct method_row {
    const char *name;
    const char *form;
    const char *length;
    const char *recovery;
    const char *tamper;
    const char *equality;
    const char *text;
};

static const struct method_row methods[] = {

#define X(id, name, form, length, recovery, tamper, equality, text) \
    { name, form, length, recovery, tamper, equality, text },
#include "masking/methods.def"
#undef X
};

void sl_masking_manual(struct sl_buf *out)
{
    sl_buf_add_str(out, SL_STR("| `mask:` | result | length | can be recovered | a change is "
                               "noticed | equal stays equal |\n|---|---|---|---|---|---|\n"));
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const struct method_row *row = &methods[i];

        sl_buf_printf(out, "| `%s` | `%s` | %s | %s | %s | %s |\n", row->name, row->form,
                      row->length, row->recovery, row->tamper, row->equality);
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        sl_buf_printf(out, "\n**`%s`**: %s\n", methods[i].name, methods[i].text);
    }
}
