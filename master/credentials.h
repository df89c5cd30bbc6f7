/* culverctl's requests about app passwords and second factors: passed on to auth, whose answer is passed back. Master only. */
#ifndef CULVER_MASTER_CREDENTIALS_H
#define CULVER_MASTER_CREDENTIALS_H

#include "master/master_int.h"

struct credential;

/* status: culverctl's exit status; lines: the answer, valid during the call. Called once, never before credential_start returns.
 */
typedef void credential_done_fn(void *arg, uint8_t status, struct view lines);

/* ERR_CLOSED: no auth is ready. ERR_LIMIT. */
MUST_CHECK int credential_start(struct master *m, const struct msg_credential *msg, credential_done_fn *done, void *arg,
                                struct credential **out);
/* Nobody waits any more. Accepts NULL. */
void credential_end(struct credential **c);

/* IPC_AUTH_CREDENTIAL. ERR_PROTO: malformed. */
MUST_CHECK int credentials_done(struct master *m, struct view body);

#endif
