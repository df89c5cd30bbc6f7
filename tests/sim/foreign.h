/*
 * What other programs do in a Maildir between the ticks of storage_sim.h (which includes this): deliver, remove files, show other
 * flags, make, rename and remove folders. They sync what they do, so a crash does not undo it; storage takes it over at the next
 * scan, or at the next open. Only where the log may still have something to say of the same names (flags that a name does not
 * show yet, a folder that it renamed) either may win, and both are possible states.
 */
#ifndef CULVER_TESTS_SIM_FOREIGN_H
#define CULVER_TESTS_SIM_FOREIGN_H

#include <fcntl.h>

#include "storage/maildir_int.h"

enum sim_deed { DEED_DELIVER, DEED_REMOVE, DEED_FLAGS, DEED_MAKE_FOLDER, DEED_RENAME_FOLDER, DEED_REMOVE_FOLDER, DEED_COUNT };

/* Nothing of its own is still to be done in the Maildir. */
static inline bool sim_settled(struct sim_run *r)
{
    for (size_t i = 0; i < r->acc->nmailboxes; i++) {
        const struct md_box *box = r->acc->by_id[i]->md;

        if (box->moved || box->dead.n > 0 || box->npublish > 0)
            return false;
    }
    return r->md->ngone == 0;
}

/* A mailbox that exists, by its name; INBOX at least. */
static inline int sim_any_name(struct sim_run *r, int first)
{
    for (int tries = 0; tries < 20; tries++) {
        int name = first + (int)sim_roll(r, (uint64_t)(SIM_NAMES - first));

        if (sim_box(sim_now(r), name) != NULL)
            return name;
    }
    return first == 0 ? 0 : -1;
}

static inline struct sim_msg *sim_any_message(struct sim_run *r, struct sim_box *b)
{
    unsigned n = sim_live(b), at = n > 0 ? (unsigned)sim_roll(r, n) : 0;

    for (uint32_t i = 0; i < b->n && n > 0; i++) {
        if (b->msgs[i].gone == 0 && at-- == 0)
            return &b->msgs[i];
    }
    return NULL;
}

static inline const struct md_file *sim_file(struct mailbox *m, const struct sim_msg *msg)
{
    mailbox_need(m);
    return msg != NULL ? md_box_file(m, mailbox_rec_find(m, msg->uid)->file) : NULL;
}

static inline void sim_apply_everywhere(struct sim_run *r, const struct sim_req *q)
{
    struct sim_outcome o = {0};

    for (unsigned i = 0; i < r->nstates; i++)
        sim_apply(r, &r->states[i], q, &o);
}

static inline bool sim_deliver(struct sim_run *r, int name)
{
    static const char *const flags[] = {"", ":2,", ":2,S", ":2,FS"};
    static const unsigned bits[] = {0, 0, MSG_SEEN, MSG_SEEN | MSG_FLAGGED};
    struct mailbox *m = account_find(r->acc, view_str(sim_names[name]));
    enum md_place place = sim_roll(r, 2) == 0 ? MD_NEW : MD_CUR;
    unsigned f = (unsigned)sim_roll(r, place == MD_NEW ? 1 : 4);
    uint32_t content = ++r->content | SIM_FOREIGN;
    char file[64];
    uint8_t *owned = NULL;
    struct view v = sim_content(content)->text;
    int fd, tmp;

    if (sim_live(sim_box(sim_now(r), name)) >= SIM_MSGS / 3)
        return false;
    if (sim_roll(r, 2) == 0)
        v = md_to_file(v, &owned);
    r->now += 1000; /* files are taken in the order of the seconds in their names */
    snprintf(file, sizeof(file), "%llu.%u.other%s", (unsigned long long)(r->now / 1000), content, flags[f]);
    SIM_CHECK(r, md_dir_open(r->md, md_box_dir(m), MD_TMP, &tmp) == 0 && md_dir_open(r->md, md_box_dir(m), place, &fd) == 0);
    SIM_CHECK(r, md_file_write(r->md, tmp, file, v, 0) == 0 && md_rename(r->md, tmp, file, fd, file) == 0);
    SIM_SAY("deliver %u to %s %s/%s\n", content, sim_names[name], place == MD_NEW ? "new" : "cur", file);
    (void)md_close(r->md->disk, tmp);
    (void)md_close(r->md->disk, fd);
    free(owned);
    for (unsigned i = 0; i < r->nstates; i++) {
        struct sim_box *b = sim_box(&r->states[i], name);

        sim_add(r, b, &(struct sim_msg){.uid = b->uidnext, .content = content, .flags = (uint16_t)bits[f]});
    }
    return true;
}

