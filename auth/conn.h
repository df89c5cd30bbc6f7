/*
 * One client connection as culver-auth knows it: who announced it, and what is going on. At most one SASL exchange at a time; an
 * LMTP connection asks for recipients instead, several at a time.
 */
#ifndef CULVER_AUTH_CONN_H
#define CULVER_AUTH_CONN_H

#include "auth/server.h"

enum conn_state {
    CONN_IDLE,       /* the next exchange may begin */
    CONN_CHALLENGED, /* the client has to answer */
    CONN_WAITING,    /* its turn among the attempts of its address has not come, or no place is free among them */
    CONN_CHECKING,   /* databases are asked; what they say may be the next challenge */
    CONN_HOLDING,    /* failed, or passed too early, or keys are to be shown; the answer waits */
    CONN_DONE        /* passed, or failed too often */
};

/* A connection whose exchanges have failed this often is told to close, whatever its login process thinks. */
#define CONN_FAILURES_MAX 20
/* Messages of one exchange. */
#define CONN_STEPS_MAX 16
/* Recipients being looked up for one LMTP connection. */
#define CONN_RCPTS_MAX 128

struct attempt;
struct rcpt;

struct auth_conn {
    struct auth_conn *next; /* in the server's table */
    struct auth_server *server;
    struct ipc *ch;
    uint64_t id;
    enum proto_protocol protocol;
    struct net_addr peer;
    struct net_addr counted; /* the same, or no address: failures do not count for it */
    bool proxy_due;          /* IPC_CONN_PROXIED must come first */
    bool proxy_tls;          /* a proxy ended TLS */
    bool nonce_given;
    uint8_t nonce[PROTO_NONCE_LEN]; /* that the TLS handshake of this connection holds, */
    struct buf handshake;           /* which has come for the next exchange */
    enum conn_state state;
    unsigned failures;
    struct timer *timer; /* CONN_WAITING, CONN_HOLDING */
    struct attempt *attempt;
    struct rcpt *rcpts;
    unsigned nrcpts;
};

/* Take over fd, also on failure. ERR_EXISTS: there is a connection with this id; ERR_LIMIT. */
MUST_CHECK int auth_conn_new(struct auth_server *s, const struct msg_conn *msg, int fd);
MUST_CHECK int auth_conn_new_smtp(struct auth_server *s, const struct msg_smtp_conn *msg, int fd);
/* Ends everything that is under way for it. May be called from anything that it caused, as the last thing. */
void auth_conn_free(struct auth_conn *c);

/* attempt.c: the messages of an exchange. ERR_PROTO: the connection must be dropped (already logged or not); c is alive then. */
MUST_CHECK int attempt_on_auth(struct auth_conn *c, struct view body);
MUST_CHECK int attempt_on_response(struct auth_conn *c, struct view body);
MUST_CHECK int attempt_on_cancel(struct auth_conn *c);
void attempt_on_timer(struct auth_conn *c);
void attempt_free(struct auth_conn *c);

/* rcpt.c */
MUST_CHECK int rcpt_on_message(struct auth_conn *c, struct view body);
void rcpt_free_all(struct auth_conn *c);

/* conn_handshake.c: what a connection's TLS handshake has to do with it. ERR_PROTO as above. */
MUST_CHECK int auth_conn_on_nonce(struct auth_conn *c);
MUST_CHECK int auth_conn_on_handshake(struct auth_conn *c, struct view body);
/* All that has come of it, the caller's from now on. */
struct buf auth_conn_take_handshake(struct auth_conn *c);
void auth_conn_forget_handshake(struct auth_conn *c);

/* Checks the edge and sets what the channel allows the other end. */
void auth_conn_enter(struct auth_conn *c, enum conn_state state);
const char *auth_conn_protocol(const struct auth_conn *c);

/* grant.c: tells master whom the connection (or its recipient rcpt_id) belongs to, and which folder is asked for.
 * admin: a master user has proved to be one. */
struct user_entry;
struct auth_detail;
MUST_CHECK int grant_send(struct auth_conn *c, uint32_t rcpt_id, const struct user_entry *user, const struct auth_detail *detail,
                          bool admin);

#endif
