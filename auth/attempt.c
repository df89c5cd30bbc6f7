/*
 * One SASL exchange: mechanism, password check, user look-up, grant, answer. Every function here that goes on with an exchange
 * may end it and, where the other end is gone, free the connection: it is the last thing that its caller does.
 *
 * The log line of a failure is written when it happens, so that what reads the log can act, and the answer waits (penalty.h).
 */
#include <stdlib.h>
#include <time.h>

#include "auth/attempt_int.h"
#include "common/base/mem.h"
#include "common/log/log.h"

/* Postfix gives up after 10 s, and calls it a temporary failure: what waits before a check and after it stays below. */
#define SMTP_WAIT_MS 4000

/* SCRAM's first answer goes out at a multiple of this after the question: more than a database that is near takes. */
#define KEYS_SHOWN_MS 25

void attempt_free(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    c->attempt = NULL;
    auth_conn_forget_handshake(c);
    if (a == NULL)
        return;
    gate_leave(c->server->gate, &a->place);
    buf_free(&a->proof);
    verify_cancel(&a->verify);
    auth_request_cancel(&a->request);
    db_pool_cancel(&a->question);
    lookup_cancel(&a->lookup);
    mech_exchange_deinit(&a->x);
    free(a);
}

/* The name to log: the user's, or what was claimed. */
static struct view attempt_user(const struct attempt *a)
{
    return a->named && !a->master ? auth_name_view(&a->name) : mech_name_view(&a->x.authcid);
}

/* --- answers ----------------------------------------------------------------------------------------------------------- */

static void send_sasl(struct auth_conn *c, enum ipc_kind kind, struct view data)
{
    struct msg_sasl msg = {.data = data};
    struct buf body;
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_sasl_encode(&body, &msg);
    int err = ipc_send(c->ch, kind, &body, NULL, 0);
    buf_free(&body);
    if (err != 0)
        auth_conn_free(c);
}

static void send_fail(struct auth_conn *c, enum auth_fail code, const char *text)
{
    struct msg_auth_fail msg = {.code = code, .text = view_str(text)};
    struct buf body;
    attempt_free(c);
    if (code != AUTH_FAIL_CANCELLED)
        c->failures++;
    if (c->failures >= CONN_FAILURES_MAX)
        msg.code = AUTH_FAIL_LIMIT;
    auth_conn_enter(c, msg.code == AUTH_FAIL_LIMIT ? CONN_DONE : CONN_IDLE);
    buf_init(&body, IPC_MAX_BODY);
    msg_auth_fail_encode(&body, &msg);
    int err = ipc_send(c->ch, IPC_AUTH_FAIL, &body, NULL, 0);
    buf_free(&body);
    if (err != 0)
        auth_conn_free(c);
}

static void log_failure(const struct auth_conn *c, struct view user, const char *mech, const char *reason)
{
    char peer[46];
    net_addr_format(&c->peer, peer);
    LOG_WARN(c->id, "authentication failed", F_STR("peer", peer), F_VIEW("user", user), F_STR("reason", reason),
             F_STR("mech", mech), F_STR("protocol", auth_conn_protocol(c)));
}

void attempt_fail(struct auth_conn *c, enum auth_fail code, const char *text, const char *reason)
{
    struct attempt *a = c->attempt;
    log_failure(c, attempt_user(a), a->x.mech->name, reason);
    send_fail(c, code, text);
}

/* Unknown user and wrong password: counted, and answered late. */
static void attempt_count(struct auth_conn *c, const char *reason)
{
    struct attempt *a = c->attempt;
    struct view user = attempt_user(a), password = view_make(NULL, 0);
    log_failure(c, user, a->x.mech->name, reason);
    if (a->x.password != NULL)
        password = secret_view(a->x.password);
    else if (a->x.guess_len > 0)
        password = view_make(a->x.guess, a->x.guess_len);
    penalty_failed(c->server->penalty, loop_now(c->server->loop), &c->counted, user, password);
    gate_leave(c->server->gate, &a->place);
    secret_free(&a->x.password);
}

static void attempt_hold(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    uint64_t hold = penalty_hold(c->server->penalty, loop_now(c->server->loop), a->started, &c->counted, attempt_user(a));
    if (c->protocol == PROTO_SMTP)
        hold = MIN_OF(hold, SMTP_WAIT_MS);
    a->code = AUTH_FAIL_CREDENTIALS;
    auth_conn_enter(c, CONN_HOLDING);
    timer_arm(c->timer, hold);
}

