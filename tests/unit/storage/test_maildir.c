/*
 * Accounts over a Maildir: what we write, what other programs write, what Dovecot left, hostile contents, and the states that a
 * crash can leave, made by hand after a process that ended without closing the account.
 */
#include "storage_helper.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "storage/maildir_int.h"

struct dir_box {
    struct box b;
    struct maildir *md;
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    struct dir_box *d = calloc(1, sizeof(*d));

    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    snprintf(d->b.dir, sizeof(d->b.dir), "/tmp/culver-test-XXXXXX");
    assert_non_null(mkdtemp(d->b.dir));
    d->b.now = (uint64_t)time(NULL) * 1000 + 100000;
    *state = d;
    return 0;
}

static void start(struct dir_box *d)
{
    assert_int_equal(maildir_open(d->b.dir, &d->md, &d->b.vfs), 0);
    d->b.params.maildir = d->md;
    assert_int_equal(box_open(&d->b), 0);
}

static void stop(struct dir_box *d)
{
    account_close(&d->b.acc);
    vfs_free(&d->b.vfs);
    maildir_free(&d->md);
}

static void restart(struct dir_box *d)
{
    stop(d);
    start(d);
}

static int teardown(void **state)
{
    struct dir_box *d = *state;

    stop(d);
    uidset_free(&d->b.appended);
    uidset_free(&d->b.modified);
    uidset_free(&d->b.expunged);
    assert_int_equal(nftw(d->b.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(d);
    return 0;
}

/* --- files ----------------------------------------------------------------------------------------------- */

static char *path_of(struct dir_box *d, const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *p = paths[next++ % 4];

    snprintf(p, sizeof(paths[0]), "%s/%s", d->b.dir, name);
    return p;
}

static void put_file(struct dir_box *d, const char *name, const char *text)
{
    int fd = open(path_of(d, name), O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void make_folder(struct dir_box *d, const char *dir)
{
    static const char *const sub[] = {"", "/cur", "/new", "/tmp"};
    char name[300];

    for (size_t i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%s%s", dir, sub[i]);
        (void)!mkdir(path_of(d, name), 0700);
    }
}

static bool exists(struct dir_box *d, const char *name)
{
    struct stat st;

    return lstat(path_of(d, name), &st) == 0;
}

/* The files in a directory; the last one's name. */
static unsigned count(struct dir_box *d, const char *dir, char *name_out)
{
    DIR *o = opendir(path_of(d, dir));
    struct dirent *e;
    unsigned n = 0;

    assert_non_null(o);
    while ((e = readdir(o)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        if (name_out != NULL)
            snprintf(name_out, 256, "%s", e->d_name);
    }
    closedir(o);
    return n;
}

static void move(struct dir_box *d, const char *from, const char *to)
{
    assert_int_equal(rename(path_of(d, from), path_of(d, to)), 0);
}

static void check_file(struct dir_box *d, const char *name, const char *text)
{
    char buf[1000];
    int fd = open(path_of(d, name), O_RDONLY);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, buf, sizeof(buf));
    close(fd);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

/* --- messages -------------------------------------------------------------------------------------------- */

static void check_message(struct dir_box *d, const char *mbox, uint32_t seq, const char *text, unsigned flags)
{
    struct mailbox *m = box_find(&d->b, mbox);
    struct mailbox_view *v;
    struct msg_info info;
    struct view digest;

    assert_non_null(m);
    v = mailbox_view_open(d->b.acc, m, false);
    assert_true(mailbox_view_count(v) >= seq);
    check_bytes(v, seq, text);
    mailbox_view_info(v, seq, &info);
    assert_int_equal(info.size, strlen(text));
    assert_int_equal(info.flags, flags);
    assert_int_equal(mailbox_view_digest(v, seq, &digest), 0);
    assert_true(digest.len > 0);
    mailbox_view_close(&v);
}

static bool has_keyword(struct dir_box *d, const char *mbox, uint32_t seq, const char *keyword)
{
    struct mailbox *m = box_find(&d->b, mbox);
    struct mailbox_view *v = mailbox_view_open(d->b.acc, m, false);
    int k = mailbox_keyword_find(m, view_str(keyword));
    struct msg_info info;

    mailbox_view_info(v, seq, &info);
    mailbox_view_close(&v);
    return k >= 0 && (info.keywords.bits[k / 64] & (uint64_t)1 << (k % 64)) != 0;
}

static uint32_t uid_of(struct dir_box *d, const char *mbox, uint32_t seq)
{
    struct mailbox_view *v = mailbox_view_open(d->b.acc, box_find(&d->b, mbox), false);
    uint32_t uid = mailbox_view_uid(v, seq);

    mailbox_view_close(&v);
    return uid;
}

static void scan(struct dir_box *d)
{
    (void)account_scan(d->b.acc);
}

static void idle(struct dir_box *d)
{
    d->b.now += 10000;
    while (account_background(d->b.acc) == 0)
        ;
}

#define MSG1 "Subject: one\r\n\r\nhello\r\n"
#define MSG1_LF "Subject: one\n\nhello\n"
#define MSG2 "Subject: two\r\n\r\nworld, longer\r\n"

/* --- our own changes ------------------------------------------------------------------------------------- */

static void test_new_maildir(void **state)
{
    struct dir_box *d = *state;
    char name[256], path[400];

    start(d);
    assert_true(exists(d, "cur") && exists(d, ".Drafts/cur") && exists(d, ".Sent/maildirfolder"));
    assert_int_equal(box_append(&d->b, "INBOX", MSG1, 0), 0);
    assert_int_equal(count(d, "tmp", NULL), 0);
    assert_int_equal(count(d, "new", name), 1);
    assert_non_null(strstr(name, ",S=20,W=23"));
    snprintf(path, sizeof(path), "new/%s", name);
    check_file(d, path, MSG1_LF);
    assert_int_equal(box_append(&d->b, "Sent", MSG2, MSG_SEEN), 0);
    assert_int_equal(count(d, ".Sent/cur", name), 1);
    assert_true(strcmp(name + strlen(name) - 4, ":2,S") == 0);
    for (int round = 0; round < 3; round++) {
        check_message(d, "INBOX", 1, MSG1, 0);
        check_message(d, "Sent", 1, MSG2, MSG_SEEN);
        restart(d);
    }
    assert_int_equal(box_status(&d->b, "INBOX").messages, 1);
    assert_int_equal(count(d, "new", NULL), 1);
}

static void test_odd_lines(void **state)
{
    static const char *const texts[] = {"A: b\r\n\r\nx\r\r\ny\r\n", "A: b\r\n\r\nno end", "", "\r\n", "A: b\rc\r\n\r\n"};
    struct dir_box *d = *state;

    start(d);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(box_append(&d->b, "INBOX", texts[i], 0), 0);
    assert_int_equal(box_append(&d->b, "INBOX", "A: b\n\nlone\n", 0), 0);
    restart(d);
    for (uint32_t i = 0; i < 5; i++)
        check_message(d, "INBOX", i + 1, texts[i], 0);
    check_message(d, "INBOX", 6, "A: b\r\n\r\nlone\r\n", 0);
}

static void test_flags_in_names(void **state)
{
    struct dir_box *d = *state;
    char name[256], first[256];

    start(d);
    assert_int_equal(box_append(&d->b, "INBOX", MSG1, 0), 0);
    assert_int_equal(count(d, "new", first), 1);
    assert_int_equal(box_flags(&d->b, "INBOX", 1, 1, FLAGS_ADD, MSG_SEEN | MSG_FLAGGED, "$Junk"), 0);
    assert_int_equal(count(d, "new", NULL), 1);
    idle(d);
    assert_int_equal(count(d, "new", NULL), 0);
    assert_int_equal(count(d, "cur", name), 1);
    assert_string_equal(name + strlen(first), ":2,FSa");
    check_file(d, "dovecot-keywords", "0 $Junk\n");
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 1);
    assert_int_equal(box_flags(&d->b, "INBOX", 1, 1, FLAGS_REPLACE, MSG_ANSWERED, "other"), 0);
    restart(d);
    assert_int_equal(count(d, "cur", name), 1);
    assert_string_equal(name + strlen(first), ":2,Rb");
    check_message(d, "INBOX", 1, MSG1, MSG_ANSWERED);
    assert_true(has_keyword(d, "INBOX", 1, "other"));
}

/* A letter means nothing as long as dovecot-keywords cannot be written: no name has it, and it is not given to another keyword.
 */
static void test_letters_not_written(void **state)
{
    struct dir_box *d = *state;

    start(d);
    assert_int_equal(box_append(&d->b, "INBOX", MSG1, 0), 0);
    assert_int_equal(box_append(&d->b, "INBOX", MSG2, 0), 0);
    assert_int_equal(mkdir(path_of(d, "dovecot-keywords.culver"), 0700), 0);
    assert_int_equal(box_flags(&d->b, "INBOX", 1, 1, FLAGS_ADD, MSG_SEEN, "one"), 0);
    idle(d);
    restart(d);
    assert_true(has_keyword(d, "INBOX", 1, "one"));
    assert_false(exists(d, "dovecot-keywords"));
    assert_int_equal(rmdir(path_of(d, "dovecot-keywords.culver")), 0);
    assert_int_equal(box_flags(&d->b, "INBOX", 2, 2, FLAGS_ADD, MSG_SEEN, "two"), 0);
    idle(d);
    for (int round = 0; round < 3; round++) {
        assert_true(has_keyword(d, "INBOX", 1, "one") && !has_keyword(d, "INBOX", 1, "two"));
        assert_true(has_keyword(d, "INBOX", 2, "two") && !has_keyword(d, "INBOX", 2, "one"));
        restart(d);
    }
}

static void test_recent_leaves_new(void **state)
{
    struct dir_box *d = *state;
    struct mailbox_view *v;

    start(d);
    assert_int_equal(box_append(&d->b, "INBOX", MSG1, 0), 0);
    v = mailbox_view_open(d->b.acc, box_find(&d->b, "INBOX"), true);
    assert_int_equal(mailbox_view_recent(v), 1);
    idle(d);
    idle(d);
    assert_int_equal(count(d, "cur", NULL), 1);
    check_bytes(v, 1, MSG1);
    mailbox_view_close(&v);
}

static void test_expunge_copy_move(void **state)
{
    struct dir_box *d = *state;
    struct stat a, b;
    char name[256], path[400];

    start(d);
    for (int i = 0; i < 3; i++)
        assert_int_equal(box_append(&d->b, "INBOX", i == 1 ? MSG2 : MSG1, i == 1 ? MSG_FLAGGED : 0), 0);
    assert_int_equal(box_copy(&d->b, "INBOX", 2, 2, "Sent", false), 0);
    assert_int_equal(count(d, ".Sent/cur", name), 1);
    snprintf(path, sizeof(path), ".Sent/cur/%s", name);
    assert_int_equal(stat(path_of(d, path), &a), 0);
    assert_int_equal(count(d, "cur", name), 1);
    snprintf(path, sizeof(path), "cur/%s", name);
    assert_int_equal(stat(path_of(d, path), &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    check_message(d, "Sent", 1, MSG2, MSG_FLAGGED);
    assert_int_equal(box_copy(&d->b, "INBOX", 1, 2, "Drafts", true), 0);
    assert_int_equal(count(d, "cur", NULL) + count(d, "new", NULL), 1);
    assert_int_equal(box_status(&d->b, "Drafts").messages, 2);
    assert_int_equal(box_copy(&d->b, "Drafts", 1, 2, "Drafts", false), 0);
    assert_int_equal(box_expunge(&d->b, "Drafts", 1, 2), 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(box_status(&d->b, "Drafts").messages, 2);
        assert_int_equal(count(d, ".Drafts/cur", NULL) + count(d, ".Drafts/new", NULL), 2);
        check_message(d, "Drafts", 1, MSG1, 0);
        check_message(d, "Drafts", 2, MSG2, MSG_FLAGGED);
        check_message(d, "INBOX", 1, MSG1, 0);
        assert_int_equal(uid_of(d, "INBOX", 1), 3);
        restart(d);
    }
}

static void test_mailboxes(void **state)
{
    struct dir_box *d = *state;

    start(d);
    assert_int_equal(box_create(&d->b, "A/B"), 0);
    assert_true(exists(d, ".A/cur") && exists(d, ".A.B/cur"));
    assert_int_equal(box_create(&d->b, "x.y"), ERR_SYNTAX);
    assert_int_equal(box_append(&d->b, "A/B", MSG1, 0), 0);
    assert_int_equal(box_rename(&d->b, "A", "\xc3\xa9"), 0);
    assert_true(!exists(d, ".A") && !exists(d, ".A.B") && exists(d, ".&AOk-.B/new"));
    assert_int_equal(box_rename(&d->b, "Sent", "a.b"), ERR_SYNTAX);
    check_message(d, "\xc3\xa9/B", 1, MSG1, 0);
    restart(d);
    check_message(d, "\xc3\xa9/B", 1, MSG1, 0);
    assert_int_equal(box_delete(&d->b, "\xc3\xa9/B"), 0);
    assert_false(exists(d, ".&AOk-.B"));
    idle(d);
    scan(d);
    assert_null(box_find(&d->b, "\xc3\xa9/B"));
    assert_int_equal(box_append(&d->b, "INBOX", MSG2, MSG_SEEN), 0);
    assert_int_equal(box_rename(&d->b, "INBOX", "Old"), 0);
    for (int round = 0; round < 2; round++) {
        check_message(d, "Old", 1, MSG2, MSG_SEEN);
        assert_int_equal(box_status(&d->b, "INBOX").messages, 0);
        restart(d);
    }
    assert_int_equal(count(d, "cur", NULL), 0);
}

/* A folder that could not be renamed yet is renamed before one takes its name. */
static void test_name_of_a_late_rename(void **state)
{
    struct dir_box *d = *state;

    start(d);
    assert_int_equal(box_create(&d->b, "a"), 0);
    assert_int_equal(box_append(&d->b, "a", MSG1, 0), 0);
    assert_int_equal(mkdir(path_of(d, ".b"), 0700), 0);
    put_file(d, ".b/in-the-way", "");
    assert_int_equal(box_rename(&d->b, "a", "b"), 0);
    assert_int_equal(box_create(&d->b, "a"), ERR_BUSY);
    assert_int_equal(unlink(path_of(d, ".b/in-the-way")), 0);
    assert_int_equal(rmdir(path_of(d, ".b")), 0);
    assert_int_equal(box_create(&d->b, "a"), 0);
    for (int round = 0; round < 2; round++) {
        check_message(d, "b", 1, MSG1, 0);
        assert_int_equal(box_status(&d->b, "a").messages, 0);
        assert_int_equal(count(d, ".b/cur", NULL) + count(d, ".b/new", NULL), 1);
        restart(d);
    }
}

/* --- other programs -------------------------------------------------------------------------------------- */

static void test_delivered_by_others(void **state)
{
    struct dir_box *d = *state;

    start(d);
    put_file(d, "tmp/1700000001.x", MSG1_LF);
    move(d, "tmp/1700000001.x", "new/1700000001.x");
    scan(d);
    check_message(d, "INBOX", 1, MSG1, 0);
    put_file(d, "cur/1700000002.y:2,FS", MSG2);
    scan(d);
    check_message(d, "INBOX", 2, MSG2, MSG_FLAGGED | MSG_SEEN);
    put_file(d, "new/1700000003.z,S=9999,W=1", "wrong\nsizes\n");
    put_file(d, "new/.hidden", "x");
    put_file(d, "new/1700000000.first", "first\n");
    scan(d);
    check_message(d, "INBOX", 3, "first\r\n", 0);
    check_message(d, "INBOX", 4, "wrong\r\nsizes\r\n", 0);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 4);
    restart(d);
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 4);
    assert_int_equal(box_status(&d->b, "INBOX").uidnext, 5);
}

static void test_changed_by_others(void **state)
{
    struct dir_box *d = *state;

    start(d);
    put_file(d, "new/1.a", MSG1_LF);
    put_file(d, "cur/2.b:2,", MSG2);
    put_file(d, "cur/3.c:2,S", MSG2);
    scan(d);
    move(d, "new/1.a", "cur/1.a:2,S");
    move(d, "cur/3.c:2,S", "cur/3.c:2,F");
    assert_int_equal(box_flags(&d->b, "INBOX", 3, 3, FLAGS_ADD, MSG_ANSWERED, NULL), 0);
    assert_int_equal(unlink(path_of(d, "cur/2.b:2,")), 0);
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 2);
    check_message(d, "INBOX", 1, MSG1, MSG_SEEN);
    check_message(d, "INBOX", 2, MSG2, MSG_FLAGGED | MSG_ANSWERED);
    stop(d);
    assert_true(exists(d, "cur/3.c:2,FR"));
    /* And while nobody looks. */
    move(d, "cur/3.c:2,FR", "cur/3.c:2,FT");
    assert_int_equal(unlink(path_of(d, "cur/1.a:2,S")), 0);
    put_file(d, "cur/4.d:2,D", MSG1_LF);
    start(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 2);
    check_message(d, "INBOX", 1, MSG2, MSG_FLAGGED | MSG_DELETED);
    check_message(d, "INBOX", 2, MSG1, MSG_DRAFT);
    assert_int_equal(uid_of(d, "INBOX", 2), 4);
}

/* The kernel gave no inotify: the times of directories tell. */
static void test_without_inotify(void **state)
{
    struct dir_box *d = *state;

    start(d);
    close(d->md->inotify);
    d->md->inotify = -1;
    d->md->watch_all = false;
    assert_int_equal(account_watch_fd(d->b.acc), -1);
    assert_true(account_scan(d->b.acc) <= 3000);
    put_file(d, "new/1.a", MSG1_LF);
    make_folder(d, ".X");
    put_file(d, ".X/cur/2.b:2,S", MSG2);
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 0);
    d->b.now += 3001;
    scan(d);
    check_message(d, "INBOX", 1, MSG1, 0);
    check_message(d, "X", 1, MSG2, MSG_SEEN);
    move(d, "new/1.a", "cur/1.a:2,F");
    d->b.now += 3001;
    scan(d);
    check_message(d, "INBOX", 1, MSG1, MSG_FLAGGED);
}

static void test_content_changed(void **state)
{
    struct dir_box *d = *state;
    struct mailbox_view *v;
    struct msg_data data;

    start(d);
    put_file(d, "cur/1.a:2,S", MSG1_LF);
    scan(d);
    assert_int_equal(unlink(path_of(d, "cur/1.a:2,S")), 0);
    put_file(d, "cur/1.a:2,S", "another\n");
    v = mailbox_view_open(d->b.acc, box_find(&d->b, "INBOX"), false);
    assert_int_equal(mailbox_view_data(v, 1, &data), ERR_NOTFOUND);
    mailbox_view_close(&v);
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 1);
    check_message(d, "INBOX", 1, "another\r\n", MSG_SEEN);
    assert_int_equal(uid_of(d, "INBOX", 1), 2);
}

static void test_twins(void **state)
{
    struct dir_box *d = *state;

    start(d);
    put_file(d, "cur/1.a:2,S", MSG1_LF);
    put_file(d, "new/1.a", MSG2);
    put_file(d, "cur/2.b:2,", MSG1_LF);
    assert_int_equal(link(path_of(d, "cur/2.b:2,"), path_of(d, "cur/2.b:2,F")), 0);
    scan(d);
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 3);
    restart(d);
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 3);
}

