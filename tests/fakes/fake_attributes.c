/* tests/fakes/fake_attributes.c - message attributes: read, digested, given back. */
#include <stdlib.h>

#include "base/base64.h"
#include "fake_action.h"

enum {
    ATTRIBUTES_MAX = 10,      /* a message, SQS limit */
    EXTRA_BYTES = 4 << 20,    /* of attributes of a message */
    EXTRA_BLOCK_BYTES = 1024, /* most have few and short ones */
};

static bool type_is(sl_str type, sl_str base)
{
    return sl_str_starts(type, base) && (type.len == base.len || type.ptr[base.len] == '.');
}

static int attribute_order(const void *a, const void *b)
{
    return sl_str_cmp(((const struct fake_attribute *)a)->name,
                      ((const struct fake_attribute *)b)->name);
}

static enum fake_error attribute_read(struct fake_extra *extra, const struct sl_json *j)
{
    struct fake_attribute *a = &extra->attributes[extra->attributes_n];
    const sl_str type = fake_text_of(j, "DataType");
    const bool is_binary = type_is(type, SL_STR("Binary"));
    const sl_str value = fake_text_of(j, is_binary ? "BinaryValue" : "StringValue");

    if (value.len == 0 ||
        !(is_binary || type_is(type, SL_STR("String")) || type_is(type, SL_STR("Number")))) {
        return FAKE_ERROR_BAD_VALUE;
    }
    *a = (struct fake_attribute){
        .name = sl_arena_copy(&extra->arena, sl_cleartext_publish(j->name)),
        .type = sl_arena_copy(&extra->arena, type),
        .value = sl_arena_copy(&extra->arena, value),
        .is_binary = is_binary,
    };
    extra->attributes_n++;
    return FAKE_OK;
}

enum fake_error fake_extra_read(const struct sl_json *entry, struct fake_extra **ret_extra)
{
    const struct sl_json *all = sl_json_member(entry, SL_STR("MessageAttributes"));
    const struct sl_json *system = sl_json_member(entry, SL_STR("MessageSystemAttributes"));
    const sl_str group = fake_text_of(entry, "MessageGroupId");
    struct fake_extra *extra;
    enum fake_error error = FAKE_OK;

    if (all != NULL && all->n > ATTRIBUTES_MAX) {
        return FAKE_ERROR_BAD_VALUE;
    }
    if ((all == NULL || all->n == 0) && system == NULL && group.len == 0) {
        return FAKE_OK;
    }
    extra = fake_alloc(1, sizeof *extra);
    sl_arena_init(&extra->arena, EXTRA_BYTES, EXTRA_BLOCK_BYTES);
    extra->attributes = sl_arena_calloc(&extra->arena, ATTRIBUTES_MAX, sizeof *extra->attributes);
    extra->group_id = sl_arena_copy(&extra->arena, group);
    extra->dedup_id = sl_arena_copy(&extra->arena, fake_text_of(entry, "MessageDeduplicationId"));
    extra->trace =
        sl_arena_copy(&extra->arena, fake_text_of(sl_json_member(system, SL_STR("AWSTraceHeader")),
                                                  "StringValue"));
    for (const struct sl_json *j = all != NULL ? all->child : NULL; j != NULL && error == FAKE_OK;
         j = j->next) {
        error = attribute_read(extra, j);
    }
    if (error != FAKE_OK) {
        fake_extra_free(extra);
        return error;
    }
    qsort(extra->attributes, extra->attributes_n, sizeof *extra->attributes, attribute_order);
    *ret_extra = extra;
    return FAKE_OK;
}

static void digest_part(EVP_MD_CTX *md5, const void *bytes, size_t n)
{
    const uint32_t wire = __builtin_bswap32((uint32_t)n);

    (void)EVP_DigestUpdate(md5, &wire, sizeof wire);
    (void)EVP_DigestUpdate(md5, bytes, n);
}

