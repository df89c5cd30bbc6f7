/* Address extensions (RFC 5233): mail for jo+lists goes into the mailbox lists, where there is one, and never gets lost over it.
 */
#include "worker/deliver.h"

#include "storage/detail.h"

struct mailbox *delivery_target(const struct delivery *d, struct buf *create_out)
{
    const struct set_worker *set = d->w->set;
    struct mailbox *inbox = account_find(d->w->acc, VIEW("INBOX")), *found;

    if (d->detail[0] == '\0' || set->detail_mailbox == SET_DETAIL_IGNORE)
        return inbox;
    found = account_find_detail(d->w->acc, view_str(d->detail), (char)set->hierarchy_separator);
    if (found != NULL)
        return found;
    if (set->detail_mailbox == SET_DETAIL_CREATE && !d->create_tried &&
        account_detail_name(view_str(d->detail), (char)set->hierarchy_separator, create_out) != 0)
        buf_reset(create_out);
    return inbox;
}
