/*
 * The commit of the tick. The queue is written in batches: one write and at most one sync each. A batch ends with the first
 * transaction that changes names; in almost every tick there is one batch.
 */
#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/maildir_hooks_int.h"

uint64_t account_now_ms(const struct account *acc)
{
    return acc->params.now_ms(acc->params.now_arg);
}

bool account_has_pending(const struct account *acc)
{
    return acc->queue != NULL;
}

bool account_read_only(const struct account *acc)
{
    return acc->log.broken;
}

void account_mark_unsynced(struct account *acc)
{
    if (!acc->log.unsynced)
        acc->unsynced_since = 0;
    else if (acc->unsynced_since == 0)
        acc->unsynced_since = account_now_ms(acc);
}

/* What the account itself has to say goes in front of the batch's first transaction. */
static void put_own_ops(struct account *acc, struct buf *ops)
{
    struct op op = {.kind = OP_JUMP, .modseq = acc->jump};

    if (acc->jump != 0)
        op_put(ops, &op);
    for (size_t i = 0; i < acc->nmailboxes && acc->recent_unsaved; i++) {
        const struct mailbox *m = acc->by_id[i];
        struct op recent = {.kind = OP_RECENT, .mailbox = m->id, .uid = m->first_recent};

        if (m->recent_unsaved)
            op_put(ops, &recent);
    }
    if (acc->closing) {
        op.kind = OP_CLEAN;
        op_put(ops, &op);
    }
}

static void own_ops_saved(struct account *acc)
{
    for (size_t i = 0; i < acc->nmailboxes && acc->recent_unsaved; i++)
        acc->by_id[i]->recent_unsaved = false;
    acc->recent_unsaved = false;
    acc->jump = 0;
}

/* Takes a transaction whose completion got an error, or that was applied, to its end. */
static void finish(struct txn *t, int err, const struct txn_result *result)
{
    static const struct txn_result none;

    if (t->done != NULL)
        t->done(t->arg, err, result != NULL ? result : &none);
    txn_free(t);
}

/* Detaches the next batch from the queue. */
static struct txn *take_batch(struct txn **queue)
{
    struct txn *first = *queue, *t = first;

    while (t->next != NULL && !t->structural)
        t = t->next;
    *queue = t->next;
    t->next = NULL;
    return first;
}

static int write_batch(struct account *acc, struct txn *first)
{
    /* The first thing after a clean end must be durable even if it is only flags: from then on a crash finds the account unclean,
     * and allows for the unsynced changes that it lost. */
    bool sync = acc->params.flag_sync_ms == 0 || acc->jump != 0 || acc->closing || acc->clean, any = false;
    struct txlog_batch b;
    int err = txlog_batch_begin(&acc->log, &b);

    if (err != 0)
        return err;
    acc->batch++;
    for (struct txn *t = first; t != NULL; t = t->next) {
        if (!any)
            put_own_ops(acc, &t->ops);
        t->err = txn_prepare(t);
        if (t->err != 0)
            continue;
        any = true;
        sync = sync || t->durable;
        txlog_batch_add(&acc->log, &b, buf_view(&t->ops), t->iov, t->niov, &t->where);
    }
    if (!any) {
        txlog_batch_drop(&b);
        return 0;
    }
    if (acc->md != NULL && (err = md_batch_sync(acc)) != 0) {
        txlog_batch_drop(&b);
        return err;
    }
    err = txlog_batch_flush(&acc->log, &b, sync);
    if (err == 0)
        own_ops_saved(acc);
    return err;
}

static void apply_one(struct account *acc, struct txn *t)
{
    struct apply_result r;

    apply_result_init(&r);
    /* We have just made these operations: that they cannot be read would be a bug, and memory would no longer be what the log
     * says. */
    if (account_apply(acc, &t->where, &r) != 0)
        PANIC("cannot read back a transaction");
    t->applied = true;
    acc->applied++;
    finish(t, 0, &r.pub);
    apply_result_free(&r);
}

int account_commit(struct account *acc)
{
    struct txn *queue = acc->queue;
    int err = 0;

    acc->queue = NULL;
    acc->queue_end = &acc->queue;
    while (queue != NULL) {
        struct txn *t = take_batch(&queue), *next;
        int batch_err = write_batch(acc, t);

        if (batch_err != 0 && err == 0) {
            LOG_ERROR(0, "cannot write the log", F_ERR(batch_err));
            err = batch_err;
        }
        for (; t != NULL; t = next) {
            next = t->next;
            if (batch_err != 0 || t->err != 0)
                finish(t, batch_err != 0 ? batch_err : t->err, NULL);
            else
                apply_one(acc, t);
        }
        if (acc->md != NULL)
            md_after_commit(acc);
    }
    account_mark_unsynced(acc);
    views_notify(acc);
    watches_notify(acc);
    return err;
}

int account_commit_own(struct account *acc)
{
    struct txn *t = txn_begin(acc);

    txn_commit(&t, NULL, NULL);
    return account_commit(acc);
}

/* \Recent that was given out and is not in the log yet. */
static void save_recent(struct account *acc)
{
    if (!acc->recent_unsaved || acc->queue != NULL || account_read_only(acc))
        return;
    if (account_commit_own(acc) != 0)
        acc->recent_unsaved = false; /* not worth trying again: without it they are recent twice */
}

/* Writes what was not synced in time; returns milliseconds until it has to be. */
static uint64_t sync_late(struct account *acc)
{
    uint64_t now, due;

    if (!acc->log.unsynced || acc->log.broken)
        return UINT64_MAX;
    now = account_now_ms(acc);
    if (acc->unsynced_since > now)
        acc->unsynced_since = now; /* the clock was set back */
    due = acc->unsynced_since + acc->params.flag_sync_ms;
    if (now < due)
        return due - now;
    if (txlog_sync(&acc->log) != 0)
        LOG_ERROR(0, "sync failed: the account is read-only until it is opened again");
    account_mark_unsynced(acc);
    return UINT64_MAX;
}

uint64_t account_background(struct account *acc)
{
    uint64_t wait;

    save_recent(acc);
    wait = sync_late(acc);
    if (acc->queue != NULL)
        return wait;
    if (acc->snapshot == NULL && digest_slice(acc))
        return 0;
    if (acc->md != NULL)
        wait = MIN_OF(wait, md_background(acc));
    if (acc->snapshot == NULL && snapshot_due(acc))
        snapshot_begin(acc);
    if (snapshot_slice(acc)) {
        account_mark_unsynced(acc);
        return 0;
    }
    return compact_slice(acc) ? 0 : acc->log.unsynced || acc->md != NULL ? wait : UINT64_MAX;
}