/* Source: "Calculating the MD5 message digest for message attributes", SQS developer guide */
static void attributes_md5(struct fake_store *s, const struct fake_attribute *const *list,
                           unsigned n, unsigned char out[static FAKE_MD5_BYTES])
{
    (void)EVP_DigestInit_ex2(s->md5_ctx, s->md5, NULL);
    for (unsigned i = 0; i < n; i++) {
        const struct fake_attribute *a = list[i];
        char *bytes = a->is_binary ? fake_alloc(a->value.len, 1) : NULL;
        size_t bytes_n = 0;

        digest_part(s->md5_ctx, a->name.ptr, a->name.len);
        digest_part(s->md5_ctx, a->type.ptr, a->type.len);
        (void)EVP_DigestUpdate(s->md5_ctx, a->is_binary ? "\2" : "\1", 1);
        if (a->is_binary) {
            (void)sl_base64_decode(SL_BASE64, a->value, bytes, a->value.len, &bytes_n);
            digest_part(s->md5_ctx, bytes, bytes_n);
        } else {
            digest_part(s->md5_ctx, a->value.ptr, a->value.len);
        }
        free(bytes);
    }
    (void)EVP_DigestFinal_ex(s->md5_ctx, out, NULL);
}

static void attributes_md5_write(struct fake_store *s, const struct fake_attribute *const *list,
                                 unsigned n, struct sl_buf *out)
{
    unsigned char md5[FAKE_MD5_BYTES];

    attributes_md5(s, list, n, md5);
    sl_buf_add_str(out, SL_STR(",\"MD5OfMessageAttributes\":\""));
    fake_write_md5(out, md5);
    sl_buf_add_char(out, '"');
}

/* "All", ".*", a name, or "prefix.*" */
static bool attribute_is_wanted(const struct sl_json *wanted, sl_str name)
{
    const struct sl_json *j =
        wanted != NULL && wanted->type == SL_JSON_ARRAY ? wanted->child : NULL;

    for (; j != NULL; j = j->next) {
        sl_str w = sl_cleartext_publish(j->text);

        if (sl_str_eq(w, SL_STR("All")) || sl_str_eq(w, name)) {
            return true;
        }
        if (w.len >= 2 && memcmp(w.ptr + w.len - 2, ".*", 2) == 0) {
            w.len -= 2;
            if (sl_str_starts(name, w)) {
                return true;
            }
        }
    }
    return false;
}

void fake_attributes_write(struct fake_call *c, const struct fake_extra *extra, struct sl_buf *out)
{
    const struct sl_json *wanted = sl_json_member(c->request, SL_STR("MessageAttributeNames"));
    const struct fake_attribute *list[ATTRIBUTES_MAX];
    unsigned n = 0;

    for (unsigned i = 0; i < extra->attributes_n; i++) {
        if (attribute_is_wanted(wanted, extra->attributes[i].name)) {
            list[n++] = &extra->attributes[i];
        }
    }
    if (n == 0) {
        return;
    }
    sl_buf_add_str(out, SL_STR(",\"MessageAttributes\":{"));
    for (unsigned i = 0; i < n; i++) {
        sl_buf_add_str(out, i > 0 ? SL_STR(",") : SL_STR(""));
        fake_write_text(out, list[i]->name);
        sl_buf_add_str(out, SL_STR(":{\"DataType\":"));
        fake_write_text(out, list[i]->type);
        sl_buf_add_str(out, list[i]->is_binary ? SL_STR(",\"BinaryValue\":")
                                               : SL_STR(",\"StringValue\":"));
        fake_write_text(out, list[i]->value);
        sl_buf_add_char(out, '}');
    }
    sl_buf_add_char(out, '}');
    attributes_md5_write(&c->queues->store, list, n, out);
}

void fake_attributes_md5_write(struct fake_call *c, const struct fake_extra *extra,
                               struct sl_buf *out)
{
    const struct fake_attribute *list[ATTRIBUTES_MAX];

    for (unsigned i = 0; i < extra->attributes_n; i++) {
        list[i] = &extra->attributes[i];
    }
    if (extra->attributes_n > 0) {
        attributes_md5_write(&c->queues->store, list, extra->attributes_n, out);
    }
}
