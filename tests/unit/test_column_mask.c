/* tests/unit/test_column_mask.c - what every method of the table must do, and what none may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "keys/keyring_build.h"
#include "masking/column_mask.h"

enum { VALUES = 400, VALUE_ROOM = 200, RAW_ROOM = 512 };

#define HEX_KEY    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define HEX_IV     "f0e1d2c3b4a5968778695a4b3c2d1e0f"
#define FERNET_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

/* ---- the methods as the table has them --------------------------------------------------------- */

enum option {
    CONTEXT = 1 << 0,
    NORMALIZE = 1 << 1,
    KID = 1 << 2,
    IP = 1 << 3,
    ALPHABET = 1 << 4,
    FORMAT = 1 << 5,
    KEEP = 1 << 6,
    VALUE = 1 << 7,
    KEY = 1 << 8,
    IV = 1 << 9,
};

static const struct {
    enum sl_mask method;
    unsigned options;
} table[] = {

#define X(name, word, flags, options, ...) { SL_MASK_##name, options },
#include "masking/methods.def"
#undef X
};

enum { TABLE_N = sizeof table / sizeof table[0] };

static bool takes(enum sl_mask method, enum option option)
{
    for (unsigned i = 0; i < TABLE_N; i++) {
        if (table[i].method == method) {
            return (table[i].options & option) != 0;
        }
    }
    fail_msg("no such method");
    return false;
}

static bool has(enum sl_mask method, unsigned flag)
{
    return (sl_mask_flags(method) & flag) != 0;
}

/* ---- values, the same in every run --------------------------------------------------------------- */

static uint32_t noise(uint32_t n)
{
    n = (n ^ 61) ^ (n >> 16);
    n *= 9;
    n ^= n >> 4;
    n *= 0x27d4eb2d;
    return n ^ (n >> 15);
}

/* Any bytes but the first: a text that is all of one kind would be another's form. */
static size_t any_bytes(unsigned i, char *out)
{
    const size_t n = 1 + noise(i) % SL_MASK_VALUE_MAX;

    for (size_t k = 0; k < n; k++) {
        out[k] = (char)noise((uint32_t)(i * 1000 + k));
    }
    out[0] = '#';
    return n;
}

/* None ends in 0: of the address of a network, that network is all there is. */
static size_t ipv4(unsigned i, char *out)
{
    const uint32_t r = noise(i);

    return (size_t)snprintf(out, VALUE_ROOM, "%u.%u.%u.%u", 1 + r % 223, r >> 8 & 255,
                            r >> 16 & 255, 1 + (r >> 24) % 254);
}

static size_t ipv6(unsigned i, char *out)
{
    return (size_t)snprintf(out, VALUE_ROOM, "2001:db8:%x:%x::%x", 1 + noise(i) % 65535,
                            1 + noise(i + 1) % 65535, 1 + noise(i + 2) % 65535);
}

static size_t device(unsigned i, char *out)
{
    return (size_t)snprintf(out, VALUE_ROOM, "%03u-%02u-%04u", noise(i) % 1000, noise(i + 1) % 100,
                            noise(i + 2) % 10000);
}

static size_t letters(unsigned i, char *out)
{
    const size_t n = 20 + noise(i) % 40;

    for (size_t k = 0; k < n; k++) {
        out[k] = "xyz"[noise((uint32_t)(i * 100 + k)) % 3];
    }
    return n;
}

static size_t mail(unsigned i, char *out)
{
    return (size_t)snprintf(out, VALUE_ROOM, "person%u@mail%u.example", noise(i), i);
}

static size_t date(unsigned i, char *out)
{
    return (size_t)snprintf(out, VALUE_ROOM, "%u-%02u-%02u", 1900 + i % 200, 1 + i % 12,
                            1 + i % 28);
}

struct kind {
    const char *name;
    struct sl_masking how;
    size_t (*value)(unsigned i, char *out); /* always fits the method */
};

