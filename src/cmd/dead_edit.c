/* cmd/dead_edit.c - the body of a dead letter, changed by a person in an editor. */
#include "cmd/dead_edit.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "cmd/private_file.h"

enum {
    WORDS_MAX = 32,
    COMMAND_MAX = 4096,
    BODY_MAX = 16 << 20,
    END_S = 3, /* for an editor that was told to end */
};

/* ---- the editor ------------------------------------------------------------------------------------- */

struct editor {
    char command[COMMAND_MAX]; /* cut into words */
    char *argv[WORDS_MAX + 2];
    pid_t pid;
    sigset_t own;   /* the signals that are taken over */
    sigset_t saved; /* the mask before */
    int sig;        /* the one that asked to end; 0 = none */
};

/* Words with blanks between, as in EDITOR="vim -n"; no shell. */
static sl_rc editor_words(struct editor *ed, char *path, struct sl_err *e)
{
    const char *visual = getenv("VISUAL");
    const char *editor = visual != NULL && *visual != '\0' ? visual : getenv("EDITOR");
    char *rest = ed->command;
    char *word;
    unsigned n = 0;

    if (editor == NULL || *editor == '\0') {
        editor = "vi";
    }
    if (strlen(editor) >= sizeof ed->command) {
        return SL_FAIL(e, SL_IO, "the command of the editor is too long");
    }
    memcpy(ed->command, editor, strlen(editor) + 1);
    while ((word = strsep(&rest, " \t")) != NULL) {
        if (*word != '\0' && n < WORDS_MAX) {
            ed->argv[n++] = word;
        }
    }
    ed->argv[n] = path;
    return n > 0 ? SL_OK : SL_FAIL(e, SL_IO, "$VISUAL or $EDITOR names no editor");
}

/* From here to editor_signals_back no signal that can be caught ends this process. */
static void editor_signals_take(struct editor *ed)
{
    (void)sigemptyset(&ed->own);
    (void)sigaddset(&ed->own, SIGINT);
    (void)sigaddset(&ed->own, SIGQUIT);
    (void)sigaddset(&ed->own, SIGTERM);
    (void)sigaddset(&ed->own, SIGHUP);
    (void)sigaddset(&ed->own, SIGCHLD);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, it would not say that the editor has ended */
    (void)sigprocmask(SIG_BLOCK, &ed->own, &ed->saved);
}

static void editor_signals_back(const struct editor *ed)
{
    (void)sigprocmask(SIG_SETMASK, &ed->saved, NULL);
}

/* It expects SIGPIPE to end it; we ignore it, and that would be inherited. */
static int editor_spawn(struct editor *ed)
{
    posix_spawnattr_t attributes;
    sigset_t pipe_only;
    int rc = posix_spawnattr_init(&attributes);

    if (rc != 0) {
        return rc;
    }
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    (void)posix_spawnattr_setsigmask(&attributes, &ed->saved);
    (void)posix_spawnattr_setsigdefault(&attributes, &pipe_only);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawnp(&ed->pid, ed->argv[0], NULL, &attributes, ed->argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    return rc;
}

static bool editor_has_ended(const struct editor *ed, int *ret_status)
{
    return waitpid(ed->pid, ret_status, WNOHANG) == ed->pid;
}

/* Ctrl-C is for the editor, which has it from the terminal; what asks this process to end asks the
 * editor, too, and does not wait for it for ever. */
static int editor_wait(struct editor *ed)
{
    const struct timespec end = { .tv_sec = END_S };
    int status = 0;

    while (!editor_has_ended(ed, &status)) {
        const int sig = sigtimedwait(&ed->own, NULL, ed->sig != 0 ? &end : NULL);

        if (sig == SIGTERM || sig == SIGHUP) {
            ed->sig = sig;
            (void)kill(ed->pid, sig);
        } else if (sig < 0 && errno == EAGAIN) {
            (void)kill(ed->pid, SIGKILL);
        }
    }
    return status;
}

static sl_rc editor_run(struct editor *ed, struct sl_err *e)
{
    const int rc = editor_spawn(ed);
    int status;

    if (rc != 0) {
        return SL_FAIL(e, SL_IO, "cannot start the editor %s: %s", ed->argv[0],
                       strerrordesc_np(rc));
    }
    status = editor_wait(ed);
    if (ed->sig != 0) {
        return SL_FAIL(e, SL_VALUE, "ended by signal %d while the editor ran: nothing is changed",
                       ed->sig);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return SL_FAIL(e, SL_VALUE, "the editor failed (%s %d): nothing is changed",
                       WIFEXITED(status) ? "exit status" : "signal",
                       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    return SL_OK;
}

/* ---- the body --------------------------------------------------------------------------------------- */

static bool ends_line(sl_str s)
{
    return s.len > 0 && s.ptr[s.len - 1] == '\n';
}

static sl_rc edited_take(const struct sl_private_file *f, sl_str before, struct sl_arena *a,
                         sl_cleartext *ret, struct sl_err *e)
{
    SL_AUTO(sl_buf_done) struct sl_buf text = { .max_bytes = BODY_MAX };
    sl_str after;

    SL_TRY(sl_private_file_read(f, &text, e));
    after = sl_buf_str(&text);
    if (ends_line(after) && !ends_line(before)) {
        after.len--;
    }
    if (sl_str_trim(after).len == 0 || sl_str_eq(before, after)) {
        return SL_FAIL(e, SL_VALUE, "the body came back %s: nothing is changed",
                       sl_str_eq(before, after) ? "as it was" : "empty");
    }
    return sl_json_padded(sl_cleartext_of(after), a, ret, e);
}

static sl_rc edit_in(struct editor *ed, struct sl_private_file *f, sl_str body, struct sl_arena *a,
                     sl_cleartext *ret, struct sl_err *e)
{
    const char *places[3];

    sl_private_places(places);
    SL_TRY(sl_private_file_open(f, places, body, e));
    SL_TRY(editor_words(ed, f->path, e));
    SL_TRY(editor_run(ed, e));
    return edited_take(f, body, a, ret, e);
}

/* Published to the editor of who asked for it, on record and with the keys. */
sl_rc sl_dead_edit(sl_cleartext body, struct sl_arena *a, sl_cleartext *ret, struct sl_err *e)
{
    struct sl_private_file f = { .dir_fd = -1 };
    struct editor ed = { 0 };
    struct sl_err left = { 0 };
    sl_rc rc;

    editor_signals_take(&ed);
    rc = edit_in(&ed, &f, sl_cleartext_publish(body), a, ret, e);
    if (sl_private_file_close(&f, &left) != SL_OK) {
        rc = SL_FAIL(e, left.rc, "%.1000s", left.msg);
    }
    editor_signals_back(&ed);
    return rc;
}
