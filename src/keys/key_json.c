/* keys/key_json.c - a key ring as JSON. */
#include "keys/key_json.h"

#include <openssl/crypto.h>

#include "base/json.h"
#include "keys/key_line.h"
#include "keys/keyring_build.h"

enum { ARENA_MAX = 8 << 20 }; /* a tree of 64 KiB of brackets is far larger than its text */

static const char form[] =
    "it must be {\"active\": ID, \"keys\": {ID: KEY, ...}} and have nothing else";

bool sl_key_json_is(sl_str text)
{
    text = sl_str_trim(text);
    return text.len > 0 && text.ptr[0] == '{';
}

/* The words of a key file: ids are compared, a key goes into the ring and nowhere else. */
static sl_str json_word(const struct sl_json *j)
{
    return sl_cleartext_publish(j->text);
}

static sl_rc json_key(const struct sl_json *member, sl_str active, struct sl_keyring *ring,
                      struct sl_err *e)
{
    const sl_str id = sl_cleartext_publish(member->name);
    const enum sl_key_state state = sl_str_eq(id, active) ? SL_KEY_ACTIVE : SL_KEY_DECRYPT;
    unsigned char master[SL_KEY_BYTES];
    sl_rc rc;

    if (member->type != SL_JSON_STRING) {
        return SL_FAIL(e, SL_KEY, "a key must be a string");
    }
    rc = sl_key_decode(json_word(member), master, e);
    if (rc == SL_OK) {
        rc = sl_keyring_add(ring, id, state, master, e);
    }
    OPENSSL_cleanse(master, sizeof master);
    return rc;
}

static sl_rc json_keys(const struct sl_json *root, struct sl_keyring *ring, struct sl_err *e)
{
    const struct sl_json *active = sl_json_member(root, SL_STR("active"));
    const struct sl_json *keys = sl_json_member(root, SL_STR("keys"));
    struct sl_err why = { 0 };
    unsigned number = 0;

    if (active == NULL || active->type != SL_JSON_STRING || keys == NULL ||
        keys->type != SL_JSON_OBJECT || root->n != 2) {
        return SL_FAIL(e, SL_KEY, "%s", form);
    }
    for (const struct sl_json *key = keys->child; key != NULL; key = key->next) {
        const sl_rc rc = json_key(key, json_word(active), ring, &why);

        number++;
        if (rc != SL_OK) {
            return SL_FAIL(e, rc, "key number %u: %s", number, why.msg);
        }
    }
    if (sl_keyring_find(ring, json_word(active)) == NULL) {
        return SL_FAIL(e, SL_KEY, "\"active\" must be the id of one of the keys");
    }
    return SL_OK;
}

static sl_rc json_fault(enum sl_json_fault fault, struct sl_err *e)
{
    switch (fault) {
    case SL_JSON_OK:
        return SL_OK;
    case SL_JSON_DUPLICATE_KEY:
        return SL_FAIL(e, SL_KEY, "a name is there twice");
    case SL_JSON_NOT_UTF8:
        return SL_FAIL(e, SL_KEY, "it is not UTF-8");
    default:
        return SL_FAIL(e, SL_KEY, "it begins with '{' and is not JSON; %s", form);
    }
}

static sl_rc json_parse(sl_str text, struct sl_arena *a, struct sl_keyring *ring, struct sl_err *e)
{
    SL_AUTO(sl_json_parser_freep) struct sl_json_parser *parser = NULL;
    enum sl_json_fault fault = SL_JSON_OK;
    const struct sl_json *root = NULL;
    char *copy = sl_arena_calloc(a, 1, text.len + SL_JSON_PADDING);

    if (copy == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not copy the keys");
    }
    memcpy(copy, text.ptr, text.len);
    SL_TRY(sl_json_parser_new(text.len, &parser, e));
    SL_TRY(sl_json_parse(parser, sl_cleartext_of((sl_str){ copy, text.len }), a, &root, &fault, e));
    SL_TRY(json_fault(fault, e));
    return json_keys(root, ring, e);
}

sl_rc sl_key_json_read(sl_str text, struct sl_keyring *ring, struct sl_err *e)
{
    struct sl_arena a;
    sl_rc rc;

    sl_arena_init(&a, ARENA_MAX, 16 << 10);
    rc = json_parse(text, &a, ring, e);
    sl_arena_done(&a); /* wipes: every key stood in it */
    return rc;
}