static const struct kind kinds[] = {
    { "siv", { .method = SL_MASK_SIV, .context = { "ip", 2 } }, any_bytes },
    { "hmac", { .method = SL_MASK_HMAC, .context = { "ip", 2 } }, any_bytes },
    { "ip, IPv4", { .method = SL_MASK_IP, .context = { "ip", 2 }, .kid = { "k1", 2 } }, ipv4 },
    { "ip, IPv6", { .method = SL_MASK_IP, .context = { "ip", 2 }, .kid = { "k1", 2 } }, ipv6 },
    { "ip: prefix, IPv4",
      { .method = SL_MASK_IP, .context = { "ip", 2 }, .kid = { "k1", 2 }, .ip = SL_IP_PREFIX },
      ipv4 },
    { "ip: prefix, IPv6",
      { .method = SL_MASK_IP, .context = { "ip", 2 }, .kid = { "k1", 2 }, .ip = SL_IP_PREFIX },
      ipv6 },
    { "fpe, format",
      { .method = SL_MASK_FPE,
        .context = { "ip", 2 },
        .kid = { "k1", 2 },
        .format = { "ddd-dd-dddd", 11 } },
      device },
    { "fpe, alphabet",
      { .method = SL_MASK_FPE,
        .context = { "ip", 2 },
        .kid = { "k1", 2 },
        .alphabet = { "xyz", 3 } },
      letters },
    { "keep first", { .method = SL_MASK_KEEP, .keep = { "first 3", 7 } }, device },
    { "keep last", { .method = SL_MASK_KEEP, .keep = { "last 4", 6 } }, device },
    { "keep network", { .method = SL_MASK_KEEP, .keep = { "/24", 3 } }, ipv4 },
    { "keep network 6", { .method = SL_MASK_KEEP, .keep = { "/48", 3 } }, ipv6 },
    { "keep domain", { .method = SL_MASK_KEEP, .keep = { "domain", 6 } }, mail },
    { "keep year", { .method = SL_MASK_KEEP, .keep = { "year", 4 } }, date },
    { "null", { .method = SL_MASK_DROP }, any_bytes },
    { "fixed", { .method = SL_MASK_FIXED, .value = { "on file", 7 } }, any_bytes },
    { "fernet",
      { .method = SL_MASK_FERNET, .key = { FERNET_KEY, sizeof FERNET_KEY - 1 } },
      any_bytes },
    { "aes-cbc",
      { .method = SL_MASK_AES_CBC,
        .key = { HEX_KEY, sizeof HEX_KEY - 1 },
        .iv = { HEX_IV, sizeof HEX_IV - 1 } },
      any_bytes },
    { "sha256", { .method = SL_MASK_SHA256 }, any_bytes },
    { "base64", { .method = SL_MASK_BASE64 }, any_bytes },
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- rings and columns ---------------------------------------------------------------------------- */

struct ring_key {
    const char *id;
    enum sl_key_state state;
    bool is_destroyed;
};

static struct sl_keyring *ring_of(const struct ring_key *keys, unsigned n)
{
    unsigned char master[SL_KEY_BYTES];
    struct sl_keyring *ring = NULL;

    assert_int_equal(sl_keyring_new(&ring, NULL), SL_OK);
    for (unsigned i = 0; i < n; i++) {
        const sl_str id = sl_str_of(keys[i].id);

        for (unsigned k = 0; k < sizeof master; k++) {
            master[k] = (unsigned char)(k + 100U * (unsigned)(keys[i].id[1] - '1'));
        }
        assert_int_equal(keys[i].is_destroyed
                             ? sl_keyring_add_destroyed(ring, id, SL_STR("0123abcd"), NULL)
                             : sl_keyring_add(ring, id, keys[i].state, master, NULL),
                         SL_OK);
    }
    assert_int_equal(sl_keyring_finish(ring, NULL), SL_OK);
    return ring;
}

#define RING(...)                                 \
    ring_of((const struct ring_key[])__VA_ARGS__, \
            sizeof((const struct ring_key[])__VA_ARGS__) / sizeof(struct ring_key))

struct world {
    struct sl_keyring *ring; /* k1 is active, k2 decrypts, k3 is retired, k4 destroyed */
    struct sl_masker *masker;
    struct sl_arena arena;
};

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->ring = RING({ { "k1", SL_KEY_ACTIVE, false },
                     { "k2", SL_KEY_DECRYPT, false },
                     { "k3", SL_KEY_RETIRED, false },
                     { "k4", SL_KEY_RETIRED, true } });
    assert_int_equal(sl_masker_new(w->ring, &w->masker, NULL), SL_OK);
    sl_arena_init(&w->arena, 64 << 20, 64 << 10);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    sl_masker_free(w->masker);
    sl_keyring_free(w->ring);
    sl_arena_done(&w->arena);
    free(w);
    return 0;
}

static void column_done(struct sl_column_mask **c)
{
    sl_column_mask_free(*c);
}

static struct sl_column_mask *column_of(struct world *w, const struct sl_masking *how)
{
    struct sl_column_mask *c = NULL;
    struct sl_err e = { 0 };

    if (sl_column_mask_check(how, &e) != SL_OK ||
        sl_column_mask_new(how, w->ring, w->masker, &c, &e) != SL_OK) {
        fail_msg("mask: %s: %s", sl_mask_name(how->method), e.msg);
    }
    return c;
}

static sl_cleartext value_of(const struct kind *kind, unsigned i, char room[static VALUE_ROOM])
{
    return (sl_cleartext){ room, kind->value(i, room) };
}

static sl_str mask(struct world *w, struct sl_column_mask *c, sl_cleartext value)
{
    struct sl_err e = { 0 };
    sl_str masked = SL_STR("untouched");

    if (sl_column_mask_value(c, value, &w->arena, &masked, &e) != SL_OK) {
        fail_msg("a value cannot be masked: %s", e.msg);
    }
    return masked;
}

static sl_str mask_text(struct world *w, struct sl_column_mask *c, const char *text)
{
    return mask(w, c, sl_cleartext_of(sl_str_of(text)));
}

/* An address comes back in its canonical spelling, which these are in. */
static void assert_opens(struct world *w, struct sl_column_mask *c, sl_str token, sl_cleartext want)
{
    sl_cleartext back = { 0 };
    struct sl_err e = { 0 };

    if (sl_column_unmask(c, token, &w->arena, &back, &e) != SL_OK) {
        fail_msg("a token does not open: %s", e.msg);
    }
    assert_int_equal(back.len, want.len);
    assert_memory_equal(back.secret, want.secret, want.len);
}

static void assert_refused(struct world *w, struct sl_column_mask *c, sl_str token)
{
    const sl_cleartext before = { "untouched", 9 };
    sl_cleartext back = before;
    struct sl_err e = { 0 };

    if (sl_column_unmask(c, token, &w->arena, &back, &e) != SL_VALUE) {
        fail_msg("%" SL_FMT " was not refused", SL_ARG(token));
    }
    assert_ptr_equal(back.secret, before.secret);
    assert_true(e.msg[0] != '\0');
}

static bool contains(sl_str s, sl_cleartext part)
{
    return s.len > 0 && memmem(s.ptr, s.len, part.secret, part.len) != NULL;
}

/* ---- what every method must do ----------------------------------------------------------------- */

static void every_method_is_tried_here(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TABLE_N; i++) {
        bool is_there = false;

        for (unsigned k = 0; k < KINDS; k++) {
            is_there = is_there || kinds[k].how.method == table[i].method;
        }
        if (!is_there) {
            fail_msg("mask: %s has no values here", sl_mask_name(table[i].method));
        }
    }
}

