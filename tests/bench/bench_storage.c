/*
 * bench_storage DIR [MESSAGES]: what the storage costs, beside what the disk alone costs. Prints one line a figure.
 * DIR must be on the file system to be measured; a folder in it is made and left there.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/log/log.h"
#include "storage/mailbox_view.h"
#include "storage/txn.h"
#include "storage/vfs.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t wall(void *arg)
{
    (void)arg;
    return (uint64_t)time(NULL) * 1000;
}

static void must(int err, const char *what)
{
    if (err != 0) {
        fprintf(stderr, "%s: %s\n", what, err_str(err));
        exit(1);
    }
}

static void done(void *arg, int err, const struct txn_result *r)
{
    (void)arg;
    (void)r;
    must(err, "commit");
}

static struct account *open_account(struct vfs *vfs)
{
    struct account_params p = {.vfs = vfs, .flag_sync_ms = 1000, .mailboxes_max = 1000, .now_ms = wall};
    struct account *acc;

    must(account_open(&p, &acc), "open");
    return acc;
}

static char text[4096];
static struct message_source source(void)
{
    return (struct message_source){.parts = {view_make(text, sizeof(text))}, .fd = -1};
}

static void append(struct account *acc, unsigned n)
{
    struct mailbox *m = account_find(acc, VIEW("INBOX"));
    struct message_source src = source();
    struct append_options opt = {0};
    struct txn *t = txn_begin(acc);

    for (unsigned i = 0; i < n; i++)
        must(txn_append(t, m, &src, &opt), "append");
    txn_commit(&t, done, NULL);
    must(account_commit(acc), "commit");
}

static double raw_loop(const char *dir, unsigned n)
{
    char path[512];
    double start;
    int fd;

    snprintf(path, sizeof(path), "%s/raw", dir);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    start = now();
    for (unsigned i = 0; i < n; i++) {
        if (write(fd, text, sizeof(text)) != (ssize_t)sizeof(text) || fdatasync(fd) != 0)
            must(ERR_IO, "raw");
    }
    start = now() - start;
    close(fd);
    unlink(path);
    return n / start;
}

static void bench_flags(struct account *acc, uint32_t n)
{
    struct mailbox *m = account_find(acc, VIEW("INBOX"));
    struct mailbox_view *v = mailbox_view_open(acc, m, false);
    struct uid_range r = {1, n};
    struct uidset s = {&r, 1, 1};
    struct flag_change c = {.op = FLAGS_ADD, .flags = MSG_FLAGGED};
    struct view_changes ch;
    struct txn *t = txn_begin(acc);
    double a = now(), b;

    must(txn_flags(t, m, &s, &c), "flags");
    txn_commit(&t, done, NULL);
    must(account_commit(acc), "commit");
    b = now();
    mailbox_view_sync(v, true, &ch);
    printf("flags_%u_ms %.2f\nflags_%u_view_sync_ms %.2f\n", n, (b - a) * 1e3, n, (now() - b) * 1e3);
    mailbox_view_close(&v);
}

static void bench_copy(struct account *acc, uint32_t n, bool move)
{
    struct uid_range r = {1, n};
    struct uidset s = {&r, 1, 1};
    struct txn *t = txn_begin(acc);
    double a;

    if (account_find(acc, VIEW("copy")) == NULL) {
        must(txn_create(t, VIEW("copy"), 0), "create");
        txn_commit(&t, done, NULL);
        must(account_commit(acc), "commit");
        t = txn_begin(acc);
    }
    a = now();
    must(txn_copy(t, account_find(acc, VIEW("INBOX")), &s, account_find(acc, VIEW("copy")), move), "copy");
    txn_commit(&t, done, NULL);
    must(account_commit(acc), "commit");
    printf("%s_%u_ms %.2f\n", move ? "move" : "copy", n, (now() - a) * 1e3);
}

static void bench_open(struct vfs *vfs, const char *what)
{
    struct account *acc;
    struct mailbox_view *v;
    struct msg_info info;
    double a = now(), b;
    uint32_t n;

    acc = open_account(vfs);
    b = now();
    v = mailbox_view_open(acc, account_find(acc, VIEW("INBOX")), false);
    n = mailbox_view_count(v);
    if (n > 0)
        mailbox_view_info(v, n, &info);
    printf("open_%s_ms %.3f\nselect_%s_ms %.3f (%u messages)\n", what, (b - a) * 1e3, what, (now() - b) * 1e3, n);
    b = now();
    for (uint32_t seq = 1; seq <= n; seq++)
        mailbox_view_info(v, seq, &info);
    printf("fetch_flags_%s_ms %.2f\n", what, (now() - b) * 1e3);
    mailbox_view_close(&v);
    b = now();
    account_close(&acc);
    printf("close_%s_ms %.2f\n", what, (now() - b) * 1e3);
}

int main(int argc, char **argv)
{
    unsigned total = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100000, loops = 300;
    struct account *acc;
    struct vfs *vfs;
    struct rusage ru;
    char path[512];
    double a, raw, ours;

    if (argc < 2)
        return 2;
    log_init("bench", 2, LOG_SINK_STREAM, LOG_LVL_ERROR);
    memset(text, 'x', sizeof(text));
    memcpy(text, "From: a@example.org\r\nSubject: hello\r\n\r\n", 39);
    snprintf(path, sizeof(path), "%s/account", argv[1]);
    must(vfs_posix_open(path, &vfs), "directory");
    acc = open_account(vfs);
    raw = raw_loop(argv[1], loops);
    a = now();
    for (unsigned i = 0; i < loops; i++)
        append(acc, 1);
    ours = loops / (now() - a);
    printf("append_single_per_s %.0f\nraw_write_fdatasync_per_s %.0f\nratio %.2f\n", ours, raw, ours / raw);
    memset(text + 60, 'y', 1000);
    a = now();
    for (unsigned i = loops; i < total; i += 100)
        append(acc, 100);
    printf("append_grouped_per_s %.0f\n", (total - loops) / (now() - a));
    a = now();
    account_close(&acc);
    printf("close_with_snapshot_ms %.2f\n", (now() - a) * 1e3);
    bench_open(vfs, "warm");
    acc = open_account(vfs);
    bench_copy(acc, 10000, false);
    bench_copy(acc, 10000, true);
    bench_flags(acc, 100000);
    account_close(&acc);
    bench_open(vfs, "after");
    vfs_free(&vfs);
    getrusage(RUSAGE_SELF, &ru);
    printf("max_rss_kib %ld\n", ru.ru_maxrss);
    return 0;
}
