/* The command NOTIFY (RFC 5465 8). */
#include "imap/command.h"
#include "imap/fetch.h"
#include "imap/names.h"
#include "imap/notify.h"
#include "imap/respond.h"
#include "imap/status_items.h"

#include <stdlib.h>

#include "common/base/mem.h"

struct notify_args {
    struct imap_notify *n; /* NULL: NONE */
    bool status, bad_event, has_selected;
};

static const struct {
    const char *name;
    unsigned event;
} events[] = {{"MessageNew", EVENT_NEW},
              {"MessageExpunge", EVENT_EXPUNGE},
              {"FlagChange", EVENT_FLAGS},
              {"MailboxName", EVENT_NAME},
              {"SubscriptionChange", EVENT_SUBSCRIPTION},
              {"MailboxMetadataChange", EVENT_METADATA},
              {"ServerMetadataChange", EVENT_SERVER_METADATA}};

/* event; a MessageNew of the selected mailbox may have "(" fetch-att … ")" behind it. */
static unsigned parse_event(struct imap_parse *p, struct notify_args *a, bool selected)
{
    struct view name = imap_parse_atom(p);

    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        struct cursor at = p->c;

        if (!view_eq_nocase(name, view_str(events[i].name)))
            continue;
        if (events[i].event == EVENT_NEW && cursor_take(&at, ' ') && cursor_peek(&at) == '(') {
            p->c = at;
            if (!selected)
                imap_parse_fail(p, "Only new messages of the selected mailbox can be fetched");
            imap_fetch_parse_atts(p);
            if (imap_parse_ok(p))
                a->n->fetch = imap_pool_copy(&a->n->pool, view_make(at.cur, (size_t)(p->c.cur - at.cur)));
        }
        return events[i].event;
    }
    a->bad_event = a->bad_event || imap_parse_ok(p);
    return 0;
}

static unsigned parse_events(struct imap_parse *p, struct notify_args *a, bool selected)
{
    unsigned got = 0;

    if (imap_parse_try_word(p, "NONE"))
        return 0;
    imap_parse_open(p);
    do
        got |= parse_event(p, a, selected);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
    if ((got & EVENTS_MESSAGE) != 0 && (got & (EVENT_NEW | EVENT_EXPUNGE)) != (EVENT_NEW | EVENT_EXPUNGE) && !a->bad_event)
        imap_parse_fail(p, "MessageNew and MessageExpunge go together");
    if (selected && (got & ~(unsigned)EVENTS_MESSAGE) != 0)
        imap_parse_fail(p, "SELECTED is for events of messages");
    return got;
}

static void parse_name(struct imap_parse *p, struct imap_job *job, struct imap_notify_group *g)
{
    struct notify_args *a = job->args;
    struct view name = imap_parse_mailbox(p, job->s);

    if (g->nnames == NOTIFY_NAMES_MAX)
        imap_parse_fail(p, "Too many mailboxes");
    if (!imap_parse_ok(p) || name.ptr == NULL)
        return; /* what cannot be a name is none that exists: ignored */
    g->names[g->nnames++] = imap_pool_copy(&a->n->pool, name);
    if (g->names[g->nnames - 1].ptr == NULL)
        imap_parse_fail(p, "Too many mailboxes");
}

static void parse_names(struct imap_parse *p, struct imap_job *job, struct imap_notify_group *g)
{
    struct notify_args *a = job->args;

    g->names = imap_pool_alloc(&a->n->pool, NOTIFY_NAMES_MAX * sizeof(*g->names));
    if (g->names == NULL) {
        imap_parse_fail(p, "Too many mailboxes");
        return;
    }
    imap_parse_space(p);
    if (imap_parse_peek(p) != '(') {
        parse_name(p, job, g);
        return;
    }
    imap_parse_open(p);
    do
        parse_name(p, job, g);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
    qsort(g->names, g->nnames, sizeof(*g->names), imap_notify_name_cmp);
}

static void parse_selected(struct imap_parse *p, struct notify_args *a, bool delayed)
{
    if (a->has_selected)
        imap_parse_fail(p, "SELECTED can be given once");
    a->has_selected = true;
    imap_parse_space(p);
    a->n->delayed = delayed;
    a->n->selected = parse_events(p, a, true);
}

