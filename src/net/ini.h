/* net/ini.h - the files of AWS profiles: [sections] of key = value, one level of nesting.
 * Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html */
#ifndef SLUICE_NET_INI_H
#define SLUICE_NET_INI_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct sl_ini_entry {
    sl_str section; /* "default", "profile x": words parted by one space, without quotes */
    sl_str key;     /* lower case; "sqs.endpoint_url" when it stands indented under "sqs =" */
    sl_str value;   /* "" for the entry that says only that the section is there */
    const struct sl_ini_entry *next;
};

struct sl_ini {
    const struct sl_ini_entry *entries; /* last one first */
    int error;                          /* errno of reading the file, 0 if it was read */
};

/* Read a text.  Lines that are none of its grammar are passed over, as the AWS tools do.
 *
 * Owns:    entries live in `a` and point into `text`
 * Errors:  SL_NOMEM (retry)
 */
sl_rc sl_ini_parse(sl_str text, struct sl_arena *a, struct sl_ini *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* Read a file, of 1 MiB at most.  One that is missing or cannot be read is empty and has `error`.
 *
 * Owns:    all lives in `a`
 * Errors:  SL_NOMEM (retry)
 * Blocks:  on the file
 */
sl_rc sl_ini_load(const char *file, struct sl_arena *a, struct sl_ini *ret, struct sl_err *e)
    SL_MUST_CHECK;

/* True if there is such a section. */
bool sl_ini_has(const struct sl_ini *ini, sl_str section);

/* The last value under that key, "" if there is none. */
sl_str sl_ini_get(const struct sl_ini *ini, sl_str section, sl_str key);

#endif
