/* cmd/generate_event.c - login events out of a seed. */
#include "cmd/generate_event.h"

enum {
    DEVICE_IDS = 1000000000,
    DEVICE_BITS = 30, /* the least that hold them all */
    IP_BITS = 32,
    NULL_LOCALES_PERCENT = 30,
    LONG_LOCALE_CHARS = 300,
    FIELD_CHARS = 48,
};

/* What an event says, as JSON values without their quotes. */
struct event {
    char user_id[FIELD_CHARS];
    char app_version[FIELD_CHARS];
    const char *device_type;
    char ip[FIELD_CHARS];
    char locale[3]; /* "" is null */
    char device_id[FIELD_CHARS];
};

/* ISO 3166-1 alpha-2, officially assigned. */
static const char locales[] = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBV"
                              "BWBYBZCACCCDCFCGCHCICKCLCMCN"
                              "COCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGH"
                              "GIGLGMGNGPGQGRGSGTGUGWGYHKHM"
                              "HNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILK"
                              "LRLSLTLULVLYMAMCMDMEMFMGMHMK"
                              "MLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPK"
                              "PLPMPNPRPSPTPWPYQARERORSRURW"
                              "SASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTT"
                              "TVTWTZUAUGUMUSUYUZVAVCVEVGVI"
                              "VNVUWFWSYEYTZAZMZW";

/* ------------------------------------------------------------------- numbers */

/* splitmix64.  Source: https://prng.di.unimi.it/splitmix64.c (public domain) */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* 0 to n-1; the bias of n out of 2^64 is far below what a test could see. */
static uint64_t random_below(uint64_t *state, uint64_t n)
{
    return random_next(state) % n;
}

/* A stream of its own for event `i`, so that no event depends on how another was made. */
static uint64_t random_of(uint64_t seed, uint64_t i)
{
    uint64_t state = seed;

    state = random_next(&state) ^ i;
    return random_next(&state);
}

/* One of the permutations of 0 to 2^bits - 1: xorshifts and odd factors can be undone. */
static uint64_t permute(uint64_t x, unsigned bits, uint64_t seed)
{
    const uint64_t mask = ((uint64_t)1 << bits) - 1;

    for (unsigned round = 0; round < 3; round++) {
        x = (x + random_next(&seed)) & mask;
        x ^= x >> (bits / 2);
        x = (x * (random_next(&seed) | 1)) & mask;
        x ^= x >> (bits / 2 - 1);
    }
    return x;
}

/* ---------------------------------------------------------------- good events */

static void put_number(char **at, unsigned n)
{
    char digits[10];
    unsigned i = 0;

    do {
        digits[i++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    while (i > 0) {
        *(*at)++ = digits[--i];
    }
}

static void put_digits(char **at, unsigned n, unsigned width)
{
    unsigned unit = 1;

    while (--width > 0) {
        unit *= 10;
    }
    for (; unit > 0; unit /= 10) {
        *(*at)++ = (char)('0' + n / unit % 10);
    }
}

/* RFC 9562 section 5.4: version 4. */
static void make_user_id(char *at, uint64_t *random)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t halves[2] = { random_next(random), random_next(random) };

    halves[0] = (halves[0] & ~(uint64_t)0xf000) | 0x4000;
    halves[1] = (halves[1] & ~((uint64_t)3 << 62)) | (uint64_t)2 << 62;
    for (unsigned i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            *at++ = '-';
        }
        *at++ = hex[halves[i / 16] >> (60 - i % 16 * 4) & 0xf];
    }
    *at = '\0';
}

/* Two or three parts, some with a leading zero: "2.3", "6.02", "0.1.1". */
static void make_version(char *at, uint64_t *random)
{
    const unsigned parts = random_below(random, 100) < 54 ? 2 : 3;

    put_number(&at, (unsigned)random_below(random, 10));
    for (unsigned i = 1; i < parts; i++) {
        const unsigned part = (unsigned)random_below(random, 100);

        *at++ = '.';
        if (random_below(random, 8) == 0) {
            put_digits(&at, part, 2);
        } else {
            put_number(&at, part);
        }
    }
    *at = '\0';
}

