/*
 * The maildrop: a view of INBOX, or of the folder that the name at log-in asked for, as of log-in. It is never synchronised, so
 * other sessions' changes do not reach it and messages that they expunge can still be read.
 *
 * Sizes are those of what RETR sends (RFC 1939 11): messages are kept with CRLF line ends, and one whose last line has none gets
 * it. That is known without opening a message.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "pop3/session_int.h"
#include "storage/detail.h"

uint32_t pop3_seq(const struct pop3_session *s, uint32_t n)
{
    return s->map != NULL ? s->map[n - 1] : n;
}

uint64_t pop3_size(const struct msg_info *info)
{
    return info->size + (info->open_end ? 2 : 0);
}

void pop3_use_view(struct pop3_session *s, struct mailbox_view *v, const struct uidset *hidden)
{
    uint32_t total = mailbox_view_count(v);
    bool some = hidden != NULL && hidden->n > 0;

    s->view = v;
    s->count = 0;
    if (some)
        s->map = xcalloc((size_t)total + 1, sizeof(*s->map));
    for (uint32_t seq = 1; seq <= total; seq++) {
        struct msg_info info;

        if (some && uidset_has(hidden, seq))
            continue;
        if (some)
            s->map[s->count] = seq;
        s->count++;
        mailbox_view_info(v, seq, &info);
        s->total_size += pop3_size(&info);
    }
    s->deleted = xcalloc((size_t)s->count / 64 + 1, sizeof(*s->deleted));
}

static void find_hidden(const struct set_worker *set, const struct mailbox *m, const struct mailbox_view *v,
                        struct uidset *hidden)
{
    int keyword = mailbox_keyword_find(m, view_str(set->pop3_hidden_keyword));

    if (set->pop3_delete != SET_POP3_HIDE || keyword < 0)
        return;
    for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
        struct msg_info info;

        mailbox_view_info(v, seq, &info);
        if ((info.keywords.bits[keyword / 64] >> (keyword % 64) & 1) != 0)
            uidset_add(hidden, seq);
    }
}

bool pop3_open_maildrop(struct pop3_session *s)
{
    struct view folder = s->host->detail;
    struct mailbox *m = folder.len > 0 ? account_find_detail(s->acc, folder, (char)s->host->set->hierarchy_separator)
                                       : account_find(s->acc, VIEW("INBOX"));
    struct mailbox_status status;
    struct mailbox_view *v;
    struct uidset hidden;

    if (m == NULL)
        return false;
    mailbox_status(m, &status);
    s->uidvalidity = status.uidvalidity;
    v = mailbox_view_open(s->acc, m, false);
    uidset_init(&hidden);
    find_hidden(s->host->set, m, v, &hidden);
    pop3_use_view(s, v, &hidden);
    uidset_free(&hidden);
    return true;
}

void pop3_put_uidl(const struct pop3_session *s, struct buf *out, uint32_t n)
{
    uint32_t seq = pop3_seq(s, n);
    struct view own = mailbox_view_uidl(s->view, seq);
    struct uidl_values values = {.uidvalidity = s->uidvalidity};
    struct msg_info info;

    if (own.len > 0) {
        buf_put_view(out, own);
        return;
    }
    mailbox_view_info(s->view, seq, &info);
    values.uid = info.uid;
    values.guid = info.emailid;
    if (uidl_format_has(&s->uidl, UIDL_FILE_NAME))
        values.file_name = mailbox_view_file_name(s->view, seq);
    uidl_format_put(out, &s->uidl, &values);
}

int pop3_update(struct pop3_session *s, struct txn *t)
{
    const struct view keyword = view_str(s->host->set->pop3_hidden_keyword);
    const struct flag_change hide = {.op = FLAGS_ADD, .keywords = &keyword, .nkeywords = 1};
    struct mailbox *m = mailbox_view_mailbox(s->view);
    struct uidset uids;
    int err;

    if (m == NULL)
        return ERR_CLOSED;
    uidset_init(&uids);
    for (uint32_t n = 1; n <= s->count; n++) {
        if (pop3_is_deleted(s, n))
            uidset_add(&uids, mailbox_view_uid(s->view, pop3_seq(s, n)));
    }
    if (s->host->set->pop3_delete == SET_POP3_HIDE)
        err = txn_flags(t, m, &uids, &hide);
    else
        err = txn_expunge(t, m, &uids);
    uidset_free(&uids);
    return err;
}
