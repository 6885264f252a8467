/* source/file_list.c - what the workers of a process share about the files that they read. */
#include "source/file_list.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

bool sl_file_is_stdin(sl_str path)
{
    return sl_str_eq(path, SL_STR("-"));
}

static sl_rc file_refuse(sl_str path, int reason, struct sl_err *e)
{
    const char *text = reason == EISDIR ? "It is a directory" : strerrordesc_np(reason);

    text = text != NULL && text[0] != '\0' ? text : "unknown error";
    return SL_FAIL(e, SL_IO, "cannot read %" SL_FMT ": %c%s", SL_ARG(path),
                   tolower((unsigned char)text[0]), text + 1);
}

/* Before anything runs: the last file of many should not be the one that ends the run. */
static sl_rc file_look(sl_str path, struct sl_file_list *list, struct sl_err *e)
{
    struct stat found;

    if (stat(path.ptr, &found) != 0 || eaccess(path.ptr, R_OK) != 0) {
        return file_refuse(path, errno, e);
    }
    if (S_ISDIR(found.st_mode)) {
        return file_refuse(path, EISDIR, e);
    }
    list->bytes += (uint64_t)found.st_size;
    return SL_OK;
}

static sl_rc list_fill(const glob_t *found, struct sl_arena *a, struct sl_file_list *list,
                       struct sl_err *e)
{
    sl_str *paths = sl_arena_calloc(a, found->gl_pathc, sizeof *paths);

    for (size_t i = 0; paths != NULL && i < found->gl_pathc; i++) {
        paths[i] = sl_arena_copy(a, sl_str_of(found->gl_pathv[i]));
        if (paths[i].ptr == NULL) {
            paths = NULL;
        } else {
            SL_TRY(file_look(paths[i], list, e));
        }
    }
    if (paths == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not hold the names of %zu files", found->gl_pathc);
    }
    list->paths = paths;
    list->n = (unsigned)found->gl_pathc;
    return SL_OK;
}

static sl_rc glob_refuse(sl_str path, int rc, struct sl_err *e)
{
    switch (rc) {
    case GLOB_NOMATCH:
        return SL_FAIL(e, SL_IO, "no file is named %" SL_FMT, SL_ARG(path));
    case GLOB_NOSPACE:
        return SL_FAIL(e, SL_NOMEM, "could not hold the names of all files");
    default:
        return SL_FAIL(e, SL_IO, "cannot read a directory of %" SL_FMT, SL_ARG(path));
    }
}

sl_rc sl_file_list_find(sl_str path, int64_t max_lines, struct sl_arena *a,
                        struct sl_file_list *ret, struct sl_err *e)
{
    static const sl_str only_stdin = { "-", 1 };
    struct sl_file_list list = { .paths = &only_stdin, .n = 1, .quota = max_lines };
    SL_AUTO(globfree) glob_t found = { 0 };
    int rc;

    if (!sl_file_is_stdin(path)) {
        rc = glob(path.ptr, GLOB_BRACE | GLOB_ERR, NULL, &found);
        if (rc != 0) {
            return glob_refuse(path, rc, e);
        }
        SL_TRY(list_fill(&found, a, &list, e));
    }
    *ret = list;
    return SL_OK;
}

bool sl_file_list_next(struct sl_file_list *list, sl_str *ret)
{
    const unsigned i = atomic_fetch_add(&list->next_i, 1);

    if (i >= list->n) {
        atomic_store(&list->next_i, list->n); /* however often it is asked */
        return false;
    }
    *ret = list->paths[i];
    return true;
}

bool sl_file_list_take_line(struct sl_file_list *list)
{
    int64_t left = atomic_load(&list->quota);

    do {
        if (left <= 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&list->quota, &left, left - 1));
    return true;
}
