/*
 * Listing a folder and taking over what other programs did in it: new files, vanished files, flags in names.
 *
 * new/ is listed before cur/, since files go that way. A file that is renamed while a directory is read may not be seen at all,
 * so what is missing is looked for in a second listing before its message is expunged. A record whose file is in tmp/ is one that
 * a crash kept from being moved; it is moved now.
 *
 * Flags: what a name showed when it was seen last is known, so a name that changed says which flags were set and which were taken
 * away, and only those change in the record. At the first listing there is nothing to compare with: then the name counts, unless
 * the record says that its flags were not shown yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"

#define BATCH_MESSAGES 256
#define BATCH_BYTES ((uint64_t)32 << 20)
#define UIDLIST "dovecot-uidlist"
#define UIDLIST_HEAD 512
#define UIDLIST_MAX ((size_t)256 << 20)
#define LAZY_MIN 64 /* new files in one scan from which on those that say how large they are are not read at once */

struct fresh {
    uint64_t hash;
    uint64_t time;
    uint32_t uid; /* from dovecot-uidlist; UINT32_MAX: none */
    char *uidl;   /* owned */
};

struct scan {
    struct mailbox *m;
    struct md_box *box;
    struct maildir *md;
    struct account *acc;
    int fds[3];
    unsigned places;
    enum md_place now; /* being listed */
    bool full, first, recheck, adopt;
    struct fresh *fresh;
    size_t nfresh, cfresh;
    uint32_t next_uid; /* of dovecot-uidlist */
};

/* --- listing --------------------------------------------------------------------------------------------- */

static void add_fresh(struct scan *s, uint64_t hash, const struct md_name *n)
{
    if (s->nfresh == s->cfresh) {
        s->cfresh = MAX_OF(s->cfresh * 2, (size_t)16);
        s->fresh = xreallocarray(s->fresh, s->cfresh, sizeof(*s->fresh));
    }
    s->fresh[s->nfresh++] = (struct fresh){hash, md_name_time(n->base), UINT32_MAX, NULL};
}

static void add_news(struct scan *s, const struct flag_news *news)
{
    struct md_box *box = s->box;

    if ((news->add | news->remove) == 0 && (news->add_letters | news->remove_letters) == 0)
        return;
    if (box->nnews == box->cnews) {
        box->cnews = MAX_OF(box->cnews * 2, (size_t)16);
        box->news = xreallocarray(box->news, box->cnews, sizeof(*box->news));
    }
    box->news[box->nnews++] = *news;
}

/* The name of a message's file changed. */
static void compare_names(struct scan *s, const struct md_file *f, const struct md_name *now)
{
    struct md_name before;

    if (f->uid == 0 || f->place == MD_TMP || !md_name_parse(view_str(f->name), &before))
        return;
    add_news(s, &(struct flag_news){f->uid, now->flags & ~before.flags, before.flags & ~now->flags,
                                    now->letters & ~before.letters, before.letters & ~now->letters});
}

/* Two names with one base: a file that was renamed between two looks, or two files, or one with two names. Each message has one
 * file: a second one gets a name of its own, and so becomes a message. True: f is the one called `name` now. */
static bool resolve_twin(struct scan *s, const struct md_file *f, const char *name)
{
    struct stat here, there;
    char *other;

    if (f->place == s->now && strcmp(f->name, name) == 0)
        return false;
    if (md_stat(s->md->disk, s->fds[f->place], f->name, &there) != 0)
        return errno == ENOENT;
    if (md_stat(s->md->disk, s->fds[s->now], name, &here) != 0)
        return false;
    if (here.st_ino == there.st_ino && here.st_dev == there.st_dev)
        return f->place != s->now && s->now == MD_CUR; /* that way they go */
    other = md_unique_like(s->md, name);
    if (other != NULL && md_rename(s->md, s->fds[s->now], name, s->fds[s->now], other) == 0)
        md_box_touch(s->m, 1u << s->now);
    else
        md_box_failed(s->m, "two files with one base name", ERR_EXISTS);
    free(other);
    return false;
}

