/* One row a protocol. The small adapters give the table one type without casting function pointers. */
#include "worker/protocol.h"

#include "common/base/mem.h"
#include "imap/session.h"
#include "pop3/session.h"

static void *imap_open(struct session_host *host, struct account *acc, struct view tag, struct view final)
{
    return imap_session_new(host, acc, tag, final);
}

static void imap_close(void *session)
{
    struct imap_session *s = session;

    imap_session_free(&s);
}

static enum session_run imap_run(void *session)
{
    return imap_session_run(session);
}

static void imap_timeout(void *session)
{
    imap_session_timeout(session);
}

static void imap_bye(void *session, const char *code, const char *text)
{
    imap_session_bye(session, code, text);
}

static void *pop3_open(struct session_host *host, struct account *acc, struct view tag, struct view final)
{
    return pop3_session_new(host, acc, tag, final);
}

static void pop3_close(void *session)
{
    struct pop3_session *s = session;

    pop3_session_free(&s);
}

static enum session_run pop3_run(void *session)
{
    return pop3_session_run(session);
}

static void pop3_timeout(void *session)
{
    pop3_session_timeout(session);
}

static void pop3_bye(void *session, const char *code, const char *text)
{
    pop3_session_bye(session, code, text);
}

static const struct protocol protocols[] = {
    {PROTO_IMAP, "imap", imap_open, imap_close, imap_run, imap_timeout, imap_bye},
    {PROTO_POP3, "pop3", pop3_open, pop3_close, pop3_run, pop3_timeout, pop3_bye},
};

const struct protocol *protocol_find(enum proto_protocol id)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (protocols[i].id == id)
            return &protocols[i];
    }
    return NULL;
}