static void test_folders_by_others(void **state)
{
    struct dir_box *d = *state;
    uint32_t uidvalidity;

    start(d);
    make_folder(d, ".X.Y");
    put_file(d, ".X.Y/cur/1.a:2,S", MSG1_LF);
    scan(d);
    check_message(d, "X/Y", 1, MSG1, MSG_SEEN);
    assert_null(box_find(&d->b, "X"));
    uidvalidity = box_status(&d->b, "X/Y").uidvalidity;
    move(d, ".X.Y", ".Z");
    scan(d);
    assert_null(box_find(&d->b, "X/Y"));
    check_message(d, "Z", 1, MSG1, MSG_SEEN);
    assert_int_equal(box_status(&d->b, "Z").uidvalidity, uidvalidity);
    stop(d);
    move(d, ".Z", ".W");
    start(d);
    check_message(d, "W", 1, MSG1, MSG_SEEN);
    assert_int_equal(box_status(&d->b, "W").uidvalidity, uidvalidity);
    assert_int_equal(nftw(path_of(d, ".W"), remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    scan(d);
    assert_null(box_find(&d->b, "W"));
    restart(d);
    assert_null(box_find(&d->b, "W"));
}

static void test_hostile(void **state)
{
    static const char *const folders[] = {".a..b", "..", ".&AC8-x", ".bad&name", ".INBOX", ".inbox", ".a.b.", ".link", ".file"};
    struct dir_box *d = *state;
    char longest[260];

    memset(longest, 'n', sizeof(longest));
    memcpy(longest, "cur/", 4);
    longest[4 + 255] = '\0';
    make_folder(d, "");
    for (size_t i = 0; i < 7; i++) {
        if (i != 1)
            make_folder(d, folders[i]);
    }
    assert_int_equal(symlink("/etc", path_of(d, ".link")), 0);
    put_file(d, ".file", "x");
    make_folder(d, ".ok");
    assert_int_equal(rmdir(path_of(d, ".ok/new")), 0);
    assert_int_equal(symlink("/etc", path_of(d, ".ok/new")), 0);
    assert_int_equal(symlink("/etc/passwd", path_of(d, "cur/1.link")), 0);
    assert_int_equal(mkfifo(path_of(d, "cur/2.fifo"), 0600), 0);
    assert_int_equal(mkdir(path_of(d, "cur/3.dir"), 0700), 0);
    put_file(d, longest, MSG1_LF);
    put_file(d, "new/4.good", MSG1_LF);
    start(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 2);
    check_message(d, "INBOX", 1, MSG1, 0);
    check_message(d, "INBOX", 2, MSG1, 0);
    assert_int_equal(box_flags(&d->b, "INBOX", 1, 2, FLAGS_ADD, MSG_SEEN, NULL), 0);
    idle(d);
    assert_int_equal(box_append(&d->b, "INBOX", MSG2, 0), 0);
    restart(d);
    check_message(d, "INBOX", 1, MSG1, MSG_SEEN);
    check_message(d, "INBOX", 2, MSG1, MSG_SEEN);
    assert_null(box_find(&d->b, "link"));
}

/* --- Dovecot's ------------------------------------------------------------------------------------------- */

static void make_dovecot(struct dir_box *d)
{
    make_folder(d, "");
    put_file(d, "cur/100.M1.h,S=20,W=23:2,Sa", MSG1_LF);
    put_file(d, "cur/101.M2.h,S=20,W=23:2,", MSG1_LF);
    put_file(d, "new/99.M3.h", MSG1_LF);
    put_file(d, "cur/98.unlisted:2,Fb", MSG2);
    put_file(d, "dovecot-uidlist",
             "3 V1234 N60 Gdeadbeef\n7 :101.M2.h,S=20,W=23\n8 :gone\n20 W23 Pold-uidl :100.M1.h,S=20,W=23:2,S\n50 :99.M3.h\n");
    put_file(d, "dovecot-keywords", "0 $Forwarded\n1 Foo\n");
    put_file(d, "dovecot-uidvalidity", "00001300");
    put_file(d, "subscriptions", "V\t2\n\nA\tB\nINBOX\nnot there\n");
    make_folder(d, ".A.B");
    put_file(d, ".A.B/dovecot-uidlist", "1 777 12\n3 5.x\n");
    put_file(d, ".A.B/cur/5.x:2,RST", MSG2);
}

struct names {
    char text[500];
};

static bool note_name(void *arg, const struct mailbox_entry *e)
{
    struct names *n = arg;
    size_t len = strlen(n->text);

    snprintf(n->text + len, sizeof(n->text) - len, "%.*s%s%s ", (int)e->name.len, (const char *)e->name.ptr,
             e->mailbox != NULL ? "" : "-", e->subscribed ? "+" : "");
    return true;
}

static void test_dovecot(void **state)
{
    struct dir_box *d = *state;
    struct mailbox_view *v;
    struct names names = {""};

    make_dovecot(d);
    start(d);
    account_each(d->b.acc, note_name, &names);
    assert_string_equal(names.text, "INBOX+ A- A/B+ not there-+ ");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(box_status(&d->b, "INBOX").uidvalidity, 1234);
        assert_int_equal(box_status(&d->b, "INBOX").messages, 4);
        assert_int_equal(box_status(&d->b, "INBOX").uidnext, 61);
        assert_int_equal(uid_of(d, "INBOX", 1), 7);
        check_message(d, "INBOX", 1, MSG1, 0);
        check_message(d, "INBOX", 2, MSG1, MSG_SEEN);
        assert_int_equal(uid_of(d, "INBOX", 2), 20);
        assert_true(has_keyword(d, "INBOX", 2, "$Forwarded"));
        assert_int_equal(uid_of(d, "INBOX", 3), 50);
        assert_int_equal(uid_of(d, "INBOX", 4), 60);
        assert_true(has_keyword(d, "INBOX", 4, "foo"));
        assert_int_equal(box_status(&d->b, "A/B").uidvalidity, 777);
        assert_int_equal(box_status(&d->b, "A/B").uidnext, 12);
        assert_int_equal(uid_of(d, "A/B", 1), 3);
        check_message(d, "A/B", 1, MSG2, MSG_ANSWERED | MSG_SEEN | MSG_DELETED);
        v = mailbox_view_open(d->b.acc, box_find(&d->b, "INBOX"), false);
        assert_true(view_eq(mailbox_view_uidl(v, 2), VIEW("old-uidl")));
        assert_int_equal(mailbox_view_uidl(v, 1).len, 0);
        mailbox_view_close(&v);
        restart(d);
    }
    assert_int_equal(box_create(&d->b, "fresh"), 0);
    assert_true(box_status(&d->b, "fresh").uidvalidity > 0x1300);
}

/* Many files that say how large they are: not read before somebody wants them. */
static void test_dovecot_many(void **state)
{
    struct dir_box *d = *state;
    char name[100];

    make_folder(d, "");
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof(name), "cur/%d.M.h,S=20,W=%d:2,S", 1000 + i, i == 7 ? 24 : 23);
        put_file(d, name, MSG1_LF);
    }
    start(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 400);
    assert_int_equal(box_status(&d->b, "INBOX").size, 400 * 23 + 1);
    for (uint32_t i = 1; i <= 7; i++)
        check_message(d, "INBOX", i, MSG1, MSG_SEEN);
    idle(d);
    scan(d);
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").size, 400 * 23);
    restart(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 400);
    check_message(d, "INBOX", 400, MSG1, MSG_SEEN);
}

