/*
 * Staging. A staged change names mailboxes by id, because a mailbox may be gone when the transaction is written; what it can be
 * refused for is checked here, and quota and keyword slots are reserved until the transaction ends, so that two transactions of
 * one tick cannot both take the last one.
 */
#include "storage/maildir_hooks_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/message/digest.h"

#define MESSAGE_MAX ((uint64_t)1 << 30)
#define DIGEST_MAX ((size_t)4 << 20)

struct txn *txn_begin(struct account *acc)
{
    struct txn *t = xcalloc(1, sizeof(*t));

    t->acc = acc;
    t->last = &t->first;
    buf_init(&t->ops, UINT32_MAX);
    buf_init(&t->folders, UINT32_MAX);
    acc->open_txns++;
    return t;
}

void stage_free(struct account *acc, struct stage *s)
{
    struct mailbox *m = s->keywords_new > 0 ? account_find_id(acc, s->kind == OP_COPY ? s->op.to : s->op.mailbox) : NULL;

    if (m != NULL)
        m->keywords_staged -= s->keywords_new;
    if (s->message.map != NULL) {
        guard_remove(&s->message.guard);
        munmap(s->message.map, s->message.map_len);
    }
    free(s->message.mem);
    relocation_free(&s->relocation);
    if (s->made_dir != NULL)
        md_stage_end(acc, s);
    if (s->kind == OP_ANNOTATE)
        annotation_stage_end(acc, s);
    buf_free(&s->names);
    buf_free(&s->keywords);
    buf_free(&s->digest);
    uidset_free(&s->uids);
    free(s->name);
    free(s->to_name);
    free(s);
}

void txn_free(struct txn *t)
{
    struct stage *s, *next;

    for (s = t->first; s != NULL; s = next) {
        next = s->next;
        s->applied = t->applied;
        stage_free(t->acc, s);
    }
    if (buf_len(&t->folders) > 0 && !t->applied)
        md_discard_folders(t->acc, buf_view(&t->folders));
    t->acc->bytes_staged -= t->bytes_staged;
    t->acc->messages_staged -= t->messages_staged;
    t->acc->open_txns--;
    buf_free(&t->folders);
    buf_free(&t->ops);
    free(t->iov);
    free(t);
}

void txn_abort(struct txn **t)
{
    if (*t != NULL)
        txn_free(*t);
    *t = NULL;
}

void txn_commit(struct txn **t, txn_done_fn *done, void *arg)
{
    struct account *acc = (*t)->acc;

    (*t)->done = done;
    (*t)->arg = arg;
    *acc->queue_end = *t; /* transferred */
    acc->queue_end = &(*t)->next;
    *t = NULL;
}

/* Whether this mailbox can be changed now. */
static int check_writable(const struct txn *t, struct mailbox *m)
{
    return account_read_only(t->acc) ? ERR_IO : mailbox_load(m);
}

struct stage *stage_new(enum op_kind kind)
{
    struct stage *s = xcalloc(1, sizeof(*s));

    s->kind = kind;
    s->op.kind = kind;
    buf_init(&s->keywords, (size_t)1 << 20);
    buf_init(&s->digest, DIGEST_MAX);
    buf_init(&s->names, UINT32_MAX);
    return s;
}

void stage_add(struct txn *t, struct stage *s)
{
    *t->last = s;
    t->last = &s->next;
    if (s->kind != OP_FLAGS)
        t->durable = true;
}

static bool exceeds(uint64_t used, uint64_t freed, uint64_t limit)
{
    return used > freed && used - freed > limit;
}

/* Space for bytes more octets and messages more messages. */
static int reserve_quota(struct txn *t, uint64_t bytes, uint64_t messages)
{
    struct account *acc = t->acc;
    uint64_t used = acc->bytes + acc->bytes_staged, count = acc->messages + acc->messages_staged;
    struct quota_limits limits = account_limits(acc);

    if (exceeds(used + bytes, t->bytes_freed, limits.bytes) || exceeds(count + messages, t->messages_freed, limits.messages))
        return ERR_QUOTA;
    t->bytes_staged += bytes;
    acc->bytes_staged += bytes;
    t->messages_staged += messages;
    acc->messages_staged += messages;
    return 0;
}

