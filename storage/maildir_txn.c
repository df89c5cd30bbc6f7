/*
 * Changes in a Maildir on their way through the log. Before the log is written, new files (and links for copies) are made in tmp/
 * and made durable there; the log's transaction decides; then files are moved to where others see them, and those of expunged
 * messages removed. So a crash finds either files in tmp/ that no record names, which are rubbish, or records whose file is still
 * in tmp/, which the next listing brings to its place. docs/maildir.md has the table.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"

int md_check_name(struct view name)
{
    struct buf b;
    int err;

    buf_init(&b, MD_NAME_MAX);
    err = md_folder_from_name(name, &b);
    if (err == 0 && !buf_ok(&b))
        err = ERR_LIMIT;
    buf_free(&b);
    return err;
}

#define RETRY_MS 5000

/* --- before the log is written --------------------------------------------------------------------------- */

static void drop_message(struct stage *s)
{
    if (s->message.map != NULL) {
        guard_remove(&s->message.guard);
        munmap(s->message.map, s->message.map_len);
    }
    free(s->message.mem);
    memset(&s->message, 0, sizeof(s->message));
}

int md_stage_crlf(struct stage *s)
{
    uint8_t *owned;
    struct view v = md_to_crlf(s->message.bytes, &owned);

    if (owned == NULL)
        return 0;
    if (guard_failed(&s->message.guard)) {
        free(owned);
        return ERR_IO;
    }
    drop_message(s);
    s->message.mem = owned; /* transferred */
    s->message.bytes = v;
    return 0;
}

/* The batch must not be written before tmp/ of this folder is durable. */
static void sync_later(struct maildir *md, const char *dir)
{
    for (size_t i = 0; i < md->nsync_dirs; i++) {
        if (strcmp(md->sync_dirs[i], dir) == 0)
            return;
    }
    if (md->nsync_dirs == md->csync_dirs) {
        md->csync_dirs = MAX_OF(md->csync_dirs * 2, (size_t)4);
        md->sync_dirs = xreallocarray(md->sync_dirs, md->csync_dirs, sizeof(*md->sync_dirs));
    }
    md->sync_dirs[md->nsync_dirs++] = xstrdup(dir);
}

static void note_made(struct stage *s, const char *dir, const char *name)
{
    if (s->made_dir == NULL) {
        s->made_dir = xstrdup(dir);
        buf_init(&s->made, SIZE_MAX / 4);
    }
    buf_put(&s->made, name, strlen(name) + 1);
}

static void put_name(struct buf *out, const char *name)
{
    buf_put_view16(out, view_str(name));
}

int md_stage_append(struct account *acc, struct mailbox *m, struct stage *s)
{
    const char *dir = md_box_dir(m);
    uint8_t *owned;
    struct view file = md_to_file(s->message.bytes, &owned);
    char *name = md_unique(acc->md, file.len, s->message.bytes.len);
    int fd, err = md_dir_open(acc->md, dir, MD_TMP, &fd);

    if (err == 0) {
        err = md_file_write(acc->md, fd, name, file, s->op.date);
        (void)md_close(acc->md->disk, fd);
    }
    if (err == 0) {
        note_made(s, dir, name); /* and removed with the stage, where it fails below */
        if (guard_failed(&s->message.guard))
            err = ERR_IO;
    }
    if (err == 0) {
        buf_put_varint(&s->names, 1);
        put_name(&s->names, name);
        s->op.kind = OP_APPEND_FILE;
        drop_message(s);
        sync_later(acc->md, dir);
    }
    free(owned);
    free(name);
    return err;
}

void md_stage_end(struct account *acc, struct stage *s)
{
    struct view made = buf_view(&s->made);
    int fd;

    /* After a sync that failed the log may have it all the same. */
    if (!s->applied && !acc->log.broken && md_dir_open(acc->md, s->made_dir, MD_TMP, &fd) == 0) {
        for (size_t i = 0; i < made.len; i += strlen((const char *)made.ptr + i) + 1) {
            if (md_unlink(acc->md->disk, fd, (const char *)made.ptr + i, 0) != 0 && errno != ENOENT)
                LOG_DEBUG(0, "a file stays in tmp", F_ERRNO(errno));
        }
        (void)md_close(acc->md->disk, fd);
    }
    free(s->made_dir);
    s->made_dir = NULL;
    buf_free(&s->made);
}

struct copier {
    struct account *acc;
    struct stage *s;
    struct mailbox *from;
    const char *to_dir;
    int from_fds[3], to_fd;
};

