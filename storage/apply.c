/*
 * Operations applied to memory. The same code runs after a commit and at recovery, and it depends on nothing but the state and
 * the operations, so that both come to the same result: UIDs are in the operations, modseqs follow from the order.
 *
 * An operation on something that is not there (any more) does nothing.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/account_int.h"
#include "storage/maildir_hooks_int.h"

struct apply {
    struct account *acc;
    const struct txlog_txn *t;
    struct apply_result *r; /* NULL at recovery */
};

void apply_result_init(struct apply_result *r)
{
    memset(r, 0, sizeof(*r));
}

void apply_result_free(struct apply_result *r)
{
    uidset_free(&r->pub.append_uids);
    uidset_free(&r->pub.modified);
    uidset_free(&r->pub.expunged);
    idx_free(&r->copy_from);
    idx_free(&r->copy_to);
}

/* The mailbox with its records in memory. */
static struct mailbox *find_loaded(const struct apply *a, uint32_t id)
{
    struct mailbox *m = account_find_id(a->acc, id);

    if (m != NULL)
        mailbox_need(m);
    return m;
}

static struct keyword_set add_keywords(struct mailbox *m, struct view encoded, bool create)
{
    struct keyword_set set = {{0}};
    struct op_walk w;
    struct view kw;

    op_walk_init(&w, encoded);
    while (op_walk_keyword(&w, &kw)) {
        int i = create ? mailbox_keyword_add(m, kw) : mailbox_keyword_find(m, kw);

        if (i >= 0)
            set.bits[i / 64] |= (uint64_t)1 << (i % 64);
    }
    return set;
}

static void note_modseq(const struct apply *a, uint64_t modseq)
{
    if (a->r != NULL)
        a->r->pub.modseq = modseq;
}

static void apply_create(const struct apply *a, const struct op *op)
{
    struct account *acc = a->acc;
    struct mailbox *m;

    acc->next_mailbox_id = MAX_OF(acc->next_mailbox_id, op->mailbox + 1);
    acc->last_uidvalidity = MAX_OF(acc->last_uidvalidity, op->uidvalidity);
    if (account_check_name(op->name) != 0 || account_find(acc, op->name) != NULL || account_find_id(acc, op->mailbox) != NULL)
        return;
    m = mailbox_new(acc, op->mailbox, op->name);
    m->uidvalidity = op->uidvalidity;
    m->use = op->use;
    m->loaded = true;
    names_insert(acc, m);
    acc->names_changes++;
    if (m->md != NULL)
        md_note_created(m);
}

void mailbox_destroy(struct account *acc, struct mailbox *m)
{
    mailbox_need(m);
    snapshot_mailbox_gone(m);
    if (m->file_num != 0 && !m->damaged)
        snapshot_obsolete(acc, (struct vfs_name){VFS_MBOX, m->id, m->file_num});
    names_remove(acc, m);
    mailbox_changed_forget(m);
    acc->names_changes++;
    if (m->md != NULL)
        md_note_deleted(m);
    for (uint32_t i = 0; i < mailbox_nrecs(m); i++) {
        const struct msg_rec *rec = mailbox_rec(m, i);

        if ((rec->flags & REC_GONE) == 0)
            rec_count_live(acc, rec, -1);
    }
    acc->bytes -= m->size;
    acc->messages -= m->messages;
    m->gone = true;
    if (m->views != NULL)
        views_mailbox_changed(m);
    else
        mailbox_free(m);
}

static void apply_rename(const struct apply *a, const struct op *op)
{
    struct mailbox *m = account_find_id(a->acc, op->mailbox);

    if (m == NULL || account_check_name(op->name) != 0 || account_find(a->acc, op->name) != NULL)
        return;
    names_remove(a->acc, m);
    free(m->name);
    m->name = view_dup(op->name);
    m->name_len = op->name.len;
    names_insert(a->acc, m);
    a->acc->names_changes++;
    if (m->md != NULL)
        md_note_renamed(m);
}

