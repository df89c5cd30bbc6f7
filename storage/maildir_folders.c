/*
 * Folders and mailboxes. Which mailbox a folder is stands in its culver-mailbox file; so a rename that a crash cut short, or that
 * somebody made by hand, loses nothing. The first time the folders of a Maildir are looked through they become mailboxes, with
 * the UIDVALIDITY that Dovecot gave them, and its subscriptions are taken over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"

#define UIDLIST_HEAD 65536
#define SMALL_MAX ((size_t)1 << 20)

struct folder {
    char *dir;
    struct md_ident ident; /* mailbox 0: it has none */
    bool used;             /* it is a mailbox's */
};

struct folders {
    struct account *acc;
    struct maildir *md;
    struct folder *v; /* by dir */
    size_t n, cap;
};

static bool add_folder(void *arg, const char *name)
{
    struct folders *l = arg;
    int fd;

    if (name[0] != '.' || name[1] == '\0' || strcmp(name, "..") == 0 || strlen(name) > MD_NAME_MAX)
        return true;
    if (md_dir_open(l->md, name, MD_CUR, &fd) != 0)
        return true; /* no Maildir folder */
    (void)md_close(l->md->disk, fd);
    if (l->n == l->cap) {
        l->cap = MAX_OF(l->cap * 2, (size_t)16);
        l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
    }
    l->v[l->n++] = (struct folder){.dir = xstrdup(name)};
    return true;
}

static int folder_order(const void *a, const void *b)
{
    return strcmp(((const struct folder *)a)->dir, ((const struct folder *)b)->dir);
}

static struct folder *find_folder(const struct folders *l, const char *dir)
{
    struct folder key = {.dir = (char *)(uintptr_t)dir};

    return l->n > 0 ? bsearch(&key, l->v, l->n, sizeof(key), folder_order) : NULL;
}

static void folders_free(struct folders *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i].dir);
    free(l->v);
}

static int list_folders(struct folders *l)
{
    int err = md_dir_list(l->md, l->md->root, add_folder, l);

    if (err == 0 && l->n > 0)
        qsort(l->v, l->n, sizeof(*l->v), folder_order);
    return err;
}

static void committed(void *arg, int err, const struct txn_result *result)
{
    (void)result;
    *(int *)arg = err;
}

static int commit(struct account *acc, struct txn **t)
{
    int err = 0;

    txn_commit(t, committed, &err);
    (void)!account_commit(acc); /* committed() got the error */
    return err;
}

/* --- folders that are known ------------------------------------------------------------------------------ */

static bool is_ours(const struct folders *l, const struct folder *f)
{
    return f->ident.mailbox != 0 && f->ident.account == l->acc->log.account_id;
}

static void read_ident(const struct folders *l, struct folder *f)
{
    if (md_ident_read(l->md, f->dir, &f->ident) != 0)
        f->ident.mailbox = 0;
}

/* Another program renamed the folder. One whose name no mailbox can have, or another has, is served under its old one. */
static int follow_rename(const struct folders *l, struct mailbox *m)
{
    struct txn *t;
    struct buf name;
    int err;

    buf_init(&name, NAME_LEN_LIMIT);
    t = txn_begin(l->acc);
    err = md_folder_to_name(view_str(md_box_dir(m)), &name);
    if (err == 0)
        err = txn_rename_one(t, m, buf_view(&name));
    buf_free(&name);
    if (err == 0)
        return commit(l->acc, &t);
    txn_abort(&t);
    if (err == ERR_IO || err == ERR_NOSPACE)
        return err;
    md_box_failed(m, "a folder has a name that its mailbox cannot have", err);
    return 0;
}

static bool is_called_so(struct mailbox *m)
{
    char *dir = md_dir_of_name(mailbox_name_view(m));
    bool same = strcmp(dir, md_box_dir(m)) == 0;

    free(dir);
    return same;
}

static bool was_deleted(const struct maildir *md, uint32_t mailbox)
{
    for (size_t i = 0; i < md->deleted.n; i++) {
        if (md->deleted.v[i] == mailbox)
            return true;
    }
    return false;
}

static void mark(const struct folders *l, const struct folder *f, const struct mailbox *m)
{
    const struct md_ident id = {l->acc->log.account_id, m->id, m->uidvalidity};

    if (md_ident_write(l->md, f->dir, &id) != 0)
        LOG_WARN(0, "cannot mark a folder as a mailbox", F_STR("folder", f->dir));
}

/* The folder where it was last. One that says that it is another's, even one of a mailbox that is no more, is not it: what the
 * log did to both before a crash may be undone on disk. */
