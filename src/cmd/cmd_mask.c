/* cmd/cmd_mask.c - sluice mask and sluice unmask: lines in, lines out. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleartext.h"
#include "base/err.h"
#include "cmd/cmd.h"
#include "keys/key_file.h"
#include "masking/masker.h"

enum {
    LINE_BYTES_MAX = 64 * 1024,
    OUT_FLUSH_BYTES = 32 * 1024,
    OUT_MAX_BYTES = 128 * 1024,
    ARENA_BYTES = 64 * 1024,
};

const char sl_help_mask[] =
    "Usage: sluice mask --keys FILE --context NAME\n"
    "\n"
    "Turn the values on standard input, one a line, into tokens on standard output, the same\n"
    "that 'sluice run' writes into the table: to look up a known value, for example.\n"
    "A value has at most 159 bytes, an empty line stays empty. A line that cannot be masked\n"
    "gives a message and an empty line, so that lines stay side by side, and exit status 1.\n"
    "\n"
    "Options:\n"
    "  --keys FILE     key file; its active key is used\n"
    "  --context NAME  context of the column: its 'context' setting, or the name of its field\n"
    "  -h, --help      print this text\n"
    "\n"
    "Examples:\n"
    "  sluice mask --keys sluice.keys --context ip < addresses.txt\n"
    "  echo 192.0.2.1 | sluice mask --keys sluice.keys --context ip\n";

const char sl_help_unmask[] =
    "Usage: sluice unmask --keys FILE --context NAME\n"
    "\n"
    "Turn the tokens on standard input, one a line, back into values on standard output.\n"
    "A line that is no genuine token of this context gives a message and an empty line, so\n"
    "that lines stay side by side, and exit status 1.\n"
    "The recovery is not recorded anywhere yet.\n"
    "\n"
    "Options:\n"
    "  --keys FILE     key file with the key that made the tokens, active or decrypt\n"
    "  --context NAME  context of the column: its 'context' setting, or the name of its field\n"
    "  -h, --help      print this text\n"
    "\n"
    "Examples:\n"
    "  sluice unmask --keys sluice.keys --context ip < tokens.txt\n"
    "  psql -Atc 'SELECT masked_ip FROM user_logins' |\n"
    "    sluice unmask --keys sluice.keys --context ip\n";

struct mask_options {
    const char *keys;
    const char *context;
    bool wants_help;
};

/* One run over the lines. */
struct mask_job {
    bool is_unmask;
    sl_str context;
    struct sl_masker *masker;
    struct sl_arena arena; /* of the line at hand */
    struct sl_buf out;
    unsigned long line_number;
    bool has_bad_line;
};

/* Lines of a descriptor through a buffer that never grows and is wiped. */
struct line_reader {
    struct sl_buf buf; /* LINE_BYTES_MAX and the line break */
    size_t start;      /* of the next line */
    bool is_at_end;
    bool is_too_long; /* the line at hand: what does not fit is skipped */
};