static void parse_group(struct imap_parse *p, struct imap_job *job)
{
    struct notify_args *a = job->args;
    struct imap_notify_group *g = &a->n->groups[a->n->ngroups];

    imap_parse_open(p);
    if (imap_parse_try_word(p, "SELECTED-DELAYED"))
        parse_selected(p, a, true);
    else if (imap_parse_try_word(p, "SELECTED"))
        parse_selected(p, a, false);
    else if (a->n->ngroups == NOTIFY_GROUPS_MAX)
        imap_parse_fail(p, "Too many event groups");
    else {
        a->n->ngroups++;
        if (imap_parse_try_word(p, "PERSONAL") || imap_parse_try_word(p, "INBOXES"))
            g->filter = NOTIFY_PERSONAL; /* messages may be delivered into every mailbox */
        else if (imap_parse_try_word(p, "SUBSCRIBED"))
            g->filter = NOTIFY_SUBSCRIBED;
        else if (imap_parse_try_word(p, "SUBTREE")) {
            g->filter = NOTIFY_SUBTREE;
            parse_names(p, job, g);
        } else if (imap_parse_try_word(p, "MAILBOXES")) {
            g->filter = NOTIFY_MAILBOXES;
            parse_names(p, job, g);
        } else
            imap_parse_fail(p, "Unknown mailbox specifier");
        imap_parse_space(p);
        g->events = parse_events(p, a, false);
    }
    imap_parse_close(p);
}

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct notify_args *a = job->args;

    imap_parse_space(p);
    if (imap_parse_try_word(p, "NONE"))
        return;
    if (!imap_parse_try_word(p, "SET"))
        imap_parse_fail(p, "Expected SET or NONE");
    a->n = xcalloc(1, sizeof(*a->n));
    imap_pool_init(&a->n->pool, IMAP_POOL_MAX);
    imap_parse_space(p);
    a->status = imap_parse_try_word(p, "STATUS");
    if (a->status)
        imap_parse_space(p);
    do
        parse_group(p, job);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
}

static enum imap_step bad_event(struct imap_job *job)
{
    enum imap_step r = imap_job_no(job, NULL, "Unsupported event");

    buf_put_str(&job->code, "BADEVENT (");
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (i > 0)
            buf_put_byte(&job->code, ' ');
        buf_put_str(&job->code, events[i].name);
    }
    buf_put_byte(&job->code, ')');
    return r;
}

static unsigned status_items(const struct imap_session *s, unsigned wanted)
{
    const char *text = "(MESSAGES UIDNEXT UIDVALIDITY)";
    struct imap_pool none;
    struct imap_parse p;

    if ((wanted & EVENT_FLAGS) != 0)
        text = "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)";
    else if ((s->enabled & IMAP_ENABLED_CONDSTORE) != 0)
        text = "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)";
    imap_pool_init(&none, 0);
    imap_parse_init(&p, view_str(text), &none);
    return imap_status_parse(&p);
}

/* What must be said before OK of each mailbox (RFC 5465 3.1). */
static void put_mailboxes(struct imap_session *s, const struct imap_notify *n, bool status)
{
    const struct mailbox *selected = s->view == NULL ? NULL : mailbox_view_mailbox(s->view);

    for (size_t i = 0; i < n->told.n; i++) {
        const struct imap_notify_name *e = &n->told.v[i];
        struct view name = imap_notify_name(&n->told, e);
        unsigned wanted = e->id == 0 ? 0 : imap_notify_events(n, name, e);
        const struct mailbox *m = wanted == 0 ? NULL : account_find_id(s->acc, e->id);
        struct buf *out = imap_out(s);

        if (m == NULL)
            continue;
        if (!e->readable) {
            buf_put_str(out, "* LIST (\\NoAccess) \"");
            buf_put_byte(out, (uint8_t)imap_separator(s));
            buf_put_str(out, "\" ");
            imap_put_mailbox(s, out, name);
            buf_put_str(out, "\r\n");
        } else if (status && m != selected && (wanted & EVENTS_MESSAGE) != 0)
            imap_status_put(s, name, m, status_items(s, wanted));
    }
}

static enum imap_step step(struct imap_job *job)
{
    struct notify_args *a = job->args;
    struct imap_session *s = job->s;

    if (a->bad_event)
        return bad_event(job);
    if (a->n == NULL) {
        a->n = xcalloc(1, sizeof(*a->n));
        imap_pool_init(&a->n->pool, IMAP_POOL_MAX);
    } else
        a->n->first = !job->internal;
    a->n->enabled = s->enabled;
    a->n->text = imap_pool_copy(&a->n->pool, job->text);
    if (a->n->text.ptr == NULL)
        return imap_job_fail(job, ERR_LIMIT);
    if (a->n->ngroups > 0) {
        a->n->names = account_names_changes(s->acc);
        a->n->changes = account_mailbox_changes(s->acc);
        imap_notify_look(s, &a->n->told);
        if (a->n->told.overflow)
            return imap_job_no(job, "NOTIFICATIONOVERFLOW", "Too many mailboxes to be watched");
        if (!job->internal)
            put_mailboxes(s, a->n, a->status);
    }
    imap_notify_free(&s->notify);
    s->notify = a->n;
    a->n = NULL; /* transferred */
    account_watch_all(s->watch, s->notify->ngroups > 0);
    return imap_job_ok(job, "NOTIFY completed");
}

static void drop(struct imap_job *job)
{
    imap_notify_free(&((struct notify_args *)job->args)->n);
}

const struct imap_command imap_cmd_notify = {.name = "NOTIFY",
                                             .states = IMAP_ANY,
                                             .capability = "NOTIFY",
                                             .args_size = sizeof(struct notify_args),
                                             .parse = parse,
                                             .step = step,
                                             .drop = drop};