void attempt_fail_credentials(struct auth_conn *c, const char *reason)
{
    attempt_count(c, reason);
    attempt_hold(c);
}

static void log_passed(const struct auth_conn *c, const struct auth_name *name)
{
    const struct attempt *a = c->attempt;
    char peer[46];
    net_addr_format(&c->peer, peer);
    if (a->master)
        LOG_INFO(c->id, "log-in by a master user", F_VIEW("user", auth_name_view(name)),
                 F_VIEW("master", auth_name_view(&a->prover)));
    LOG_INFO(c->id, "authenticated", F_VIEW("user", auth_name_view(name)), F_STR("mech", a->x.mech->name), F_STR("peer", peer),
             F_STR("protocol", auth_conn_protocol(c)), F_STR("secured", a->secured ? "yes" : "no"));
}

/* An MTA is told who it was; there is no session. */
static void attempt_pass_named(struct auth_conn *c)
{
    const struct auth_name name = c->attempt->name;
    struct msg_named msg = {.name = auth_name_view(&name)};
    struct buf body;
    log_passed(c, &name);
    attempt_free(c);
    auth_conn_enter(c, CONN_DONE);
    buf_init(&body, IPC_MAX_BODY);
    msg_named_encode(&body, &msg);
    int err = ipc_send(c->ch, IPC_AUTH_NAMED, &body, NULL, 0);
    buf_free(&body);
    if (err != 0)
        auth_conn_free(c);
}

static void attempt_pass(struct auth_conn *c, const struct user_entry *user)
{
    if (c->protocol == PROTO_SMTP) {
        attempt_pass_named(c);
        return;
    }
    int err = grant_send(c, 0, user, &c->attempt->detail, c->attempt->master);
    if (err != 0) {
        LOG_ERROR(c->id, "master cannot be told of a log-in", F_ERR(err));
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "master unreachable");
        return;
    }
    log_passed(c, &user->name);
    attempt_free(c);
    auth_conn_enter(c, CONN_DONE);
    send_sasl(c, IPC_AUTH_PASS, view_make(NULL, 0));
}

/* A POP3 client that comes back too early waits. */
static void attempt_found(struct auth_conn *c, const struct user_entry *user)
{
    uint64_t wait = 0;
    if (c->protocol == PROTO_POP3)
        wait = login_delay_take(c->server->login_delay, loop_now(c->server->loop), auth_name_view(&user->name));
    if (wait == 0) {
        attempt_pass(c, user);
        return;
    }
    LOG_INFO(c->id, "log-in delayed", F_VIEW("user", auth_name_view(&user->name)), F_UINT("ms", wait));
    gate_leave(c->server->gate, &c->attempt->place);
    c->attempt->passed = true; /* the entry stays in its look-up */
    auth_conn_enter(c, CONN_HOLDING);
    timer_arm(c->timer, wait);
}

/* --- the databases ------------------------------------------------------------------------------------------------------ */

static void on_lookup(void *arg, enum userdb_result result, const struct user_entry *user)
{
    struct auth_conn *c = arg;
    switch (result) {
    case USERDB_FOUND:
        attempt_found(c, user);
        return;
    case USERDB_UNKNOWN:
        if (c->attempt->master) {
            attempt_fail_credentials(c, "unknown user for a master user");
            return;
        }
        if (c->attempt->x.mech->certificate) { /* whom an authority names need not be one of ours */
            attempt_fail_credentials(c, "unknown user");
            return;
        }
        LOG_ERROR(c->id, "authenticated user is in no userdb", F_VIEW("user", auth_name_view(&c->attempt->name)));
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "no userdb entry");
        return;
    case USERDB_PENDING:
    case USERDB_TEMPORARY:
        break;
    }
    attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "user look-up failed");
}

void attempt_lookup(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    /* Who only sends mail needs none here; but as whom a master user acts must exist. */
    if (c->protocol == PROTO_SMTP && !a->master) {
        attempt_pass_named(c);
        return;
    }
    lookup_start(&a->lookup, &c->server->dbs, &a->name, a->master, c->id, on_lookup, c);
}

/* What the databases are asked about: without the code behind it. */
static struct view attempt_main_password(const struct attempt *a)
{
    struct view typed = secret_view(a->x.password);
    return view_sub(typed, 0, typed.len - a->factor.cut);
}

