/*
 * Verifying, the files: which are there, and the segments from end to end.
 *
 * What damage means depends on where it is. Operations that lie before the position of the snapshot are in the snapshot too; what
 * is in a snapshot is in the log too as long as no segment was removed; a digest can be made again. Only messages that a mailbox
 * refers to, and operations and records that are nowhere else, can be lost.
 */
#include "storage/verify.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/snapshot_int.h"
#include "storage/txlog_int.h"
#include "storage/verify_int.h"
#include "storage/vfs_frozen.h"

void verify_found(struct verify *v, const struct verify_finding *f)
{
    v->result.findings[f->grade]++;
    v->params->found(v->params->arg, f);
}

void verify_progress(struct verify *v, uint64_t more)
{
    v->done = MIN_OF(v->done + more, v->total);
    if (v->params->progress != NULL)
        v->params->progress(v->params->arg, v->done, v->total);
}

static void found_in(struct verify *v, enum verify_grade grade, const char *what, struct vfs_name file, uint64_t off,
                     uint64_t len)
{
    const struct verify_finding f = {.grade = grade, .what = what, .has_file = true, .file = file, .offset = off, .length = len};

    verify_found(v, &f);
}

/* --- segments ------------------------------------------------------------------------------------------------------------ */

struct walk {
    struct txlog_budget budget;
    struct verify *v;
    struct vfs_name name;
    struct view bytes;
    struct txlog_seg_head head;
    bool last;
};

static void add_bad(struct verify *v, uint32_t seg, uint64_t off, uint64_t len)
{
    if (v->nbad == v->cbad) {
        v->cbad = MAX_OF(v->cbad * 2, (size_t)16);
        v->bad = xreallocarray(v->bad, v->cbad, sizeof(*v->bad));
    }
    v->bad[v->nbad++] = (struct bad_blob){seg, off, len, false};
}

/* Operations in [off, end) cannot be read. */
static enum verify_grade grade_ops(const struct walk *w, uint64_t off)
{
    const struct txlog_pos *start = &w->v->r.start;

    return w->name.num < start->seg || (w->name.num == start->seg && off < start->off) ? VERIFY_HARMLESS : VERIFY_LOSS;
}

static void check_blobs(struct walk *w, uint64_t off, uint64_t end)
{
    while (off < end) {
        struct view bytes = view_sub(w->bytes, (size_t)off, (size_t)(end - off));
        struct blob_head head;
        int err = blob_head_parse(bytes, &head);

        /* Behind a bad header the next blob cannot be found; each that a message needs is looked at from there. */
        if (err != 0 || head.len > bytes.len - BLOB_HEADER_SIZE) {
            add_bad(w->v, w->name.num, off, end - off);
            return;
        }
        if (blob_check(bytes.ptr, &head, view_sub(bytes, BLOB_HEADER_SIZE, (size_t)head.len)) != 0)
            add_bad(w->v, w->name.num, off, blob_space(head.len));
        off += blob_space(head.len);
    }
}

static uint64_t next_transaction(struct walk *w, uint64_t off)
{
    struct txlog_txn_head h;
    struct view ops;

    for (uint64_t at = off + BLOB_ALIGN; at + TXLOG_TXN_SIZE <= w->bytes.len; at += BLOB_ALIGN) {
        if (txlog_txn_parse(w->bytes, at, w->head.seed, &w->budget, &h, &ops))
            return at;
    }
    return w->bytes.len;
}

static void walk_segment(struct walk *w)
{
    uint64_t off = TXLOG_HEADER_SIZE, next;
    struct txlog_txn_head h;
    struct view ops;

    w->budget = txlog_budget_of(w->bytes.len);
    while (off < w->bytes.len) {
        if (txlog_txn_parse(w->bytes, off, w->head.seed, &w->budget, &h, &ops)) {
            check_blobs(w, off + TXLOG_TXN_SIZE + blob_padded(h.ops_len), off + h.total);
            verify_progress(w->v, h.total);
            off += h.total;
            continue;
        }
        next = next_transaction(w, off);
        if (next == w->bytes.len && w->last)
            found_in(w->v, VERIFY_HARMLESS, "unfinished end of the log: left by a crash, or damage to the last changes", w->name,
                     off, next - off);
        else
            found_in(w->v, grade_ops(w, off), "changes that cannot be read", w->name, off, next - off);
        verify_progress(w->v, next - off);
        off = next;
    }
}

