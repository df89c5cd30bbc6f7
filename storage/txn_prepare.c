/*
 * Staged changes as operations. This happens when the batch is written: every transaction before this batch has been applied, the
 * ones in it have not. UIDs come from a counter of the batch, so no two transactions of it get the same; a batch ends with the
 * first transaction that changes names, so names are as they are now.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_hooks_int.h"

struct prepare {
    struct txn *t;
    struct account *acc;
    uint32_t next_id, last_uidvalidity;
};

static void add_blob(struct txn *t, const uint8_t head[BLOB_HEADER_SIZE], struct view data)
{
    static const uint8_t padding[BLOB_ALIGN];
    const struct view parts[] = {view_make(head, BLOB_HEADER_SIZE), data,
                                 view_make(padding, (size_t)(blob_padded(data.len) - data.len))};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].len == 0)
            continue;
        if (t->niov == t->ciov) {
            t->ciov = MAX_OF(t->ciov * 2, (size_t)8);
            t->iov = xreallocarray(t->iov, t->ciov, sizeof(*t->iov));
        }
        t->iov[t->niov].iov_base = (void *)(uintptr_t)parts[i].ptr;
        t->iov[t->niov++].iov_len = parts[i].len;
    }
    t->blob_bytes += blob_space(data.len);
}

/* The first of n UIDs for this mailbox. */
static int take_uids(struct account *acc, struct mailbox *m, uint64_t n, uint32_t *out)
{
    if (m->batch != acc->batch) {
        m->batch = acc->batch;
        m->batch_uidnext = m->uidnext;
    }
    if (n >= UINT32_MAX - m->batch_uidnext)
        return ERR_LIMIT;
    *out = m->batch_uidnext;
    m->batch_uidnext += (uint32_t)n;
    return 0;
}

/* This UID, which no message before it may have reached. */
static int take_given_uid(struct account *acc, struct mailbox *m, uint32_t uid)
{
    uint32_t next;
    int err = take_uids(acc, m, 0, &next);

    if (err == 0 && uid < next)
        err = ERR_RANGE;
    if (err == 0)
        m->batch_uidnext = uid + 1;
    return err;
}

/* The digest before the message: both are written once, and the small one is read far more often, with those around it. */
static void add_message(struct txn *t, struct stage *s)
{
    s->op.digest = t->blob_bytes;
    if (s->op.digest_len > 0)
        add_blob(t, s->digest_head, buf_view(&s->digest));
    s->op.blob = t->blob_bytes;
    if (s->op.kind != OP_APPEND_FILE)
        add_blob(t, s->message_head, s->message.bytes);
}

static void prepare_relocate(struct prepare *p, struct stage *s)
{
    add_message(p->t, s);
    for (size_t i = 0; i < s->relocation.n; i++) {
        s->op.mailbox = s->relocation.refs[i].mailbox;
        s->op.uid = s->relocation.refs[i].uid;
        op_put(&p->t->ops, &s->op);
    }
}

static int prepare_append(struct prepare *p, struct stage *s)
{
    struct mailbox *m = account_find_id(p->acc, s->op.mailbox);
    int err;

    if (m == NULL)
        return ERR_NOTFOUND;
    if (s->uid_given)
        err = take_given_uid(p->acc, m, s->op.uid);
    else
        err = take_uids(p->acc, m, 1, &s->op.uid);
    if (err != 0)
        return err;
    add_message(p->t, s);
    s->op.keywords = buf_view(&s->keywords);
    s->op.names = buf_view(&s->names);
    op_put(&p->t->ops, &s->op);
    if (s->name != NULL) {
        const struct op uidl = {.kind = OP_UIDL, .mailbox = s->op.mailbox, .uid = s->op.uid, .name = view_str(s->name)};

        op_put(&p->t->ops, &uidl);
    }
    return 0;
}

static void put_with_uids(struct prepare *p, struct op *op, const struct uidset *uids)
{
    struct buf b;

    buf_init(&b, UINT32_MAX);
    op_put_uids(&b, uids);
    op->uids = buf_view(&b);
    if (!buf_ok(&b))
        p->t->ops.failed = true;
    op_put(&p->t->ops, op);
    buf_free(&b);
}

