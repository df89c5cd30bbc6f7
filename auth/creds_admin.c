/* What administrators ask for with culverctl, through master. Each request is answered at once, with lines for its reader. */
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "auth/creds.h"
#include "auth/server.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/secret.h"
#include "common/text/text.h"

#define EXIT_TEMPORARY 75

struct work {
    struct creds_store *store;
    struct auth_name name;
    const struct msg_credential *msg;
    struct creds creds;
    uint64_t now;
    struct buf *out;
};

static void put_time(struct buf *out, uint64_t t)
{
    struct civil_time c;
    time_to_civil((int64_t)t, 0, &c);
    buf_put_fmt(out, "%04d-%02u-%02uT%02u:%02u:%02uZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

static struct app_password *app_by_label(struct creds *creds, struct view label)
{
    for (size_t i = 0; i < creds->napps; i++) {
        if (view_eq(view_str(creds->apps[i].label), label))
            return &creds->apps[i];
    }
    return NULL;
}

static bool label_good(struct view label)
{
    bool good = label.len > 0 && label.len <= CREDS_LABEL_MAX && view_trim(label).len == label.len;
    for (size_t i = 0; i < label.len; i++)
        good = good && label.ptr[i] >= ' ' && label.ptr[i] <= '~';
    return good;
}

/* The work functions return culverctl's exit status; 0: write what has changed. */
static uint8_t add(struct work *w)
{
    const struct msg_credential *m = w->msg;
    if (!label_good(m->label) || m->secret.len != APP_PASSWORD_DIGEST || m->scopes == 0 || m->scopes > CREDS_ALL) {
        buf_put_str(w->out, "a name of up to 64 printable ASCII characters is needed, and at least one scope\n");
        return 1;
    }
    if (app_by_label(&w->creds, m->label) != NULL) {
        buf_put_str(w->out, "there is an app password of this name; revoke it first\n");
        return 1;
    }
    if (w->creds.napps == CREDS_APPS_MAX) {
        buf_put_fmt(w->out, "the user has %d app passwords already\n", CREDS_APPS_MAX);
        return 1;
    }
    struct app_password *a = &w->creds.apps[w->creds.napps++];
    *a = (struct app_password){.scopes = m->scopes, .created = w->now, .expires = m->expires};
    while (a->id == 0)
        a->id = randombytes_random();
    memcpy(a->label, m->label.ptr, m->label.len);
    creds_hash(w->store, &w->name, m->secret, a->hash);
    return 0;
}

static void put_app(const struct work *w, const struct app_password *a, const struct creds_use *uses, size_t n)
{
    struct buf *out = w->out;
    buf_put_fmt(out, "%s\t", a->label);
    buf_put_fmt(out, "%s%s%s\tcreated ", a->scopes & CREDS_IMAP ? "imap " : "", a->scopes & CREDS_POP3 ? "pop3 " : "",
                a->scopes & CREDS_SMTP ? "smtp" : "");
    put_time(out, a->created);
    buf_put_str(out, a->expires == 0 ? "\tnever expires" : a->expires <= w->now ? "\texpired " : "\texpires ");
    if (a->expires != 0)
        put_time(out, a->expires);
    buf_put_str(out, "\t");
    for (size_t i = 0; i < n; i++) {
        if (uses[i].id != a->id)
            continue;
        buf_put_str(out, "last used ");
        put_time(out, uses[i].time);
        buf_put_fmt(out, " from %s\n", uses[i].from);
        return;
    }
    buf_put_str(out, "never used\n");
}

static uint8_t list(struct work *w)
{
    struct creds_use uses[CREDS_APPS_MAX];
    size_t n;
    creds_uses(w->store, &w->name, uses, &n);
    if (w->creds.totp != CREDS_TOTP_NONE)
        buf_put_fmt(w->out, "second factor (TOTP): %s\n",
                    w->creds.totp == CREDS_TOTP_CONFIRMED ? "in use" : "enrolled, not confirmed");
    for (size_t i = 0; i < w->creds.napps; i++)
        put_app(w, &w->creds.apps[i], uses, n);
    return 0;
}

static uint8_t revoke(struct work *w)
{
    size_t kept = 0, before = w->creds.napps;
    for (size_t i = 0; i < before; i++) {
        if (w->msg->label.len > 0 && !view_eq(view_str(w->creds.apps[i].label), w->msg->label))
            w->creds.apps[kept++] = w->creds.apps[i];
    }
    w->creds.napps = kept;
    if (kept == before) {
        buf_put_str(w->out, "there is no such app password\n");
        return 1;
    }
    buf_put_fmt(w->out, "%zu app password%s revoked\n", before - kept, before - kept == 1 ? "" : "s");
    return 0;
}

static uint8_t enrol(struct work *w)
{
    if (w->msg->secret.len != TOTP_SECRET)
        return 1;
    if (w->creds.totp == CREDS_TOTP_CONFIRMED) {
        buf_put_str(w->out, "the user has a second factor; remove it first\n");
        return 1;
    }
    memcpy(w->creds.secret, w->msg->secret.ptr, TOTP_SECRET);
    w->creds.totp = CREDS_TOTP_ENROLLED;
    w->creds.step = 0;
    return 0;
}

static uint8_t confirm(struct work *w)
{
    if (w->creds.totp != CREDS_TOTP_ENROLLED) {
        buf_put_str(w->out, "nothing is to be confirmed for this user\n");
        return 1;
    }
    uint64_t step = totp_find(w->creds.secret, w->now, 0, w->msg->code);
    if (step == 0) {
        buf_put_str(w->out, "wrong code: look at the clocks of the server and of the user's device\n");
        return 1;
    }
    w->creds.totp = CREDS_TOTP_CONFIRMED;
    w->creds.step = step;
    buf_put_str(w->out, "from now on the password needs the current code behind it\n");
    return 0;
}

static uint8_t remove_factor(struct work *w)
{
    if (w->creds.totp == CREDS_TOTP_NONE) {
        buf_put_str(w->out, "the user has no second factor\n");
        return 1;
    }
    w->creds.totp = CREDS_TOTP_NONE;
    secret_wipe(w->creds.secret, sizeof(w->creds.secret));
    buf_put_str(w->out, "the password alone is good again\n");
    return 0;
}

static uint8_t work(struct work *w)
{
    static const char *const done[] = {[CREDENTIAL_ADD] = "app password added",
                                       [CREDENTIAL_REVOKE] = "app password revoked",
                                       [CREDENTIAL_ENROL] = "second factor enrolled",
                                       [CREDENTIAL_CONFIRM] = "second factor confirmed",
                                       [CREDENTIAL_REMOVE] = "second factor removed"};
    uint8_t status = 1;
    switch (w->msg->verb) {
    case CREDENTIAL_ADD:
        status = add(w);
        break;
    case CREDENTIAL_LIST:
        return list(w);
    case CREDENTIAL_REVOKE:
        status = revoke(w);
        break;
    case CREDENTIAL_ENROL:
        status = enrol(w);
        break;
    case CREDENTIAL_CONFIRM:
        status = confirm(w);
        break;
    case CREDENTIAL_REMOVE:
        status = remove_factor(w);
        break;
    }
    if (status != 0)
        return status;
    if (creds_write(w->store, &w->name, &w->creds) != 0) {
        buf_reset(w->out);
        buf_put_str(w->out, "it cannot be written down; the log says why\n");
        return 1;
    }
    LOG_INFO(0, done[w->msg->verb], F_VIEW("user", auth_name_view(&w->name)), F_VIEW("label", w->msg->label));
    return 0;
}

static uint8_t run(struct auth_server *s, const struct msg_credential *msg, struct buf *out)
{
    struct work w = {.store = s->creds, .msg = msg, .out = out, .now = (uint64_t)time(NULL)};
    if (s->creds == NULL || auth_name_normalise(s->dbs.set, msg->user, &w.name) != 0) {
        buf_put_str(out, s->creds == NULL ? "there is no auth_dir\n" : "no user can have this name\n");
        return 1;
    }
    int err = creds_begin(s->creds, &w.name, &w.creds);
    if (err != 0) {
        buf_put_str(out, err == ERR_BUSY ? "somebody else is at it; try again\n" : "it cannot be read; the log says why\n");
        return EXIT_TEMPORARY;
    }
    uint8_t status = work(&w);
    creds_end(s->creds);
    secret_wipe(&w.creds, sizeof(w.creds));
    /* Sessions that the cache would let in again are none that the databases have seen since. */
    auth_cache_forget(s->cache, &w.name);
    return status;
}

int creds_admin(struct auth_server *s, struct view body)
{
    struct msg_credential msg;
    struct buf text, out;
    if (msg_credential_decode(body, &msg) != 0)
        return ERR_PROTO;
    buf_init(&text, PROTO_LINES_MAX);
    uint8_t status = run(s, &msg, &text);
    struct msg_credential_done done = {.id = msg.id, .status = status, .text = buf_view(&text)};
    buf_init(&out, IPC_MAX_BODY);
    msg_credential_done_encode(&out, &done);
    int err = ipc_send(s->master, IPC_AUTH_CREDENTIAL, &out, NULL, 0);
    buf_free(&out);
    buf_free(&text);
    if (err != 0)
        LOG_ERROR(0, "master cannot be told of credentials", F_ERR(err));
    return 0;
}
