/*
 * What culverctl's commands on a user's mail (verify, import ...) need of master: who the user is, which auth knows, and for
 * commands that change something the mail for themselves. Master only; one struct mail for each such connection to the control
 * socket.
 */
#ifndef CULVER_MASTER_MAILS_H
#define CULVER_MASTER_MAILS_H

#include "master/master_int.h"

struct mail;

/* status: 0, or culverctl's exit status. lines: the answer, lines ending with LF; valid during the call. Called once. */
typedef void mail_done_fn(void *arg, uint8_t status, struct view lines);

/* Looks the user up; with hold also waits until no worker has the mail. done is never called before this returns. ERR_CLOSED,
 * ERR_LIMIT. */
MUST_CHECK int mail_start(struct master *m, struct view name, bool hold, mail_done_fn *done, void *arg, struct mail **out);
/* Gives back what it holds; done is not called any more. Accepts NULL. */
void mail_end(struct mail **mail);

/* IPC_AUTH_FOUND. ERR_PROTO: malformed. */
MUST_CHECK int mails_found(struct master *m, struct view body);
void mails_free(struct master *m);

#endif
