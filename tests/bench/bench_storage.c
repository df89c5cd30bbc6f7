/*
 * bench_storage DIR [LARGEST]: what storage costs, beside what the disk alone costs. One line a figure: its name, its value, and
 * in parentheses what it should be.
 *
 * DIR must be on the file system to be measured; what is made in it is removed at the end. LARGEST: messages of the largest
 * mailbox (1000000). "cold": the account's files have left the page cache before; as root everything has (drop_caches), names and
 * inodes too.
 *
 * bench_storage --make DIR N: makes the account DIR with an INBOX of about N messages and leaves it there, for a server. All are
 * seen but every thousandth.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log/log.h"
#include "storage/mailbox_view.h"
#include "storage/vfs.h"
#include "tests/bench/bench.h"

#define MESSAGE_SIZE 4096
#define LOOPS 400
#define PIPELINED 20
#define POPULATION 10000 /* messages that are appended; more are copies of these */

static char text[MESSAGE_SIZE];

static double now(void)
{
    return bench_seconds(CLOCK_MONOTONIC);
}

/* --- accounts ------------------------------------------------------------------------------------------------------------- */

struct bench {
    char path[512];
    struct vfs *vfs;
    struct account *acc;
};

static void bench_open(struct bench *b)
{
    struct account_params p = {.vfs = b->vfs, .flag_sync_ms = 1000, .mailboxes_max = 1000, .now_ms = bench_wall};

    must(account_open(&p, &b->acc), "open");
}

static void bench_start(struct bench *b, const char *dir, const char *name)
{
    snprintf(b->path, sizeof(b->path), "%s/%s", dir, name);
    must(vfs_posix_open(b->path, &b->vfs), b->path);
    bench_open(b);
}

static bool remove_file(void *arg, struct vfs_name name)
{
    return vfs_remove(arg, name) == 0;
}

static void bench_end(struct bench *b)
{
    char lock[600];

    if (b->acc != NULL)
        account_close(&b->acc);
    must(vfs_list(b->vfs, remove_file, b->vfs), "remove");
    vfs_free(&b->vfs);
    snprintf(lock, sizeof(lock), "%s/lock", b->path);
    unlink(lock);
    rmdir(b->path);
}

static void settle(struct bench *b)
{
    for (int i = 0; i < 1000000 && account_background(b->acc) == 0; i++)
        continue;
}

static struct mailbox *inbox(struct bench *b)
{
    return account_find(b->acc, VIEW("INBOX"));
}

static void commit(struct bench *b, struct txn *t)
{
    txn_commit(&t, bench_committed, NULL);
    must(account_commit(b->acc), "commit");
}

/* n commands that came in one tick. */
static void append(struct bench *b, unsigned n)
{
    static unsigned serial;
    struct append_options opt = {0};

    for (unsigned i = 0; i < n; i++) {
        struct message_source src = {.parts = {view_make(text, sizeof(text))}, .fd = -1};
        struct txn *t = txn_begin(b->acc);

        snprintf(text + 60, 12, "%011u", serial++);
        text[71] = '>';
        must(txn_append(t, inbox(b), &src, &opt), "append");
        txn_commit(&t, bench_committed, NULL);
    }
    must(account_commit(b->acc), "commit");
}

static void create(struct bench *b, const char *name)
{
    struct txn *t = txn_begin(b->acc);

    must(txn_create(t, view_str(name), 0), "create");
    commit(b, t);
}

static void copy(struct bench *b, struct mailbox *from, uint32_t first, uint32_t last, const char *to, bool move)
{
    struct uid_range r = {first, last};
    struct uidset s = {&r, 1, 1};
    struct txn *t = txn_begin(b->acc);

    must(txn_copy(t, from, &s, account_find(b->acc, view_str(to)), move), "copy");
    commit(b, t);
}

/* --- what the disk does ------------------------------------------------------------------------------------------------------
 */

static int raw_open(const char *dir)
{
    char path[600];
    int fd;

    snprintf(path, sizeof(path), "%s/raw", dir);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        must(ERR_IO, path);
    unlink(path);
    return fd;
}

static void raw_append(int fd)
{
    if (write(fd, text, sizeof(text)) != (ssize_t)sizeof(text) || fdatasync(fd) != 0)
        must(ERR_IO, "raw write");
}