static int match_name(struct folders *l, struct mailbox *m)
{
    struct folder *f = find_folder(l, md_box_dir(m));

    if (f == NULL)
        return 0;
    if (m->md->unproved) {
        read_ident(l, f);
        if (is_ours(l, f) && f->ident.mailbox != m->id)
            return 0;
        if (!is_ours(l, f))
            mark(l, f, m);
    }
    m->md->unproved = false;
    f->used = true;
    m->md->present = true;
    return m->md->moved || is_called_so(m) ? 0 : follow_rename(l, m);
}

/* No folder says that it is this mailbox's. The one that is called so does, unless another mailbox is known for it. */
static void match_unknown(const struct folders *l, struct mailbox *m)
{
    struct folder *f = find_folder(l, md_box_dir(m));

    if (f == NULL || f->used || account_find_id(l->acc, f->ident.mailbox) != NULL || was_deleted(l->md, f->ident.mailbox))
        return;
    mark(l, f, m);
    m->md->unproved = false;
    f->used = true;
    m->md->present = true;
}

/* The folder that says that it is this mailbox's. */
static int match_ident(struct folders *l, struct mailbox *m)
{
    for (size_t i = 0; i < l->n; i++) {
        struct folder *f = &l->v[i];

        if (f->used || !is_ours(l, f) || f->ident.mailbox != m->id)
            continue;
        f->used = true;
        m->md->present = true;
        md_box_set_dir(m, f->dir);
        if (m->md->moved) {
            l->md->work = true; /* the log renamed it, and a crash came: md_after_commit() goes on */
            return 0;
        }
        return follow_rename(l, m);
    }
    return 0;
}

static int delete_mailbox(struct folders *l, struct mailbox *m)
{
    struct txn *t = txn_begin(l->acc);
    int err;

    LOG_INFO(0, "a folder is gone, and its mailbox with it", F_STR("folder", md_box_dir(m)));
    err = txn_delete(t, mailbox_name_view(m));
    if (err != 0) {
        txn_abort(&t);
        return err;
    }
    return commit(l->acc, &t);
}

/* --- folders that are new -------------------------------------------------------------------------------- */

static uint32_t uidvalidity_of(const struct maildir *md, const char *dir)
{
    struct md_uidlist list;
    uint32_t found = 0;
    struct buf b;
    struct stat st;
    int fd, file;
    uint8_t *p;

    if (md_dir_open(md, dir, MD_SELF, &fd) != 0)
        return 0;
    if (md_file_open(md, fd, "dovecot-uidlist", &file, &st) == 0) {
        buf_init(&b, UIDLIST_HEAD);
        p = buf_reserve(&b, UIDLIST_HEAD);
        if (p != NULL) {
            ssize_t n = md->disk->ops->read(md->disk, file, p, UIDLIST_HEAD, 0);

            buf_commit(&b, n > 0 ? (size_t)n : 0);
        }
        if (md_uidlist_begin(&list, buf_view(&b)) == 0)
            found = list.uidvalidity;
        buf_free(&b);
        (void)md_close(md->disk, file);
    }
    (void)md_close(md->disk, fd);
    return found == UINT32_MAX ? 0 : found;
}

static unsigned auto_use(const struct account *acc, struct view name)
{
    for (size_t i = 0; i < acc->params.nautos; i++) {
        if (view_eq(view_str(acc->params.autos[i].name), name))
            return acc->params.autos[i].use;
    }
    return 0;
}

/* A mailbox for what is there already. dir "": INBOX. */
static int adopt(struct account *acc, const char *dir, struct view name)
{
    struct txn *t = txn_begin(acc);
    int err = txn_create_alone(t, name, auto_use(acc, name));

    if (err != 0) {
        txn_abort(&t);
        return err;
    }
    t->first->op.uidvalidity = uidvalidity_of(acc->md, dir);
    return commit(acc, &t);
}

/* What it says to be is no longer so. */
static int unlink_ident(const struct maildir *md, const char *dir)
{
    int fd, err = md_dir_open(md, dir, MD_SELF, &fd);

    if (err != 0)
        return err;
    if (md_unlink(md->disk, fd, MD_IDENT, 0) != 0 && errno != ENOENT)
        err = err_from_errno(errno);
    (void)md_close(md->disk, fd);
    return err;
}

