/* keys/key_json.h - a key ring as JSON, the form that secret stores keep.  Only for keys/. */
#ifndef SLUICE_KEYS_KEY_JSON_H
#define SLUICE_KEYS_KEY_JSON_H

#include "keys/keyring.h"

/* Whether a text of keys is the JSON form: it begins with '{'. */
bool sl_key_json_is(sl_str text);

/* Read {"active":"k2","keys":{"k1":"<base64>","k2":"<base64>"}} into an empty ring; every key
 * that is not active is decrypt.
 *
 * Shape:   exactly these members, in any order; there are no check values in it
 * Errors:  SL_KEY (stop)  anything else; no message quotes it
 *          SL_NOMEM (retry); SL_CRYPTO (stop)
 */
sl_rc sl_key_json_read(sl_str text, struct sl_keyring *ring, struct sl_err *e) SL_MUST_CHECK;

#endif
