/* Sources and sinks of culver-mailtool over folders in /tmp: what goes through mbox and Maildir comes out the same. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/mailbox_view.h"
#include "storage/txn.h"
#include "storage/vfs_sim.h"
#include "tests/unit/support/folder.h"
#include "worker/tool.h"

/* --- a sink that writes down what it gets -------------------------------------------------------------------------------------
 */

struct note {
    struct tool_sink base;
    struct buf text;
};

static int note_mailbox(struct tool_sink *s, const struct tool_mailbox *m)
{
    struct note *n = (struct note *)s;

    buf_put_fmt(&n->text, "[%.*s %u %u]\n", (int)m->name.len, (const char *)m->name.ptr, m->uidvalidity, m->uidnext);
    return 0;
}

static int note_message(struct tool_sink *s, const struct tool_message *m)
{
    struct note *n = (struct note *)s;

    buf_put_fmt(&n->text, "uid=%u flags=%u date=%lld zone=%d uidl=%.*s", m->uid, m->flags, (long long)m->date, m->zone,
                (int)m->uidl.len, m->uidl.len > 0 ? (const char *)m->uidl.ptr : "");
    for (size_t i = 0; i < m->nkeywords; i++)
        buf_put_fmt(&n->text, " %.*s", (int)m->keywords[i].len, (const char *)m->keywords[i].ptr);
    buf_put_fmt(&n->text, "\n%.*s\n", (int)m->bytes.len, (const char *)m->bytes.ptr);
    return 0;
}

static int note_end(struct tool_sink *s)
{
    (void)s;
    return 0;
}

static int note_subscribe(struct tool_sink *s, struct view name)
{
    buf_put_fmt(&((struct note *)s)->text, "subscribed %.*s\n", (int)name.len, (const char *)name.ptr);
    return 0;
}

static const struct tool_sink_ops note_ops = {note_mailbox, note_message, note_end, note_subscribe, note_end, NULL};

struct state {
    char dir[64];
    int fd;
    struct tool tool;
    struct note note;
};

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));

    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_FATAL);
    assert_non_null(freopen("/dev/null", "w", stderr));
    snprintf(s->dir, sizeof(s->dir), "/tmp/culver-tool-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->note.base = (struct tool_sink){&note_ops, &s->tool};
    buf_init(&s->note.text, (size_t)1 << 24);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    close(s->fd);
    buf_free(&s->note.text);
    assert_int_equal(folder_remove(s->dir), 0);
    free(s);
    return 0;
}

static void check_note(struct state *s, const char *expected)
{
    struct view v = buf_view(&s->note.text);

    if (!view_eq(v, view_str(expected)))
        print_message("got:\n%.*s\nexpected:\n%s\n", (int)v.len, (const char *)v.ptr, expected);
    assert_true(view_eq(v, view_str(expected)));
    buf_reset(&s->note.text);
}

static int read_mbox(struct state *s, const char *text)
{
    int fd, err;

    assert_int_equal(tool_file_write(s->fd, "one", view_str(text)), 0);
    assert_int_equal(tool_file_open(s->fd, "one", O_RDONLY, &fd), 0);
    err = tool_source_mbox(&s->tool, fd, VIEW("INBOX"), &s->note.base);
    close(fd);
    return err;
}

/* --- mbox
 * ------------------------------------------------------------------------------------------------------------------------- */

static void test_mbox_separators(void **state)
{
    struct state *s = *state;

    assert_int_equal(read_mbox(s, "From a@x Thu Jan  1 00:00:01 1970\nSubject: 1\n\nFrom here on\n>From quoted\n>>From twice\n\n"
                                  "From me to you\n\n"
                                  "From \"a b\"@x Thu Jan  1 00:02 CET 1970\nSubject: 2\n\n\n\nend\n\n"
                                  "From x Thu Jan  1 01:00:00 +0100 1970\nSubject: 3\n"),
                     0);
    check_note(s, "[INBOX 0 0]\n"
                  "uid=0 flags=0 date=1 zone=0 uidl=\nSubject: 1\r\n\r\nFrom here on\r\nFrom quoted\r\n>From twice\r\n\r\nFrom "
                  "me to you\r\n\n"
                  "uid=0 flags=0 date=120 zone=0 uidl=\nSubject: 2\r\n\r\n\r\n\r\nend\r\n\n"
                  "uid=0 flags=0 date=0 zone=60 uidl=\nSubject: 3\r\n\n");
    assert_int_equal(read_mbox(s, ""), 0);
    check_note(s, "[INBOX 0 0]\n");
    assert_int_equal(read_mbox(s, "no mbox\n"), ERR_SYNTAX);
    assert_int_equal(read_mbox(s, "From nobody\n\nx\n"), ERR_SYNTAX);
    buf_reset(&s->note.text);
}