/* --- crashes --------------------------------------------------------------------------------------------- */

/* Runs fn in a process that ends without closing anything. */
static void crash_after(struct dir_box *d, void (*fn)(struct dir_box *d))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        start(d);
        fn(d);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void do_append(struct dir_box *d)
{
    if (box_append(&d->b, "INBOX", MSG1, 0) != 0 || box_append(&d->b, "INBOX", MSG2, MSG_FLAGGED) != 0)
        _exit(1);
}

static void test_crash_append(void **state)
{
    struct dir_box *d = *state;
    char name[256], from[400], to[400];

    crash_after(d, do_append);
    /* Committed, and not yet moved out of tmp/. */
    assert_int_equal(count(d, "cur", name), 1);
    snprintf(from, sizeof(from), "cur/%s", name);
    *strchr(name, ':') = '\0';
    snprintf(to, sizeof(to), "tmp/%s", name);
    move(d, from, to);
    assert_int_equal(count(d, "new", name), 1);
    snprintf(from, sizeof(from), "new/%s", name);
    snprintf(to, sizeof(to), "tmp/%s", name);
    move(d, from, to);
    /* Not committed. */
    put_file(d, "tmp/123.M4P5Q6.h", MSG1_LF);
    start(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 2);
    check_message(d, "INBOX", 1, MSG1, 0);
    check_message(d, "INBOX", 2, MSG2, MSG_FLAGGED);
    assert_int_equal(count(d, "tmp", NULL), 1);
    assert_int_equal(count(d, "cur", name), 1);
    assert_int_equal(count(d, "new", name), 1);
    restart(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 2);
}

