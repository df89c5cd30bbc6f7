/* Users looked up for master, which asks for culverctl: by the name that an administrator gives, in the user databases only. */
#include <stdlib.h>

#include "auth/server.h"
#include "auth/userdb.h"
#include "common/base/mem.h"
#include "common/log/log.h"

#define NAMED_MAX 64

struct named {
    struct named *next;
    struct auth_server *server;
    uint32_t id;
    struct lookup lookup;
};

static void named_free(struct named *n)
{
    struct named **p = &n->server->named;
    while (*p != n)
        p = &(*p)->next;
    *p = n->next;
    n->server->nnamed--;
    lookup_cancel(&n->lookup);
    free(n);
}

void named_free_all(struct auth_server *s)
{
    while (s->named != NULL)
        named_free(s->named);
}

static void answer(struct auth_server *s, uint32_t id, enum rcpt_result result, const struct user_entry *user)
{
    struct msg_found msg = {.id = id, .result = result};
    struct buf body;
    if (user != NULL)
        msg.user = user_entry_record(user);
    buf_init(&body, IPC_MAX_BODY);
    msg_found_encode(&body, &msg);
    int err = ipc_send(s->master, IPC_AUTH_FOUND, &body, NULL, 0);
    buf_free(&body);
    if (err != 0)
        LOG_ERROR(0, "master cannot be told of a user", F_ERR(err));
}

static void on_found(void *arg, enum userdb_result result, const struct user_entry *user)
{
    struct named *n = arg;
    struct auth_server *s = n->server;
    uint32_t id = n->id;
    /* The entry lies in the look-up, which goes with n. */
    if (result == USERDB_FOUND)
        answer(s, id, RCPT_OK, user);
    else
        answer(s, id, result == USERDB_UNKNOWN ? RCPT_UNKNOWN : RCPT_TEMPORARY, NULL);
    named_free(n);
}

int named_lookup(struct auth_server *s, struct view body)
{
    struct msg_lookup msg;
    struct auth_name name;
    if (msg_lookup_decode(body, &msg) != 0)
        return ERR_PROTO;
    if (auth_name_normalise(s->dbs.set, msg.name, &name) != 0) {
        answer(s, msg.id, RCPT_UNKNOWN, NULL);
        return 0;
    }
    if (s->nnamed >= NAMED_MAX) {
        answer(s, msg.id, RCPT_TEMPORARY, NULL);
        return 0;
    }
    struct named *n = xcalloc(1, sizeof(*n));
    n->server = s;
    n->id = msg.id;
    n->next = s->named;
    s->named = n;
    s->nnamed++;
    lookup_start(&n->lookup, &s->dbs, &name, true, 0, on_found, n);
    return 0;
}
