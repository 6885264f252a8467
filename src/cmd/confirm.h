/* cmd/confirm.h - a person is asked before something is gone for good. */
#ifndef SLUICE_CMD_CONFIRM_H
#define SLUICE_CMD_CONFIRM_H

#include <stdio.h>

#include "base/err.h"

/* Open the terminal to ask on: stdin may have a value.
 *
 * Shape:   `to_see` is what shows what there is without a terminal, as "--dry-run"
 * Owns:    *ret is the caller's to fclose
 * Errors:  SL_USAGE (stop) there is no terminal, and what to say then
 */
sl_rc sl_confirm_open(const char *to_see, FILE **ret, struct sl_err *e) SL_MUST_CHECK;

/* Ask for a word.  Errors: SL_USAGE (stop) another answer, or none */
sl_rc sl_confirm_ask(FILE *terminal, const char *word, struct sl_err *e) SL_MUST_CHECK;

#endif