static void do_expunge(struct dir_box *d)
{
    if (box_expunge(&d->b, "INBOX", 1, 1) != 0)
        _exit(1);
}

static void test_crash_expunge(void **state)
{
    struct dir_box *d = *state;
    char name[256], from[400];

    start(d);
    assert_int_equal(box_append(&d->b, "INBOX", MSG1, 0), 0);
    stop(d);
    assert_int_equal(count(d, "new", name), 1);
    snprintf(from, sizeof(from), "new/%s", name);
    assert_int_equal(link(path_of(d, from), path_of(d, "kept")), 0);
    crash_after(d, do_expunge);
    assert_false(exists(d, from));
    move(d, "kept", from);
    start(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 0);
    assert_false(exists(d, from));
    /* The same name later, put back from a backup, is a message. */
    put_file(d, from, MSG1_LF);
    scan(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 1);
    assert_int_equal(box_expunge(&d->b, "INBOX", 2, 2), 0);
    stop(d);
    put_file(d, from, MSG1_LF);
    start(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 1);
}

static void do_flags(struct dir_box *d)
{
    if (box_flags(&d->b, "INBOX", 1, 1, FLAGS_ADD, MSG_SEEN, "kw") != 0)
        _exit(1);
}

static void test_crash_flags(void **state)
{
    struct dir_box *d = *state;
    char name[256];

    start(d);
    assert_int_equal(box_append(&d->b, "INBOX", MSG1, MSG_FLAGGED), 0);
    stop(d);
    crash_after(d, do_flags);
    assert_int_equal(count(d, "cur", name), 1);
    assert_non_null(strstr(name, ":2,F"));
    start(d);
    check_message(d, "INBOX", 1, MSG1, MSG_SEEN | MSG_FLAGGED);
    assert_true(has_keyword(d, "INBOX", 1, "kw"));
    restart(d);
    check_message(d, "INBOX", 1, MSG1, MSG_SEEN | MSG_FLAGGED);
    assert_int_equal(count(d, "cur", name), 1);
    assert_non_null(strstr(name, ":2,FSa"));
}

