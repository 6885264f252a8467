/* masking/fpe.c - FF1 over a declared alphabet and format. */
#include "masking/fpe.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "masking/ff1.h"

enum { CHARS = 256, NONE = 255 /* no numeral: the largest is 93 */ };

#define DECIMAL SL_STR("0123456789")

/* An alphabet and a format, as they are worked with. */
struct fpe_form {
    unsigned radix;
    unsigned digits_n; /* places that are characters of the alphabet */
    size_t places_n;   /* 0: without a format */
    uint8_t numeral[CHARS];
    char character[SL_FPE_ALPHABET_MAX];
    bool is_digit[SL_FPE_FORMAT_MAX];
    char literal[SL_FPE_FORMAT_MAX];
};

struct sl_fpe {
    struct sl_ff1 *ff1;
    struct fpe_form form;
    size_t tweak_n;
    char tweak[SL_FPE_TWEAK_MAX];
};

static sl_rc form_alphabet(struct fpe_form *form, sl_str alphabet, struct sl_err *e)
{
    if (alphabet.len < 2 || alphabet.len > SL_FPE_ALPHABET_MAX) {
        return SL_FAIL(e, SL_CONFIG, "alphabet has %zu characters, 2 to %d are allowed",
                       alphabet.len, SL_FPE_ALPHABET_MAX);
    }
    memset(form->numeral, NONE, sizeof form->numeral);
    for (size_t i = 0; i < alphabet.len; i++) {
        const unsigned char c = (unsigned char)alphabet.ptr[i];

        if (c <= ' ' || c > '~') {
            return SL_FAIL(e, SL_CONFIG,
                           "alphabet: character %zu is a blank or not printable ASCII", i + 1);
        }
        if (form->numeral[c] != NONE) {
            return SL_FAIL(e, SL_CONFIG, "alphabet has the character %c twice", c);
        }
        form->numeral[c] = (uint8_t)i;
        form->character[i] = (char)c;
    }
    form->radix = (unsigned)alphabet.len;
    return SL_OK;
}

/* Characters up to and including the one that byte `at` is of: all bytes but those within one. */
static size_t position(const char *text, size_t at)
{
    size_t n = 0;

    for (size_t i = 0; i <= at; i++) {
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return n;
}

static sl_rc form_places(struct fpe_form *form, sl_str format, struct sl_err *e)
{
    for (size_t i = 0; i < format.len; i++) {
        const bool is_escaped = format.ptr[i] == '\\';
        const size_t n = form->places_n;
        unsigned char c;

        i += is_escaped;
        if (i == format.len) {
            return SL_FAIL(e, SL_CONFIG, "format ends in a backslash without a character");
        }
        c = (unsigned char)format.ptr[i];
        if (c < ' ' || c == 0x7f) {
            return SL_FAIL(e, SL_CONFIG, "format: character %zu is a control character",
                           position(format.ptr, i));
        }
        if (n == SL_FPE_FORMAT_MAX) {
            return SL_FAIL(e, SL_CONFIG, "format has more than %d places", SL_FPE_FORMAT_MAX);
        }
        form->is_digit[n] = c == 'd' && !is_escaped;
        form->literal[n] = (char)c;
        form->digits_n += form->is_digit[n];
        form->places_n++;
    }
    return SL_OK;
}

static sl_rc form_read(struct fpe_form *form, sl_str alphabet, sl_str format, struct sl_err *e)
{
    *form = (struct fpe_form){ 0 };
    SL_TRY(form_alphabet(form, alphabet.len > 0 ? alphabet : DECIMAL, e));
    SL_TRY(form_places(form, format, e));
    if (form->places_n == 0) {
        return SL_OK;
    }
    if (form->digits_n > SL_FF1_DIGITS_MAX) {
        return SL_FAIL(e, SL_CONFIG,
                       "format has %u places of the alphabet, at most %d can be masked",
                       form->digits_n, SL_FF1_DIGITS_MAX);
    }
    if (!sl_ff1_domain_is_allowed(form->radix, form->digits_n)) {
        return SL_FAIL(e, SL_CONFIG,
                       "format has %u places of the alphabet (d), with %u characters at least %u "
                       "are needed: under a million values could all be tried",
                       form->digits_n, form->radix, sl_ff1_digits_min(form->radix));
    }
    return SL_OK;
}

sl_rc sl_fpe_check(sl_str alphabet, sl_str format, struct sl_err *e)
{
    struct fpe_form form;

    return form_read(&form, alphabet, format, e);
}

/* What does not fit.  Numbers only: the text may be somebody's. */
static sl_rc text_refuse(const char *what, const char *text, size_t at, const char *why,
                         struct sl_err *e)
{
    return SL_FAIL(e, SL_VALUE, "%s does not fit: character %zu is not %s", what,
                   position(text, at), why);
}

static sl_rc text_read_format(const struct fpe_form *form, const char *what, const char *text,
                              size_t n, uint8_t *digits, struct sl_err *e)
{
    const size_t common = n < form->places_n ? n : form->places_n;

    for (size_t i = 0; i < common; i++) {
        const uint8_t numeral = form->numeral[(unsigned char)text[i]];

        if (form->is_digit[i]) {
            if (numeral == NONE) {
                return text_refuse(what, text, i, "in the alphabet", e);
            }
            *digits++ = numeral;
        } else if (text[i] != form->literal[i]) {
            return text_refuse(what, text, i, "the one that the format has there", e);
        }
    }
    if (n < form->places_n) {
        return SL_FAIL(e, SL_VALUE, "%s does not fit: it ends after character %zu of %zu", what,
                       position(text, n - 1), position(form->literal, form->places_n - 1));
    }
    if (n > form->places_n) {
        return SL_FAIL(e, SL_VALUE, "%s does not fit: it goes on after character %zu, the last",
                       what, position(form->literal, form->places_n - 1));
    }
    return SL_OK;
}

static sl_rc text_read_whole(const struct fpe_form *form, const char *what, const char *text,
                             size_t n, uint8_t *digits, struct sl_err *e)
{
    for (size_t i = 0; i < n && i < SL_FF1_DIGITS_MAX; i++) {
        digits[i] = form->numeral[(unsigned char)text[i]];
        if (digits[i] == NONE) {
            return text_refuse(what, text, i, "in the alphabet", e);
        }
    }
    if (n > SL_FF1_DIGITS_MAX || !sl_ff1_domain_is_allowed(form->radix, (unsigned)n)) {
        return SL_FAIL(e, SL_VALUE,
                       "%s does not fit: it has %zu characters, with %u in the alphabet %u to %d "
                       "can be masked",
                       what, n, form->radix, sl_ff1_digits_min(form->radix), SL_FF1_DIGITS_MAX);
    }
    return SL_OK;
}

static void text_write(const struct fpe_form *form, const uint8_t *digits, char *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (form->places_n == 0 || form->is_digit[i]) {
            out[i] = form->character[*digits++];
        } else {
            out[i] = form->literal[i];
        }
    }
}

