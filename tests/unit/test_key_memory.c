/* tests/unit/test_key_memory.c - where this process holds a master key, and that nothing is left.
 *
 * It searches its own memory, so what it looks for must not lie there on its own account: a needle
 * is kept with every bit inverted, and what is read goes into a shared mapping, which the search
 * leaves out.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "keys/key_file.h"
#include "keys/key_source.h"
#include "keys/keyring_build.h"
#include "masking/column_mask.h"

enum {
    NEEDLE_MAX = 64,
    KEY_CHARS = 44,
    COMMENT_BYTES = 20000,
    HEAP_KEPT = 1 << 28, /* bytes */
    CHUNK = 1 << 20,
    MAPPING_MAX = 1 << 30, /* bytes; beyond that only a sanitizer has any, and no values in it */
    VALUES = 200,
};

#if defined(__SANITIZE_ADDRESS__)
static const bool can_lock = false; /* it makes mlock do nothing and say that it did */
#else
static const bool can_lock = true;
#endif

struct needle {
    unsigned char inverted[NEEDLE_MAX];
    size_t n;
};

/* What a search found. */
struct finding {
    unsigned mappings;
    unsigned places;
    uintptr_t at;    /* of the last */
    char flags[512]; /* of the mapping it is in */
    uint64_t searched_bytes;
};

static unsigned char *chunk; /* shared */

static int chunk_begin(void **state)
{
    (void)state;
    chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return chunk == MAP_FAILED ? -1 : 0;
}

static int chunk_end(void **state)
{
    (void)state;
    return munmap(chunk, CHUNK);
}

/* ---- searching ------------------------------------------------------------------------------------ */

static bool is_at(const struct needle *needle, const unsigned char *p)
{
    for (size_t i = 0; i < needle->n; i++) {
        if ((p[i] ^ needle->inverted[i]) != 0xff) {
            return false;
        }
    }
    return true;
}

/* In pieces that overlap.  Returns: how often it is there. */
static unsigned search_mapping(int memory, const struct needle *needle, uintptr_t from,
                               uintptr_t to, struct finding *found)
{
    unsigned places = 0;

    for (uintptr_t at = from; at + needle->n <= to; at += CHUNK - needle->n + 1) {
        const size_t want = to - at < CHUNK ? to - at : CHUNK;
        const ssize_t n = pread(memory, chunk, want, (off_t)at);
        const unsigned char *p = chunk;
        const unsigned char *last = chunk + n - (ssize_t)needle->n;

        for (; n > 0 && p <= last; p++) {
            p = memchr(p, needle->inverted[0] ^ 0xff, (size_t)(last - p) + 1);
            if (p == NULL) {
                break;
            }
            if (is_at(needle, p)) {
                places++;
                found->at = at + (size_t)(p - chunk);
            }
        }
        found->searched_bytes += n > 0 ? (uint64_t)n : 0;
    }
    return places;
}

/* Every readable private mapping, with its flags. */
static struct finding search(const struct needle *needle)
{
    const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *list = fopen("/proc/self/smaps", "re");
    struct finding found = { 0 };
    unsigned places = 0;
    char line[512];

    assert_true(memory >= 0 && list != NULL);
    while (fgets(line, sizeof line, list) != NULL) {
        uintptr_t from;
        uintptr_t to;
        char rights[5];

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, rights) == 3) {
            places = rights[0] == 'r' && rights[3] == 'p' && to - from <= MAPPING_MAX
                         ? search_mapping(memory, needle, from, to, &found)
                         : 0;
            found.places += places;
            found.mappings += places > 0;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && places > 0) {
            (void)snprintf(found.flags, sizeof found.flags, "%s", line + 8);
        }
    }
    (void)fclose(list);
    (void)close(memory);
    assert_true(found.searched_bytes > 100000);
    return found;
}

static void assert_found(const struct needle *needle, unsigned places)
{
    const struct finding found = search(needle);

    if (found.places != places) {
        fail_msg("found %u times, %u expected; the last at %" PRIxPTR, found.places, places,
                 found.at);
    }
}

/* ---- secrets --------------------------------------------------------------------------------------- */

/* Read anew each time, so that no compiler makes a constant of what comes from it. */
static volatile unsigned seed;

static void secret_make(unsigned char master[static SL_KEY_BYTES])
{
    unsigned x = seed;

    for (unsigned i = 0; i < SL_KEY_BYTES; i++) {
        x = x * 1103515245 + 12345;
        master[i] = (unsigned char)(x >> 16);
    }
}

static struct needle needle_of(const void *bytes, size_t n)
{
    struct needle needle = { .n = n };