static bool is_blank(struct view bytes)
{
    for (size_t i = 0; i < bytes.len && i < TXLOG_HEADER_SIZE; i++) {
        if (bytes.ptr[i] != 0)
            return false;
    }
    return true;
}

static int check_segment(struct verify *v, const struct seg *s, bool last)
{
    struct walk w = {.v = v, .name = {VFS_LOG, 0, s->num}, .last = last};
    struct vfs_file *file;
    void *map = NULL;
    uint64_t size = 0;
    int err = vfs_file_open(v->frozen, w.name, VFS_READ, &file);

    if (err == 0)
        err = vfs_size(file, &size);
    if (err == 0 && size > 0)
        err = vfs_map(file, 0, (size_t)size, false, &map);
    vfs_file_close(&file);
    if (err == ERR_NOMEM)
        return err;
    /* Empty ones are removed after the snapshot that still names them. */
    if (err == ERR_NOTFOUND && s->live == 0 && s->num < v->r.start.seg)
        return 0;
    if (err != 0) {
        found_in(v, grade_ops(&w, 0),
                 err == ERR_NOTFOUND ? "segment of the log is missing" : "segment of the log cannot be opened", w.name, 0, 0);
        return 0;
    }
    w.bytes = view_make(map, (size_t)size);
    err = txlog_seg_head_parse(w.bytes, s->num, &w.head);
    if (err == 0)
        walk_segment(&w);
    else if (err == ERR_CORRUPT)
        found_in(v, last && is_blank(w.bytes) ? VERIFY_HARMLESS : grade_ops(&w, size), "header of a segment cannot be read",
                 w.name, 0, TXLOG_HEADER_SIZE);
    vfs_unmap(v->frozen, map, 0, (size_t)size);
    return err == ERR_CORRUPT ? 0 : err;
}

static int check_segments(struct verify *v)
{
    const struct txlog *l = &v->r.acc->log;
    int err = 0;

    for (size_t i = 0; i < l->nsegs && err == 0; i++)
        err = check_segment(v, l->segs[i], i + 1 == l->nsegs);
    return err;
}

/* Bad places to which no message refers. */
static void report_unneeded(struct verify *v)
{
    for (size_t i = 0; i < v->nbad; i++) {
        const struct vfs_name name = {VFS_LOG, 0, v->bad[i].seg};

        if (!v->bad[i].needed)
            found_in(v, VERIFY_HARMLESS, "damaged data that no message needs", name, v->bad[i].off, v->bad[i].len);
    }
}

/* --- snapshots ----------------------------------------------------------------------------------------------------------- */

/* The parts of a state file that its checksums do not cover. */
static int check_state_header(struct verify *v, struct vfs_name name)
{
    uint8_t head[STATE_HEADER_SIZE];
    struct vfs_file *file;
    struct cursor c = cursor_make(view_make(head, sizeof(head)));
    int err = vfs_file_open(v->frozen, name, VFS_READ, &file);

    if (err != 0)
        return err;
    err = vfs_read(file, 0, head, sizeof(head));
    vfs_file_close(&file);
    if (err == 0 &&
        (!cursor_take_view(&c, VIEW(STATE_MAGIC)) || cursor_u32(&c) != SNAPSHOT_VERSION || cursor_u32(&c) != name.num))
        err = ERR_CORRUPT;
    return err;
}

