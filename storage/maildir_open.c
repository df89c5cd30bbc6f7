/* A Maildir account's life: opening, looking, idle work, closing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"

#define POLL_MS 3000
#define GONE_SLICE 1000
#define BOTH (1u << MD_NEW | 1u << MD_CUR)

struct mailbox *md_next_mailbox(struct account *acc, uint32_t *id)
{
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        if (acc->by_id[i]->id > *id) {
            *id = acc->by_id[i]->id;
            return acc->by_id[i];
        }
    }
    return NULL;
}

/* --- opening and closing --------------------------------------------------------------------------------- */

void md_account_init(struct account *acc)
{
    acc->md->acc = acc;
    acc->md->opening = true;
    acc->md->gone_left = true; /* who knows */
}

int md_account_open(struct account *acc, bool *is_new)
{
    acc->md->opening = false;
    md_watch_init(acc->md);
    return *is_new ? md_adopt(acc, is_new) : 0;
}

int md_account_opened(struct account *acc)
{
    /* What a full disk does not let us take over is taken over later; what is known is served. */
    if (md_scan_folders(acc) != 0 && account_read_only(acc))
        return ERR_IO;
    md_after_commit(acc);
    for (uint32_t id = 0;;) {
        struct mailbox *m = md_next_mailbox(acc, &id);

        if (m == NULL)
            break;
        md_watch_box(m);
        /* A folder that cannot be read does not keep the others from being served. */
        if (md_scan_box(m, BOTH) != 0 && account_read_only(acc))
            return ERR_IO;
    }
    return 0;
}

int md_settle(struct account *acc)
{
    struct maildir *md = acc->md;
    int err = 0;

    md->work = true;
    md_after_commit(acc);
    if (md->ngone > 0)
        return ERR_BUSY;
    for (size_t i = 0; i < acc->nmailboxes && err == 0; i++) {
        struct mailbox *m = acc->by_id[i];

        if (m->md->moved || m->md->dead.n > 0)
            return ERR_BUSY;
        if (!m->md->unsynced)
            continue;
        err = md_sync(md, md_box_dir(m), MD_NEW);
        if (err == 0)
            err = md_sync(md, md_box_dir(m), MD_CUR);
        m->md->unsynced = err != 0;
    }
    if (err == 0 && md->root_unsynced) {
        err = md_sync(md, "", MD_SELF);
        md->root_unsynced = err != 0;
    }
    return err;
}

/* Flags into names, once the log has them for good: a name must not tell after a crash what the log has forgotten. */
static void show_flags(struct account *acc)
{
    if (acc->log.unsynced && (acc->log.broken || txlog_sync(&acc->log) != 0))
        return;
    account_mark_unsynced(acc);
    for (size_t i = 0; i < acc->nmailboxes; i++)
        md_box_rename(acc->by_id[i]);
}

int md_account_close(struct account *acc)
{
    size_t left = 0;
    int err;

    show_flags(acc);
    for (size_t i = 0; i < acc->nmailboxes; i++)
        left += acc->by_id[i]->md->renames.n;
    err = md_settle(acc);
    return err == 0 && left > 0 ? ERR_BUSY : err;
}

void md_account_free(struct account *acc)
{
    struct maildir *md = acc->md;

    if (md == NULL)
        return;
    if (md->inotify >= 0)
        close(md->inotify);
    md->inotify = -1;
    for (size_t i = 0; i < md->ngone; i++)
        free(md->gone[i]);
    for (size_t i = 0; i < md->nsync_dirs; i++)
        free(md->sync_dirs[i]);
    free(md->gone);
    free(md->gone_ids);
    free(md->sync_dirs);
    free(md->watches);
    idx_free(&md->deleted);
    /* What maildir_open() made stays, for the next account_open(). */
    *md = (struct maildir){.disk = md->disk, .root = md->root, .host = md->host, .counter = md->counter, .inotify = -1};
}

/* --- looking --------------------------------------------------------------------------------------------- */

int account_watch_fd(const struct account *acc)
{
    return acc->md != NULL ? acc->md->inotify : -1;
}

static bool time_changed(const struct maildir *md, const char *dir, enum md_place place, const struct timespec *last)
{
    char path[MD_NAME_MAX + 16];
    struct stat st;

    md_path(dir, place, path, sizeof(path));
    return md_stat(md->disk, md->root, path, &st) != 0 || st.st_mtim.tv_sec != last->tv_sec ||
           st.st_mtim.tv_nsec != last->tv_nsec;
}

static void poll_times(struct account *acc)
{
    struct maildir *md = acc->md;
    struct stat st;

    if (md->disk->ops->fstat(md->disk, md->root, &st) == 0) {
        md->root_dirty = md->root_dirty || memcmp(&st.st_mtim, &md->root_mtime, sizeof(st.st_mtim)) != 0;
        md->root_mtime = st.st_mtim;
    }
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox *m = acc->by_id[i];

        if (time_changed(md, md_box_dir(m), MD_NEW, &m->md->mtime[MD_NEW]) ||
            time_changed(md, md_box_dir(m), MD_CUR, &m->md->mtime[MD_CUR]))
            md_box_touch(m, BOTH);
    }
}

