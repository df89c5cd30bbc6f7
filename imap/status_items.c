#include "imap/status_items.h"

#include "common/base/mem.h"
#include "imap/respond.h"

enum item {
    MESSAGES,
    RECENT,
    UIDNEXT,
    UIDVALIDITY,
    UNSEEN,
    SIZE,
    DELETED,
    HIGHESTMODSEQ,
    MAILBOXID,
    APPENDLIMIT,
    DELETED_STORAGE
};

static const char *const names[] = {
    [MESSAGES] = "MESSAGES",
    [RECENT] = "RECENT",
    [UIDNEXT] = "UIDNEXT",
    [UIDVALIDITY] = "UIDVALIDITY",
    [UNSEEN] = "UNSEEN",
    [SIZE] = "SIZE",
    [DELETED] = "DELETED",
    [HIGHESTMODSEQ] = "HIGHESTMODSEQ",
    [MAILBOXID] = "MAILBOXID",
    [APPENDLIMIT] = "APPENDLIMIT",
    [DELETED_STORAGE] = "DELETED-STORAGE",
};

unsigned imap_status_parse(struct imap_parse *p)
{
    unsigned items = 0;

    imap_parse_open(p);
    do {
        struct view name = imap_parse_atom(p);
        unsigned i = 0;

        while (i < ARRAY_LEN(names) && !view_eq_nocase(name, view_str(names[i])))
            i++;
        if (i == ARRAY_LEN(names))
            imap_parse_fail(p, "Unknown STATUS item");
        else
            items |= 1u << i;
    } while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    imap_parse_close(p);
    return items;
}

void imap_status_enable(struct imap_session *s, unsigned items)
{
    if ((items & (1u << HIGHESTMODSEQ)) != 0)
        imap_session_condstore(s);
}

static uint64_t item_value(const struct imap_session *s, const struct mailbox_status *st, enum item i)
{
    switch (i) {
    case MESSAGES:
        return st->messages;
    case RECENT:
        return st->recent;
    case UIDNEXT:
        return st->uidnext;
    case UIDVALIDITY:
        return st->uidvalidity;
    case UNSEEN:
        return st->unseen;
    case SIZE:
        return st->size;
    case DELETED:
        return st->deleted;
    case HIGHESTMODSEQ:
        return st->highestmodseq;
    case DELETED_STORAGE:
        return st->deleted_size;
    case APPENDLIMIT:
        return s->host->set->message_size_max;
    case MAILBOXID:
        break;
    }
    return 0;
}

void imap_status_put(struct imap_session *s, struct view name, const struct mailbox *m, unsigned items)
{
    struct buf *out = imap_out(s);
    struct mailbox_status st;
    bool first = true;

    mailbox_status(m, &st);
    buf_put_str(out, "* STATUS ");
    imap_put_mailbox(s, out, name);
    buf_put_str(out, " (");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if ((items & (1u << i)) == 0)
            continue;
        imap_put_item(out, &first, names[i]);
        if (i == MAILBOXID) {
            buf_put_str(out, " (");
            mailbox_put_objectid(out, m);
            buf_put_byte(out, ')');
        } else {
            buf_put_byte(out, ' ');
            buf_put_dec(out, item_value(s, &st, (enum item)i));
        }
    }
    buf_put_str(out, ")\r\n");
}