static void seen_again(struct scan *s, struct md_file *f, const char *name, const struct md_name *n)
{
    bool same = f->place == s->now && strcmp(f->name, name) == 0;

    if ((f->gen == s->box->gen || !same) && !resolve_twin(s, f, name))
        return;
    f->gen = s->box->gen;
    if (!same) {
        compare_names(s, f, n);
        s->box->nnew += f->uid != 0 ? (s->now == MD_NEW) - (f->place == MD_NEW) : 0;
        f->bad = false;
        md_file_set(f, s->now, name);
    }
    if (f->uid == 0 && !f->bad && !s->recheck)
        add_fresh(s, f->hash, n);
}

static bool see_file(void *arg, const char *name)
{
    struct scan *s = arg;
    struct md_name n;
    struct md_file *f;
    uint64_t hash;

    if (!md_name_parse(view_str(name), &n))
        return true;
    hash = md_name_hash(n.base);
    if (md_map_find(&s->box->dead, hash) != NULL) {
        /* Its message was expunged before a crash. */
        if (md_unlink(s->md->disk, s->fds[s->now], name, 0) != 0 && errno != ENOENT)
            md_box_failed(s->m, "cannot remove the file of an expunged message", err_from_errno(errno));
        s->box->unsynced = true;
        return true;
    }
    f = md_map_find(&s->box->files, hash);
    if (f != NULL) {
        seen_again(s, f, name, &n);
        return true;
    }
    f = md_map_add(&s->box->files, hash, s->now, name);
    f->gen = s->box->gen;
    if (!s->recheck)
        add_fresh(s, hash, &n);
    else
        md_box_touch(s->m, 1u << s->now);
    return true;
}

static int list_places(struct scan *s)
{
    static const enum md_place order[] = {MD_NEW, MD_CUR};
    struct stat st;
    int err = 0;

    for (size_t i = 0; i < ARRAY_LEN(order) && err == 0; i++) {
        if ((s->places & 1u << order[i]) == 0)
            continue;
        s->now = order[i];
        if (s->md->disk->ops->fstat(s->md->disk, s->fds[s->now], &st) != 0)
            return err_from_errno(errno);
        /* What is changed in the same tick of the file system's clock could not be told from this. */
        s->box->mtime[s->now] = st.st_mtim;
        if ((uint64_t)st.st_mtim.tv_sec + 2 > account_now_ms(s->acc) / 1000)
            s->box->mtime[s->now].tv_nsec = -1;
        err = md_dir_list(s->md, s->fds[s->now], see_file, s);
    }
    return err;
}

/* --- what is missing ------------------------------------------------------------------------------------- */

static bool see_tmp(void *arg, const char *name)
{
    struct scan *s = arg;
    struct md_name n;
    uint64_t hash;

    if (!md_name_parse(view_str(name), &n))
        return true;
    hash = md_name_hash(n.base);
    if (md_map_find(&s->box->files, hash) == NULL) {
        struct md_file *f = md_map_add(&s->box->files, hash, MD_TMP, name);

        f->gen = s->box->gen;
    }
    return true;
}

/* Files in tmp/ that are no message's: whoever writes them may still do so, and by the rules of Maildir they may be removed after
 * 36 hours. */
static void forget_tmp(struct scan *s)
{
    struct stat st;

    for (size_t i = 0; i < s->box->files.cap;) {
        struct md_file *f = &s->box->files.v[i];
        uint64_t hash = f->hash;

        if (hash == 0 || f->place != MD_TMP || f->uid != 0) {
            i++;
            continue;
        }
        if (md_stat(s->md->disk, s->fds[MD_TMP], f->name, &st) == 0 && S_ISREG(st.st_mode) &&
            (uint64_t)st.st_ctim.tv_sec + 36u * 3600 < account_now_ms(s->acc) / 1000)
            (void)md_unlink(s->md->disk, s->fds[MD_TMP], f->name, 0); /* rubbish; tried again at the next open */
        md_map_remove(&s->box->files, hash);                          /* another may have moved to i */
    }
}