static int reserve_keywords(struct stage *s, struct mailbox *m, unsigned n)
{
    if (m->nkeywords + m->keywords_staged + n > KEYWORDS_MAX)
        return ERR_LIMIT;
    m->keywords_staged += n;
    s->keywords_new = n;
    return 0;
}

int stage_keywords(struct stage *s, struct mailbox *m, const struct view *keywords, size_t n, bool create)
{
    unsigned fresh = 0;

    if (n > KEYWORDS_MAX)
        return ERR_LIMIT;
    for (size_t i = 0; i < n; i++) {
        if (keywords[i].len == 0)
            return ERR_SYNTAX;
        if (keywords[i].len > KEYWORD_LEN_MAX)
            return ERR_LIMIT;
        fresh += mailbox_keyword_find(m, keywords[i]) < 0;
    }
    op_put_keywords(&s->keywords, keywords, n);
    return create && fresh > 0 ? reserve_keywords(s, m, fresh) : 0;
}

/* --- append ------------------------------------------------------------------------------------------------------- */

static int read_fd(const struct message_source *src, uint8_t *p)
{
    size_t off = 0;

    while (off < src->fd_size) {
        ssize_t n = pread(src->fd, p + off, (size_t)src->fd_size - off, (off_t)(src->fd_offset + off));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0)
            return ERR_IO;
        off += (size_t)n;
    }
    return 0;
}

#define MAP_MIN ((size_t)256 << 10) /* below, what is in parts and in a descriptor is copied together */

static void copy_parts(const struct message_source *src, uint8_t *p)
{
    for (size_t i = 0; i < ARRAY_LEN(src->parts); i++) {
        if (src->parts[i].len > 0)
            memcpy(p, src->parts[i].ptr, src->parts[i].len);
        p += src->parts[i].len;
    }
}

/* The descriptor is a spool file or a sealed memfd, whose content lives as long as the mapping. Parts lie in front of its first
 * page, so that all is in one piece and the large part of it in no memory of ours. */
