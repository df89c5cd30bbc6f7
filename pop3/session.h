/* The POP3 session after log-in (RFC 1939, 2449) as the worker hosts it. The maildrop is INBOX as of log-in; DELE takes effect at
 * QUIT. */
#ifndef CULVER_POP3_SESSION_H
#define CULVER_POP3_SESSION_H

#include "common/io/session.h"
#include "storage/account.h"

struct pop3_session;

/* Puts the +OK of PASS (or AUTH). With acc NULL: "-ERR [SYS/TEMP] …", and run() gives SESSION_CLOSE. */
struct pop3_session *pop3_session_new(struct session_host *host, struct account *acc, struct view tag, struct view final);
void pop3_session_free(struct pop3_session **s);
enum session_run pop3_session_run(struct pop3_session *s);
/* The timer of set_timeout has fired. */
void pop3_session_timeout(struct pop3_session *s);
/* The worker is leaving, the session was kicked, or the store failed: -ERR is put when a command waits; run() then gives
 * SESSION_CLOSE. */
void pop3_session_bye(struct pop3_session *s, const char *code, const char *text);
/* As imap/session.h has them: no command is begun any more; it stands where it can be frozen; the record; the session again. */
void pop3_session_park(struct pop3_session *s);
bool pop3_session_parked(const struct pop3_session *s);
MUST_CHECK int pop3_session_freeze(struct pop3_session *s, struct buf *out, int *spool_out);
MUST_CHECK int pop3_session_thaw(struct session_host *host, struct account *acc, struct view record, int *spool,
                                 struct pop3_session **out);
bool pop3_session_idle(const struct pop3_session *s);

#endif