static bool check_file(void *arg, struct vfs_name name)
{
    struct verify *v = arg;
    struct account *acc = v->r.acc;
    const struct mailbox *m;

    v->result.files++;
    switch (name.kind) {
    case VFS_STATE:
        if (name.num == acc->state_num && check_state_header(v, name) != 0)
            found_in(v, VERIFY_HARMLESS, "header of a snapshot is damaged", name, 0, STATE_HEADER_SIZE);
        /* One that is newer was not finished when a crash came, or its end is damaged. */
        if (name.num > acc->state_num)
            found_in(v, v->whole_log ? VERIFY_HARMLESS : VERIFY_LOSS, "snapshot is unfinished or damaged", name, 0, 0);
        if (name.num < acc->state_num)
            found_in(v, VERIFY_NOTE, "old snapshot that is not needed any more", name, 0, 0);
        break;
    case VFS_MBOX:
        m = account_find_id(acc, name.id);
        if (m == NULL || m->file_num != name.num)
            found_in(v, VERIFY_NOTE, "records that are not needed any more", name, 0, 0);
        break;
    case VFS_DIGEST:
        if (digfile_find(acc, name.id, name.num) == NULL)
            found_in(v, VERIFY_NOTE, "digests that are not needed any more", name, 0, 0);
        break;
    default:
        break;
    }
    return true;
}

/* --- the account --------------------------------------------------------------------------------------------------------- */

/* The records of a mailbox, as the snapshot has them. */
static bool check_records(struct verify *v, struct mailbox *m)
{
    struct verify_finding f = {.grade = v->whole_log ? VERIFY_HARMLESS : VERIFY_LOSS, .mailbox = mailbox_name_view(m)};
    int err = reading_check_mailbox(&v->r, m);

    if (err == 0 && mailbox_load(m) == 0)
        return true;
    f.what = err != 0 ? "records of a mailbox are damaged" : "latest records of a mailbox are damaged";
    f.has_file = true;
    if (err != 0)
        f.file = (struct vfs_name){VFS_MBOX, m->id, m->file_num};
    else
        f.file = (struct vfs_name){VFS_STATE, 0, v->r.acc->state_num};
    verify_found(v, &f);
    return false;
}

/* Opens the account from its snapshot and finds out whether the log alone has it all. Where the snapshot is damaged, the messages
 * are then those of the log. */
static int open_account(struct verify *v)
{
    struct reading log_only;
    bool good;
    int err = reading_open(v->frozen, true, &v->r);

    if (err != 0)
        return err;
    err = reading_open(v->frozen, false, &log_only);
    if (err != 0) {
        account_close(&v->r.acc);
        return err;
    }
    v->whole_log = reading_is_whole(&log_only, &v->r);
    good = v->r.states_bad == 0;
    for (size_t i = 0; i < v->r.acc->nmailboxes; i++)
        good = check_records(v, v->r.acc->by_id[i]) && good;
    v->mail = v->r.acc;
    if (!good && v->whole_log)
        v->mail = log_only.acc; /* transferred */
    else
        account_close(&log_only.acc);
    return 0;
}

int verify_account(struct vfs *frozen, const struct verify_params *params, struct verify_result *out)
{
    struct verify v = {.frozen = frozen, .params = params};
    int err = open_account(&v);

    if (err != 0)
        return err;
    v.result.bytes = vfs_frozen_size(frozen);
    v.total = v.result.bytes + v.mail->bytes;
    err = vfs_list(frozen, check_file, &v);
    if (err == 0)
        err = check_segments(&v);
    if (err == 0) {
        verify_mail(&v);
        report_unneeded(&v);
    }
    if (err == 0 && v.r.report.damaged > 0 && v.result.findings[VERIFY_LOSS] == 0) {
        const struct verify_finding f = {.grade = VERIFY_LOSS, .what = "part of the log is missing"};

        verify_found(&v, &f);
    }
    if (v.mail != v.r.acc)
        account_close(&v.mail);
    account_close(&v.r.acc);
    free(v.bad);
    *out = v.result;
    return err;
}
