/* Private to smtp_server.c, smtp_client.c and smtp_exchange.c. */
#ifndef CULVER_AUTH_SMTP_INT_H
#define CULVER_AUTH_SMTP_INT_H

#include "auth/smtp_line.h"
#include "auth/smtp_server.h"

#define SMTP_LISTENERS_MAX 64

struct smtp_listener {
    struct smtp_server *server;
    int fd;
    struct watch *watch;
};

struct smtp_server {
    struct loop *loop;
    const struct set_login *set;
    struct ipc *auth; /* NULL: not there at the moment */
    struct smtp_listener listeners[SMTP_LISTENERS_MAX];
    size_t nlisteners;
    struct smtp_client *clients;
    size_t nclients;
    uint32_t last_client;
    struct timer *pause; /* accepts again */
    uint64_t refused_at;
    bool started, stopping;
};

enum smtp_exchange_state { SMTP_ASKED, SMTP_CHALLENGED };

struct smtp_exchange {
    struct smtp_exchange *next;
    struct smtp_client *client;
    uint32_t id;      /* the mail server's */
    uint64_t conn_id; /* auth's */
    enum smtp_exchange_state state;
    struct ipc *ch;
    struct timer *deadline;
};

struct smtp_client {
    struct smtp_client *next;
    struct smtp_server *server;
    uint32_t number; /* CUID */
    int fd;
    struct watch *watch;
    struct timer *idle;
    struct buf in, out; /* secret */
    bool greeted;       /* VERSION has come */
    bool closing;       /* what is in out goes, then it ends */
    struct smtp_exchange *exchanges;
    unsigned nexchanges;
};

/* smtp_client.c: takes over fd. */
void smtp_client_new(struct smtp_server *s, int fd);
void smtp_client_free(struct smtp_client *c);
/* Sends what is in c->out. May free c. */
void smtp_client_flush(struct smtp_client *c);
/* An exchange has ended: waits for the next one. */
void smtp_client_rest(struct smtp_client *c);

/* smtp_exchange.c. ERR_PROTO: the client said what nobody says; nothing was freed but exchanges. */
MUST_CHECK int smtp_exchange_auth(struct smtp_client *c, const struct smtp_line *line);
MUST_CHECK int smtp_exchange_cont(struct smtp_client *c, const struct smtp_line *line);
void smtp_exchange_cancel(struct smtp_client *c, uint32_t id);
void smtp_exchange_free(struct smtp_exchange *x);

/* smtp_server.c: the number of clients went down. */
void smtp_server_left(struct smtp_server *s);

#endif