static void equal_values_have_equal_results_exactly_where_the_table_says_so(void **state)
{
    char room[VALUE_ROOM];
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        const enum sl_mask method = kinds[k].how.method;
        SL_AUTO(column_done) struct sl_column_mask *one = column_of(w, &kinds[k].how);
        SL_AUTO(column_done) struct sl_column_mask *other = column_of(w, &kinds[k].how);

        for (unsigned i = 0; i < VALUES; i++) {
            const sl_cleartext value = value_of(&kinds[k], i, room);
            const bool is_equal = sl_str_eq(mask(w, one, value), mask(w, other, value));

            /* What is not recovered says nothing of joins: a year is a year. */
            if (has(method, SL_MASK_JOINS) != is_equal &&
                (is_equal ? has(method, SL_MASK_REVERSIBLE) : true)) {
                fail_msg("%s: two equal values, results %s", kinds[k].name,
                         is_equal ? "equal" : "different");
            }
        }
        sl_arena_reset(&w->arena);
    }
}

static void different_values_have_different_results_where_something_comes_back(void **state)
{
    static char rooms[VALUES][VALUE_ROOM];
    static sl_cleartext values[VALUES];
    static sl_str results[VALUES];
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);

        if (!has(kinds[k].how.method, SL_MASK_REVERSIBLE | SL_MASK_JOINS)) {
            continue;
        }
        for (unsigned i = 0; i < VALUES; i++) {
            values[i] = value_of(&kinds[k], i, rooms[i]);
            results[i] = mask(w, c, values[i]);
            for (unsigned before = 0; before < i; before++) {
                assert_true(!sl_str_eq(results[i], results[before]) ||
                            sl_str_eq(sl_cleartext_publish(values[i]),
                                      sl_cleartext_publish(values[before])));
            }
        }
        sl_arena_reset(&w->arena);
    }
}

static void values_come_back_exactly_where_the_table_says_so(void **state)
{
    char room[VALUE_ROOM];
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        const enum sl_mask method = kinds[k].how.method;
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);

        for (unsigned i = 0; i < VALUES; i++) {
            const sl_cleartext value = value_of(&kinds[k], i, room);
            const sl_str masked = mask(w, c, value);

            if (has(method, SL_MASK_REVERSIBLE)) {
                assert_opens(w, c, masked, value);
            } else if (masked.len > 0) {
                assert_refused(w, c, masked);
            }
        }
        sl_arena_reset(&w->arena);
    }
}

static void a_method_that_cannot_be_reversed_says_so(void **state)
{
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        const enum sl_mask method = kinds[k].how.method;
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);
        sl_cleartext back = { 0 };
        struct sl_err e = { 0 };

        if (!has(method, SL_MASK_REVERSIBLE)) {
            assert_int_equal(sl_column_unmask(c, SL_STR("x"), &w->arena, &back, &e), SL_VALUE);
            assert_non_null(strstr(e.msg, sl_mask_name(method)));
            assert_non_null(strstr(e.msg, "cannot be reversed"));
            assert_int_equal(strstr(e.msg, "vault") != NULL, has(method, SL_MASK_ONE_WAY));
        }
    }
}

static void a_result_never_contains_the_value(void **state)
{
    char room[VALUE_ROOM];
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);

        for (unsigned i = 0; i < VALUES; i++) {
            const sl_cleartext value = value_of(&kinds[k], i, room);

            if (value.len >= 4 && contains(mask(w, c, value), value)) {
                fail_msg("%s: the value number %u stands in its result", kinds[k].name, i);
            }
        }
        sl_arena_reset(&w->arena);
    }
}

static void another_context_makes_other_results_where_there_is_one(void **state)
{
    char room[VALUE_ROOM];
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        const enum sl_mask method = kinds[k].how.method;
        struct sl_masking elsewhere = kinds[k].how;

        if (!takes(method, CONTEXT)) {
            continue;
        }
        elsewhere.context = SL_STR("last_ip");
        SL_AUTO(column_done) struct sl_column_mask *one = column_of(w, &kinds[k].how);
        SL_AUTO(column_done) struct sl_column_mask *other = column_of(w, &elsewhere);

        for (unsigned i = 0; i < VALUES; i++) {
            const sl_cleartext value = value_of(&kinds[k], i, room);
            const sl_str masked = mask(w, one, value);

            assert_false(sl_str_eq(masked, mask(w, other, value)));
            if (has(method, SL_MASK_SEALED)) {
                assert_refused(w, other, masked);
            }
        }
        sl_arena_reset(&w->arena);
    }
}

static void an_empty_value_stays_empty_but_for_null_and_fixed(void **state)
{
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);
        const sl_str of_none = mask(w, c, (sl_cleartext){ 0 });
        const sl_str of_empty = mask(w, c, (sl_cleartext){ "", 0 });

        switch (kinds[k].how.method) {
        case SL_MASK_DROP:
            assert_null(of_none.ptr);
            assert_null(of_empty.ptr);
            break;
        case SL_MASK_FIXED:
            assert_true(sl_str_eq(of_none, SL_STR("on file")));
            assert_true(sl_str_eq(of_empty, SL_STR("on file")));
            break;
        default:
            assert_non_null(of_none.ptr);
            assert_non_null(of_empty.ptr);
            assert_int_equal(of_none.len + of_empty.len, 0);
        }
        assert_opens(w, c, SL_STR(""), (sl_cleartext){ "", 0 });
        assert_opens(w, c, (sl_str){ 0 }, (sl_cleartext){ "", 0 });
    }
}