static int prepare_uids(struct prepare *p, struct stage *s)
{
    if (account_find_id(p->acc, s->op.mailbox) == NULL)
        return ERR_NOTFOUND;
    s->op.keywords = buf_view(&s->keywords);
    put_with_uids(p, &s->op, &s->uids);
    return 0;
}

/* The UIDs among these that exist now. */
static void existing_uids(const struct mailbox *m, const struct uidset *uids, struct uidset *out)
{
    for (size_t r = 0; r < uids->n; r++) {
        for (uint32_t i = mailbox_rec_at(m, uids->ranges[r].first); i < mailbox_nrecs(m); i++) {
            const struct msg_rec *rec = mailbox_rec(m, i);

            if (rec->uid > uids->ranges[r].last)
                break;
            if ((rec->flags & REC_GONE) == 0)
                uidset_add(out, rec->uid);
        }
    }
}

/* The copies lose what may not come with them, in the same transaction. */
static void put_flags_limit(struct prepare *p, const struct stage *s, uint64_t count)
{
    struct op op = {.kind = OP_FLAGS, .mailbox = s->op.to, .how = FLAGS_REPLACE, .flags = s->op.flags};
    struct uid_range copies = {s->op.uid, (uint32_t)(s->op.uid + count - 1)};
    const struct uidset uids = {&copies, 1, 1};

    if (s->flags_limited && count > 0)
        put_with_uids(p, &op, &uids);
}

static int prepare_copy(struct prepare *p, struct stage *s)
{
    struct mailbox *from = account_find_id(p->acc, s->op.mailbox), *to = account_find_id(p->acc, s->op.to);
    struct uidset uids;
    int err;

    if (from == NULL || to == NULL)
        return ERR_NOTFOUND;
    uidset_init(&uids);
    existing_uids(from, &s->uids, &uids);
    err = p->acc->md != NULL ? md_prepare_copy(p->acc, s, from, md_box_dir(to), &uids) : 0;
    if (err == 0)
        err = take_uids(p->acc, to, uidset_count(&uids), &s->op.uid);
    s->op.names = buf_view(&s->names);
    if (err == 0) {
        put_with_uids(p, &s->op, &uids);
        put_flags_limit(p, s, uidset_count(&uids));
    }
    uidset_free(&uids);
    return err;
}

/* RFC 4314 4: a new mailbox inherits the access control list of the one above it. */
static int inherit_acl(struct prepare *p, struct view name, uint32_t mailbox)
{
    const struct mailbox *parent = NULL;
    uint64_t bytes = 0;

    for (size_t i = name.len; i > 0 && parent == NULL; i--)
        if (name.ptr[i - 1] == '/')
            parent = account_find(p->acc, view_sub(name, 0, i - 1));
    for (size_t i = 0; parent != NULL && i < parent->annotations.n; i++) {
        const struct annotation *a = &parent->annotations.v[i];
        struct op op = {.kind = OP_ANNOTATE, .mailbox = mailbox, .on = true, .name = view_str(a->entry)};

        op.value = view_make(a->value, a->len);
        if (!view_starts(op.name, VIEW(ACL_PREFIX)))
            continue;
        bytes += op.name.len + op.value.len;
        if (p->acc->annotation_bytes + p->acc->annotation_staged + bytes > ANNOTATION_BYTES_MAX)
            return ERR_QUOTA;
        op_put(&p->t->ops, &op);
    }
    return 0;
}