static inline bool sim_remove(struct sim_run *r, int name)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[name]));
    struct sim_msg *msg = sim_any_message(r, sim_box(sim_now(r), name));
    const struct md_file *f = sim_file(m, msg);
    int fd;

    if (f == NULL || f->place == MD_TMP)
        return false;
    SIM_SAY("remove %u of %s: %s %s\n", msg->uid, sim_names[name], f->name, f->place == MD_NEW ? "new" : "cur");
    SIM_CHECK(r, md_dir_open(r->md, md_box_dir(m), (enum md_place)f->place, &fd) == 0);
    SIM_CHECK(r, md_unlink(r->md->disk, fd, f->name, 0) == 0);
    (void)md_close(r->md->disk, fd);
    sim_apply_everywhere(r, &(struct sim_req){.kind = SIM_EXPUNGE, .box = name, .first = msg->uid, .last = msg->uid});
    return true;
}

static inline bool sim_show_flags(struct sim_run *r, int name)
{
    struct mailbox *m = account_find(r->acc, view_str(sim_names[name]));
    const struct sim_msg *msg = sim_any_message(r, sim_box(sim_now(r), name));
    const struct md_file *f = sim_file(m, msg);
    struct sim_req q = {.kind = SIM_FLAGS, .box = name, .how = FLAGS_REPLACE, .flags = (unsigned)sim_roll(r, 32)};
    struct md_name n;
    struct buf to;
    int from_fd, fd;

    if (f == NULL || f->place == MD_TMP || m->md->renames.n > 0 || !md_name_parse(view_str(f->name), &n))
        return false;
    n.flags = q.flags;
    q.first = q.last = msg->uid;
    q.flags |= msg->flags & SIM_KEYWORD_BITS;
    buf_init(&to, MD_NAME_MAX + 1);
    md_name_put(&to, &n);
    buf_put_byte(&to, 0);
    SIM_CHECK(r, buf_ok(&to) && md_dir_open(r->md, md_box_dir(m), (enum md_place)f->place, &from_fd) == 0);
    SIM_CHECK(r, md_dir_open(r->md, md_box_dir(m), MD_CUR, &fd) == 0);
    if (strcmp(f->name, (const char *)buf_view(&to).ptr) != 0)
        SIM_CHECK(r, md_rename(r->md, from_fd, f->name, fd, (const char *)buf_view(&to).ptr) == 0);
    (void)md_close(r->md->disk, from_fd);
    (void)md_close(r->md->disk, fd);
    buf_free(&to);
    sim_push(r, &q);
    return true;
}

static inline bool sim_make_folder(struct sim_run *r)
{
    char *dir;

    /* One too many is not taken over. */
    if (sim_box(sim_now(r), 5) != NULL || sim_count_boxes(sim_now(r)) >= sim_limits(r, sim_now(r)).mailboxes)
        return false;
    dir = md_dir_of_name(view_str(sim_names[5]));
    SIM_CHECK(r, md_box_make(r->md, dir) == 0);
    free(dir);
    for (unsigned i = 0; i < r->nstates; i++)
        sim_new_box(r, &r->states[i], 5);
    return true;
}

static inline bool sim_rename_folder(struct sim_run *r, int name)
{
    struct sim_req q = {.kind = SIM_RENAME, .box = name, .to = 3 + (int)sim_roll(r, 3), .alone = true};
    char *from, *to;
    bool done;

    if (name < 0 || sim_box(sim_now(r), q.to) != NULL)
        return false;
    from = md_dir_of_name(view_str(sim_names[name]));
    to = md_dir_of_name(view_str(sim_names[q.to]));
    /* After a failure there may be such a folder all the same. */
    done = md_rename(r->md, r->md->root, from, r->md->root, to) == 0;
    SIM_CHECK(r, done || r->failing);
    free(from);
    free(to);
    if (done)
        sim_push(r, &q);
    return done;
}