static struct cache_claim attempt_claim(const struct auth_conn *c)
{
    const struct attempt *a = c->attempt;
    return (struct cache_claim){&a->name, attempt_main_password(a), CACHE_PASSWORD, &c->peer};
}

/* What the databases said, for the cache. */
static void attempt_remember(struct auth_conn *c, enum passdb_result result)
{
    struct auth_server *s = c->server;
    const struct cache_claim claim = attempt_claim(c);
    if (s->cache == NULL || !c->attempt->named || c->attempt->master || c->attempt->factor.kind == FACTOR_APP)
        return;
    if (result == PASSDB_MATCH)
        auth_cache_put(s->cache, loop_now(s->loop), auth_dbs_generation(&s->dbs), &claim);
    else if (result != PASSDB_TEMPORARY)
        auth_cache_forget(s->cache, &c->attempt->name);
}

/* The second half of the proof, where one is needed. Only who knows the password can use up a code or be slowed down for wrong
 * ones. */
static void attempt_check_code(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    struct penalty *p = c->server->penalty;
    uint64_t now = loop_now(c->server->loop);
    struct view prover = auth_name_view(&a->prover);
    bool right = penalty_code_admit(p, now, prover) && a->factor.step != 0;
    int err = right ? factor_use(c->server->creds, &a->prover, a->factor.step) : ERR_DENIED;
    if (err == 0) {
        secret_free(&a->x.password);
        attempt_lookup(c);
    } else if (err == ERR_DENIED) {
        penalty_code_failed(p, now, prover);
        attempt_fail_credentials(c, "right password, wrong code");
    } else {
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "second factor cannot be checked");
    }
}

/* The password is right. */
static void attempt_right(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    if (a->factor.kind == FACTOR_CODE) {
        attempt_check_code(c);
        return;
    }
    if (a->factor.kind == FACTOR_APP)
        creds_used(c->server->creds, &a->prover, a->factor.app, (uint64_t)time(NULL), &c->peer);
    secret_free(&a->x.password);
    attempt_lookup(c);
}

void attempt_unproven(struct auth_conn *c, enum passdb_result result, const char *reason)
{
    switch (result) {
    case PASSDB_WRONG:
    case PASSDB_UNKNOWN:
        attempt_fail_credentials(c, reason);
        return;
    case PASSDB_DISABLED:
        attempt_fail(c, AUTH_FAIL_DISABLED, "", reason);
        return;
    case PASSDB_MATCH:
    case PASSDB_PENDING:
    case PASSDB_TEMPORARY:
        break;
    }
    attempt_fail(c, AUTH_FAIL_TEMPORARY, "", reason);
}

static void on_verified(void *arg, enum passdb_result result, const char *reason)
{
    struct auth_conn *c = arg;
    attempt_remember(c, result);
    if (result == PASSDB_MATCH)
        attempt_right(c);
    else
        attempt_unproven(c, result, reason);
}

static unsigned attempt_scope(const struct auth_conn *c)
{
    switch (c->protocol) {
    case PROTO_IMAP:
        return CREDS_IMAP;
    case PROTO_POP3:
        return CREDS_POP3;
    case PROTO_SMTP:
        return CREDS_SMTP;
    case PROTO_LMTP:
        break;
    }
    return 0;
}

static void attempt_verify(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    a->started = loop_now(c->server->loop);
    auth_conn_enter(c, CONN_CHECKING);
    a->factor = factor_of(c->server->creds, &a->prover, a->master ? 0 : attempt_scope(c), secret_view(a->x.password),
                          (uint64_t)time(NULL));
    if (a->factor.kind == FACTOR_ERROR) {
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "credentials cannot be read");
        return;
    }
    if (a->factor.kind == FACTOR_APP) {
        verify_account_start(&a->verify, &c->server->dbs, &a->prover, &c->peer, c->id, on_verified, c);
        return;
    }
    if (c->server->cache != NULL && a->named && !a->master) {
        const struct cache_claim claim = attempt_claim(c);
        if (auth_cache_hit(c->server->cache, a->started, auth_dbs_generation(&c->server->dbs), &claim)) {
            LOG_DEBUG(c->id, "password known from the cache", F_VIEW("user", attempt_user(a)));
            attempt_right(c);
            return;
        }
    }
    verify_start(&a->verify, &c->server->dbs, &a->prover, a->master, attempt_main_password(a), &c->peer, c->id, on_verified, c);
}