static void test_mbox_fields(void **state)
{
    struct state *s = *state;

    assert_int_equal(read_mbox(s, "From a Thu Jan  1 00:00:00 1970\r\nX-IMAPbase: 77 0000000009 a b\r\nX-UID: 3\r\nSubject: 1\r\n"
                                  "Status: RO\r\nX-Status: AFTD\r\nX-Keywords: work  $Forwarded\r\n\r\nx\r\n\r\n"
                                  "From a Thu Jan  1 00:00:00 1970\nX-UID: 2\nSubject: not rising\n\n\n"
                                  "From a Thu Jan  1 00:00:00 1970\nX-UID: 99999999999\nX-Status: \n\n"),
                     0);
    check_note(s, "[INBOX 77 10]\n"
                  "uid=3 flags=31 date=0 zone=0 uidl= work $Forwarded\nSubject: 1\r\n\r\nx\r\n\n"
                  "uid=0 flags=0 date=0 zone=0 uidl=\nSubject: not rising\r\n\r\n\n"
                  "uid=0 flags=0 date=0 zone=0 uidl=\n\n");
    /* Without X-IMAPbase the fields came with the mail. */
    assert_int_equal(read_mbox(s, "From a Thu Jan  1 00:00:00 1970\nX-UID: 3\nSubject: 1\n\n"), 0);
    check_note(s, "[INBOX 0 0]\nuid=0 flags=0 date=0 zone=0 uidl=\nSubject: 1\r\n\n");
}

/* --- sinks
 * ------------------------------------------------------------------------------------------------------------------------- */

static void feed(struct tool_sink *sink)
{
    const struct tool_mailbox inbox = {VIEW("INBOX"), 5, 12}, other = {VIEW("A.b/\xc3\xbc"), 6, 2};
    const struct view keywords[] = {VIEW("work"), VIEW("$Forwarded")};
    const struct tool_message one = {.uid = 3,
                                     .flags = MSG_SEEN | MSG_DELETED,
                                     .keywords = keywords,
                                     .nkeywords = 2,
                                     .has_date = true,
                                     .date = 1700000000,
                                     .bytes = VIEW("Subject: 1\r\n\r\nFrom x\r\n>From y\r\n\r\n")};
    const struct tool_message two = {.uid = 11, .has_date = true, .date = 1700000001, .bytes = VIEW("Subject: 2\r\n\r\n")};

    assert_int_equal(sink->ops->mailbox(sink, &inbox), 0);
    assert_int_equal(sink->ops->message(sink, &one), 0);
    assert_int_equal(sink->ops->message(sink, &two), 0);
    assert_int_equal(sink->ops->mailbox_end(sink), 0);
    assert_int_equal(sink->ops->mailbox(sink, &other), 0);
    assert_int_equal(sink->ops->mailbox_end(sink), 0);
    assert_int_equal(sink->ops->subscribe(sink, VIEW("INBOX")), 0);
    assert_int_equal(sink->ops->finish(sink), 0);
    tool_sink_free(&sink);
}

#define INBOX_TEXT                                                                                                            \
    "[INBOX 5 12]\nuid=3 flags=9 date=1700000000 zone=0 uidl= work $Forwarded\nSubject: 1\r\n\r\nFrom x\r\n>From y\r\n\r\n\n" \
    "uid=11 flags=0 date=1700000001 zone=0 uidl=\nSubject: 2\r\n\r\n\n"

static void test_maildir(void **state)
{
    struct state *s = *state;
    struct tool_sink *sink;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(tool_sink_maildir(&s->tool, s->fd, &sink), 0);
        feed(sink);
        assert_int_equal(s->tool.messages, 2);
        assert_int_equal(s->tool.skipped, i == 0 ? 0 : 2);
        assert_int_equal(tool_source_maildir(&s->tool, s->fd, &s->note.base), 0);
        check_note(s, INBOX_TEXT "[A_b/\xc3\xbc 6 2]\nsubscribed INBOX\n");
    }
}

static void test_mbox_round(void **state)
{
    struct state *s = *state;
    struct tool_sink *sink;

    assert_int_equal(tool_sink_mbox(&s->tool, s->fd, &sink), 0);
    feed(sink);
    assert_int_equal(tool_source_mbox(&s->tool, s->fd, VIEW(""), &s->note.base), 0);
    check_note(s, "[A/b/\xc3\xbc 0 0]\n" INBOX_TEXT);
}

