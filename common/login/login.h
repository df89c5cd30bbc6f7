/*
 * The shared body of culver-imap-login and culver-pop3-login: accepting, connection limits, fork, TLS, PROXY protocol, the
 * channels to auth and master, hand-over. A protocol adds its grammar through struct login_protocol and never sees TLS,
 * descriptors or processes.
 *
 * Thread/loop rules: everything runs in the one loop of the process; callbacks never block.
 */
#ifndef CULVER_COMMON_LOGIN_LOGIN_H
#define CULVER_COMMON_LOGIN_LOGIN_H

#include "common/base/buf.h"
#include "common/conf/settings.h"
#include "common/ipc/proto.h"

struct login_conn; /* one client */

struct login_protocol {
    const char *proc_name; /* "imap-login" */
    enum proto_protocol id;
    size_t state_size; /* of the protocol's own struct, zeroed at the start of each connection */
    /* The connection is ready to talk (after PROXY and an implicit TLS handshake): send the greeting. */
    void (*greet)(struct login_conn *c, void *state);
    /* Unread input has grown, or the answer to a request has been given: parse and consume what is whole. Called again after each
     * consumed command until it consumes nothing. Not called while an auth request or a hand-over is under way. */
    void (*input)(struct login_conn *c, void *state);
    /* STARTTLS finished: forget everything learnt in clear. */
    void (*tls_done)(struct login_conn *c, void *state);
    /* Answers of auth. */
    void (*challenge)(struct login_conn *c, void *state, struct view data);
    void (*auth_failed)(struct login_conn *c, void *state, enum auth_fail code, struct view text);
    /* Authenticated: call login_conn_take(). final: last server data of the mechanism. */
    void (*auth_passed)(struct login_conn *c, void *state, struct view final);
    /* Master or a limit refused the hand-over: say so; the connection closes after the output is sent. */
    void (*take_failed)(struct login_conn *c, void *state, enum take_fail code, struct view text);
    /* The connection must end for a reason of the shared code (timeout, limits, shutdown): put the protocol's farewell. */
    void (*farewell)(struct login_conn *c, void *state, const char *text);
    /* Frees what state owns, wipes secrets. */
    void (*deinit)(void *state);
    /* A complete line for a client that is refused before a connection exists ("* BYE …\r\n"), text without CR/LF. */
    void (*refuse)(struct buf *out, const char *text);
};

/* main() of a login program: never returns before the service ends. */
int login_main(const struct login_protocol *protocol);

/* --- what a protocol's callbacks may use ----------------------------------------------------------------------------- */
const struct set_login *login_conn_settings(const struct login_conn *c);
/* What holds for sessions after log-in, for what a protocol announces of them. */
const struct set_worker *login_conn_session_settings(const struct login_conn *c);
const struct net_addr *login_conn_peer(const struct login_conn *c);
const char *login_conn_hostname(const struct login_conn *c);
uint64_t login_conn_id(const struct login_conn *c);
/* Client bytes not yet consumed; at most login_line_max of them are ever held. */
struct view login_conn_input(const struct login_conn *c);
void login_conn_consume(struct login_conn *c, size_t n);
/* True when the input buffer is full: a line that is not whole now never will be. */
bool login_conn_input_full(const struct login_conn *c);
/* Output buffer (wiped after sending). */
struct buf *login_conn_out(struct login_conn *c);
/* TLS is on, or a trusted proxy ended it. */
bool login_conn_tls(const struct login_conn *c);
/* STARTTLS can be offered: the listener says so, a certificate is there, TLS is not on yet. */
bool login_conn_can_starttls(const struct login_conn *c);
/* Passwords may be sent: TLS, loopback, or cleartext_auth. */
bool login_conn_may_auth(const struct login_conn *c);
/* Passwords may be sent as they are (LOGIN, USER): as above, and PLAIN is on offer. */
bool login_conn_may_password(const struct login_conn *c);
/* Begin TLS after the output so far is sent. Bytes already buffered behind the command end the connection (RFC 9051 6.2.1). */
void login_conn_starttls(struct login_conn *c);
/* Starts a SASL exchange; initial may be NULL. The answer comes through challenge/auth_failed/auth_passed. */
void login_conn_auth(struct login_conn *c, struct view mechanism, const struct view *initial);
void login_conn_auth_respond(struct login_conn *c, struct view response);
void login_conn_auth_cancel(struct login_conn *c);
/* Hands the client over to its worker with all unread input. final: as given to auth_passed. */
void login_conn_take(struct login_conn *c, struct view tag, struct view final);
/* Counts a command that was not understood; true when the limit is reached (say so and close). */
bool login_conn_bad_command(struct login_conn *c);
/* Close once the output is sent. */
void login_conn_close(struct login_conn *c);
/* SASL mechanisms on offer now, upper case ("PLAIN"): none before login_conn_may_auth(), those with channel binding only where
 * this process ends TLS. *names_out is valid until the next call for c. */
size_t login_conn_mechanisms(struct login_conn *c, const char *const **names_out);

#endif
