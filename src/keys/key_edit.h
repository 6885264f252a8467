/* keys/key_edit.h - changing a key file: one key at a time, the whole file or nothing.
 *
 * A lock keeps two changes apart.  The new text is read back with all checks before it is
 * written beside the file and takes its name, so that a crash leaves either the old file or the
 * new one, whole.  What it may leave besides is FILE.rewrite, which the next change removes.
 */
#ifndef SLUICE_KEYS_KEY_EDIT_H
#define SLUICE_KEYS_KEY_EDIT_H

#include "keys/keyring.h"

enum sl_key_change {
    SL_KEY_ADD,      /* a new random key, decrypt */
    SL_KEY_ACTIVATE, /* decrypt becomes active, active becomes decrypt */
    SL_KEY_RETIRE,   /* decrypt becomes retired */
    SL_KEY_DESTROY,  /* decrypt or retired becomes retired, without its bytes */
};

struct sl_key_edit {
    enum sl_key_change change;
    sl_str kid;  /* "" for SL_KEY_ADD: the id after the highest kN */
    bool is_dry; /* all checks, and nothing is written */
};

/* Change a key file.
 *
 * Shape:   comments, the order of lines and the blanks in them are kept; owner, group and mode,
 *          too.  A symbolic link is followed.  Destroying also writes zeros over the file that
 *          was, which a file system that copies on write, a flash disk or a backup undoes
 * Owns:    *ret is the ring as it is after the change (an added key is its last one), to be ended
 *          with sl_keyring_free
 * Errors:  SL_KEY (stop)  those of sl_key_file_open; a change that the state of the key does not
 *                         allow; JSON, which is changed in the secret store; a file with a second
 *                         name (hard link), which would keep the old keys
 *          SL_IO (stop)   the file cannot be locked or written: the old one is as it was
 *          SL_CRYPTO (stop)
 * Blocks:  while another change holds the lock; on the disk
 */
sl_rc sl_key_edit(const char *path, const struct sl_key_edit *edit, struct sl_keyring **ret,
                  struct sl_err *e) SL_MUST_CHECK;

#endif
