/*
 * One AUTH of a mail server: a channel to auth, and its answers in the mail server's words.
 *
 * A temporary failure has no words that Postfix and Exim would not take for a wrong password (they read FAIL and nothing behind
 * it). What they do understand is a connection that ends: the client is then told to come again (454). So where nothing else is
 * under way on the connection, as with both of them, it ends; otherwise it is a FAIL with "temp".
 */
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "auth/smtp_int.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/text/text.h"

void smtp_exchange_free(struct smtp_exchange *x)
{
    struct smtp_exchange **p = &x->client->exchanges;
    while (*p != x)
        p = &(*p)->next;
    *p = x->next;
    x->client->nexchanges--;
    timer_free(&x->deadline);
    ipc_free(&x->ch);
    free(x);
}

static struct smtp_exchange *exchange_find(struct smtp_client *c, uint32_t id)
{
    struct smtp_exchange *x = c->exchanges;
    while (x != NULL && x->id != id)
        x = x->next;
    return x;
}

/* --- answers ------------------------------------------------------------------------------------------------------------ */

static void put_line(struct smtp_client *c, const char *word, uint32_t id)
{
    buf_put_str(&c->out, word);
    buf_put_byte(&c->out, '\t');
    buf_put_dec(&c->out, id);
}

static void put_fail(struct smtp_client *c, uint32_t id, const char *parameter, struct view reason)
{
    put_line(c, "FAIL", id);
    if (parameter != NULL) {
        buf_put_byte(&c->out, '\t');
        buf_put_str(&c->out, parameter);
    }
    if (reason.len > 0) {
        buf_put_str(&c->out, "\treason=");
        smtp_put_escaped(&c->out, reason);
    }
    buf_put_byte(&c->out, '\n');
}

/* The exchange is over and has been freed. */
static void put_temporary(struct smtp_client *c, uint32_t id)
{
    if (c->nexchanges == 0)
        c->closing = true;
    else
        put_fail(c, id, "temp\tcode=temp_fail", VIEW("Temporary authentication failure"));
}

/* The end of an exchange, from its own callbacks: the client may be gone afterwards. */
static void exchange_end_temporary(struct smtp_exchange *x)
{
    struct smtp_client *c = x->client;
    uint32_t id = x->id;
    smtp_exchange_free(x);
    put_temporary(c, id);
    smtp_client_rest(c);
    smtp_client_flush(c);
}

static void on_fail(struct smtp_exchange *x, const struct msg_auth_fail *m)
{
    struct smtp_client *c = x->client;
    uint32_t id = x->id;
    if (m->code == AUTH_FAIL_TEMPORARY) {
        exchange_end_temporary(x);
        return;
    }
    smtp_exchange_free(x);
    if (m->code == AUTH_FAIL_DISABLED)
        put_fail(c, id, "user_disabled\tcode=user_disabled", VIEW("Log-in is not allowed"));
    else
        put_fail(c, id, NULL, m->text);
    smtp_client_rest(c);
    smtp_client_flush(c);
}

static void on_named(struct smtp_exchange *x, const struct msg_named *m)
{
    struct smtp_client *c = x->client;
    put_line(c, "OK", x->id);
    buf_put_str(&c->out, "\tuser=");
    smtp_put_escaped(&c->out, m->name);
    if (m->data.len > 0) {
        buf_put_str(&c->out, "\tresp=");
        base64_encode(&c->out, m->data);
    }
    buf_put_byte(&c->out, '\n');
    smtp_exchange_free(x);
    smtp_client_rest(c);
    smtp_client_flush(c);
}

static void on_challenge(struct smtp_exchange *x, const struct msg_sasl *m)
{
    struct smtp_client *c = x->client;
    put_line(c, "CONT", x->id);
    buf_put_byte(&c->out, '\t');
    base64_encode(&c->out, m->data);
    buf_put_byte(&c->out, '\n');
    x->state = SMTP_CHALLENGED;
    ipc_set_state(x->ch, IPC_STATE_READY);
    smtp_client_flush(c);
}

static int on_answer(struct smtp_exchange *x, const struct ipc_msg *msg)
{
    union {
        struct msg_auth_fail fail;
        struct msg_named named;
        struct msg_sasl sasl;
    } m;
    switch (msg->kind) {
    case IPC_AUTH_CHALLENGE:
        if (msg_sasl_decode(msg->body, &m.sasl) != 0)
            return ERR_PROTO;
        on_challenge(x, &m.sasl);
        return 0;
    case IPC_AUTH_FAIL:
        if (msg_auth_fail_decode(msg->body, &m.fail) != 0)
            return ERR_PROTO;
        on_fail(x, &m.fail);
        return 0;
    case IPC_AUTH_NAMED:
        if (msg_named_decode(msg->body, &m.named) != 0)
            return ERR_PROTO;
        on_named(x, &m.named);
        return 0;
    default:
        return ERR_PROTO;
    }
}

static void on_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct smtp_exchange *x = arg;
    (void)ch;
    if (on_answer(x, msg) == 0)
        return;
    LOG_ERROR(x->conn_id, "answer of auth not understood", F_STR("message", proto_rule(msg->kind)->name));
    exchange_end_temporary(x);
}

static void on_closed(void *arg, struct ipc *ch, int err)
{
    struct smtp_exchange *x = arg;
    (void)ch;
    LOG_WARN(x->conn_id, "auth is gone in the middle of an authentication", F_ERR(err));
    exchange_end_temporary(x);
}

