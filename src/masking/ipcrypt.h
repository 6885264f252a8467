/* masking/ipcrypt.h - an address becomes another address: ipcrypt-deterministic and ipcrypt-pfx.
 *
 * There is no room for a key id and none for a tag: who unmasks must know the key, and any
 * address unmasks to one.
 */
#ifndef SLUICE_MASKING_IPCRYPT_H
#define SLUICE_MASKING_IPCRYPT_H

#include "base/arena.h"
#include "base/cleartext.h"
#include "base/err.h"

enum sl_ipcrypt_kind {
    SL_IPCRYPT_DETERMINISTIC, /* one permutation of 2^128: IPv4 in, as good as always IPv6 out */
    SL_IPCRYPT_PREFIX,        /* IPv4 stays IPv4; what shares its first n bits goes on doing so */
};

enum {
    SL_IPCRYPT_DETERMINISTIC_KEY_BYTES = 16,
    SL_IPCRYPT_PREFIX_KEY_BYTES = 32,
    SL_IPCRYPT_CHARS_MAX = 39, /* of a result */
};

struct sl_ipcrypt;

/* Make the cipher of one key; the caller wipes its own copy of the key.
 *
 * Shape:   key as long as the kind needs
 * Errors:  SL_KEY (stop)  the two halves of a prefix key are equal: it would change nothing
 *          SL_CRYPTO (stop), SL_NOMEM (retry)
 * Threads: one per sl_ipcrypt
 */
sl_rc sl_ipcrypt_new(enum sl_ipcrypt_kind kind, const unsigned char *key, struct sl_ipcrypt **ret,
                     struct sl_err *e) SL_MUST_CHECK;
void sl_ipcrypt_free(struct sl_ipcrypt *c);

/* Mask an address.
 *
 *     deterministic: AES-128(K, address)      16 bytes, IPv4 as ::ffff:a.b.c.d
 *     prefix: bit i xor lsb(AES-128(K1, P) xor AES-128(K2, P)), P = 0..01 and the i bits before it
 *
 * Shape:   IPv4 or IPv6 text as inet_pton reads it, so without prefix length, zone or blanks; the
 *          result as inet_ntop prints it, IPv4-mapped as a dotted quad; "" stays "".
 *          All spellings of one address give one result, and so do 1.2.3.4 and ::ffff:1.2.3.4
 * Owns:    *ret lives in `a`
 * Errors:  SL_VALUE (dead letter)  not an address; or with the prefix kind one of the 2^32
 *          IPv6 addresses under a key whose result would read as IPv4
 *          SL_NOMEM (retry), SL_CRYPTO (stop)
 * Source:  draft-denis-ipcrypt sections 5, 6 and 9; vectors: tests/unit/test_ipcrypt.c
 */
sl_rc sl_ipcrypt_mask(struct sl_ipcrypt *c, sl_cleartext value, struct sl_arena *a, sl_str *ret,
                      struct sl_err *e) SL_MUST_CHECK;

/* Recover an address, in its canonical spelling: what was masked as ::ffff:1.2.3.4 comes back as
 * 1.2.3.4, and 2001:DB8:0::1 as 2001:db8::1.
 *
 * Errors:  as sl_ipcrypt_mask; another key, or a changed address, is not noticed
 * Cost:    with the prefix kind 64 AES calls for IPv4, 256 for IPv6, one after another
 */
sl_rc sl_ipcrypt_unmask(struct sl_ipcrypt *c, sl_str token, struct sl_arena *a, sl_cleartext *ret,
                        struct sl_err *e) SL_MUST_CHECK;

#endif
