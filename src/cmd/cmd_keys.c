/* cmd/cmd_keys.c - sluice keys: the life of a key file. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/keys_actions.h"
#include "keys/key_edit.h"
#include "keys/key_file.h"

const char sl_help_keys[] =
    "Usage: sluice keys new FILE [--kid ID]\n"
    "       sluice keys add FILE [--kid ID]\n"
    "       sluice keys activate FILE ID\n"
    "       sluice keys retire FILE ID [-c CONFIG] [--force] [--destroy [--yes]]\n"
    "       sluice keys list FILE\n"
    "       sluice keys check FILE [-c CONFIG]\n"
    "       sluice keys wrap FILE --kms-key ARN > WRAPPED\n"
    "\n"
    "The keys that mask, and that recover what is masked. One key is active: it masks. Keys\n"
    "that are decrypt only read what they masked; retired ones do nothing. No action prints a\n"
    "key; a check value tells keys apart.\n"
    "\n"
    "  new       make a file with one random key, active, readable by its owner only. It is\n"
    "            never overwritten. Keep a copy elsewhere, away from the data: whoever has the\n"
    "            file can recover masked values, and if it is lost, nobody can\n"
    "  add       a new random key, decrypt: bring the file to every reader before it masks\n"
    "  activate  this key masks from now on; the one that did becomes decrypt\n"
    "  retire    decrypt becomes retired. With -c the table is asked first whether values\n"
    "            under the key remain; --force goes on whatever it says, or unasked.\n"
    "            --destroy takes the key out of the file for good and leaves its id: what is\n"
    "            masked under it is lost, in every backup of the table, too. That equal values\n"
    "            have equal tokens still shows. Copies of the file, snapshots and flash disks\n"
    "            may still hold the key. It asks on a terminal for the id\n"
    "  list      id, state and check value of every key\n"
    "  check     read the file as a run does, with -c compare it with the database\n"
    "  wrap      print the file with its keys encrypted by AWS KMS, for keys.kms.file. Keep the\n"
    "            file itself away from here: it is what helps if the KMS key is ever deleted\n"
    "\n"
    "A change is made to the whole file or not at all. sluice run reads a changed file when it\n"
    "starts, and at SIGHUP.\n"
    "\n"
    "Options:\n"
    "      --kid ID       id of the new key, 1 to 8 of a-z and 0-9; it becomes part of every\n"
    "                     token (new: k1; add: the one after the highest kN)\n"
    "  -c, --config FILE  the configuration, for its database\n"
    "      --force        retire without the table's consent\n"
    "      --destroy      and take the key out of the file\n"
    "      --yes          do not ask before destroying\n"
    "      --kms-key ARN  the key of AWS KMS, arn:aws:kms:..., to wrap with\n"
    "  -h, --help         print this text\n"
    "\n"
    "Examples:\n"
    "  sluice keys new sluice.keys\n"
    "  sluice keys add sluice.keys\n"
    "  sluice keys activate sluice.keys k2\n"
    "  sluice keys retire sluice.keys k1 -c sluice.yaml\n"
    "  sluice keys retire sluice.keys k1 --force --destroy\n"
    "  sluice keys list sluice.keys\n"
    "  sluice keys check sluice.keys -c sluice.yaml\n"
    "  sluice keys wrap sluice.keys --kms-key arn:aws:kms:eu-west-1:123456789012:key/...\n";

static sl_rc keys_new(const struct sl_keys_options *o, struct sl_err *e)
{
    const sl_str kid = sl_str_of(o->kid != NULL ? o->kid : "k1");
    struct sl_keyring *ring = NULL;

    /* Read back: what is announced is what later runs will find. */
    SL_TRY(sl_key_file_create(o->path, kid, e));
    SL_TRY(sl_key_file_open(o->path, &ring, e));
    (void)printf("made %s: key %s, active, check value %s\n"
                 "keep a copy elsewhere: if this file is lost, so are the originals\n",
                 o->path, sl_keyring_active(ring)->id, sl_keyring_active(ring)->check);
    sl_keyring_free(ring);
    return SL_OK;
}

