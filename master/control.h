/*
 * The control socket run_dir/control (SOCK_SEQPACKET, mode 0600): one request, its lines, the end. The peer must be root or
 * master's own user by SO_PEERCRED, whatever the modes of the folder say. Master only.
 */
#ifndef CULVER_MASTER_CONTROL_H
#define CULVER_MASTER_CONTROL_H

#include "master/master_int.h"

#define CONTROL_NAME "control"

/* Binds and listens. On failure errors has a line. */
MUST_CHECK int control_open(struct master *m, struct buf *errors);
void control_free(struct master *m);

/* control_report.c: what the verbs print, lines ending with LF. Returns culverctl's exit status. */
uint8_t control_run(struct master *m, const struct msg_ctl_request *request, struct buf *out);

#endif
