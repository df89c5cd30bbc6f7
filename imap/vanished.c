#include "imap/vanished.h"

#include "common/base/mem.h"
#include "imap/respond.h"

#define RANGES_A_LINE 350 /* RFC 7162 4: lines of some 8 KiB */

static void intersect(const struct uidset *a, const struct uidset *b, struct uidset *out)
{
    size_t i = 0, j = 0;

    while (i < a->n && j < b->n) {
        uint32_t first = MAX_OF(a->ranges[i].first, b->ranges[j].first);
        uint32_t last = MIN_OF(a->ranges[i].last, b->ranges[j].last);

        if (first <= last)
            uidset_add_range(out, first, last);
        if (a->ranges[i].last < b->ranges[j].last)
            i++;
        else
            j++;
    }
}

/* What another session has expunged and this one was not told of goes with its own VANISHED later. */
static void remove_seen(const struct mailbox_view *v, struct uidset *uids)
{
    uint32_t count = mailbox_view_count(v);

    for (size_t i = 0; i < uids->n; i++) {
        uint32_t seq = mailbox_view_seq_at_or_after(v, uids->ranges[i].first);
        uint32_t uid = seq <= count ? mailbox_view_uid(v, seq) : UINT32_MAX;

        if (seq > count || uid > uids->ranges[i].last)
            continue;
        uidset_remove_range(uids, uid, uid);
        i--; /* the range may be split or gone: look again */
    }
}

/* "n:*" ends with the last message, or in an empty mailbox with UIDNEXT (RFC 9051 section 9). Here it reaches as far as UIDs ever
 * did: a client that says "all" must not miss the expunges behind the last message. */
static void resolve_known(const struct imap_session *s, const struct mailbox *m, const struct imap_seq_set *known,
                          struct uidset *out)
{
    uint32_t count = mailbox_view_count(s->view);
    struct mailbox_status status;

    mailbox_status(m, &status);
    imap_set_resolve_uids(known, status.uidnext, out);
    if (count > 0)
        imap_set_resolve_uids(known, mailbox_view_uid(s->view, count), out);
}

void imap_vanished_collect(struct imap_session *s, const struct mailbox *m, uint64_t since, const struct imap_seq_set *known,
                           struct uidset *out)
{
    struct uidset all, wanted;

    uidset_init(&all);
    uidset_init(&wanted);
    mailbox_vanished(m, since, &all);
    if (known == NULL)
        uidset_move(out, &all);
    else {
        resolve_known(s, m, known, &wanted);
        intersect(&all, &wanted, out);
    }
    remove_seen(s->view, out);
    uidset_free(&all);
    uidset_free(&wanted);
}

bool imap_vanished_put(struct imap_session *s, const struct uidset *uids, size_t *range, bool earlier)
{
    while (*range < uids->n) {
        size_t n = MIN_OF(uids->n - *range, (size_t)RANGES_A_LINE);
        struct uidset part = {.ranges = uids->ranges + *range, .n = n, .cap = n}; /* borrowed */
        struct buf *out = imap_out(s);

        buf_put_str(out, earlier ? "* VANISHED (EARLIER) " : "* VANISHED ");
        uidset_put(out, &part);
        buf_put_str(out, "\r\n");
        *range += n;
        if (imap_slice_spent(s))
            return *range == uids->n;
    }
    return true;
}
