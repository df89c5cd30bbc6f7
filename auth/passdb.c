/* The chain of password databases: a small state machine over v->index that runs on wherever an answer comes from. */
#include "auth/passdb.h"

#include "auth/passdb_scram.h"
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
    if (v->x != NULL && (result == PASSDB_WRONG || result == PASSDB_UNKNOWN))
        passdb_scram_feign(v);
    done(v->arg, result, v->reason != NULL ? v->reason : "wrong password");
}

bool passdb_asked(const struct passdb *db, bool master, const struct net_addr *peer)
{
    const struct conf_list *nets = &db->set->allow_nets;
    bool near = nets->n == 0;
    for (size_t i = 0; i < nets->n && !near; i++)
        near = passwd_nets_match(view_str(nets->items[i]), peer);
    return near && !db->set->deny && db->set->master == master;
}

int passdb_denies(const struct auth_dbs *dbs, const struct auth_name *name)
{
    struct passwd_line line;
    for (size_t i = 0; i < dbs->set->npassdbs; i++) {
        if (!dbs->passdbs[i].set->deny)
            continue;
        int err = passdb_file_find(dbs, dbs->passdbs[i].file, name, &line);
        if (err != ERR_NOTFOUND)
            return err;
    }
    return ERR_NOTFOUND;
}