typedef sl_rc fpe_cipher(struct sl_ff1 *f, sl_str tweak, uint8_t *digits, unsigned n,
                         struct sl_err *e);

/* Text to text, in one direction or the other; `what` it is stands in the reports. */
static sl_rc fpe_turn(struct sl_fpe *f, fpe_cipher *cipher, const char *what, sl_str text,
                      struct sl_arena *a, char **ret, struct sl_err *e)
{
    const struct fpe_form *form = &f->form;
    uint8_t digits[SL_FF1_DIGITS_MAX] = { 0 };
    char *out;
    sl_rc rc;

    if (form->places_n > 0) {
        rc = text_read_format(form, what, text.ptr, text.len, digits, e);
    } else {
        rc = text_read_whole(form, what, text.ptr, text.len, digits, e);
    }
    if (rc == SL_OK) {
        rc = cipher(f->ff1, (sl_str){ f->tweak, f->tweak_n }, digits,
                    form->places_n > 0 ? form->digits_n : (unsigned)text.len, e);
    }
    if (rc == SL_OK) {
        out = sl_arena_alloc(a, text.len);
        if (out == NULL) {
            rc = SL_FAIL(e, SL_NOMEM, "no room for a masked value: arena holds %zu of %zu bytes",
                         a->held_bytes, a->max_bytes);
        } else {
            text_write(form, digits, out, text.len);
            *ret = out;
        }
    }
    OPENSSL_cleanse(digits, sizeof digits);
    return rc;
}

sl_rc sl_fpe_mask(struct sl_fpe *f, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                  struct sl_err *e)
{
    char *token;

    if (value.len == 0) {
        *ret = SL_STR("");
        return SL_OK;
    }
    SL_TRY(fpe_turn(f, sl_ff1_encrypt, "value", (sl_str){ value.secret, value.len }, a, &token, e));
    *ret = (sl_str){ token, value.len };
    return SL_OK;
}

sl_rc sl_fpe_unmask(struct sl_fpe *f, sl_str token, struct sl_arena *a, sl_cleartext *ret,
                    struct sl_err *e)
{
    char *value;

    if (token.len == 0) {
        *ret = sl_cleartext_of(SL_STR(""));
        return SL_OK;
    }
    SL_TRY(fpe_turn(f, sl_ff1_decrypt, "token", token, a, &value, e));
    *ret = (sl_cleartext){ value, token.len };
    return SL_OK;
}

static sl_rc fpe_fill(struct sl_fpe *f, const unsigned char *key, sl_str tweak, sl_str alphabet,
                      sl_str format, struct sl_err *e)
{
    if (tweak.len > sizeof f->tweak) {
        return SL_FAIL(e, SL_BUG, "tweak has %zu bytes, at most %zu are allowed", tweak.len,
                       sizeof f->tweak);
    }
    if (tweak.len > 0) {
        memcpy(f->tweak, tweak.ptr, tweak.len);
    }
    f->tweak_n = tweak.len;
    SL_TRY(form_read(&f->form, alphabet, format, e));
    return sl_ff1_new(key, SL_FPE_KEY_BYTES, f->form.radix, &f->ff1, e);
}

sl_rc sl_fpe_new(const unsigned char key[static SL_FPE_KEY_BYTES], sl_str tweak, sl_str alphabet,
                 sl_str format, struct sl_fpe **ret, struct sl_err *e)
{
    struct sl_fpe *f = calloc(1, sizeof *f);
    sl_rc rc;

    if (f == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not allocate a cipher context");
    }
    rc = fpe_fill(f, key, tweak, alphabet, format, e);
    if (rc != SL_OK) {
        sl_fpe_free(f);
        return rc;
    }
    *ret = f;
    return SL_OK;
}

void sl_fpe_free(struct sl_fpe *f)
{
    if (f == NULL) {
        return;
    }
    sl_ff1_free(f->ff1);
    OPENSSL_cleanse(f, sizeof *f);
    free(f);
}