static void null_drops_every_value_and_fixed_says_the_same_of_all(void **state)
{
    char room[VALUE_ROOM];
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);

        for (unsigned i = 0; i < VALUES; i++) {
            const sl_str masked = mask(w, c, value_of(&kinds[k], i, room));

            assert_int_equal(masked.ptr == NULL, kinds[k].how.method == SL_MASK_DROP);
            assert_int_equal(sl_str_eq(masked, SL_STR("on file")),
                             kinds[k].how.method == SL_MASK_FIXED);
        }
        sl_arena_reset(&w->arena);
    }
}

static void a_token_tells_the_length_of_a_value_in_steps_of_16_bytes_only(void **state)
{
    static const char value[SL_MASK_VALUE_MAX + 1];
    struct world *w = *state;
    SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[0].how);

    for (size_t n = 2; n <= SL_MASK_VALUE_MAX; n++) {
        const size_t before = mask(w, c, (sl_cleartext){ value, n - 1 }).len;
        const size_t now = mask(w, c, (sl_cleartext){ value, n }).len;

        assert_int_equal(now > before, n % 16 == 0);
        assert_true(now >= before && now <= SL_MASK_TOKEN_MAX);
    }
    assert_int_equal(mask(w, c, (sl_cleartext){ value, 1 }).len, 49);
    assert_int_equal(mask(w, c, (sl_cleartext){ value, 15 }).len, 49);
}

static void what_is_normalized_is_masked_as_its_one_spelling(void **state)
{
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        struct sl_masking how = kinds[k].how;

        if (!takes(how.method, NORMALIZE) || !has(how.method, SL_MASK_JOINS) ||
            how.method == SL_MASK_FPE) {
            continue;
        }
        how.normalize = SL_STR("trim, lower, ip");
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &how);
        const sl_str want = mask_text(w, c, "2001:db8::1");

        assert_true(sl_str_eq(want, mask_text(w, c, " 2001:DB8:0:0::1 ")));
        assert_false(sl_str_eq(want, mask_text(w, c, "2001:db8::2")));
        assert_int_equal(mask_text(w, c, " \t ").len, 0);
    }
}

/* ---- keys ----------------------------------------------------------------------------------------- */

static void assert_starts(sl_str s, const char *head)
{
    if (!sl_str_starts(s, sl_str_of(head))) {
        fail_msg("%" SL_FMT " does not start with %s", SL_ARG(s), head);
    }
}

static void a_value_has_a_token_under_each_key_that_is_not_retired(void **state)
{
    sl_str tokens[SL_KEYRING_MAX];
    char room[VALUE_ROOM];
    char head[16];
    struct world *w = *state;
    unsigned n;

    for (unsigned k = 0; k < 2; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);
        const char *form = k == 0 ? "v1" : "h1";

        for (unsigned i = 0; i < VALUES; i++) {
            const sl_cleartext value = value_of(&kinds[k], i, room);

            assert_int_equal(sl_column_mask_tokens(c, value, &w->arena, tokens, &n, NULL), SL_OK);
            assert_int_equal(n, 2);
            for (unsigned t = 0; t < n; t++) {
                (void)snprintf(head, sizeof head, "%s.k%u.", form, t + 1);
                assert_starts(tokens[t], head);
                if (k == 0) {
                    assert_opens(w, c, tokens[t], value);
                }
            }
            assert_true(sl_str_eq(tokens[0], mask(w, c, value)));
        }
        sl_arena_reset(&w->arena);
    }
}

static void a_result_that_names_no_key_is_the_only_one(void **state)
{
    sl_str tokens[SL_KEYRING_MAX];
    char room[VALUE_ROOM];
    struct world *w = *state;

    for (unsigned k = 2; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);
        const sl_cleartext value = value_of(&kinds[k], 7, room);
        struct sl_err e = { 0 };
        unsigned n = 99;
        const sl_rc rc = sl_column_mask_tokens(c, value, &w->arena, tokens, &n, &e);

        if (has(kinds[k].how.method, SL_MASK_JOINS)) {
            assert_int_equal(rc, SL_OK);
            assert_int_equal(n, 1);
            assert_true(sl_str_eq(tokens[0], mask(w, c, value)));
        } else {
            assert_int_equal(rc, SL_VALUE);
            assert_int_equal(n, 99);
            assert_non_null(strstr(e.msg, "cannot be searched for"));
        }
    }
}

static void an_empty_value_has_no_token_to_search_for(void **state)
{
    sl_str tokens[SL_KEYRING_MAX];
    struct world *w = *state;
    unsigned n = 0;

    for (unsigned k = 0; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);

        if (has(kinds[k].how.method, SL_MASK_JOINS)) {
            assert_int_equal(
                sl_column_mask_tokens(c, (sl_cleartext){ "", 0 }, &w->arena, tokens, &n, NULL),
                SL_VALUE);
            assert_int_equal(n, 0);
        }
    }
}

/* The same value under another ring. */
static sl_str mask_in(struct world *w, const struct sl_keyring *ring, const struct sl_masking *how,
                      sl_cleartext value)
{
    struct sl_column_mask *c = NULL;
    struct sl_masker *m = NULL;
    sl_str masked;

    assert_int_equal(sl_masker_new(ring, &m, NULL), SL_OK);
    assert_int_equal(sl_column_mask_new(how, ring, m, &c, NULL), SL_OK);
    masked = mask(w, c, value);
    sl_column_mask_free(c);
    sl_masker_free(m);
    return masked;
}

static void ring_done(struct sl_keyring **ring)
{
    sl_keyring_free(*ring);
}

