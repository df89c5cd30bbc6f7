/*
 * Untagged responses for what others (and the session's own commands) have changed: EXPUNGE, EXISTS, RECENT, FETCH. The changes
 * are taken over from the view at once and told in slices, so that a hundred thousand changed flags do not fill the memory or
 * hold up others.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "imap/context.h"
#include "imap/metadata.h"
#include "imap/notify.h"
#include "imap/respond.h"
#include "imap/rights.h"
#include "imap/vanished.h"

static uint32_t *copy_numbers(const uint32_t *from, size_t n)
{
    uint32_t *to;

    if (n == 0)
        return NULL;
    to = xreallocarray(NULL, n, sizeof(*to));
    memcpy(to, from, n * sizeof(*to));
    return to;
}

void imap_tell_free(struct imap_session *s)
{
    free(s->tell.expunged);
    free(s->tell.changed);
    uidset_free(&s->tell.vanished);
    s->tell = (struct imap_tell){0};
}

/* New and changed messages may come into or leave the results of searches that go on; expunged ones leave them. */
static void touch_contexts(struct imap_session *s, const struct view_changes *c, uint32_t before)
{
    struct uidset uids;

    uidset_init(&uids);
    for (size_t i = 0; i < c->nchanged; i++)
        uidset_add(&uids, mailbox_view_uid(s->view, c->changed_seqs[i]));
    for (uint32_t seq = before - (uint32_t)c->nexpunged + 1; seq <= c->count; seq++)
        uidset_add(&uids, mailbox_view_uid(s->view, seq));
    imap_context_touch(s, &uids);
    imap_context_expunged(s, c->expunged_seqs, c->expunged_uids, c->nexpunged);
    uidset_free(&uids);
}

void imap_tell_begin(struct imap_session *s, bool allow_expunge)
{
    struct view_changes c;
    uint32_t before;

    imap_tell_free(s);
    s->news = false;
    if (s->view == NULL || !imap_notify_tells(s, allow_expunge))
        return;
    before = mailbox_view_count(s->view);
    mailbox_view_sync(s->view, allow_expunge, &c);
    if (s->contexts != NULL)
        touch_contexts(s, &c, before);
    imap_notify_synced(s, &c, before);
    if ((s->enabled & (IMAP_ENABLED_QRESYNC | IMAP_ENABLED_UIDONLY)) != 0) {
        for (size_t i = c.nexpunged; i > 0; i--) /* highest first: adding in rising order is cheap */
            uidset_add(&s->tell.vanished, c.expunged_uids[i - 1]);
    } else {
        s->tell.expunged = copy_numbers(c.expunged_seqs, c.nexpunged);
        s->tell.nexpunged = c.nexpunged;
    }
    s->tell.changed = copy_numbers(c.changed_seqs, c.nchanged);
    s->tell.nchanged = c.nchanged;
    s->tell.count = c.count;
    s->tell.recent = c.recent;
    s->tell.exists = c.exists_changed;
    s->tell.keywords = c.keywords_changed;
    s->tell.modseq = c.modseq;
    s->tell.held_modseq = c.held_modseq;
}

void imap_tell_fetch(struct imap_session *s, uint32_t seq, uint32_t uid)
{
    bool uidonly = imap_session_uidonly(s);
    struct buf *out = imap_out(s);

    buf_put_str(out, "* ");
    buf_put_dec(out, uidonly ? uid : seq);
    buf_put_str(out, uidonly ? " UIDFETCH (" : " FETCH (");
}

void imap_tell_flags(struct imap_session *s, uint32_t seq, bool with_uid)
{
    struct buf *out = imap_out(s);
    struct msg_info info;

    mailbox_view_info(s->view, seq, &info);
    info.recent = info.recent && imap_session_recent(s);
    imap_tell_fetch(s, seq, info.uid);
    if (with_uid && !imap_session_uidonly(s)) {
        buf_put_str(out, "UID ");
        buf_put_dec(out, info.uid);
        buf_put_byte(out, ' ');
    }
    buf_put_str(out, "FLAGS ");
    imap_put_flags(out, mailbox_view_mailbox(s->view), &info);
    if ((s->enabled & IMAP_ENABLED_CONDSTORE) != 0) {
        buf_put_str(out, " MODSEQ (");
        buf_put_dec(out, info.modseq);
        buf_put_byte(out, ')');
        s->told_modseq = true;
    }
    buf_put_str(out, ")\r\n");
}