/* The bytes of a message that is a file are not in the log. */
static struct view append_file(const struct op *op, struct msg_rec *rec)
{
    struct view base = view_make(NULL, 0);
    struct op_walk w;

    if (op->kind != OP_APPEND_FILE)
        return base;
    op_walk_init(&w, op->names);
    if (op_walk_name(&w, &base))
        rec->file = md_name_hash(base);
    rec->seg = 0;
    rec->off = op->mailbox;
    return base;
}

static void apply_append(const struct apply *a, const struct op *op)
{
    struct mailbox *m = find_loaded(a, op->mailbox);
    struct msg_rec rec = {.uid = op->uid,
                          .flags = (uint16_t)(op->flags & (REC_FLAGS | REC_OPEN_END)),
                          .zone = (int16_t)op->zone,
                          .size = op->size,
                          .date = op->date,
                          .savedate = op->savedate,
                          .off = a->t->blobs + op->blob,
                          .seg = a->t->seg,
                          .dig_len = op->digest_len,
                          .dig_off = a->t->blobs + op->digest,
                          .dig_num = a->t->seg};
    struct view base = append_file(op, &rec);

    if (m == NULL || op->uid < m->uidnext || op->uid == UINT32_MAX)
        return;
    memcpy(rec.emailid, op->emailid, sizeof(rec.emailid));
    rec.keywords = add_keywords(m, op->keywords, true);
    rec.modseq = mailbox_bump(m, a->t->seq);
    mailbox_rec_add(m, &rec);
    if (rec.seg == 0 && m->md != NULL)
        md_note_added(m, &rec, base);
    note_modseq(a, rec.modseq);
    if (a->r != NULL) {
        a->r->pub.append_uidvalidity = m->uidvalidity;
        uidset_add(&a->r->pub.append_uids, op->uid);
    }
}

static void change_flags(const struct op *op, const struct keyword_set *kw, unsigned *flags, struct keyword_set *set)
{
    unsigned before = *flags, keep = op->flags >> FLAGS_KEEP_SHIFT & REC_FLAGS;

    for (size_t i = 0; i < ARRAY_LEN(set->bits) && (op->flags & FLAGS_KEEP_KEYWORDS) == 0; i++) {
        if (op->how == FLAGS_REPLACE)
            set->bits[i] = kw->bits[i];
        else if (op->how == FLAGS_ADD)
            set->bits[i] |= kw->bits[i];
        else
            set->bits[i] &= ~kw->bits[i];
    }
    if (op->how == FLAGS_REPLACE)
        *flags = op->flags & REC_FLAGS;
    else if (op->how == FLAGS_ADD)
        *flags |= op->flags & REC_FLAGS;
    else
        *flags &= ~op->flags & REC_FLAGS;
    *flags = (*flags & ~keep) | (before & keep);
}

static void apply_flags_one(const struct apply *a, struct mailbox *m, uint32_t idx, const struct op *op,
                            const struct keyword_set *kw)
{
    const struct msg_rec *rec = mailbox_rec(m, idx);
    unsigned flags = rec->flags & REC_FLAGS;
    struct keyword_set set = rec->keywords;
    uint64_t modseq;

    if ((rec->flags & REC_GONE) != 0)
        return;
    if (op->has_unchangedsince && rec->modseq > op->unchangedsince) {
        if (a->r != NULL)
            uidset_add(&a->r->pub.modified, rec->uid);
        return;
    }
    change_flags(op, kw, &flags, &set);
    if (flags == (rec->flags & REC_FLAGS) && memcmp(&set, &rec->keywords, sizeof(set)) == 0)
        return;
    modseq = mailbox_bump(m, a->t->seq);
    mailbox_rec_flags(m, idx, flags, &set, modseq);
    note_modseq(a, modseq);
}

