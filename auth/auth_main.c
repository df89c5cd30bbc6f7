/* culver-auth: start-up order only. */
#include <libgen.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/server.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/proc/proc.h"
#include "common/secret/password.h"
#include "common/tls/tls.h"

/* Two protocols, LMTP, and a generation of each that is leaving. */
#define PARENTS_MAX 16
#define MEMORY_BASE (512u * 1024 * 1024)

struct auth_ctx {
    struct proc proc;
    struct auth_dbs dbs;
    struct auth_server *server;
    struct msg_peer peers[PARENTS_MAX]; /* until the loop runs */
    int peer_fds[PARENTS_MAX];
    size_t npeers;
    struct buf digests; /* of our certificates */
};

/* Only its digest is kept, to know it again in a handshake. */
static int receive_cert(struct auth_ctx *ctx, const struct ipc_msg *msg)
{
    uint8_t digest[PROTO_DIGEST_LEN];
    struct msg_cert cert;
    int err = msg_cert_decode(msg->body, &cert);
    if (err != 0)
        return err;
    if (tls_leaf_digest(msg->fds[0], digest) != 0)
        LOG_ERROR(0, "certificate cannot be read", F_UINT("index", cert.index), F_VIEW("name", cert.name));
    else if (buf_len(&ctx->digests) < PROTO_DIGESTS_MAX) /* a log-in service takes no more either */
        buf_put(&ctx->digests, digest, sizeof(digest));
    return 0;
}

static int receive(void *arg, struct ipc_msg *msg)
{
    struct auth_ctx *ctx = arg;
    if (msg->kind == IPC_MASTER_CERT)
        return receive_cert(ctx, msg);
    if (msg->kind != IPC_MASTER_PEER)
        return ERR_PROTO;
    if (ctx->npeers == PARENTS_MAX)
        return ERR_LIMIT;
    int err = msg_peer_decode(msg->body, &ctx->peers[ctx->npeers]);
    if (err != 0)
        return err;
    ctx->peer_fds[ctx->npeers++] = msg->fds[0];
    msg->fds[0] = -1; /* transferred */
    return 0;
}

static void on_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct auth_ctx *ctx = arg;
    (void)ch;
    auth_server_on_master(ctx->server, msg);
}

static void on_master_closed(void *arg, struct ipc *ch, int err)
{
    struct auth_ctx *ctx = arg;
    (void)ch;
    (void)err;
    loop_stop(ctx->proc.loop);
}

/* The folders of the passwd-files, so that a file that replaces one can be opened; and memory for each file twice while it is
 * read again. */
static void sandbox_add_file(struct sandbox_params *params, struct sandbox_path *paths, const char *file)
{
    struct stat st;
    char *copy = xstrdup(file);
    paths[params->npaths++] = (struct sandbox_path){.path = xstrdup(dirname(copy))};
    free(copy);
    if (stat(file, &st) == 0 && st.st_size > 0)
        params->memory_max += 6 * (uint64_t)st.st_size;
}

static void confine(struct auth_ctx *ctx, const struct set_auth *set)
{
    struct sandbox_path *paths = xcalloc(set->npassdbs + set->nuserdbs + 2, sizeof(*paths));
    struct sandbox_params params = {.profile = SANDBOX_AUTH, .paths = paths, .memory_max = MEMORY_BASE};
    for (size_t i = 0; i < set->npassdbs; i++) {
        if (set->passdbs[i].driver == SET_PASSDB_FILE)
            sandbox_add_file(&params, paths, set->passdbs[i].file);
    }
    for (size_t i = 0; i < set->nuserdbs; i++) {
        if (set->userdbs[i].driver == SET_USERDB_FILE)
            sandbox_add_file(&params, paths, set->userdbs[i].file);
    }
    if (set->auth_dir[0] != '\0')
        paths[params.npaths++] = (struct sandbox_path){.path = xstrdup(set->auth_dir), .write = true};
    proc_confine(&ctx->proc, &params);
    for (size_t i = 0; i < params.npaths; i++)
        free((char *)paths[i].path);
    free(paths);
}

int main(void)
{
    static const struct conf_component *const components[] = {&set_auth_component, &set_login_component};
    static struct auth_ctx ctx;
    struct creds_store *creds = NULL;
    proc_start(&ctx.proc, "auth", ROLE_AUTH, components, 2);
    const struct set_auth *set = conf_get(ctx.proc.conf, &set_auth_component);
    const struct set_login *login = conf_get(ctx.proc.conf, &set_login_component);
    buf_init(&ctx.digests, PROTO_DIGESTS_MAX);
    proc_receive(&ctx.proc, receive, &ctx);
    if (password_init() != 0)
        LOG_FATAL("cryptography cannot be used");
    if (auth_dbs_init(&ctx.dbs, set) != 0)
        LOG_FATAL("databases cannot be used");
    confine(&ctx, set);
    /* As the user, and with the rights, that will read them later. */
    if (auth_dbs_open(&ctx.dbs) != 0)
        LOG_FATAL("databases cannot be opened");
    /* Without them it could not be known who needs a second factor. */
    if (set->auth_dir[0] != '\0' && creds_store_open(set->auth_dir, &creds) != 0)
        LOG_FATAL("credentials cannot be opened");
    ctx.proc.loop = loop_new();
    proc_serve(&ctx.proc, on_master, on_master_closed, &ctx);
    ctx.server = auth_server_new(ctx.proc.loop, ctx.proc.master, &ctx.dbs, login);
    auth_server_set_creds(ctx.server, creds);
    auth_server_set_certificates(ctx.server, buf_view(&ctx.digests));
    for (size_t i = 0; i < ctx.npeers; i++) {
        if (auth_server_add_parent(ctx.server, &ctx.peers[i], ctx.peer_fds[i]) != 0)
            LOG_FATAL("master sent a channel to a service that has no business here");
    }
    int err = loop_run(ctx.proc.loop);
    if (err != 0)
        LOG_ERROR(0, "event loop failed", F_ERR(err));
    auth_server_free(&ctx.server);
    return err == 0 ? 0 : 1;
}
