/* base/hex.h - bytes as hexadecimal digits, lower case. */
#ifndef SLUICE_BASE_HEX_H
#define SLUICE_BASE_HEX_H

#include <stddef.h>

/* Shape: 2 * n digits, and no NUL behind them.  Threads: any */
static inline void sl_hex(const unsigned char *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

#endif
