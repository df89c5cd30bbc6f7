#include "master/request.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

struct request *request_new(enum request_kind kind, uint64_t id, struct ipc_msg *msg)
{
    struct request *r = xcalloc(1, sizeof(*r));

    r->kind = kind;
    r->id = id;
    buf_init_secret(&r->body, IPC_MAX_BODY); /* client input may hold anything */
    for (unsigned i = 0; i < msg->nfds; i++) {
        r->fds[r->nfds++] = msg->fds[i];
        msg->fds[i] = -1; /* transferred */
    }
    return r;
}

void request_free(struct request **rp)
{
    struct request *r = *rp;

    if (r == NULL)
        return;
    for (unsigned i = 0; i < r->nfds; i++)
        if (r->fds[i] >= 0)
            (void)close(r->fds[i]);
    buf_free(&r->body);
    free(r);
    *rp = NULL;
}

void request_reply(int fd, uint64_t id, uint16_t code, const char *enhanced, const char *text)
{
    struct msg_delivered m = {.code = code, .enhanced = view_str(enhanced), .text = view_str(text)};
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    msg_delivered_encode(&body, &m);
    if (ipc_send_wait(fd, ROLE_MASTER, ROLE_LCONN, IPC_WORKER_DELIVERED, &body, NULL, 0, 0) != 0)
        LOG_WARN(id, "cannot answer a delivery");
    buf_free(&body);
}

void request_deliver_done(void *arg, const struct request *r, enum take_fail code, const char *text)
{
    (void)arg;
    if (code == 0)
        return;
    LOG_WARN(r->id, "delivery refused", F_STR("reason", text));
    request_reply(r->fds[1], r->id, 451, "4.3.0", text);
}
