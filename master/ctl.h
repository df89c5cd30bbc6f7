/* What culverctl does: talking to master's control socket, and making password hashes. */
#ifndef CULVER_MASTER_CTL_H
#define CULVER_MASTER_CTL_H

#include "common/ipc/proto.h"

#define CTL_EXIT_USAGE 64
#define CTL_EXIT_UNREACHABLE 69 /* EX_UNAVAILABLE: no culver runs there, or we may not talk to it */

/* Sends one request and prints the lines of the answer (on standard error when the status is not 0). Returns the exit status. */
int ctl_request(const char *socket_path, enum ctl_verb verb, const char *argument);
/* Prints "{SCHEME}…" for a password read twice from the terminal, or once from standard input. scheme NULL: the default. */
int ctl_hash_password(const char *scheme);

#endif
