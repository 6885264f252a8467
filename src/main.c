/* main.c - argv becomes one of the sub-commands. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "keys/key_token.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    { "run", sl_cmd_run, "move messages from the queue into the table" },
    { "check", sl_cmd_check, "look at everything a run needs, change nothing" },
    { "keys", sl_cmd_keys, "the key ring: new, add, activate, retire, list, check, wrap" },
    { "mask", sl_cmd_mask, "values on stdin become what the table has" },
    { "tokens", sl_cmd_tokens, "what a value may stand as in the table, under every key" },
    { "unmask", sl_cmd_unmask, "what the table has becomes values again, on record" },
    { "rewrap", sl_cmd_rewrap, "put the table under the active key" },
    { "verify", sl_cmd_verify, "open every token of the table, show none" },
    { "erase", sl_cmd_erase, "delete what belongs to one value" },
    { "dead", sl_cmd_dead, "dead letters: list, show, retry, purge, export" },
    { "generate", sl_cmd_generate, "make realistic events" },
    { "status", sl_cmd_status, "how a run that goes on is doing" },
    { "top", sl_cmd_top, "watch a run that goes on, in a terminal" },
    { "sql", sl_cmd_sql, "print the SQL of the database objects" },
    { "docs", sl_cmd_docs, "print the manuals" },
    { "version", sl_cmd_version, "print the version" },
};

static void print_usage(FILE *out)
{
    (void)fputs("Usage: sluice COMMAND [options]\n"
                "\n"
                "Moves JSON events from Amazon SQS into PostgreSQL and masks personal fields on "
                "the way.\n"
                "\n"
                "Commands:\n",
                out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        (void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fputs("\n"
                "Examples:\n"
                "  sluice keys new sluice.keys\n"
                "  sluice check -c sluice.yaml\n"
                "  sluice run -c sluice.yaml --until-empty\n"
                "\n"
                "'sluice COMMAND --help' says more, 'sluice docs config' has every setting.\n",
                out);
}

/* A standard descriptor that is closed would become the next file or connection that is opened, and
 * what is printed would go there.  Opened the wrong way round, its use fails as that of a closed one. */
static void hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

/* Keys and cleartext stay out of core files, and a peer that hangs up is an error like others. */
static void harden(void)
{
    const struct rlimit none = { 0 };

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Whether a command has a use for the console's token; the others' programs need not inherit it. */
static bool takes_token(const char *command)
{
    return strcmp(command, "run") == 0 || strcmp(command, "check") == 0;
}

/* Output that a full disk or a closed pipe did not take is not what was asked for. */
static int ended(int status)
{
    if (status != 0 || (fflush(stdout) == 0 && ferror(stdout) == 0)) {
        return status;
    }
    (void)fprintf(stderr, "sluice: could not write to stdout\n");
    return sl_rc_exit(SL_IO);
}

int main(int argc, char **argv)
{
    hold_standard_descriptors();
    harden();
    if (argc < 2) {
        print_usage(stderr);
        return 64;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return ended(0);
    }
    if (strcmp(argv[1], "--version") == 0) {
        return ended(sl_cmd_version(1, argv + 1));
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            if (!takes_token(argv[1])) {
                sl_key_token_forget();
            }
            return ended(commands[i].run(argc - 1, argv + 1));
        }
    }
    (void)fprintf(stderr, "sluice: unknown command '%s'; see 'sluice --help'\n", argv[1]);
    return 64;
}
