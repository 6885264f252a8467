/* net/ini.c - the files of AWS profiles. */
#include "net/ini.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1024 * 1024 };

struct ini_reader {
    struct sl_arena *arena;
    const struct sl_ini_entry *entries;
    sl_str section;
    sl_str parent; /* the key with nothing behind its '=' that indented lines belong to */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* "profile  'x y'" and "profile x y" as "profile x y"; NULL when memory ran out. */
static sl_str section_name(struct sl_arena *a, sl_str raw)
{
    char *out = sl_arena_alloc(a, raw.len + 1);
    size_t n = 0;

    if (out == NULL) {
        return (sl_str){ 0 };
    }
    raw = sl_str_trim(raw);
    for (size_t i = 0; i < raw.len; i++) {
        const char c = raw.ptr[i];

        if (is_blank(c)) {
            if (n > 0 && out[n - 1] != ' ') {
                out[n++] = ' ';
            }
        } else if (c != '"' && c != '\'') {
            out[n++] = c;
        }
    }
    return sl_str_trim((sl_str){ out, n }); /* of the blank before a quote at the end */
}

static sl_str lower_case(struct sl_arena *a, sl_str s)
{
    const sl_str copy = sl_arena_copy(a, s);
    char *c = (char *)copy.ptr;

    for (size_t i = 0; i < copy.len; i++) {
        if (c[i] >= 'A' && c[i] <= 'Z') {
            c[i] = (char)(c[i] - 'A' + 'a');
        }
    }
    return copy;
}

/* A comment begins at the start of a line, or behind white space. */
static sl_str without_comment(sl_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.ptr[i] == '#' || s.ptr[i] == ';') && (i == 0 || is_blank(s.ptr[i - 1]))) {
            s.len = i;
        }
    }
    return sl_str_trim(s);
}

static bool reader_add(struct ini_reader *r, sl_str key, sl_str value)
{
    struct sl_ini_entry *entry = sl_arena_alloc(r->arena, sizeof *entry);

    if (entry == NULL) {
        return false;
    }
    *entry = (struct sl_ini_entry){ r->section, key, value, r->entries };
    r->entries = entry;
    return true;
}

static bool reader_section(struct ini_reader *r, sl_str line)
{
    line.ptr++;
    line.len--;
    r->section = section_name(r->arena, sl_str_cut(&line, ']'));
    r->parent = (sl_str){ 0 };
    return r->section.ptr != NULL && reader_add(r, (sl_str){ 0 }, (sl_str){ 0 });
}

static bool reader_pair(struct ini_reader *r, sl_str line, bool is_indented)
{
    const bool is_pair = memchr(line.ptr, '=', line.len) != NULL;
    sl_str value = line;
    sl_str key = sl_str_cut(&value, '=');

    if (!is_pair || r->section.len == 0) {
        return true;
    }
    value = sl_str_trim(value);
    key = lower_case(r->arena, sl_str_trim(key));
    if (key.ptr != NULL && is_indented && r->parent.len > 0) {
        key = sl_arena_printf(r->arena, "%" SL_FMT ".%" SL_FMT, SL_ARG(r->parent), SL_ARG(key));
    } else {
        r->parent = value.len == 0 ? key : (sl_str){ 0 };
    }
    return key.ptr != NULL && reader_add(r, key, value);
}

static bool reader_line(struct ini_reader *r, sl_str line)
{
    const bool is_indented = line.len > 0 && is_blank(line.ptr[0]);

    line = without_comment(line);
    if (line.len == 0) {
        return true;
    }
    if (line.ptr[0] == '[') {
        return reader_section(r, line);
    }
    return reader_pair(r, line, is_indented);
}

sl_rc sl_ini_parse(sl_str text, struct sl_arena *a, struct sl_ini *ret, struct sl_err *e)
{
    const sl_str bom = SL_STR("\xef\xbb\xbf");
    struct ini_reader r = { .arena = a };

    if (sl_str_starts(text, bom)) {
        text = (sl_str){ text.ptr + bom.len, text.len - bom.len };
    }
    while (text.len > 0) {
        if (!reader_line(&r, sl_str_cut(&text, '\n'))) {
            return SL_FAIL(e, SL_NOMEM, "memory for an AWS profile file ran out");
        }
    }
    *ret = (struct sl_ini){ .entries = r.entries };
    return SL_OK;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

/* Fill `out`; a file that has grown meanwhile is cut.  Returns: 0, or errno. */
static int read_all(int fd, char *out, size_t max, size_t *ret_n)
{
    size_t n = 0;
    ssize_t got = 1;

    while (got != 0 && n < max) {
        got = read(fd, out + n, max - n);
        if (got < 0 && errno != EINTR) {
            return errno;
        }
        n += got > 0 ? (size_t)got : 0;
    }
    *ret_n = n;
    return 0;
}

sl_rc sl_ini_load(const char *file, struct sl_arena *a, struct sl_ini *ret, struct sl_err *e)
{
    SL_AUTO(close_fd) const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat facts = { 0 };
    size_t n = 0;
    char *bytes;
    int error = fd < 0 || fstat(fd, &facts) != 0 ? errno : 0;

    if (error == 0 && !S_ISREG(facts.st_mode)) {
        error = S_ISDIR(facts.st_mode) ? EISDIR : EINVAL;
    }
    if (error == 0 && facts.st_size > FILE_MAX_BYTES) {
        error = EFBIG;
    }
    if (error != 0) {
        *ret = (struct sl_ini){ .error = error };
        return SL_OK;
    }
    bytes = sl_arena_alloc(a, (size_t)facts.st_size);
    if (bytes == NULL) {
        return SL_FAIL(e, SL_NOMEM, "memory for %s ran out", file);
    }
    error = read_all(fd, bytes, (size_t)facts.st_size, &n);
    if (error != 0) {
        *ret = (struct sl_ini){ .error = error };
        return SL_OK;
    }
    return sl_ini_parse((sl_str){ bytes, n }, a, ret, e);
}

bool sl_ini_has(const struct sl_ini *ini, sl_str section)
{
    for (const struct sl_ini_entry *i = ini->entries; i != NULL; i = i->next) {
        if (sl_str_eq(i->section, section)) {
            return true;
        }
    }
    return false;
}

sl_str sl_ini_get(const struct sl_ini *ini, sl_str section, sl_str key)
{
    for (const struct sl_ini_entry *i = ini->entries; i != NULL; i = i->next) {
        if (sl_str_eq(i->section, section) && sl_str_eq(i->key, key)) {
            return i->value;
        }
    }
    return (sl_str){ 0 };
}
