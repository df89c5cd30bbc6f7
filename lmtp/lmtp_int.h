/*
 * The inside of one LMTP connection (RFC 2033): conn.c is its life and input, command.c the commands, tls.c its TLS, message.c
 * the data on its way to the memfd, deliver.c the recipients' look-ups and deliveries, reply.c the answers.
 */
#ifndef CULVER_LMTP_LMTP_INT_H
#define CULVER_LMTP_LMTP_INT_H

#include "common/conf/settings.h"
#include "common/io/loop.h"
#include "common/io/outq.h"
#include "common/ipc/ipc.h"
#include "common/ipc/proto.h"
#include "common/tls/tls.h"
#include "lmtp/conn.h"
#include "lmtp/dotstream.h"

enum lmtp_state {
    LMTP_COMMAND,   /* the next line is a command */
    LMTP_LOOKUP,    /* RCPT waits for auth */
    LMTP_ROOM,      /* and for what master knows of the quota */
    LMTP_DATA,      /* message bytes until the end of data */
    LMTP_CHUNK,     /* message bytes of a BDAT chunk */
    LMTP_DELIVER,   /* waiting for the workers */
    LMTP_STARTTLS,  /* its answer is being sent */
    LMTP_HANDSHAKE, /* TLS */
    LMTP_CLOSING
};

struct lmtp_rcpt {
    struct lmtp_conn *conn;
    char *address;     /* as given */
    uint32_t id;       /* of its grant */
    struct ipc *reply; /* channel on which the worker (or master) answers; NULL: answered, or not sent */
    uint16_t code;     /* 0: no answer yet */
    char enhanced[17];
    char text[PROTO_TEXT_MAX + 1];
};

struct lmtp_conn {
    struct lmtp_params p;
    struct loop *loop;
    uint64_t id;
    struct net_addr peer, local;
    int fd;
    struct watch *watch;
    struct ipc *auth, *master;
    struct timer *idle, *deliver_timer;
    struct buf in;
    struct outq *out;
    enum lmtp_state state;
    bool eof, skipping;
    bool held; /* input waits because too many answers do */
    enum listener_tls tls_mode;
    int keys_fd;          /* for the one signature; -1: no TLS, or it is on */
    struct tls_conn *tls; /* NULL: everything is clear text; otherwise, before tls_on, the handshake */
    bool tls_on, tls_shut;
    struct buf net_in, net_out, plain; /* with tls: as on the wire; taken out of `out`, not encrypted yet */
    bool over;                         /* nothing happens any more; the owner will free it */
    void (*ended)(void *arg, uint64_t conn_id);
    void *ended_arg;

    char *helo; /* of LHLO; NULL: not said yet */
    bool has_sender;
    bool utf8;         /* MAIL said SMTPUTF8 */
    uint64_t declared; /* the SIZE that it said; 0: none */
    char *sender;
    struct lmtp_rcpt *rcpts; /* those that were accepted */
    size_t nrcpts;
    struct lmtp_rcpt looking_up;
    uint32_t next_rcpt_id;

    bool message;  /* one is under way; it begins with DATA or the first BDAT and ends with its answers or RSET */
    int memfd;     /* its octets, or -1 */
    uint64_t size; /* octets in it */
    int data_err;  /* why the message cannot be kept: ERR_LIMIT, ERR_NOSPACE */
    struct dotstream dots;
    uint64_t chunk_left;
    bool chunk_last;
    size_t started; /* recipients whose delivery has begun, or failed to */
    size_t waiting; /* of those, the ones without an answer */
};

/* reply.c */
void lmtp_reply(struct lmtp_conn *c, unsigned code, const char *enhanced, const char *text);
/* One line of a multi-line 250. */
void lmtp_reply_more(struct lmtp_conn *c, const char *text);

/* conn.c */
void lmtp_enter(struct lmtp_conn *c, enum lmtp_state state);
/* Runs what the input holds; called when a state ended in which input had to wait. */
void lmtp_resume(struct lmtp_conn *c);
/* Forgets the transaction (RSET, the end of a message). */
void lmtp_reset(struct lmtp_conn *c);

void lmtp_greet(struct lmtp_conn *c);
/* Master is gone: says so, and closes once that is sent. */
void lmtp_leave(struct lmtp_conn *c);

/* command.c: one line without its end. */
void lmtp_command(struct lmtp_conn *c, struct view line);

/* message.c */
void lmtp_data_start(struct lmtp_conn *c);
void lmtp_chunk_start(struct lmtp_conn *c, uint64_t size, bool last);
/* Takes message bytes from the input; returns false when it needs more. */
bool lmtp_take_message(struct lmtp_conn *c);

/* deliver.c */
void lmtp_lookup(struct lmtp_conn *c, struct view address);
void lmtp_rcpt_result(struct lmtp_conn *c, const struct msg_rcpt_result *m);
/* What master knows of the recipient's quota. */
void lmtp_room(struct lmtp_conn *c, const struct msg_room *m);
/* auth is gone: a look-up under way fails for now. */
void lmtp_lookup_failed(struct lmtp_conn *c);
/* The message is whole: seals it and hands it to every recipient's worker. */
void lmtp_deliver(struct lmtp_conn *c);
void lmtp_deliver_timeout(void *arg);
void lmtp_rcpt_free(struct lmtp_rcpt *r);

#endif