/* Returns: NULL, or what is wrong.  Nothing of argv is quoted: a value may be there by mistake. */
static const char *mask_parse(int argc, char **argv, struct mask_options *ret)
{
    static const struct option known[] = {
        { "keys", required_argument, NULL, 'k' },
        { "context", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    int option;

    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        switch (option) {
        case 'k':
            ret->keys = optarg;
            break;
        case 'c':
            ret->context = optarg;
            break;
        case 'h':
            ret->wants_help = true;
            return NULL;
        case ':':
            return "--keys and --context need a value";
        default:
            return "unknown option";
        }
    }
    if (optind < argc) {
        return "values come on standard input, never as arguments";
    }
    if (ret->keys == NULL || ret->context == NULL) {
        return "--keys FILE and --context NAME are both needed";
    }
    return NULL;
}

static sl_rc out_flush(struct sl_buf *out, struct sl_err *e)
{
    sl_str rest = sl_buf_str(out);

    SL_TRY(sl_buf_rc(out, e));
    while (rest.len > 0) {
        const ssize_t n = write(STDOUT_FILENO, rest.ptr, rest.len);

        if (n < 0 && errno != EINTR) {
            return SL_FAIL(e, SL_IO, "cannot write to standard output: %s", strerrordesc_np(errno));
        }
        if (n > 0) {
            rest.ptr += n;
            rest.len -= (size_t)n;
        }
    }
    sl_buf_reset(out);
    return SL_OK;
}

static sl_rc reader_fill(struct line_reader *r, struct sl_err *e)
{
    const size_t held = r->buf.len - r->start;
    char *place;
    ssize_t got;

    if (held > LINE_BYTES_MAX) {
        r->is_too_long = true;
    }
    if (r->is_too_long) {
        r->buf.len = 0;
    } else if (r->start > 0) {
        memmove(r->buf.ptr, r->buf.ptr + r->start, held);
        r->buf.len = held;
    }
    r->start = 0;
    place = sl_buf_reserve(&r->buf, LINE_BYTES_MAX + 1 - r->buf.len);
    if (place == NULL) {
        return sl_buf_rc(&r->buf, e);
    }
    do {
        got = read(STDIN_FILENO, place, LINE_BYTES_MAX + 1 - r->buf.len);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return SL_FAIL(e, SL_IO, "cannot read standard input: %s", strerrordesc_np(errno));
    }
    r->buf.len += (size_t)got;
    r->is_at_end = got == 0;
    return SL_OK;
}

/* The next line if the buffer holds it whole; *ret_is_too_long says that it is only the end of one
 * that did not fit. */
static bool reader_next(struct line_reader *r, sl_str *ret, bool *ret_is_too_long)
{
    sl_str rest = { r->buf.ptr, 0 };
    const char *line_end = NULL;

    if (r->buf.len > r->start) {
        rest = (sl_str){ r->buf.ptr + r->start, r->buf.len - r->start };
        line_end = memchr(rest.ptr, '\n', rest.len);
    }
    if (line_end == NULL && (!r->is_at_end || (rest.len == 0 && !r->is_too_long))) {
        return false;
    }
    if (line_end != NULL) {
        rest.len = (size_t)(line_end - rest.ptr);
    }
    r->start += rest.len + (line_end != NULL ? 1 : 0);
    *ret = rest;
    *ret_is_too_long = r->is_too_long;
    r->is_too_long = false;
    return true;
}

static sl_rc line_recover(struct mask_job *job, sl_str token, sl_str *ret, struct sl_err *e)
{
    sl_cleartext value = { 0 };
    sl_str text;

    SL_TRY(sl_unmask_siv(job->masker, job->context, token, &job->arena, &value, e));
    text = sl_cleartext_publish(value); /* what the caller asked for, and only on stdout */
    if (text.len > 0 && memchr(text.ptr, '\n', text.len) != NULL) {
        return SL_FAIL(e, SL_VALUE, "the value has a line break, which lines cannot show");
    }
    *ret = text;
    return SL_OK;
}

static sl_rc line_change(struct mask_job *job, sl_str line, bool is_too_long, sl_str *ret,
                         struct sl_err *e)
{
    if (is_too_long) {
        return SL_FAIL(e, SL_VALUE, "line is over %d bytes", LINE_BYTES_MAX);
    }
    if (job->is_unmask) {
        return line_recover(job, line, ret, e);
    }
    return sl_mask_siv(job->masker, job->context, sl_cleartext_of(line), &job->arena, ret, e);
}

/* A bad line is reported and left empty; anything else that fails ends the work. */
static sl_rc job_line(struct mask_job *job, sl_str line, bool is_too_long, struct sl_err *e)
{
    struct sl_err why = { 0 };
    sl_str result = { 0 };
    sl_rc rc;

    job->line_number++;
    rc = line_change(job, line, is_too_long, &result, &why);
    if (rc == SL_VALUE) {
        job->has_bad_line = true;
        (void)fprintf(stderr, "line %lu: %s\n", job->line_number, why.msg);
    } else if (rc != SL_OK) {
        return SL_FAIL(e, rc, "line %lu: %s", job->line_number, why.msg);
    }
    sl_buf_add_str(&job->out, result);
    sl_buf_add_char(&job->out, '\n');
    sl_arena_reset(&job->arena);
    return job->out.len >= OUT_FLUSH_BYTES ? out_flush(&job->out, e) : SL_OK;
}

static sl_rc job_lines(struct mask_job *job, struct line_reader *r, struct sl_err *e)
{
    bool is_too_long = false;
    sl_str line = { 0 };

    for (;;) {
        while (reader_next(r, &line, &is_too_long)) {
            SL_TRY(job_line(job, line, is_too_long, e));
        }
        /* Before waiting for more, so that a person or a pipe sees each answer at once. */
        SL_TRY(out_flush(&job->out, e));
        if (r->is_at_end) {
            return SL_OK;
        }
        SL_TRY(reader_fill(r, e));
    }
}

static sl_rc job_run(struct mask_job *job, const struct sl_keyring *ring, struct sl_err *e)
{
    struct line_reader reader = { .buf.max_bytes = LINE_BYTES_MAX + 1 };
    sl_str none = { 0 };
    sl_rc rc;

    sl_arena_init(&job->arena, ARENA_BYTES, 1024);
    sl_buf_init(&job->out, OUT_MAX_BYTES);
    rc = sl_masker_new(ring, &job->masker, e);
    if (rc == SL_OK) {
        /* A wrong context is said before the first line is read. */
        rc = sl_mask_siv(job->masker, job->context, (sl_cleartext){ 0 }, &job->arena, &none, e);
    }
    if (rc == SL_OK) {
        if (job->is_unmask) {
            (void)fputs("sluice: this recovery is not recorded yet\n", stderr);
        }
        rc = job_lines(job, &reader, e);
    }
    sl_buf_done(&reader.buf);
    sl_buf_done(&job->out);
    sl_arena_done(&job->arena);
    sl_masker_free(job->masker);
    return rc;
}

static int mask_main(int argc, char **argv, bool is_unmask)
{
    struct mask_job job = { .is_unmask = is_unmask };
    struct mask_options options = { 0 };
    struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };
    const char *name = is_unmask ? "unmask" : "mask";
    const char *wrong = mask_parse(argc, argv, &options);
    sl_rc rc;

    if (wrong != NULL) {
        (void)fprintf(stderr, "sluice %s: %s; see 'sluice %s --help'\n", name, wrong, name);
        return sl_rc_exit(SL_USAGE);
    }
    if (options.wants_help) {
        return fputs(is_unmask ? sl_help_unmask : sl_help_mask, stdout) < 0 || fflush(stdout) != 0
                   ? sl_rc_exit(SL_IO)
                   : 0;
    }
    job.context = sl_str_of(options.context);
    rc = sl_key_file_open(options.keys, &ring, &e);
    if (rc == SL_OK) {
        rc = job_run(&job, ring, &e);
    }
    sl_keyring_free(ring);
    if (rc != SL_OK) {
        (void)fprintf(stderr, "sluice: %s\n", e.msg);
        return sl_rc_exit(rc);
    }
    return job.has_bad_line ? 1 : 0;
}

int sl_cmd_mask(int argc, char **argv)
{
    return mask_main(argc, argv, false);
}

int sl_cmd_unmask(int argc, char **argv)
{
    return mask_main(argc, argv, true);
}
