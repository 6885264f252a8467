/* keys/hkdf.h - HKDF-SHA256, extract and expand in one call.  Only for keys/ and its tests. */
#ifndef SLUICE_KEYS_HKDF_H
#define SLUICE_KEYS_HKDF_H

#include "base/err.h"
#include "base/str.h"

struct sl_hkdf {
    const unsigned char *ikm; /* input key material */
    size_t ikm_n;
    sl_str salt;
    sl_str info;
};

/* Derive `n` bytes.
 *
 * Shape:   ikm and salt at least one byte; n 1..8160
 * Errors:  SL_CRYPTO (stop)  libcrypto refused; out is wiped
 * Threads: any
 * Cost:    about 10 us: at start, never for a value
 * Source:  RFC 5869; vectors: tests/unit/test_keyring.c
 */
sl_rc sl_hkdf_sha256(const struct sl_hkdf *in, unsigned char *out, size_t n, struct sl_err *e)
    SL_MUST_CHECK;

#endif
