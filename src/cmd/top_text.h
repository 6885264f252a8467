/* cmd/top_text.h - what somebody else says, as text for a terminal: nothing that moves a cursor or
 * hides what stands beside it, and cut by the columns that it takes. */
#ifndef SLUICE_CMD_TOP_TEXT_H
#define SLUICE_CMD_TOP_TEXT_H

#include "base/arena.h"

/* A copy in which each control or format character, line end, and byte that is no UTF-8 is '?'.
 * Returns: a run whose ptr is NULL when memory ran out */
sl_str sl_top_clean(sl_str text, struct sl_arena *a);

/* How many columns a clean text takes. */
unsigned sl_top_width(sl_str text);

/* The beginning of a clean text that fits. */
sl_str sl_top_cut(sl_str text, unsigned cols);

/* Take one line of at most `cols` columns off a clean text, at a blank where there is one.
 * Shape: cols is 2 or more, as a character may be two wide */
sl_str sl_top_wrap(sl_str *rest, unsigned cols);

#endif