static void apply_flags(const struct apply *a, const struct op *op)
{
    struct mailbox *m = find_loaded(a, op->mailbox);
    struct keyword_set kw;
    struct uid_range r;
    struct op_walk w;

    if (m == NULL)
        return;
    kw = add_keywords(m, op->keywords, op->how != FLAGS_REMOVE);
    op_walk_init(&w, op->uids);
    while (op_walk_range(&w, &r)) {
        for (uint32_t i = mailbox_rec_at(m, r.first); i < mailbox_nrecs(m) && mailbox_rec(m, i)->uid <= r.last; i++)
            apply_flags_one(a, m, i, op, &kw);
    }
}

static void expunge_one(const struct apply *a, struct mailbox *m, uint32_t idx)
{
    uint64_t modseq = mailbox_bump(m, a->t->seq);

    if (a->r != NULL)
        uidset_add(&a->r->pub.expunged, mailbox_rec(m, idx)->uid);
    mailbox_rec_expunge(m, idx, modseq);
    if (m->nuidls > 0)
        uidl_set(m, mailbox_rec(m, idx)->uid, view_make(NULL, 0));
    if (mailbox_rec(m, idx)->seg == 0 && m->md != NULL)
        md_note_expunged(m, mailbox_rec(m, idx));
    note_modseq(a, modseq);
}

static void apply_expunge(const struct apply *a, const struct op *op)
{
    struct mailbox *m = find_loaded(a, op->mailbox);
    struct uid_range r;
    struct op_walk w;

    if (m == NULL)
        return;
    op_walk_init(&w, op->uids);
    while (op_walk_range(&w, &r)) {
        for (uint32_t i = mailbox_rec_at(m, r.first); i < mailbox_nrecs(m) && mailbox_rec(m, i)->uid <= r.last; i++) {
            if ((mailbox_rec(m, i)->flags & REC_GONE) == 0)
                expunge_one(a, m, i);
        }
    }
}

/* The bits of a set of keywords of one mailbox as bits of another. */
static struct keyword_set map_keywords(const struct mailbox *from, struct mailbox *to, const struct keyword_set *set)
{
    struct keyword_set out = {{0}};

    if (from == to)
        return *set;
    for (unsigned k = 0; k < from->nkeywords; k++) {
        int i;

        if ((set->bits[k / 64] & (uint64_t)1 << (k % 64)) == 0)
            continue;
        i = mailbox_keyword_add(to, view_str(from->keywords[k]));
        if (i >= 0)
            out.bits[i / 64] |= (uint64_t)1 << (i % 64);
    }
    return out;
}

/* file: the base name of the copy's file, where messages are files. */
static void copy_one(const struct apply *a, struct mailbox *from, uint32_t idx, struct mailbox *to, const struct op *op,
                     uint32_t uid, struct view file)
{
    struct msg_rec rec = *mailbox_rec(from, idx);
    uint32_t old_uid = rec.uid;

    rec.uid = uid;
    rec.flags &= REC_FLAGS | REC_OPEN_END;
    rec.savedate = op->savedate;
    rec.keywords = map_keywords(from, to, &rec.keywords);
    rec.modseq = mailbox_bump(to, a->t->seq);
    if (rec.seg == 0) {
        rec.off = to->id;
        rec.file = md_name_hash(file);
    }
    mailbox_rec_add(to, &rec);
    if (rec.seg == 0 && to->md != NULL)
        md_note_added(to, &rec, file);
    note_modseq(a, rec.modseq);
    if (a->r != NULL) {
        idx_add(&a->r->copy_from, old_uid);
        idx_add(&a->r->copy_to, uid);
    }
    if (op->on)
        expunge_one(a, from, idx);
}

