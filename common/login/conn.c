/*
 * One client connection from accept to hand-over, as a state machine; see login_int.h for the rule of login_conn_step(). It does
 * not know whether it has a process of its own or shares one: that is only a question of whose loop it runs in.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/login/login_int.h"
#include "common/secret/secret.h"

/* Output that a client does not read stops its commands. */
#define OUT_HIGH 16384
#define OUT_MAX 65536
/* One record and a bit. */
#define NET_MAX (16384 + 1024)
#define CLOSING_MS 5000
#define LINGER_MS 1000

static void conn_on_socket(void *arg, int fd, unsigned events)
{
    struct login_conn *c = arg;
    bool reset = (events & LOOP_HANGUP) != 0;

    (void)fd;
    /* After a reset a connection that is not read has nobody left to talk to. */
    if ((reset && c->state != CONN_COMMAND) || ((reset || (events & LOOP_READ) != 0) && !login_conn_fill(c)))
        login_conn_kill(c);
    login_conn_step(c);
}

static void conn_on_total(void *arg)
{
    struct login_conn *c = arg;

    if (c->state == CONN_TAKE) {
        /* Master may have given the socket away already: not a byte more from here. */
        LOG_WARN(c->id, "hand-over took too long");
        login_conn_kill(c);
    } else {
        LOG_DEBUG(c->id, "log-in took too long");
        login_conn_farewell(c, "Log-in took too long.");
    }
    login_conn_step(c);
}

static void conn_on_step(void *arg)
{
    struct login_conn *c = arg;

    LOG_DEBUG(c->id, "timed out", F_UINT("state", c->state));
    login_conn_kill(c);
    login_conn_step(c);
}

/* Which states may follow which. DEAD may follow any. */
static bool conn_edge(enum conn_state from, enum conn_state to)
{
    static const unsigned edges[] = {
        [CONN_PROXY] = 1u << CONN_HANDSHAKE | 1u << CONN_COMMAND | 1u << CONN_CLOSING,
        [CONN_STARTTLS] = 1u << CONN_HANDSHAKE | 1u << CONN_CLOSING,
        [CONN_HANDSHAKE] = 1u << CONN_COMMAND | 1u << CONN_CLOSING,
        [CONN_COMMAND] = 1u << CONN_STARTTLS | 1u << CONN_AUTH | 1u << CONN_TAKE_FLUSH | 1u << CONN_CLOSING,
        [CONN_AUTH] = 1u << CONN_COMMAND | 1u << CONN_CLOSING,
        [CONN_TAKE_FLUSH] = 1u << CONN_TAKE | 1u << CONN_CLOSING,
        [CONN_TAKE] = 1u << CONN_RELAY | 1u << CONN_CLOSING,
        [CONN_RELAY] = 1u << CONN_CLOSING,
        [CONN_CLOSING] = 1u << CONN_LINGER,
        [CONN_LINGER] = 0,
        [CONN_DEAD] = 0,
    };

    return to == CONN_DEAD || (edges[from] & 1u << to) != 0;
}

void login_conn_enter(struct login_conn *c, enum conn_state state)
{
    if (c->state == state)
        return;
    if (!conn_edge(c->state, state))
        PANIC("a login connection took a way that does not exist");
    c->state = state;
    timer_disarm(c->step);
    switch (state) {
    case CONN_HANDSHAKE:
        timer_arm(c->step, c->svc->set->tls_handshake_timeout);
        break;
    case CONN_CLOSING:
        timer_arm(c->step, CLOSING_MS);
        break;
    case CONN_LINGER:
        timer_arm(c->step, LINGER_MS);
        break;
    default:
        break;
    }
    if (state >= CONN_RELAY)
        timer_disarm(c->total);
}

void login_conn_kill(struct login_conn *c)
{
    login_conn_enter(c, CONN_DEAD);
}

void login_conn_farewell(struct login_conn *c, const char *text)
{
    if (c->state >= CONN_RELAY)
        return;
    /* Before the greeting, and within a handshake, there is no protocol to say it in. */
    if (c->greeted && c->state != CONN_HANDSHAKE)
        c->svc->protocol->farewell(c, c->proto_state, text);
    login_conn_close(c);
}

