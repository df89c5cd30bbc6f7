#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/salvage.h"
#include "storage/verify.h"
#include "storage/vfs_frozen.h"
#include "worker/tool.h"

#define VERIFY_TRIES 3

static uint64_t wall_clock(void *arg)
{
    struct timespec ts;

    (void)arg;
    if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
        PANIC("no clock");
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void nap(uint64_t ms)
{
    const struct timespec ts = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    (void)nanosleep(&ts, NULL);
}

static int exit_of(struct tool *t, int err, const char *what)
{
    if (err == ERR_BUSY) {
        tool_complain(t, "%s: the mail is in use", what);
        return TOOL_EXIT_BUSY;
    }
    tool_complain(t, "%s: %s", what, err_str(err));
    return TOOL_EXIT_FAILED;
}

/* What was done, and whether something could not be. */
static int report(struct tool *t, const char *done)
{
    tool_say(t, "%s: %llu messages, %llu octets; %llu were there already", done, (unsigned long long)t->messages,
             (unsigned long long)t->bytes, (unsigned long long)t->skipped);
    if (t->notes > 0)
        tool_say(t, "%llu times something could not be kept as it was (a UID, a name, a keyword)", (unsigned long long)t->notes);
    if (t->failed > 0)
        tool_say(t, "%llu were left out; the reasons are above", (unsigned long long)t->failed);
    return t->failed > 0 ? TOOL_EXIT_LOSS : TOOL_EXIT_DONE;
}

/* --- verify -------------------------------------------------------------------------------------------------------------------
 */

struct verifying {
    struct tool *tool;
    struct buf lines;
};

static void found(void *arg, const struct verify_finding *f)
{
    static const char *const grades[] = {"note", "harmless", "LOSS"};
    struct verifying *v = arg;

    buf_put_fmt(&v->lines, "%s: %s", grades[f->grade], f->what);
    if (f->has_file) {
        buf_put_str(&v->lines, ": ");
        vfs_name_put(&v->lines, f->file);
    }
    if (f->length > 0)
        buf_put_fmt(&v->lines, " at %llu, %llu octets", (unsigned long long)f->offset, (unsigned long long)f->length);
    if (f->mailbox.ptr != NULL) {
        char *name = tool_printable(f->mailbox);

        buf_put_fmt(&v->lines, ": mailbox %s", name);
        free(name);
    }
    if (f->uid != 0)
        buf_put_fmt(&v->lines, ", UID %u", f->uid);
    buf_put_byte(&v->lines, '\n');
}

static void verify_shown(void *arg, uint64_t done, uint64_t total)
{
    tool_progress(((struct verifying *)arg)->tool, "octets", done, total);
}

static int verify_once(struct verifying *v, struct vfs *vfs, struct verify_result *out)
{
    const struct verify_params params = {.found = found, .progress = verify_shown, .arg = v};
    struct vfs *frozen;
    int err = vfs_frozen_new(vfs, &frozen);

    if (err != 0)
        return err;
    buf_reset(&v->lines);
    err = verify_account(frozen, &params, out);
    vfs_free(&frozen);
    return err;
}

int tool_verify(struct tool *t, const struct tool_job *job)
{
    struct verifying v = {.tool = t};
    struct verify_result r = {0};
    int err = ERR_BUSY;

    buf_init(&v.lines, (size_t)256 << 20);
    /* What is being written just now can look unfinished: of mail in use only what stays counts. */
    for (int i = 0; i < VERIFY_TRIES; i++) {
        err = verify_once(&v, job->vfs, &r);
        if (err != 0 || r.findings[VERIFY_HARMLESS] + r.findings[VERIFY_LOSS] == 0 || !job->in_use)
            break;
        nap(300);
    }
    tool_progress_end(t);
    if (err != 0) {
        buf_free(&v.lines);
        return exit_of(t, err, "cannot verify");
    }
    if (buf_len(&v.lines) > 0)
        (void)fwrite(buf_view(&v.lines).ptr, 1, buf_len(&v.lines), stdout);
    buf_free(&v.lines);
    tool_say(t, "%llu mailboxes, %llu messages, %llu files of %llu octets: %s", (unsigned long long)r.mailboxes,
             (unsigned long long)r.messages, (unsigned long long)r.files, (unsigned long long)r.bytes,
             r.findings[VERIFY_LOSS] > 0       ? "something is lost; salvage gets the rest out"
             : r.findings[VERIFY_HARMLESS] > 0 ? "damaged, but nothing is lost"
                                               : "good");
    if (job->maildir != NULL)
        tool_say(t, "The messages themselves are files of a Maildir, and have no checksums.");
    return r.findings[VERIFY_LOSS] > 0 ? TOOL_EXIT_LOSS : r.findings[VERIFY_HARMLESS] > 0 ? TOOL_EXIT_FAILED : TOOL_EXIT_DONE;
}

/* --- salvage, export ----------------------------------------------------------------------------------------------------------
 */

struct rescue {
    struct tool_sink *sink;
    bool begun, done; /* done: in an earlier run */
};

static int give_orphan(void *arg, const struct salvage_message *m)
{
    struct rescue *r = arg;
    const struct tool_mailbox mailbox = {.name = VIEW("salvaged")};
    const struct tool_message out = {.flags = m->flags,
                                     .keywords = m->keywords,
                                     .nkeywords = m->nkeywords,
                                     .has_date = m->known,
                                     .date = m->date,
                                     .zone = m->zone,
                                     .bytes = m->bytes};
    int err = r->begun || r->done ? 0 : r->sink->ops->mailbox(r->sink, &mailbox);

    r->done = r->done || err == ERR_EXISTS;
    if (r->done || err != 0)
        return r->done ? 0 : err;
    r->begun = true;
    return r->sink->ops->message(r->sink, &out);
}

static int give_orphans(struct salvage *s, struct tool_sink *sink)
{
    struct rescue r = {.sink = sink};
    int err = salvage_orphans(s, give_orphan, &r);

    return err == 0 && r.begun ? sink->ops->mailbox_end(sink) : err;
}

static int read_out(struct tool *t, const struct tool_job *job, bool orphans)
{
    struct tool_sink *sink = NULL;
    struct salvage *s = NULL;
    struct vfs *frozen = NULL;
    int err = vfs_frozen_new(job->vfs, &frozen);

    if (err == 0)
        err = salvage_open(frozen, &s);
    if (err == 0)
        err = job->format == TOOL_MBOX ? tool_sink_mbox(t, job->other, &sink) : tool_sink_maildir(t, job->other, &sink);
    if (err == 0)
        err = tool_source_account(t, salvage_account(s), sink);
    if (err == 0 && orphans)
        err = give_orphans(s, sink);
    if (err == 0)
        err = sink->ops->finish(sink);
    if (err == 0 && !orphans && salvage_incomplete(s)) {
        tool_complain(t, "the account is damaged: verify says where, salvage gets out more");
        t->failed++;
    }
    tool_sink_free(&sink);
    salvage_close(&s);
    vfs_free(&frozen);
    return err;
}

static int open_account(const struct tool_job *job, struct account **out)
{
    const struct account_params params = {.vfs = job->vfs,
                                          .maildir = job->maildir,
                                          .flag_sync_ms = 1000,
                                          .quota_ignored = true,
                                          .autos = job->autos,
                                          .nautos = job->nautos,
                                          .now_ms = wall_clock};

    return account_open(&params, out);
}

/* Which file is which message only an open account knows: a Maildir is not read beside its worker. */
static int read_maildir(struct tool *t, const struct tool_job *job)
{
    struct tool_sink *sink = NULL;
    struct account *acc = NULL;
    int err = open_account(job, &acc);

    if (err == 0)
        err = job->format == TOOL_MBOX ? tool_sink_mbox(t, job->other, &sink) : tool_sink_maildir(t, job->other, &sink);
    if (err == 0)
        err = tool_source_account(t, acc, sink);
    if (err == 0)
        err = sink->ops->finish(sink);
    tool_sink_free(&sink);
    account_close(&acc);
    return err;
}

int tool_salvage(struct tool *t, const struct tool_job *job)
{
    int err;

    if (job->maildir != NULL) {
        tool_complain(t, "the messages of this account are the files of a Maildir, and whatever is there can be read there");
        return TOOL_EXIT_FAILED;
    }
    err = read_out(t, job, true);
    return err == 0 ? report(t, "salvaged") : exit_of(t, err, "cannot salvage");
}

int tool_export(struct tool *t, const struct tool_job *job)
{
    int err = job->maildir != NULL ? read_maildir(t, job) : read_out(t, job, false);

    return err == 0 ? report(t, "exported") : exit_of(t, err, "cannot export");
}

/* --- import, compact ----------------------------------------------------------------------------------------------------------
 */

static int import_native(struct tool *t, const struct tool_job *job, struct tool_sink *sink)
{
    struct salvage *s = NULL;
    struct vfs *frozen = NULL;
    int err = vfs_frozen_new(job->source, &frozen);

    if (err == 0)
        err = salvage_open(frozen, &s);
    if (err == 0)
        err = tool_source_account(t, salvage_account(s), sink);
    if (err == 0 && salvage_incomplete(s)) {
        tool_complain(t, "the source is damaged: salvage gets out more");
        t->failed++;
    }
    salvage_close(&s);
    vfs_free(&frozen);
    return err;
}

int tool_import(struct tool *t, const struct tool_job *job)
{
    struct tool_sink *sink = NULL;
    struct account *acc = NULL;
    int err = open_account(job, &acc);

    if (err == 0)
        err = tool_sink_account(t, acc, &sink);
    if (err == 0) {
        if (job->format == TOOL_NATIVE)
            err = import_native(t, job, sink);
        else if (job->format == TOOL_MAILDIR)
            err = tool_source_maildir(t, job->other, sink);
        else
            err = tool_source_mbox(t, job->other, job->mailbox, sink);
    }
    if (err == 0)
        err = sink->ops->finish(sink);
    tool_sink_free(&sink);
    account_close(&acc);
    tool_progress_end(t);
    return err == 0 ? report(t, "imported") : exit_of(t, err, "cannot import");
}

struct sum {
    struct vfs *vfs;
    uint64_t octets;
};

static bool add_size(void *arg, struct vfs_name name)
{
    struct sum *s = arg;
    struct vfs_file *file;
    uint64_t n;

    if (vfs_file_open(s->vfs, name, VFS_READ, &file) == 0) {
        if (vfs_size(file, &n) == 0)
            s->octets += n;
        vfs_file_close(&file);
    }
    return true;
}

static uint64_t size_of(struct vfs *vfs)
{
    struct sum s = {vfs, 0};

    return vfs_list(vfs, add_size, &s) == 0 ? s.octets : 0;
}

int tool_compact(struct tool *t, const struct tool_job *job)
{
    uint64_t before = size_of(job->vfs), steps = 0, wait;
    struct account *acc;
    int err = open_account(job, &acc);

    if (err != 0)
        return exit_of(t, err, "cannot compact");
    while ((wait = account_background(acc)) != UINT64_MAX) {
        if (wait > 0)
            nap(MIN_OF(wait, (uint64_t)1000));
        tool_progress(t, "steps", ++steps, 0);
    }
    err = account_read_only(acc) ? ERR_IO : 0;
    account_close(&acc);
    tool_progress_end(t);
    if (err != 0)
        return exit_of(t, err, "cannot compact");
    tool_say(t, "%llu octets before, %llu now", (unsigned long long)before, (unsigned long long)size_of(job->vfs));
    return TOOL_EXIT_DONE;
}
