/* Opening and closing an account. */
#include "storage/maildir_hooks_int.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"

#define SMALL_MAILBOX 64
#define SNAPSHOT_SLICE 8192 /* records: 1 MiB */

static int replay(void *arg, const struct txlog_txn *t)
{
    struct account *acc = arg;
    int err = account_apply(acc, t, NULL);

    if (err == ERR_CORRUPT) {
        LOG_ERROR(0, "transaction cannot be understood", F_UINT("segment", t->seg), F_UINT("offset", t->off));
        acc->damaged = true;
        err = 0;
    }
    return err;
}

/* Unsynced changes of flags may have been lost, after clients were told their modseqs: no such number may come again for
 * something else. The jump is in memory at once, and goes into the log with (and synced before) the first thing that uses it. */
static void jump_modseqs(struct account *acc)
{
    acc->jump = MODSEQ_JUMP;
    for (size_t i = 0; i < acc->nmailboxes; i++)
        acc->by_id[i]->highestmodseq += MODSEQ_JUMP;
}

struct first_error {
    int err;
};

static void created(void *arg, int err, const struct txn_result *result)
{
    (void)result;
    ((struct first_error *)arg)->err = err;
}

/* A new account gets its mailboxes; one that lost INBOX to damage gets it back. */
static int create_autos(struct account *acc, bool is_new)
{
    struct first_error first = {0};
    struct txn *t;
    int err = 0;

    if (account_find(acc, VIEW("INBOX")) != NULL || account_read_only(acc))
        return 0;
    t = txn_begin(acc);
    err = txn_create(t, VIEW("INBOX"), 0);
    if (err == 0)
        err = txn_subscribe(t, VIEW("INBOX"), true);
    for (size_t i = 0; i < acc->params.nautos && is_new && err == 0; i++) {
        struct view name = view_str(acc->params.autos[i].name);

        err = txn_create(t, name, acc->params.autos[i].use);
        if (err == 0)
            err = txn_subscribe(t, name, true);
        else if (err == ERR_EXISTS)
            err = 0; /* INBOX may be in the list */
    }
    if (err != 0) {
        txn_abort(&t);
        return err;
    }
    txn_commit(&t, created, &first);
    err = account_commit(acc);
    return err != 0 ? err : first.err;
}

void account_free(struct account *acc)
{
    if (acc == NULL)
        return;
    compact_free(acc);
    snapshot_free(acc);
    md_account_free(acc);
    for (size_t i = 0; i < acc->nmailboxes; i++)
        mailbox_free(acc->by_id[i]);
    for (size_t i = 0; i < acc->nsubs; i++)
        free(acc->subs[i].name);
    free(acc->by_name);
    free(acc->by_id);
    free(acc->subs);
    annotations_free(acc, &acc->annotations);
    annotation_notes_free(acc);
    free(acc->obsolete);
    digfiles_free(acc);
    vfs_file_close(&acc->state_file);
    buf_free(&acc->scratch);
    txlog_deinit(&acc->log);
    vfs_unlock(acc->vfs);
    free(acc);
}

struct account *account_new(const struct account_params *params)
{
    struct account *acc = xcalloc(1, sizeof(*acc));

    acc->params = *params;
    acc->vfs = params->vfs;
    acc->md = params->maildir;
    acc->queue_end = &acc->queue;
    acc->next_mailbox_id = 1;
    acc->small_mailbox = SMALL_MAILBOX;
    acc->snapshot_slice = SNAPSHOT_SLICE;
    buf_init(&acc->scratch, (size_t)8 << 20);
    txlog_init(&acc->log, params->vfs, params->segment_max);
    return acc;
}

static int load(struct account *acc)
{
    struct txlog_pos start = {0};
    struct txlog_report report;
    bool is_new;
    int err;

    if (acc->md != NULL)
        md_account_init(acc);
    err = snapshot_load(acc, &start);

    if (err == 0)
        err = txlog_open(&acc->log, &start, replay, acc, &report);
    if (err != 0)
        return err;
    /* Without a snapshot the log must be there from its first transaction on; with one, from where the snapshot ends. */
    if (acc->log.beheaded) {
        LOG_ERROR(0, "the account's snapshot is missing or unreadable");
        return ERR_CORRUPT;
    }
    if (report.damaged > 0) {
        acc->damaged = true;
        LOG_ERROR(0, "the account is damaged; the rest is served", F_UINT("places", report.damaged));
    }
    if (report.cut > 0)
        LOG_WARN(0, "cut off what a crash left unfinished", F_UINT("octets", report.cut));
    if (acc->log.next_seq > 1 && (!acc->clean || report.damaged > 0))
        jump_modseqs(acc);
    snapshot_clean(acc);
    is_new = acc->log.next_seq == 1 && report.damaged == 0;
    if (acc->md != NULL)
        err = md_account_open(acc, &is_new);
    if (err == 0)
        err = create_autos(acc, is_new);
    return err == 0 && acc->md != NULL ? md_account_opened(acc) : err;
}

/* The snapshot is damaged. As long as no segment was removed the log alone has everything. */
static int load_from_log(const struct account_params *params, struct account **out)
{
    int err = vfs_lock(params->vfs);

    *out = NULL;
    if (err != 0)
        return err;
    LOG_ERROR(0, "the account's snapshot is damaged; reading the whole log");
    *out = account_new(params);
    (*out)->snapshot_bad = true;
    (*out)->damaged = true;
    return load(*out);
}

int account_open(const struct account_params *params, struct account **out)
{
    struct account *acc;
    int err;

    if (sodium_init() < 0)
        return ERR_SYSTEM;
    err = vfs_lock(params->vfs);
    if (err != 0)
        return err;
    acc = account_new(params);
    err = load(acc);
    if (err == ERR_CORRUPT && acc->snapshot_bad) {
        account_free(acc);
        err = load_from_log(params, &acc);
    }
    if (err != 0) {
        account_free(acc);
        return err;
    }
    *out = acc; /* transferred */
    return 0;
}

/* Leaves the account so that the next open has nothing (or little) to replay, and knows that nothing was lost. */
static void close_in_order(struct account *acc)
{
    int err = snapshot_finish(acc);

    if (err != 0)
        LOG_WARN(0, "the snapshot in progress was not finished", F_ERR(err));
    if (acc->md != NULL && !acc->log.broken && md_account_close(acc) != 0) {
        LOG_WARN(0, "the Maildir was not left in order; it is looked through when it is opened again");
        return;
    }
    if (acc->log.broken || (acc->clean && acc->jump == 0 && !acc->recent_unsaved))
        return;
    acc->closing = true;
    if (snapshot_worth(acc) && !acc->recent_unsaved)
        err = snapshot_write(acc);
    else
        err = account_commit_own(acc);
    if (err != 0 && !acc->log.broken)
        err = txlog_sync(&acc->log);
    if (err != 0)
        LOG_ERROR(0, "the account was not closed in order", F_ERR(err));
}

void account_close(struct account **account)
{
    struct account *acc = *account;

    if (acc == NULL)
        return;
    ASSERT(acc->views == NULL && acc->watches == NULL);
    if (acc->queue != NULL)
        (void)!account_commit(acc); /* each completion got the error */
    ASSERT(acc->open_txns == 0);
    close_in_order(acc);
    account_free(acc);
    *account = NULL;
}

int account_spool(struct account *acc, int *fd_out)
{
    return vfs_spool(acc->vfs, fd_out);
}
