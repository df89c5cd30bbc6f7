/* The inside of a POP3 session: session.c is its life, maildrop.c what it has to show, commands.c the commands,
 * send.c the body of RETR and TOP. */
#ifndef CULVER_POP3_SESSION_INT_H
#define CULVER_POP3_SESSION_INT_H

#include "common/conf/uidl_format.h"
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
    uint32_t uidvalidity;
    uint32_t count;    /* messages of the maildrop, with those marked by DELE */
    uint32_t *map;     /* message n is number map[n - 1] of the view; NULL: number n, nothing is hidden */
    uint64_t *deleted; /* bit n-1: marked by DELE */
    uint32_t ndeleted;
    uint64_t deleted_size;
    uint64_t total_size;
    struct uidl_format uidl;
    bool utf8;             /* the client has said UTF8 (RFC 6856) */
    char *capa;            /* further lines of CAPA, each with its ';' (login_capa.h) */
    unsigned bad_commands; /* in a row */
    bool skipping;         /* the rest of a line that was too long */
    bool parking;          /* it is to be frozen: no command is begun */

    enum pop3_job job;
    uint32_t job_n;       /* LIST and UIDL: the next message; RETR and TOP: the message */
    struct msg_data data; /* of POP3_JOB_MESSAGE */
    uint64_t offset;      /* octets of it done */
    uint64_t lines_left;  /* TOP: body lines still to send; UINT64_MAX: all */
    bool in_body;         /* the empty line after the header has passed */
    bool line_start;
};

static inline bool pop3_is_deleted(const struct pop3_session *s, uint32_t n)
{
    return (s->deleted[(n - 1) / 64] >> ((n - 1) % 64) & 1) != 0;
}

/* What a session is before anything has happened in it. */
struct pop3_session *pop3_session_make(struct session_host *host, struct account *acc);

/* maildrop.c */
/* v becomes the maildrop, without the messages that have a number in hidden (of the view; NULL: all are there). Takes over v. */
void pop3_use_view(struct pop3_session *s, struct mailbox_view *v, const struct uidset *hidden);
/* Opens INBOX or the folder of the host's detail. False: there is no such folder. */
bool pop3_open_maildrop(struct pop3_session *s);
/* Message n's number in the view. */
uint32_t pop3_seq(const struct pop3_session *s, uint32_t n);
/* Octets of a message as RETR sends it, without dot-stuffing: what LIST and STAT say. */
uint64_t pop3_size(const struct msg_info *info);
/* The unique id that the message brought with it, or one in the configured form: unique and permanent (RFC 1939 7, UIDL). */
void pop3_put_uidl(const struct pop3_session *s, struct buf *out, uint32_t n);
/* Stages that the marked messages go, or are hidden. ERR_CLOSED: the folder has been deleted. */
MUST_CHECK int pop3_update(struct pop3_session *s, struct txn *t);

/* Parses and runs one line (without its line end). */
void pop3_command(struct pop3_session *s, struct view line);

void pop3_line(struct pop3_session *s, const char *text);
void pop3_enter(struct pop3_session *s, enum pop3_state state);

/* send.c: starts RETR (lines UINT64_MAX) or TOP and puts the +OK, or -ERR. */
void pop3_send_start(struct pop3_session *s, uint32_t n, uint64_t lines);
/* One slice of the job under way. True when it is finished. */
bool pop3_send_step(struct pop3_session *s);

#endif
