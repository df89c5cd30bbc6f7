/* One folder: where it is, its keyword letters, and moving its files to the names that they should have. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_int.h"

#define KEYWORDS_FILE "dovecot-keywords"
#define KEYWORDS_FILE_MAX 65536

struct md_box *md_box_new(const struct maildir *md)
{
    struct md_box *box = xcalloc(1, sizeof(*box));

    box->unproved = md->opening;
    box->wd[MD_NEW] = box->wd[MD_CUR] = -1;
    uidset_init(&box->vanished);
    return box;
}

void md_mailbox_free(struct mailbox *m)
{
    struct md_box *box = m->md;

    if (box == NULL)
        return;
    md_map_free(&box->files);
    md_map_free(&box->dead);
    idx_free(&box->renames);
    free(box->news);
    uidset_free(&box->vanished);
    free(box->publish);
    for (size_t i = 0; i < MD_LETTERS; i++)
        free(box->letters[i]);
    free(box->dir);
    free(box);
    m->md = NULL;
}

char *md_dir_of_name(struct view name)
{
    struct buf b;
    char *dir;

    buf_init(&b, MD_NAME_MAX + 1);
    if (md_folder_from_name(name, &b) != 0 || !buf_ok(&b))
        buf_reset(&b); /* such a name is refused where mailboxes are made */
    dir = view_dup(buf_view(&b));
    buf_free(&b);
    return dir;
}

const char *md_box_dir(struct mailbox *m)
{
    if (m->md->dir == NULL)
        m->md->dir = md_dir_of_name(mailbox_name_view(m));
    return m->md->dir;
}

void md_box_set_dir(struct mailbox *m, const char *dir)
{
    char *copy = xstrdup(dir);

    free(m->md->dir);
    m->md->dir = copy;
}

void md_box_touch(struct mailbox *m, unsigned places)
{
    m->md->dirty |= (uint8_t)places;
    m->acc->md->dirty = true;
}

void md_box_failed(struct mailbox *m, const char *what, int err)
{
    if (!m->md->failing)
        LOG_ERROR(0, what, F_STR("folder", md_box_dir(m)), F_ERR(err));
    m->md->failing = true;
}

/* --- keywords -------------------------------------------------------------------------------------------- */

void md_letters_load(struct maildir *md, struct md_box *box)
{
    struct md_keyword kw;
    struct cursor c;
    struct stat st;
    struct buf b;
    int fd;

    if (md_dir_open(md, box->dir, MD_SELF, &fd) != 0)
        return;
    if (md_stat(md->disk, fd, KEYWORDS_FILE, &st) != 0 || memcmp(&st.st_mtim, &box->keywords_mtime, sizeof(st.st_mtim)) == 0 ||
        md_file_read(md, fd, KEYWORDS_FILE, KEYWORDS_FILE_MAX, &b) != 0) {
        (void)md_close(md->disk, fd);
        return;
    }
    (void)md_close(md->disk, fd);
    box->keywords_mtime = st.st_mtim;
    for (size_t i = 0; i < MD_LETTERS; i++) {
        free(box->letters[i]);
        box->letters[i] = NULL;
    }
    c = cursor_make(buf_view(&b));
    while (md_keywords_next(&c, &kw)) {
        free(box->letters[kw.letter]);
        box->letters[kw.letter] = view_dup(kw.name);
    }
    buf_free(&b);
}

static int letters_save(struct maildir *md, struct md_box *box)
{
    struct stat st;
    struct buf b;
    int fd, err = md_dir_open(md, box->dir, MD_SELF, &fd);

    if (err != 0)
        return err;
    buf_init(&b, KEYWORDS_FILE_MAX);
    for (unsigned i = 0; i < MD_LETTERS; i++) {
        if (box->letters[i] != NULL)
            buf_put_fmt(&b, "%u %s\n", i, box->letters[i]);
    }
    err = md_file_replace(md, fd, KEYWORDS_FILE, buf_view(&b));
    if (err == 0 && md_stat(md->disk, fd, KEYWORDS_FILE, &st) == 0)
        box->keywords_mtime = st.st_mtim;
    buf_free(&b);
    (void)md_close(md->disk, fd);
    return err;
}

static int letter_of(const struct md_box *box, struct view keyword)
{
    for (int i = 0; i < MD_LETTERS; i++) {
        if (box->letters[i] != NULL && view_eq_nocase(view_str(box->letters[i]), keyword))
            return i;
    }
    return -1;
}

static int letter_assign(struct md_box *box, const char *keyword)
{
    for (int i = 0; i < MD_LETTERS; i++) {
        if (box->letters[i] == NULL) {
            box->letters[i] = xstrdup(keyword);
            return i;
        }
    }
    return -1;
}

/* Letters for keywords that have none yet. A letter is in no name before the file says what it means, or it would come to mean
 * something else. */
