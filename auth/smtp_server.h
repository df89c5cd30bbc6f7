/*
 * culver-smtp-auth: a socket on which mail servers ask whether a client may send mail. It speaks the client protocol of Dovecot's
 * authentication (1.2, and all of the server's greeting at once) and checks nothing itself: each AUTH becomes a channel of its
 * own to culver-auth, which sees the address that the mail server named and treats it like any client's.
 *
 * Whoever may connect may guess passwords at that rate, nothing else: no name of a user comes out of here that has not logged in.
 */
#ifndef CULVER_AUTH_SMTP_SERVER_H
#define CULVER_AUTH_SMTP_SERVER_H

#include "common/conf/settings.h"
#include "common/io/loop.h"
#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"

#define SMTP_EXCHANGES_MAX 64  /* of one mail server process at a time; honest ones have one */
#define SMTP_HELLO_MS 60000    /* from connect to VERSION */
#define SMTP_IDLE_MS 600000    /* without an exchange */
#define SMTP_EXCHANGE_MS 60000 /* from AUTH to its end */

struct smtp_server;

/* set must outlive it. */
struct smtp_server *smtp_server_new(struct loop *loop, const struct set_login *set);
void smtp_server_free(struct smtp_server **server);

/* What master says, before and after the start: listeners (before only), the channel to auth, stop. ERR_PROTO, ERR_STATE. */
MUST_CHECK int smtp_server_message(struct smtp_server *s, struct ipc_msg *msg);
/* Begins to accept. ERR_SYSTEM. */
MUST_CHECK int smtp_server_start(struct smtp_server *s);

#endif