struct login_conn *login_conn_new(const struct login_service *svc, struct loop *loop, const struct msg_conn *facts,
                                  enum listener_tls tls, const struct conn_fds *fds, void (*ended)(void *, struct login_conn *),
                                  void *arg)
{
    struct login_conn *c = xcalloc(1, sizeof(*c));

    c->svc = svc;
    c->loop = loop;
    c->id = facts->conn_id;
    c->peer = facts->peer;
    c->local = facts->local;
    c->listener_tls = tls;
    c->state = facts->proxy ? CONN_PROXY : tls == LISTENER_TLS_IMPLICIT ? CONN_HANDSHAKE : CONN_COMMAND;
    c->fd = fds->client;
    c->keys_fd = fds->keys;
    c->pair_fd = c->pair_other = -1;
    c->ended = ended;
    c->arg = arg;
    c->proto_state = xcalloc(1, MAX_OF(svc->protocol->state_size, (size_t)1));
    buf_init_secret(&c->net_in, NET_MAX);
    buf_init(&c->net_out, OUT_MAX);
    /* What is unread at the hand-over must fit into one message. */
    buf_init_secret(&c->in, MIN_OF(svc->set->login_line_max, (uint64_t)PROTO_INPUT_MAX));
    buf_init_secret(&c->out, OUT_MAX);
    buf_init_secret(&c->take, IPC_MAX_BODY);
    c->auth = ipc_new(loop, fds->auth, ROLE_CONN, ROLE_AUTH, login_conn_auth_message, login_conn_auth_closed, c);
    c->master = ipc_new(loop, fds->master, ROLE_CONN, ROLE_MASTER, login_conn_master_message, login_conn_master_closed, c);
    ipc_set_sid(c->auth, c->id);
    ipc_set_sid(c->master, c->id);
    c->total = timer_new(loop, conn_on_total, c);
    c->step = timer_new(loop, conn_on_step, c);
    timer_arm(c->total, svc->set->login_timeout);
    if (c->state != CONN_COMMAND)
        timer_arm(c->step, svc->set->tls_handshake_timeout);
    if (login_conn_watch(c) < 0)
        login_conn_free(&c);
    return c;
}

int login_conn_watch(struct login_conn *c)
{
    watch_free(&c->watch);
    c->watch = loop_watch(c->loop, c->fd, LOOP_READ, conn_on_socket, c);
    return c->watch != NULL ? 0 : ERR_SYSTEM;
}

static void conn_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void login_conn_free(struct login_conn **cp)
{
    struct login_conn *c = *cp;

    if (c == NULL)
        return;
    if (c->greeted)
        c->svc->protocol->deinit(c->proto_state);
    secret_wipe(c->proto_state, MAX_OF(c->svc->protocol->state_size, (size_t)1));
    free(c->proto_state);
    watch_free(&c->watch);
    watch_free(&c->pair_watch);
    timer_free(&c->total);
    timer_free(&c->step);
    ipc_free(&c->auth);
    ipc_free(&c->master);
    tls_conn_free(&c->tls);
    conn_close_fd(&c->fd);
    conn_close_fd(&c->keys_fd);
    conn_close_fd(&c->pair_fd);
    conn_close_fd(&c->pair_other);
    buf_free(&c->net_in);
    buf_free(&c->net_out);
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->take);
    free(c);
    *cp = NULL;
}

/* --- what each state can do now; true: something has changed, ask again ------------------------------------------------- */

static bool conn_proxy_step(struct login_conn *c)
{
    struct proxy_header header;
    size_t used = 0;

    switch (login_proxy_parse(buf_view(&c->net_in), &header, &used)) {
    case PROXY_MORE:
        if (c->eof)
            login_conn_kill(c);
        return false;
    case PROXY_BAD:
        LOG_WARN(c->id, "bad PROXY header");
        login_conn_kill(c);
        return false;
    case PROXY_DONE:
        break;
    }
    buf_consume(&c->net_in, used);
    if (header.has_addr) {
        c->peer = header.peer;
        c->local = header.local;
    }
    c->proxied_tls = header.tls;
    if (login_conn_send_proxied(c) < 0) {
        login_conn_kill(c);
        return false;
    }
    login_conn_enter(c, c->listener_tls == LISTENER_TLS_IMPLICIT ? CONN_HANDSHAKE : CONN_COMMAND);
    if (c->state == CONN_COMMAND) {
        /* What came behind the header is the client's first input. */
        buf_put_view(&c->in, buf_view(&c->net_in));
        buf_reset(&c->net_in);
        if (!buf_ok(&c->in))
            login_conn_kill(c);
    }
    return true;
}