static int adopt_folder(struct folders *l, struct folder *f)
{
    struct buf name;
    int err;

    if (is_ours(l, f) && account_find_id(l->acc, f->ident.mailbox) != NULL) {
        LOG_WARN(0, "a folder is a copy of another: it gets a mailbox of its own", F_STR("folder", f->dir));
    } else if (is_ours(l, f) && was_deleted(l->md, f->ident.mailbox)) {
        md_gone_later(l->md, f->dir, f->ident.mailbox);
        return 0;
    }
    buf_init(&name, NAME_LEN_LIMIT);
    err = md_folder_to_name(view_str(f->dir), &name);
    if (err == 0 && name_is_inbox(buf_view(&name)))
        err = ERR_EXISTS;
    if (err == 0)
        err = unlink_ident(l->md, f->dir);
    if (err == 0)
        err = adopt(l->acc, f->dir, buf_view(&name));
    if (err != 0)
        LOG_WARN(0, "a folder cannot be a mailbox", F_STR("folder", f->dir), F_ERR(err));
    buf_free(&name);
    /* One folder that cannot be served does not keep the others from being. */
    return err == ERR_IO || err == ERR_NOSPACE ? err : 0;
}

static int look(struct folders *l)
{
    struct account *acc = l->acc;
    int err = list_folders(l);

    for (size_t i = 0; i < acc->nmailboxes && err == 0; i++) {
        acc->by_id[i]->md->present = name_is_inbox(mailbox_name_view(acc->by_id[i]));
        if (!acc->by_id[i]->md->present)
            err = match_name(l, acc->by_id[i]);
    }
    for (size_t i = 0; i < l->n && err == 0; i++) {
        if (!l->v[i].used && l->v[i].ident.mailbox == 0)
            read_ident(l, &l->v[i]);
    }
    for (uint32_t id = 0; err == 0;) {
        struct mailbox *m = md_next_mailbox(acc, &id);

        if (m == NULL)
            break;
        if (!m->md->present)
            err = match_ident(l, m);
        if (err == 0 && !m->md->present)
            match_unknown(l, m);
        if (err == 0 && !m->md->present)
            err = delete_mailbox(l, m);
    }
    for (size_t i = 0; i < l->n && err == 0; i++) {
        if (!l->v[i].used && !md_is_to_go(l->md, l->v[i].dir))
            err = adopt_folder(l, &l->v[i]);
    }
    return err;
}

int md_scan_folders(struct account *acc)
{
    struct folders l = {.acc = acc, .md = acc->md};
    int err;

    acc->md->root_dirty = false;
    err = look(&l);
    folders_free(&l);
    acc->md->root_failed = err != 0;
    if (err != 0) {
        acc->md->rescan_at = account_now_ms(acc) + RESCAN_MS;
        LOG_ERROR(0, "cannot look through the folders of the Maildir", F_ERR(err));
    } else {
        acc->md->deleted.n = 0; /* their folders are on their way */
    }
    return err;
}

/* --- the first time -------------------------------------------------------------------------------------- */

static bool read_small(const struct maildir *md, const char *name, struct buf *out)
{
    return md_file_read(md, md->root, name, SMALL_MAX, out) == 0;
}

static int take_subscriptions(struct account *acc)
{
    struct md_subs subs;
    struct buf file, name;
    struct txn *t;
    int err = 0;

    if (!read_small(acc->md, "subscriptions", &file))
        return 0;
    t = txn_begin(acc);
    buf_init(&name, NAME_LEN_LIMIT);
    md_subs_begin(&subs, buf_view(&file));
    while (err == 0 && md_subs_next(&subs, &name))
        err = txn_subscribe(t, buf_view(&name), true);
    buf_free(&name);
    buf_free(&file);
    if (err != 0 && err != ERR_LIMIT) {
        txn_abort(&t);
        return err;
    }
    return commit(acc, &t);
}

/* Folders that we made ourselves and no log knows are what a crash left of a new account. */
static bool has_foreign(struct folders *l)
{
    for (size_t i = 0; i < l->n; i++) {
        read_ident(l, &l->v[i]);
        if (l->v[i].ident.mailbox == 0)
            return true;
    }
    return false;
}

static bool is_used(struct account *acc)
{
    struct folders l = {.acc = acc, .md = acc->md};
    struct stat st;
    bool used;

    used = list_folders(&l) == 0 && has_foreign(&l);
    folders_free(&l);
    return used || md_stat(acc->md->disk, acc->md->root, "dovecot-uidlist", &st) == 0 ||
           md_stat(acc->md->disk, acc->md->root, "subscriptions", &st) == 0;
}

int md_adopt(struct account *acc, bool *is_new)
{
    struct buf b;
    int err;

    if (!is_used(acc))
        return 0;
    if (read_small(acc->md, "dovecot-uidvalidity", &b)) {
        acc->last_uidvalidity = MAX_OF(acc->last_uidvalidity, md_uidvalidity_parse(buf_view(&b)));
        buf_free(&b);
    }
    err = adopt(acc, "", VIEW("INBOX"));
    if (err == 0)
        err = md_scan_folders(acc);
    if (err == 0)
        err = take_subscriptions(acc);
    *is_new = false;
    return err;
}