static int copy_file(struct copier *c, const struct msg_rec *rec)
{
    const struct md_file *f = md_box_file(c->from, rec->file);
    struct md_name n;
    uint64_t size = 0;
    char *name;
    int err;

    if (f == NULL || !md_name_parse(view_str(f->name), &n))
        return ERR_NOTFOUND;
    if (c->from_fds[f->place] < 0) {
        err = md_dir_open(c->acc->md, md_box_dir(c->from), (enum md_place)f->place, &c->from_fds[f->place]);
        if (err != 0)
            return err;
    }
    name = md_name_size(n.base, 'S', &size) ? md_unique(c->acc->md, size, rec->size) : md_unique_like(c->acc->md, "");
    err = md_link(c->acc->md, c->from_fds[f->place], f->name, c->to_fd, name);
    if (err == 0) {
        note_made(c->s, c->to_dir, name);
        put_name(&c->s->names, name);
    } else if (err == ERR_NOTFOUND) {
        md_box_touch(c->from, 1u << MD_NEW | 1u << MD_CUR);
    }
    free(name);
    return err;
}

static int copy_files(struct copier *c, const struct uidset *uids)
{
    int err = 0;

    for (size_t r = 0; r < uids->n && err == 0; r++) {
        for (uint32_t uid = uids->ranges[r].first; err == 0; uid++) {
            const struct msg_rec *rec = mailbox_rec_find(c->from, uid);

            err = rec != NULL ? copy_file(c, rec) : ERR_NOTFOUND;
            if (uid == uids->ranges[r].last)
                break;
        }
    }
    return err;
}

int md_prepare_copy(struct account *acc, struct stage *s, struct mailbox *from, const char *to_dir, const struct uidset *uids)
{
    struct copier c = {acc, s, from, to_dir, {-1, -1, -1}, -1};
    int err = md_dir_open(acc->md, to_dir, MD_TMP, &c.to_fd);

    s->op.kind = OP_COPY_FILE;
    buf_put_varint(&s->names, uidset_count(uids));
    if (err == 0)
        err = copy_files(&c, uids);
    for (unsigned i = 0; i < 3; i++) {
        if (c.from_fds[i] >= 0)
            (void)md_close(acc->md->disk, c.from_fds[i]);
    }
    if (c.to_fd >= 0)
        (void)md_close(acc->md->disk, c.to_fd);
    if (err == 0)
        sync_later(acc->md, to_dir);
    return err == 0 && !buf_ok(&s->names) ? ERR_LIMIT : err;
}

int md_prepare_rename_inbox(struct account *acc, struct stage *s, struct mailbox *inbox, struct view to,
                            const struct uidset *uids, struct op *op)
{
    char *dir = md_dir_of_name(to);
    int err = md_prepare_copy(acc, s, inbox, dir, uids);

    op->kind = OP_COPY_FILE;
    op->names = buf_view(&s->names);
    free(dir);
    return err;
}

/* Out of everybody's sight with one rename; what is in it is removed in idle time. True: done. */
static bool hide_folder(struct maildir *md, const char *dir, uint32_t id)
{
    char to[64];
    struct buf b;
    bool done;

    buf_init(&b, sizeof(to) - 1);
    buf_put_fmt(&b, MD_LOG_DIR "/gone.%u", id);
    memset(to, 0, sizeof(to));
    memcpy(to, buf_view(&b).ptr, buf_len(&b));
    buf_free(&b);
    done = md_rename(md, md->root, dir, md->root, to) == 0 || errno == ENOENT;
    if (!done)
        LOG_ERROR(0, "cannot remove the folder of a deleted mailbox", F_STR("folder", dir), F_ERRNO(errno));
    md->gone_left = true;
    md->root_unsynced = true;
    return done;
}

/* Those that are to go, as far as it can be done. */
static void hide_folders(struct maildir *md)
{
    size_t left = 0;

    for (size_t i = 0; i < md->ngone; i++) {
        if (hide_folder(md, md->gone[i], md->gone_ids[i])) {
            free(md->gone[i]);
            continue;
        }
        md->gone_ids[left] = md->gone_ids[i];
        md->gone[left++] = md->gone[i];
    }
    md->ngone = left;
}

bool md_is_to_go(const struct maildir *md, const char *dir)
{
    for (size_t i = 0; i < md->ngone; i++) {
        if (strcmp(md->gone[i], dir) == 0)
            return true;
    }
    return false;
}