static bool conn_command_step(struct login_conn *c)
{
    const struct login_protocol *protocol = c->svc->protocol;
    size_t before;

    if (!c->greeted) {
        c->greeted = true;
        protocol->greet(c, c->proto_state);
        return true;
    }
    if (c->tls_on && !login_conn_tls_pull(c)) {
        login_conn_close(c);
        return true;
    }
    if (buf_len(&c->out) + buf_len(&c->net_out) > OUT_HIGH)
        return false;
    before = buf_len(&c->in);
    if (before > 0) {
        protocol->input(c, c->proto_state);
        if (c->state == CONN_STARTTLS)
            login_conn_tls_check(c); /* now that the command itself is consumed */
        if (c->state != CONN_COMMAND || buf_len(&c->in) != before)
            return true;
        if (login_conn_input_full(c)) {
            login_conn_farewell(c, "Line too long.");
            return true;
        }
    }
    if (c->eof)
        login_conn_close(c);
    return c->eof;
}

static bool conn_starttls_step(struct login_conn *c)
{
    if (login_conn_has_output(c))
        return false;
    login_conn_enter(c, CONN_HANDSHAKE);
    return true;
}

/* The last words are out: close our half and give the client a moment to read them; closing outright with input unread would
 * make the kernel reset the connection and throw them away. */
static bool conn_closing_step(struct login_conn *c)
{
    bool sent = login_conn_flush(c);

    /* close_notify follows the last record. */
    if (sent && c->tls_on && buf_len(&c->out) == 0) {
        tls_shutdown(c->tls, &c->net_out);
        sent = login_conn_flush(c);
    }
    if (!sent) {
        login_conn_kill(c);
        return false;
    }
    if (login_conn_has_output(c))
        return false;
    if (c->eof || shutdown(c->fd, SHUT_WR) != 0)
        login_conn_kill(c);
    else
        login_conn_enter(c, CONN_LINGER);
    return false;
}

static bool conn_do(struct login_conn *c)
{
    switch (c->state) {
    case CONN_PROXY:
        return conn_proxy_step(c);
    case CONN_STARTTLS:
        return conn_starttls_step(c);
    case CONN_HANDSHAKE:
        return login_conn_tls_step(c);
    case CONN_COMMAND:
        return conn_command_step(c);
    case CONN_AUTH:
        return login_conn_auth_step(c);
    case CONN_TAKE_FLUSH:
    case CONN_TAKE:
        return login_conn_take_step(c);
    case CONN_RELAY:
        return login_relay_step(c);
    case CONN_CLOSING:
        return conn_closing_step(c);
    case CONN_LINGER:
        if (c->eof)
            login_conn_kill(c);
        return false;
    case CONN_DEAD:
        break;
    }
    return false;
}

void login_conn_step(struct login_conn *c)
{
    bool more = true;

    while (more && c->state != CONN_DEAD) {
        more = conn_do(c);
        if (c->state < CONN_RELAY && c->state != CONN_TAKE && login_conn_has_output(c)) {
            if (!login_conn_flush(c))
                login_conn_kill(c);
            else if (!login_conn_has_output(c))
                more = true; /* some states wait for this */
        }
        /* More output than a client before log-in can have asked for. */
        if (!buf_ok(&c->out) || !buf_ok(&c->net_out))
            login_conn_kill(c);
    }
    if (c->state == CONN_DEAD) {
        c->ended(c->arg, c);
        return;
    }
    if (c->state == CONN_RELAY)
        login_relay_watch(c);
    if (c->watch != NULL)
        watch_set(c->watch, login_conn_wants(c));
}

/* --- for protocols ------------------------------------------------------------------------------------------------------------
 */

const struct set_login *login_conn_settings(const struct login_conn *c)
{
    return c->svc->set;
}

const struct set_worker *login_conn_session_settings(const struct login_conn *c)
{
    return c->svc->session;
}

const struct net_addr *login_conn_peer(const struct login_conn *c)
{
    return &c->peer;
}

const char *login_conn_hostname(const struct login_conn *c)
{
    return c->svc->hostname;
}

uint64_t login_conn_id(const struct login_conn *c)
{
    return c->id;
}

struct view login_conn_input(const struct login_conn *c)
{
    return buf_view(&c->in);
}

void login_conn_consume(struct login_conn *c, size_t n)
{
    buf_consume(&c->in, n);
}

bool login_conn_input_full(const struct login_conn *c)
{
    return buf_len(&c->in) >= c->in.max;
}

struct buf *login_conn_out(struct login_conn *c)
{
    return &c->out;
}

bool login_conn_bad_command(struct login_conn *c)
{
    return ++c->bad_commands >= c->svc->set->login_bad_commands;
}

void login_conn_close(struct login_conn *c)
{
    if (c->state < CONN_CLOSING)
        login_conn_enter(c, CONN_CLOSING);
}
