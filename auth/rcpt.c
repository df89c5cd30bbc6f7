/* Recipients of an LMTP connection: looked up in the user databases only, several at a time, answered in any order by their id.
 */
#include <stdlib.h>

#include "auth/conn.h"
#include "auth/userdb.h"
#include "common/base/mem.h"
#include "common/log/log.h"

struct rcpt {
    struct rcpt *next;
    struct auth_conn *conn;
    uint32_t id;
    struct auth_detail detail;
    struct lookup lookup;
};

static void rcpt_free(struct rcpt *r)
{
    struct rcpt **p = &r->conn->rcpts;
    while (*p != r)
        p = &(*p)->next;
    *p = r->next;
    r->conn->nrcpts--;
    lookup_cancel(&r->lookup);
    free(r);
}

void rcpt_free_all(struct auth_conn *c)
{
    while (c->rcpts != NULL)
        rcpt_free(c->rcpts);
}

/* The last thing done for a recipient: an answer that cannot be sent ends the connection. */
static void rcpt_answer(struct auth_conn *c, uint32_t id, enum rcpt_result result)
{
    struct msg_rcpt_result msg = {.rcpt_id = id, .result = result};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_rcpt_result_encode(&body, &msg);
    int err = ipc_send(c->ch, IPC_AUTH_RCPT, &body, NULL, 0);
    buf_free(&body);
    if (err != 0)
        auth_conn_free(c);
}

static void on_found(void *arg, enum userdb_result result, const struct user_entry *user)
{
    struct rcpt *r = arg;
    struct auth_conn *c = r->conn;
    uint32_t id = r->id;
    enum rcpt_result answer = result == USERDB_UNKNOWN ? RCPT_UNKNOWN : RCPT_TEMPORARY;
    if (result == USERDB_FOUND) {
        int err = grant_send(c, id, user, &r->detail, false);
        if (err == 0)
            answer = RCPT_OK;
        else
            LOG_ERROR(c->id, "master cannot be told of a recipient", F_ERR(err));
    }
    rcpt_free(r);
    rcpt_answer(c, id, answer);
}

int rcpt_on_message(struct auth_conn *c, struct view body)
{
    struct msg_rcpt msg;
    struct auth_name name;
    struct auth_detail detail;
    if (msg_rcpt_decode(body, &msg) != 0)
        return ERR_PROTO;
    if (c->nrcpts >= CONN_RCPTS_MAX) {
        rcpt_answer(c, msg.rcpt_id, RCPT_TEMPORARY);
        return 0;
    }
    if (auth_name_of_address(c->server->dbs.set, msg.address, &name, &detail) != 0) {
        rcpt_answer(c, msg.rcpt_id, RCPT_UNKNOWN);
        return 0;
    }
    struct rcpt *r = xcalloc(1, sizeof(*r));
    r->conn = c;
    r->id = msg.rcpt_id;
    r->detail = detail;
    r->next = c->rcpts;
    c->rcpts = r;
    c->nrcpts++;
    lookup_start(&r->lookup, &c->server->dbs, &name, true, c->id, on_found, r);
    return 0;
}