static void first_flags(struct scan *s, const struct msg_rec *rec, const struct md_file *f)
{
    uint32_t letters = md_letters_of(s->m, &rec->keywords);
    unsigned flags = rec->flags & REC_FLAGS;
    struct md_name n;

    if ((rec->flags & REC_RENAME) != 0 || f->place == MD_TMP) {
        idx_add(&s->box->renames, rec->uid);
        return;
    }
    if (md_name_parse(view_str(f->name), &n))
        add_news(s,
                 &(struct flag_news){rec->uid, n.flags & ~flags, flags & ~n.flags, n.letters & ~letters, letters & ~n.letters});
}

/* Which file is which message's, at the first listing. Returns how many records have none. */
static size_t bind_records(struct scan *s, bool tmp)
{
    size_t missing = 0;

    for (uint32_t i = 0; i < mailbox_nrecs(s->m); i++) {
        const struct msg_rec *rec = mailbox_rec(s->m, i);
        struct md_file *f;

        if ((rec->flags & REC_GONE) != 0 || rec->seg != 0)
            continue;
        f = md_map_find(&s->box->files, rec->file);
        if (f == NULL) {
            missing++;
            if (tmp)
                uidset_add(&s->box->vanished, rec->uid);
            continue;
        }
        if (f->uid != 0)
            continue;
        f->uid = rec->uid;
        s->box->nnew += f->place == MD_NEW;
        first_flags(s, rec, f);
        if (f->place == MD_TMP)
            md_publish_later(s->m, rec->file);
    }
    return missing;
}

static int bind_first(struct scan *s)
{
    size_t missing = bind_records(s, false);
    int err;

    if (missing > 0) {
        s->recheck = true;
        err = list_places(s);
        s->recheck = false;
        if (err != 0)
            return err;
    }
    err = md_dir_list(s->md, s->fds[MD_TMP], see_tmp, s);
    if (err != 0)
        return err;
    (void)bind_records(s, true);
    forget_tmp(s);
    return 0;
}

/* Messages whose file was not seen by this listing. */
static size_t count_unseen(struct scan *s, bool take)
{
    struct md_map *files = &s->box->files;
    size_t n = 0;

    for (size_t i = 0; i < files->cap;) {
        struct md_file *f = &files->v[i];

        if (f->hash == 0 || f->gen == s->box->gen || f->place == MD_TMP || (s->places & 1u << f->place) == 0) {
            i++;
            continue;
        }
        n++;
        if (!take) {
            i++;
            continue;
        }
        s->box->nnew -= f->place == MD_NEW && f->uid != 0;
        if (f->uid != 0)
            uidset_add(&s->box->vanished, f->uid);
        md_map_remove(files, f->hash);
    }
    return n;
}

static int find_missing(struct scan *s)
{
    int err;

    if (count_unseen(s, false) == 0)
        return 0;
    s->recheck = true;
    s->places = 1u << MD_NEW | 1u << MD_CUR;
    err = list_places(s);
    s->recheck = false;
    if (err == 0)
        (void)count_unseen(s, true);
    return err;
}

/* --- new messages ---------------------------------------------------------------------------------------- */

