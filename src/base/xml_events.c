/* base/xml_events.c - an XML document from its first tag to its last. */
#include "base/xml_events.h"

#include <expat.h>
#include <stdlib.h>

enum {
    PIECE_BYTES = 256 << 10,
};

struct telling {
    XML_Parser expat;
    const struct sl_xml_events *events;
    void *ctx;
    sl_rc rc; /* of the event that ended it */
    struct sl_err *e;
};

/* ---- expat's memory: it copies what it reads, so what it frees is wiped ------------------------ */

/* In front of the memory that is given out. */
struct block {
    _Alignas(max_align_t) size_t bytes;
};

static void *memory_new(size_t n)
{
    struct block *block = n > SIZE_MAX - sizeof *block ? NULL : malloc(sizeof(struct block) + n);

    if (block == NULL) {
        return NULL;
    }
    block->bytes = n;
    return block + 1;
}

static struct block *block_of(void *memory)
{
    return (struct block *)memory - 1;
}

static void memory_free(void *memory)
{
    if (memory != NULL) {
        explicit_bzero(memory, block_of(memory)->bytes);
        free(block_of(memory));
    }
}

static void *memory_resize(void *memory, size_t n)
{
    void *larger = memory_new(n);

    if (memory != NULL && larger != NULL) {
        const size_t had = block_of(memory)->bytes;

        memcpy(larger, memory, had < n ? had : n);
        memory_free(memory);
    }
    return larger;
}

/* ---- what expat tells -------------------------------------------------------------------------- */

/* expat ends an empty element after it was told to stop. */
static void go_on(struct telling *t, sl_rc rc)
{
    if (rc != SL_OK) {
        t->rc = rc;
        (void)XML_StopParser(t->expat, XML_FALSE);
    }
}

static void XMLCALL on_begin(void *ctx, const XML_Char *tag, const XML_Char **attributes)
{
    struct telling *t = ctx;

    (void)attributes;
    if (t->rc == SL_OK) {
        go_on(t, t->events->begin(t->ctx, sl_str_of(tag), t->e));
    }
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int n)
{
    struct telling *t = ctx;

    if (t->rc == SL_OK) {
        go_on(t, t->events->text(t->ctx, (sl_str){ text, (size_t)n }, t->e));
    }
}

static void XMLCALL on_end(void *ctx, const XML_Char *tag)
{
    struct telling *t = ctx;

    if (t->rc == SL_OK) {
        go_on(t, t->events->end(t->ctx, sl_str_of(tag), t->e));
    }
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_subset)
{
    struct telling *t = ctx;

    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_subset;
    go_on(t, SL_FAIL(t->e, SL_UNAVAILABLE, "this XML has a DOCTYPE"));
}

/* In pieces: expat copies each, and so holds no more than one or two. */
static bool feed(struct telling *t, sl_str text)
{
    enum XML_Status status = XML_STATUS_OK;
    size_t at = 0;

    do {
        const size_t n = text.len - at < PIECE_BYTES ? text.len - at : PIECE_BYTES;

        status = XML_Parse(t->expat, text.len > 0 ? text.ptr + at : "", (int)n, at + n == text.len);
        at += n;
    } while (status == XML_STATUS_OK && at < text.len);
    return status == XML_STATUS_OK;
}

sl_rc sl_xml_tell(sl_str text, const struct sl_xml_events *events, void *ctx, struct sl_err *e)
{
    static const XML_Memory_Handling_Suite memory = { memory_new, memory_resize, memory_free };
    struct telling t = { .events = events, .ctx = ctx, .e = e };
    bool has_memory = true;
    bool is_good;

    t.expat = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (t.expat == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for reading XML ran out");
    }
    XML_SetUserData(t.expat, &t);
    XML_SetElementHandler(t.expat, on_begin, on_end);
    XML_SetCharacterDataHandler(t.expat, on_text);
    XML_SetStartDoctypeDeclHandler(t.expat, on_doctype);
    is_good = feed(&t, text);
    has_memory = is_good || XML_GetErrorCode(t.expat) != XML_ERROR_NO_MEMORY;
    XML_ParserFree(t.expat);
    if (t.rc != SL_OK) {
        return t.rc;
    }
    if (!has_memory) {
        return SL_FAIL(e, SL_NOMEM, "memory for reading %zu bytes of XML ran out", text.len);
    }
    return is_good ? SL_OK : SL_FAIL(e, SL_UNAVAILABLE, "this is not well-formed XML");
}
