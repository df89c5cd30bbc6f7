/*
 * A process that changes a Maildir is killed at any moment, again and again. It says before and after each change what it does;
 * so of every message it is known where it may be. Each must be in exactly one place, and never come back after it was expunged.
 */
#include "storage_helper.h"

#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "storage/maildir.h"

#define ROUNDS 25
#define MESSAGES 40 /* a round, at most */

enum step { STEP_APPEND, STEP_MOVE, STEP_EXPUNGE, STEP_FLAG, STEP_COUNT };

/* What the child says: number of the message, step, 0 before and 1 after. */
struct word {
    uint32_t message;
    uint8_t step, after;
};

/* Where a message may be: bits 1 << where. */
enum where { NOWHERE, IN_INBOX, IN_SENT };
struct fate {
    unsigned may;
    bool seen; /* \Seen was acknowledged */
};

struct run {
    struct box b;
    struct maildir *md;
    unsigned seed;
    struct fate fates[ROUNDS * MESSAGES + 1];
    uint32_t next;
};

static void start(struct run *r)
{
    assert_int_equal(maildir_open(r->b.dir, &r->md, &r->b.vfs), 0);
    r->b.params.maildir = r->md;
    assert_int_equal(box_open(&r->b), 0);
}

static void stop(struct run *r)
{
    account_close(&r->b.acc);
    vfs_free(&r->b.vfs);
    maildir_free(&r->md);
}

static unsigned draw(struct run *r, unsigned below)
{
    r->seed = r->seed * 1103515245u + 12345u;
    return (r->seed >> 16) % below;
}

/* --- the child ---------------------------------------------------------------------------------------------------------------
 */

static void say(int fd, uint32_t message, enum step step, int after)
{
    struct word w = {message, (uint8_t)step, (uint8_t)after};

    if (write(fd, &w, sizeof(w)) != (ssize_t)sizeof(w))
        _exit(0);
}

static uint32_t number_of(struct mailbox_view *v, uint32_t seq)
{
    struct msg_data d;
    uint32_t n;

    assert_int_equal(mailbox_view_data(v, seq, &d), 0);
    assert_true(d.bytes.len > 9);
    n = (uint32_t)strtoul((const char *)d.bytes.ptr + 9, NULL, 10);
    msg_data_close(&d);
    return n;
}

/* A message of INBOX, or 0. */
static uint32_t choose(struct run *r, uint32_t *uid)
{
    struct mailbox_view *v = mailbox_view_open(r->b.acc, box_find(&r->b, "INBOX"), false);
    uint32_t count = mailbox_view_count(v), n = 0, seq;

    if (count > 0) {
        seq = 1 + draw(r, count);
        *uid = mailbox_view_uid(v, seq);
        n = number_of(v, seq);
    }
    mailbox_view_close(&v);
    return n;
}

static void change(struct run *r, int fd, uint32_t *appended)
{
    enum step step = (enum step)draw(r, STEP_COUNT);
    uint32_t uid = 0, n = step == STEP_APPEND ? 0 : choose(r, &uid);
    char text[100];
    int err = 0;

    if (n == 0) {
        step = STEP_APPEND;
        n = (*appended)++;
    }
    say(fd, n, step, 0);
    if (step == STEP_APPEND) {
        snprintf(text, sizeof(text), "Subject: %u\r\n\r\ntext\r\n", (unsigned)n);
        err = box_append(&r->b, "INBOX", text, 0);
    } else if (step == STEP_MOVE) {
        err = box_copy(&r->b, "INBOX", uid, uid, "Sent", true);
    } else if (step == STEP_EXPUNGE) {
        err = box_expunge(&r->b, "INBOX", uid, uid);
    } else {
        err = box_flags(&r->b, "INBOX", uid, uid, FLAGS_ADD, MSG_SEEN, NULL);
    }
    if (err != 0)
        _exit(9);
    say(fd, n, step, 1);
}

static void child(struct run *r, int fd)
{
    uint32_t appended = r->next;

    start(r);
    while (appended < r->next + MESSAGES) {
        change(r, fd, &appended);
        if (draw(r, 8) == 0) {
            r->b.now += 3000;
            (void)account_background(r->b.acc);
        }
        if (draw(r, 40) == 0) {
            stop(r);
            start(r);
        }
    }
    _exit(0);
}

/* --- the parent ---------------------------------------------------------------------------------------------------------------
 */

static void note(struct run *r, const struct word *w)
{
    struct fate *f = &r->fates[w->message];

    if (w->step == STEP_FLAG) {
        f->seen = f->seen || w->after;
        return;
    }
    if (!w->after) {
        f->may |= w->step == STEP_APPEND ? 1u << NOWHERE | 1u << IN_INBOX : w->step == STEP_MOVE ? 1u << IN_SENT : 1u << NOWHERE;
        if (w->step == STEP_APPEND && w->message >= r->next)
            r->next = w->message + 1;
        return;
    }
    f->may = w->step == STEP_APPEND ? 1u << IN_INBOX : w->step == STEP_MOVE ? 1u << IN_SENT : 1u << NOWHERE;
}

static void look(struct run *r, const char *name, enum where where, unsigned found[])
{
    struct mailbox_view *v = mailbox_view_open(r->b.acc, box_find(&r->b, name), false);
    struct msg_info info;

    for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
        uint32_t n = number_of(v, seq);

        mailbox_view_info(v, seq, &info);
        assert_true(n > 0 && n < r->next);
        assert_int_equal(found[n], NOWHERE);
        assert_true((r->fates[n].may & 1u << where) != 0);
        assert_true(!r->fates[n].seen || (info.flags & MSG_SEEN) != 0);
        found[n] = where;
    }
    mailbox_view_close(&v);
}

static void check(struct run *r)
{
    unsigned *found = calloc(r->next + 1, sizeof(*found));

    start(r);
    (void)account_scan(r->b.acc);
    look(r, "INBOX", IN_INBOX, found);
    look(r, "Sent", IN_SENT, found);
    for (uint32_t n = 1; n < r->next; n++) {
        assert_true((r->fates[n].may & 1u << found[n]) != 0);
        r->fates[n].may = 1u << found[n]; /* and from now on it is there */
    }
    stop(r);
    free(found);
}

static void run_once(struct run *r)
{
    unsigned words = 0, enough = 2 + draw(r, 100);
    int pipes[2], status;
    struct word w;
    pid_t pid;

    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(pipes[0]);
        child(r, pipes[1]);
    }
    close(pipes[1]);
    while (read(pipes[0], &w, sizeof(w)) == (ssize_t)sizeof(w)) {
        note(r, &w);
        if (++words == enough) {
            usleep(draw(r, 3000)); /* into the next changes */
            kill(pid, SIGKILL);
        }
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    close(pipes[0]);
    check(r);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void test_kill(void **state)
{
    static struct run r;

    (void)state;
    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    snprintf(r.b.dir, sizeof(r.b.dir), "/tmp/culver-test-XXXXXX");
    assert_non_null(mkdtemp(r.b.dir));
    r.b.now = (uint64_t)time(NULL) * 1000;
    r.next = 1;
    r.seed = 42;
    for (int i = 0; i < ROUNDS; i++) {
        r.b.now += 10000;
        run_once(&r);
    }
    assert_true(r.next > ROUNDS);
    uidset_free(&r.b.appended);
    uidset_free(&r.b.modified);
    uidset_free(&r.b.expunged);
    assert_int_equal(nftw(r.b.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