    assert_true(n <= NEEDLE_MAX);
    for (size_t i = 0; i < n; i++) {
        needle.inverted[i] = (unsigned char)~((const volatile unsigned char *)bytes)[i];
    }
    return needle;
}

/* The needles of a new secret: its bytes, and its text in a key file. */
struct secret {
    struct needle bytes;
    struct needle text;
};

static struct secret secret_new(unsigned number)
{
    unsigned char master[SL_KEY_BYTES];
    char text[KEY_CHARS];
    struct secret s;

    seed = number;
    secret_make(master);
    assert_int_equal(sl_base64_encode(SL_BASE64, master, sizeof master, text), KEY_CHARS);
    s.bytes = needle_of(master, sizeof master);
    s.text = needle_of(text, sizeof text);
    explicit_bzero(master, sizeof master);
    explicit_bzero(text, sizeof text);
    return s;
}

/* "k1 active BASE64 CHECK\n".  Returns: its length. */
static int secret_line(char *out, size_t size)
{
    unsigned char master[SL_KEY_BYTES];
    char check[SL_KEY_CHECK_CHARS + 1];
    char text[KEY_CHARS];
    int n;

    secret_make(master);
    assert_int_equal(sl_key_check_value(master, check, NULL), SL_OK);
    assert_int_equal(sl_base64_encode(SL_BASE64, master, sizeof master, text), KEY_CHARS);
    n = snprintf(out, size, "k1 active %.*s %s\n", KEY_CHARS, text, check);
    explicit_bzero(master, sizeof master);
    explicit_bzero(text, sizeof text);
    return n;
}

/* Long before the key and after it, so that what was read is not soon written over by chance. */
static void comment_write(int fd)
{
    char comment[COMMENT_BYTES];

    memset(comment, '#', sizeof comment);
    comment[sizeof comment - 1] = '\n';
    assert_int_equal(write(fd, comment, sizeof comment), sizeof comment);
}

static struct sl_keyring *ring_from_file(void)
{
    char path[] = "/tmp/sluice_test_key_memory.XXXXXX";
    struct sl_keyring *ring = NULL;
    char line[256];
    const int fd = mkstemp(path);
    const int n = secret_line(line, sizeof line);

    assert_true(fd >= 0);
    comment_write(fd);
    assert_int_equal(write(fd, line, (size_t)n), n);
    comment_write(fd);
    explicit_bzero(line, sizeof line);
    assert_int_equal(close(fd), 0);
    assert_int_equal(sl_key_file_open(path, &ring, NULL), SL_OK);
    assert_int_equal(unlink(path), 0);
    return ring;
}

static struct sl_keyring *ring_from_variable(void)
{
    struct sl_key_source source = SL_KEY_SOURCE_NONE;
    struct sl_keyring *ring = NULL;
    char line[256];

    (void)secret_line(line, sizeof line);
    assert_int_equal(setenv("SLUICE_TEST_KEYS", line, 1), 0);
    explicit_bzero(line, sizeof line);
    source.env = SL_STR("SLUICE_TEST_KEYS");
    assert_int_equal(sl_keys_open(&source, &ring, NULL), SL_OK);
    return ring;
}

/* ---- what must hold ---------------------------------------------------------------------------------- */

static void assert_kept(const struct needle *needle, const struct sl_keyring *ring)
{
    const struct finding found = search(needle);

    assert_int_equal(found.places, 1);
    assert_int_equal(found.mappings, 1);
    assert_ptr_equal((void *)found.at, sl_keyring_active(ring)->master);
    if (strstr(found.flags, " dd ") == NULL) {
        fail_msg("the mapping of the masters would be dumped: %s", found.flags);
    }
    if (can_lock && sl_keyring_is_locked(ring) && strstr(found.flags, " lo ") == NULL) {
        fail_msg("the mapping of the masters is not locked: %s", found.flags);
    }
}

static void the_search_finds_what_is_there_and_nothing_that_is_wiped(void **state)
{
    const struct secret s = secret_new(1);
    unsigned char *copy = malloc(SL_KEY_BYTES);

    (void)state;
    assert_non_null(copy);
    assert_found(&s.bytes, 0);
    secret_make(copy);
    assert_found(&s.bytes, 1);
    explicit_bzero(copy, SL_KEY_BYTES);
    assert_found(&s.bytes, 0);
    free(copy);
}

static void a_master_lies_in_one_place_that_is_not_dumped_and_then_in_none(void **state)
{
    const struct secret s = secret_new(2);
    struct sl_keyring *ring = ring_from_file();

    (void)state;
    assert_kept(&s.bytes, ring);
    assert_found(&s.text, 0);
    sl_keyring_free(ring);
    assert_found(&s.bytes, 0);
}

