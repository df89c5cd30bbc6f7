#include "imap/quota.h"

#include "common/base/mem.h"
#include "imap/respond.h"

/* RFC 9208 5.1, 5.4: units of 1024 octets; one that was begun counts. */
static uint64_t units(uint64_t octets)
{
    if (octets == QUOTA_NONE)
        return QUOTA_NONE;
    return octets / 1024 + (octets % 1024 != 0);
}

void imap_quota_put(struct imap_session *s)
{
    struct buf *out = imap_out(s);
    struct quota_usage q;
    bool first = true;

    account_quota(s->acc, &q);
    {
        const struct {
            const char *name;
            uint64_t used, limit;
        } resources[] = {{"STORAGE", units(q.bytes), units(q.limits.bytes)},
                         {"MESSAGE", q.messages, q.limits.messages},
                         {"MAILBOX", q.mailboxes, q.limits.mailboxes},
                         {"ANNOTATION-STORAGE", units(q.annotation_bytes), units(ANNOTATION_BYTES_MAX)}};

        buf_put_str(out, "* QUOTA " IMAP_QUOTA_ROOT " (");
        for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
            if (resources[i].limit == QUOTA_NONE)
                continue;
            imap_put_item(out, &first, resources[i].name);
            buf_put_byte(out, ' ');
            buf_put_dec(out, resources[i].used);
            buf_put_byte(out, ' ');
            buf_put_dec(out, resources[i].limit);
        }
    }
    buf_put_str(out, ")\r\n");
}
