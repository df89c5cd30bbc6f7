/* Where log lines go: master opens it, every child gets the descriptor as its number 2. Master only. */
#ifndef CULVER_MASTER_LOGTARGET_H
#define CULVER_MASTER_LOGTARGET_H

#include "master/master_int.h"

/* Opens what the setup says. On failure errors has a line. */
MUST_CHECK int logtarget_open(const struct setup *s, struct logtarget **out, struct buf *errors);
/* Closes the descriptor; log_set_fd() must have moved to another before. */
void logtarget_free(struct logtarget **t);
int logtarget_fd(const struct logtarget *t);
enum log_sink logtarget_sink(const struct logtarget *t);
/* Replaces master's target (which is freed) and tells every process. */
void logtarget_install(struct master *m, struct logtarget *t);
/* Opens the same target again (a rotated file). What cannot be opened leaves the old one in use. */
void logtarget_reopen(struct master *m);

#endif