static void do_move(struct dir_box *d)
{
    if (box_copy(&d->b, "INBOX", 1, 1, "Sent", true) != 0)
        _exit(1);
}

static void test_crash_move(void **state)
{
    struct dir_box *d = *state;
    char name[256], from[400], to[400];

    start(d);
    assert_int_equal(box_append(&d->b, "INBOX", MSG1, 0), 0);
    stop(d);
    assert_int_equal(count(d, "new", name), 1);
    snprintf(from, sizeof(from), "new/%s", name);
    assert_int_equal(link(path_of(d, from), path_of(d, "kept")), 0);
    crash_after(d, do_move);
    move(d, "kept", from);
    assert_int_equal(count(d, ".Sent/new", name), 1);
    snprintf(from, sizeof(from), ".Sent/new/%s", name);
    snprintf(to, sizeof(to), ".Sent/tmp/%s", name);
    move(d, from, to);
    start(d);
    assert_int_equal(box_status(&d->b, "INBOX").messages, 0);
    check_message(d, "Sent", 1, MSG1, 0);
    assert_int_equal(count(d, "new", NULL), 0);
    assert_int_equal(count(d, ".Sent/tmp", NULL), 0);
}

static void do_folders(struct dir_box *d)
{
    if (box_rename(&d->b, "A", "B") != 0 || box_delete(&d->b, "Sent") != 0)
        _exit(1);
}

