/* base/xml.c - the texts of a few elements of an XML document. */
#include "base/xml.h"

#include "base/buf.h"
#include "base/xml_events.h"

struct reading {
    const struct sl_xml_want *wants;
    unsigned n;
    struct sl_arena *arena;
    char path[SL_XML_PATH_MAX]; /* of the open element */
    size_t path_len;
    unsigned depth;
    const struct sl_xml_want *open; /* the one whose text is being read */
    unsigned open_depth;
    uint64_t seen; /* a bit a want */
    struct sl_buf text;
};

static const struct sl_xml_want *want_find(struct reading *r)
{
    const sl_str path = { r->path, r->path_len };

    for (unsigned i = 0; i < r->n; i++) {
        if ((r->seen & UINT64_C(1) << i) == 0 && sl_str_eq(path, sl_str_of(r->wants[i].path))) {
            r->seen |= UINT64_C(1) << i;
            return &r->wants[i];
        }
    }
    return NULL;
}

static sl_rc element_begin(void *ctx, sl_str tag, struct sl_err *e)
{
    struct reading *r = ctx;

    if (r->depth == SL_XML_DEPTH || r->path_len + tag.len + 1 >= sizeof r->path) {
        return SL_FAIL(e, SL_UNAVAILABLE, "this XML is nested too deep");
    }
    if (r->depth > 0) {
        r->path[r->path_len++] = '/';
    }
    memcpy(r->path + r->path_len, tag.ptr, tag.len);
    r->path_len += tag.len;
    r->depth++;
    if (r->open == NULL) {
        r->open = want_find(r);
        r->open_depth = r->depth;
        sl_buf_reset(&r->text);
    }
    return SL_OK;
}

static sl_rc element_text(void *ctx, sl_str text, struct sl_err *e)
{
    struct reading *r = ctx;

    if (r->open == NULL || r->depth != r->open_depth) {
        return SL_OK;
    }
    sl_buf_add_str(&r->text, text);
    return !r->text.has_failed ? SL_OK
                               : SL_FAIL(e, SL_UNAVAILABLE, "a text of this XML is too long");
}

static sl_rc element_end(void *ctx, sl_str tag, struct sl_err *e)
{
    struct reading *r = ctx;

    if (r->open != NULL && r->depth == r->open_depth) {
        const sl_str kept = sl_arena_copy(r->arena, sl_str_trim(sl_buf_str(&r->text)));

        if (kept.ptr == NULL) {
            return SL_FAIL(e, SL_NOMEM, "memory for the texts of an XML document ran out");
        }
        *r->open->ret = kept;
        r->open = NULL;
    }
    r->depth--;
    r->path_len -= r->depth > 0 ? tag.len + 1 : tag.len;
    return SL_OK;
}

sl_rc sl_xml_read(sl_str text, const struct sl_xml_want *wants, unsigned n, struct sl_arena *a,
                  struct sl_err *e)
{
    static const struct sl_xml_events events = { element_begin, element_text, element_end };
    struct reading r = { .wants = wants, .n = n, .arena = a };
    sl_rc rc;

    sl_buf_init(&r.text, SL_XML_TEXT_MAX);
    rc = sl_xml_tell(text, &events, &r, e);
    sl_buf_done(&r.text);
    return rc;
}
