/* tests/fuzz/fuzz_token.c - any bytes as tokens: nothing crashes, what opens is what masking makes
 * of the value, and a changed token of a method that notices changes does not open.
 *
 * The first byte of the input chooses what is opened, the second what the rest is: a token; a
 * value; or a place, a change and a value.
 */
#include "base/base64.h"
#include "fuzz.h"
#include "keys/keyring_build.h"
#include "masking/column_mask.h"
#include "masking/fernet.h"
#include "masking/normalize.h"

enum { HEAD_BYTES = 5, FERNET_HEAD = 1 + 8 + SL_FERNET_IV_BYTES };

#define HEX_16     "000102030405060708090a0b0c0d0e0f"
#define FERNET_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

static const struct sl_masking hows[] = {
    { .method = SL_MASK_SIV, .context = { "ip", 2 } },
    { .method = SL_MASK_SIV,
      .context = { "mail", 4 },
      .normalize = { "ip, lower, trim, nfc", 20 } },
    { .method = SL_MASK_HMAC, .context = { "ip", 2 } },
    { .method = SL_MASK_IP, .context = { "ip", 2 }, .kid = { "k2", 2 }, .ip = SL_IP_DETERMINISTIC },
    { .method = SL_MASK_IP, .context = { "ip", 2 }, .kid = { "k2", 2 }, .ip = SL_IP_PREFIX },
    { .method = SL_MASK_FPE,
      .context = { "id", 2 },
      .kid = { "k2", 2 },
      .format = { "ddd-dd-dddd", 11 } },
    { .method = SL_MASK_FPE, .context = { "id", 2 }, .kid = { "k2", 2 }, .alphabet = { "ab0", 3 } },
    { .method = SL_MASK_KEEP, .keep = { "/24 /48", 7 } },
    { .method = SL_MASK_KEEP, .keep = { "domain", 6 } },
    { .method = SL_MASK_KEEP, .keep = { "year", 4 } },
    { .method = SL_MASK_KEEP, .keep = { "last 4", 6 } },
    { .method = SL_MASK_FERNET, .key = { FERNET_KEY, sizeof FERNET_KEY - 1 } },
    { .method = SL_MASK_AES_CBC, .key = { HEX_16 HEX_16, 64 }, .iv = { HEX_16, 32 } },
    { .method = SL_MASK_SHA256 },
    { .method = SL_MASK_BASE64 },
};

enum { COLUMNS = sizeof hows / sizeof hows[0], BODY = COLUMNS, ORIGINAL, TARGETS };

static struct world {
    struct sl_keyring *ring;
    struct sl_masker *masker;
    struct sl_column_mask *columns[COLUMNS];
    struct sl_fernet *fernet;
    struct sl_arena arena;
} * world;

/* ---- making ----------------------------------------------------------------------------------- */

static struct sl_keyring *ring_new(void)
{
    static const enum sl_key_state states[] = { SL_KEY_DECRYPT, SL_KEY_ACTIVE, SL_KEY_RETIRED };

    unsigned char master[SL_KEY_BYTES];
    struct sl_keyring *ring = NULL;

    must(sl_keyring_new(&ring, NULL) == SL_OK, "a ring");
    for (unsigned i = 0; i < 3; i++) {
        const char id[] = { 'k', (char)('1' + i) };

        memset(master, (int)i + 1, sizeof master);
        must(sl_keyring_add(ring, (sl_str){ id, 2 }, states[i], master, NULL) == SL_OK, "a key");
    }
    must(sl_keyring_add_destroyed(ring, SL_STR("k4"), SL_STR("0123abcd"), NULL) == SL_OK, "a key");
    must(sl_keyring_finish(ring, NULL) == SL_OK, "a ring");
    return ring;
}

static struct world *world_new(void)
{
    unsigned char key[SL_FERNET_KEY_BYTES];
    struct world *w = calloc(1, sizeof *w);

    must(w != NULL, "memory");
    w->ring = ring_new();
    must(sl_masker_new(w->ring, &w->masker, NULL) == SL_OK, "a masker");
    for (unsigned i = 0; i < COLUMNS; i++) {
        must(sl_column_mask_new(&hows[i], w->ring, w->masker, &w->columns[i], NULL) == SL_OK,
             "a column");
    }
    must(sl_fernet_key(SL_STR(FERNET_KEY), key, NULL) == SL_OK &&
             sl_fernet_new(key, &w->fernet, NULL) == SL_OK,
         "fernet");
    sl_arena_init(&w->arena, 64 << 20, 64 << 10);
    return w;
}

/* ---- the targets as one ------------------------------------------------------------------------ */

