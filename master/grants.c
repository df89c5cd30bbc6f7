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

static void grant_unlink(struct grants *g, struct grant **link)
{
    struct grant *gr = *link;

    *link = gr->next;
    if (gr->rcpt_id == 0)
        g->logins--;
    else
        g->rcpts--;
    user_free(&gr->user);
    free(gr);
}

/* Recipients that were looked up and never delivered to (RSET, a failed message) leave their grants behind: of one connection the
 * latest are kept. c->grants is in the order in which they came. */
static void rcpts_make_room(struct grants *g, struct conn *c)
{
    if (c->ngrants < GRANTS_A_CONN)
        return;
    grant_unlink(g, &c->grants);
    c->ngrants--;
}

void grants_conn_remove(struct grants *g, struct conn **cp)
{
    struct conn *c = *cp;

    if (c == NULL)
        return;
    while (c->grants != NULL)
        grant_unlink(g, &c->grants);
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

static struct grant **find_grant(struct conn *c, uint32_t rcpt_id)
{
    struct grant **link = &c->grants;

    while (*link != NULL && (*link)->rcpt_id != rcpt_id)
        link = &(*link)->next;
    return link;
}

int grants_add(struct grants *g, const struct msg_grant *m, uint64_t now)
{
    struct conn *c = grants_conn_find(g, m->conn_id);
    bool login = m->rcpt_id == 0;
    struct grant **link;
    struct grant *gr;

    if (c == NULL)
        return ERR_NOTFOUND;
    if (login != (c->role == ROLE_CONN))
        return ERR_DENIED;
    if (*find_grant(c, m->rcpt_id) != NULL || (login && c->login_granted))
        return ERR_EXISTS;
    rcpts_make_room(g, c);
    if ((login ? g->logins : g->rcpts) >= g->max)
        return ERR_LIMIT;
    link = find_grant(c, m->rcpt_id); /* the end */
    gr = xcalloc(1, sizeof(*gr));
    gr->rcpt_id = m->rcpt_id;
    gr->expires = login ? now + GRANT_LIFE_MS : 0;
    gr->user = user_new(&m->user);
    *link = gr;
    c->ngrants++;
    if (login) {
        g->logins++;
        c->login_granted = true;
    } else {
        g->rcpts++;
    }
    return 0;
}

struct user *grants_take(struct grants *g, struct conn *c, uint32_t rcpt_id, uint64_t now)
{
    struct grant **link = find_grant(c, rcpt_id);
    struct user *user = NULL;

    if (*link == NULL)
        return NULL;
    if (rcpt_id == 0)
        c->login_taken = true;
    if ((*link)->expires == 0 || now < (*link)->expires) {
        user = (*link)->user;
        (*link)->user = NULL; /* transferred */
    }
    grant_unlink(g, link);
    c->ngrants--;
    return user;
}

size_t grants_expire(struct grants *g, uint64_t now)
{
    size_t n, dropped = 0;
    struct conn **all = grants_conns(g, &n);

    for (size_t i = 0; i < n; i++) {
        struct grant **link = find_grant(all[i], 0);
        if (*link != NULL && (*link)->expires != 0 && now >= (*link)->expires) {
            grant_unlink(g, link);
            all[i]->ngrants--;
            dropped++;
        }
    }
    free(all);
    return dropped;
}
