/* The grant: the only thing that gives anybody a session, and it goes to master alone. */
#include "auth/conn.h"
#include "auth/userdb.h"

int grant_send(struct auth_conn *c, uint32_t rcpt_id, const struct user_entry *user, const struct auth_detail *detail, bool admin)
{
    struct msg_grant msg = {
        .conn_id = c->id,
        .rcpt_id = rcpt_id,
        .detail = view_make(detail->text, detail->len),
        .admin = admin,
        .user = user_entry_record(user),
    };
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_grant_encode(&body, &msg);
    int err = ipc_send(c->server->master, IPC_AUTH_GRANT, &body, NULL, 0);
    buf_free(&body);
    return err;
}