static bool target_is_sealed(unsigned target)
{
    return target >= COLUMNS || (sl_mask_flags(hows[target].method) & SL_MASK_SEALED) != 0;
}

static sl_rc target_open(struct world *w, unsigned target, sl_str token, sl_cleartext *ret,
                         struct sl_err *e)
{
    switch (target) {
    case BODY:
        return sl_open_body(w->masker, SL_STR("id-1"), token, &w->arena, ret, e);
    case ORIGINAL:
        return sl_open_original(w->masker, SL_STR("h1.k1.AAAA"), token, &w->arena, ret, e);
    default:
        return sl_column_unmask(w->columns[target], token, &w->arena, ret, e);
    }
}

static sl_rc target_mask(struct world *w, unsigned target, sl_cleartext value, sl_str *ret,
                         struct sl_err *e)
{
    switch (target) {
    case BODY:
        return sl_seal_body(w->masker, SL_STR("id-1"), value, &w->arena, ret, e);
    case ORIGINAL:
        return sl_seal_original(w->masker, SL_STR("h1.k1.AAAA"), value, &w->arena, ret, e);
    default:
        return sl_column_mask_value(w->columns[target], value, &w->arena, ret, e);
    }
}

/* ---- what must hold ---------------------------------------------------------------------------- */

/* Of an address, its one spelling; of base64, without line ends; of others, as it is. */
static sl_str canonical(struct world *w, unsigned target, sl_str token)
{
    const enum sl_mask method = target < COLUMNS ? hows[target].method : SL_MASK_NONE;
    unsigned char address[16];
    char text[46];
    sl_str copy = sl_arena_copy(&w->arena, token);
    char *out = (char *)(uintptr_t)copy.ptr;
    size_t n = 0;

    must(out != NULL, "memory");
    if (method == SL_MASK_IP && token.len > 0) {
        const unsigned bytes = sl_normalize_address(sl_cleartext_of(token), address);

        must(bytes > 0, "what opened is no address");
        n = sl_normalize_address_text(address, bytes, text);
        return sl_arena_copy(&w->arena, (sl_str){ text, n });
    }
    if (method == SL_MASK_AES_CBC || method == SL_MASK_BASE64) {
        for (size_t i = 0; i < token.len; i++) {
            if (token.ptr[i] != '\n' && token.ptr[i] != '\r') {
                out[n++] = token.ptr[i];
            }
        }
        return (sl_str){ out, n };
    }
    return copy;
}

/* Time and IV stand in the token: with them it is made again. */
static sl_str fernet_again(struct world *w, sl_str token, sl_cleartext value)
{
    unsigned char *raw = sl_arena_alloc(&w->arena, token.len);
    char *text = sl_arena_alloc(&w->arena, token.len);
    sl_str again = { 0 };
    int64_t at_s = 0;
    size_t n = 0;

    must(raw != NULL && text != NULL, "memory");
    for (size_t i = 0; i < token.len; i++) {
        text[i] = token.ptr[i] == '-' ? '+' : token.ptr[i] == '_' ? '/' : token.ptr[i];
    }
    must(sl_base64_decode(SL_BASE64, (sl_str){ text, token.len }, raw, token.len, &n) &&
             n > FERNET_HEAD,
         "what opened is no base64url");
    for (unsigned i = 1; i <= 8; i++) {
        at_s = (int64_t)((uint64_t)at_s << 8 | raw[i]);
    }
    must(sl_fernet_seal(w->fernet, value, at_s, raw + 9, &w->arena, &again, NULL) == SL_OK,
         "what opened cannot be sealed");
    return again;
}

static sl_str mask_again(struct world *w, unsigned target, sl_str token, sl_cleartext value)
{
    const bool is_siv = target < COLUMNS && hows[target].method == SL_MASK_SIV;
    const struct sl_key *key;
    sl_str again = { 0 };
    sl_str kid = { 0 };

    if (token.len > 0 && target < COLUMNS && hows[target].method == SL_MASK_FERNET) {
        return fernet_again(w, token, value);
    }
    if (is_siv && token.len > 0) {
        must(sl_sealed_kid(token, &kid), "what opened names no key");
        key = sl_keyring_find(w->ring, kid);
        must(key != NULL && sl_mask_siv_under(w->masker, key, hows[target].context, value,
                                              &w->arena, &again, NULL) == SL_OK,
             "what opened cannot be masked");
        return again;
    }
    if (target >= COLUMNS) {
        must(sl_sealed_kid(token, &kid), "what opened names no key");
        if (!sl_str_eq(kid, SL_STR("k2"))) {
            return token; /* bodies are sealed under the active key only */
        }
    }
    must(target_mask(w, target, value, &again, NULL) == SL_OK, "what opened cannot be masked");
    return again;
}

