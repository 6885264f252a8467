/* bench/bench_masking.c - what each masking method costs a value, beside OpenSSL's own AES-SIV.
 *
 * All cases take turns in every round, in the thread's own CPU time; a case's number is its median
 * and a ratio is the median of the rounds' ratios, so that a busy machine changes neither much.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/evp.h>

#include "keys/keyring_build.h"
#include "masking/column_mask.h"
#include "masking/siv.h"

enum {
    ROUNDS = 31,
    ROUND_NS = 2000000, /* of one case */
    VALUES = 256,       /* different ones, in turn */
    VALUE_ROOM = 64,
    CASES_MAX = 48,
    BATCH = 512, /* values to one reset of the arena, as in a run */
    SEALED = 2 * SL_SIV_BLOCK,
    RATIO_MIN = 8,
    TWO_FIELDS_MAX_NS = 500,
};

#define CONTEXT SL_STR("ip")
#define AAD     SL_STR("v1.k1.ip")

/* One method with its values and what it made of them. */
struct column {
    struct sl_masking how;
    struct sl_column_mask *mask;
    void (*value)(unsigned i, char out[static VALUE_ROOM]);
    char values[VALUES][VALUE_ROOM];
    sl_str masked[VALUES];
};

/* The same key and associated data, in sluice's own SIV and in EVP's. */
struct siv_pair {
    struct sl_siv *own;
    struct sl_siv_aad aad;
    unsigned char key[SL_SIV_KEY_BYTES];
    EVP_CIPHER *evp;
    EVP_CIPHER_CTX *keyed; /* key set */
    EVP_CIPHER_CTX *ready; /* key and associated data set */
    EVP_CIPHER_CTX *work;
};

struct world {
    struct sl_keyring *ring;
    struct sl_masker *masker;
    struct sl_arena arena; /* of the results that are kept */
    struct sl_arena batch; /* of those that are measured */
    struct siv_pair siv;
    unsigned char padded[VALUES][SL_SIV_BLOCK];
    unsigned char sealed[VALUES][SEALED];
    struct column *fields[2];
};

struct bench_case {
    char name[64];
    bool (*once)(struct world *w, void *of, unsigned i);
    void *of;
    unsigned n; /* calls a round */
    double ns[ROUNDS];
};

static struct bench_case cases[CASES_MAX];
static unsigned cases_n;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(1);
}

static void must(sl_rc rc, const char *what, const struct sl_err *e)
{
    if (rc != SL_OK) {
        die("%s: %s", what, e->msg);
    }
}

/* ---- the methods ----------------------------------------------------------------------------- */

static void value_ip(unsigned i, char out[static VALUE_ROOM])
{
    (void)snprintf(out, VALUE_ROOM, "203.%u.%u.%u", i * 7 % 256, i, 255 - i);
}

static void value_device(unsigned i, char out[static VALUE_ROOM])
{
    (void)snprintf(out, VALUE_ROOM, "%03u-%02u-%04u", i * 3 % 1000, i % 100, i * 37 % 10000);
}

/* 15 bytes whatever it is: the longest that stays one block. */
static void value_15(unsigned i, char out[static VALUE_ROOM])
{
    (void)snprintf(out, VALUE_ROOM, "203.113.%03u.%03u", i, 255 - i);
}

static void value_36(unsigned i, char out[static VALUE_ROOM])
{
    (void)snprintf(out, VALUE_ROOM, "6ba7b810-9dad-11d1-80b4-00c04fd4%04x", i * 251);
}

#define CBC_KEY    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define CBC_IV     "000102030405060708090a0b0c0d0e0f"
#define FERNET_KEY "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="

