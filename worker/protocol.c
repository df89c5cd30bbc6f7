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

/* RFC 9051 7.1.5, RFC 5530 3. */
static const char *imap_last_words(const void *session)
{
    return session == NULL || imap_session_between(session)
               ? "* BYE [UNAVAILABLE] The server has no memory left, please reconnect.\r\n"
               : NULL;
}

static void imap_park(void *session)
{
    imap_session_park(session);
}

static bool imap_parked(const void *session)
{
    return imap_session_parked(session);
}

static int imap_freeze(void *session, struct buf *out, int *spool_out)
{
    return imap_session_freeze(session, out, spool_out);
}

static int imap_thaw(struct session_host *host, struct account *acc, struct view record, int *spool, void **out)
{
    struct imap_session *s;
    int err = imap_session_thaw(host, acc, record, spool, &s);

    if (err == 0)
        *out = s;
    return err;
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

/* POP3 knows no answers but to commands (RFC 1939 3): one that is not asked for would be taken for that to the next. */
static const char *pop3_last_words(const void *session)
{
    (void)session;
    return NULL;
}

static void pop3_park(void *session)
{
    pop3_session_park(session);
}

static bool pop3_parked(const void *session)
{
    return pop3_session_parked(session);
}

static int pop3_freeze(void *session, struct buf *out, int *spool_out)
{
    return pop3_session_freeze(session, out, spool_out);
}

static int pop3_thaw(struct session_host *host, struct account *acc, struct view record, int *spool, void **out)
{
    struct pop3_session *s;
    int err = pop3_session_thaw(host, acc, record, spool, &s);

    if (err == 0)
        *out = s;
    return err;
}

static const struct protocol protocols[] = {
    {PROTO_IMAP, "imap", imap_open, imap_close, imap_run, imap_timeout, imap_bye, imap_last_words, imap_park, imap_parked,
     imap_freeze, imap_thaw},
    {PROTO_POP3, "pop3", pop3_open, pop3_close, pop3_run, pop3_timeout, pop3_bye, pop3_last_words, pop3_park, pop3_parked,
     pop3_freeze, pop3_thaw},
};

const struct protocol *protocol_find(enum proto_protocol id)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (protocols[i].id == id)
            return &protocols[i];
    }
    return NULL;
}