static int load_map(struct stage *s, const struct message_source *src, size_t in_memory)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (size_t)src->fd_offset % page;
    size_t head = (in_memory + page - 1) / page * page, len = head + before + (size_t)src->fd_size;
    struct stat st;
    uint8_t *map;

    if (fstat(src->fd, &st) != 0)
        return err_from_errno(errno);
    if (st.st_size < 0 || src->fd_offset > (uint64_t)st.st_size || src->fd_size > (uint64_t)st.st_size - src->fd_offset)
        return ERR_IO;
    map = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return err_from_errno(errno);
    guard_add(&s->message.guard, map, len);
    s->message.map = map;
    s->message.map_len = len;
    if (mmap(map + head, len - head, PROT_READ, MAP_PRIVATE | MAP_FIXED, src->fd, (off_t)(src->fd_offset - before)) == MAP_FAILED)
        return err_from_errno(errno);
    if (head > 0 && mmap(map, head, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        return err_from_errno(errno);
    copy_parts(src, map + head - in_memory);
    s->message.bytes = view_make(map + head + before - in_memory, in_memory + (size_t)src->fd_size);
    return 0;
}

static int load_message(struct stage *s, const struct message_source *src)
{
    size_t in_memory = 0, total;
    uint8_t *p;

    for (size_t i = 0; i < ARRAY_LEN(src->parts); i++) {
        if (src->parts[i].len > MESSAGE_MAX)
            return ERR_LIMIT;
        in_memory += src->parts[i].len;
    }
    if (in_memory > MESSAGE_MAX || (src->fd >= 0 && src->fd_size > MESSAGE_MAX - in_memory))
        return ERR_LIMIT;
    total = in_memory + (src->fd >= 0 ? (size_t)src->fd_size : 0);
    if (total > in_memory && (in_memory == 0 || (src->fd_size >= MAP_MIN && src->fd_offset == 0)))
        return load_map(s, src, in_memory);
    p = malloc(total > 0 ? total : 1);
    if (p == NULL)
        return ERR_NOMEM;
    s->message.mem = p;
    s->message.bytes = view_make(p, total);
    copy_parts(src, p);
    return src->fd >= 0 ? read_fd(src, p + in_memory) : 0;
}

/* changed: its octets are not those of src. */
static void fill_append(struct txn *t, struct stage *s, const struct mailbox *m, const struct message_source *src, bool changed,
                        const struct append_options *opt)
{
    int64_t now = (int64_t)(account_now_ms(t->acc) / 1000);

    s->op.mailbox = m->id;
    s->op.uid = opt->uid;
    s->uid_given = opt->uid != 0;
    s->op.flags = opt->flags & REC_FLAGS;
    s->op.date = opt->has_date ? opt->date : now;
    s->op.zone = opt->has_date ? opt->zone_minutes : 0;
    s->op.savedate = now;
    s->name = opt->uidl.len > 0 ? view_dup(opt->uidl) : NULL;
    stage_message(s, changed ? NULL : src->content_id, changed ? NULL : src->structure);
    if (t->acc->md == NULL)
        blob_head_make(BLOB_MESSAGE, s->op.emailid, s->message.bytes, s->message_head);
}

void stage_message(struct stage *s, const uint8_t *content_id, const struct mime_msg *structure)
{
    s->op.size = s->message.bytes.len;
    if (s->op.size > 0 && s->message.bytes.ptr[s->op.size - 1] != '\n')
        s->op.flags |= REC_OPEN_END;
    if (content_id != NULL)
        memcpy(s->op.emailid, content_id, CONTENT_ID_SIZE);
    else
        content_id_of(s->message.bytes, s->op.emailid);
    digest_build_from(s->message.bytes, structure, &message_limits_default, &s->digest);
    /* A digest that is too large is left out: it can be made again from the message. */
    if (!buf_ok(&s->digest))
        buf_reset(&s->digest);
    s->op.digest_len = (uint32_t)buf_len(&s->digest);
    if (s->op.digest_len > 0)
        blob_head_make(BLOB_DIGEST, NULL, buf_view(&s->digest), s->digest_head);
}

int txn_append(struct txn *t, struct mailbox *m, const struct message_source *src, const struct append_options *opt)
{
    struct stage *s = stage_new(OP_APPEND);
    int err = check_writable(t, m);
    uint64_t size;

    s->op.mailbox = m->id;
    if (err == 0 && opt->uid != 0 && (opt->uid < m->uidnext || opt->uid == UINT32_MAX))
        err = ERR_RANGE;
    if (err == 0)
        err = load_message(s, src);
    size = s->message.bytes.len;
    if (err == 0 && t->acc->md != NULL)
        err = md_stage_crlf(s);
    if (err == 0)
        err = stage_keywords(s, m, opt->keywords, opt->nkeywords, true);
    if (err == 0)
        err = reserve_quota(t, s->message.bytes.len, 1);
    if (err == 0)
        fill_append(t, s, m, src, size != s->message.bytes.len, opt);
    if (err == 0 && guard_failed(&s->message.guard))
        err = ERR_IO;
    if (err == 0 && t->acc->md != NULL)
        err = md_stage_append(t->acc, m, s);
    if (err != 0)
        stage_free(t->acc, s);
    else
        stage_add(t, s);
    return err;
}

/* --- relocation ---------------------------------------------------------------------------------------------------- */

void relocation_add(struct relocation *r, const struct mailbox *m, const struct msg_rec *rec)
{
    if (r->n == r->cap) {
        r->cap = MAX_OF(r->cap * 2, (size_t)2);
        r->refs = xreallocarray(r->refs, r->cap, sizeof(*r->refs));
    }
    r->rec = *rec;
    r->refs[r->n].mailbox = m->id;
    r->refs[r->n++].uid = rec->uid;
}

void relocation_free(struct relocation *r)
{
    free(r->refs);
    memset(r, 0, sizeof(*r));
}

int txn_relocate(struct txn *t, struct relocation *r)
{
    struct stage *s = stage_new(OP_RELOCATE);
    struct msg_data data;
    int err = message_data(t->acc, &r->rec, &data);

    if (err != 0) {
        stage_free(t->acc, s);
        return err;
    }
    s->message.mem = malloc(data.bytes.len > 0 ? data.bytes.len : 1);
    if (s->message.mem == NULL) {
        err = ERR_NOMEM;
    } else {
        if (data.bytes.len > 0)
            memcpy(s->message.mem, data.bytes.ptr, data.bytes.len);
        s->message.bytes = view_make(s->message.mem, data.bytes.len);
        blob_head_make(BLOB_MESSAGE, r->rec.emailid, s->message.bytes, s->message_head);
    }
    msg_data_close(&data);
    if (err == 0 && r->rec.dig_len > 0 && r->rec.dig_mbox == 0) {
        struct view digest;

        /* One that is damaged is made again, and may be longer then: without one, it is made when it is asked for. */
        if (message_digest(t->acc, &r->rec, &digest) == 0 && digest.len == r->rec.dig_len)
            buf_put_view(&s->digest, digest);
        s->op.digest_len = (uint32_t)buf_len(&s->digest);
        if (s->op.digest_len > 0)
            blob_head_make(BLOB_DIGEST, NULL, buf_view(&s->digest), s->digest_head);
    }
    if (err != 0) {
        stage_free(t->acc, s);
        return err;
    }
    s->relocation = *r; /* transferred */
    r->refs = NULL;
    r->n = r->cap = 0;
    stage_add(t, s);
    return 0;
}

/* --- changes of messages ---------------------------------------------------------------------------------------------- */

static void copy_uids(struct uidset *dst, const struct uidset *src)
{
    for (size_t i = 0; i < src->n; i++)
        uidset_add_range(dst, src->ranges[i].first, src->ranges[i].last);
}

int txn_flags(struct txn *t, struct mailbox *m, const struct uidset *uids, const struct flag_change *change)
{
    struct stage *s;
    int err = check_writable(t, m);

    if (err != 0)
        return err;
    s = stage_new(OP_FLAGS);
    s->op.mailbox = m->id;
    s->op.how = change->op;
    s->op.flags = (change->flags & REC_FLAGS) | (change->keep & REC_FLAGS) << FLAGS_KEEP_SHIFT;
    s->op.flags |= change->keep_keywords ? FLAGS_KEEP_KEYWORDS : 0;
    s->op.has_unchangedsince = change->has_unchangedsince;
    s->op.unchangedsince = change->unchangedsince;
    copy_uids(&s->uids, uids);
    err = stage_keywords(s, m, change->keywords, change->nkeywords, change->op != FLAGS_REMOVE);
    if (err != 0)
        stage_free(t->acc, s);
    else
        stage_add(t, s);
    return err;
}

struct copy_need {
    uint64_t bytes, messages;
    struct keyword_set keywords;
};

static void measure_copy(const struct mailbox *m, const struct uidset *uids, struct copy_need *need)
{
    for (size_t r = 0; r < uids->n; r++) {
        for (uint32_t i = mailbox_rec_at(m, uids->ranges[r].first); i < mailbox_nrecs(m); i++) {
            const struct msg_rec *rec = mailbox_rec(m, i);

            if (rec->uid > uids->ranges[r].last)
                break;
            if ((rec->flags & REC_GONE) != 0)
                continue;
            need->bytes += rec->size;
            need->messages++;
            for (size_t k = 0; k < ARRAY_LEN(need->keywords.bits); k++)
                need->keywords.bits[k] |= rec->keywords.bits[k];
        }
    }
}

int txn_expunge(struct txn *t, struct mailbox *m, const struct uidset *uids)
{
    struct copy_need freed = {0};
    struct stage *s;
    int err = check_writable(t, m);

    if (err != 0)
        return err;
    measure_copy(m, uids, &freed);
    t->bytes_freed += freed.bytes;
    t->messages_freed += freed.messages;
    s = stage_new(OP_EXPUNGE);
    s->op.mailbox = m->id;
    copy_uids(&s->uids, uids);
    stage_add(t, s);
    return 0;
}

int txn_copy(struct txn *t, struct mailbox *from, const struct uidset *uids, struct mailbox *to, bool move)
{
    struct copy_need need = {0};
    unsigned fresh = 0;
    struct stage *s;
    int err = check_writable(t, from);

    if (err == 0)
        err = check_writable(t, to);
    if (err != 0)
        return err;
    measure_copy(from, uids, &need);
    for (unsigned k = 0; k < from->nkeywords && from != to; k++) {
        if ((need.keywords.bits[k / 64] & (uint64_t)1 << (k % 64)) != 0)
            fresh += mailbox_keyword_find(to, view_str(from->keywords[k])) < 0;
    }
    s = stage_new(OP_COPY);
    s->op.mailbox = from->id;
    s->op.to = to->id;
    s->op.on = move;
    s->op.savedate = (int64_t)(account_now_ms(t->acc) / 1000);
    copy_uids(&s->uids, uids);
    err = fresh > 0 ? reserve_keywords(s, to, fresh) : 0;
    if (err == 0 && !move)
        err = reserve_quota(t, need.bytes, need.messages);
    if (err != 0)
        stage_free(t->acc, s);
    else
        stage_add(t, s);
    return err;
}

void txn_copy_flags(struct txn *t, unsigned flags, bool keywords)
{
    struct stage *s = t->first;

    while (s->next != NULL)
        s = s->next;
    ASSERT(s->kind == OP_COPY);
    s->op.flags = (flags & REC_FLAGS) << FLAGS_KEEP_SHIFT | (keywords ? FLAGS_KEEP_KEYWORDS : 0);
    s->flags_limited = true;
}

/* --- changes of names -------------------------------------------------------------------------------------------------- */

static void stage_name(struct txn *t, struct stage *s, struct view name)
{
    s->name = view_dup(name);
    t->structural = true;
    stage_add(t, s);
}

/* How many mailboxes are missing above this name, and are made with it. */
static size_t parents_missing(struct account *acc, struct view name)
{
    size_t n = 0;

    for (size_t i = 0; i < name.len; i++)
        n += name.ptr[i] == '/' && account_find(acc, view_sub(name, 0, i)) == NULL;
    return n;
}

/* more: mailboxes that there are then. */
static int check_new_name(struct account *acc, struct view name, size_t more)
{
    int err = account_check_name(name);

    if (err == 0 && acc->md != NULL)
        err = md_check_name(name);
    if (err != 0)
        return err;
    if (account_find(acc, name) != NULL)
        return ERR_EXISTS;
    if (more > 0 && acc->nmailboxes + more > account_limits(acc).mailboxes)
        return ERR_LIMIT;
    return account_read_only(acc) ? ERR_IO : 0;
}

static int stage_create(struct txn *t, struct view name, unsigned use, bool alone)
{
    char canonical[NAME_LEN_LIMIT];
    struct stage *s;
    int err = check_new_name(t->acc, name, 1 + (alone ? 0 : parents_missing(t->acc, name)));

    if (err != 0)
        return err;
    s = stage_new(OP_CREATE);
    s->op.use = use;
    s->op.on = alone;
    stage_name(t, s, name_canonical(name, canonical));
    return 0;
}

int txn_create(struct txn *t, struct view name, unsigned use)
{
    return stage_create(t, name, use, false);
}

int txn_create_alone(struct txn *t, struct view name, unsigned use)
{
    return stage_create(t, name, use, true);
}

int txn_identity(struct txn *t, struct mailbox *m, uint32_t uidvalidity, uint32_t uidnext)
{
    struct stage *s;
    int err = check_writable(t, m);

    if (err != 0)
        return err;
    if (uidvalidity == 0 || uidnext == 0 || uidnext == UINT32_MAX)
        return ERR_RANGE;
    if (uidvalidity != m->uidvalidity && (m->messages > 0 || m->views != NULL))
        return ERR_STATE;
    s = stage_new(OP_IDENTITY);
    s->op.mailbox = m->id;
    s->op.uidvalidity = uidvalidity;
    s->op.uid = uidnext;
    t->structural = true;
    stage_add(t, s);
    return 0;
}

int txn_delete(struct txn *t, struct view name)
{
    struct mailbox *m = account_find(t->acc, name);
    struct stage *s;

    if (m == NULL)
        return ERR_NOTFOUND;
    if (name_is_inbox(name))
        return ERR_DENIED;
    if (account_read_only(t->acc))
        return ERR_IO;
    s = stage_new(OP_DELETE);
    s->op.mailbox = m->id;
    stage_name(t, s, mailbox_name_view(m));
    return 0;
}

/* Every name that a rename makes must be free and allowed. */
static int check_rename_tree(struct account *acc, struct view from, struct view to)
{
    size_t i = names_lower_bound(acc, from), found = 0;

    for (; i < acc->nmailboxes; i++) {
        struct view name = mailbox_name_view(acc->by_name[i]), rest;
        struct buf b;
        int err;

        if (!view_eq(name, from) && !name_below(name, from))
            break;
        found++;
        rest = view_sub(name, from.len, name.len - from.len);
        buf_init(&b, to.len + rest.len);
        buf_put_view(&b, to);
        buf_put_view(&b, rest);
        err = account_check_name(buf_view(&b));
        if (err == 0 && acc->md != NULL)
            err = md_check_name(buf_view(&b));
        if (err == 0 && account_find(acc, buf_view(&b)) != NULL)
            err = ERR_EXISTS;
        buf_free(&b);
        if (err != 0)
            return err;
    }
    return found > 0 ? 0 : ERR_NOTFOUND;
}

int txn_rename(struct txn *t, struct view from, struct view to)
{
    char from_buf[NAME_LEN_LIMIT], to_buf[NAME_LEN_LIMIT];
    struct view f = name_canonical(from, from_buf), n = name_canonical(to, to_buf);
    bool inbox = name_is_inbox(from);
    struct stage *s;
    int err = check_new_name(t->acc, to, inbox + parents_missing(t->acc, n));

    if (f.len == 0)
        return ERR_NOTFOUND;
    if (err == 0 && !inbox)
        err = name_below(n, f) ? ERR_DENIED : check_rename_tree(t->acc, f, n);
    if (err != 0)
        return err;
    s = stage_new(OP_RENAME);
    s->to_name = view_dup(n);
    stage_name(t, s, f);
    return 0;
}

int txn_rename_one(struct txn *t, struct mailbox *m, struct view to)
{
    struct stage *s;
    int err = check_new_name(t->acc, to, 0);

    if (err != 0)
        return err;
    s = stage_new(OP_RENAME);
    s->op.mailbox = m->id;
    s->to_name = view_dup(to);
    stage_name(t, s, mailbox_name_view(m));
    return 0;
}

int txn_subscribe(struct txn *t, struct view name, bool on)
{
    char canonical[NAME_LEN_LIMIT];
    struct stage *s;
    int err = account_check_name(name);

    if (err != 0)
        return err;
    if (account_read_only(t->acc))
        return ERR_IO;
    if (on && t->acc->params.mailboxes_max != 0 && t->acc->nsubs >= 2 * t->acc->params.mailboxes_max)
        return ERR_LIMIT;
    s = stage_new(OP_SUBSCRIBE);
    s->op.on = on;
    s->name = view_dup(name_canonical(name, canonical));
    stage_add(t, s);
    return 0;
}