/* In turns, so that all meet the same moods of the disk. */
static void bench_append(const char *dir)
{
    double single = 0, grouped = 0, raw = 0, t;
    unsigned piped = 0;
    struct bench b;
    int fd = raw_open(dir);

    bench_start(&b, dir, "append");
    for (unsigned i = 0; i < LOOPS; i++) {
        t = now();
        raw_append(fd);
        raw += now() - t;
        t = now();
        append(&b, 1);
        single += now() - t;
        if (i % 4 != 0)
            continue;
        t = now();
        append(&b, PIPELINED);
        grouped += now() - t;
        piped += PIPELINED;
    }
    close(fd);
    printf("write_fdatasync_per_s %.0f\n", LOOPS / raw);
    printf("append_per_s %.0f\nappend_ratio %.2f (0.8 or more)\n", LOOPS / single, raw / single);
    printf("append_pipelined_%d_per_s %.0f\n", PIPELINED, piped / grouped);
    printf("append_pipelined_%d_ratio %.1f (8 or more)\n", PIPELINED, piped / grouped * (raw / LOOPS));
    bench_end(&b);
}

/* --- opening ------------------------------------------------------------------------------------------------------------- */

struct memory {
    double rss_kib;
    long faults;
};

static struct memory memory(void)
{
    struct memory m = {0};
    struct rusage ru;
    char line[128];
    ssize_t n;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    if (n > 0) {
        char *end;
        line[n] = '\0';
        (void)strtoul(line, &end, 10);
        m.rss_kib = (double)strtoul(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE) / 1024;
    }
    if (fd >= 0)
        close(fd);
    getrusage(RUSAGE_SELF, &ru);
    m.faults = ru.ru_minflt + ru.ru_majflt;
    return m;
}

static bool forget_file(void *arg, struct vfs_name name)
{
    struct vfs_file *f;
    struct vfs *v = arg;

    if (vfs_file_open(v, name, VFS_READ, &f) != 0)
        return true;
    (void)posix_fadvise(vfs_fd(f), 0, 0, POSIX_FADV_DONTNEED);
    vfs_file_close(&f);
    return true;
}

/* True: of everything; false: of the account's files, as far as the kernel does us the favour. */
static bool forget(struct bench *b)
{
    int fd;
    bool all;

    sync();
    must(vfs_list(b->vfs, forget_file, b->vfs), "forget");
    fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    all = fd >= 0 && write(fd, "3", 1) == 1;
    if (fd >= 0)
        close(fd);
    return all;
}

static void open_once(struct bench *b, const char *what, uint32_t n, const char *want)
{
    struct memory before = memory(), after;
    struct mailbox_status st;
    struct mailbox_view *v;
    struct msg_info info;
    double t = now(), opened, selected;

    bench_open(b);
    opened = now();
    mailbox_status(inbox(b), &st);
    v = mailbox_view_open(b->acc, inbox(b), false);
    if (mailbox_view_count(v) != st.messages || st.messages != n)
        must(ERR_CORRUPT, "count");
    selected = now();
    after = memory();
    printf("open_%s_%u_ms %.3f%s\nselect_%s_%u_ms %.3f\nopen_select_%s_%u_kib %.0f (%ld faults)\n", what, n, (opened - t) * 1e3,
           want, what, n, (selected - opened) * 1e3, what, n, after.rss_kib - before.rss_kib, after.faults - before.faults);
    t = now();
    for (uint32_t seq = 1; seq <= n; seq++)
        mailbox_view_info(v, seq, &info);
    printf("all_flags_%s_%u_ms %.2f\n", what, n, (now() - t) * 1e3);
    mailbox_view_close(&v);
    t = now();
    account_close(&b->acc);
    printf("close_%s_%u_ms %.2f\n", what, n, (now() - t) * 1e3);
}

/* Selects the INBOX. */
static uint32_t select_count(struct bench *b)
{
    struct mailbox_view *v = mailbox_view_open(b->acc, inbox(b), false);
    uint32_t n = mailbox_view_count(v);

    mailbox_view_close(&v);
    return n;
}

/* Copies of POPULATION messages make n of the INBOX. */
static void populate(struct bench *b, uint32_t n)
{
    for (uint32_t i = 0; i < POPULATION; i += 100)
        append(b, 100);
    for (uint32_t have = POPULATION; have < n; have += POPULATION) {
        if (have == POPULATION)
            create(b, "population");
        if (have == POPULATION)
            copy(b, inbox(b), 1, POPULATION, "population", false);
        copy(b, account_find(b->acc, VIEW("population")), 1, POPULATION, "INBOX", false);
    }
}

static void bench_size(const char *dir, uint32_t n)
{
    struct bench b;
    double t;

    bench_start(&b, dir, "size");
    populate(&b, n);
    settle(&b);
    t = now();
    account_close(&b.acc);
    printf("first_close_%u_ms %.1f\n", n, (now() - t) * 1e3);
    open_once(&b, "cold", n, forget(&b) ? " (all caches dropped)" : " (its files only were dropped from the page cache)");
    open_once(&b, "warm", n, " (less than 5)");
    bench_end(&b);
}