static void a_result_that_names_no_key_stays_when_another_becomes_active(void **state)
{
    char room[VALUE_ROOM];
    struct world *w = *state;
    SL_AUTO(ring_done)
    struct sl_keyring *later =
        RING({ { "k1", SL_KEY_DECRYPT, false }, { "k2", SL_KEY_ACTIVE, false } });

    for (unsigned k = 0; k < KINDS; k++) {
        struct sl_masking how = kinds[k].how;
        const sl_cleartext value = value_of(&kinds[k], 3, room);
        sl_str first;

        if (!takes(how.method, CONTEXT)) {
            continue;
        }
        first = mask_in(w, w->ring, &how, value);
        if (has(how.method, SL_MASK_HAS_KID)) {
            assert_false(sl_str_eq(first, mask_in(w, later, &how, value)));
            continue;
        }
        assert_true(takes(how.method, KID));
        assert_true(sl_str_eq(first, mask_in(w, later, &how, value)));
        how.kid = SL_STR("k2");
        assert_false(sl_str_eq(first, mask_in(w, later, &how, value)));
        assert_true(sl_str_eq(mask_in(w, w->ring, &how, value), mask_in(w, later, &how, value)));
    }
}

static void assert_no_key(struct world *w, const struct sl_keyring *ring,
                          const struct sl_masking *how, const char *want)
{
    struct sl_column_mask *c = NULL;
    struct sl_err e = { 0 };

    assert_int_equal(sl_column_mask_new(how, ring, w->masker, &c, &e), SL_KEY);
    assert_null(c);
    assert_non_null(strstr(e.msg, want));
}

/* The order of keys is nothing that results may hang on. */
static void a_column_whose_results_name_no_key_is_told_one(void **state)
{
    struct world *w = *state;
    SL_AUTO(ring_done)
    struct sl_keyring *retired =
        RING({ { "k1", SL_KEY_RETIRED, false }, { "k2", SL_KEY_ACTIVE, false } });
    SL_AUTO(ring_done)
    struct sl_keyring *destroyed =
        RING({ { "k4", SL_KEY_RETIRED, true }, { "k2", SL_KEY_ACTIVE, false } });
    SL_AUTO(ring_done) struct sl_keyring *only = RING({ { "k1", SL_KEY_ACTIVE, false } });
    char room[VALUE_ROOM];

    for (unsigned k = 0; k < KINDS; k++) {
        struct sl_masking how = kinds[k].how;
        const sl_cleartext value = value_of(&kinds[k], 3, room);

        if (takes(how.method, KID)) {
            const sl_str told = mask_in(w, only, &how, value);

            assert_no_key(w, retired, &how, "key k1 is not in the key ring");
            how.kid = SL_STR("k4");
            assert_no_key(w, destroyed, &how, "key k4 is not in the key ring");
            how.kid = SL_STR("k9");
            assert_no_key(w, w->ring, &how, "key k9 is not in the key ring");
            how.kid = SL_STR("k3");
            assert_no_key(w, w->ring, &how, "key k3 is not in the key ring");
            how.kid = SL_STR("");
            assert_no_key(w, w->ring, &how, "say which with kid");
            assert_true(sl_str_eq(told, mask_in(w, only, &how, value)));
        }
    }
}

static void a_token_outlives_its_key_as_long_as_that_decrypts(void **state)
{
    struct world *w = *state;
    SL_AUTO(ring_done)
    struct sl_keyring *later =
        RING({ { "k2", SL_KEY_ACTIVE, false }, { "k1", SL_KEY_RETIRED, false } });
    SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[0].how);
    const sl_cleartext value = { "1.2.3.4", 7 };
    const sl_str under_1 = mask(w, c, value);
    const sl_str under_2 = mask_in(w, later, &kinds[0].how, value);
    struct sl_column_mask *of_later = NULL;
    struct sl_masker *m = NULL;

    assert_opens(w, c, under_2, value);
    assert_int_equal(sl_masker_new(later, &m, NULL), SL_OK);
    assert_int_equal(sl_column_mask_new(&kinds[0].how, later, m, &of_later, NULL), SL_OK);
    assert_opens(w, of_later, under_2, value);
    assert_refused(w, of_later, under_1);
    sl_column_mask_free(of_later);
    sl_masker_free(m);
}

/* ---- what must not open ------------------------------------------------------------------------- */

static void no_flipped_bit_of_a_sealed_token_goes_unnoticed(void **state)
{
    static const char *const values[] = { "x", "1.2.3.4", "6ba7b810-9dad-11d1-80b4-00c04fd430c8" };
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);

        for (unsigned v = 0; has(kinds[k].how.method, SL_MASK_SEALED) && v < 3; v++) {
            const sl_str token = mask_text(w, c, values[v]);
            const sl_str copy = sl_arena_copy(&w->arena, token);
            char *changed = (char *)(uintptr_t)copy.ptr;

            for (size_t bit = 0; bit < token.len * 8; bit++) {
                changed[bit / 8] ^= (char)(1 << bit % 8);
                assert_refused(w, c, copy);
                changed[bit / 8] ^= (char)(1 << bit % 8);
            }
            assert_opens(w, c, copy, sl_cleartext_of(sl_str_of(values[v])));
        }
        sl_arena_reset(&w->arena);
    }
}

static void no_part_of_a_sealed_token_opens_and_none_that_goes_on(void **state)
{
    static const char *const more[] = { "A", "AA", "AAAA", "=", "==", "\n", " ", ".", ".A" };
    struct world *w = *state;

    for (unsigned k = 0; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);
        sl_str token;

        if (!has(kinds[k].how.method, SL_MASK_SEALED)) {
            continue;
        }
        token = mask_text(w, c, "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
        for (size_t n = 1; n < token.len; n++) {
            assert_refused(w, c, (sl_str){ token.ptr, n });
            assert_refused(w, c, (sl_str){ token.ptr + n, token.len - n });
        }
        for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
            assert_refused(w, c,
                           sl_arena_printf(&w->arena, "%" SL_FMT "%s", SL_ARG(token), more[i]));
            assert_refused(w, c, sl_arena_printf(&w->arena, "%s%" SL_FMT, more[i], SL_ARG(token)));
        }
    }
}