struct sim_emptying {
    struct sim_run *r;
    int fd;
};

static inline bool sim_remove_entry(void *arg, const char *name)
{
    struct sim_emptying *e = arg;

    if (md_unlink(e->r->md->disk, e->fd, name, 0) != 0)
        (void)md_unlink(e->r->md->disk, e->fd, name, AT_REMOVEDIR);
    return true;
}

static inline bool sim_remove_folder(struct sim_run *r, int name)
{
    struct sim_emptying e = {.r = r};
    char *dir;

    if (name < 0)
        return false;
    dir = md_dir_of_name(view_str(sim_names[name]));
    for (int place = MD_NEW; place <= MD_SELF; place++) {
        SIM_CHECK(r, md_dir_open(r->md, dir, (enum md_place)place, &e.fd) == 0);
        SIM_CHECK(r, md_dir_list(r->md, e.fd, sim_remove_entry, &e) == 0);
        (void)md_close(r->md->disk, e.fd);
    }
    SIM_CHECK(r, md_unlink(r->md->disk, r->md->root, dir, AT_REMOVEDIR) == 0);
    free(dir);
    sim_apply_everywhere(r, &(struct sim_req){.kind = SIM_DELETE, .box = name});
    return true;
}

static inline bool sim_deed(struct sim_run *r, enum sim_deed deed)
{
    if (deed == DEED_FLAGS || deed == DEED_RENAME_FOLDER) {
        /* So that the log has nothing to say of it. */
        maildir_sim_foreign(r->disk, false);
        r->now += 5000;
        for (int i = 0; i < 20 && account_background(r->acc) == 0; i++)
            ;
        if (snapshot_write(r->acc) != 0 || vfs_sim_crashed(r->vfs))
            return false;
        sim_durable(r);
        maildir_sim_foreign(r->disk, true);
    }
    if (!sim_settled(r))
        return false;
    switch (deed) {
    case DEED_DELIVER:
        return sim_deliver(r, sim_any_name(r, 0));
    case DEED_REMOVE:
        return sim_remove(r, sim_any_name(r, 0));
    case DEED_FLAGS:
        return sim_show_flags(r, sim_any_name(r, 0));
    case DEED_MAKE_FOLDER:
        return sim_make_folder(r);
    case DEED_RENAME_FOLDER:
        return sim_rename_folder(r, sim_any_name(r, 3));
    case DEED_REMOVE_FOLDER:
        return sim_remove_folder(r, sim_any_name(r, 3));
    case DEED_COUNT:
        break;
    }
    return false;
}

/* What another program does, and what storage makes of it. */
static inline void sim_foreign(struct sim_run *r)
{
    enum sim_deed deed = (enum sim_deed)sim_roll(r, DEED_COUNT);
    bool done = false;

    if (r->disk == NULL || vfs_sim_crashed(r->vfs) || account_read_only(r->acc))
        return;
    r->batch++;
    for (uint64_t i = deed == DEED_DELIVER ? 1 + sim_roll(r, 3) : 1; i > 0; i--) {
        maildir_sim_foreign(r->disk, true);
        done = sim_deed(r, deed) || done;
        SIM_SAY("step %u op %llu: another program's deed %d (%d)\n", r->steps, (unsigned long long)vfs_sim_ops(r->vfs), (int)deed,
                done);
        maildir_sim_foreign(r->disk, false);
    }
    /* A failure of the disk may delay it, but not for ever. */
    for (int i = 0; i < 12 && done && !vfs_sim_crashed(r->vfs) && !account_read_only(r->acc); i++) {
        r->now += 6000;
        (void)account_scan(r->acc);
        if (vfs_sim_crashed(r->vfs) || sim_compare(r, sim_now(r)) == NULL)
            break;
    }
    if (vfs_sim_crashed(r->vfs) || account_read_only(r->acc))
        return;
    sim_verify(r);
    if (done && deed != DEED_FLAGS)
        sim_durable(r);
}

#endif