static void put_keyword_list(struct buf *out, const struct mailbox *m, bool first)
{
    unsigned n = mailbox_keyword_count(m);

    for (unsigned i = 0; i < n; i++) {
        imap_put_item(out, &first, "");
        buf_put_view(out, mailbox_keyword(m, i));
    }
}

void imap_tell_keywords(struct imap_session *s)
{
    static const struct {
        unsigned flag;
        const char *name;
    } system[] = {{MSG_ANSWERED, "\\Answered"},
                  {MSG_FLAGGED, "\\Flagged"},
                  {MSG_DELETED, "\\Deleted"},
                  {MSG_SEEN, "\\Seen"},
                  {MSG_DRAFT, "\\Draft"}};
    const struct mailbox *m = mailbox_view_mailbox(s->view);
    struct buf *out = imap_out(s);
    bool first = true;

    if (m == NULL)
        return;
    s->rights_told = mailbox_own_rights(m);
    buf_put_str(out, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft");
    put_keyword_list(out, m, false);
    buf_put_str(out, ")\r\n");
    if (s->examine) {
        buf_put_str(out, "* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n");
        return;
    }
    buf_put_str(out, "* OK [PERMANENTFLAGS (");
    for (size_t i = 0; i < ARRAY_LEN(system); i++)
        if ((imap_rights_flags(s->rights_told) & system[i].flag) != 0)
            imap_put_item(out, &first, system[i].name);
    if ((s->rights_told & ACL_WRITE) != 0) {
        put_keyword_list(out, m, first);
        if (mailbox_keyword_count(m) < KEYWORDS_MAX)
            imap_put_item(out, &first, "\\*");
    }
    buf_put_str(out, ")] Flags permitted\r\n");
}

static void tell_number(struct imap_session *s, uint32_t n, const char *what)
{
    struct buf *out = imap_out(s);

    buf_put_str(out, "* ");
    buf_put_dec(out, n);
    buf_put_str(out, what);
}

/* RFC 4314 5.1.1: then FLAGS and PERMANENTFLAGS are told again. */
static bool rights_changed(const struct imap_session *s)
{
    const struct mailbox *m = s->view == NULL ? NULL : mailbox_view_mailbox(s->view);

    return m != NULL && mailbox_own_rights(m) != s->rights_told;
}

/* RFC 7162 3.2, section 6: the mod-sequences of FETCH responses must not make the client believe that it knows of the expunges
 * before them, which cannot be told yet. When they are, it may have the mailbox's own again. */
static void tell_modseq(struct imap_session *s)
{
    uint64_t held = s->tell.held_modseq, modseq = held == 0 ? s->tell.modseq : held - 1;
    bool told = s->told_modseq;

    s->tell.modseq = 0; /* once */
    s->told_modseq = false;
    if (modseq == 0 || (s->enabled & IMAP_ENABLED_QRESYNC) == 0 || !(held == 0 ? s->behind : told))
        return;
    imap_put_code_number(s, "HIGHESTMODSEQ", modseq, held == 0 ? "All is told" : "Expunges are held back");
    s->behind = held != 0;
}

bool imap_tell_step(struct imap_session *s, bool with_uid)
{
    struct imap_tell *t = &s->tell;

    imap_context_put_gone(s); /* before the numbers are taken away: RFC 5267 4.3.4 */
    if (!imap_vanished_put(s, &t->vanished, &t->pos_vanished, false))
        return false;
    while (t->pos_expunged < t->nexpunged) {
        tell_number(s, t->expunged[t->pos_expunged++], " EXPUNGE\r\n");
        if (imap_slice_over(s))
            return false;
    }
    if (t->exists) {
        tell_number(s, t->count, " EXISTS\r\n");
        if (imap_session_recent(s))
            tell_number(s, t->recent, " RECENT\r\n");
        t->exists = false;
    }
    if (t->keywords || rights_changed(s)) {
        imap_tell_keywords(s);
        t->keywords = false;
    }
    while (t->pos_changed < t->nchanged) {
        imap_tell_flags(s, t->changed[t->pos_changed++], with_uid || imap_session_tells_uid(s));
        if (imap_slice_over(s))
            return false;
    }
    if (t->modseq != 0)
        tell_modseq(s);
    if (!imap_notify_tell(s) || !imap_metadata_tell(s))
        return false;
    if (s->contexts != NULL && !imap_context_step(s))
        return false;
    imap_tell_free(s);
    return true;
}
