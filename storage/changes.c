/*
 * What has changed since somebody looked last: mailboxes whose messages changed, in a list with the last changed first, and a
 * number for all that concerns names. So who watches an account of ten thousand mailboxes looks at those few that are others now.
 */
#include "storage/account_int.h"

void mailbox_changed(struct mailbox *m)
{
    struct account *acc = m->acc;

    m->changed = ++acc->mailbox_changes;
    if (acc->last_changed == m)
        return;
    mailbox_changed_forget(m);
    m->changed_before = acc->last_changed;
    if (m->changed_before != NULL)
        m->changed_before->changed_after = m;
    acc->last_changed = m;
}

void mailbox_changed_forget(struct mailbox *m)
{
    if (m->changed_after != NULL)
        m->changed_after->changed_before = m->changed_before;
    else if (m->acc->last_changed == m)
        m->acc->last_changed = m->changed_before;
    if (m->changed_before != NULL)
        m->changed_before->changed_after = m->changed_after;
    m->changed_before = m->changed_after = NULL;
}

uint64_t account_mailbox_changes(const struct account *acc)
{
    return acc->mailbox_changes;
}

uint64_t account_names_changes(const struct account *acc)
{
    return acc->names_changes;
}

void account_each_changed(const struct account *acc, uint64_t since, void (*fn)(void *arg, const struct mailbox *m), void *arg)
{
    for (const struct mailbox *m = acc->last_changed; m != NULL && m->changed > since; m = m->changed_before)
        fn(arg, m);
}
