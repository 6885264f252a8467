/* keys/key_source.h - where the keys come from: a file, or whoever hands them over at start. */
#ifndef SLUICE_KEYS_KEY_SOURCE_H
#define SLUICE_KEYS_KEY_SOURCE_H

#include "base/stop.h"
#include "config/config.h"
#include "keys/keyring.h"

/* One of them is set.  Each gives the text of a key file, as lines or as JSON. */
struct sl_key_source {
    sl_str file;         /* path */
    sl_str env;          /* name of a variable; taken out of the environment when it is read */
    int fd;              /* inherited; -1 none.  Read to its end, then closed */
    sl_str command;      /* words between blanks, no shell, no quotes; its stdout is read */
    sl_str credential;   /* name in $CREDENTIALS_DIRECTORY (systemd's LoadCredential=) */
    sl_str kms_file;     /* path of a key file whose keys are wrapped by AWS KMS */
    sl_str secret_arn;   /* of AWS Secrets Manager */
    unsigned command_ms; /* how long the command may take; 0 = 30 s */
    const struct sl_stop *stop;  /* asked: the command is killed; NULL: nobody asks */
    const struct sl_config *aws; /* as whom AWS is asked; NULL where nothing is */
};

#define SL_KEY_SOURCE_NONE \
    {                      \
        .fd = -1           \
    }

/* Open a ring from the source that is set.
 *
 * Shape:   at most 64 KiB.  The file must be nobody else's (sl_key_file_open); one that is wrapped
 *          may be read by all, and written by nobody else; a credential must be a regular file,
 *          its rights are systemd's business.  A command that does not exit
 *          with 0 fails the start; its output is never shown, its stderr is ours
 * Owns:    *ret, to be ended with sl_keyring_free; everything that was read is wiped
 * Errors:  SL_CONFIG (stop)  none is set, or more than one; a credential's name has a '/'
 *          SL_KEY (stop)     it cannot be read, or is no key file
 *          SL_TIMEOUT (retry) the command took too long, and was killed
 *          those of sl_key_kms_unwrap and sl_aws_secret_read
 *          SL_NOMEM (retry)
 * Threads: main, before others are started: it may change the environment.  A variable and a
 *          descriptor can be read once; the others again and again
 * Blocks:  on the file or descriptor; up to command_ms on the command; up to 10 s a question to AWS
 * Source:  systemd.exec(5), "Credentials"
 */
sl_rc sl_keys_open(const struct sl_key_source *source, struct sl_keyring **ret, struct sl_err *e)
    SL_MUST_CHECK;

#endif
