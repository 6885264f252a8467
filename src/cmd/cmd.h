/* cmd/cmd.h - the sub-commands: one entry point and one help text each. */
#ifndef SLUICE_CMD_CMD_H
#define SLUICE_CMD_CMD_H

/* Run a sub-command; argv[0] is its name.
 * Returns: the exit status of the program */
int sl_cmd_run(int argc, char **argv);
int sl_cmd_check(int argc, char **argv);
int sl_cmd_keys(int argc, char **argv);
int sl_cmd_mask(int argc, char **argv);
int sl_cmd_tokens(int argc, char **argv);
int sl_cmd_unmask(int argc, char **argv);
int sl_cmd_rewrap(int argc, char **argv);
int sl_cmd_verify(int argc, char **argv);
int sl_cmd_erase(int argc, char **argv);
int sl_cmd_dead(int argc, char **argv);
int sl_cmd_generate(int argc, char **argv);
int sl_cmd_status(int argc, char **argv);
int sl_cmd_top(int argc, char **argv);
int sl_cmd_sql(int argc, char **argv);
int sl_cmd_docs(int argc, char **argv);
int sl_cmd_version(int argc, char **argv);

extern const char sl_help_run[];
extern const char sl_help_check[];
extern const char sl_help_keys[];
extern const char sl_help_mask[];
extern const char sl_help_tokens[];
extern const char sl_help_unmask[];
extern const char sl_help_rewrap[];
extern const char sl_help_verify[];
extern const char sl_help_erase[];
extern const char sl_help_dead[];
extern const char sl_help_generate[];
extern const char sl_help_status[];
extern const char sl_help_top[];
extern const char sl_help_sql[];
extern const char sl_help_docs[];
extern const char sl_help_version[];

#endif
