/* One connection's talk with culver-auth. */
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/login/login_int.h"

/* What the words of auth_mechanisms mean, in the order of preference, and whether they want channel binding, or
 * a certificate of the client. auth decides by the
 * same setting; here is only what clients are told. */
static const struct {
    const char *word, *name;
    bool binds, certificate;
} mechanisms[] = {
    {"external", "EXTERNAL", false, true},
    {"scram-sha-256", "SCRAM-SHA-256-PLUS", true, false},
    {"scram-sha-256", "SCRAM-SHA-256", false, false},
    {"scram-sha-1", "SCRAM-SHA-1-PLUS", true, false},
    {"scram-sha-1", "SCRAM-SHA-1", false, false},
    {"oauthbearer", "OAUTHBEARER", false, false},
    {"xoauth2", "XOAUTH2", false, false},
    {"plain", "PLAIN", false, false},
    {"login", "LOGIN", false, false},
};
_Static_assert(ARRAY_LEN(mechanisms) <= LOGIN_MECHANISMS_MAX, "room for all mechanisms");

static bool conn_secured(const struct login_conn *c)
{
    return login_conn_tls(c) || net_addr_is_loopback(&c->peer);
}

bool login_conn_may_auth(const struct login_conn *c)
{
    return conn_secured(c) || c->svc->set->cleartext_auth;
}

bool login_conn_has_mechanism(const struct login_conn *c, const char *word)
{
    const struct conf_list *list = &c->svc->set->auth_mechanisms;

    for (size_t i = 0; i < list->n; i++) {
        if (view_eq_nocase(view_str(list->items[i]), view_str(word)))
            return true;
    }
    return false;
}

bool login_conn_may_password(const struct login_conn *c)
{
    return login_conn_may_auth(c) && login_conn_has_mechanism(c, "plain");
}

size_t login_conn_mechanisms(struct login_conn *c, const char *const **names_out)
{
    size_t n = 0;

    *names_out = c->mechanisms;
    for (size_t i = 0; i < ARRAY_LEN(mechanisms) && login_conn_may_auth(c); i++) {
        if (login_conn_has_mechanism(c, mechanisms[i].word) && (c->tls_on || !mechanisms[i].binds) &&
            (login_conn_has_cert(c) || !mechanisms[i].certificate))
            c->mechanisms[n++] = mechanisms[i].name;
    }
    return n;
}

bool login_conn_ask(struct login_conn *c, enum ipc_kind kind, struct buf *body)
{
    int r = c->auth != NULL ? ipc_send(c->auth, kind, body, NULL, 0) : ERR_CLOSED;

    if (r < 0) {
        LOG_ERROR(c->id, "cannot ask auth", F_ERR(r));
        ipc_free(&c->auth);
    } else {
        ipc_set_state(c->auth, IPC_STATE_BUSY);
    }
    return r == 0;
}

/* Sends a request and waits in CONN_AUTH. A channel that is gone is noticed there. */
static void conn_auth_ask(struct login_conn *c, enum ipc_kind kind, struct buf *body)
{
    login_conn_ask(c, kind, body);
    c->exchange = true;
    login_conn_enter(c, CONN_AUTH);
}

void login_conn_auth(struct login_conn *c, struct view mechanism, const struct view *initial)
{
    struct msg_auth m = {.secured = conn_secured(c), .mechanism = mechanism};
    struct buf body, exporter, end_point;

    ASSERT(c->state == CONN_COMMAND && !c->exchange);
    buf_init_secret(&exporter, PROTO_BINDING_MAX);
    buf_init(&end_point, PROTO_BINDING_MAX);
    if (c->tls_on) {
        tls_binding(c->tls, TLS_BINDING_EXPORTER, &exporter);
        tls_binding(c->tls, TLS_BINDING_END_POINT, &end_point);
    }
    m.binding_exporter = buf_view(&exporter);
    m.binding_end_point = buf_view(&end_point);
    if (initial != NULL) {
        m.has_initial = true;
        m.initial = *initial;
    }
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_auth_encode(&body, &m);
    if (view_eq_nocase(mechanism, VIEW("EXTERNAL")) && login_conn_has_cert(c) && login_conn_cert_prove(c) < 0)
        ipc_free(&c->auth);
    conn_auth_ask(c, IPC_CONN_AUTH, &body);
    buf_free(&body);
    buf_free(&exporter);
    buf_free(&end_point);
}