bool attempt_has_masters(const struct set_auth *set)
{
    for (size_t i = 0; i < set->npassdbs; i++) {
        if (set->passdbs[i].master)
            return true;
    }
    return false;
}

int attempt_name(const struct attempt *a, const struct set_auth *set, struct view raw, struct auth_name *out,
                 struct auth_detail *detail_out)
{
    return a->folders ? auth_name_of_login(set, raw, out, detail_out) : auth_name_normalise(set, raw, out);
}

/* True, and the two names, when this is the claim of a master user: "user*master" or an authorisation identity that is somebody
 * else (RFC 4422 3.4.1).
 */
static bool attempt_split(const struct attempt *a, const struct set_auth *set, struct view *user, struct view *master)
{
    struct view authcid = mech_name_view(&a->x.authcid), authzid = mech_name_view(&a->x.authzid);
    struct auth_name as, who;
    size_t at = set->auth_master_separator[0] == '\0' ? authcid.len : view_find(authcid, (uint8_t)set->auth_master_separator[0]);
    if (!attempt_has_masters(set))
        return false;
    if (at < authcid.len) {
        *user = view_sub(authcid, 0, at);
        *master = view_sub(authcid, at + 1, authcid.len);
        return true;
    }
    /* The same user in another spelling is no master. */
    if (authzid.len == 0 || (attempt_name(a, set, authzid, &as, NULL) == 0 && attempt_name(a, set, authcid, &who, NULL) == 0 &&
                             auth_name_equal(&as, &who)))
        return false;
    *user = authzid;
    *master = authcid;
    return true;
}

/* Who the claim is about, and who is to prove it. Where one of them is an impossible name, nobody can. */
static void attempt_take_name(struct attempt *a, const struct set_auth *set)
{
    struct view user = mech_name_view(&a->x.authcid), master = user;
    a->master = attempt_split(a, set, &user, &master);
    a->named = attempt_name(a, set, user, &a->name, &a->detail) == 0;
    a->prover = (struct auth_name){.len = 0};
    if (a->named && !a->master)
        a->prover = a->name;
    else if (a->named && auth_name_normalise(set, master, &a->prover) != 0)
        a->prover.len = 0;
}

/* An authorisation identity, where one is given, must be whom the claim is about. */
static bool attempt_acts_as_self(const struct attempt *a, const struct set_auth *set)
{
    struct auth_name as;
    return a->x.authzid.len == 0 ||
           (attempt_name(a, set, mech_name_view(&a->x.authzid), &as, NULL) == 0 && auth_name_equal(&as, &a->name));
}

static void attempt_step(struct auth_conn *c, bool has_data, struct view data);

/* The keys are shown at one of few times after they were asked for: how long the databases took to find a user, or nobody, is not
 * to be seen. */
static void attempt_show_keys(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    uint64_t took = loop_now(c->server->loop) - a->started;
    gate_leave(c->server->gate, &a->place);
    a->keys_wait = true;
    auth_conn_enter(c, CONN_HOLDING);
    timer_arm(c->timer, KEYS_SHOWN_MS - took % KEYS_SHOWN_MS);
}

/* Whatever is wrong with the claim, the exchange goes on to its end, and fails there. */
static void on_keys(void *arg, enum passdb_result result, const char *reason)
{
    struct auth_conn *c = arg;
    struct attempt *a = c->attempt;
    a->reason = result == PASSDB_MATCH || result == PASSDB_DISABLED ? "wrong password" : reason;
    a->disabled = result == PASSDB_DISABLED;
    if (result == PASSDB_TEMPORARY) {
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", reason);
        return;
    }
    /* SCRAM has no place for a code. */
    int factor = a->x.keys_false ? 0 : factor_none(c->server->creds, &a->prover);
    if (factor != 0 && factor != ERR_DENIED) {
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "credentials cannot be read");
        return;
    }
    if (factor == ERR_DENIED) {
        a->x.keys_false = true;
        a->reason = "second factor needed";
    }
    if (!a->x.keys_false && !attempt_acts_as_self(a, c->server->dbs.set)) {
        a->x.keys_false = true;
        a->reason = "not allowed to act as another user";
    }
    attempt_show_keys(c);
}

static void attempt_keys(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    a->keyed = true;
    a->started = loop_now(c->server->loop);
    auth_conn_enter(c, CONN_CHECKING);
    verify_keys_start(&a->verify, &c->server->dbs, &a->prover, a->master, &a->x, &c->peer, c->id, on_keys, c);
}