uint64_t account_scan(struct account *acc)
{
    struct maildir *md = acc->md;
    uint64_t now, wait;

    if (md == NULL || account_read_only(acc))
        return UINT64_MAX;
    if (acc->queue != NULL)
        return 0;
    now = account_now_ms(acc);
    if (!md->watch_all && (now >= md->poll_at || now + POLL_MS < md->poll_at)) {
        poll_times(acc);
        md->poll_at = now + POLL_MS;
    }
    if (md->rescan_at != 0 && (now >= md->rescan_at || now + RESCAN_MS < md->rescan_at)) {
        md->rescan_at = 0;
        md->dirty = true;
        md->root_dirty = md->root_dirty || md->root_failed;
    }
    if (md_watch_read(md)) {
        if (md->root_dirty)
            (void)!md_scan_folders(acc); /* logged; tried again when something changes */
        md->dirty = false;
        for (uint32_t id = 0;;) {
            struct mailbox *m = md_next_mailbox(acc, &id);

            if (m == NULL)
                break;
            if (m->md->dirty != 0)
                (void)!md_scan_box(m, m->md->dirty); /* logged */
        }
    }
    wait = md->watch_all ? UINT64_MAX : md->poll_at - now;
    return md->rescan_at != 0 ? MIN_OF(wait, md->rescan_at - now) : wait;
}

/* --- idle work ------------------------------------------------------------------------------------------- */

struct gone {
    const struct maildir *md;
    unsigned left;  /* of the slice */
    char path[512]; /* of the folder */
    int fd;
    bool found;
};

static bool remove_file(void *arg, const char *name)
{
    struct gone *g = arg;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    if (g->left == 0)
        return false;
    g->left--;
    (void)md_unlink(g->md->disk, g->fd, name, 0); /* what cannot go keeps its directory, and is tried again at the next open */
    return true;
}

static void empty_dir(struct gone *g, enum md_place place)
{
    if (md_dir_open(g->md, g->path, place, &g->fd) != 0)
        return;
    (void)!md_dir_list(g->md, g->fd, remove_file, g); /* tried again */
    (void)md_close(g->md->disk, g->fd);
}

static bool remove_folder(void *arg, const char *name)
{
    static const char *const places[] = {"new", "cur", "tmp"};
    struct gone *g = arg;
    struct buf b;
    int fd;

    if (strncmp(name, "gone.", 5) != 0)
        return true;
    buf_init(&b, sizeof(g->path) - 1);
    buf_put_fmt(&b, MD_LOG_DIR "/%s", name);
    if (!buf_ok(&b)) {
        buf_free(&b);
        return true;
    }
    memset(g->path, 0, sizeof(g->path));
    memcpy(g->path, buf_view(&b).ptr, buf_len(&b));
    buf_free(&b);
    for (unsigned i = 0; i < 3; i++)
        empty_dir(g, (enum md_place)i);
    if (g->left > 0 && md_dir_open(g->md, g->path, MD_SELF, &fd) == 0) {
        for (unsigned i = 0; i < 3; i++)
            (void)md_unlink(g->md->disk, fd, places[i], AT_REMOVEDIR);
        (void)md_close(g->md->disk, fd);
        empty_dir(g, MD_SELF);
        (void)md_unlink(g->md->disk, g->md->root, g->path, AT_REMOVEDIR);
    }
    return g->left > 0;
}

/* What is left of deleted mailboxes. True: there is more. */
static bool remove_gone(struct maildir *md)
{
    struct gone g = {.md = md, .left = GONE_SLICE};
    int fd;

    if (!md->gone_left)
        return false;
    md->gone_left = false;
    /* Before it is sure that they are out of sight nothing in them may go: a crash that brings one back would show a folder that
     * does not say any more whose it was. */
    if (md->root_unsynced) {
        if (md_sync(md, "", MD_SELF) != 0)
            return false; /* tried again at the next open, or with the next deletion */
        md->root_unsynced = false;
    }
    if (md_dir_open(md, MD_LOG_DIR, MD_SELF, &fd) != 0)
        return false;
    (void)!md_dir_list(md, fd, remove_folder, &g); /* tried again at the next open */
    (void)md_close(md->disk, fd);
    md->gone_left = g.left == 0;
    return md->gone_left;
}

uint64_t md_background(struct account *acc)
{
    struct maildir *md = acc->md;
    uint64_t now = account_now_ms(acc), wait = UINT64_MAX;
    bool more = remove_gone(md);

    if (md->retry_at != 0 && now >= md->retry_at) {
        md->retry_at = 0;
        md->work = true;
        md_after_commit(acc);
    }
    if (md->rename_at == 0) {
        for (size_t i = 0; i < acc->nmailboxes; i++) {
            if (acc->by_id[i]->md->nnew > 0 && acc->by_id[i]->recent == 0)
                md->rename_at = now;
        }
    }
    if (md->rename_at != 0 && now >= md->rename_at) {
        md->rename_at = 0;
        show_flags(acc);
    }
    if (md->retry_at != 0)
        wait = md->retry_at - now;
    if (md->rename_at != 0)
        wait = MIN_OF(wait, md->rename_at - now);
    return more ? 0 : wait;
}
