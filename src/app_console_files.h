/* app_console_files.h - the files of src/console/ and those of uPlot, as the build put them into the
 * program (scripts/console.py).
 */
#ifndef SLUICE_APP_CONSOLE_FILES_H
#define SLUICE_APP_CONSOLE_FILES_H

#include <stddef.h>

struct sl_console_file {
    const char *path; /* "/", "/console.js" */
    const char *type; /* of the content, for HTTP */
    const char *bytes;
    size_t len;
};

extern const struct sl_console_file sl_console_files[];
extern const size_t sl_console_files_n;

/* The file at a path; NULL if there is none.  Threads: any */
const struct sl_console_file *sl_console_file_find(const char *path);

#endif