void login_conn_auth_respond(struct login_conn *c, struct view response)
{
    const struct msg_sasl m = {response};
    struct buf body;

    ASSERT(c->state == CONN_COMMAND && c->exchange);
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_sasl_encode(&body, &m);
    conn_auth_ask(c, IPC_CONN_RESPONSE, &body);
    buf_free(&body);
}

void login_conn_auth_cancel(struct login_conn *c)
{
    ASSERT(c->state == CONN_COMMAND && c->exchange);
    conn_auth_ask(c, IPC_CONN_CANCEL, NULL);
}

static void conn_auth_failed(struct login_conn *c, enum auth_fail code, struct view text)
{
    c->exchange = false;
    login_conn_enter(c, CONN_COMMAND);
    /* The client's own fault or guess counts, ours does not. */
    if (code != AUTH_FAIL_TEMPORARY)
        c->failures++;
    c->svc->protocol->auth_failed(c, c->proto_state, code, text);
    if (code == AUTH_FAIL_LIMIT || c->failures >= c->svc->set->login_failures)
        login_conn_farewell(c, "Too many failed log-ins.");
}

/* CONN_AUTH goes on by messages, except where nobody is left to send one. */
bool login_conn_auth_step(struct login_conn *c)
{
    if (c->auth != NULL)
        return false;
    conn_auth_failed(c, AUTH_FAIL_TEMPORARY, VIEW(""));
    /* This connection will never have another channel to auth; the next one of this client will. */
    login_conn_farewell(c, "Authentication was restarted, please connect again.");
    return true;
}

static int conn_auth_dispatch(struct login_conn *c, const struct ipc_msg *msg)
{
    struct msg_auth_fail fail;
    struct msg_sasl sasl;
    int r;

    switch (msg->kind) {
    case IPC_AUTH_CHALLENGE:
        r = msg_sasl_decode(msg->body, &sasl);
        if (r < 0)
            return r;
        login_conn_enter(c, CONN_COMMAND);
        c->svc->protocol->challenge(c, c->proto_state, sasl.data);
        return 0;
    case IPC_AUTH_FAIL:
        r = msg_auth_fail_decode(msg->body, &fail);
        if (r < 0)
            return r;
        ipc_set_state(c->auth, IPC_STATE_READY);
        conn_auth_failed(c, fail.code, fail.text);
        return 0;
    case IPC_AUTH_PASS:
        r = msg_sasl_decode(msg->body, &sasl);
        if (r < 0)
            return r;
        ipc_set_state(c->auth, IPC_STATE_DONE);
        c->exchange = false;
        login_conn_enter(c, CONN_COMMAND);
        c->svc->protocol->auth_passed(c, c->proto_state, sasl.data);
        return 0;
    default:
        return ERR_PROTO;
    }
}

void login_conn_auth_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct login_conn *c = arg;
    int r = ERR_PROTO;

    (void)ch;
    if (c->state == CONN_AUTH)
        r = conn_auth_dispatch(c, msg);
    else if (c->state == CONN_HANDSHAKE)
        r = login_conn_cert_nonce(c, msg);
    else if (c->state >= CONN_CLOSING)
        r = 0; /* too late to matter */
    if (r < 0) {
        LOG_ERROR(c->id, "answer of auth not understood", F_UINT("kind", msg->kind), F_ERR(r));
        ipc_free(&c->auth);
    }
    login_conn_step(c);
}

void login_conn_auth_closed(void *arg, struct ipc *ch, int err)
{
    struct login_conn *c = arg;

    (void)ch;
    LOG_DEBUG(c->id, "auth closed the channel", F_ERR(err));
    ipc_free(&c->auth);
    login_conn_step(c);
}
