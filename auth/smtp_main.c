/* culver-smtp-auth: start-up order only. */
#include <sodium.h>

#include "auth/smtp_server.h"
#include "common/log/log.h"
#include "common/proc/proc.h"

struct smtp_ctx {
    struct proc proc;
    struct smtp_server *server;
};

static int receive(void *arg, struct ipc_msg *msg)
{
    struct smtp_ctx *ctx = arg;
    return smtp_server_message(ctx->server, msg);
}

static void master_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct smtp_ctx *ctx = arg;
    int err = smtp_server_message(ctx->server, msg);
    (void)ch;
    if (err != 0)
        LOG_ERROR(0, "message of master not understood", F_UINT("kind", msg->kind), F_ERR(err));
}

static void master_closed(void *arg, struct ipc *ch, int err)
{
    struct smtp_ctx *ctx = arg;
    (void)ch;
    (void)err;
    loop_stop(ctx->proc.loop);
}

int main(void)
{
    static const struct conf_component *const components[] = {&set_login_component};
    const struct sandbox_params sandbox = {.profile = SANDBOX_SMTP};
    struct smtp_ctx ctx = {0};
    proc_start(&ctx.proc, "smtp-auth", ROLE_SMTP, components, 1);
    if (sodium_init() < 0)
        LOG_FATAL("libsodium cannot be used");
    ctx.proc.loop = loop_new();
    if (ctx.proc.loop == NULL)
        LOG_FATAL("no event loop");
    ctx.server = smtp_server_new(ctx.proc.loop, conf_get(ctx.proc.conf, &set_login_component));
    proc_receive(&ctx.proc, receive, &ctx);
    proc_confine(&ctx.proc, &sandbox);
    proc_serve(&ctx.proc, master_message, master_closed, &ctx);
    if (smtp_server_start(ctx.server) != 0)
        LOG_FATAL("cannot accept connections");
    int err = loop_run(ctx.proc.loop);
    if (err != 0)
        LOG_ERROR(0, "event loop failed", F_ERR(err));
    smtp_server_free(&ctx.server);
    return err == 0 ? 0 : 1;
}