static void test_maildir_oddities(void **state)
{
    struct state *s = *state;
    int dir;

    assert_int_equal(tool_dir_open(s->fd, "cur", true, &dir), 0);
    assert_int_equal(tool_file_write(dir, "1.a:2,Sb", VIEW("A: 1\n\nx\n")), 0);
    assert_int_equal(tool_file_write(dir, "2.b:2,", VIEW("")), 0);
    assert_int_equal(symlinkat("/etc/passwd", dir, "3.c:2,"), 0);
    close(dir);
    assert_int_equal(tool_dir_open(s->fd, ".bad&name", true, &dir), 0);
    close(dir);
    assert_int_equal(tool_file_write(s->fd, "dovecot-uidlist", VIEW("3 V9 N4\n2 Pab :2.b\n3 :gone\n")), 0);
    assert_int_equal(tool_source_maildir(&s->tool, s->fd, &s->note.base), 0);
    assert_true(s->tool.failed >= 1);
    assert_true(view_starts(buf_view(&s->note.text), VIEW("[INBOX 9 4]\nuid=2 flags=0 ")));
    buf_reset(&s->note.text);
}

/* Mailboxes whose names come to the same one of a file. */
static void feed_twins(struct tool_sink *sink)
{
    const struct tool_mailbox twins[] = {{VIEW("A.b"), 5, 9}, {VIEW("A/b"), 6, 9}, {VIEW("A_b"), 7, 9}};
    const struct tool_mailbox inbox = {VIEW("INBOX"), 4, 1};

    if (sink->ops->mailbox(sink, &inbox) == 0)
        assert_int_equal(sink->ops->mailbox_end(sink), 0);
    for (size_t i = 0; i < 3; i++) {
        const struct tool_message m = {.uid = 3, .has_date = true, .bytes = VIEW("Subject: 1\r\n\r\n")};
        int err = sink->ops->mailbox(sink, &twins[i]);

        assert_true(err == 0 || err == ERR_EXISTS);
        if (err == 0) {
            assert_int_equal(sink->ops->message(sink, &m), 0);
            assert_int_equal(sink->ops->mailbox_end(sink), 0);
        }
        assert_int_equal(sink->ops->subscribe(sink, twins[i].name), 0);
    }
    assert_int_equal(sink->ops->finish(sink), 0);
    tool_sink_free(&sink);
}

#define ONE "uid=3 flags=0 date=0 zone=0 uidl=\nSubject: 1\r\n\r\n\n"

static void test_maildir_twins(void **state)
{
    struct state *s = *state;
    struct tool_sink *sink;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(tool_sink_maildir(&s->tool, s->fd, &sink), 0);
        feed_twins(sink);
        assert_int_equal(s->tool.messages, 3);
        assert_int_equal(s->tool.skipped, i * 3);
        assert_int_equal(tool_source_maildir(&s->tool, s->fd, &s->note.base), 0);
        check_note(s, "[INBOX 4 1]\n[A/b 6 9]\n" ONE "[A_b 5 9]\n" ONE "[A_b_ 7 9]\n" ONE
                      "subscribed A_b\nsubscribed A/b\nsubscribed A_b_\n");
    }
}

static void test_mbox_twins(void **state)
{
    struct state *s = *state;
    struct tool_sink *sink;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(tool_sink_mbox(&s->tool, s->fd, &sink), 0);
        feed_twins(sink);
        assert_int_equal(s->tool.messages, 3);
        assert_int_equal(s->tool.skipped, i * 4);
        assert_int_equal(tool_source_mbox(&s->tool, s->fd, VIEW(""), &s->note.base), 0);
        check_note(s, "[A/b 5 9]\n" ONE "[A/b_ 6 9]\n" ONE "[A_b 7 9]\n" ONE "[INBOX 0 0]\n");
    }
}

static void test_long_name(void **state)
{
    struct state *s = *state;
    struct tool_sink *sink;
    char name[300];

    assert_int_equal(tool_sink_mbox(&s->tool, s->fd, &sink), 0);
    for (size_t len = 200; len < 260; len++) {
        struct tool_mailbox m = {view_make(memset(name, 'n', len), len), 0, 0};
        int err = sink->ops->mailbox(sink, &m);

        assert_int_equal(err, len <= 230 ? 0 : ERR_EXISTS);
        if (err == 0)
            assert_int_equal(sink->ops->mailbox_end(sink), 0);
    }
    assert_int_equal(s->tool.failed, 29);
    tool_sink_free(&sink);
}

/* --- an account ---------------------------------------------------------------------------------------------------------- */