static int fresh_order(const void *a, const void *b)
{
    const struct fresh *x = a, *y = b;

    if (x->uid != y->uid)
        return x->uid < y->uid ? -1 : 1;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int hash_order(const void *a, const void *b)
{
    const struct fresh *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static struct fresh *fresh_find(struct scan *s, uint64_t hash)
{
    struct fresh key = {.hash = hash};

    return s->nfresh > 0 ? bsearch(&key, s->fresh, s->nfresh, sizeof(key), hash_order) : NULL;
}

/* Its UIDs are still to be taken over: a mailbox that was just made for its folder, or a crash or a full disk came when only some
 * messages were. From then on our own next UID is not below that of the list. */
static bool adoption_due(const struct scan *s)
{
    uint8_t head[UIDLIST_HEAD];
    struct md_uidlist list;
    struct stat st;
    ssize_t n = -1;
    int dir, fd;

    if (mailbox_nrecs(s->m) == 0 && s->m->uidnext == 1)
        return true;
    if (md_dir_open(s->md, md_box_dir(s->m), MD_SELF, &dir) != 0)
        return false;
    if (md_file_open(s->md, dir, UIDLIST, &fd, &st) == 0) {
        n = s->md->disk->ops->read(s->md->disk, fd, head, sizeof(head), 0);
        (void)md_close(s->md->disk, fd);
    }
    (void)md_close(s->md->disk, dir);
    return n > 0 && md_uidlist_begin(&list, view_make(head, (size_t)n)) == 0 && list.uidvalidity == s->m->uidvalidity &&
           list.next_uid > s->m->uidnext;
}

/* UIDs that Dovecot gave. */
static void read_uidlist(struct scan *s)
{
    struct md_uidlist list;
    struct md_uid u;
    struct buf b;
    int fd, err = md_dir_open(s->md, md_box_dir(s->m), MD_SELF, &fd);

    if (err != 0)
        return;
    err = md_file_read(s->md, fd, UIDLIST, UIDLIST_MAX, &b);
    (void)md_close(s->md->disk, fd);
    if (err != 0)
        return;
    if (md_uidlist_begin(&list, buf_view(&b)) == 0 && list.uidvalidity == s->m->uidvalidity) {
        if (s->nfresh > 0)
            qsort(s->fresh, s->nfresh, sizeof(*s->fresh), hash_order);
        while (md_uidlist_next(&list, &u)) {
            struct fresh *f = fresh_find(s, md_name_hash(u.base));

            if (f == NULL || f->uid != UINT32_MAX || u.uid < s->m->uidnext)
                continue;
            f->uid = u.uid;
            f->uidl = u.uidl.len > 0 ? view_dup(u.uidl) : NULL;
        }
        s->next_uid = MAX_OF(list.next_uid, list.last + 1);
        if (s->next_uid <= s->m->uidnext)
            s->next_uid = 0;
    }
    buf_free(&b);
}

/* Size and digest of what a file holds; or only the size, where its name says it and there is too much to read. */
static int read_message(struct scan *s, struct stage *st, const struct md_file *f, const struct md_name *n)
{
    uint64_t file_size, size;
    struct stat sb;
    uint8_t *mem;
    int fd, err = md_file_open(s->md, s->fds[f->place], f->name, &fd, &sb);

    if (err != 0)
        return err;
    (void)md_close(s->md->disk, fd);
    st->op.date = sb.st_mtim.tv_sec;
    if (s->nfresh >= LAZY_MIN && md_name_size(n->base, 'S', &file_size) && md_name_size(n->base, 'W', &size) &&
        file_size == (uint64_t)sb.st_size && size >= file_size && size <= file_size * 2) {
        st->op.size = size;
        content_id_of(n->base, st->op.emailid);
        return 0;
    }
    err = md_message_read(s->md, s->fds[f->place], f->name, &mem, &st->message.bytes, &fd);
    if (err != 0)
        return err;
    if (fd >= 0)
        (void)md_close(s->md->disk, fd);
    st->message.mem = mem; /* transferred */
    stage_message(st, NULL, NULL);
    return 0;
}

static int stage_file(struct scan *s, struct txn *t, const struct fresh *fresh, const struct md_file *f, uint64_t *bytes)
{
    struct stage *st = stage_new(OP_APPEND);
    struct view keywords[MD_LETTERS];
    struct md_name n;
    int err = md_name_parse(view_str(f->name), &n) ? read_message(s, st, f, &n) : ERR_SYNTAX;

    if (err != 0) {
        stage_free(s->acc, st);
        return err;
    }
    *bytes += st->message.bytes.len;
    free(st->message.mem);
    memset(&st->message, 0, sizeof(st->message));
    st->op.kind = OP_APPEND_FILE;
    st->op.mailbox = s->m->id;
    st->op.flags |= n.flags;
    st->op.savedate = (int64_t)(account_now_ms(s->acc) / 1000);
    st->uid_given = fresh->uid != UINT32_MAX;
    st->op.uid = fresh->uid;
    buf_put_varint(&st->names, 1);
    buf_put_view16(&st->names, n.base);
    /* More keywords than a mailbox can have: the message is worth more. */
    if (stage_keywords(st, s->m, keywords, md_letters_names(s->box, n.letters, keywords), true) != 0) {
        buf_reset(&st->keywords);
        buf_put_varint(&st->keywords, 0);
    }
    stage_add(t, st);
    return 0;
}

static void stage_number(struct txn *t, enum op_kind kind, const struct mailbox *m, uint32_t uid, const char *name)
{
    struct stage *st = stage_new(kind);

    st->op.mailbox = m->id;
    st->op.uid = uid;
    st->op.uidvalidity = m->uidvalidity;
    st->name = name != NULL ? xstrdup(name) : NULL;
    stage_add(t, st);
}

static void committed(void *arg, int err, const struct txn_result *result)
{
    (void)result;
    *(int *)arg = err;
}

static int commit(struct scan *s, struct txn *t)
{
    int err = 0;

    txn_commit(&t, committed, &err);
    (void)!account_commit(s->acc); /* committed() got the error */
    return err;
}

/* A transaction of new files, from *next on. */
static int add_some(struct scan *s, size_t *next)
{
    struct txn *t = txn_begin(s->acc);
    uint64_t bytes = 0;

    for (unsigned n = 0; *next < s->nfresh && n < BATCH_MESSAGES && bytes < BATCH_BYTES; ++*next) {
        struct fresh *fresh = &s->fresh[*next];
        struct md_file *f = md_map_find(&s->box->files, fresh->hash);
        int err;

        if (f == NULL || f->uid != 0)
            continue;
        if (s->next_uid != 0 && fresh->uid == UINT32_MAX) {
            stage_number(t, OP_IDENTITY, s->m, s->next_uid, NULL);
            s->next_uid = 0;
        }
        err = stage_file(s, t, fresh, f, &bytes);
        if (err == ERR_NOTFOUND) {
            md_box_touch(s->m, 1u << MD_NEW | 1u << MD_CUR);
        } else if (err != 0) {
            LOG_WARN(0, "a file cannot be a message", F_STR("folder", md_box_dir(s->m)), F_STR("file", f->name), F_ERR(err));
            f->bad = true;
        } else {
            if (fresh->uidl != NULL)
                stage_number(t, OP_UIDL, s->m, fresh->uid, fresh->uidl);
            n++;
        }
    }
    return commit(s, t);
}

/* Messages that were in cur/ have been seen by somebody. */
static void stage_recent(struct scan *s, struct txn *t)
{
    uint32_t first = s->m->uidnext;

    for (size_t i = 0; i < s->box->files.cap; i++) {
        const struct md_file *f = &s->box->files.v[i];

        if (f->hash != 0 && f->uid != 0 && f->place == MD_NEW)
            first = MIN_OF(first, f->uid);
    }
    stage_number(t, OP_RECENT, s->m, first, NULL);
}

static int add_fresh_files(struct scan *s)
{
    size_t next = 0;
    int err = 0;

    s->adopt = s->first && adoption_due(s);
    if (s->adopt)
        read_uidlist(s);
    if (s->nfresh > 0)
        qsort(s->fresh, s->nfresh, sizeof(*s->fresh), fresh_order);
    while (next < s->nfresh && err == 0)
        err = add_some(s, &next);
    if (err == 0 && s->adopt && (s->nfresh > 0 || s->next_uid != 0)) {
        struct txn *t = txn_begin(s->acc);

        if (s->next_uid != 0)
            stage_number(t, OP_IDENTITY, s->m, s->next_uid, NULL);
        stage_recent(s, t);
        err = commit(s, t);
    }
    return err;
}

/* --- what others changed --------------------------------------------------------------------------------- */

static int stage_news(struct scan *s, struct txn *t, const struct flag_news *n)
{
    const unsigned flags[2] = {n->add, n->remove};
    const uint32_t letters[2] = {n->add_letters, n->remove_letters};
    struct view keywords[MD_LETTERS];
    struct uidset uids;
    int err = 0;

    uidset_init(&uids);
    uidset_add(&uids, n->uid);
    for (unsigned i = 0; i < 2 && err == 0; i++) {
        struct flag_change c = {.op = i == 0 ? FLAGS_ADD : FLAGS_REMOVE, .flags = flags[i], .keywords = keywords};

        c.nkeywords = md_letters_names(s->box, letters[i], keywords);
        if (c.flags != 0 || c.nkeywords > 0)
            err = txn_flags(t, s->m, &uids, &c);
    }
    uidset_free(&uids);
    return err;
}

static int commit_changes(struct scan *s)
{
    struct md_box *box = s->box;
    struct txn *t;
    int err = 0;

    if (box->nnews == 0 && box->vanished.n == 0)
        return 0;
    t = txn_begin(s->acc);
    for (size_t i = 0; i < box->nnews && err == 0; i++) {
        err = stage_news(s, t, &box->news[i]);
        if (err == ERR_LIMIT)
            err = 0; /* keywords without end; the other flags count */
    }
    if (err == 0 && box->vanished.n > 0)
        err = txn_expunge(t, s->m, &box->vanished);
    if (err != 0) {
        txn_abort(&t);
        return err;
    }
    err = commit(s, t);
    if (err == 0) {
        box->nnews = 0;
        uidset_free(&box->vanished);
        uidset_init(&box->vanished);
    }
    return err;
}

static int scan_open(struct scan *s)
{
    int err = 0;

    for (unsigned i = 0; i < 3 && err == 0; i++)
        err = md_dir_open(s->md, md_box_dir(s->m), (enum md_place)i, &s->fds[i]);
    /* cur, new or tmp that somebody removed. A folder that is gone as a whole is no business of this file. */
    if (err == ERR_NOTFOUND && md_sync(s->md, md_box_dir(s->m), MD_SELF) == 0) {
        err = md_box_make(s->md, md_box_dir(s->m));
        for (unsigned i = 0; i < 3 && err == 0; i++) {
            if (s->fds[i] < 0)
                err = md_dir_open(s->md, md_box_dir(s->m), (enum md_place)i, &s->fds[i]);
        }
    }
    return err;
}

static void scan_free(struct scan *s)
{
    for (unsigned i = 0; i < 3; i++) {
        if (s->fds[i] >= 0)
            (void)md_close(s->md->disk, s->fds[i]);
    }
    for (size_t i = 0; i < s->nfresh; i++)
        free(s->fresh[i].uidl);
    free(s->fresh);
}

static int scan_run(struct scan *s)
{
    int err = scan_open(s);

    if (err != 0)
        return err;
    md_letters_load(s->md, s->box);
    s->box->gen++;
    err = list_places(s);
    if (err == 0 && s->first)
        err = bind_first(s);
    if (err == 0)
        err = find_missing(s); /* at a first listing those of messages that came before it */
    if (err == 0)
        err = commit_changes(s);
    if (err == 0)
        err = add_fresh_files(s);
    return err;
}

int md_scan_box(struct mailbox *m, unsigned places)
{
    struct scan s = {.m = m, .box = m->md, .md = m->acc->md, .acc = m->acc, .fds = {-1, -1, -1}};
    int err = mailbox_load(m);

    if (err != 0)
        return err;
    s.first = !m->md->listed;
    s.places = s.first ? 1u << MD_NEW | 1u << MD_CUR : places;
    m->md->dirty &= (uint8_t)~s.places;
    err = scan_run(&s);
    scan_free(&s);
    if (err != 0) {
        m->md->dirty |= (uint8_t)s.places;
        m->acc->md->rescan_at = account_now_ms(m->acc) + RESCAN_MS;
        md_box_failed(m, "cannot read a folder", err);
        return err;
    }
    m->md->listed = true;
    m->md->failing = false;
    if (s.first) {
        m->acc->md->work = true; /* what was left in tmp, what was to be removed */
        md_after_commit(m->acc);
    }
    return 0;
}

struct md_file *md_box_file(struct mailbox *m, uint64_t hash)
{
    return md_map_find(&m->md->files, hash);
}
