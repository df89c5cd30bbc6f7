/*
 * ESEARCH (RFC 7377): a search in several mailboxes, one after the other, each in a view of its own that nobody is told of; the
 * selected mailbox in the session's view. Results are UIDs.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/command.h"
#include "imap/names.h"
#include "imap/respond.h"
#include "imap/rights.h"
#include "imap/scan.h"

#define NAMES_MAX 512 /* mailbox names in one command */

/* filter-mailboxes of RFC 5465 6 and RFC 7377 2.2. */
enum source { SOURCE_SELECTED = 1, SOURCE_PERSONAL = 2, SOURCE_SUBSCRIBED = 4, SOURCE_NAMES = 8 };
enum named { NAMED_SUBTREE, NAMED_SUBTREE_ONE, NAMED_MAILBOXES };

struct esearch_args {
    unsigned sources; /* mask of enum source */
    struct {
        enum named how;
        struct view name;
    } * names;
    size_t nnames;
    struct imap_scan scan;
    uint32_t *ids; /* of the mailboxes */
    size_t nids, cids, at;
    bool begun, scanning, done, list;
    struct mailbox_view *view; /* of the mailbox that is looked at, unless it is the selected one */
    size_t range;
};

static void add_name(struct imap_parse *p, struct imap_job *job, enum named how)
{
    struct esearch_args *a = job->args;
    struct view name = imap_parse_mailbox(p, job->s);

    if (a->names == NULL)
        a->names = imap_pool_alloc(p->pool, NAMES_MAX * sizeof(*a->names));
    if (a->names == NULL || a->nnames == NAMES_MAX) {
        imap_parse_fail(p, "Too many mailboxes");
        return;
    }
    a->sources |= SOURCE_NAMES;
    if (name.ptr == NULL)
        return; /* no mailbox can have that name */
    a->names[a->nnames].how = how;
    a->names[a->nnames++].name = name;
}

/* one-or-more-mailbox */
static void parse_names(struct imap_parse *p, struct imap_job *job, enum named how)
{
    imap_parse_space(p);
    if (imap_parse_peek(p) != '(') {
        add_name(p, job, how);
        return;
    }
    imap_parse_open(p);
    do
        add_name(p, job, how);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
}

static void parse_source(struct imap_parse *p, struct imap_job *job)
{
    struct esearch_args *a = job->args;
    struct view word = imap_parse_atom(p);

    if (view_eq_nocase(word, VIEW("selected")))
        a->sources |= SOURCE_SELECTED;
    else if (view_eq_nocase(word, VIEW("personal")) || view_eq_nocase(word, VIEW("inboxes")))
        a->sources |= SOURCE_PERSONAL; /* a delivery can go to any mailbox: RFC 5465 6.3 */
    else if (view_eq_nocase(word, VIEW("subscribed")))
        a->sources |= SOURCE_SUBSCRIBED;
    else if (view_eq_nocase(word, VIEW("subtree")))
        parse_names(p, job, NAMED_SUBTREE);
    else if (view_eq_nocase(word, VIEW("subtree-one")))
        parse_names(p, job, NAMED_SUBTREE_ONE);
    else if (view_eq_nocase(word, VIEW("mailboxes")))
        parse_names(p, job, NAMED_MAILBOXES);
    else
        imap_parse_fail(p, "Unknown source");
}

static void parse(struct imap_parse *p, struct imap_job *job)
{
    struct esearch_args *a = job->args;

    if (imap_parse_try_word(p, " IN ")) {
        imap_parse_open(p);
        do
            parse_source(p, job);
        while (imap_parse_ok(p) && imap_parse_try(p, ' ') && imap_parse_peek(p) != '(');
        if (imap_parse_peek(p) == '(')
            imap_parse_fail(p, "Unknown scope option");
        imap_parse_close(p);
    } else
        a->sources = SOURCE_SELECTED;
    a->scan.ret.options = IMAP_RETURN_ALL;
    if (imap_parse_try_word(p, " RETURN "))
        imap_return_parse(p, &a->scan.ret);
    if ((a->scan.ret.options & IMAP_RETURN_SAVE) != 0 && a->sources != SOURCE_SELECTED)
        imap_parse_fail(p, "SAVE is for the selected mailbox alone");
    if (((a->sources & SOURCE_SELECTED) != 0 || a->scan.ret.update) && job->s->view == NULL)
        imap_parse_fail(p, "No mailbox is selected");
    a->scan.program.acc = job->s->acc;
    a->scan.program.collation = job->s->comparator.collation;
    imap_search_parse(p, &a->scan.program, (job->s->enabled & IMAP_ENABLED_UTF8) != 0);
}

/* --- which mailboxes
 * ------------------------------------------------------------------------------------------------------------ */

static bool is_below(struct view name, struct view top)
{
    return name.len > top.len && name.ptr[top.len] == '/' && memcmp(name.ptr, top.ptr, top.len) == 0;
}

/* *explicitly: by its own name. */
static bool named(const struct esearch_args *a, struct view name, bool *explicitly)
{
    bool found = false;

    for (size_t i = 0; i < a->nnames && !*explicitly; i++) {
        struct view n = a->names[i].name;

        if (view_eq(name, n))
            *explicitly = true;
        else if (a->names[i].how != NAMED_MAILBOXES && is_below(name, n))
            found |= a->names[i].how == NAMED_SUBTREE || memchr(name.ptr + n.len + 1, '/', name.len - n.len - 1) == NULL;
    }
    return found || *explicitly;
}