/* An account that stays. */
static void make_account(const char *path, uint32_t n)
{
    struct flag_change seen = {.op = FLAGS_ADD, .flags = MSG_SEEN};
    struct uidset s;
    struct bench b;
    struct txn *t;

    snprintf(b.path, sizeof(b.path), "%s", path);
    must(vfs_posix_open(b.path, &b.vfs), b.path);
    bench_open(&b);
    populate(&b, n);
    uidset_init(&s);
    uidset_add_range(&s, 1, select_count(&b));
    for (uint32_t uid = 1000; uid <= n; uid += 1000)
        uidset_remove_range(&s, uid, uid);
    t = txn_begin(b.acc);
    must(txn_flags(t, inbox(&b), &s, &seen), "flags");
    commit(&b, t);
    uidset_free(&s);
    settle(&b);
    account_close(&b.acc);
    vfs_free(&b.vfs);
}

/* What a process that is killed in the middle of its work leaves to the next one. */
static void bench_after_crash(const char *dir, uint32_t n)
{
    struct bench b;
    int status;
    double t;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        bench_start(&b, dir, "crash");
        for (uint32_t i = 0; i < n; i += 100)
            append(&b, 100);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        must(ERR_SYSTEM, "fork");
    t = now();
    bench_start(&b, dir, "crash");
    if (select_count(&b) != n)
        must(ERR_CORRUPT, "count");
    printf("open_select_after_crash_%u_ms %.1f (less than 1000)\n", n, (now() - t) * 1e3);
    bench_end(&b);
}

/* --- many messages at once ------------------------------------------------------------------------------------------------- */

static void flags(struct bench *b, uint32_t n)
{
    struct mailbox_view *v = mailbox_view_open(b->acc, inbox(b), false);
    struct uid_range r = {1, n};
    struct uidset s = {&r, 1, 1};
    struct flag_change c = {.op = FLAGS_ADD, .flags = MSG_FLAGGED};
    struct view_changes ch;
    struct txn *t = txn_begin(b->acc);
    double start = now();

    must(txn_flags(t, inbox(b), &s, &c), "flags");
    commit(b, t);
    printf("flag_all_of_%u_ms %.2f\n", n, (now() - start) * 1e3);
    start = now();
    mailbox_view_sync(v, true, &ch);
    printf("see_flags_of_%u_ms %.2f\n", n, (now() - start) * 1e3);
    mailbox_view_close(&v);
}

static void bench_bulk(const char *dir)
{
    struct bench b;
    double t;

    bench_start(&b, dir, "bulk");
    for (uint32_t i = 0; i < POPULATION; i += 100)
        append(&b, 100);
    settle(&b);
    create(&b, "copies");
    create(&b, "moved");
    t = now();
    copy(&b, inbox(&b), 1, POPULATION, "copies", false);
    printf("copy_%d_ms %.2f (less than 10)\n", POPULATION, (now() - t) * 1e3);
    t = now();
    copy(&b, account_find(b.acc, VIEW("copies")), 1, POPULATION, "moved", true);
    printf("move_%d_ms %.2f (less than 10)\n", POPULATION, (now() - t) * 1e3);
    for (uint32_t i = POPULATION; i < 10 * POPULATION; i += POPULATION)
        copy(&b, account_find(b.acc, VIEW("moved")), 1, POPULATION, "INBOX", false);
    flags(&b, 10 * POPULATION);
    bench_end(&b);
}

/* --- the disk's share ------------------------------------------------------------------------------------------------------- */

struct sum {
    struct vfs *vfs;
    uint64_t octets[VFS_KIND_COUNT];
};

static bool sum_file(void *arg, struct vfs_name name)
{
    struct sum *s = arg;
    struct vfs_file *f;
    uint64_t size;

    if (vfs_file_open(s->vfs, name, VFS_READ, &f) != 0)
        return true;
    if (vfs_size(f, &size) == 0)
        s->octets[name.kind] += size;
    vfs_file_close(&f);
    return true;
}

static uint64_t disk_octets(struct bench *b, struct sum *s)
{
    uint64_t all = 0;

    *s = (struct sum){.vfs = b->vfs};
    must(vfs_list(b->vfs, sum_file, s), "sizes");
    for (unsigned i = 0; i < VFS_KIND_COUNT; i++)
        all += s->octets[i];
    return all;
}

