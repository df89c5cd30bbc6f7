/* What the storage tests share: an account in a temporary directory (or over any vfs) and one-line changes. */
#ifndef CULVER_TESTS_STORAGE_HELPER_H
#define CULVER_TESTS_STORAGE_HELPER_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log/log.h"
#include "storage/mailbox_view.h"
#include "storage/txn.h"
#include "storage/vfs.h"

static const struct auto_mailbox helper_autos[] = {{"Drafts", USE_DRAFTS}, {"Sent", USE_SENT}};

struct box {
    char dir[64];
    struct vfs *vfs;
    struct account *acc;
    uint64_t now;
    struct account_params params;
    /* of the last completion */
    int done, err;
    struct txn_result res;
    struct uidset appended, modified, expunged;
    uint32_t from[64], to[64];
};

static inline uint64_t box_now(void *arg)
{
    return ((struct box *)arg)->now;
}

static inline int box_open(struct box *b)
{
    if (b->now == 0)
        b->now = 1700000000000u;
    b->params.vfs = b->vfs;
    b->params.autos = helper_autos;
    b->params.nautos = 2;
    b->params.now_ms = box_now;
    b->params.now_arg = b;
    if (b->params.mailboxes_max == 0)
        b->params.mailboxes_max = 100;
    return account_open(&b->params, &b->acc);
}