/* What is told to the client is the mechanism's; the answer to the client's reply waits as after every failure. */
static void attempt_refuse(struct auth_conn *c, const char *reason)
{
    attempt_count(c, reason);
    c->attempt->refused = true;
    attempt_step(c, false, view_make(NULL, 0));
}

/* Whom the token is of, against whom the client says to be, and those who may not log in. */
static void attempt_take_token(struct auth_conn *c, struct view named)
{
    struct attempt *a = c->attempt;
    const struct auth_dbs *dbs = &c->server->dbs;
    struct auth_name claimed;
    if (auth_name_normalise(dbs->set, named, &a->name) != 0) {
        attempt_refuse(c, "the token's user is no possible name");
        return;
    }
    if (a->x.authcid.len > 0 &&
        (auth_name_normalise(dbs->set, mech_name_view(&a->x.authcid), &claimed) != 0 || !auth_name_equal(&claimed, &a->name))) {
        attempt_refuse(c, "the token is of another user");
        return;
    }
    a->named = true;
    a->prover = a->name;
    int denied = passdb_denies(dbs, &a->name);
    if (denied == 0)
        attempt_refuse(c, "denied by a database");
    else if (denied != ERR_NOTFOUND)
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "passwd-file cannot be read");
    else
        attempt_lookup(c);
}

static void on_token(void *arg, const struct msg_helper_result *answer)
{
    struct auth_conn *c = arg;
    c->attempt->request = NULL;
    switch (answer->result) {
    case HELPER_OK:
        attempt_take_token(c, answer->name);
        return;
    case HELPER_WRONG:
        LOG_INFO(c->id, "token refused", F_VIEW("reason", answer->name));
        attempt_refuse(c, "token refused");
        return;
    case HELPER_UNKNOWN:
    case HELPER_EXPIRED:
    case HELPER_TEMPORARY:
        break;
    }
    attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "token cannot be checked");
}

static void on_token_told(void *arg, const struct msg_helper_db *answer)
{
    struct auth_conn *c = arg;
    struct cursor record = cursor_make(answer->record);
    struct view name, value;
    c->attempt->question = NULL;
    if (answer->result == HELPER_OK && db_field_next(&record, &name, &value) && view_eq(name, VIEW("user")))
        attempt_take_token(c, value);
    else if (answer->result == HELPER_WRONG)
        attempt_refuse(c, "token refused");
    else
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "token cannot be checked");
}

/* Of the token's issuer. */
static void attempt_ask_token(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    const struct set_auth *set = c->server->dbs.set;
    struct db_pool *pool = auth_dbs_pool(&c->server->dbs, set->oauth2_database);
    const struct msg_ask_db msg = {
        .what = ASK_DB_TOKEN, .section = view_str(set->oauth2_database), .password = secret_view(a->x.token)};
    a->started = loop_now(c->server->loop);
    auth_conn_enter(c, CONN_CHECKING);
    int err = pool == NULL ? ERR_NOTFOUND : db_pool_ask(pool, &msg, c->id, on_token_told, c, &a->question);
    secret_free(&a->x.token);
    if (err == 0)
        return;
    LOG_ERROR(c->id, "database cannot be asked", F_STR("database", set->oauth2_database), F_ERR(err));
    attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "too many questions to a database");
}

static void attempt_token(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    const struct msg_check_token msg = {.token = secret_view(a->x.token)};
    struct buf body;
    a->started = loop_now(c->server->loop);
    auth_conn_enter(c, CONN_CHECKING);
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_check_token_encode(&body, &msg);
    secret_free(&a->x.token);
    int err = auth_request_start(c->server->requests, IPC_AUTH_CHECK_TOKEN, &body, c->id, on_token, c, &a->request);
    if (err == 0)
        return;
    LOG_ERROR(c->id, "no auth helper for a token", F_ERR(err));
    attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "no helper");
}

static void attempt_proceed(struct auth_conn *c)
{
    if (c->attempt->x.mech->certificate)
        attempt_certificate(c);
    else if (c->attempt->x.token != NULL && c->server->dbs.set->oauth2_database[0] != '\0')
        attempt_ask_token(c);
    else if (c->attempt->x.token != NULL)
        attempt_token(c);
    else if (c->attempt->x.password != NULL)
        attempt_verify(c);
    else
        attempt_keys(c);
}

