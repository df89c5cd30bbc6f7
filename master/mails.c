#include "master/mails.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "master/service.h"
#include "master/workers.h"

#define EXIT_TEMPORARY 75

struct mail {
    struct mail *next;
    struct master *m;
    uint32_t id;
    bool hold, asking;
    struct buf lines;
    mail_done_fn *done;
    void *arg;
};

struct mails {
    struct mail *first;
    uint32_t last_id;
};

static void finish(struct mail *mail, uint8_t status, struct view lines)
{
    mail->done(mail->arg, status, lines);
}

int mail_start(struct master *m, struct view name, bool hold, mail_done_fn *done, void *arg, struct mail **out)
{
    struct msg_lookup msg = {.name = name};
    struct mail *mail;
    struct buf body;
    int rc;

    if (m->mails == NULL)
        m->mails = xcalloc(1, sizeof(*m->mails));
    if (++m->mails->last_id == 0)
        m->mails->last_id = 1;
    msg.id = m->mails->last_id;
    buf_init(&body, IPC_MAX_BODY);
    msg_lookup_encode(&body, &msg);
    rc = services_ask_auth(m, IPC_MASTER_LOOKUP, &body);
    buf_free(&body);
    if (rc != 0)
        return rc;
    mail = xcalloc(1, sizeof(*mail));
    mail->m = m;
    mail->id = msg.id;
    mail->hold = hold;
    mail->asking = true;
    mail->done = done;
    mail->arg = arg;
    buf_init(&mail->lines, 8192);
    mail->next = m->mails->first;
    m->mails->first = mail;
    *out = mail;
    return 0;
}

void mail_end(struct mail **mp)
{
    struct mail *mail = *mp, **link;

    if (mail == NULL)
        return;
    link = &mail->m->mails->first;
    while (*link != mail)
        link = &(*link)->next;
    *link = mail->next;
    if (mail->hold)
        workers_release(mail->m, mail);
    buf_free(&mail->lines);
    free(mail);
    *mp = NULL;
}

static void held(void *arg)
{
    struct mail *mail = arg;

    finish(mail, 0, buf_view(&mail->lines));
}

static void describe(struct mail *mail, const struct user *u, struct ids ids)
{
    static const char *const formats[] = {
        [USER_FORMAT_GENERAL] = "", [USER_FORMAT_CULVER] = "format\tculver\n", [USER_FORMAT_MAILDIR] = "format\tmaildir\n"};

    buf_put_fmt(&mail->lines, "name\t%s\nuid\t%u\ngid\t%u\npath\t%s\n%s", u->name, ids.uid, ids.gid, u->mail_path,
                formats[u->format]);
}

static void found(struct mail *mail, const struct user_record *record)
{
    struct user *user = user_new(record);
    struct ids ids;
    int rc = worker_ids(mail->m, user, &ids);

    if (rc == 0) {
        describe(mail, user, ids);
        if (mail->hold)
            rc = workers_hold(mail->m, &user, held, mail);
        else
            held(mail);
    }
    if (rc == ERR_BUSY)
        finish(mail, EXIT_TEMPORARY, VIEW("another command has this user's mail\n"));
    else if (rc != 0)
        finish(mail, 1, VIEW("no worker may run as this user; the log says why\n"));
    user_free(&user);
}

int mails_found(struct master *m, struct view body)
{
    struct msg_found msg;
    struct mail *mail;

    if (msg_found_decode(body, &msg) != 0)
        return ERR_PROTO;
    mail = m->mails != NULL ? m->mails->first : NULL;
    while (mail != NULL && (mail->id != msg.id || !mail->asking))
        mail = mail->next;
    if (mail == NULL)
        return 0;
    mail->asking = false;
    if (msg.result == RCPT_OK)
        found(mail, &msg.user);
    else if (msg.result == RCPT_UNKNOWN)
        finish(mail, 1, VIEW("no such user\n"));
    else
        finish(mail, EXIT_TEMPORARY, VIEW("the user cannot be looked up now; the log says why\n"));
    return 0;
}

void mails_free(struct master *m)
{
    ASSERT(m->mails == NULL || m->mails->first == NULL);
    free(m->mails);
    m->mails = NULL;
}
