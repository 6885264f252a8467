/* cmd/cmd_keys.c - sluice keys: make a key file. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/cmd.h"
#include "keys/key_file.h"

const char sl_help_keys[] =
    "Usage: sluice keys new FILE [--kid ID]\n"
    "\n"
    "Make a key file with one new random key, readable by its owner only (mode 0600).\n"
    "It is never overwritten. Keep a copy elsewhere, away from the data: whoever has the\n"
    "file can recover masked values, and if it is lost, nobody can.\n"
    "\n"
    "Options:\n"
    "  --kid ID    id of the key, 1 to 8 of a-z and 0-9; it becomes part of every token (k1)\n"
    "  -h, --help  print this text\n"
    "\n"
    "Examples:\n"
    "  sluice keys new sluice.keys\n"
    "  sluice keys new /etc/sluice/2026.keys --kid k2026\n";

struct keys_options {
    const char *action;
    const char *path;
    const char *kid;
    bool wants_help;
};

static int keys_usage(const char *what)
{
    (void)fprintf(stderr, "sluice keys: %s; see 'sluice keys --help'\n", what);
    return sl_rc_exit(SL_USAGE);
}

static int keys_fail(const struct sl_err *e)
{
    (void)fprintf(stderr, "sluice: %s\n", e->msg);
    return sl_rc_exit(e->rc);
}

/* Returns: NULL, or what is wrong. */
static const char *keys_parse(int argc, char **argv, struct keys_options *ret)
{
    static const struct option known[] = {
        { "kid", required_argument, NULL, 'k' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    int option;

    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        switch (option) {
        case 'k':
            ret->kid = optarg;
            break;
        case 'h':
            ret->wants_help = true;
            return NULL;
        case ':':
            return "--kid needs a value";
        default:
            return "unknown option";
        }
    }
    if (argc - optind > 2) {
        return "too many arguments";
    }
    ret->action = argc - optind > 0 ? argv[optind] : NULL;
    ret->path = argc - optind > 1 ? argv[optind + 1] : NULL;
    return NULL;
}

static int keys_new(const char *path, const char *kid)
{
    struct sl_keyring *ring = NULL;
    struct sl_err e = { 0 };

    if (!sl_key_id_is_valid(sl_str_of(kid))) {
        return keys_usage("--kid must be 1 to 8 of a-z and 0-9");
    }
    /* Read back: what is announced is what later runs will find. */
    if (sl_key_file_create(path, sl_str_of(kid), &e) != SL_OK ||
        sl_key_file_open(path, &ring, &e) != SL_OK) {
        return keys_fail(&e);
    }
    (void)printf("made %s: key %s, active, check value %s\n"
                 "keep a copy elsewhere: if this file is lost, so are the originals\n",
                 path, kid, sl_keyring_active(ring)->check);
    sl_keyring_free(ring);
    if (fflush(stdout) != 0) {
        (void)SL_FAIL(&e, SL_IO, "cannot write to standard output");
        return keys_fail(&e);
    }
    return 0;
}

int sl_cmd_keys(int argc, char **argv)
{
    struct keys_options options = { .kid = "k1" };
    const char *wrong = keys_parse(argc, argv, &options);

    if (wrong != NULL) {
        return keys_usage(wrong);
    }
    if (options.wants_help) {
        return fputs(sl_help_keys, stdout) < 0 || fflush(stdout) != 0 ? sl_rc_exit(SL_IO) : 0;
    }
    if (options.action == NULL || strcmp(options.action, "new") != 0) {
        return keys_usage("say what to do: new");
    }
    if (options.path == NULL) {
        return keys_usage("name the file to make");
    }
    return keys_new(options.path, options.kid);
}