/* The uids of the operation are exactly those that existed when it was written: the k-th of them becomes op->uid + k. */
static void apply_copy(const struct apply *a, const struct op *op)
{
    struct mailbox *from = find_loaded(a, op->mailbox), *to = find_loaded(a, op->to);
    uint64_t next = op->uid;
    struct uid_range r;
    struct op_walk w, names;

    if (from == NULL || to == NULL || op->uid < to->uidnext)
        return;
    if (a->r != NULL)
        a->r->pub.copy_uidvalidity = to->uidvalidity;
    op_walk_init(&w, op->uids);
    op_walk_init(&names, op->names);
    while (op_walk_range(&w, &r)) {
        uint32_t i = mailbox_rec_at(from, r.first);

        for (uint64_t uid = r.first; uid <= r.last && next < UINT32_MAX; uid++, next++) {
            struct view file = view_make(NULL, 0);

            (void)op_walk_name(&names, &file);
            while (i < mailbox_nrecs(from) && mailbox_rec(from, i)->uid < uid)
                i++;
            if (i < mailbox_nrecs(from) && mailbox_rec(from, i)->uid == uid && (mailbox_rec(from, i)->flags & REC_GONE) == 0)
                copy_one(a, from, i, to, op, (uint32_t)next, file);
            else if (file.len > 0 && to->md != NULL)
                md_note_unused(to, file);
        }
    }
    to->uidnext = MAX_OF(to->uidnext, (uint32_t)next);
}

static void apply_recent(const struct apply *a, const struct op *op)
{
    struct mailbox *m = account_find_id(a->acc, op->mailbox);

    if (m == NULL || op->uid <= m->first_recent)
        return;
    m->first_recent = op->uid;
    m->recent = 0;
    if (op->uid < m->uidnext)
        mailbox_need(m);
    for (uint32_t i = mailbox_rec_at(m, op->uid); op->uid < m->uidnext && i < mailbox_nrecs(m); i++)
        m->recent += (mailbox_rec(m, i)->flags & REC_GONE) == 0;
}

static void apply_jump(const struct apply *a, const struct op *op)
{
    struct account *acc = a->acc;

    /* At a commit memory has jumped already, when the account was opened. */
    if (a->r == NULL) {
        for (size_t i = 0; i < acc->nmailboxes; i++)
            acc->by_id[i]->highestmodseq += op->modseq;
    }
}

static void apply_relocate(const struct apply *a, const struct op *op)
{
    struct mailbox *m = find_loaded(a, op->mailbox);
    struct msg_rec *rec = m != NULL ? mailbox_rec_find(m, op->uid) : NULL;

    if (rec == NULL)
        return;
    mailbox_rec_dirty(m, mailbox_rec_at(m, op->uid));
    rec_count_live(a->acc, rec, -1);
    if (rec->seg != 0) {
        rec->seg = a->t->seg;
        rec->off = a->t->blobs + op->blob;
    }
    /* Without a digest in the operation the digest stays where it is: in a digest file, or, when this is replayed over a snapshot
     * from before it was gathered, still in the log. */
    if (op->digest_len != 0) {
        rec->dig_mbox = 0;
        rec->dig_len = op->digest_len;
        rec->dig_num = a->t->seg;
        rec->dig_off = a->t->blobs + op->digest;
    }
    rec_count_live(a->acc, rec, 1);
}

/* Nothing is left of the UIDs that it had. */
static void mailbox_renew(struct mailbox *m)
{
    snapshot_mailbox_gone(m);
    if (m->file_num != 0)
        snapshot_obsolete(m->acc, (struct vfs_name){VFS_MBOX, m->id, m->file_num});
    mailbox_unload(m);
    m->file_num = m->file_recs = 0;
    m->delta_tail = m->delta_dirty = 0;
    m->loaded = true;
    m->nvanished = m->nchanges = 0;
    m->uidnext = m->first_recent = m->gathered = 1;
    m->recent = 0;
    m->gathering = false;
}