/* A new folder appears whole, with its mark: without one it would pass for somebody else's. */
static int make_folder(const struct maildir *md, const char *dir, const struct md_ident *ident, bool *made_out)
{
    int fd, err = md_dir_open(md, dir, MD_SELF, &fd);
    bool there = err == 0;
    const char *at = there ? dir : MD_LOG_DIR "/making";

    if (there)
        (void)md_close(md->disk, fd);
    if (there || err == ERR_NOTFOUND)
        err = md_box_make(md, at);
    if (err == 0 && dir[0] != '\0')
        err = md_ident_write(md, at, ident);
    if (err == 0 && !there && md_rename(md, md->root, at, md->root, dir) != 0)
        err = err_from_errno(errno);
    *made_out = err == 0 && !there;
    return err == 0 ? md_sync(md, "", MD_SELF) : err;
}

/* To where the log has it already. */
static bool rename_folder(struct mailbox *m)
{
    struct maildir *md = m->acc->md;
    char *to = md_dir_of_name(mailbox_name_view(m));
    const char *from = md_box_dir(m);
    bool done = strcmp(from, to) == 0;

    if (!done) {
        done = to[0] != '\0' && from[0] != '\0' && md_rename(md, md->root, from, md->root, to) == 0;
        if (done) {
            md->root_unsynced = true;
            md_box_set_dir(m, to);
            m->md->failing = false;
        } else {
            md_box_failed(m, "cannot rename the folder of a mailbox", err_from_errno(errno));
        }
    }
    free(to);
    return done;
}

int md_prepare_create(struct txn *t, struct view name, uint32_t id, uint32_t uidvalidity)
{
    struct account *acc = t->acc;
    struct md_ident ident = {acc->log.account_id, id, uidvalidity}, old;
    char *dir = md_dir_of_name(name);
    struct mailbox *other = NULL;
    int err = md_check_name(name);
    bool made = false;

    if (err == 0 && dir[0] != '\0' && md_ident_read(acc->md, dir, &old) == 0 && old.account == ident.account)
        other = account_find_id(acc, old.mailbox);
    if (other != NULL && strcmp(md_box_dir(other), dir) == 0) {
        /* Another mailbox is still there: its folder has yet to be renamed. */
        other->md->moved = other->md->moved && !rename_folder(other);
        err = strcmp(md_box_dir(other), dir) == 0 ? ERR_BUSY : 0;
    }
    if (err == 0 && md_is_to_go(acc->md, dir)) {
        hide_folders(acc->md);
        err = md_is_to_go(acc->md, dir) ? ERR_BUSY : 0;
    }
    if (err == 0)
        err = make_folder(acc->md, dir, &ident, &made);
    if (made)
        buf_put(&t->folders, dir, strlen(dir) + 1);
    free(dir);
    return err;
}

/* Left where it is, it would be found and become a mailbox, which the client was told there is not. What cannot be removed now
 * goes with the folders of deleted mailboxes, under a number that no mailbox has. */
static void discard_folder(struct maildir *md, const char *dir)
{
    static const char *const files[] = {MD_IDENT, "maildirfolder"}, *const places[] = {"tmp", "new", "cur"};
    int fd, err = md_dir_open(md, dir, MD_SELF, &fd);

    if (err == 0) {
        for (size_t i = 0; i < ARRAY_LEN(files); i++)
            (void)md_unlink(md->disk, fd, files[i], 0);
        for (size_t i = 0; i < ARRAY_LEN(places); i++)
            (void)md_unlink(md->disk, fd, places[i], AT_REMOVEDIR);
        (void)md_close(md->disk, fd);
        if (md_unlink(md->disk, md->root, dir, AT_REMOVEDIR) != 0)
            err = err_from_errno(errno);
    }
    if (err == 0 || err == ERR_NOTFOUND)
        return;
    LOG_WARN(0, "cannot remove a folder that was made in vain", F_STR("folder", dir), F_ERR(err));
    md_gone_later(md, dir, UINT32_MAX - md->ndiscarded++);
}

void md_discard_folders(struct account *acc, struct view dirs)
{
    for (size_t i = 0; i < dirs.len && !acc->log.broken; i += strlen((const char *)dirs.ptr + i) + 1)
        discard_folder(acc->md, (const char *)dirs.ptr + i);
}

int md_batch_sync(struct account *acc)
{
    struct maildir *md = acc->md;
    int err = 0;

    for (size_t i = 0; i < md->nsync_dirs; i++) {
        int one = md_sync(md, md->sync_dirs[i], MD_TMP);

        err = err != 0 ? err : one;
        free(md->sync_dirs[i]);
    }
    md->nsync_dirs = 0;
    return err;
}