static void nothing_is_left_of_a_key_file_in_a_variable(void **state)
{
    const struct secret s = secret_new(3);
    struct sl_keyring *ring = ring_from_variable();

    (void)state;
    assert_kept(&s.bytes, ring);
    assert_found(&s.text, 0);
    sl_keyring_free(ring);
    assert_found(&s.bytes, 0);
}

static void nothing_is_left_of_a_key_file_that_is_refused(void **state)
{
    const struct secret s = secret_new(4);
    struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };
    char text[600];
    const int n = secret_line(text, sizeof text);

    (void)state;
    /* The same key twice: it is in the ring already when the second is refused. */
    memcpy(text + n, text, (size_t)n);
    assert_int_equal(sl_key_file_parse("x", (sl_str){ text, 2 * (size_t)n }, &ring, &e), SL_KEY);
    explicit_bzero(text, sizeof text);
    assert_found(&s.bytes, 0);
    assert_found(&s.text, 0);
}

static struct sl_column columns[] = {
    { .name = { "a", 1 }, .masking = { .method = SL_MASK_SIV, .context = { "a", 1 } } },
    { .name = { "b", 1 }, .masking = { .method = SL_MASK_HMAC, .context = { "b", 1 } } },
    { .name = { "c", 1 }, .masking = { .method = SL_MASK_IP, .context = { "c", 1 } } },
    { .name = { "d", 1 },
      .masking = { .method = SL_MASK_IP, .context = { "d", 1 }, .ip = SL_IP_PREFIX } },
    { .name = { "e", 1 }, .masking = { .method = SL_MASK_FPE, .context = { "e", 1 } } },
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

static const struct {
    const char *mode;
    size_t n;
} derived[COLUMNS] = {
    { "siv", 64 }, { "hmac", 32 }, { "ipcrypt-det", 16 }, { "ipcrypt-pfx", 32 }, { "ff1", 32 }
};

static struct needle derived_needle(const struct sl_keyring *ring, unsigned i)
{
    unsigned char key[NEEDLE_MAX];
    struct needle needle;

    assert_int_equal(sl_key_derive(sl_keyring_active(ring), derived[i].mode,
                                   columns[i].masking.context, key, derived[i].n, NULL),
                     SL_OK);
    needle = needle_of(key, derived[i].n);
    explicit_bzero(key, sizeof key);
    return needle;
}

static void mask_values(struct sl_masks *masks)
{
    struct sl_arena a;
    char value[32];

    sl_arena_init(&a, 16 << 20, 4096);
    for (unsigned i = 0; i < VALUES; i++) {
        for (unsigned k = 0; k < COLUMNS; k++) {
            const bool is_ip = columns[k].masking.method == SL_MASK_IP;
            const size_t n =
                (size_t)snprintf(value, sizeof value, is_ip ? "192.0.2.%u" : "1000%u", i + 10);
            sl_str masked;

            assert_int_equal(
                sl_column_mask_value(masks->of[k], (sl_cleartext){ value, n }, &a, &masked, NULL),
                SL_OK);
        }
    }
    sl_arena_done(&a);
}

/* Derived keys stay in libcrypto's contexts as long as they are used, and no longer. */
static void nothing_is_left_of_a_ring_and_its_masks_once_they_are_closed(void **state)
{
    const struct sl_config cfg = { .columns = columns, .columns_n = COLUMNS };
    const struct secret s = secret_new(5);
    struct sl_keyring *ring = ring_from_file();
    struct needle keys[COLUMNS];
    struct sl_masks masks;

    (void)state;
    assert_int_equal(sl_masks_open(&cfg, ring, &masks, NULL), SL_OK);
    mask_values(&masks);
    for (unsigned i = 0; i < COLUMNS; i++) {
        keys[i] = derived_needle(ring, i);
    }
    assert_kept(&s.bytes, ring);
    assert_found(&s.text, 0);
    sl_masks_close(&masks);
    for (unsigned i = 0; i < COLUMNS; i++) {
        assert_found(&keys[i], 0);
    }
    sl_keyring_free(ring);
    assert_found(&s.bytes, 0);
    assert_found(&s.text, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_search_finds_what_is_there_and_nothing_that_is_wiped),
        cmocka_unit_test(a_master_lies_in_one_place_that_is_not_dumped_and_then_in_none),
        cmocka_unit_test(nothing_is_left_of_a_key_file_in_a_variable),
        cmocka_unit_test(nothing_is_left_of_a_key_file_that_is_refused),
        cmocka_unit_test(nothing_is_left_of_a_ring_and_its_masks_once_they_are_closed),
    };

    /* What is freed stays in the process: giving it back to the system is no wiping. */
    (void)mallopt(M_MMAP_MAX, 0);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    return cmocka_run_group_tests(tests, chunk_begin, chunk_end);
}
