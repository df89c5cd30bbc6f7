/* TLS of an LMTP connection, tls.c. */
#ifndef CULVER_LMTP_TLS_INT_H
#define CULVER_LMTP_TLS_INT_H

#include "lmtp/lmtp_int.h"

/* STARTTLS can be offered. */
bool lmtp_tls_possible(const struct lmtp_conn *c);
/* Answers STARTTLS, or closes when something stands behind it: what was said in clear must not be taken for what follows under
 * TLS (RFC 3207 4.2). To be looked at before the answer is sent: a fast client begins its handshake as soon as it is. */
void lmtp_tls_answer(struct lmtp_conn *c);
/* The handshake begins, once the answer to STARTTLS is sent. False: the connection has to end. */
bool lmtp_tls_begin(struct lmtp_conn *c);
/* Moves what came into c->in, as far as there is room. False: TLS failed, an alert may wait to be sent. */
bool lmtp_tls_pull(struct lmtp_conn *c, bool *grown_out);
/* Sends what can be sent, with or without TLS. As outq_flush(). */
MUST_CHECK int lmtp_send(struct lmtp_conn *c);
/* Everything is said: the end of the TLS stream. */
void lmtp_tls_goodbye(struct lmtp_conn *c);
void lmtp_tls_free(struct lmtp_conn *c);

#endif
