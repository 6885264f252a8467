/* base/command.c - what a program prints. */
#include "base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    WORDS_MAX = 64,
    LOOK_UP_MS = 100,  /* between two looks whether it is late */
    REAP_EVERY_MS = 5, /* a program that has closed stdout is about to end */
};

struct command {
    const struct sl_command *asked;
    char *argv[WORDS_MAX + 1];
    pid_t pid; /* 0 once it is gone */
    int out;   /* what it prints */
    int64_t due_ms;
};

/* End a word that begins at `at`, in place: quotes go, and keep the blanks between them.
 * Returns: what follows, NULL when a quote is open. */
static char *word_end(char *at, bool takes_quotes)
{
    char *out = at;
    char quote = '\0';

    for (; *at != '\0' && (quote != '\0' || strchr(" \t\r\n", *at) == NULL); at++) {
        if (quote != '\0' ? *at == quote : takes_quotes && (*at == '"' || *at == '\'')) {
            if (quote != '\0') {
                quote = '\0';
            } else {
                quote = *at;
            }
        } else {
            *out++ = *at;
        }
    }
    if (*at != '\0') {
        at++;
    }
    *out = '\0';
    return quote == '\0' ? at + strspn(at, " \t\r\n") : NULL;
}

static sl_rc command_split(struct command *c, struct sl_arena *a, struct sl_err *e)
{
    const sl_str copy = sl_arena_copy(a, sl_str_trim(c->asked->words));
    char *at = (char *)copy.ptr; /* the arena's, and so ours to write */
    unsigned n = 0;

    if (copy.ptr == NULL) {
        return SL_FAIL(e, SL_NOMEM, "could not copy the %s", c->asked->what);
    }
    while (*at != '\0') {
        if (n == WORDS_MAX) {
            return SL_FAIL(e, SL_CONFIG, "the %s has more than %d words", c->asked->what,
                           WORDS_MAX);
        }
        c->argv[n++] = at;
        at = word_end(at, c->asked->takes_quotes);
        if (at == NULL) {
            return SL_FAIL(e, SL_CONFIG, "a quote in the %s is not closed", c->asked->what);
        }
    }
    return n > 0 ? SL_OK : SL_FAIL(e, SL_CONFIG, "the %s is empty", c->asked->what);
}

/* A program expects SIGPIPE to end it; we ignore it, and that would be inherited. */
static int command_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t pipe_only;

    (void)sigemptyset(&none);
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    if (posix_spawnattr_setsigmask(attributes, &none) != 0 ||
        posix_spawnattr_setsigdefault(attributes, &pipe_only) != 0) {
        return EINVAL;
    }
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* stdout first: the pipe may have the number of a stdin that was closed.  Last all others go: not
 * each library closes its sockets by itself, and they lead to queue and database.
 * Returns: an errno. */
static int command_spawn(struct command *c, int to)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc != 0) {
        return rc;
    }
    rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        rc = command_attributes(&attributes);
        if (rc == 0) {
            rc = posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
        }
        if (rc == 0) {
            rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        }
        if (rc == 0) {
            rc = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
        }
        if (rc == 0) {
            rc = posix_spawnp(&c->pid, c->argv[0], &actions, &attributes, c->argv, environ);
        }
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static sl_rc command_start(struct command *c, struct sl_err *e)
{
    int ends[2];
    int rc;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return SL_FAIL(e, c->asked->failure, "could not make a pipe for the %s: %s", c->asked->what,
                       strerrordesc_np(errno));
    }
    c->out = ends[0];
    rc = command_spawn(c, ends[1]);
    (void)close(ends[1]);
    if (rc != 0) {
        c->pid = 0;
        return SL_FAIL(e, c->asked->failure, "cannot run %s %s: %s", c->asked->what, c->argv[0],
                       strerrordesc_np(rc));
    }
    return SL_OK;
}

static sl_rc command_late(const struct command *c, struct sl_err *e)
{
    return SL_FAIL(e, SL_TIMEOUT, "%s %s did not end within %u ms and was killed", c->asked->what,
                   c->argv[0], c->asked->limit_ms);
}

static bool command_is_late(const struct command *c)
{
    const struct sl_stop *stop = c->asked->stop;

    return sl_clock_now_ms() >= c->due_ms || (stop != NULL && atomic_load(&stop->is_asked));
}

/* Returns: whether there is something to read, or the end, before it is late. */
static bool command_waits(const struct command *c)
{
    struct pollfd waits = { .fd = c->out, .events = POLLIN };
    int n = 0;

    while (n == 0 && !command_is_late(c)) {
        n = poll(&waits, 1, LOOK_UP_MS);
        n = n < 0 && errno == EINTR ? 0 : n;
    }
    return n != 0;
}

static sl_rc command_read(const struct command *c, struct sl_buf *text, struct sl_err *e)
{
    const size_t most = c->asked->max_bytes;
    char *place = sl_buf_reserve(text, most + 1);
    ssize_t got = 1;

    if (place == NULL) {
        return sl_buf_rc(text, e);
    }
    while (got > 0 && text->len <= most) {
        if (!command_waits(c)) {
            return command_late(c, e);
        }
        got = read(c->out, place + text->len, most + 1 - text->len);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got < 0) {
            return SL_FAIL(e, c->asked->failure, "cannot read what %s %s prints: %s",
                           c->asked->what, c->argv[0], strerrordesc_np(errno));
        }
        text->len += (size_t)got;
    }
    if (text->len > most) {
        return SL_FAIL(e, c->asked->failure, "%s %s prints over %zu bytes", c->asked->what,
                       c->argv[0], most);
    }
    return SL_OK;
}

static sl_rc command_verdict(const struct command *c, int status, struct sl_err *e)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return SL_OK;
    }
    if (WIFEXITED(status)) {
        return SL_FAIL(e, c->asked->failure, "%s %s failed with exit status %d", c->asked->what,
                       c->argv[0], WEXITSTATUS(status));
    }
    return SL_FAIL(e, c->asked->failure, "%s %s was ended by signal %d", c->asked->what, c->argv[0],
                   WTERMSIG(status));
}

static sl_rc command_wait(struct command *c, struct sl_err *e)
{
    int status = 0;
    pid_t gone;

    for (;;) {
        gone = waitpid(c->pid, &status, WNOHANG);
        if (gone == c->pid) {
            c->pid = 0;
            return command_verdict(c, status, e);
        }
        if (gone < 0 && errno != EINTR) {
            c->pid = 0;
            return SL_FAIL(e, c->asked->failure, "cannot learn how %s %s ended: %s", c->asked->what,
                           c->argv[0], strerrordesc_np(errno));
        }
        if (command_is_late(c)) {
            return command_late(c, e);
        }
        (void)poll(NULL, 0, REAP_EVERY_MS);
    }
}

static void command_done(struct command *c)
{
    if (c->out >= 0) {
        (void)close(c->out);
    }
    if (c->pid > 0) {
        (void)kill(c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

sl_rc sl_command_read(const struct sl_command *command, struct sl_arena *a, sl_str *ret_program,
                      struct sl_buf *text, struct sl_err *e)
{
    SL_AUTO(command_done)
    struct command c = { .asked = command,
                         .out = -1,
                         .due_ms = sl_clock_now_ms() + command->limit_ms };

    SL_TRY(command_split(&c, a, e));
    SL_TRY(command_start(&c, e));
    SL_TRY(command_read(&c, text, e));
    SL_TRY(command_wait(&c, e));
    *ret_program = sl_str_of(c.argv[0]);
    return SL_OK;
}
