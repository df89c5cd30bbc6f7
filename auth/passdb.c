/* The chain of password databases: a small state machine over v->index that runs on wherever an answer comes from. */
#include "auth/passdb.h"

#include "common/log/log.h"

static void verify_end(struct verify *v, enum passdb_result result)
{
    verify_done_fn *done = v->done;
    v->done = NULL;
    if (v->discard && result != PASSDB_TEMPORARY)
        result = PASSDB_WRONG;
    if (v->disabled && result == PASSDB_MATCH) {
        v->reason = "log-in not allowed for this user";
        result = PASSDB_DISABLED;
    }
    done(v->arg, result, v->reason != NULL ? v->reason : "wrong password");
}

/* Nobody knows the user: spend the time of a real check on the first database that can. */
static void verify_pretend(struct verify *v)
{
    v->discard = true;
    v->disabled = false;
    v->reason = "unknown user";
    for (v->index = 0; v->index < v->dbs->set->npassdbs; v->index++) {
        const struct passdb *db = &v->dbs->passdbs[v->index];
        if (db->driver->pretend == NULL)
            continue;
        /* Too busy for it is answered as too busy for a known user would be. */
        enum passdb_result r = db->driver->pretend(v, db);
        if (r == PASSDB_PENDING)
            return;
        if (r != PASSDB_UNKNOWN) {
            verify_end(v, r);
            return;
        }
    }
    verify_end(v, PASSDB_WRONG);
}

/* Goes on with the result of the database at v->index. */
static void verify_go_on(struct verify *v, enum passdb_result result)
{
    while (result == PASSDB_UNKNOWN && !v->discard) {
        v->index++;
        if (v->index >= v->dbs->set->npassdbs) {
            verify_pretend(v);
            return;
        }
        const struct passdb *db = &v->dbs->passdbs[v->index];
        result = db->driver->check(v, db);
    }
    if (result != PASSDB_PENDING)
        verify_end(v, result);
}

static void on_answer(void *arg, const struct msg_helper_result *answer)
{
    struct verify *v = arg;
    const struct passdb *db = &v->dbs->passdbs[v->index];
    v->request = NULL;
    verify_go_on(v, db->driver->answered(v, db, answer));
}

enum passdb_result verify_request(struct verify *v, enum ipc_kind kind, struct buf *body)
{
    int err = auth_request_start(v->dbs->requests, kind, body, v->sid, on_answer, v, &v->request);
    if (err == 0)
        return PASSDB_PENDING;
    LOG_ERROR(v->sid, "no auth helper for a password check", F_STR("passdb", v->dbs->passdbs[v->index].set->name), F_ERR(err));
    v->reason = "no helper";
    return PASSDB_TEMPORARY;
}

void verify_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, struct view password,
                  const struct net_addr *peer, uint64_t sid, verify_done_fn *done, void *arg)
{
    *v = (struct verify){.dbs = dbs, .name = name, .password = password, .peer = *peer, .sid = sid, .done = done, .arg = arg};
    if (name->len == 0 || dbs->set->npassdbs == 0)
        verify_pretend(v);
    else
        verify_go_on(v, dbs->passdbs[0].driver->check(v, &dbs->passdbs[0]));
}

void verify_cancel(struct verify *v)
{
    auth_request_cancel(&v->request);
    v->done = NULL;
}
