/* keys/key_file.h - a key ring in a file: lines of `id state base64(32 bytes) check_value`. */
#ifndef SLUICE_KEYS_KEY_FILE_H
#define SLUICE_KEYS_KEY_FILE_H

#include "keys/keyring.h"

/* Read a key file.
 *
 * Shape:   regular file of at most 64 KiB; '#' starts a comment line; states active (exactly
 *          one), decrypt, retired; a retired key may be the word `destroyed` in place of its
 *          base64: it keeps its id.  Or JSON, see keys/key_json.h
 * Owns:    *ret, to be ended with sl_keyring_free
 * Errors:  SL_KEY (stop)  missing file, not a regular file, owned by somebody else, readable by
 *                         group or others, not a valid line (file:line), duplicate id, all-zero
 *                         key, wrong check value, no active key; each says what to do
 * Blocks:  on the file
 */
sl_rc sl_key_file_open(const char *path, struct sl_keyring **ret, struct sl_err *e) SL_MUST_CHECK;

/* Parse the text of a key file; `name` stands for it in messages.  Same errors, less the file's. */
sl_rc sl_key_file_parse(const char *name, sl_str text, struct sl_keyring **ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Create a key file with one active key of 32 random bytes, mode 0600; never overwrites.
 * Errors: SL_KEY (stop) bad id or the file exists; SL_IO (stop); SL_CRYPTO (stop) */
sl_rc sl_key_file_create(const char *path, sl_str id, struct sl_err *e) SL_MUST_CHECK;

#endif
