/* Message sets of commands against the view. */
#include "imap/session_int.h"

static void add_uids(const struct mailbox_view *v, const struct uidset *uids, struct uidset *seqs_out)
{
    uint32_t count = mailbox_view_count(v);

    for (size_t i = 0; i < uids->n; i++) {
        uint32_t first = mailbox_view_seq_at_or_after(v, uids->ranges[i].first);
        uint32_t end = uids->ranges[i].last == UINT32_MAX ? count + 1 : mailbox_view_seq_at_or_after(v, uids->ranges[i].last + 1);

        if (first < end)
            uidset_add_range(seqs_out, first, end - 1);
    }
}

int imap_job_seqs(struct imap_job *job, const struct imap_seq_set *set, struct uidset *seqs_out)
{
    struct mailbox_view *v = job->s->view;
    uint32_t count = mailbox_view_count(v);
    struct uidset uids;

    if (set->saved) {
        add_uids(v, &job->s->saved, seqs_out);
        return 0;
    }
    if (!job->uid)
        return imap_set_resolve(set, count, seqs_out);
    uidset_init(&uids);
    imap_set_resolve_uids(set, count == 0 ? 0 : mailbox_view_uid(v, count), &uids);
    add_uids(v, &uids, seqs_out);
    uidset_free(&uids);
    return 0;
}

uint32_t imap_seqs_next(const struct uidset *seqs, size_t *range, uint32_t *next)
{
    uint32_t seq;

    while (*range < seqs->n && seqs->ranges[*range].last < *next)
        ++*range;
    if (*range == seqs->n)
        return 0;
    seq = seqs->ranges[*range].first > *next ? seqs->ranges[*range].first : *next;
    *next = seq + 1;
    return seq;
}

uint32_t imap_seqs_previous(const struct uidset *seqs, uint32_t *next)
{
    size_t low = 0, high = seqs->n;

    while (low < high) { /* ranges that begin below *next */
        size_t mid = low + (high - low) / 2;

        if (*next == 0 || seqs->ranges[mid].first < *next)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return 0;
    if (*next == 0 || seqs->ranges[low - 1].last < *next)
        *next = seqs->ranges[low - 1].last;
    else
        --*next;
    return *next;
}