static void on_deadline(void *arg)
{
    struct smtp_exchange *x = arg;
    LOG_WARN(x->conn_id, "authentication took too long");
    exchange_end_temporary(x);
}

/* --- requests ------------------------------------------------------------------------------------------------------------- */

static int announce(struct smtp_server *s, const struct smtp_line *line, uint64_t id, int fd)
{
    struct msg_smtp_conn m = {.conn_id = id, .counted = line->counted, .peer = line->peer, .local = line->local};
    struct buf body;
    if (s->auth == NULL)
        return ERR_CLOSED;
    buf_init(&body, IPC_MAX_BODY);
    msg_smtp_conn_encode(&body, &m);
    int err = ipc_send(s->auth, IPC_SMTP_CONN, &body, &fd, 1);
    buf_free(&body);
    return err;
}

/* TLS, or a client on the mail server's host; a mail server that names no client is its own. */
static bool is_secured(const struct smtp_line *line)
{
    return line->secured || !line->has_peer || (line->peer.family != 0 && net_addr_is_loopback(&line->peer));
}

static int ask(struct smtp_exchange *x, const struct smtp_line *line, struct view initial)
{
    struct msg_auth m = {
        .secured = is_secured(line), .has_initial = line->has_data, .mechanism = view_str(line->mech), .initial = initial};
    struct buf body;
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_auth_encode(&body, &m);
    int err = ipc_send(x->ch, IPC_CONN_AUTH, &body, NULL, 0);
    buf_free(&body);
    ipc_set_state(x->ch, IPC_STATE_BUSY);
    return err;
}

static int exchange_begin(struct smtp_client *c, const struct smtp_line *line, struct view initial)
{
    struct smtp_server *s = c->server;
    uint64_t id = 0;
    int fds[2];
    int err = ipc_pair(fds);
    if (err != 0)
        return err;
    while (id == 0)
        randombytes_buf(&id, sizeof(id));
    err = announce(s, line, id, fds[1]);
    close(fds[1]);
    if (err != 0) {
        close(fds[0]);
        return err;
    }
    struct smtp_exchange *x = xcalloc(1, sizeof(*x));
    x->client = c;
    x->id = line->id;
    x->conn_id = id;
    x->ch = ipc_new(s->loop, fds[0], ROLE_SCONN, ROLE_AUTH, on_message, on_closed, x);
    ipc_set_sid(x->ch, id);
    x->deadline = timer_new(s->loop, on_deadline, x);
    timer_arm(x->deadline, SMTP_EXCHANGE_MS);
    x->next = c->exchanges;
    c->exchanges = x;
    c->nexchanges++;
    err = ask(x, line, initial);
    if (err != 0)
        smtp_exchange_free(x);
    return err;
}

int smtp_exchange_auth(struct smtp_client *c, const struct smtp_line *line)
{
    struct buf initial;
    if (exchange_find(c, line->id) != NULL)
        return ERR_PROTO;
    buf_init_secret(&initial, PROTO_SASL_MAX);
    /* What a client has written wrongly is its failure, not the mail server's. */
    if (line->has_data && smtp_data_decode(line->data, &initial) != 0) {
        put_fail(c, line->id, NULL, VIEW("Malformed authentication data"));
    } else if (c->nexchanges >= SMTP_EXCHANGES_MAX) {
        LOG_WARN(0, "a mail server has too many authentications under way", F_UINT("client", c->number));
        put_temporary(c, line->id);
    } else {
        int err = exchange_begin(c, line, buf_view(&initial));
        if (err != 0) {
            LOG_ERROR(0, "cannot ask auth", F_ERR(err));
            put_temporary(c, line->id);
        }
    }
    buf_free(&initial);
    return 0;
}

static void exchange_answer(struct smtp_exchange *x, struct view data)
{
    struct msg_sasl m = {.data = data};
    struct buf body;
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_sasl_encode(&body, &m);
    x->state = SMTP_ASKED;
    ipc_set_state(x->ch, IPC_STATE_BUSY);
    if (ipc_send(x->ch, IPC_CONN_RESPONSE, &body, NULL, 0) != 0) {
        struct smtp_client *c = x->client;
        uint32_t id = x->id;
        smtp_exchange_free(x);
        put_temporary(c, id);
    }
    buf_free(&body);
}

int smtp_exchange_cont(struct smtp_client *c, const struct smtp_line *line)
{
    struct smtp_exchange *x = exchange_find(c, line->id);
    struct buf data;
    if (x == NULL) {
        /* It may have taken too long. */
        put_fail(c, line->id, NULL, VIEW("No such authentication"));
        return 0;
    }
    if (x->state != SMTP_CHALLENGED)
        return ERR_PROTO;
    buf_init_secret(&data, PROTO_SASL_MAX);
    if (smtp_data_decode(line->data, &data) != 0) {
        smtp_exchange_free(x);
        put_fail(c, line->id, NULL, VIEW("Malformed authentication data"));
    } else {
        exchange_answer(x, buf_view(&data));
    }
    buf_free(&data);
    return 0;
}

void smtp_exchange_cancel(struct smtp_client *c, uint32_t id)
{
    struct smtp_exchange *x = exchange_find(c, id);
    if (x != NULL)
        smtp_exchange_free(x);
}
