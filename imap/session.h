/* The IMAP session (RFC 3501, RFC 9051) as the worker hosts it: a state machine over bytes, an account and the tick. */
#ifndef CULVER_IMAP_SESSION_H
#define CULVER_IMAP_SESSION_H

#include "common/io/session.h"
#include "storage/account.h"

struct imap_session;

/* The client was authenticated with the command tagged `tag`: puts its tagged OK with CAPABILITY to the output. With acc NULL
 * (the mail cannot be opened) puts "tag NO [UNAVAILABLE] …" and BYE, and run() gives SESSION_CLOSE. final: last SASL data, put
 * before the OK as "+ base64" is not needed for IMAP when empty. */
struct imap_session *imap_session_new(struct session_host *host, struct account *acc, struct view tag, struct view final);
void imap_session_free(struct imap_session **s);
enum session_run imap_session_run(struct imap_session *s);
/* The timer of set_timeout has fired. */
void imap_session_timeout(struct imap_session *s);
/* The worker is leaving, the session was kicked, or the store failed: BYE with this text; run() then gives SESSION_CLOSE. */
void imap_session_bye(struct imap_session *s, const char *code, const char *text);
/* True when nothing of a response is sent whose rest is still to be made: another may follow what was sent. */
bool imap_session_between(const struct imap_session *s);
/* It is to be frozen: from now on no command is begun, and those that were are brought to an end, or to a point where they can be
 * taken up again. */
void imap_session_park(struct imap_session *s);
/* That point is reached: run() does nothing any more. */
bool imap_session_parked(const struct imap_session *s);
/* Everything that the session is, but for what is in the host's buffers, as a record (freeze.c). *spool_out: a descriptor that
 * belongs to the record, for the caller to close, or -1. Only imap_session_free() is left for s. ERR_LIMIT. */
MUST_CHECK int imap_session_freeze(struct imap_session *s, struct buf *out, int *spool_out);
/* The session again, as if nothing had happened; *spool is taken (-1) when it is used. The record may come from a process that
 * lies: ERR_PROTO, ERR_LIMIT when it is none or cannot be true; whatever was put to the output then means nothing. */
MUST_CHECK int imap_session_thaw(struct session_host *host, struct account *acc, struct view record, int *spool,
                                 struct imap_session **out);
/* True while it waits for nothing but its client (IDLE or between commands): it may be counted as idle. */
bool imap_session_idle(const struct imap_session *s);

#endif