static struct column columns[] = {
    { .how = { .method = SL_MASK_SIV, .context = { "ip", 2 } }, .value = value_15 },
    { .how = { .method = SL_MASK_SIV, .context = { "session", 7 } }, .value = value_36 },
    { .how = { .method = SL_MASK_HMAC, .context = { "ip", 2 } }, .value = value_15 },
    { .how = { .method = SL_MASK_IP, .context = { "ip", 2 }, .ip = SL_IP_DETERMINISTIC },
      .value = value_ip },
    { .how = { .method = SL_MASK_IP, .context = { "ip", 2 }, .ip = SL_IP_PREFIX },
      .value = value_ip },
    { .how = { .method = SL_MASK_FPE,
               .context = { "device_id", 9 },
               .format = { "ddd-dd-dddd", 11 } },
      .value = value_device },
    { .how = { .method = SL_MASK_KEEP, .keep = { "/24", 3 } }, .value = value_ip },
    { .how = { .method = SL_MASK_DROP }, .value = value_15 },
    { .how = { .method = SL_MASK_FIXED, .value = { "on file", 7 } }, .value = value_15 },
    { .how = { .method = SL_MASK_FERNET, .key = { FERNET_KEY, sizeof FERNET_KEY - 1 } },
      .value = value_15 },
    { .how = { .method = SL_MASK_AES_CBC,
               .key = { CBC_KEY, sizeof CBC_KEY - 1 },
               .iv = { CBC_IV, sizeof CBC_IV - 1 } },
      .value = value_15 },
    { .how = { .method = SL_MASK_SHA256 }, .value = value_15 },
    { .how = { .method = SL_MASK_BASE64 }, .value = value_15 },
    /* The two fields of a login message. */
    { .how = { .method = SL_MASK_SIV, .context = { "ip", 2 } }, .value = value_ip },
    { .how = { .method = SL_MASK_SIV, .context = { "device_id", 9 } }, .value = value_device },
};

enum { COLUMNS = sizeof columns / sizeof columns[0], FIELDS = 2, METHODS = COLUMNS - FIELDS };

static sl_cleartext column_value(const struct column *c, unsigned i)
{
    return sl_cleartext_of(sl_str_of(c->values[i % VALUES]));
}

static void batch_turn(struct world *w, unsigned i)
{
    if (i % BATCH == BATCH - 1) {
        sl_arena_reset(&w->batch);
    }
}

static bool once_mask(struct world *w, void *of, unsigned i)
{
    const struct column *c = of;
    sl_str masked;

    batch_turn(w, i);
    return sl_column_mask_value(c->mask, column_value(c, i), &w->batch, &masked, NULL) == SL_OK;
}

static bool once_unmask(struct world *w, void *of, unsigned i)
{
    const struct column *c = of;
    sl_cleartext value;

    batch_turn(w, i);
    return sl_column_unmask(c->mask, c->masked[i % VALUES], &w->batch, &value, NULL) == SL_OK;
}

static bool once_two_fields(struct world *w, void *of, unsigned i)
{
    (void)of;
    return once_mask(w, w->fields[0], i) && once_mask(w, w->fields[1], i);
}

/* ---- AES-SIV, twice --------------------------------------------------------------------------- */

static bool evp_aad(EVP_CIPHER_CTX *ctx)
{
    const sl_str aad = AAD;
    int len = 0;

    return EVP_EncryptUpdate(ctx, NULL, &len, (const unsigned char *)aad.ptr, (int)aad.len) == 1;
}

/* EVP gives C and V apart; V comes first. */
static bool evp_finish(EVP_CIPHER_CTX *ctx, const unsigned char *p,
                       unsigned char out[static SEALED])
{
    int len = 0;

    return EVP_EncryptUpdate(ctx, out + SL_SIV_BLOCK, &len, p, SL_SIV_BLOCK) == 1 &&
           EVP_EncryptFinal_ex(ctx, out + SL_SIV_BLOCK + len, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SL_SIV_BLOCK, out) == 1;
}

static bool seal_own(struct world *w, unsigned i, unsigned char out[static SEALED])
{
    return sl_siv_seal(w->siv.own, &w->siv.aad, w->padded[i % VALUES], SL_SIV_BLOCK, out, NULL) ==
           SL_OK;
}