/* 100 MB in two segments and a bit, seven of ten messages go, idle time does the rest. */
static void bench_compaction(const char *dir)
{
    uint32_t n = 36000;
    struct uidset gone;
    uint64_t before, after;
    struct bench b;
    struct txn *t;
    struct sum s;
    double start;

    bench_start(&b, dir, "compact");
    for (uint32_t i = 0; i < n; i += 100)
        append(&b, 100);
    settle(&b);
    account_close(&b.acc);
    before = disk_octets(&b, &s);
    printf("octets_beyond_each_message %.0f (log %.0f, records %.0f, digests %.0f)\n", (double)before / n - MESSAGE_SIZE,
           (double)s.octets[VFS_LOG] / n - MESSAGE_SIZE, (double)(s.octets[VFS_MBOX] + s.octets[VFS_STATE]) / n,
           (double)s.octets[VFS_DIGEST] / n);
    bench_open(&b);
    uidset_init(&gone);
    for (uint32_t uid = 1; uid <= n; uid++) {
        if (uid % 10 < 7)
            uidset_add(&gone, uid);
    }
    t = txn_begin(b.acc);
    start = now();
    must(txn_expunge(t, inbox(&b), &gone), "expunge");
    commit(&b, t);
    printf("expunge_%llu_ms %.2f\n", (unsigned long long)uidset_count(&gone), (now() - start) * 1e3);
    uidset_free(&gone);
    start = now();
    settle(&b);
    start = now() - start;
    account_close(&b.acc);
    after = disk_octets(&b, &s);
    printf("compaction_ms %.0f (%.0f MB became %.0f MB, %.0f MB/s given back)\n", start * 1e3, (double)before / 1e6,
           (double)after / 1e6, (double)(before - after) / 1e6 / start);
    bench_end(&b);
}

/* --- a large message: how long nothing else is done ----------------------------------------------------------------------- */

#define LARGE ((size_t)64 << 20)
#define LINE 77

static int large_spool(struct bench *b)
{
    char line[LINE + 1];
    int fd;

    must(account_spool(b->acc, &fd), "spool");
    memset(line, 'A', LINE);
    memcpy(line + LINE - 2, "\r\n", 2);
    for (size_t done_octets = 0; done_octets < LARGE; done_octets += LINE) {
        size_t n = LARGE - done_octets < LINE ? LARGE - done_octets : LINE;

        if (write(fd, done_octets == 0 ? "Subject: large\r\n\r\n" : line, done_octets == 0 ? 18 : n) < 0)
            must(ERR_IO, "spool");
    }
    return fd;
}

static void bench_large(const char *dir)
{
    double t, stage = 0, write_out = 0, slowest = 0;
    struct append_options opt = {0};
    struct uidset gone;
    struct bench b;
    struct txn *txn;

    bench_start(&b, dir, "large");
    for (int i = 0; i < 3; i++) {
        struct message_source src = {.fd = large_spool(&b), .fd_size = LARGE - 128};

        txn = txn_begin(b.acc);
        t = now();
        must(txn_append(txn, inbox(&b), &src, &opt), "append");
        stage = now() - t;
        t = now();
        commit(&b, txn);
        write_out = now() - t;
        close(src.fd);
        append(&b, 1);
    }
    printf("append_64_mib_ms %.1f (parse, digest, content id, checksum), %.1f (write and sync)\n", stage * 1e3, write_out * 1e3);
    uidset_init(&gone);
    uidset_add(&gone, 1);
    uidset_add(&gone, 3);
    txn = txn_begin(b.acc);
    must(txn_expunge(txn, inbox(&b), &gone), "expunge");
    commit(&b, txn);
    uidset_free(&gone);
    for (int i = 0; i < 100000; i++) {
        uint64_t wait;

        t = now();
        wait = account_background(b.acc);
        t = now() - t;
        slowest = t > slowest ? t : slowest;
        if (wait != 0)
            break;
    }
    printf("slowest_slice_with_64_mib_ms %.1f\n", slowest * 1e3);
    bench_end(&b);
}

static void bench_all(const char *dir, uint32_t largest)
{
    struct rusage ru;

    bench_append(dir);
    for (uint32_t n = POPULATION; n <= largest; n *= 10)
        bench_size(dir, n);
    bench_after_crash(dir, 100000);
    bench_bulk(dir);
    bench_compaction(dir);
    bench_large(dir);
    getrusage(RUSAGE_SELF, &ru);
    printf("max_rss_kib %ld\n", ru.ru_maxrss);
}

int main(int argc, char **argv)
{
    bool make = argc == 4 && strcmp(argv[1], "--make") == 0;

    if (argc < 2)
        return 2;
    log_init("bench", 2, LOG_SINK_STREAM, LOG_LVL_ERROR);
    (void)mkdir(argv[make ? 2 : 1], 0700);
    memset(text, 'x', sizeof(text));
    snprintf(text, sizeof(text), "From: a@example.org\r\nSubject: hello\r\nMessage-ID: <%024d@example.org>\r\n\r\n", 0);
    text[strlen(text)] = 'x';
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (make)
        make_account(argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
    else
        bench_all(argv[1], argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000);
    return 0;
}
