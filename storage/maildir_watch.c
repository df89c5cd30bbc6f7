/*
 * Noticing changes: one inotify instance for the Maildir and new/ and cur/ of every folder. What we do ourselves is reported too;
 * an event that says only what is known already costs a look into a table. Where the kernel gives no instance or not enough
 * watches, the times of directories tell, every few seconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"

#define FOLDER_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define BOTH (1u << MD_NEW | 1u << MD_CUR)

struct md_watch {
    int wd;
    uint32_t mailbox; /* 0: the Maildir itself */
    uint8_t place;
};

/* By descriptor, because a path could lead through a link. -1: no watch. */
static int watch_dir(struct maildir *md, const char *dir, enum md_place place)
{
    char path[64];
    struct buf b;
    int fd, wd;

    if (md->inotify < 0 || md_dir_open(md, dir, place, &fd) != 0)
        return -1;
    buf_init(&b, sizeof(path) - 1);
    buf_put_fmt(&b, "/proc/self/fd/%d", fd);
    memset(path, 0, sizeof(path));
    memcpy(path, buf_view(&b).ptr, buf_len(&b));
    buf_free(&b);
    wd = inotify_add_watch(md->inotify, path, FOLDER_EVENTS | IN_ONLYDIR);
    if (wd < 0) {
        if (md->watch_all)
            LOG_WARN(0, "not every folder can be watched: looking at their times every few seconds", F_ERRNO(errno));
        md->watch_all = false;
    }
    (void)md_close(md->disk, fd);
    return wd;
}

static struct md_watch *find_watch(struct maildir *md, int wd)
{
    size_t lo = 0, hi = md->nwatches;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (md->watches[mid].wd < wd)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < md->nwatches && md->watches[lo].wd == wd ? &md->watches[lo] : NULL;
}

/* The kernel gives rising numbers, so they are mostly added at the end. */
static void note_watch(struct maildir *md, int wd, uint32_t mailbox, enum md_place place)
{
    struct md_watch *w = wd >= 0 ? find_watch(md, wd) : NULL;
    size_t at = md->nwatches;

    if (wd < 0)
        return;
    if (w != NULL) {
        *w = (struct md_watch){wd, mailbox, (uint8_t)place};
        return;
    }
    if (md->nwatches == md->cwatches) {
        md->cwatches = MAX_OF(md->cwatches * 2, (size_t)16);
        md->watches = xreallocarray(md->watches, md->cwatches, sizeof(*md->watches));
    }
    while (at > 0 && md->watches[at - 1].wd > wd) {
        md->watches[at] = md->watches[at - 1];
        at--;
    }
    md->watches[at] = (struct md_watch){wd, mailbox, (uint8_t)place};
    md->nwatches++;
}

void md_watch_box(struct mailbox *m)
{
    static const enum md_place places[] = {MD_NEW, MD_CUR};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        m->md->wd[places[i]] = watch_dir(m->acc->md, md_box_dir(m), places[i]);
        note_watch(m->acc->md, m->md->wd[places[i]], m->id, places[i]);
    }
}

void md_watch_init(struct maildir *md)
{
    md->watch_all = true;
    md->inotify = md->disk->ops->notify(md->disk);
    if (md->inotify < 0) {
        LOG_WARN(0, "no inotify: looking at the times of folders every few seconds", F_ERRNO(errno));
        md->watch_all = false;
        return;
    }
    note_watch(md, watch_dir(md, "", MD_SELF), 0, MD_SELF);
}

static void all_dirty(struct maildir *md)
{
    md->root_dirty = true;
    for (size_t i = 0; i < md->acc->nmailboxes; i++)
        md_box_touch(md->acc->by_id[i], BOTH);
}

static void take_event(struct maildir *md, const struct inotify_event *e)
{
    const struct md_watch *w = find_watch(md, e->wd);
    struct mailbox *m;
    struct md_name n;
    const struct md_file *f;
    bool known;

    if ((e->mask & IN_Q_OVERFLOW) != 0) {
        all_dirty(md);
        return;
    }
    if (w == NULL || e->len == 0)
        return;
    if (w->mailbox == 0) {
        md->root_dirty = md->root_dirty || e->name[0] == '.';
        return;
    }
    m = account_find_id(md->acc, w->mailbox);
    if (m == NULL || !md_name_parse(view_str(e->name), &n))
        return;
    f = md_map_find(&m->md->files, md_name_hash(n.base));
    known = f != NULL && f->place == w->place && strcmp(f->name, e->name) == 0;
    /* Here it is, and it was known; or it is not here, and that was known. */
    if ((e->mask & (IN_CREATE | IN_MOVED_TO)) != 0)
        md_box_touch(m, known && f->uid != 0 ? 0 : 1u << w->place);
    else
        md_box_touch(m, known ? BOTH : 0);
}

bool md_watch_read(struct maildir *md)
{
    _Alignas(struct inotify_event) char buf[16384];
    ssize_t n;

    while (md->inotify >= 0 && (n = read(md->inotify, buf, sizeof(buf))) > 0) {
        for (size_t i = 0; i < (size_t)n;) {
            struct inotify_event e;

            memcpy(&e, buf + i, sizeof(e));
            take_event(md, (const struct inotify_event *)(const void *)(buf + i));
            i += sizeof(e) + e.len;
        }
    }
    return md->dirty || md->root_dirty;
}