/* uidvalidity 0: a new one. */
static int put_create(struct prepare *p, struct view name, unsigned use, uint32_t uidvalidity)
{
    uint64_t now = account_now_ms(p->acc) / 1000;
    struct op op = {.kind = OP_CREATE, .name = name, .use = use};
    int err;

    if (p->next_id == UINT32_MAX || p->last_uidvalidity == UINT32_MAX)
        return ERR_LIMIT;
    /* Seconds since 1970, so that an account made anew does not repeat the old one's; but never one twice. */
    if (uidvalidity != 0)
        p->last_uidvalidity = MAX_OF(p->last_uidvalidity, uidvalidity);
    else if (now > p->last_uidvalidity && now < UINT32_MAX)
        p->last_uidvalidity = (uint32_t)now;
    else
        p->last_uidvalidity++;
    op.mailbox = p->next_id++;
    op.uidvalidity = uidvalidity != 0 ? uidvalidity : p->last_uidvalidity;
    err = p->acc->md != NULL ? md_prepare_create(p->t, name, op.mailbox, op.uidvalidity) : 0;
    if (err == 0)
        op_put(&p->t->ops, &op);
    return err;
}

static int put_new(struct prepare *p, struct view name, unsigned use, uint32_t uidvalidity)
{
    uint32_t id = p->next_id;
    int err = put_create(p, name, use, uidvalidity);

    return err == 0 ? inherit_acl(p, name, id) : err;
}

static int put_parents(struct prepare *p, struct view name)
{
    int err = 0;

    for (size_t i = 0; i < name.len && err == 0; i++) {
        if (name.ptr[i] == '/' && account_find(p->acc, view_sub(name, 0, i)) == NULL)
            err = put_new(p, view_sub(name, 0, i), 0, 0);
    }
    return err;
}

static int prepare_create(struct prepare *p, struct stage *s)
{
    struct view name = view_str(s->name);
    int err;

    if (account_find(p->acc, name) != NULL)
        return ERR_EXISTS;
    /* A folder that was found does not need a parent, and no lack of room keeps it out. */
    if (s->op.on) {
        uint32_t id = p->next_id;

        err = put_create(p, name, s->op.use, s->op.uidvalidity);
        if (err == 0)
            (void)!inherit_acl(p, name, id);
        return err;
    }
    err = put_parents(p, name);
    return err != 0 ? err : put_new(p, name, s->op.use, s->op.uidvalidity);
}

static int prepare_delete(struct prepare *p, struct stage *s)
{
    if (account_find_id(p->acc, s->op.mailbox) == NULL)
        return ERR_NOTFOUND;
    op_put(&p->t->ops, &s->op);
    return 0;
}

/* RFC 5464 4.1: INBOX keeps its annotations when it is renamed, and the new mailbox has them too. */
static void copy_annotations(struct prepare *p, const struct mailbox *from, uint32_t to)
{
    const struct annotations *a = &from->annotations;
    uint64_t bytes = 0;

    for (size_t i = 0; i < a->n; i++)
        bytes += strlen(a->v[i].entry) + a->v[i].len;
    if (p->acc->annotation_bytes + p->acc->annotation_staged + bytes > ANNOTATION_BYTES_MAX)
        return; /* no reason to refuse the rename */
    for (size_t i = 0; i < a->n; i++) {
        struct op op = {.kind = OP_ANNOTATE, .mailbox = to, .on = true, .name = view_str(a->v[i].entry)};

        op.value = view_make(a->v[i].value, a->v[i].len);
        op_put(&p->t->ops, &op);
    }
}

/* INBOX stays; what is in it moves to a new mailbox (RFC 9051 6.3.6). */
static int prepare_rename_inbox(struct prepare *p, struct stage *s, struct view to)
{
    struct mailbox *inbox = account_find(p->acc, VIEW("INBOX"));
    struct op op = {.kind = OP_COPY, .uid = 1, .on = true, .savedate = (int64_t)(account_now_ms(p->acc) / 1000)};
    struct uid_range all = {1, UINT32_MAX};
    const struct uidset any = {&all, 1, 1};
    struct uidset uids;
    int err;

    if (inbox == NULL)
        return ERR_NOTFOUND;
    err = mailbox_load(inbox);
    if (err == 0)
        err = put_parents(p, to);
    op.mailbox = inbox->id;
    if (err == 0) {
        op.to = p->next_id;
        err = put_create(p, to, 0, 0);
    }
    if (err != 0)
        return err;
    uidset_init(&uids);
    existing_uids(inbox, &any, &uids);
    if (p->acc->md != NULL)
        err = md_prepare_rename_inbox(p->acc, s, inbox, to, &uids, &op);
    if (err == 0) {
        put_with_uids(p, &op, &uids);
        copy_annotations(p, inbox, op.to);
    }
    uidset_free(&uids);
    return err;
}

