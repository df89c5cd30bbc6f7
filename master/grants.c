#include "master/grants.h"

#include <stdlib.h>

#include "common/base/mem.h"

struct grants {
    struct table *conns;       /* conn_id -> struct conn */
    size_t logins, rcpts, max; /* grants not consumed, of each kind at most max: neither kind can starve the other */
};

static struct view id_key(const uint64_t *id)
{
    return view_make(id, sizeof(*id));
}

struct grants *grants_new(size_t conns_max, size_t grants_max)
{
    struct grants *g = xcalloc(1, sizeof(*g));

    g->conns = table_new(conns_max);
    g->max = grants_max;
    return g;
}

static struct view rcpt_key(const uint32_t *id)
{
    return view_make(id, sizeof(*id));
}

static struct grant *grant_find(const struct conn *c, uint32_t rcpt_id)
{
    return table_get(c->by_rcpt, rcpt_key(&rcpt_id));
}

/* ERR_EXISTS. */
static int grant_link(struct grants *g, struct conn *c, struct grant *gr)
{
    int rc = table_put(c->by_rcpt, rcpt_key(&gr->rcpt_id), gr);

    if (rc != 0)
        return rc;
    gr->prev = c->grants_end;
    *c->grants_end = gr;
    c->grants_end = &gr->next;
    if (gr->rcpt_id == 0)
        g->logins++;
    else
        g->rcpts++;
    return 0;
}

static void grant_drop(struct grants *g, struct conn *c, struct grant *gr)
{
    (void)table_del(c->by_rcpt, rcpt_key(&gr->rcpt_id));
    *gr->prev = gr->next;
    if (gr->next != NULL)
        gr->next->prev = gr->prev;
    else
        c->grants_end = gr->prev;
    if (gr->rcpt_id == 0)
        g->logins--;
    else
        g->rcpts--;
    user_free(&gr->user);
    free(gr);
}

void grants_conn_remove(struct grants *g, struct conn **cp)
{
    struct conn *c = *cp;

    if (c == NULL)
        return;
    while (c->grants != NULL)
        grant_drop(g, c, c->grants);
    table_free(&c->by_rcpt);
    (void)table_del(g->conns, id_key(&c->id));
    free(c);
    *cp = NULL;
}

void grants_free(struct grants **gp)
{
    struct grants *g = *gp;
    struct conn **all;
    size_t n;

    if (g == NULL)
        return;
    all = grants_conns(g, &n);
    for (size_t i = 0; i < n; i++)
        grants_conn_remove(g, &all[i]);
    free(all);
    table_free(&g->conns);
    free(g);
    *gp = NULL;
}

int grants_conn_add(struct grants *g, const struct msg_conn *m, enum ipc_role role, uint64_t now, struct conn **out)
{
    struct conn *c;
    int rc;

    if (m->conn_id == 0 || (m->protocol == PROTO_LMTP) != (role == ROLE_LCONN))
        return ERR_RANGE;
    c = xcalloc(1, sizeof(*c));
    c->id = m->conn_id;
    c->role = role;
    c->protocol = m->protocol;
    c->listener = m->listener;
    c->peer = m->peer;
    c->local = m->local;
    c->proxy_due = m->proxy;
    c->since = now;
    rc = table_put(g->conns, id_key(&c->id), c);
    if (rc != 0) {
        free(c);
        return rc;
    }
    c->grants_end = &c->grants;
    c->by_rcpt = table_new(GRANTS_A_CONN);
    *out = c;
    return 0;
}

struct conn *grants_conn_find(const struct grants *g, uint64_t id)
{
    return table_get(g->conns, id_key(&id));
}

size_t grants_conn_count(const struct grants *g)
{
    return table_count(g->conns);
}

size_t grants_count(const struct grants *g)
{
    return g->logins + g->rcpts;
}

struct conn **grants_conns(const struct grants *g, size_t *n_out)
{
    return (struct conn **)table_values(g->conns, n_out);
}

int grants_conn_proxied(struct conn *c, const struct msg_proxied *m)
{
    if (!c->proxy_due || c->login_granted || c->grants != NULL)
        return ERR_STATE;
    c->proxy_due = false;
    c->proxy_tls = m->tls;
    c->peer = m->peer;
    c->local = m->local;
    return 0;
}

int grants_add(struct grants *g, const struct msg_grant *m, uint64_t now)
{
    struct conn *c = grants_conn_find(g, m->conn_id);
    bool login = m->rcpt_id == 0;
    struct grant *gr;
    int rc;

    if (c == NULL)
        return ERR_NOTFOUND;
    if (login != (c->role == ROLE_CONN))
        return ERR_DENIED;
    if (login && c->login_granted)
        return ERR_EXISTS;
    /* Recipients that were looked up and never delivered to (RSET, a failed message) leave their grants behind. */
    if (table_count(c->by_rcpt) >= GRANTS_A_CONN)
        grant_drop(g, c, c->grants);
    if ((login ? g->logins : g->rcpts) >= g->max)
        return ERR_LIMIT;
    gr = xcalloc(1, sizeof(*gr));
    gr->rcpt_id = m->rcpt_id;
    gr->expires = login ? now + GRANT_LIFE_MS : 0;
    rc = grant_link(g, c, gr);
    if (rc != 0) {
        free(gr);
        return rc;
    }
    gr->user = user_new(&m->user);
    gr->user->detail = view_dup(m->detail);
    gr->user->admin = m->admin;
    c->login_granted = c->login_granted || login;
    return 0;
}

const struct user *grants_peek(const struct conn *c, uint32_t rcpt_id, uint64_t now)
{
    const struct grant *gr = grant_find(c, rcpt_id);

    return gr != NULL && (gr->expires == 0 || now < gr->expires) ? gr->user : NULL;
}

struct user *grants_take(struct grants *g, struct conn *c, uint32_t rcpt_id, uint64_t now)
{
    struct grant *gr = grant_find(c, rcpt_id);
    struct user *user = NULL;

    if (gr == NULL)
        return NULL;
    if (rcpt_id == 0)
        c->login_taken = true;
    if (gr->expires == 0 || now < gr->expires) {
        user = gr->user;
        gr->user = NULL; /* transferred */
    }
    grant_drop(g, c, gr);
    return user;
}

size_t grants_expire(struct grants *g, uint64_t now)
{
    size_t n, dropped = 0;
    struct conn **all = grants_conns(g, &n);

    for (size_t i = 0; i < n; i++) {
        struct grant *gr = grant_find(all[i], 0);

        if (gr != NULL && gr->expires != 0 && now >= gr->expires) {
            grant_drop(g, all[i], gr);
            dropped++;
        }
    }
    free(all);
    return dropped;
}
