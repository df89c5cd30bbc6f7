/* Hooks of NOTIFY in what the session tells: what to leave out, what to add. */
#include "imap/notify.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/command.h"
#include "imap/respond.h"

void imap_notify_free(struct imap_notify **np)
{
    struct imap_notify *n = *np;

    if (n == NULL)
        return;
    *np = NULL;
    imap_job_free(&n->job);
    imap_notify_state_free(&n->told);
    imap_pool_free(&n->pool);
    free(n);
}

void imap_notify_unselected(struct imap_session *s)
{
    if (s->notify == NULL)
        return;
    imap_job_free(&s->notify->job);
    s->notify->first_new = s->notify->last_new = 0;
}

bool imap_notify_expunges(const struct imap_session *s)
{
    return s->notify != NULL && !s->notify->delayed;
}

int imap_notify_name_cmp(const void *a, const void *b)
{
    return view_cmp(*(const struct view *)a, *(const struct view *)b);
}

static bool is_named(const struct imap_notify_group *g, struct view name)
{
    return g->nnames > 0 && bsearch(&name, g->names, g->nnames, sizeof(name), imap_notify_name_cmp) != NULL;
}

static bool in_group(const struct imap_notify_group *g, struct view name, const struct imap_notify_name *e)
{
    if (g->filter == NOTIFY_PERSONAL || g->filter == NOTIFY_SUBSCRIBED)
        return g->filter == NOTIFY_PERSONAL || e->subscribed;
    for (size_t i = 0; g->filter == NOTIFY_SUBTREE && i < name.len; i++)
        if (name.ptr[i] == '/' && is_named(g, view_sub(name, 0, i)))
            return true;
    return is_named(g, name);
}

unsigned imap_notify_events(const struct imap_notify *n, struct view name, const struct imap_notify_name *e)
{
    unsigned events = 0;

    for (size_t i = 0; i < n->ngroups; i++)
        if (in_group(&n->groups[i], name, e))
            events |= n->groups[i].events;
    return events;
}

bool imap_notify_metadata(const struct imap_session *s, const struct mailbox *m)
{
    const struct imap_notify *n = s->notify;
    const struct imap_notify_name *e;

    if (n == NULL)
        return false;
    if (m == NULL) {
        for (size_t i = 0; i < n->ngroups; i++)
            if ((n->groups[i].events & EVENT_SERVER_METADATA) != 0)
                return true;
        return false;
    }
    e = imap_notify_find(&n->told, mailbox_id(m), mailbox_name(m));
    return e != NULL && e->readable && (imap_notify_events(n, mailbox_name(m), e) & EVENT_METADATA) != 0;
}

bool imap_notify_tells(struct imap_session *s, bool allow_expunge)
{
    (void)allow_expunge;
    return s->notify == NULL || s->notify->first || (s->notify->selected & EVENT_NEW) != 0;
}

void imap_notify_synced(struct imap_session *s, struct view_changes *c, uint32_t before)
{
    struct imap_notify *n = s->notify;
    uint32_t known = before - (uint32_t)c->nexpunged;

    if (n == NULL)
        return;
    if (n->first) {
        n->first = false;
        return;
    }
    if ((n->selected & EVENT_FLAGS) == 0) {
        c->nchanged = 0;
        c->keywords_changed = false;
    }
    if (n->fetch.len == 0 || c->count <= known)
        return;
    if (n->first_new == 0)
        n->first_new = mailbox_view_uid(s->view, known + 1);
    n->last_new = mailbox_view_uid(s->view, c->count);
}

/* A FETCH of the new messages that nobody gave as a command. */
static void begin_fetch(struct imap_session *s, struct imap_notify *n)
{
    struct imap_parse p;
    struct buf text;

    buf_init(&text, n->fetch.len + 64);
    buf_put_fmt(&text, "n UID FETCH %u:%u ", n->first_new, n->last_new);
    buf_put_view(&text, n->fetch);
    n->first_new = n->last_new = 0;
    n->job = imap_job_new(s, buf_view(&text), &p);
    buf_free(&text);
    if (n->job == NULL)
        return;
    n->job->internal = true;
    n->job->cmd->parse(&p, n->job);
    imap_parse_end(&p);
    if (!imap_parse_ok(&p))
        imap_job_free(&n->job);
}

/* The account is too large to be kept in mind (RFC 5465 5.8). */
static void overflow(struct imap_session *s, struct imap_notify *n)
{
    n->ngroups = 0;
    n->selected = 0;
    n->fetch.len = 0;
    n->text = VIEW("n NOTIFY NONE");
    imap_notify_state_free(&n->told);
    imap_put_untagged(s, IMAP_OK, "NOTIFICATIONOVERFLOW", "Too many mailboxes to be watched");
}

/* All names are looked at, because some are others. */
static void tell_names(struct imap_session *s, struct imap_notify *n)
{
    struct imap_notify_state now;

    imap_notify_look(s, &now);
    if (now.overflow) {
        imap_notify_state_free(&now);
        overflow(s, n);
        return;
    }
    imap_notify_compare(s, &now);
    imap_notify_state_free(&n->told);
    n->told = now;
}

bool imap_notify_tell(struct imap_session *s)
{
    struct imap_notify *n = s->notify;

    if (n == NULL)
        return true;
    if (n->job == NULL && n->first_new != 0 && s->view != NULL)
        begin_fetch(s, n);
    if (n->job != NULL) {
        if (n->job->cmd->step(n->job) == IMAP_STEP_AGAIN)
            return false;
        imap_job_free(&n->job);
    }
    if (n->ngroups == 0)
        return true;
    if (n->names != account_names_changes(s->acc))
        tell_names(s, n);
    else if (n->changes != account_mailbox_changes(s->acc))
        imap_notify_compare_changed(s);
    n->names = account_names_changes(s->acc);
    n->changes = account_mailbox_changes(s->acc);
    return true;
}

/* Names as they are now, messages as they were told. */
void imap_notify_own_names(struct imap_session *s)
{
    struct imap_notify *n = s->notify;
    struct imap_notify_state now;

    if (n == NULL || n->ngroups == 0)
        return;
    imap_notify_look(s, &now);
    for (size_t i = 0; i < now.n; i++) {
        struct imap_notify_name *is = &now.v[i];
        const struct imap_notify_name *was = is->id == 0 ? NULL : imap_notify_find(&n->told, is->id, (struct view){NULL, 0});

        if (was == NULL)
            continue;
        is->uidvalidity = was->uidvalidity;
        is->uidnext = was->uidnext;
        is->messages = was->messages;
        is->unseen = was->unseen;
        is->modseq = was->modseq;
    }
    imap_notify_state_free(&n->told);
    n->told = now;
    n->names = account_names_changes(s->acc);
}
