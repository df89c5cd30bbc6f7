/*
 * Private to common/login: one connection's state (conn*.c, relay.c), the parent (parent.c, login.c), limits, networks, PROXY
 * header.
 *
 * Every entry from outside (socket, channel, timer) changes the state and ends with one call of login_conn_step(), which does all
 * work that is possible, sends, sets what is watched for and, when the connection is over, hands it to its owner. Nothing may
 * touch the connection after that call. Callbacks of the protocol run inside it and never call it.
 */
#ifndef CULVER_COMMON_LOGIN_LOGIN_INT_H
#define CULVER_COMMON_LOGIN_LOGIN_INT_H

#include "common/io/loop.h"
#include "common/ipc/ipc.h"
#include "common/login/login.h"
#include "common/login/serve.h"
#include "common/tls/tls.h"

/* --- PROXY protocol header, versions 1 and 2 (proxy.c) ------------------------------------------------------------------- */

#define PROXY_HEADER_MAX 2048

struct proxy_header {
    bool has_addr; /* false: the proxy speaks for itself (LOCAL, UNKNOWN) or for something that is not TCP */
    struct net_addr peer, local;
    bool tls; /* the proxy ended TLS (version 2 only) */
};
enum proxy_result { PROXY_MORE, PROXY_DONE, PROXY_BAD };
/* in: what has come so far. With PROXY_DONE *used_out is the length of the header; otherwise the outputs are untouched. */
enum proxy_result login_proxy_parse(struct view in, struct proxy_header *out, size_t *used_out);

/* --- networks (nets.c) ---------------------------------------------------------------------------------------------------- */

struct login_nets;
/* "192.0.2.0/24", "2001:db8::/32" or single addresses; ERR_SYNTAX. */
/* Is the address in this network ("192.0.2.0/24")? What is no network has nobody. */
bool login_net_has(const char *network, const struct net_addr *addr);
MUST_CHECK int login_nets_new(const struct conf_list *list, struct login_nets **out);
void login_nets_free(struct login_nets **nets);
bool login_nets_have(const struct login_nets *nets, const struct net_addr *addr);

/* --- limits on connections before log-in (limits.c) ------------------------------------------------------------------------ */

struct login_limits;
enum limits_verdict { LIMITS_OK, LIMITS_TOTAL, LIMITS_ADDRESS, LIMITS_PENALTY };

/* An address is an IPv4 address or an IPv6 /64. */
struct login_limits *login_limits_new(uint64_t per_address, uint64_t total);
void login_limits_free(struct login_limits **l);
/* Counts one connection of peer (NULL: an address that is not to be counted by itself) when that is allowed. now in ms. */
enum limits_verdict login_limits_add(struct login_limits *l, const struct net_addr *peer, uint64_t now);
/* Takes back one login_limits_add() that gave LIMITS_OK, with the same peer. */
void login_limits_remove(struct login_limits *l, const struct net_addr *peer);
/* Connections of peer are refused until then. The number of such addresses is bounded; beyond it this does nothing. */
void login_limits_penalise(struct login_limits *l, const struct net_addr *peer, uint64_t now, uint64_t until);
uint64_t login_limits_total(const struct login_limits *l);

/* --- one connection -------------------------------------------------------------------------------------------------------- */

/* What all connections of the service share. */
struct login_service {
    const struct login_protocol *protocol;
    const struct set_login *set;
    const char *hostname;
    struct tls_ctx *tls;              /* NULL or not usable: no TLS */
    const struct set_worker *session; /* what holds for the sessions after log-in */
};

#define LOGIN_MECHANISMS_MAX 9

enum conn_state {
    CONN_PROXY,      /* the PROXY header comes first */
    CONN_STARTTLS,   /* the answer to STARTTLS is being sent */
    CONN_HANDSHAKE,  /* TLS */
    CONN_COMMAND,    /* the protocol's turn */
    CONN_AUTH,       /* a request to auth is under way */
    CONN_TAKE_FLUSH, /* output must be out before the socket is given away */
    CONN_TAKE,       /* master decides */
    CONN_RELAY,      /* handed over; this process is its TLS end */
    CONN_CLOSING,    /* the last output is being sent */
    CONN_LINGER,     /* our side is shut: wait for the client's end, so that it gets to read our last words */
    CONN_DEAD
};

enum nonce_state { NONCE_NONE, NONCE_ASKED, NONCE_HERE };

