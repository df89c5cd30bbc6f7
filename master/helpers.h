/* Auth's helpers: started for one request, with their channel to auth, bounded in number and in time. Master only. */
#ifndef CULVER_MASTER_HELPERS_H
#define CULVER_MASTER_HELPERS_H

#include "master/master_int.h"

void helpers_init(struct master *m);
void helpers_free(struct master *m);
/* IPC_AUTH_HELPER. Nonzero: malformed. A helper that cannot be started closes its channel to auth, which auth takes as a failure.
 */
MUST_CHECK int helpers_start(struct master *m, struct ipc_msg *msg);
/* Those that stay go on in this log. */
void helpers_send_log(struct master *m, int fd);
size_t helpers_count(const struct master *m);

#endif
