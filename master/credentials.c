#include "master/credentials.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "master/service.h"

struct credential {
    struct credential *next;
    struct master *m;
    uint32_t id;
    credential_done_fn *done;
    void *arg;
};

int credential_start(struct master *m, const struct msg_credential *msg, credential_done_fn *done, void *arg,
                     struct credential **out)
{
    struct msg_credential ask = *msg;
    struct credential *c;
    struct buf body;
    int rc;

    ask.id = ++m->last_credential;
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_credential_encode(&body, &ask);
    rc = services_ask_auth(m, IPC_MASTER_CREDENTIAL, &body);
    buf_free(&body);
    if (rc != 0)
        return rc;
    c = xcalloc(1, sizeof(*c));
    c->m = m;
    c->id = ask.id;
    c->done = done;
    c->arg = arg;
    c->next = m->credentials;
    m->credentials = c;
    *out = c;
    return 0;
}

void credential_end(struct credential **cp)
{
    struct credential *c = *cp, **link;

    if (c == NULL)
        return;
    link = &c->m->credentials;
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    free(c);
    *cp = NULL;
}

int credentials_done(struct master *m, struct view body)
{
    struct msg_credential_done msg;
    struct credential *c = m->credentials;

    if (msg_credential_done_decode(body, &msg) != 0)
        return ERR_PROTO;
    while (c != NULL && c->id != msg.id)
        c = c->next;
    if (c != NULL)
        c->done(c->arg, msg.status, msg.text);
    return 0;
}
