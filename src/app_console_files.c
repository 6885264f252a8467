/* app_console_files.c - which file is meant. */
#include "app_console_files.h"

#include <string.h>

const struct sl_console_file *sl_console_file_find(const char *path)
{
    for (size_t i = 0; i < sl_console_files_n; i++) {
        if (strcmp(sl_console_files[i].path, path) == 0) {
            return &sl_console_files[i];
        }
    }
    return NULL;
}