/* Any quad, reserved ranges too: real data has them. */
static void make_ip(char *at, uint64_t ip)
{
    for (unsigned i = 0; i < 4; i++) {
        put_number(&at, (unsigned)(ip >> (24 - 8 * i) & 0xff));
        *at++ = '.';
    }
    at[-1] = '\0';
}

static void make_device_id(char *at, uint64_t device)
{
    const unsigned n = (unsigned)device;

    put_digits(&at, n / 1000000, 3);
    *at++ = '-';
    put_digits(&at, n / 10000 % 100, 2);
    *at++ = '-';
    put_digits(&at, n % 10000, 4);
    *at = '\0';
}

/* Where the `i`-th original comes from: no two share an ip or a device id, so that whoever counts
 * repeats finds those that were asked for. */
static void make_origin(struct event *event, uint64_t seed, uint64_t i)
{
    uint64_t device = i;

    do {
        device = permute(device, DEVICE_BITS, seed);
    } while (device >= DEVICE_IDS);
    make_ip(event->ip, permute(i, IP_BITS, ~seed));
    make_device_id(event->device_id, device);
}

static struct event make_event(uint64_t *random, uint64_t seed, uint64_t origin)
{
    struct event event = { .device_type = random_below(random, 2) == 0 ? "ios" : "android" };

    make_user_id(event.user_id, random);
    make_version(event.app_version, random);
    if (random_below(random, 100) >= NULL_LOCALES_PERCENT) {
        memcpy(event.locale, locales + random_below(random, (sizeof locales - 1) / 2) * 2, 2);
    }
    make_origin(&event, seed, origin);
    return event;
}

static void write_locale(struct sl_buf *out, const struct event *event)
{
    if (event->locale[0] == '\0') {
        sl_buf_printf(out, ", \"locale\": null");
    } else {
        sl_buf_printf(out, ", \"locale\": \"%s\"", event->locale);
    }
}

/* The fields from `device_type` on, which bad events share. */
static void write_rest(struct sl_buf *out, const struct event *event)
{
    sl_buf_printf(out, ", \"device_type\": \"%s\", \"ip\": \"%s\"", event->device_type, event->ip);
    write_locale(out, event);
    sl_buf_printf(out, ", \"device_id\": \"%s\"}", event->device_id);
}

static void write_event(struct sl_buf *out, const struct event *event)
{
    sl_buf_printf(out, "{\"user_id\": \"%s\", \"app_version\": \"%s\"", event->user_id,
                  event->app_version);
    write_rest(out, event);
}

/* ----------------------------------------------------------------- bad events */

static void write_long_locale(struct sl_buf *out, const struct event *event)
{
    sl_buf_printf(out,
                  "{\"user_id\": \"%s\", \"app_version\": \"%s\", \"device_type\": \"%s\", "
                  "\"ip\": \"%s\", \"locale\": \"",
                  event->user_id, event->app_version, event->device_type, event->ip);
    for (unsigned i = 0; i < LONG_LOCALE_CHARS; i++) {
        sl_buf_add_char(out, (char)('A' + i % 26));
    }
    sl_buf_printf(out, "\", \"device_id\": \"%s\"}", event->device_id);
}

/* A field's text with an escape behind it that JSON allows and PostgreSQL or Unicode does not. */
static void write_escape(struct sl_buf *out, const struct event *event, const char *escape)
{
    sl_buf_printf(out,
                  "{\"user_id\": \"%s\", \"app_version\": \"%s\", \"device_type\": \"%s%s\", "
                  "\"ip\": \"%s\"",
                  event->user_id, event->app_version, event->device_type, escape, event->ip);
    write_locale(out, event);
    sl_buf_printf(out, ", \"device_id\": \"%s\"}", event->device_id);
}

static void write_cut_off(struct sl_buf *out, const struct event *event)
{
    const size_t begin = out->len;

    write_event(out, event);
    if (!out->has_failed) {
        out->len = begin + (out->len - begin) / 2;
    }
}