static void apply_identity(const struct apply *a, const struct op *op)
{
    struct mailbox *m = find_loaded(a, op->mailbox);

    if (m == NULL || op->uid == UINT32_MAX)
        return;
    if (m->uidvalidity != op->uidvalidity) {
        if (m->messages > 0 || m->views != NULL || m->damaged)
            return;
        mailbox_renew(m);
        (void)mailbox_bump(m, a->t->seq);
        m->vanished_floor = m->highestmodseq;
        m->uidvalidity = op->uidvalidity;
        a->acc->last_uidvalidity = MAX_OF(a->acc->last_uidvalidity, op->uidvalidity);
    }
    m->uidnext = MAX_OF(m->uidnext, op->uid);
    mailbox_changed(m);
    note_modseq(a, m->highestmodseq);
}

static void apply_uidl(const struct apply *a, const struct op *op)
{
    struct mailbox *m = find_loaded(a, op->mailbox);

    if (m != NULL && mailbox_rec_find(m, op->uid) != NULL)
        uidl_set(m, op->uid, op->name);
}

static void apply_annotate(const struct apply *a, const struct op *op)
{
    struct mailbox *m = account_find_id(a->acc, op->mailbox);

    if (m == NULL && op->mailbox != 0)
        return;
    annotations_set(a->acc, m != NULL ? &m->annotations : &a->acc->annotations, op->name, op->on ? &op->value : NULL);
    if (view_starts(op->name, VIEW(ACL_PREFIX)))
        a->acc->names_changes++;
    if (annotation_is_hidden(op->name))
        return;
    if (m != NULL)
        (void)mailbox_bump(m, a->t->seq); /* RFC 7162 3.2 */
    if (a->r == NULL)
        return;
    annotation_note(a->acc, op->mailbox, op->name);
    a->r->pub.annotation_last = a->acc->nnotes;
    if (a->r->pub.annotation_first == 0)
        a->r->pub.annotation_first = a->acc->nnotes;
}

static void apply_op(const struct apply *a, const struct op *op)
{
    struct mailbox *m;

    switch (op->kind) {
    case OP_CREATE:
        apply_create(a, op);
        break;
    case OP_DELETE:
        m = account_find_id(a->acc, op->mailbox);
        if (m != NULL)
            mailbox_destroy(a->acc, m);
        break;
    case OP_RENAME:
        apply_rename(a, op);
        break;
    case OP_SUBSCRIBE:
        subs_set(a->acc, op->name, op->on);
        a->acc->names_changes++;
        break;
    case OP_APPEND:
    case OP_APPEND_FILE:
        apply_append(a, op);
        break;
    case OP_FLAGS:
        apply_flags(a, op);
        break;
    case OP_EXPUNGE:
        apply_expunge(a, op);
        break;
    case OP_COPY:
    case OP_COPY_FILE:
        apply_copy(a, op);
        break;
    case OP_RECENT:
        apply_recent(a, op);
        break;
    case OP_JUMP:
        apply_jump(a, op);
        break;
    case OP_RELOCATE:
        apply_relocate(a, op);
        break;
    case OP_IDENTITY:
        apply_identity(a, op);
        break;
    case OP_CLEAN:
        a->acc->clean = true;
        if (a->acc->md != NULL)
            md_note_clean(a->acc);
        break;
    case OP_UIDL:
        apply_uidl(a, op);
        break;
    case OP_ANNOTATE:
        apply_annotate(a, op);
        break;
    case OP_KIND_END:
        break;
    }
}

int account_apply(struct account *acc, const struct txlog_txn *t, struct apply_result *r)
{
    struct apply a = {acc, t, r};
    struct cursor c = cursor_make(t->ops);

    acc->clean = false;
    acc->tail_bytes += TXLOG_TXN_SIZE + t->ops.len;
    while (cursor_left(&c) > 0) {
        struct op op;
        int err = op_get(&c, &op);

        if (err != 0)
            return err;
        apply_op(&a, &op);
    }
    if (r != NULL) {
        r->pub.copy_from = r->copy_from.v;
        r->pub.copy_to = r->copy_to.v;
        r->pub.ncopied = r->copy_from.n;
    }
    return 0;
}