static void a_token_is_not_opened_under_another_key_s_name(void **state)
{
    static const char *const ids[] = { "k2", "k3", "k4", "k5", "K1", "", "k", "k1k1k1k1k" };
    struct world *w = *state;
    SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[0].how);
    const sl_str token = mask_text(w, c, "1.2.3.4");
    const size_t head = sizeof "v1.k1" - 1;
    const sl_str tail = { token.ptr + head, token.len - head };

    assert_starts(token, "v1.k1.");
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        assert_refused(w, c, sl_arena_printf(&w->arena, "v1.%s%" SL_FMT, ids[i], SL_ARG(tail)));
    }
    assert_opens(w, c, sl_arena_printf(&w->arena, "v1.k1%" SL_FMT, SL_ARG(tail)),
                 (sl_cleartext){ "1.2.3.4", 7 });
}

/* Lengths of 1, 2 and 0 bytes over a group of three: 4, 2 and no unused bits. */
static void only_one_spelling_of_base64url_is_taken(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static const char value[SL_MASK_VALUE_MAX];
    struct world *w = *state;
    SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[0].how);
    unsigned others = 0;

    for (size_t n = 1; n <= SL_MASK_VALUE_MAX; n += 16) {
        const sl_str token = sl_arena_copy(&w->arena, mask(w, c, (sl_cleartext){ value, n }));
        char *last = (char *)(uintptr_t)token.ptr + token.len - 1;
        const char right = *last;

        for (const char *d = digits; *d != '\0'; d++) {
            *last = *d;
            if (*d != right) {
                assert_refused(w, c, token);
                others++;
            }
        }
        *last = right;
        for (char *at = (char *)(uintptr_t)token.ptr; at <= last; at++) {
            const char was = *at;

            if (was == '-' || was == '_') {
                *at = was == '-' ? '+' : '/';
                assert_refused(w, c, token);
                *at = was;
            }
        }
        assert_refused(w, c, sl_arena_printf(&w->arena, "%" SL_FMT "=", SL_ARG(token)));
        assert_opens(w, c, token, (sl_cleartext){ value, n });
    }
    assert_int_equal(others, 10 * 63);
}

static void a_result_of_one_method_is_none_of_another(void **state)
{
    struct world *w = *state;
    SL_AUTO(column_done) struct sl_column_mask *siv = column_of(w, &kinds[0].how);

    for (unsigned k = 1; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);
        char room[VALUE_ROOM];
        const sl_str masked = mask(w, c, value_of(&kinds[k], 5, room));

        if (masked.len > 0) {
            assert_refused(w, siv, masked);
        }
    }
}

static void a_value_that_does_not_fit_is_refused_without_quoting_it(void **state)
{
    char value[VALUE_ROOM];
    struct world *w = *state;

    memset(value, 'q', sizeof value);
    for (unsigned k = 0; k < KINDS; k++) {
        SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, &kinds[k].how);
        sl_str masked = SL_STR("untouched");
        struct sl_err e = { 0 };
        const sl_rc rc =
            sl_column_mask_value(c, (sl_cleartext){ value, sizeof value }, &w->arena, &masked, &e);

        if (rc != SL_OK) {
            assert_int_equal(rc, SL_VALUE);
            assert_true(sl_str_eq(masked, SL_STR("untouched")));
            assert_null(strstr(e.msg, "qq"));
        }
        if (kinds[k].value != any_bytes || kinds[k].how.method == SL_MASK_SIV) {
            /* Of letters the first and the last may be kept. */
            assert_int_equal(rc, kinds[k].value == device && kinds[k].how.method == SL_MASK_KEEP
                                     ? SL_OK
                                     : SL_VALUE);
        }
    }
}

/* ---- options ---------------------------------------------------------------------------------------- */

#define SECRET "S3cr3tS3cr3tS3cr3tS3cr3tS3cr3tS3"

static const struct {
    struct sl_masking how;
    const char *says;
} bad_options[] = {
    { { .method = SL_MASK_SIV, .normalize = { "upper", 5 } }, "normalize takes ip, lower, trim" },
    { { .method = SL_MASK_SIV, .normalize = { "ip, ip", 6 } }, "each once" },
    { { .method = SL_MASK_FERNET, .normalize = { ",", 1 } }, "normalize takes" },
    { { .method = SL_MASK_KEEP, .keep = { "", 0 } }, "keep takes first N, last N" },
    { { .method = SL_MASK_KEEP, .keep = { "first 0", 7 } }, "keep takes" },
    { { .method = SL_MASK_KEEP, .keep = { "middle 3", 8 } }, "keep takes" },
    { { .method = SL_MASK_KEEP, .keep = { "/128", 4 } }, "keep takes" },
    { { .method = SL_MASK_FPE, .format = { "ddddd", 5 } }, "at least 6 are needed" },
    { { .method = SL_MASK_FPE, .format = { "ddd-ddd\\", 8 } }, "backslash" },
    { { .method = SL_MASK_FPE, .alphabet = { "a", 1 } }, "alphabet has 1 characters" },
    { { .method = SL_MASK_FPE, .alphabet = { "abca", 4 } }, "the character a twice" },
    { { .method = SL_MASK_FPE, .alphabet = { "a b", 3 } }, "alphabet: character 2" },
    { { .method = SL_MASK_FERNET, .key = { SECRET, 32 } }, "key: " },
    { { .method = SL_MASK_FERNET, .key = { "", 0 } }, "key: " },
    { { .method = SL_MASK_AES_CBC, .key = { SECRET, 32 }, .iv = { HEX_IV, 32 } }, "key: " },
    { { .method = SL_MASK_AES_CBC, .key = { HEX_KEY SECRET, 96 }, .iv = { HEX_IV, 32 } }, "key: " },
    { { .method = SL_MASK_AES_CBC, .key = { HEX_KEY, 64 }, .iv = { SECRET, 32 } }, "iv: " },
    { { .method = SL_MASK_AES_CBC, .key = { HEX_KEY, 64 }, .iv = { "", 0 } }, "iv: " },
};