static void test_crash_folders(void **state)
{
    struct dir_box *d = *state;
    char name[256], gone[400];

    start(d);
    assert_int_equal(box_create(&d->b, "A"), 0);
    assert_int_equal(box_append(&d->b, "A", MSG1, 0), 0);
    assert_int_equal(box_append(&d->b, "Sent", MSG1, 0), 0);
    stop(d);
    crash_after(d, do_folders);
    move(d, ".B", ".A");
    for (unsigned id = 1; id < 10; id++) {
        snprintf(gone, sizeof(gone), "culver/gone.%u", id);
        if (exists(d, gone))
            move(d, gone, ".Sent");
    }
    assert_int_equal(count(d, ".Sent/new", name), 1);
    start(d);
    check_message(d, "B", 1, MSG1, 0);
    assert_null(box_find(&d->b, "A"));
    assert_null(box_find(&d->b, "Sent"));
    assert_true(exists(d, ".B/cur") && !exists(d, ".A") && !exists(d, ".Sent"));
    restart(d);
    check_message(d, "B", 1, MSG1, 0);
}

static void do_delete_and_rename(struct dir_box *d)
{
    if (box_delete(&d->b, "Sent") != 0 || box_rename(&d->b, "A", "Sent") != 0)
        _exit(1);
}

