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
bool pop3_session_idle(const struct pop3_session *s);

#endif