/* The answer is no: spend the time of a real check on the first database that can. */
static void verify_pretend(struct verify *v, const char *reason)
{
    v->discard = true;
    v->disabled = false;
    v->reason = reason;
    if (v->x != NULL) { /* made-up keys cost what real ones do */
        verify_end(v, PASSDB_WRONG);
        return;
    }
    for (v->index = 0; v->index < v->dbs->set->npassdbs; v->index++) {
        const struct passdb *db = &v->dbs->passdbs[v->index];
        if (db->driver->pretend == NULL || !passdb_asked(db, v->master, &v->peer))
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

/* No database had the last word. */
static void verify_exhausted(struct verify *v)
{
    if (v->good) {
        verify_end(v, PASSDB_MATCH);
    } else if (v->failed) {
        v->reason = "a database cannot say";
        verify_end(v, PASSDB_TEMPORARY);
    } else if (v->wrong) {
        verify_end(v, PASSDB_WRONG);
    } else if (v->known && !v->far) {
        verify_end(v, PASSDB_MATCH);
    } else {
        verify_pretend(v, "unknown user");
    }
}

static void verify_so_far(struct verify *v, bool good)
{
    v->good = good;
    v->wrong = !good;
}

/* What the passdb section makes of a result: true: the next database is asked; false: *result is the last word. */
static bool verify_act(struct verify *v, int action, enum passdb_result *result)
{
    switch ((enum set_passdb_result)action) {
    case SET_PASSDB_RETURN_OK:
        return false;
    case SET_PASSDB_RETURN_FAIL:
        if (*result == PASSDB_MATCH) {
            v->reason = "this database lets nobody in";
            *result = PASSDB_WRONG;
        }
        return false;
    case SET_PASSDB_RETURN:
        if (v->good)
            *result = PASSDB_MATCH;
        else if (*result == PASSDB_MATCH)
            *result = v->failed ? PASSDB_TEMPORARY : PASSDB_WRONG;
        return false;
    case SET_PASSDB_CONTINUE_OK:
        verify_so_far(v, true);
        return true;
    case SET_PASSDB_CONTINUE_FAIL:
        verify_so_far(v, false);
        return true;
    case SET_PASSDB_CONTINUE:
        v->wrong |= *result != PASSDB_TEMPORARY;
        return true;
    }
    return false;
}

/*
 * A database that knows the user, when keys are looked for: the proof is still to come, and there will be one, of one record. It
 * is that of the first database with keys whose right password counts (return-ok, continue-ok): what is decided here is what a
 * right proof will mean. Whether the password is right for any other record remains unknown, so that both answers must do: a
 * record that bars the user from log-in is the last word, whether it has keys or not.
 */
static bool verify_weigh_keys(struct verify *v, enum passdb_result *result)
{
    const struct set_passdb *set = v->dbs->passdbs[v->index].set;
    bool counts = set->result_success == SET_PASSDB_RETURN_OK || set->result_success == SET_PASSDB_CONTINUE_OK;
    if (*result == PASSDB_MATCH && !v->keyed && counts) {
        v->keyed = true;
        return !v->disabled && verify_act(v, set->result_success, result);
    }
    if (v->disabled) {
        v->reason = "log-in not allowed for this user";
        *result = v->keyed ? PASSDB_MATCH : PASSDB_WRONG;
        return false;
    }
    if (*result == PASSDB_MATCH)
        v->reason = "SCRAM proves the password of one database only";
    *result = PASSDB_WRONG;
    if (set->result_success == SET_PASSDB_RETURN_FAIL)
        return false;
    bool on = verify_act(v, set->result_failure, result);
    if (set->result_success == SET_PASSDB_CONTINUE_FAIL)
        v->good = false;
    return on;
}

/* Whether the next database is to be asked after *result of the one at v->index. What a refusal was made to cost (discard) is no
 * result; who may not log in (disabled) may not by another database's word either. */
static bool verify_passes_on(struct verify *v, enum passdb_result *result)
{
    const struct set_passdb *set = v->dbs->passdbs[v->index].set;
    bool on = *result == PASSDB_UNKNOWN;
    if (v->discard)
        return false;
    if (v->x != NULL && (*result == PASSDB_MATCH || *result == PASSDB_WRONG))
        on = verify_weigh_keys(v, result);
    else if (*result == PASSDB_MATCH && !v->disabled)
        on = verify_act(v, set->result_success, result);
    else if (*result == PASSDB_WRONG)
        on = verify_act(v, set->result_failure, result);
    else if (*result == PASSDB_TEMPORARY) {
        on = verify_act(v, set->result_internalfail, result);
        v->failed |= on;
    }
    if (!on)
        return false;
    v->disabled = false;
    v->reason = NULL;
    return true;
}

static enum passdb_result verify_ask_one(struct verify *v, const struct passdb *db)
{
    if (v->x != NULL)
        return db->driver->keys(v, db);
    return v->account ? db->driver->account(v, db) : db->driver->check(v, db);
}

/* Asks the databases from v->index on. */
static void verify_ask(struct verify *v)
{
    for (; v->index < v->dbs->set->npassdbs; v->index++) {
        const struct passdb *db = &v->dbs->passdbs[v->index];
        if (!passdb_asked(db, v->master, &v->peer)) {
            v->far |= !db->set->deny && db->set->master == v->master;
            continue;
        }
        enum passdb_result result = verify_ask_one(v, db);
        if (result == PASSDB_PENDING)
            return;
        if (!verify_passes_on(v, &result)) {
            verify_end(v, result);
            return;
        }
    }
    verify_exhausted(v);
}

/* Goes on with the result of the database at v->index. */
static void verify_go_on(struct verify *v, enum passdb_result result)
{
    if (result == PASSDB_PENDING)
        return;
    if (!verify_passes_on(v, &result)) {
        verify_end(v, result);
        return;
    }
    v->index++;
    verify_ask(v);
}

static void on_answer(void *arg, const struct msg_helper_result *answer)
{
    struct verify *v = arg;
    const struct passdb *db = &v->dbs->passdbs[v->index];
    v->request = NULL;
    verify_go_on(v, db->driver->answered(v, db, answer));
}

static void on_told(void *arg, const struct msg_helper_db *answer)
{
    struct verify *v = arg;
    const struct passdb *db = &v->dbs->passdbs[v->index];
    v->question = NULL;
    verify_go_on(v, db->driver->told(v, db, answer));
}

enum passdb_result verify_ask_db(struct verify *v, enum ask_db what, struct view password)
{
    const struct passdb *db = &v->dbs->passdbs[v->index];
    const struct msg_ask_db msg = {
        .what = what, .section = view_str(db->set->name), .user = auth_name_view(v->name), .password = password};
    int err = db->pool == NULL ? ERR_NOTFOUND : db_pool_ask(db->pool, &msg, v->sid, on_told, v, &v->question);
    if (err == 0)
        return PASSDB_PENDING;
    LOG_ERROR(v->sid, "database cannot be asked", F_STR("passdb", db->set->name), F_ERR(err));
    v->reason = "too many questions to a database";
    return PASSDB_TEMPORARY;
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

/* v is set up. */
static void verify_begin(struct verify *v)
{
    int denied = v->name->len == 0 || v->master ? ERR_NOTFOUND : passdb_denies(v->dbs, v->name);
    if (v->name->len == 0) {
        verify_pretend(v, "unknown user");
    } else if (denied == 0) {
        verify_pretend(v, "denied by a database");
    } else if (denied != ERR_NOTFOUND) {
        v->reason = "passwd-file cannot be read";
        verify_end(v, PASSDB_TEMPORARY);
    } else {
        verify_ask(v);
    }
}

void verify_account_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, const struct net_addr *peer,
                          uint64_t sid, verify_done_fn *done, void *arg)
{
    *v = (struct verify){.dbs = dbs, .name = name, .account = true, .peer = *peer, .sid = sid, .done = done, .arg = arg};
    verify_begin(v);
}

void verify_known_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, bool master,
                        const struct net_addr *peer, uint64_t sid, verify_done_fn *done, void *arg)
{
    *v = (struct verify){.dbs = dbs,
                         .name = name,
                         .account = true,
                         .known = !master,
                         .master = master,
                         .peer = *peer,
                         .sid = sid,
                         .done = done,
                         .arg = arg};
    verify_begin(v);
}

void verify_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, bool master, struct view password,
                  const struct net_addr *peer, uint64_t sid, verify_done_fn *done, void *arg)
{
    *v = (struct verify){
        .dbs = dbs, .name = name, .master = master, .password = password, .peer = *peer, .sid = sid, .done = done, .arg = arg};
    verify_begin(v);
}

void verify_keys_start(struct verify *v, const struct auth_dbs *dbs, const struct auth_name *name, bool master,
                       struct mech_exchange *x, const struct net_addr *peer, uint64_t sid, verify_done_fn *done, void *arg)
{
    *v = (struct verify){.dbs = dbs, .name = name, .master = master, .x = x, .peer = *peer, .sid = sid, .done = done, .arg = arg};
    x->keys = (struct scram_keys){.hash = x->mech->hash};
    verify_begin(v);
}

void verify_cancel(struct verify *v)
{
    auth_request_cancel(&v->request);
    db_pool_cancel(&v->question);
    v->done = NULL;
}
