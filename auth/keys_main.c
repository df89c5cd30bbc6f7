/* culver-keys: start-up order only. */
#include "auth/keys.h"
#include "auth/keys_heap.h"
#include "common/log/log.h"
#include "common/proc/proc.h"

struct keys_ctx {
    struct proc proc;
    struct keys_store *store;
    struct keys_service *svc;
};

static int receive(void *arg, struct ipc_msg *msg)
{
    struct keys_ctx *ctx = arg;

    return keys_service_message(ctx->svc, msg);
}

static void master_message(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct keys_ctx *ctx = arg;
    int r;

    (void)ch;
    if (msg->kind == IPC_MASTER_STOP) {
        loop_stop(ctx->proc.loop);
        return;
    }
    r = keys_service_message(ctx->svc, msg);
    if (r < 0)
        LOG_ERROR(0, "message of master not understood", F_UINT("kind", msg->kind), F_ERR(r));
}

static void master_closed(void *arg, struct ipc *ch, int err)
{
    struct keys_ctx *ctx = arg;

    (void)ch;
    (void)err;
    loop_stop(ctx->proc.loop);
}

int main(void)
{
    static const char *const kinds[] = {
        [KEYS_MEMORY_SECRET] = "secret", [KEYS_MEMORY_LOCKED] = "locked", [KEYS_MEMORY_PLAIN] = "plain"};
    struct sandbox_params sandbox = {.profile = SANDBOX_KEYS};
    struct keys_ctx ctx = {0};
    enum keys_memory memory = KEYS_MEMORY_PLAIN;
    int memory_r = keys_memory_init(&memory); /* before anything of OpenSSL */
    int r;

    proc_start(&ctx.proc, "keys", ROLE_KEYS, NULL, 0);
    ctx.proc.loop = loop_new();
    if (ctx.proc.loop == NULL)
        LOG_FATAL("no event loop");
    if (memory_r < 0)
        LOG_FATAL("no memory for keys", F_ERR(memory_r));
    if (memory == KEYS_MEMORY_PLAIN)
        LOG_WARN(0, "private keys lie in memory that can be swapped out: raise the limit on locked memory");
    LOG_DEBUG(0, "memory for keys", F_STR("kind", kinds[memory]));
    ctx.store = keys_store_new();
    if (ctx.store == NULL)
        LOG_FATAL("TLS library cannot be used");
    ctx.svc = keys_service_new(ctx.proc.loop, ctx.store);
    proc_receive(&ctx.proc, receive, &ctx);
    proc_confine(&ctx.proc, &sandbox);
    proc_serve(&ctx.proc, master_message, master_closed, &ctx);
    r = loop_run(ctx.proc.loop);
    if (r < 0)
        LOG_ERROR(0, "event loop failed", F_ERR(r));
    keys_service_free(&ctx.svc);
    keys_store_free(&ctx.store);
    return r < 0 ? 1 : 0;
}