/* --- what was applied ------------------------------------------------------------------------------------ */

void md_publish_later(struct mailbox *m, uint64_t hash)
{
    struct md_box *box = m->md;

    if (box->npublish == box->cpublish) {
        box->cpublish = MAX_OF(box->cpublish * 2, (size_t)8);
        box->publish = xreallocarray(box->publish, box->cpublish, sizeof(*box->publish));
    }
    box->publish[box->npublish++] = hash;
    m->acc->md->work = true;
}

void md_note_added(struct mailbox *m, const struct msg_rec *rec, struct view base)
{
    struct md_box *box = m->md;
    struct md_file *f;
    char *name;

    md_map_remove(&box->dead, rec->file);
    if (m->acc->md->opening)
        return;
    f = md_map_find(&box->files, rec->file);
    if (f == NULL) {
        name = view_dup(base);
        f = md_map_add(&box->files, rec->file, MD_TMP, name);
        free(name);
        md_publish_later(m, rec->file);
    }
    box->nnew += f->place == MD_NEW && f->uid == 0;
    f->uid = rec->uid;
}

/* A copy that came to nothing, because its source was expunged in the same tick. */
void md_note_unused(struct mailbox *to, struct view base)
{
    uint64_t hash = md_name_hash(base);
    char *name;

    if (to->acc->md->opening)
        return;
    name = view_dup(base);
    md_map_add(&to->md->files, hash, MD_TMP, name);
    free(name);
    md_map_add(&to->md->dead, hash, MD_CUR, NULL);
    to->acc->md->work = true;
}

void md_note_expunged(struct mailbox *m, const struct msg_rec *rec)
{
    md_map_add(&m->md->dead, rec->file, MD_CUR, NULL);
    m->acc->md->work = true;
}

#define RENAME_DELAY_MS 2000 /* flags often change several times in a row */

void md_note_flags(struct mailbox *m, const struct msg_rec *rec)
{
    struct maildir *md = m->acc->md;

    if (md->opening)
        return;
    idx_add(&m->md->renames, rec->uid);
    md->rename_at = account_now_ms(m->acc) + RENAME_DELAY_MS;
}

void md_note_created(struct mailbox *m)
{
    if (m->acc->md->opening)
        return;
    md_box_touch(m, 1u << MD_NEW | 1u << MD_CUR);
    md_watch_box(m);
}

void md_gone_later(struct maildir *md, const char *dir, uint32_t id)
{
    if (md->ngone == md->cgone) {
        md->cgone = MAX_OF(md->cgone * 2, (size_t)4);
        md->gone = xreallocarray(md->gone, md->cgone, sizeof(*md->gone));
        md->gone_ids = xreallocarray(md->gone_ids, md->cgone, sizeof(*md->gone_ids));
    }
    md->gone_ids[md->ngone] = id;
    md->gone[md->ngone++] = xstrdup(dir);
    md->work = true;
}

void md_note_deleted(struct mailbox *m)
{
    if (m->acc->md->opening)
        idx_add(&m->acc->md->deleted, m->id);
    else
        md_gone_later(m->acc->md, md_box_dir(m), m->id);
}

void md_note_renamed(struct mailbox *m)
{
    m->md->moved = true;
    m->acc->md->work = true;
}

/* The account was closed in order: nothing of what was noted before is left to be done. */
void md_note_clean(struct account *acc)
{
    if (!acc->md->opening)
        return;
    acc->md->deleted.n = 0;
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox *m = acc->by_id[i];

        m->md->moved = false;
        md_map_free(&m->md->dead);
        for (uint32_t k = 0; m->loaded && k < mailbox_nrecs(m); k++) {
            struct msg_rec *rec = mailbox_rec(m, k);

            if ((rec->flags & REC_RENAME) != 0) {
                mailbox_rec_dirty(m, k);
                rec->flags &= (uint16_t)~REC_RENAME;
            }
        }
    }
}

/* --- after the log was written --------------------------------------------------------------------------- */

void md_after_commit(struct account *acc)
{
    struct maildir *md = acc->md;
    bool again = false;

    if (!md->work || md->opening)
        return;
    md->work = false;
    hide_folders(md);
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox *m = acc->by_id[i];

        if (m->md->moved)
            m->md->moved = !rename_folder(m);
        if (md_box_publish(m) != 0 || m->md->moved)
            again = true;
        md_box_bury(m);
        again = again || m->md->dead.n > 0;
    }
    if (again || md->ngone > 0)
        md->retry_at = account_now_ms(acc) + RETRY_MS;
}
