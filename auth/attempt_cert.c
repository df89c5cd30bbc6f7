/*
 * EXTERNAL: a helper finds out whose certificate the handshake proves, and then it is asked what is asked of everybody: may this
 * user log in, from there, as whom it says. A certificate stands for the password and for a second factor.
 *
 * The name is one that an authority has signed: it is never taken apart, so that nobody becomes a master user by a separator in
 * it.
 */
#include "auth/attempt_int.h"
#include "common/log/log.h"

static void on_allowed(void *arg, enum passdb_result result, const char *reason)
{
    struct auth_conn *c = arg;
    if (result == PASSDB_MATCH)
        attempt_lookup(c);
    else
        attempt_unproven(c, result, reason);
}

/* NULL: name and prover are set. RFC 4422 appendix A.2: who wants to be somebody else must be allowed to. */
static const char *take_names(struct attempt *a, const struct set_auth *set, struct view certified)
{
    struct view authzid = mech_name_view(&a->x.authzid);
    if (!mech_name_set(&a->x.authcid, certified) || auth_name_normalise(set, certified, &a->prover) != 0)
        return "the certificate's user is no possible name";
    a->name = a->prover;
    if (authzid.len > 0 && attempt_name(a, set, authzid, &a->name, &a->detail) != 0)
        return "not allowed to act as another user";
    a->named = true;
    a->master = !auth_name_equal(&a->name, &a->prover);
    return a->master && !attempt_has_masters(set) ? "not allowed to act as another user" : NULL;
}

static void on_certificate(void *arg, const struct msg_helper_result *answer)
{
    struct auth_conn *c = arg;
    struct attempt *a = c->attempt;
    const char *why;
    a->request = NULL;
    switch (answer->result) {
    case HELPER_OK:
        why = take_names(a, c->server->dbs.set, answer->name);
        if (why != NULL)
            attempt_fail_credentials(c, why);
        else
            verify_known_start(&a->verify, &c->server->dbs, &a->prover, a->master, &c->peer, c->id, on_allowed, c);
        return;
    case HELPER_WRONG:
        LOG_INFO(c->id, "client certificate refused", F_VIEW("reason", answer->name));
        attempt_fail_credentials(c, "client certificate refused");
        return;
    case HELPER_UNKNOWN:
    case HELPER_EXPIRED:
    case HELPER_TEMPORARY:
        break;
    }
    attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "client certificate cannot be checked");
}

void attempt_certificate(struct auth_conn *c)
{
    struct auth_server *s = c->server;
    const struct msg_check_cert msg = {.nonce = view_make(c->nonce, sizeof(c->nonce)), .digests = buf_view(&s->digests)};
    struct buf body, handshake = auth_conn_take_handshake(c);
    c->attempt->started = loop_now(s->loop);
    auth_conn_enter(c, CONN_CHECKING);
    buf_init(&body, IPC_MAX_BODY);
    msg_check_cert_encode(&body, &msg);
    int err = auth_request_start_with(s->requests, IPC_AUTH_CHECK_CERT, &body, &handshake, c->id, on_certificate, c,
                                      &c->attempt->request);
    if (err == 0)
        return;
    LOG_ERROR(c->id, "no auth helper for a client certificate", F_ERR(err));
    attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "no helper");
}