static void assert_says(const struct sl_err *e, const char *what)
{
    if (strstr(e->msg, what) == NULL) {
        fail_msg("'%s' does not say '%s'", e->msg, what);
    }
    assert_null(strstr(e->msg, "S3cr3t"));
    assert_null(strstr(e->msg, "603deb10"));
    assert_null(strstr(e->msg, "f0e1d2c3"));
}

static void options_that_cannot_be_are_refused_with_what_can(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof bad_options / sizeof bad_options[0]; i++) {
        struct sl_masking how = bad_options[i].how;
        struct sl_column_mask *c = NULL;
        struct sl_err e = { 0 };

        how.context = SL_STR("ip");
        assert_int_equal(sl_column_mask_check(&how, &e), SL_CONFIG);
        assert_says(&e, bad_options[i].says);
        e = (struct sl_err){ 0 };
        assert_int_equal(sl_column_mask_new(&how, w->ring, w->masker, &c, &e), SL_CONFIG);
        assert_null(c);
        assert_says(&e, bad_options[i].says);
    }
}

static void what_is_wrong_with_a_column_says_where(void **state)
{
    struct sl_column columns[] = {
        { .name = { "plain", 5 }, .line = 3 },
        { .name = { "network", 7 },
          .line = 4,
          .masking = { .method = SL_MASK_KEEP, .keep = { "half", 4 } } },
    };
    struct sl_config cfg = { .file = SL_STR("x.yaml"), .columns = columns, .columns_n = 2 };
    struct sl_masks masks = { 0 };
    struct world *w = *state;
    struct sl_err e = { 0 };

    assert_int_equal(sl_column_masks_check(&cfg, &e), SL_CONFIG);
    assert_says(&e, "x.yaml:4: column network: keep takes");
    assert_int_equal(sl_masks_open(&cfg, w->ring, &masks, &e), SL_CONFIG);
    assert_says(&e, "column network: keep takes");
    sl_masks_close(&masks);

    columns[1].masking.keep = SL_STR("/24");
    assert_int_equal(sl_column_masks_check(&cfg, &e), SL_OK);
    assert_int_equal(sl_masks_open(&cfg, w->ring, &masks, &e), SL_OK);
    assert_int_equal(masks.n, 2);
    assert_null(masks.of[0]);
    assert_true(sl_str_eq(mask_text(w, masks.of[1], "192.0.2.9"), SL_STR("192.0.2.0")));
    sl_masks_close(&masks);
    assert_null(masks.of);
}

static void weak_methods_warn_and_others_do_not(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TABLE_N; i++) {
        const enum sl_mask method = table[i].method;
        char text[SL_MASK_WARNING_MAX] = "untouched";
        char name[32];

        if (has(method, SL_MASK_WEAK) || method == SL_MASK_FERNET) {
            (void)snprintf(name, sizeof name, "mask: %s ", sl_mask_name(method));
            assert_true(sl_column_mask_warning(method, text));
            assert_ptr_equal(strstr(text, name), text);
            assert_true(strlen(text) > 40 && strlen(text) < SL_MASK_WARNING_MAX - 1);
        } else {
            assert_false(sl_column_mask_warning(method, text));
        }
    }
}

static void the_warning_of_sha256_has_a_measured_time(void **state)
{
    char text[SL_MASK_WARNING_MAX];
    const char *number;
    double seconds;

    (void)state;
    assert_true(sl_column_mask_warning(SL_MASK_SHA256, text));
    number = strpbrk(strstr(text, "address"), "0123456789");
    assert_non_null(number);
    seconds = strtod(number, NULL);
    assert_true(seconds > 1 && seconds < 1e6);
}

/* ---- what tokens look like ----------------------------------------------------------------------- */

enum { TOKENS = 100000, WIDTH = 32 };

/* The bytes of many tokens, by place. */
struct sample {
    unsigned n;
    unsigned width; /* bytes of each */
    unsigned long counts[WIDTH][256];
    unsigned long changed; /* bits between one and the next */
    unsigned char last[WIDTH];
};

static void sample_add(struct sample *s, const unsigned char *raw)
{
    for (unsigned i = 0; i < s->width; i++) {
        s->counts[i][raw[i]]++;
        s->changed += s->n > 0 ? (unsigned)__builtin_popcount(raw[i] ^ s->last[i]) : 0;
        s->last[i] = raw[i];
    }
    s->n++;
}

static double chi_square(const unsigned long counts[static 256], unsigned n)
{
    const double want = n / 256.0;
    double sum = 0;

    for (unsigned i = 0; i < 256; i++) {
        const double off = (double)counts[i] - want;

        sum += off * off / want;
    }
    return sum;
}

static double ones_share(const unsigned long counts[static 256], unsigned bit, unsigned n)
{
    unsigned long ones = 0;

    for (unsigned i = 0; i < 256; i++) {
        ones += (i >> bit & 1) != 0 ? counts[i] : 0;
    }
    return (double)ones / n;
}

/* Of random bytes each of these is missed once in more than 10^12 times: chi-square of 255 degrees
 * has mean 255 and deviation 23, a bit's share 0.5 and 0.0016, the bits that change half of them. */