static void attempt_wait(struct auth_conn *c, uint64_t ms)
{
    if (c->state != CONN_WAITING)
        auth_conn_enter(c, CONN_WAITING);
    timer_arm(c->timer, ms);
}

static uint64_t attempt_backlog(const struct auth_conn *c)
{
    return c->protocol == PROTO_SMTP ? SMTP_WAIT_MS : PENALTY_BACKLOG_MS;
}

/* Takes the attempt's turn: true: it may go on. False: it waits, or has been refused. */
static bool attempt_turn(struct auth_conn *c)
{
    uint64_t wait = penalty_admit(c->server->penalty, loop_now(c->server->loop), attempt_backlog(c), &c->counted);
    if (wait == 0)
        return true;
    gate_leave(c->server->gate, &c->attempt->place);
    if (wait == PENALTY_REFUSED)
        attempt_fail(c, AUTH_FAIL_LIMIT, "Too many failed log-ins from your address, try again later", "too many failures");
    else
        attempt_wait(c, wait);
    return false;
}

/* Waits for the attempt's turn, or for a place among those of its address. */
static void attempt_admit(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    struct penalty_source sources[PENALTY_SOURCES];
    uint64_t now = loop_now(c->server->loop);
    size_t n = penalty_sources(c->server->penalty, now, &c->counted, sources);
    for (size_t i = 0; i < n; i++)
        a->admitted |= sources[i].room == 0;
    if (!attempt_turn(c))
        return;
    if (gate_enter(c->server->gate, sources, n, &a->place))
        attempt_proceed(c);
    else
        attempt_wait(c, a->give_up - MIN_OF(now, a->give_up));
}

/* Comes to the gate for the first time. */
static void attempt_arrive(struct auth_conn *c)
{
    c->attempt->give_up = loop_now(c->server->loop) + attempt_backlog(c);
    attempt_admit(c);
}

static void on_gate_call(void *arg)
{
    struct auth_conn *c = arg;
    timer_arm(c->timer, 0);
}

/* Its turn, a call from the gate, or the end of its patience. */
static void attempt_waited(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    if (a->place.waits != NULL && a->place.called) {
        attempt_admit(c);
    } else if (a->place.waits != NULL) {
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "too many attempts of this address under way");
    } else if (a->proof_waits) {
        auth_conn_enter(c, CONN_CHECKING);
        attempt_step(c, true, buf_view(&a->proof));
    } else {
        attempt_proceed(c);
    }
}

static void attempt_password(struct auth_conn *c)
{
    struct attempt *a = c->attempt;
    if (a->x.password == NULL) {
        attempt_fail(c, AUTH_FAIL_TEMPORARY, "", "out of guarded memory");
        return;
    }
    attempt_take_name(a, c->server->dbs.set);
    if (!attempt_acts_as_self(a, c->server->dbs.set)) {
        attempt_fail_credentials(c, "not allowed to act as another user");
        return;
    }
    attempt_arrive(c);
}

/* --- the exchange -------------------------------------------------------------------------------------------------------- */

static void attempt_step(struct auth_conn *c, bool has_data, struct view data)
{
    struct attempt *a = c->attempt;
    a->started = loop_now(c->server->loop);
    enum mech_step step = mech_exchange_step(&a->x, has_data, data);
    if (step == MECH_CHALLENGE && ++a->steps > CONN_STEPS_MAX)
        step = MECH_MALFORMED;
    switch (step) {
    case MECH_CHALLENGE:
        gate_leave(c->server->gate, &a->place); /* how long the client takes is its own affair */
        auth_conn_enter(c, CONN_CHALLENGED);
        send_sasl(c, IPC_AUTH_CHALLENGE, buf_view(&a->x.out));
        return;
    case MECH_PASSWORD:
        attempt_password(c);
        return;
    case MECH_KEYS:
        attempt_take_name(a, c->server->dbs.set);
        attempt_arrive(c);
        return;
    case MECH_TOKEN:
    case MECH_CERTIFICATE:
        attempt_arrive(c);
        return;
    case MECH_PROVEN:
        auth_conn_enter(c, CONN_CHECKING);
        if (a->disabled)
            attempt_fail(c, AUTH_FAIL_DISABLED, "", "log-in not allowed for this user");
        else
            attempt_lookup(c);
        return;
    case MECH_WRONG:
        if (a->refused)
            attempt_hold(c);
        else
            attempt_fail_credentials(c, a->reason);
        return;
    case MECH_MALFORMED:
        attempt_fail(c, AUTH_FAIL_MALFORMED, "", "malformed");
        return;
    }
}