static sl_rc keys_add(const struct sl_keys_options *o, struct sl_err *e)
{
    const struct sl_key_edit edit = { .change = SL_KEY_ADD, .kid = sl_str_of(o->kid) };
    struct sl_keyring *ring = NULL;
    const struct sl_key *key;

    SL_TRY(sl_key_edit(o->path, &edit, &ring, e));
    key = sl_keyring_at(ring, sl_keyring_n(ring) - 1);
    (void)printf(
        "added %s to %s: decrypt, check value %s\n"
        "bring the file to every reader and keep a copy, then: sluice keys activate %s %s\n",
        key->id, o->path, key->check, o->path, key->id);
    sl_keyring_free(ring);
    return SL_OK;
}

static sl_rc keys_activate(const struct sl_keys_options *o, struct sl_err *e)
{
    const struct sl_key_edit edit = { .change = SL_KEY_ACTIVATE, .kid = sl_str_of(o->kid) };
    struct sl_keyring *ring = NULL;

    SL_TRY(sl_key_edit(o->path, &edit, &ring, e));
    (void)printf("%s is active in %s, check value %s; the key before it is decrypt\n",
                 sl_keyring_active(ring)->id, o->path, sl_keyring_active(ring)->check);
    sl_keyring_free(ring);
    return SL_OK;
}

static void ring_print(const struct sl_keyring *ring)
{
    (void)printf("%-8s  %-9s  %s\n", "id", "state", "check_value");
    for (unsigned i = 0; i < sl_keyring_n(ring); i++) {
        const struct sl_key *key = sl_keyring_at(ring, i);

        (void)printf("%-8s  %-9s  %s\n", key->id,
                     key->master == NULL ? "destroyed" : sl_key_state_name(key->state), key->check);
    }
}

static sl_rc keys_list(const struct sl_keys_options *o, struct sl_err *e)
{
    struct sl_keyring *ring = NULL;

    SL_TRY(sl_key_file_open(o->path, &ring, e));
    ring_print(ring);
    sl_keyring_free(ring);
    return SL_OK;
}

static sl_rc check_database(const struct sl_keys_options *o, const struct sl_keyring *ring,
                            struct sl_err *e)
{
    bool has_seen = false;

    if (o->common.config == NULL) {
        return SL_OK;
    }
    SL_TRY(sl_cmd_keys_compare(&o->common, ring, &has_seen, e));
    (void)printf("%s\n", has_seen ? "ok: no other key is known to the database by the same id"
                                  : "ok: the database has seen no keys yet");
    return SL_OK;
}

static sl_rc keys_check(const struct sl_keys_options *o, struct sl_err *e)
{
    struct sl_keyring *ring = NULL;
    sl_rc rc;

    SL_TRY(sl_key_file_open(o->path, &ring, e));
    (void)printf("ok: %s has %u key%s, %s is active\n", o->path, sl_keyring_n(ring),
                 sl_keyring_n(ring) == 1 ? "" : "s", sl_keyring_active(ring)->id);
    ring_print(ring);
    rc = check_database(o, ring, e);
    sl_keyring_free(ring);
    return rc;
}

static const struct action {
    const char *name;
    bool takes_kid;      /* as its second word */
    const char *options; /* the letters of those it takes */
    sl_rc (*run)(const struct sl_keys_options *o, struct sl_err *e);
} actions[] = {
    { "new", false, "k", keys_new },          { "add", false, "k", keys_add },
    { "activate", true, "", keys_activate },  { "retire", true, "cfdy", sl_cmd_keys_retire },
    { "list", false, "", keys_list },         { "check", false, "c", keys_check },
    { "wrap", false, "m", sl_cmd_keys_wrap },
};

