/* What the targets of whole sessions share: an account on a disk in memory, and what a worker is to a session. */
#ifndef CULVER_TESTS_FUZZ_HOSTS_H
#define CULVER_TESTS_FUZZ_HOSTS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/session.h"
#include "common/log/log.h"
#include "storage/account.h"
#include "storage/mailbox.h"
#include "storage/mailbox_view.h"
#include "storage/txn.h"
#include "storage/vfs_sim.h"

struct fuzz_account {
    struct vfs *vfs;
    struct account *acc;
    struct account_params params;
    uint64_t fresh; /* operations of the disk when it was new */
};

struct fuzz_side {
    struct session_host host;
    struct buf in, out; /* out: what the client has received */
    bool woken;
};

/* The time that a session's slices are measured in goes on by so much each time that it is asked for: what a target does depends
 * on its input alone. */
static uint64_t fuzz_time_us, fuzz_time_step_us = 1;

int clock_gettime(clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, ts);
    fuzz_time_us += fuzz_time_step_us;
    *ts = (struct timespec){.tv_sec = (time_t)(fuzz_time_us / 1000000), .tv_nsec = (long)(fuzz_time_us % 1000000) * 1000};
    return 0;
}

static inline uint64_t fuzz_wall(void *arg)
{
    (void)arg;
    return UINT64_C(1790000000000);
}

static inline uint64_t fuzz_mono(const struct session_host *h)
{
    (void)h;
    return 0;
}

static inline void fuzz_wake(struct session_host *h)
{
    ((struct fuzz_side *)h->priv)->woken = true;
}

static inline void fuzz_set_timeout(struct session_host *h, uint64_t ms)
{
    (void)h;
    (void)ms;
}

/* A new account with these messages in INBOX, not \Recent any more. params: all but its disk. */
static inline void fuzz_account_make(struct fuzz_account *a, const struct account_params *params, const char *const *mails,
                                     size_t n)
{
    struct mailbox_view *view;

    *a = (struct fuzz_account){.vfs = vfs_sim_new(1), .params = *params};
    a->params.vfs = a->vfs;
    a->params.now_ms = fuzz_wall;
    ASSERT(account_open(&a->params, &a->acc) == 0);
    for (size_t i = 0; i < n; i++) {
        struct message_source src = {.parts = {view_str(mails[i])}, .fd = -1};
        struct append_options opt = {0};
        struct txn *t = txn_begin(a->acc);

        ASSERT(txn_append(t, account_find(a->acc, VIEW("INBOX")), &src, &opt) == 0);
        txn_commit(&t, NULL, NULL);
        ASSERT(account_commit(a->acc) == 0);
    }
    view = mailbox_view_open(a->acc, account_find(a->acc, VIEW("INBOX")), true);
    mailbox_view_close(&view);
    ASSERT(account_commit(a->acc) == 0);
    a->fresh = vfs_sim_ops(a->vfs);
}

/* Something was written to it. */
static inline bool fuzz_account_used(const struct fuzz_account *a)
{
    return vfs_sim_ops(a->vfs) != a->fresh;
}

static inline bool fuzz_put_mailbox(void *arg, const struct mailbox_entry *e)
{
    struct mailbox_status st = {0};
    struct buf *out = arg;

    if (e->mailbox != NULL)
        mailbox_status(e->mailbox, &st);
    buf_put_view(out, e->name);
    buf_put_fmt(out, " %d %d %d %u", e->mailbox != NULL, e->subscribed, e->has_children, e->use);
    buf_put_fmt(out, " %u %u %u %u %u", st.messages, st.unseen, st.deleted, st.uidnext, st.uidvalidity);
    buf_put_fmt(out, " %llu\n", (unsigned long long)st.size);
    return true;
}

/* Everything that counts, as text; modification sequences make a jump when a process was killed. */
static inline void fuzz_picture(struct account *acc, struct buf *out)
{
    struct quota_usage q;

    buf_init(out, 16 << 20);
    account_each(acc, fuzz_put_mailbox, out);
    account_quota(acc, &q);
    buf_put_fmt(out, "%llu %llu %llu\n", (unsigned long long)q.bytes, (unsigned long long)q.messages,
                (unsigned long long)q.annotation_bytes);
    buf_put_fmt(out, "%llu %llu %llu\n", (unsigned long long)q.limits.bytes, (unsigned long long)q.limits.messages,
                (unsigned long long)q.limits.mailboxes);
    ASSERT(buf_ok(out));
}

static inline void fuzz_fail_pictures(const struct buf *before, const struct buf *after)
{
    struct view b = buf_view(before), a = buf_view(after);

    fprintf(stderr, "before:\n%.*safter:\n%.*s", (int)b.len, (const char *)b.ptr, (int)a.len, (const char *)a.ptr);
    PANIC("the account is another one");
}

/* Whatever was done to it, the account opens again: from its log when the process is killed, otherwise from a snapshot too.
 * Where the disk did not fail it is what it was. Sessions must be gone, and the disk whole again. It is closed then. */
static inline void fuzz_account_end(struct fuzz_account *a, bool killed, bool failed)
{
    struct buf before, after;

    fuzz_picture(a->acc, &before);
    if (killed)
        vfs_sim_crash_at(a->vfs, vfs_sim_ops(a->vfs) + 1);
    account_close(&a->acc);
    vfs_sim_crash_at(a->vfs, 0);
    if (vfs_sim_crashed(a->vfs))
        vfs_sim_reboot(a->vfs, SIM_LOSE_NOTHING);
    ASSERT(account_open(&a->params, &a->acc) == 0);
    fuzz_picture(a->acc, &after);
    if (!failed && !view_eq(buf_view(&before), buf_view(&after)))
        fuzz_fail_pictures(&before, &after);
    buf_free(&before);
    buf_free(&after);
    account_close(&a->acc);
    vfs_free(&a->vfs);
}

static inline void fuzz_side_init(struct fuzz_side *s, const struct set_worker *set, int spool_dir)
{
    *s = (struct fuzz_side){.host = {.id = 1,
                                     .in = &s->in,
                                     .out = outq_new(32 << 20),
                                     .set = set,
                                     .hostname = "h",
                                     .user = "u",
                                     .spool_dir = spool_dir,
                                     .now_ms = fuzz_mono,
                                     .wake = fuzz_wake,
                                     .set_timeout = fuzz_set_timeout,
                                     .priv = s}};
    buf_init(&s->in, 8192);
    buf_init(&s->out, 64 << 20);
}

static inline void fuzz_side_free(struct fuzz_side *s)
{
    outq_free(&s->host.out);
    buf_free(&s->in);
    buf_free(&s->out);
}

#endif
