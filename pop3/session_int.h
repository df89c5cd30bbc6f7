/* The inside of a POP3 session: session.c is its life, commands.c the commands, send.c the body of RETR and TOP. */
#ifndef CULVER_POP3_SESSION_INT_H
#define CULVER_POP3_SESSION_INT_H

#include "pop3/session.h"
#include "storage/mailbox_view.h"
#include "storage/txn.h"

/* RFC 2449 4 asks for 255 octets; a little more does no harm. */
#define POP3_LINE_MAX 512

enum pop3_state {
    POP3_TRANSACTION,
    POP3_FINAL,    /* the mechanism's last message was sent; the client answers it with an empty line (RFC 5034 4) */
    POP3_SENDING,  /* a multi-line answer is being produced in slices */
    POP3_UPDATING, /* QUIT waits for the commit of its deletions */
    POP3_CLOSING
};

enum pop3_job { POP3_JOB_NONE, POP3_JOB_MESSAGE, POP3_JOB_LIST, POP3_JOB_UIDL };

struct pop3_session {
    struct session_host *host;
    struct account *acc;
    struct mailbox_view *view; /* the maildrop: never synchronised, so it does not change (RFC 1939 4) */
    enum pop3_state state;
    uint64_t *deleted; /* bit seq-1: marked by DELE */
    uint32_t ndeleted;
    uint64_t deleted_size;
    uint64_t total_size;
    unsigned bad_commands; /* in a row */
    bool skipping;         /* the rest of a line that was too long */

    enum pop3_job job;
    uint32_t job_seq;     /* LIST and UIDL: the next message; RETR and TOP: the message */
    struct msg_data data; /* of POP3_JOB_MESSAGE */
    uint64_t offset;      /* octets of it done */
    uint64_t lines_left;  /* TOP: body lines still to send; UINT64_MAX: all */
    bool in_body;         /* the empty line after the header has passed */
    bool line_start;
};

static inline bool pop3_is_deleted(const struct pop3_session *s, uint32_t seq)
{
    return (s->deleted[(seq - 1) / 64] >> ((seq - 1) % 64) & 1) != 0;
}

/* Parses and runs one line (without its line end). */
void pop3_command(struct pop3_session *s, struct view line);

void pop3_line(struct pop3_session *s, const char *text);
void pop3_enter(struct pop3_session *s, enum pop3_state state);

/* send.c: starts RETR (lines UINT64_MAX) or TOP; the +OK was put. */
void pop3_send_start(struct pop3_session *s, uint32_t seq, uint64_t lines);
/* One slice of the job under way. True when it is finished. */
bool pop3_send_step(struct pop3_session *s);

/* The unique id that the message brought with it, or "000000015f3c2a10": UID and UIDVALIDITY in hexadecimal; unique and permanent
 * (RFC 1939 7, UIDL). */
void pop3_put_uidl(struct buf *out, const struct mailbox_view *v, uint32_t seq, uint32_t uidvalidity);

#endif