struct choosing {
    struct esearch_args *a;
    const struct mailbox *selected; /* NULL: none */
};

static bool on_entry(void *arg, const struct mailbox_entry *e)
{
    const struct choosing *c = arg;
    struct esearch_args *a = c->a;
    bool explicitly = e->mailbox != NULL && e->mailbox == c->selected && (a->sources & SOURCE_SELECTED) != 0;
    bool chosen = named(a, e->name, &explicitly) || explicitly || (a->sources & SOURCE_PERSONAL) != 0 ||
                  ((a->sources & SOURCE_SUBSCRIBED) != 0 && e->subscribed);

    if (e->mailbox == NULL || !chosen)
        return true;
    if (!imap_may(e->mailbox, explicitly ? ACL_READ : ACL_READ | ACL_LOOKUP)) /* as if it were not there: RFC 7377 2.2 */
        return true;
    if (a->nids == a->cids) {
        a->cids = a->cids == 0 ? 16 : a->cids * 2;
        a->ids = xreallocarray(a->ids, a->cids, sizeof(*a->ids));
    }
    a->ids[a->nids++] = mailbox_id(e->mailbox);
    return true;
}

static enum imap_step begin(struct imap_job *job, struct esearch_args *a)
{
    struct imap_session *s = job->s;
    struct choosing c = {a, s->view == NULL ? NULL : mailbox_view_mailbox(s->view)};
    bool saves = (a->scan.ret.options & IMAP_RETURN_SAVE) != 0;

    if (imap_search_refuse(job, &a->scan.program)) {
        if (saves)
            uidset_free(&s->saved);
        return IMAP_STEP_DONE;
    }
    if (a->scan.program.uses_modseq)
        imap_session_condstore(s);
    job->hold = a->scan.program.uses_numbers;
    if (a->scan.ret.update)
        imap_put_noupdate(job); /* a server may refuse it: RFC 5267 4.3.1 */
    account_each(s->acc, on_entry, &c);
    a->begun = true;
    return IMAP_STEP_AGAIN;
}

/* --- one after the other
 * ---------------------------------------------------------------------------------------------------------- */

/* False: the mailbox is gone. */
static bool open_next(struct imap_job *job, struct esearch_args *a)
{
    struct imap_session *s = job->s;
    struct mailbox *m = account_find_id(s->acc, a->ids[a->at]);

    if (m == NULL)
        return false;
    if (s->view != NULL && mailbox_view_mailbox(s->view) == m) {
        imap_scan_begin(s, &a->scan, s->view, true);
        return true;
    }
    a->view = mailbox_view_open(s->acc, m, false);
    imap_scan_begin(s, &a->scan, a->view, true);
    return true;
}

/* "* ESEARCH (TAG … MAILBOX … UIDVALIDITY …) UID …"; nothing where nothing was found. True when all is written. */
static bool write_results(struct imap_job *job, struct esearch_args *a)
{
    struct imap_session *s = job->s;
    const struct mailbox *m = mailbox_view_mailbox(a->scan.view);
    bool partial = (a->scan.ret.options & IMAP_RETURN_PARTIAL) != 0;

    if (!s->mid_response) {
        struct imap_esearch e = imap_scan_esearch(&a->scan);

        if (e.n == 0 || m == NULL || a->scan.ret.options == IMAP_RETURN_SAVE)
            return true;
        e.mailbox = m;
        a->range = 0;
        a->list = imap_put_esearch(job, &e);
    }
    s->mid_response = true;
    if (a->list && !imap_put_esearch_set(s, partial ? &a->scan.shown : &a->scan.found, &a->range))
        return false;
    imap_put_esearch_end(s, &a->scan.ret);
    s->mid_response = false;
    return true;
}

static enum imap_step step(struct imap_job *job)
{
    struct esearch_args *a = job->args;

    if (!a->begun && begin(job, a) == IMAP_STEP_DONE)
        return IMAP_STEP_DONE;
    for (; a->at < a->nids; a->at++, a->scanning = a->done = false) {
        enum imap_step r = IMAP_STEP_DONE;

        if (!a->scanning && !open_next(job, a))
            continue;
        a->scanning = true;
        if (!a->done)
            r = imap_scan_step(job, &a->scan);
        if (r != IMAP_STEP_DONE || job->answer_text != NULL)
            return r;
        a->done = true;
        if (!write_results(job, a))
            return IMAP_STEP_AGAIN;
        imap_scan_save(job->s, &a->scan);
        mailbox_view_close(&a->view);
        if (imap_slice_spent(job->s)) {
            a->at++;
            a->scanning = a->done = false;
            return IMAP_STEP_AGAIN;
        }
    }
    return imap_job_ok(job, "ESEARCH completed");
}

static void drop(struct imap_job *job)
{
    struct esearch_args *a = job->args;

    mailbox_view_close(&a->view);
    imap_scan_free(&a->scan);
    free(a->ids);
}

const struct imap_command imap_cmd_esearch = {.name = "ESEARCH",
                                              .states = IMAP_ANY,
                                              .flags = IMAP_CMD_UID | IMAP_CMD_NO_NUMBERS,
                                              .capability = "MULTISEARCH",
                                              .args_size = sizeof(struct esearch_args),
                                              .parse = parse,
                                              .step = step,
                                              .drop = drop};