static bool seal_fetch(struct world *w, unsigned i, unsigned char out[static SEALED])
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const bool ok = cipher != NULL && ctx != NULL &&
                    EVP_EncryptInit_ex2(ctx, cipher, w->siv.key, NULL, NULL) == 1 && evp_aad(ctx) &&
                    evp_finish(ctx, w->padded[i % VALUES], out);

    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return ok;
}

static bool seal_init(struct world *w, unsigned i, unsigned char out[static SEALED])
{
    EVP_CIPHER_CTX *ctx = w->siv.work;

    return EVP_EncryptInit_ex2(ctx, w->siv.evp, w->siv.key, NULL, NULL) == 1 && evp_aad(ctx) &&
           evp_finish(ctx, w->padded[i % VALUES], out);
}

static bool seal_copy_keyed(struct world *w, unsigned i, unsigned char out[static SEALED])
{
    EVP_CIPHER_CTX *ctx = w->siv.work;

    return EVP_CIPHER_CTX_copy(ctx, w->siv.keyed) == 1 && evp_aad(ctx) &&
           evp_finish(ctx, w->padded[i % VALUES], out);
}

static bool seal_copy_ready(struct world *w, unsigned i, unsigned char out[static SEALED])
{
    EVP_CIPHER_CTX *ctx = w->siv.work;

    return EVP_CIPHER_CTX_copy(ctx, w->siv.ready) == 1 &&
           evp_finish(ctx, w->padded[i % VALUES], out);
}

struct seal_way {
    const char *name;
    bool (*seal)(struct world *w, unsigned i, unsigned char out[static SEALED]);
};

static struct seal_way ways[] = {
    { "own SIV, cached contexts", seal_own },
    { "EVP AES-256-SIV, fetch and new each", seal_fetch },
    { "EVP AES-256-SIV, init with key each", seal_init },
    { "EVP AES-256-SIV, copy before AAD", seal_copy_keyed },
    { "EVP AES-256-SIV, copy after AAD", seal_copy_ready },
};

enum { WAYS = sizeof ways / sizeof ways[0] };

static bool once_seal(struct world *w, void *of, unsigned i)
{
    const struct seal_way *way = of;
    unsigned char out[SEALED];

    return way->seal(w, i, out);
}

static bool once_open(struct world *w, void *of, unsigned i)
{
    unsigned char out[SL_SIV_BLOCK];

    (void)of;
    return sl_siv_open(w->siv.own, &w->siv.aad, w->sealed[i % VALUES], SEALED, out, NULL) == SL_OK;
}

/* ---- making ----------------------------------------------------------------------------------- */

static void ring_begin(struct world *w)
{
    unsigned char master[SL_KEY_BYTES];
    struct sl_err e = { 0 };

    for (unsigned i = 0; i < sizeof master; i++) {
        master[i] = (unsigned char)i;
    }
    must(sl_keyring_new(&w->ring, &e), "key ring", &e);
    must(sl_keyring_add(w->ring, SL_STR("k1"), SL_KEY_ACTIVE, master, &e), "key ring", &e);
    must(sl_keyring_finish(w->ring, &e), "key ring", &e);
    must(sl_masker_new(w->ring, &w->masker, &e), "masker", &e);
}

static void column_begin(struct world *w, struct column *c)
{
    struct sl_err e = { 0 };

    must(sl_column_mask_check(&c->how, &e), sl_mask_name(c->how.method), &e);
    must(sl_column_mask_new(&c->how, w->ring, w->masker, &c->mask, &e), sl_mask_name(c->how.method),
         &e);
    for (unsigned i = 0; i < VALUES; i++) {
        c->value(i, c->values[i]);
        must(sl_column_mask_value(c->mask, column_value(c, i), &w->arena, &c->masked[i], &e),
             sl_mask_name(c->how.method), &e);
    }
}