static int letters_need(struct mailbox *m, const struct keyword_set *kw)
{
    uint32_t fresh = 0;
    int err = 0;

    for (unsigned k = 0; k < m->nkeywords; k++) {
        int i = -1;

        if ((kw->bits[k / 64] & (uint64_t)1 << (k % 64)) != 0 && letter_of(m->md, view_str(m->keywords[k])) < 0)
            i = letter_assign(m->md, m->keywords[k]);
        if (i >= 0)
            fresh |= 1u << i;
    }
    if (fresh != 0)
        err = letters_save(m->acc->md, m->md);
    for (unsigned i = 0; i < MD_LETTERS && err != 0; i++) {
        if ((fresh & 1u << i) != 0) {
            free(m->md->letters[i]);
            m->md->letters[i] = NULL;
        }
    }
    return err;
}

uint32_t md_letters_of(const struct mailbox *m, const struct keyword_set *kw)
{
    uint32_t letters = 0;

    for (unsigned k = 0; k < m->nkeywords; k++) {
        int i = (kw->bits[k / 64] & (uint64_t)1 << (k % 64)) != 0 ? letter_of(m->md, view_str(m->keywords[k])) : -1;

        if (i >= 0)
            letters |= 1u << i;
    }
    return letters;
}

size_t md_letters_names(const struct md_box *box, uint32_t letters, struct view out[MD_LETTERS])
{
    size_t n = 0;

    for (unsigned i = 0; i < MD_LETTERS; i++) {
        if ((letters & 1u << i) != 0 && box->letters[i] != NULL)
            out[n++] = view_str(box->letters[i]);
    }
    return n;
}

/* --- names ----------------------------------------------------------------------------------------------- */

static bool no_keywords(const struct keyword_set *kw)
{
    static const struct keyword_set none;

    return memcmp(kw, &none, sizeof(none)) == 0;
}

/* Where a message's file belongs and what it should be called there. Without flags, and as long as nobody was told of it, that is
 * new/, as others know it. false: it has no name that others may see. */
static bool wanted_name(struct mailbox *m, const struct msg_rec *rec, const struct md_file *f, enum md_place *place,
                        struct buf *out)
{
    bool fresh = (rec->flags & REC_FLAGS) == 0 && no_keywords(&rec->keywords) && rec->uid >= m->first_recent;
    uint32_t known = 0;
    struct md_name n;

    if (!md_name_parse(view_str(f->name), &n))
        return false;
    for (unsigned i = 0; i < MD_LETTERS; i++)
        known |= m->md->letters[i] != NULL ? 1u << i : 0;
    n.flags = rec->flags & REC_FLAGS;
    n.letters = (n.letters & ~known) | md_letters_of(m, &rec->keywords);
    buf_reset(out);
    *place = fresh && f->place != MD_CUR ? MD_NEW : MD_CUR;
    if (*place == MD_NEW)
        buf_put_str(out, f->place == MD_NEW ? f->name : "");
    if (*place == MD_NEW && f->place != MD_NEW)
        buf_put_view(out, n.base);
    if (*place == MD_CUR)
        md_name_put(out, &n);
    buf_put_byte(out, 0);
    return buf_ok(out) && buf_len(out) <= MD_NAME_MAX + 1;
}

struct mover {
    struct mailbox *m;
    int fds[3];
    struct buf name;
};

static int mover_open(struct mover *v, struct mailbox *m)
{
    int err = 0;

    *v = (struct mover){.m = m, .fds = {-1, -1, -1}};
    buf_init(&v->name, 4096);
    for (unsigned i = 0; i < 3 && err == 0; i++)
        err = md_dir_open(m->acc->md, md_box_dir(m), (enum md_place)i, &v->fds[i]);
    return err;
}

static void mover_close(struct mover *v)
{
    for (unsigned i = 0; i < 3; i++) {
        if (v->fds[i] >= 0)
            (void)md_close(v->m->acc->md->disk, v->fds[i]);
    }
    buf_free(&v->name);
}

/* Gives the file of a message the name that it should have. ERR_NOTFOUND: it is not where it was. */
static int move_file(struct mover *v, uint32_t uid, struct md_file *f)
{
    struct mailbox *m = v->m;
    uint32_t idx = mailbox_rec_at(m, uid);
    struct msg_rec *rec = mailbox_rec_find(m, uid);
    enum md_place place;
    const char *name;
    int err = rec != NULL ? letters_need(m, &rec->keywords) : 0;

    if (err != 0)
        return err;
    if (rec == NULL || !wanted_name(m, rec, f, &place, &v->name))
        return 0;
    name = (const char *)buf_view(&v->name).ptr;
    if (place != f->place || strcmp(name, f->name) != 0) {
        if (md_rename(m->acc->md, v->fds[f->place], f->name, v->fds[place], name) != 0)
            return errno == ENOENT ? ERR_NOTFOUND : err_from_errno(errno);
        m->md->unsynced = true;
        m->md->nnew += (place == MD_NEW) - (f->place == MD_NEW);
        md_file_set(f, place, name);
    }
    if ((rec->flags & REC_RENAME) != 0) {
        mailbox_rec_dirty(m, idx);
        rec->flags &= (uint16_t)~REC_RENAME;
    }
    return 0;
}