struct login_conn {
    const struct login_service *svc;
    struct loop *loop;
    uint64_t id;
    struct net_addr peer, local; /* the PROXY header's, once it came */
    enum listener_tls listener_tls;
    bool proxied_tls;
    enum conn_state state;
    int fd;
    struct watch *watch;
    struct ipc *auth, *master;
    int keys_fd;
    bool exchange; /* a SASL exchange is open at auth */
    bool greeted;
    bool eof;                   /* the client sends no more */
    struct timer *total, *step; /* log-in as a whole; the present state */
    struct buf net_in, net_out; /* as on the wire, with TLS only (net_in also for the PROXY header) */
    struct buf in, out;         /* as the protocol sees it */
    struct tls_conn *tls;
    bool tls_on;
    enum nonce_state nonce; /* that a client certificate needs */
    unsigned bad_commands, failures;
    const char *mechanisms[LOGIN_MECHANISMS_MAX]; /* on offer; see login_conn_mechanisms() */
    struct buf take;                              /* encoded IPC_CONN_TAKE */
    int pair_fd;                                  /* with TLS: our end of the socket pair whose other end the worker has */
    int pair_other;                               /* the worker's end until it is sent */
    struct watch *pair_watch;
    bool pair_eof, pair_shut, pair_broken;
    void *proto_state;
    void (*ended)(void *arg, struct login_conn *c); /* the owner calls login_conn_free() */
    void *arg;
};

/* conn.c. The first step is login_conn_step(). NULL when a timer or watch cannot be had (descriptors are closed then). */
struct login_conn *login_conn_new(const struct login_service *svc, struct loop *loop, const struct msg_conn *facts,
                                  enum listener_tls tls, const struct conn_fds *fds, void (*ended)(void *, struct login_conn *),
                                  void *arg);
void login_conn_free(struct login_conn **c);
void login_conn_step(struct login_conn *c);
void login_conn_enter(struct login_conn *c, enum conn_state state);
/* Watches the client's socket (again, after CONN_TAKE stopped that). ERR_SYSTEM. */
MUST_CHECK int login_conn_watch(struct login_conn *c);
/* The connection is over at once, without a word. */
void login_conn_kill(struct login_conn *c);
/* The protocol's farewell, then CLOSING. */
void login_conn_farewell(struct login_conn *c, const char *text);

/* conn_io.c */
/* Takes what the socket has, where there is room for it. Sets eof. False: the connection is broken. */
bool login_conn_fill(struct login_conn *c);
/* Sends what it can. False: the connection is broken. */
bool login_conn_flush(struct login_conn *c);
bool login_conn_has_output(const struct login_conn *c);
/* What to watch the client's socket for. */
unsigned login_conn_wants(const struct login_conn *c);

/* conn_tls.c */
MUST_CHECK int login_conn_tls_begin(struct login_conn *c);
bool login_conn_tls_step(struct login_conn *c); /* CONN_HANDSHAKE; true: something has changed */
/* After STARTTLS, before its answer is sent: ends the connection when the client has said more already. */
void login_conn_tls_check(struct login_conn *c);
/* Decrypts into c->in. False: TLS failed (the alert is in net_out). */
bool login_conn_tls_pull(struct login_conn *c);

/* conn_auth.c */
ipc_handler_fn login_conn_auth_message;
ipc_closed_fn login_conn_auth_closed;
bool login_conn_auth_step(struct login_conn *c);
/* Sends a request to auth. False: its channel is gone, and freed. */
bool login_conn_ask(struct login_conn *c, enum ipc_kind kind, struct buf *body);
bool login_conn_has_mechanism(const struct login_conn *c, const char *word);

/* conn_cert.c: client certificates. */
/* Before the handshake: true when it may begin; false: auth was asked for a nonce. */
bool login_conn_cert_ready(struct login_conn *c);
MUST_CHECK int login_conn_cert_nonce(struct login_conn *c, const struct ipc_msg *msg);
/* The client has shown a certificate in a handshake that can prove it. */
bool login_conn_has_cert(const struct login_conn *c);
/* Sends the proof of that to auth, for the exchange that begins next. */
MUST_CHECK int login_conn_cert_prove(struct login_conn *c);

/* conn_take.c */
ipc_handler_fn login_conn_master_message;
ipc_closed_fn login_conn_master_closed;
bool login_conn_take_step(struct login_conn *c);
/* Tells auth and master whom the PROXY header named. */
MUST_CHECK int login_conn_send_proxied(struct login_conn *c);

/* relay.c */
MUST_CHECK int login_relay_begin(struct login_conn *c);
bool login_relay_step(struct login_conn *c);
void login_relay_watch(struct login_conn *c);

/* --- the parent (parent.c) -------------------------------------------------------------------------------------------------- */

#define LOGIN_LISTENERS_MAX 64

struct login_parent;

/* ctx's tls is filled in by IPC_MASTER_CERT. */
struct login_parent *login_parent_new(const struct serve_kind *kind, const void *kind_arg, struct serve_context *ctx,
                                      struct loop *loop);
void login_parent_free(struct login_parent **p);
/* Messages of master, before GO and after. */
MUST_CHECK int login_parent_message(struct login_parent *p, struct ipc_msg *msg);
/* Begins to accept. master: the service's channel, not owned. */
MUST_CHECK int login_parent_start(struct login_parent *p, struct ipc *master);
/* Master is gone: nobody can be handed over any more. */
void login_parent_master_gone(struct login_parent *p);
bool login_parent_failed(const struct login_parent *p);

#endif
