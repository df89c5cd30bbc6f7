/* What culverctl does: talking to master's control socket, and making password hashes. */
#ifndef CULVER_MASTER_CTL_H
#define CULVER_MASTER_CTL_H

#include "common/ipc/proto.h"

#define CTL_EXIT_USAGE 64
#define CTL_EXIT_UNREACHABLE 69 /* EX_UNAVAILABLE: no culver runs there, or we may not talk to it */

/* Sends one request and prints the lines of the answer (on standard error when the status is not 0). Returns the exit status. */
int ctl_request(const char *socket_path, enum ctl_verb verb, const char *argument);
/* The same, with the lines into text. After a CTL_HOLD that was granted *fd_out is the connection that holds the mail, to be
 * closed by the caller; otherwise -1. */
int ctl_ask(const char *socket_path, enum ctl_verb verb, const char *argument, struct buf *text, int *fd_out);
/* The same with a request about app passwords or second factors. */
int ctl_request_credential(const char *socket_path, const struct msg_credential *msg);
/* app-password, totp: argv from the command's name on. CTL_EXIT_USAGE: not understood. */
bool ctl_is_credential_command(const char *name);
int ctl_credential(int argc, char **argv, const char *socket_path);
/* verify, compact, salvage, export, import: argv from the command's name on. conf NULL: none could be read; socket_path NULL: not
 * known. */
struct conf;
bool ctl_is_mail_command(const char *name);
int ctl_mail(int argc, char **argv, const struct conf *conf, const char *socket_path);
/* Prints "{SCHEME}…" for a password read twice from the terminal, or once from standard input. scheme NULL: the default. */
int ctl_hash_password(const char *scheme);

#endif