static inline void box_init(struct box *b)
{
    memset(b, 0, sizeof(*b));
    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    snprintf(b->dir, sizeof(b->dir), "/tmp/culver-test-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    assert_int_equal(vfs_posix_open(b->dir, &b->vfs), 0);
}

static inline bool box_rm(void *arg, struct vfs_name name)
{
    assert_int_equal(vfs_remove(((struct box *)arg)->vfs, name), 0);
    return true;
}

static inline bool box_rm_snapshot(void *arg, struct vfs_name name)
{
    return name.kind == VFS_LOG || box_rm(arg, name);
}

/* The account is closed: what is left is its log. */
static inline void box_rm_snapshots(struct box *b)
{
    assert_int_equal(vfs_list(b->vfs, box_rm_snapshot, b), 0);
}

static inline void box_free(struct box *b)
{
    char lock[96];

    account_close(&b->acc);
    assert_int_equal(vfs_list(b->vfs, box_rm, b), 0);
    vfs_free(&b->vfs);
    uidset_free(&b->appended);
    uidset_free(&b->modified);
    uidset_free(&b->expunged);
    snprintf(lock, sizeof(lock), "%s/lock", b->dir);
    unlink(lock);
    assert_int_equal(rmdir(b->dir), 0);
}

static inline void box_reopen(struct box *b)
{
    account_close(&b->acc);
    assert_int_equal(box_open(b), 0);
}

static inline void box_done(void *arg, int err, const struct txn_result *r)
{
    struct box *b = arg;

    b->done++;
    b->err = err;
    b->res = *r;
    uidset_free(&b->appended);
    uidset_free(&b->modified);
    uidset_free(&b->expunged);
    for (size_t i = 0; i < r->append_uids.n; i++)
        uidset_add_range(&b->appended, r->append_uids.ranges[i].first, r->append_uids.ranges[i].last);
    for (size_t i = 0; i < r->modified.n; i++)
        uidset_add_range(&b->modified, r->modified.ranges[i].first, r->modified.ranges[i].last);
    for (size_t i = 0; i < r->expunged.n; i++)
        uidset_add_range(&b->expunged, r->expunged.ranges[i].first, r->expunged.ranges[i].last);
    for (size_t i = 0; i < r->ncopied && i < 64; i++) {
        b->from[i] = r->copy_from[i];
        b->to[i] = r->copy_to[i];
    }
}

static inline struct mailbox *box_find(struct box *b, const char *name)
{
    return account_find(b->acc, view_str(name));
}

static inline int box_stage_append(struct box *b, struct txn *t, const char *mbox, const char *text, unsigned flags)
{
    struct message_source src = {.parts = {view_str(text)}, .fd = -1};
    struct append_options opt = {.flags = flags};

    return txn_append(t, box_find(b, mbox), &src, &opt);
}

/* Commits t alone and gives the completion's error. */
static inline int box_run(struct box *b, struct txn *t)
{
    b->done = 0;
    txn_commit(&t, box_done, b);
    (void)!account_commit(b->acc);
    assert_int_equal(b->done, 1);
    return b->err;
}

static inline int box_append(struct box *b, const char *mbox, const char *text, unsigned flags)
{
    struct txn *t = txn_begin(b->acc);
    int err = box_stage_append(b, t, mbox, text, flags);

    if (err != 0) {
        txn_abort(&t);
        return err;
    }
    return box_run(b, t);
}

static inline struct uidset set_of(uint32_t first, uint32_t last)
{
    struct uidset s;

    uidset_init(&s);
    uidset_add_range(&s, first, last);
    return s;
}

static inline int box_flags(struct box *b, const char *mbox, uint32_t first, uint32_t last, enum flag_op op, unsigned flags,
                            const char *kw)
{
    struct view k = view_str(kw);
    struct flag_change c = {.op = op, .flags = flags, .keywords = &k, .nkeywords = kw != NULL};
    struct uidset s = set_of(first, last);
    struct txn *t = txn_begin(b->acc);
    int err = txn_flags(t, box_find(b, mbox), &s, &c);

    uidset_free(&s);
    if (err != 0) {
        txn_abort(&t);
        return err;
    }
    return box_run(b, t);
}

static inline int box_expunge(struct box *b, const char *mbox, uint32_t first, uint32_t last)
{
    struct uidset s = set_of(first, last);
    struct txn *t = txn_begin(b->acc);
    int err = txn_expunge(t, box_find(b, mbox), &s);

    uidset_free(&s);
    assert_int_equal(err, 0);
    return box_run(b, t);
}

static inline int box_copy(struct box *b, const char *from, uint32_t first, uint32_t last, const char *to, bool move)
{
    struct uidset s = set_of(first, last);
    struct txn *t = txn_begin(b->acc);
    int err = txn_copy(t, box_find(b, from), &s, box_find(b, to), move);

    uidset_free(&s);
    if (err != 0) {
        txn_abort(&t);
        return err;
    }
    return box_run(b, t);
}

static inline int box_end(struct box *b, struct txn *t, int err)
{
    if (err == 0)
        return box_run(b, t);
    txn_abort(&t);
    return err;
}

static inline int box_create(struct box *b, const char *name)
{
    struct txn *t = txn_begin(b->acc);

    return box_end(b, t, txn_create(t, view_str(name), 0));
}

static inline int box_delete(struct box *b, const char *name)
{
    struct txn *t = txn_begin(b->acc);

    return box_end(b, t, txn_delete(t, view_str(name)));
}

static inline int box_rename(struct box *b, const char *from, const char *to)
{
    struct txn *t = txn_begin(b->acc);

    return box_end(b, t, txn_rename(t, view_str(from), view_str(to)));
}

static inline int box_subscribe(struct box *b, const char *name, bool on)
{
    struct txn *t = txn_begin(b->acc);

    return box_end(b, t, txn_subscribe(t, view_str(name), on));
}

static inline struct mailbox_status box_status(struct box *b, const char *mbox)
{
    struct mailbox_status st;

    mailbox_status(box_find(b, mbox), &st);
    return st;
}

/* The message's bytes equal text. */
static inline void check_bytes(struct mailbox_view *v, uint32_t seq, const char *text)
{
    struct msg_data d;

    assert_int_equal(mailbox_view_data(v, seq, &d), 0);
    assert_true(view_eq(d.bytes, view_str(text)));
    if (d.fd >= 0) {
        char *copy = malloc(d.bytes.len + 1);

        assert_int_equal(pread(d.fd, copy, d.bytes.len, (off_t)d.fd_offset), (ssize_t)d.bytes.len);
        assert_true(memcmp(copy, d.bytes.ptr, d.bytes.len) == 0);
        free(copy);
    }
    msg_data_close(&d);
}

#endif