/* Returns: whether it opened. */
static bool open_any(struct world *w, unsigned target, sl_str token, sl_cleartext *ret)
{
    const sl_cleartext before = { "untouched", 9 };
    sl_cleartext value = before;
    struct sl_err e = { 0 };
    const sl_rc rc = target_open(w, target, token, &value, &e);

    if (rc != SL_OK) {
        must(rc == SL_VALUE && value.secret == before.secret, "a refusal of another kind");
        must(e.msg[0] != '\0' && strlen(e.msg) < 200, "a refusal without a text");
        return false;
    }
    must(sl_str_eq(mask_again(w, target, token, value), canonical(w, target, token)),
         "what opened is not what masking makes");
    *ret = value;
    return true;
}

static void check_tokens(struct world *w, unsigned target, sl_cleartext value, sl_str masked)
{
    sl_str tokens[SL_KEYRING_MAX];
    bool is_there = false;
    unsigned n = 0;

    if (target >= COLUMNS || (sl_mask_flags(hows[target].method) & SL_MASK_JOINS) == 0) {
        return;
    }
    if (masked.len == 0) {
        must(sl_column_mask_tokens(w->columns[target], value, &w->arena, tokens, &n, NULL) ==
                 SL_VALUE,
             "a token of nothing");
        return;
    }
    must(sl_column_mask_tokens(w->columns[target], value, &w->arena, tokens, &n, NULL) == SL_OK,
         "no tokens of a value that can be masked");
    for (unsigned i = 0; i < n; i++) {
        is_there = is_there || sl_str_eq(tokens[i], masked);
    }
    must(is_there, "the tokens of a value are without the one that stands in the table");
}

static bool has_normalization(unsigned target)
{
    return target < COLUMNS && hows[target].normalize.len > 0;
}

static void mask_any(struct world *w, unsigned target, sl_str value)
{
    sl_str masked = { 0 };
    sl_str again = { 0 };
    sl_cleartext back = { 0 };
    struct sl_err e = { 0 };
    const sl_rc rc = target_mask(w, target, sl_cleartext_of(value), &masked, &e);

    if (rc != SL_OK) {
        must(rc == SL_VALUE && e.msg[0] != '\0', "a refusal of another kind");
        return;
    }
    check_tokens(w, target, sl_cleartext_of(value), masked);
    if (target < COLUMNS && (sl_mask_flags(hows[target].method) & SL_MASK_REVERSIBLE) == 0) {
        must(!open_any(w, target, masked, &back) || masked.len == 0, "what nobody can recover");
        return;
    }
    must(open_any(w, target, masked, &back), "a token that does not open");
    if (target < COLUMNS && hows[target].method == SL_MASK_IP) {
        must(target_mask(w, target, back, &again, NULL) == SL_OK && sl_str_eq(again, masked),
             "an address that came back as another one");
    } else if (has_normalization(target)) {
        must(target_mask(w, target, back, &again, NULL) == SL_OK && sl_str_eq(again, masked),
             "normalized twice is not normalized once");
    } else {
        must(sl_str_eq((sl_str){ back.secret, back.len }, value), "another value came back");
    }
}

static void change_any(struct world *w, unsigned target, const uint8_t head[static HEAD_BYTES],
                       sl_str value)
{
    sl_str masked = { 0 };
    sl_cleartext back = { 0 };
    char *changed;

    if (target_mask(w, target, sl_cleartext_of(value), &masked, NULL) != SL_OK || masked.len == 0 ||
        head[4] == 0) {
        return;
    }
    masked = sl_arena_copy(&w->arena, masked);
    changed = (char *)(uintptr_t)masked.ptr;
    changed[((size_t)head[2] << 8 | head[3]) % masked.len] ^= (char)head[4];
    must(!open_any(w, target, masked, &back) || !target_is_sealed(target),
         "a changed token opened");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    unsigned target;
    sl_cleartext back;

    if (n < HEAD_BYTES) {
        return 0;
    }
    if (world == NULL) {
        world = world_new();
    }
    target = data[0] % TARGETS;
    switch (data[1] % 3) {
    case 0:
        (void)open_any(world, target, (sl_str){ (const char *)data + 2, n - 2 }, &back);
        break;
    case 1:
        mask_any(world, target, (sl_str){ (const char *)data + 2, n - 2 });
        break;
    default:
        change_any(world, target, data,
                   (sl_str){ (const char *)data + HEAD_BYTES, n - HEAD_BYTES });
        break;
    }
    sl_arena_reset(&world->arena);
    return 0;
}