static uint64_t clock_of_1970(void *arg)
{
    (void)arg;
    return 1000000;
}

static void import_some(struct state *s, struct account *acc, uint32_t last, bool whole)
{
    const struct tool_mailbox inbox = {VIEW("INBOX"), 1234, 10};
    struct tool_sink *sink;
    char text[64];

    s->tool.messages = s->tool.skipped = 0;
    assert_int_equal(tool_sink_account(&s->tool, acc, &sink), 0);
    assert_int_equal(sink->ops->mailbox(sink, &inbox), 0);
    for (uint32_t uid = 1; uid <= last; uid++) {
        struct tool_message m = {.uid = uid};

        /* The first two are the same. */
        snprintf(text, sizeof(text), "Subject: %u\r\n\r\n", uid == 2 ? 1 : uid);
        m.bytes = view_str(text);
        assert_int_equal(sink->ops->message(sink, &m), 0);
    }
    if (whole)
        assert_int_equal(sink->ops->mailbox_end(sink), 0);
    assert_int_equal(sink->ops->finish(sink), 0);
    tool_sink_free(&sink);
}

static void deliver(struct account *acc, const char *text)
{
    const struct message_source src = {.parts = {view_str(text)}, .fd = -1};
    const struct append_options opt = {.flags = 0};
    struct txn *t = txn_begin(acc);

    assert_int_equal(txn_append(t, account_find(acc, VIEW("INBOX")), &src, &opt), 0);
    txn_commit(&t, NULL, NULL);
    assert_int_equal(account_commit(acc), 0);
}

/* An import that did not come to its end, mail that came then, and took UIDs of the source; and the import again. */
static void test_import_again(void **state)
{
    static const uint32_t uids[] = {1, 2, 3, 4, 5, 6, 10, 11};
    static const char *const subjects[] = {"1", "1", "new", "new", "5", "6", "3", "4"};
    struct state *s = *state;
    struct account_params p = {.vfs = vfs_sim_new(1), .now_ms = clock_of_1970};
    struct account *acc;

    assert_int_equal(account_open(&p, &acc), 0);
    import_some(s, acc, 2, false);
    assert_int_equal(s->tool.messages, 2);
    deliver(acc, "Subject: new\r\n\r\n");
    deliver(acc, "Subject: new\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        struct mailbox_view *v;

        import_some(s, acc, 6, true);
        assert_int_equal(s->tool.messages, i == 0 ? 4 : 0);
        assert_int_equal(s->tool.skipped, i == 0 ? 2 : 6);
        v = mailbox_view_open(acc, account_find(acc, VIEW("INBOX")), false);
        assert_int_equal(mailbox_view_count(v), 8);
        for (uint32_t seq = 1; seq <= 8; seq++) {
            struct msg_data d;
            char text[64];

            snprintf(text, sizeof(text), "Subject: %s\r\n\r\n", subjects[seq - 1]);
            assert_int_equal(mailbox_view_uid(v, seq), uids[seq - 1]);
            assert_int_equal(mailbox_view_data(v, seq, &d), 0);
            assert_true(view_eq(d.bytes, view_str(text)));
            msg_data_close(&d);
        }
        mailbox_view_close(&v);
    }
    account_close(&acc);
    vfs_free(&p.vfs);
}

static void test_printable(void **state)
{
    static const char *const pairs[][2] = {{"a \xc3\xbc \xe2\x82\xac", "a \xc3\xbc \xe2\x82\xac"},
                                           {"\x1b[2J\n\x7f", "\\x1b[2J\\x0a\\x7f"},
                                           {"\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0"},
                                           {"x\x9by\xc3", "x\\x9by\\xc3"},
                                           {"", ""}};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        char *shown = tool_printable(view_str(pairs[i][0]));

        assert_string_equal(shown, pairs[i][1]);
        free(shown);
    }
}

static void test_line_ends(void **state)
{
    struct buf a, b;

    (void)state;
    buf_init(&a, 100);
    buf_init(&b, 100);
    tool_to_crlf(&a, VIEW("\na\r\nb\rc\n\nd"));
    assert_true(view_eq(buf_view(&a), VIEW("\r\na\r\nb\rc\r\n\r\nd")));
    tool_to_lf(&b, buf_view(&a));
    assert_true(view_eq(buf_view(&b), VIEW("\na\nb\rc\n\nd")));
    buf_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_mbox_separators, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mbox_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_maildir, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mbox_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_maildir_oddities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_maildir_twins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mbox_twins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_import_again, setup, teardown),
        cmocka_unit_test(test_printable),
        cmocka_unit_test(test_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