static void siv_begin(struct world *w)
{
    struct siv_pair *s = &w->siv;
    EVP_CIPHER *aes = NULL;
    struct sl_err e = { 0 };

    must(sl_key_derive(sl_keyring_active(w->ring), "siv", CONTEXT, s->key, sizeof s->key, &e),
         "key", &e);
    must(sl_siv_fetch(sizeof s->key, &aes, &e), "AES", &e);
    must(sl_siv_new(aes, s->key, &s->own, &e), "SIV", &e);
    EVP_CIPHER_free(aes);
    must(sl_siv_aad_init(&s->aad, s->own, AAD, &e), "SIV", &e);
    s->evp = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    s->keyed = EVP_CIPHER_CTX_new();
    s->ready = EVP_CIPHER_CTX_new();
    s->work = EVP_CIPHER_CTX_new();
    if (s->evp == NULL || s->keyed == NULL || s->ready == NULL || s->work == NULL ||
        EVP_EncryptInit_ex2(s->keyed, s->evp, s->key, NULL, NULL) != 1 ||
        EVP_EncryptInit_ex2(s->ready, s->evp, s->key, NULL, NULL) != 1 || !evp_aad(s->ready)) {
        die("libcrypto has no AES-256-SIV");
    }
}

/* Only what gives the same result is worth comparing. */
static void siv_compare(struct world *w)
{
    unsigned char out[SEALED];

    for (unsigned i = 0; i < VALUES; i++) {
        const struct column *c = &columns[0];

        memcpy(w->padded[i], c->values[i], SL_SIV_BLOCK - 1);
        w->padded[i][SL_SIV_BLOCK - 1] = 0x80;
        if (!seal_own(w, i, w->sealed[i])) {
            die("own SIV failed");
        }
        for (unsigned k = 1; k < WAYS; k++) {
            if (!ways[k].seal(w, i, out) || memcmp(out, w->sealed[i], SEALED) != 0) {
                die("%s differs from own SIV", ways[k].name);
            }
        }
    }
}

static struct world *world_begin(void)
{
    struct world *w = calloc(1, sizeof *w);

    if (w == NULL) {
        die("no memory");
    }
    sl_arena_init(&w->arena, 64 << 20, 64 << 10);
    sl_arena_init(&w->batch, 64 << 20, 1 << 20);
    ring_begin(w);
    for (unsigned i = 0; i < COLUMNS; i++) {
        column_begin(w, &columns[i]);
    }
    w->fields[0] = &columns[METHODS];
    w->fields[1] = &columns[METHODS + 1];
    siv_begin(w);
    siv_compare(w);
    return w;
}

static void world_end(struct world *w)
{
    for (unsigned i = 0; i < COLUMNS; i++) {
        sl_column_mask_free(columns[i].mask);
    }
    sl_siv_free(w->siv.own);
    EVP_CIPHER_CTX_free(w->siv.work);
    EVP_CIPHER_CTX_free(w->siv.ready);
    EVP_CIPHER_CTX_free(w->siv.keyed);
    EVP_CIPHER_free(w->siv.evp);
    sl_masker_free(w->masker);
    sl_keyring_free(w->ring);
    sl_arena_done(&w->batch);
    sl_arena_done(&w->arena);
    free(w);
}

/* ---- measuring --------------------------------------------------------------------------------- */

static double cpu_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double case_ns(struct world *w, const struct bench_case *c)
{
    const double start = cpu_ns();

    for (unsigned i = 0; i < c->n; i++) {
        if (!c->once(w, c->of, i)) {
            die("%s failed", c->name);
        }
    }
    return (cpu_ns() - start) / c->n;
}

__attribute__((format(printf, 4, 5))) static const struct bench_case *case_add(
    struct world *w, bool (*once)(struct world *w, void *of, unsigned i), void *of, const char *fmt,
    ...)
{
    struct bench_case *c = &cases[cases_n];
    va_list args;

    if (cases_n == CASES_MAX) {
        die("too many cases");
    }
    cases_n++;
    *c = (struct bench_case){ .once = once, .of = of, .n = VALUES };
    va_start(args, fmt);
    (void)vsnprintf(c->name, sizeof c->name, fmt, args);
    va_end(args);
    (void)case_ns(w, c); /* what is made at the first use */
    c->n = (unsigned)(ROUND_NS / case_ns(w, c)) + 1;
    return c;
}

