/*
 * Limits of an account. Those of the configuration and of the user database come with account_params; an administrator may set
 * others on the account itself, which then hold instead. They are kept as an annotation of the account, under a name that no
 * client can give to one of its own: so they are in the log and in snapshots like any other.
 *
 * Its value is three u64: octets, messages, mailboxes. What is longer is of a newer version, which began with the same three.
 */
#include "storage/txn_int.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"

#define LIMITS_ENTRY QUOTA_PREFIX "limits"

/* In account_params 0 is no limit. */
static uint64_t configured(uint64_t limit)
{
    return limit == 0 ? QUOTA_NONE : limit;
}

static bool own_limits(const struct account *acc, struct quota_limits *out)
{
    const struct annotation *n = annotation_find(&acc->annotations, VIEW(LIMITS_ENTRY));
    struct quota_limits own;
    struct cursor c;

    if (n == NULL)
        return false;
    c = cursor_make(view_make(n->value, n->len));
    own.bytes = cursor_u64(&c);
    own.messages = cursor_u64(&c);
    own.mailboxes = cursor_u64(&c);
    if (c.failed)
        return false;
    *out = own;
    return true;
}

struct quota_limits account_limits(const struct account *acc)
{
    const struct account_params *p = &acc->params;
    struct quota_limits limits = {configured(p->quota_bytes), configured(p->quota_messages), configured(p->mailboxes_max)};
    uint64_t most = limits.mailboxes; /* what the server can bear, whatever was set */

    if (p->quota_ignored)
        limits.bytes = limits.messages = QUOTA_NONE;
    else if (own_limits(acc, &limits))
        limits.mailboxes = MIN_OF(limits.mailboxes, most);
    return limits;
}

void account_quota(const struct account *acc, struct quota_usage *out)
{
    *out = (struct quota_usage){.bytes = acc->bytes,
                                .messages = acc->messages,
                                .mailboxes = acc->nmailboxes,
                                .limits = account_limits(acc),
                                .annotation_bytes = acc->annotation_bytes};
}

int txn_set_limits(struct txn *t, const struct quota_limits *limits)
{
    struct buf value;
    struct view v;
    int err;

    buf_init(&value, 3 * sizeof(uint64_t));
    if (limits != NULL) {
        buf_put_u64(&value, limits->bytes);
        buf_put_u64(&value, limits->messages);
        buf_put_u64(&value, limits->mailboxes);
    }
    v = buf_view(&value);
    err = txn_annotate_raw(t, NULL, VIEW(LIMITS_ENTRY), limits != NULL ? &v : NULL);
    buf_free(&value);
    return err;
}