static const char *sample_flaw(const struct sample *s)
{
    const double changed = (double)s->changed / (s->n - 1) / (8.0 * s->width);

    for (unsigned i = 0; i < s->width; i++) {
        const double chi = chi_square(s->counts[i], s->n);

        if (chi > 450) {
            return "some bytes are more frequent";
        }
        if (chi < 100) {
            return "all bytes are as frequent, which is no chance";
        }
        for (unsigned bit = 0; bit < 8; bit++) {
            const double share = ones_share(s->counts[i], bit, s->n);

            if (share < 0.485 || share > 0.515) {
                return "a bit is not balanced";
            }
        }
    }
    return changed > 0.498 && changed < 0.502 ? NULL : "neighbours are alike, or opposites";
}

/* 15 bytes each, one after another. */
static sl_cleartext sequential(unsigned i, char room[static VALUE_ROOM])
{
    return (sl_cleartext){ room, (size_t)snprintf(room, VALUE_ROOM, "010.%03u.%03u.%03u", i >> 16,
                                                  i >> 8 & 255, i & 255) };
}

static struct sample *sample_of(struct world *w, const struct sl_masking *how, sl_str head,
                                enum sl_base64 spelling, unsigned width)
{
    struct sample *s = calloc(1, sizeof *s);
    SL_AUTO(column_done) struct sl_column_mask *c = column_of(w, how);
    unsigned char raw[RAW_ROOM];
    char room[VALUE_ROOM];
    size_t n = 0;

    assert_non_null(s);
    s->width = width;
    for (unsigned i = 0; i < TOKENS; i++) {
        const sl_str token = mask(w, c, sequential(i, room));

        assert_true(sl_str_starts(token, head));
        assert_true(sl_base64_decode(
            spelling, (sl_str){ token.ptr + head.len, token.len - head.len }, raw, sizeof raw, &n));
        assert_int_equal(n, width);
        sample_add(s, raw);
        if (i % 512 == 0) {
            sl_arena_reset(&w->arena);
        }
    }
    return s;
}

static void tokens_of_sequential_values_look_random(void **state)
{
    struct sample *siv = sample_of(*state, &kinds[0].how, SL_STR("v1.k1."), SL_BASE64URL, WIDTH);
    struct sample *hmac = sample_of(*state, &kinds[1].how, SL_STR("h1.k1."), SL_BASE64URL, WIDTH);
    const char *of_siv = sample_flaw(siv);
    const char *of_hmac = sample_flaw(hmac);

    free(siv);
    free(hmac);
    if (of_siv != NULL || of_hmac != NULL) {
        fail_msg("siv: %s, hmac: %s", of_siv != NULL ? of_siv : "ok",
                 of_hmac != NULL ? of_hmac : "ok");
    }
}

static void base64_of_sequential_values_does_not(void **state)
{
    const struct sl_masking how = { .method = SL_MASK_BASE64 };
    struct sample *s = sample_of(*state, &how, SL_STR(""), SL_BASE64, 15);
    const char *flaw = sample_flaw(s);

    free(s);
    assert_non_null(flaw);
}

/* Flaws that one of the three measures alone would miss. */
static void nor_do_counters_and_bytes_that_seldom_change(void **state)
{
    struct sample *s = calloc(1, sizeof *s);
    unsigned char raw[1];

    (void)state;
    assert_non_null(s);
    s->width = 1;
    for (unsigned i = 0; i < TOKENS; i++) {
        raw[0] = (unsigned char)i;
        sample_add(s, raw);
    }
    assert_non_null(sample_flaw(s));
    *s = (struct sample){ .width = 1 };
    for (unsigned i = 0; i < TOKENS; i++) {
        raw[0] = (unsigned char)noise(i / 2);
        sample_add(s, raw);
    }
    assert_non_null(sample_flaw(s));
    *s = (struct sample){ .width = 1 };
    for (unsigned i = 0; i < TOKENS; i++) {
        raw[0] = (unsigned char)(noise(i) % 250);
        sample_add(s, raw);
    }
    assert_non_null(sample_flaw(s));
    free(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        T(every_method_is_tried_here),
        T(equal_values_have_equal_results_exactly_where_the_table_says_so),
        T(different_values_have_different_results_where_something_comes_back),
        T(values_come_back_exactly_where_the_table_says_so),
        T(a_method_that_cannot_be_reversed_says_so),
        T(a_result_never_contains_the_value),
        T(another_context_makes_other_results_where_there_is_one),
        T(an_empty_value_stays_empty_but_for_null_and_fixed),
        T(null_drops_every_value_and_fixed_says_the_same_of_all),
        T(a_token_tells_the_length_of_a_value_in_steps_of_16_bytes_only),
        T(what_is_normalized_is_masked_as_its_one_spelling),
        T(a_value_has_a_token_under_each_key_that_is_not_retired),
        T(a_result_that_names_no_key_is_the_only_one),
        T(an_empty_value_has_no_token_to_search_for),
        T(a_result_that_names_no_key_stays_when_another_becomes_active),
        T(a_column_whose_results_name_no_key_is_told_one),
        T(a_token_outlives_its_key_as_long_as_that_decrypts),
        T(no_flipped_bit_of_a_sealed_token_goes_unnoticed),
        T(no_part_of_a_sealed_token_opens_and_none_that_goes_on),
        T(a_token_is_not_opened_under_another_key_s_name),
        T(only_one_spelling_of_base64url_is_taken),
        T(a_result_of_one_method_is_none_of_another),
        T(a_value_that_does_not_fit_is_refused_without_quoting_it),
        T(options_that_cannot_be_are_refused_with_what_can),
        T(what_is_wrong_with_a_column_says_where),
        T(weak_methods_warn_and_others_do_not),
        T(the_warning_of_sha256_has_a_measured_time),
        T(tokens_of_sequential_values_look_random),
        T(base64_of_sequential_values_does_not),
        T(nor_do_counters_and_bytes_that_seldom_change),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