static int double_compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const double v[static ROUNDS])
{
    double sorted[ROUNDS];

    memcpy(sorted, v, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof sorted[0], double_compare);
    return sorted[ROUNDS / 2];
}

static double ratio_of(const struct bench_case *a, const struct bench_case *b)
{
    double ratios[ROUNDS];

    for (unsigned r = 0; r < ROUNDS; r++) {
        ratios[r] = a->ns[r] / b->ns[r];
    }
    return median(ratios);
}

static void measure(struct world *w)
{
    for (unsigned r = 0; r < ROUNDS; r++) {
        for (unsigned i = 0; i < cases_n; i++) {
            cases[i].ns[r] = case_ns(w, &cases[i]);
        }
    }
}

static const char *column_name(const struct column *c)
{
    if (c->how.method == SL_MASK_IP) {
        return c->how.ip == SL_IP_PREFIX ? "ip: prefix" : "ip: deterministic";
    }
    return sl_mask_name(c->how.method);
}

static void methods_add(struct world *w)
{
    for (unsigned i = 0; i < METHODS; i++) {
        struct column *c = &columns[i];
        const size_t n = column_value(c, 0).len;

        (void)case_add(w, once_mask, c, "%s, mask %zu bytes", column_name(c), n);
        if ((sl_mask_flags(c->how.method) & SL_MASK_REVERSIBLE) != 0) {
            (void)case_add(w, once_unmask, c, "%s, unmask %zu bytes", column_name(c), n);
        }
    }
}

static const struct bench_case *ways_add(struct world *w,
                                         const struct bench_case *seals[static WAYS])
{
    for (unsigned i = 0; i < WAYS; i++) {
        seals[i] = case_add(w, once_seal, &ways[i], "%s", ways[i].name);
    }
    return case_add(w, once_open, NULL, "own SIV, open");
}

static const struct bench_case *best_evp(const struct bench_case *const seals[static WAYS])
{
    const struct bench_case *best = seals[1];

    for (unsigned i = 2; i < WAYS; i++) {
        best = median(seals[i]->ns) < median(best->ns) ? seals[i] : best;
    }
    return best;
}

static void print_cases(const struct bench_case *own,
                        const struct bench_case *const seals[static WAYS])
{
    (void)printf("%-40s %10s\n", "a value", "ns");
    for (const struct bench_case *c = cases; c < seals[0]; c++) {
        (void)printf("%-40s %10.0f\n", c->name, median(c->ns));
    }
    (void)printf("\n%-40s %10s %10s\n", "AES-256-SIV of 16 bytes", "ns", "times own");
    for (unsigned i = 0; i < WAYS; i++) {
        (void)printf("%-40s %10.0f %10.1f\n", seals[i]->name, median(seals[i]->ns),
                     ratio_of(seals[i], own));
    }
}

int main(void)
{
    struct world *w = world_begin();
    const struct bench_case *seals[WAYS];
    const struct bench_case *opened;
    const struct bench_case *fields;
    double ratio;
    double two_ns;

    methods_add(w);
    opened = ways_add(w, seals);
    fields = case_add(w, once_two_fields, NULL, "two fields");
    measure(w);
    print_cases(seals[0], seals);
    (void)printf("%-40s %10.0f\n\n", opened->name, median(opened->ns));
    ratio = ratio_of(best_evp(seals), seals[0]);
    two_ns = median(fields->ns);
    (void)printf("own SIV is %.1f times EVP's best pattern (aim: %d)\n", ratio, RATIO_MIN);
    (void)printf("two fields cost %.0f ns a message (aim: under %d)\n", two_ns, TWO_FIELDS_MAX_NS);
    world_end(w);
    return ratio >= RATIO_MIN && two_ns < TWO_FIELDS_MAX_NS ? 0 : 1;
}