/* Both folders are where they were: the one of the deleted mailbox is not that of the one with its name. */
static void test_crash_delete_and_rename(void **state)
{
    struct dir_box *d = *state;
    uint32_t validity;
    char gone[400];

    start(d);
    assert_int_equal(box_create(&d->b, "A"), 0);
    assert_int_equal(box_append(&d->b, "A", MSG1, 0), 0);
    assert_int_equal(box_append(&d->b, "Sent", MSG2, 0), 0);
    validity = box_status(&d->b, "A").uidvalidity;
    stop(d);
    crash_after(d, do_delete_and_rename);
    move(d, ".Sent", ".A");
    for (unsigned id = 1; id < 10; id++) {
        snprintf(gone, sizeof(gone), "culver/gone.%u", id);
        if (exists(d, gone))
            move(d, gone, ".Sent");
    }
    assert_int_equal(count(d, ".Sent/new", NULL), 1);
    for (int round = 0; round < 2; round++) {
        start(d);
        assert_null(box_find(&d->b, "A"));
        assert_int_equal(box_status(&d->b, "Sent").uidvalidity, validity);
        assert_int_equal(box_status(&d->b, "Sent").messages, 1);
        check_message(d, "Sent", 1, MSG1, 0);
        assert_true(!exists(d, ".A"));
        stop(d);
    }
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_new_maildir),
        TEST(test_odd_lines),
        TEST(test_flags_in_names),
        TEST(test_letters_not_written),
        TEST(test_recent_leaves_new),
        TEST(test_expunge_copy_move),
        TEST(test_mailboxes),
        TEST(test_name_of_a_late_rename),
        TEST(test_delivered_by_others),
        TEST(test_changed_by_others),
        TEST(test_without_inotify),
        TEST(test_content_changed),
        TEST(test_twins),
        TEST(test_folders_by_others),
        TEST(test_hostile),
        TEST(test_dovecot),
        TEST(test_dovecot_many),
        TEST(test_crash_append),
        TEST(test_crash_expunge),
        TEST(test_crash_flags),
        TEST(test_crash_move),
        TEST(test_crash_folders),
        TEST(test_crash_delete_and_rename),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