static void write_bad(struct sl_buf *out, const struct event *event, enum sl_bad_event kind)
{
    switch (kind) {
    case SL_BAD_EVENT_OTHER_TYPE:
        sl_buf_printf(out, "{\"foo\": \"oops_wrong_msg_type\", \"bar\": \"123\"}");
        break;
    case SL_BAD_EVENT_NOT_JSON:
        sl_buf_printf(out, "user_id=%s;app_version=%s", event->user_id, event->app_version);
        break;
    case SL_BAD_EVENT_CUT_OFF:
        write_cut_off(out, event);
        break;
    case SL_BAD_EVENT_ARRAY:
        sl_buf_add_char(out, '[');
        write_event(out, event);
        sl_buf_add_char(out, ']');
        break;
    case SL_BAD_EVENT_DUPLICATE_KEY:
        sl_buf_printf(out, "{\"user_id\": \"%s\", \"user_id\": \"%s\", \"app_version\": \"%s\"",
                      event->user_id, event->user_id, event->app_version);
        write_rest(out, event);
        break;
    case SL_BAD_EVENT_MISSING_FIELD:
        sl_buf_printf(out, "{\"app_version\": \"%s\"", event->app_version);
        write_rest(out, event);
        break;
    case SL_BAD_EVENT_NULL_FIELD:
        sl_buf_printf(out, "{\"user_id\": null, \"app_version\": \"%s\"", event->app_version);
        write_rest(out, event);
        break;
    case SL_BAD_EVENT_NUMBER_FOR_STRING:
        sl_buf_printf(out, "{\"user_id\": 42, \"app_version\": \"%s\"", event->app_version);
        write_rest(out, event);
        break;
    case SL_BAD_EVENT_FOUR_PART_VERSION:
        sl_buf_printf(out, "{\"user_id\": \"%s\", \"app_version\": \"1.2.3.4\"", event->user_id);
        write_rest(out, event);
        break;
    case SL_BAD_EVENT_LONG_LOCALE:
        write_long_locale(out, event);
        break;
    case SL_BAD_EVENT_NUL_CHARACTER:
        write_escape(out, event, "\\u0000");
        break;
    case SL_BAD_EVENT_LONE_SURROGATE:
        write_escape(out, event, "\\ud800");
        break;
    case SL_BAD_EVENT_EMPTY_OBJECT:
    case SL_BAD_EVENT_N:
        sl_buf_printf(out, "{}");
        break;
    }
}

/* --------------------------------------------------------------- the generator */

static uint64_t share_of(uint64_t count, double share)
{
    const uint64_t n = (uint64_t)((double)count * share + 0.5);

    return n < count ? n : count;
}

void sl_generator_init(struct sl_generator *g, uint64_t seed, uint64_t count, double duplicates,
                       double bad)
{
    const uint64_t bad_n = share_of(count, bad);
    const uint64_t good = count - bad_n;
    uint64_t duplicates_n = share_of(count, duplicates);

    if (good == 0) {
        duplicates_n = 0;
    } else if (duplicates_n >= good) {
        duplicates_n = good - 1;
    }
    *g = (struct sl_generator){
        .seed = seed,
        .random = random_of(seed, UINT64_MAX),
        .bad_left = bad_n,
        .duplicates_left = duplicates_n,
        .originals_left = good - duplicates_n,
    };
}

static void next_bad(struct sl_generator *g, struct sl_buf *out, uint64_t *random)
{
    /* Each kind in its turn.  Their ips and device ids are of no original. */
    const uint64_t kind = g->bad % SL_BAD_EVENT_N;
    const struct event event = make_event(random, g->seed ^ 0xbad, g->bad);

    write_bad(out, &event, (enum sl_bad_event)kind);
    g->bad++;
    g->bad_left--;
}

bool sl_generator_next(struct sl_generator *g, struct sl_buf *out)
{
    /* While there is no original, there is nothing to repeat. */
    const uint64_t duplicates = g->originals > 0 ? g->duplicates_left : 0;
    const uint64_t left = g->bad_left + g->originals_left + duplicates;
    uint64_t random = random_of(g->seed, g->made);
    uint64_t choice;
    struct event event;

    if (left == 0) {
        return false;
    }
    /* Each kind in proportion to what is left of it makes the totals exact. */
    choice = random_below(&g->random, left);
    g->made++;
    if (choice < g->bad_left) {
        next_bad(g, out, &random);
        return true;
    }
    if (choice < g->bad_left + duplicates) {
        event = make_event(&random, g->seed, random_below(&g->random, g->originals));
        g->duplicates_left--;
    } else {
        event = make_event(&random, g->seed, g->originals++);
        g->originals_left--;
    }
    write_event(out, &event);
    return true;
}