static int prepare_rename(struct prepare *p, struct stage *s)
{
    struct view from = view_str(s->name), to = view_str(s->to_name);
    bool found = false;
    int err;

    if (account_find(p->acc, to) != NULL)
        return ERR_EXISTS;
    if (s->op.mailbox != 0) {
        s->op.name = to;
        op_put(&p->t->ops, &s->op);
        return 0;
    }
    if (name_is_inbox(from))
        return prepare_rename_inbox(p, s, to);
    err = put_parents(p, to);
    for (size_t i = names_lower_bound(p->acc, from); i < p->acc->nmailboxes && err == 0; i++) {
        struct view name = mailbox_name_view(p->acc->by_name[i]);
        struct op op = {.kind = OP_RENAME, .mailbox = p->acc->by_name[i]->id};
        struct buf b;

        if (!view_eq(name, from) && !name_below(name, from))
            break;
        found = true;
        buf_init(&b, UINT16_MAX);
        buf_put_view(&b, to);
        buf_put_view(&b, view_sub(name, from.len, name.len - from.len));
        op.name = buf_view(&b);
        if (account_find(p->acc, op.name) != NULL)
            err = ERR_EXISTS;
        op_put(&p->t->ops, &op);
        buf_free(&b);
    }
    return err != 0 ? err : found ? 0 : ERR_NOTFOUND;
}

static int prepare_identity(struct prepare *p, struct stage *s)
{
    struct mailbox *m = account_find_id(p->acc, s->op.mailbox);
    uint32_t next;
    int err = m == NULL ? ERR_NOTFOUND : take_uids(p->acc, m, 0, &next);

    if (err != 0)
        return err;
    m->batch_uidnext = m->uidvalidity == s->op.uidvalidity ? MAX_OF(next, s->op.uid) : s->op.uid;
    op_put(&p->t->ops, &s->op);
    return 0;
}

static int prepare_annotate(struct prepare *p, struct stage *s)
{
    if (s->op.mailbox != 0 && account_find_id(p->acc, s->op.mailbox) == NULL)
        return ERR_NOTFOUND;
    s->op.name = view_str(s->name);
    s->op.value = buf_view(&s->names);
    op_put(&p->t->ops, &s->op);
    return 0;
}

static int prepare_stage(struct prepare *p, struct stage *s)
{
    switch (s->kind) {
    case OP_APPEND:
        return prepare_append(p, s);
    case OP_FLAGS:
    case OP_EXPUNGE:
        return prepare_uids(p, s);
    case OP_COPY:
        return prepare_copy(p, s);
    case OP_CREATE:
        return prepare_create(p, s);
    case OP_DELETE:
        return prepare_delete(p, s);
    case OP_RENAME:
        return prepare_rename(p, s);
    case OP_SUBSCRIBE:
        s->op.name = view_str(s->name);
        op_put(&p->t->ops, &s->op);
        return 0;
    case OP_RELOCATE:
        prepare_relocate(p, s);
        return 0;
    case OP_IDENTITY:
        return prepare_identity(p, s);
    case OP_ANNOTATE:
        return prepare_annotate(p, s);
    case OP_RECENT:
    case OP_UIDL:
        s->op.name = view_str(s->name);
        op_put(&p->t->ops, &s->op);
        return 0;
    case OP_APPEND_FILE:
    case OP_COPY_FILE:
    case OP_JUMP:
    case OP_CLEAN:
    case OP_KIND_END:
        break;
    }
    PANIC("a stage of a kind that is not staged");
}

int txn_prepare(struct txn *t)
{
    struct prepare p = {t, t->acc, t->acc->next_mailbox_id, t->acc->last_uidvalidity};
    int err = 0;

    for (struct stage *s = t->first; s != NULL && err == 0; s = s->next)
        err = prepare_stage(&p, s);
    return err == 0 && !buf_ok(&t->ops) ? ERR_LIMIT : err;
}
