/* base/xml.c - the texts of a few elements of an XML document. */
#include "base/xml.h"

#include <expat.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/buf.h"

struct reading {
    XML_Parser parser;
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
    bool is_out_of_memory;
};

/* ---- memory that is wiped: documents have secrets ---------------------------------------------- */

static void *memory_new(size_t n)
{
    return malloc(n);
}

static void memory_free(void *p)
{
    if (p != NULL) {
        explicit_bzero(p, malloc_usable_size(p));
    }
    free(p);
}

static void *memory_resize(void *p, size_t n)
{
    const size_t had = p == NULL ? 0 : malloc_usable_size(p);
    void *bigger = malloc(n);

    if (bigger != NULL && p != NULL) {
        memcpy(bigger, p, had < n ? had : n);
        memory_free(p);
    }
    return bigger;
}

/* ---- what expat finds -------------------------------------------------------------------------- */

static void give_up(struct reading *r)
{
    (void)XML_StopParser(r->parser, XML_FALSE);
}

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

static void XMLCALL element_begin(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = ctx;
    const size_t n = strlen(name);

    (void)attributes;
    if (r->depth == SL_XML_DEPTH || r->path_len + n + 1 >= sizeof r->path) {
        give_up(r);
        return;
    }
    if (r->depth > 0) {
        r->path[r->path_len++] = '/';
    }
    memcpy(r->path + r->path_len, name, n);
    r->path_len += n;
    r->depth++;
    if (r->open == NULL) {
        r->open = want_find(r);
        r->open_depth = r->depth;
        sl_buf_reset(&r->text);
    }
}

static void XMLCALL element_text(void *ctx, const XML_Char *bytes, int n)
{
    struct reading *r = ctx;

    if (r->open == NULL || r->depth != r->open_depth) {
        return;
    }
    sl_buf_add(&r->text, bytes, (size_t)n);
    if (r->text.has_failed) {
        give_up(r);
    }
}

static void XMLCALL element_end(void *ctx, const XML_Char *name)
{
    struct reading *r = ctx;
    const size_t n = strlen(name);

    if (r->open != NULL && r->depth == r->open_depth) {
        const sl_str kept = sl_arena_copy(r->arena, sl_str_trim(sl_buf_str(&r->text)));

        if (kept.ptr == NULL) {
            r->is_out_of_memory = true;
            give_up(r);
            return;
        }
        *r->open->ret = kept;
        r->open = NULL;
    }
    r->depth--;
    r->path_len -= r->depth > 0 ? n + 1 : n;
}

static void XMLCALL doctype_begin(void *ctx, const XML_Char *name, const XML_Char *system_id,
                                  const XML_Char *public_id, int has_internal)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal;
    give_up(ctx);
}

sl_rc sl_xml_read(sl_str text, const struct sl_xml_want *wants, unsigned n, struct sl_arena *a,
                  struct sl_err *e)
{
    static const XML_Memory_Handling_Suite memory = { memory_new, memory_resize, memory_free };
    struct reading r = { .wants = wants, .n = n, .arena = a };
    enum XML_Status status;

    r.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (r.parser == NULL || n > 64 || text.len > INT_MAX) {
        XML_ParserFree(r.parser);
        return SL_FAIL(e, SL_NOMEM, "could not read an XML document");
    }
    sl_buf_init(&r.text, SL_XML_TEXT_MAX);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, element_begin, element_end);
    XML_SetCharacterDataHandler(r.parser, element_text);
    XML_SetStartDoctypeDeclHandler(r.parser, doctype_begin);
    status = XML_Parse(r.parser, text.ptr != NULL ? text.ptr : "", (int)text.len, XML_TRUE);
    XML_ParserFree(r.parser);
    sl_buf_done(&r.text);
    if (r.is_out_of_memory) {
        return SL_FAIL(e, SL_NOMEM, "memory for the texts of an XML document ran out");
    }
    return status == XML_STATUS_OK
               ? SL_OK
               : SL_FAIL(e, SL_UNAVAILABLE, "this is no XML, or none that is read here");
}
