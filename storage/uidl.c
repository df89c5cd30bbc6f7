/* POP3 unique ids that messages brought with them from another server, so that clients do not fetch everything again. Most
 * messages have none: the POP3 service makes one from UIDVALIDITY and UID. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/account_int.h"

void uidls_free(struct mailbox *m)
{
    for (size_t i = 0; i < m->nuidls; i++)
        free(m->uidls[i].text);
    free(m->uidls);
    m->uidls = NULL;
    m->nuidls = m->cuidls = 0;
}

/* Index of the first that is not below uid. */
static size_t lower_bound(const struct mailbox *m, uint32_t uid)
{
    size_t lo = 0, hi = m->nuidls;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (m->uidls[mid].uid < uid)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void insert(struct mailbox *m, size_t at, uint32_t uid, struct view text)
{
    if (m->nuidls == m->cuidls) {
        m->cuidls = MAX_OF(m->cuidls * 2, (size_t)16);
        m->uidls = xreallocarray(m->uidls, m->cuidls, sizeof(*m->uidls));
    }
    memmove(m->uidls + at + 1, m->uidls + at, (m->nuidls - at) * sizeof(*m->uidls));
    m->nuidls++;
    m->uidls[at] = (struct uidl){uid, view_dup(text)};
}

void uidl_set(struct mailbox *m, uint32_t uid, struct view text)
{
    size_t i = lower_bound(m, uid);

    if (i < m->nuidls && m->uidls[i].uid == uid) {
        free(m->uidls[i].text);
        memmove(m->uidls + i, m->uidls + i + 1, (m->nuidls - i - 1) * sizeof(*m->uidls));
        m->nuidls--;
    }
    if (text.len > 0)
        insert(m, i, uid, text);
}

struct view mailbox_view_uidl(const struct mailbox_view *v, uint32_t seq)
{
    const struct mailbox *m = mailbox_view_mailbox(v);
    uint32_t uid = mailbox_view_uid(v, seq);
    size_t i = m != NULL ? lower_bound(m, uid) : 0;

    if (m == NULL || i >= m->nuidls || m->uidls[i].uid != uid)
        return view_make(NULL, 0);
    return view_str(m->uidls[i].text);
}