static bool mech_offered(const struct auth_conn *c, const struct mech *mech, const struct msg_auth *msg)
{
    const struct set_login *set = c->server->login;
    if (mech == NULL || (mech->certificate && buf_len(&c->handshake) == 0) ||
        (mech->binds && msg->binding_exporter.len == 0 && msg->binding_end_point.len == 0))
        return false;
    const char *word = mech->offered_as != NULL ? mech->offered_as : mech->name;
    for (size_t i = 0; i < set->auth_mechanisms.n; i++) {
        if (view_eq_nocase(view_str(set->auth_mechanisms.items[i]), view_str(word)))
            return true;
    }
    return false;
}

int attempt_on_auth(struct auth_conn *c, struct view body)
{
    struct msg_auth msg;
    if (c->state != CONN_IDLE || msg_auth_decode(body, &msg) != 0)
        return ERR_PROTO;
    const struct mech *mech = mech_find(msg.mechanism);
    bool secured = msg.secured || c->proxy_tls;
    if (!mech_offered(c, mech, &msg)) {
        log_failure(c, view_make(NULL, 0), mech == NULL ? "unknown" : mech->name, "mechanism not offered");
        send_fail(c, AUTH_FAIL_MECHANISM, "");
        return 0;
    }
    if (mech->needs_protection && !secured && !c->server->login->cleartext_auth) {
        log_failure(c, view_make(NULL, 0), mech->name, "connection not protected");
        send_fail(c, AUTH_FAIL_MECHANISM, "This mechanism needs TLS");
        return 0;
    }
    c->attempt = xcalloc(1, sizeof(*c->attempt));
    c->attempt->secured = secured;
    c->attempt->folders = c->protocol == PROTO_POP3 && c->server->dbs.set->pop3_login_detail;
    c->attempt->place = (struct gate_place){.call = on_gate_call, .arg = c};
    buf_init_secret(&c->attempt->proof, PROTO_SASL_MAX);
    mech_exchange_init(&c->attempt->x, mech);
    c->attempt->x.set = c->server->dbs.set;
    buf_put_view(&c->attempt->x.binding_exporter, msg.binding_exporter);
    buf_put_view(&c->attempt->x.binding_end_point, msg.binding_end_point);
    attempt_step(c, msg.has_initial, msg.initial);
    return 0;
}

/* Exchanges with keys begin before anybody has guessed: where that took no turn, the guess does. It is counted as soon as it has
 * been looked at, so it needs no place. */
static bool attempt_is_proof(const struct attempt *a)
{
    return a->keyed && !a->admitted;
}

int attempt_on_response(struct auth_conn *c, struct view body)
{
    struct msg_sasl msg;
    if (c->state != CONN_CHALLENGED || msg_sasl_decode(body, &msg) != 0)
        return ERR_PROTO;
    if (!attempt_is_proof(c->attempt)) {
        attempt_step(c, true, msg.data);
        return 0;
    }
    c->attempt->admitted = c->attempt->proof_waits = true;
    buf_put_view(&c->attempt->proof, msg.data); /* before it may be refused, and the attempt be gone */
    if (attempt_turn(c))
        attempt_step(c, true, msg.data);
    return 0;
}

int attempt_on_cancel(struct auth_conn *c)
{
    /* Only a client that was asked can give up: once a password is being checked its failure is waited for. */
    if (c->state != CONN_CHALLENGED)
        return ERR_PROTO;
    if (c->attempt->refused)
        attempt_hold(c); /* RFC 7628 section 3.2.3 lets a client give up in place of its empty reply */
    else
        send_fail(c, AUTH_FAIL_CANCELLED, "");
    return 0;
}

static void attempt_keys_shown(struct auth_conn *c)
{
    c->attempt->keys_wait = false;
    attempt_step(c, false, view_make(NULL, 0));
}

void attempt_on_timer(struct auth_conn *c)
{
    if (c->state == CONN_WAITING)
        attempt_waited(c);
    else if (c->state == CONN_HOLDING && c->attempt->keys_wait)
        attempt_keys_shown(c);
    else if (c->state == CONN_HOLDING && c->attempt->passed)
        attempt_pass(c, &c->attempt->lookup.user);
    else if (c->state == CONN_HOLDING)
        send_fail(c, c->attempt->code, "");
}