int md_box_publish(struct mailbox *m)
{
    struct md_box *box = m->md;
    size_t left = 0;
    struct mover v;
    int err;

    if (box->npublish == 0)
        return 0;
    err = mover_open(&v, m);
    for (size_t i = 0; i < box->npublish; i++) {
        struct md_file *f = md_map_find(&box->files, box->publish[i]);

        if (f == NULL || f->place != MD_TMP || f->uid == 0)
            continue;
        if (err == 0)
            err = move_file(&v, f->uid, f);
        if (f->place == MD_TMP)
            box->publish[left++] = box->publish[i];
    }
    box->npublish = left;
    mover_close(&v);
    if (err != 0 && left > 0)
        md_box_failed(m, "cannot move new messages to where others see them", err);
    return left > 0 ? err : 0;
}

/* Messages in new/ that somebody was told of go to cur/. */
static void rename_new(struct mover *v)
{
    struct md_box *box = v->m->md;

    for (size_t i = 0; i < box->files.cap && box->nnew > 0; i++) {
        struct md_file *f = &box->files.v[i];

        if (f->hash != 0 && f->place == MD_NEW && f->uid != 0 && f->uid < v->m->first_recent && move_file(v, f->uid, f) != 0)
            md_box_touch(v->m, 1u << MD_NEW | 1u << MD_CUR);
    }
}

bool md_box_wants_renames(const struct mailbox *m)
{
    return m->md->renames.n > 0 || (m->md->nnew > 0 && m->recent == 0);
}

void md_box_rename(struct mailbox *m)
{
    struct md_box *box = m->md;
    size_t left = 0;
    struct mover v;
    int err;

    if (!md_box_wants_renames(m) || mailbox_load(m) != 0)
        return;
    md_letters_load(m->acc->md, box);
    err = mover_open(&v, m);
    if (err == 0)
        rename_new(&v);
    idx_sort_unique(&box->renames);
    for (size_t i = 0; i < box->renames.n; i++) {
        const struct msg_rec *rec = mailbox_rec_find(m, box->renames.v[i]);
        struct md_file *f = rec != NULL ? md_map_find(&box->files, rec->file) : NULL;
        int one = err;

        if (f == NULL || f->place == MD_TMP)
            continue;
        if (one == 0)
            one = move_file(&v, rec->uid, f);
        if (one == ERR_NOTFOUND)
            md_box_touch(m, 1u << MD_NEW | 1u << MD_CUR);
        else if (one != 0)
            md_box_failed(m, "cannot show flags in file names", one);
        if (one != 0)
            box->renames.v[left++] = box->renames.v[i];
    }
    box->renames.n = left;
    mover_close(&v);
}

/* --- files of expunged messages -------------------------------------------------------------------------- */

/* True: it is gone. */
static bool bury_one(struct mailbox *m, const int fds[3], uint64_t hash)
{
    struct md_box *box = m->md;
    const struct md_file *f = md_map_find(&box->files, hash);

    if (f == NULL)
        return box->listed;
    if (fds[f->place] < 0)
        return false;
    if (md_unlink(m->acc->md->disk, fds[f->place], f->name, 0) != 0) {
        if (errno != ENOENT) {
            md_box_failed(m, "cannot remove the file of an expunged message", err_from_errno(errno));
            return false;
        }
        md_box_touch(m, 1u << MD_NEW | 1u << MD_CUR); /* it may only be called otherwise now */
        return false;
    }
    box->unsynced = true;
    box->nnew -= f->place == MD_NEW && f->uid != 0;
    md_map_remove(&box->files, hash);
    return true;
}

void md_box_bury(struct mailbox *m)
{
    struct md_box *box = m->md;
    struct md_map dead = box->dead;
    int fds[3] = {-1, -1, -1};

    if (dead.n == 0)
        return;
    memset(&box->dead, 0, sizeof(box->dead));
    for (unsigned i = 0; i < 3; i++) {
        if (md_dir_open(m->acc->md, md_box_dir(m), (enum md_place)i, &fds[i]) != 0)
            fds[i] = -1;
    }
    for (size_t i = 0; i < dead.cap; i++) {
        if (dead.v[i].hash != 0 && !bury_one(m, fds, dead.v[i].hash))
            md_map_add(&box->dead, dead.v[i].hash, MD_CUR, NULL);
    }
    md_map_free(&dead);
    for (unsigned i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            (void)md_close(m->acc->md->disk, fds[i]);
    }
}