static sl_rc keys_take(struct sl_keys_options *o, int option, char *value, struct sl_err *e)
{
    const size_t n = strlen(o->given);

    switch (option) {
    case 'k':
        o->kid = value;
        break;
    case 'm':
        o->kms_key = value;
        break;
    case 'f':
        o->is_forced = true;
        break;
    case 'd':
        o->is_destroyed = true;
        break;
    case 'y':
        o->is_yes = true;
        break;
    default:
        SL_TRY(sl_options_take(&o->common, option, value, e));
    }
    if (n + 1 < sizeof o->given && strchr(o->given, option) == NULL) {
        o->given[n] = (char)option;
    }
    return SL_OK;
}

static sl_rc keys_choose(const char *word, const struct action **ret, struct sl_err *e)
{
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(word, actions[i].name) == 0) {
            *ret = &actions[i];
            return SL_OK;
        }
    }
    return SL_FAIL(e, SL_USAGE, "say what to do: new, add, activate, retire, list, check or wrap");
}

/* The words after the options: what to do, the file, and maybe which key. */
static sl_rc keys_words(struct sl_keys_options *o, int n, char **words, const struct action **ret,
                        struct sl_err *e)
{
    const struct action *action = NULL;

    SL_TRY(keys_choose(n > 0 ? words[0] : "", &action, e));
    if (n < 2) {
        return SL_FAIL(e, SL_USAGE, "name the key file");
    }
    if (n < 2 + (int)action->takes_kid) {
        return SL_FAIL(e, SL_USAGE, "which key? name its id after the file");
    }
    if (n > 2 + (int)action->takes_kid) {
        return SL_FAIL(e, SL_USAGE, "too many arguments");
    }
    if (o->given[strspn(o->given, action->options)] != '\0') {
        return SL_FAIL(e, SL_USAGE, "%s does not take that option", action->name);
    }
    o->path = words[1];
    if (action->takes_kid) {
        o->kid = words[2];
    }
    if (o->kid != NULL && !sl_key_id_is_valid(sl_str_of(o->kid))) {
        return SL_FAIL(e, SL_USAGE, "the id of a key must be 1 to %d of a-z and 0-9",
                       SL_KEY_ID_MAX);
    }
    *ret = action;
    return SL_OK;
}

static sl_rc keys_parse(int argc, char **argv, struct sl_keys_options *o, const struct action **ret,
                        struct sl_err *e)
{
    static const struct option known[] = {
        { "config", required_argument, NULL, 'c' }, { "destroy", no_argument, NULL, 'd' },
        { "force", no_argument, NULL, 'f' },        { "help", no_argument, NULL, 'h' },
        { "kid", required_argument, NULL, 'k' },    { "kms-key", required_argument, NULL, 'm' },
        { "yes", no_argument, NULL, 'y' },          { 0 },
    };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, SL_OPTIONS_SHORT, known, NULL)) != -1) {
        SL_TRY(keys_take(o, option, optarg, e));
    }
    return o->common.wants_help ? SL_OK : keys_words(o, argc - optind, argv + optind, ret, e);
}

int sl_cmd_keys(int argc, char **argv)
{
    struct sl_keys_options o = { 0 };
    const struct action *action = NULL;
    struct sl_err e = { 0 };

    sl_options_init(&o.common, argv);
    if (keys_parse(argc, argv, &o, &action, &e) != SL_OK) {
        return sl_cmd_fail("keys", &e);
    }
    if (o.common.wants_help) {
        return fputs(sl_help_keys, stdout) < 0 || fflush(stdout) != 0 ? sl_rc_exit(SL_IO) : 0;
    }
    if (action->run(&o, &e) != SL_OK) {
        return sl_cmd_fail("keys", &e);
    }
    if (fflush(stdout) != 0) {
        (void)SL_FAIL(&e, SL_IO, "cannot write to standard output");
        return sl_cmd_fail("keys", &e);
    }
    return 0;
}
