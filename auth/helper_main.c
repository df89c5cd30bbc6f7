/* culver-auth-helper: the order of its life. Master starts it for one request of culver-auth. */
#include <stdlib.h>
#include <unistd.h>

#include "auth/helper.h"
#include "auth/jwt.h"
#include "common/log/log.h"
#include "common/proc/proc.h"
#include "common/secret/password.h"
#include "common/secret/secret.h"

#define REQUEST_TIMEOUT_MS 10000

struct helper_ctx {
    struct proc proc;
    enum helper_kind kind;
    int fd; /* the channel to auth */
    const struct set_auth *set;
    struct jwks *keys;          /* of tokens' issuer; NULL: they cannot be read, or are not needed */
    struct client_trust *trust; /* of client certificates, in the same way */
    struct buf handshake;       /* what has come of it */
};

static int receive(void *arg, struct ipc_msg *msg)
{
    struct helper_ctx *ctx = arg;
    struct msg_helper helper;
    if (msg->kind != IPC_MASTER_HELPER || ctx->fd >= 0 || msg_helper_decode(msg->body, &helper) != 0)
        return ERR_PROTO;
    ctx->kind = helper.kind;
    ctx->fd = msg->fds[0];
    msg->fds[0] = -1; /* transferred */
    return 0;
}

static enum sandbox_profile profile_of(enum helper_kind kind)
{
    switch (kind) {
    case HELPER_PAM:
        return SANDBOX_HELPER_PAM;
    case HELPER_NSS:
        return SANDBOX_HELPER_NSS;
    default: /* computes, and needs nothing */
        return SANDBOX_HELPER_HASH;
    }
}

static int answer_request(const struct helper_ctx *ctx, const struct ipc_msg *msg, struct helper_answer *out)
{
    struct msg_check_token token;
    struct msg_check_cert cert;
    *out = (struct helper_answer){.msg.result = HELPER_TEMPORARY};
    if (ctx->kind == HELPER_TOKEN) {
        if (msg->kind != IPC_AUTH_CHECK_TOKEN || msg_check_token_decode(msg->body, &token) != 0)
            return ERR_PROTO;
        if (ctx->keys != NULL)
            helper_check_token(&token, ctx->keys, ctx->set, out);
        return 0;
    }
    if (ctx->kind == HELPER_CERT) {
        if (msg->kind != IPC_AUTH_CHECK_CERT || msg_check_cert_decode(msg->body, &cert) != 0)
            return ERR_PROTO;
        if (ctx->trust != NULL)
            helper_check_cert(&cert, buf_view(&ctx->handshake), ctx->trust, ctx->set, out);
        return 0;
    }
    return helper_answer_request(ctx->kind, msg->kind, msg->body, ctx->set->auth_allow_weak_schemes, out);
}

/* The request; what comes in pieces before it is put together. */
static int receive_request(struct helper_ctx *ctx, uint8_t *storage, struct ipc_msg *msg)
{
    struct msg_handshake m;
    for (;;) {
        int err = ipc_recv_wait(ctx->fd, ROLE_HELPER, ROLE_AUTH, IPC_STATE_READY, storage, msg, REQUEST_TIMEOUT_MS);
        if (err != 0 || msg->kind != IPC_AUTH_HANDSHAKE)
            return err;
        if (ctx->kind != HELPER_CERT || msg_handshake_decode(msg->body, &m) != 0)
            return ERR_PROTO;
        buf_put_view(&ctx->handshake, m.piece);
        if (!buf_ok(&ctx->handshake))
            return ERR_LIMIT;
    }
}

static int serve(struct helper_ctx *ctx)
{
    static uint8_t storage[IPC_MAX_MSG];
    static struct helper_answer answer;
    struct ipc_msg msg;
    struct buf body;
    int err = receive_request(ctx, storage, &msg);
    if (err == ERR_CLOSED)
        return 0; /* nobody wants it any more */
    if (err == 0)
        err = answer_request(ctx, &msg, &answer);
    secret_wipe(storage, sizeof(storage));
    if (err != 0) {
        LOG_ERROR(0, "no usable request from auth", F_ERR(err));
        return err;
    }
    buf_init(&body, IPC_MAX_BODY);
    msg_helper_result_encode(&body, &answer.msg);
    if (!buf_ok(&body)) { /* a name or home that no message can carry */
        buf_reset(&body);
        msg_helper_result_encode(&body, &(struct msg_helper_result){.result = HELPER_TEMPORARY});
    }
    err = ipc_send_wait(ctx->fd, ROLE_HELPER, ROLE_AUTH, IPC_HELPER_RESULT, &body, NULL, 0, REQUEST_TIMEOUT_MS);
    buf_free(&body);
    return err == ERR_CLOSED ? 0 : err;
}

int main(void)
{
    static const struct conf_component *const components[] = {&set_auth_component};
    struct helper_ctx ctx = {.fd = -1};
    struct sandbox_params sandbox = {0};
    proc_start(&ctx.proc, "auth-helper", ROLE_HELPER, components, 1);
    ctx.set = conf_get(ctx.proc.conf, &set_auth_component);
    proc_receive(&ctx.proc, receive, &ctx);
    buf_init(&ctx.handshake, PROTO_HANDSHAKE_MAX);
    if (ctx.fd < 0)
        LOG_FATAL("no request channel from master");
    int err = password_init();
    if (err != 0)
        LOG_FATAL("cryptography cannot be used", F_ERR(err));
    if (ctx.kind == HELPER_TOKEN && helper_read_keys(ctx.set, &ctx.keys) != 0)
        ctx.keys = NULL; /* said; a token cannot be checked, then */
    if (ctx.kind == HELPER_CERT && helper_read_trust(ctx.set, &ctx.trust) != 0)
        ctx.trust = NULL; /* the same */
    sandbox.profile = profile_of(ctx.kind);
    proc_confine(&ctx.proc, &sandbox);
    err = ipc_send_wait(ctx.proc.master_fd, ROLE_HELPER, ROLE_MASTER, IPC_SERVICE_READY, NULL, NULL, 0, REQUEST_TIMEOUT_MS);
    if (err != 0)
        LOG_FATAL("cannot report to master", F_ERR(err));
    /* Nothing is freed at the end: the process is thrown away with all it knows. */
    return serve(&ctx) == 0 ? 0 : 1;
}
