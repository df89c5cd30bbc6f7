/* Whole POP3 dialogues over a real account in a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "pop3/session_int.h"
#include "storage/txn.h"
#include "storage/vfs.h"
#include "tests/unit/support/folder.h"
#include "tests/unit/support/still_host.h"

struct fixture {
    char folder[64];
    struct vfs *vfs;
    struct account *acc;
    struct set_worker set;
    struct session_host host;
    struct buf in;
    struct pop3_session *s;
    char answer[200000];
};

static void append(struct fixture *f, const char *message)
{
    struct message_source src = {.parts = {view_str(message)}, .fd = -1};
    struct append_options opt = {0};
    struct txn *t = txn_begin(f->acc);

    assert_int_equal(txn_append(t, account_find(f->acc, VIEW("INBOX")), &src, &opt), 0);
    txn_commit(&t, NULL, NULL);
    assert_int_equal(account_commit(f->acc), 0);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct account_params params = {.now_ms = still_clock, .mailboxes_max = 100};

    snprintf(f->folder, sizeof(f->folder), "/tmp/culver-pop3-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(vfs_posix_open(f->folder, &f->vfs), 0);
    params.vfs = f->vfs;
    assert_int_equal(account_open(&params, &f->acc), 0);
    f->set = (struct set_worker){.pop3_idle_timeout = 600000,
                                 .imap_bad_commands = 20,
                                 .pop3_uidl_format = "dovecot",
                                 .pop3_hidden_keyword = "$POP3Deleted",
                                 .pop3_mark_seen = true};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    account_close(&f->acc);
    vfs_free(&f->vfs);
    assert_int_equal(folder_remove(f->folder), 0);
    free(f);
    return 0;
}

static void open_session(struct fixture *f)
{
    buf_init(&f->in, 100000);
    f->host = (struct session_host){.in = &f->in,
                                    .out = outq_new(10000000),
                                    .set = &f->set,
                                    .user = "u",
                                    .now_ms = still_now,
                                    .wake = still_wake,
                                    .set_timeout = still_timeout};
    f->s = pop3_session_new(&f->host, f->acc, view_make(NULL, 0), view_make(NULL, 0));
}

static void close_session(struct fixture *f)
{
    pop3_session_free(&f->s);
    outq_free(&f->host.out);
    buf_free(&f->in);
}

/* Sends in pieces, runs ticks until nothing happens any more, and gives all that came out. */
static const char *say(struct fixture *f, const char *in, size_t piece, enum session_run *last)
{
    struct view rest = view_str(in);
    struct buf out;
    enum session_run r = SESSION_WAIT;

    do {
        struct view v = view_sub(rest, 0, piece);

        buf_put_view(&f->in, v);
        rest = view_sub(rest, v.len, rest.len);
        for (unsigned i = 0; i < 100000; i++) {
            r = pop3_session_run(f->s);
            if (account_has_pending(f->acc))
                assert_int_equal(account_commit(f->acc), 0);
            else if (r != SESSION_AGAIN)
                break;
        }
    } while (rest.len > 0 && r != SESSION_CLOSE);
    buf_init(&out, sizeof(f->answer));
    assert_int_equal(outq_drain(f->host.out, &out), 0);
    snprintf(f->answer, sizeof(f->answer), "%.*s", (int)buf_len(&out), (const char *)buf_view(&out).ptr);
    buf_free(&out);
    if (last != NULL)
        *last = r;
    return f->answer;
}

static void test_dialogue(void **state)
{
    struct fixture *f = *state;

    append(f, "Subject: a\r\n\r\none\r\n.two\r\n");
    append(f, "Subject: b\r\n\r\nx\r\ny\r\nz\r\n");
    for (size_t piece = 1; piece < 40; piece += 13) {
        open_session(f);
        assert_string_equal(say(f, "STAT\r\n", piece, NULL), "+OK Logged in.\r\n+OK 2 48\r\n");
        assert_string_equal(say(f, "LIST\r\nLIST 2\r\n", piece, NULL), "+OK\r\n1 25\r\n2 23\r\n.\r\n+OK 2 23\r\n");
        assert_string_equal(say(f, "RETR 1\r\n", piece, NULL), "+OK 25 octets\r\nSubject: a\r\n\r\none\r\n..two\r\n.\r\n");
        assert_string_equal(say(f, "TOP 2 1\r\nTOP 2 0\r\n", piece, NULL),
                            "+OK 23 octets\r\nSubject: b\r\n\r\nx\r\n.\r\n+OK 23 octets\r\nSubject: b\r\n\r\n.\r\n");
        assert_string_equal(say(f, "DELE 1\r\nDELE 1\r\nRETR 1\r\nSTAT\r\nRSET\r\nSTAT\r\n", piece, NULL),
                            "+OK Marked to be deleted.\r\n-ERR There is no such message.\r\n-ERR There is no such message.\r\n"
                            "+OK 1 23\r\n+OK\r\n+OK 2 48\r\n");
        close_session(f);
    }
}

static void test_quit_deletes_and_uidl_stays(void **state)
{
    struct fixture *f = *state;
    enum session_run last;
    char uidl[100];

    append(f, "a: 1\r\n\r\n");
    append(f, "a: 2\r\n\r\n");
    open_session(f);
    snprintf(uidl, sizeof(uidl), "%s", say(f, "UIDL 2\r\n", 100, NULL) + strlen("+OK Logged in.\r\n"));
    assert_string_equal(say(f, "DELE 1\r\nQUIT\r\n", 100, &last),
                        "+OK Marked to be deleted.\r\n+OK Logging out, messages deleted.\r\n");
    assert_int_equal(last, SESSION_CLOSE);
    close_session(f);
    open_session(f);
    assert_string_equal(strrchr(say(f, "UIDL 1\r\n", 100, NULL), ' '), strrchr(uidl, ' '));
    close_session(f);
}

static void test_breaking_off_deletes_nothing(void **state)
{
    struct fixture *f = *state;
    struct mailbox_status status;

    append(f, "a: 1\r\n\r\n");
    open_session(f);
    say(f, "DELE 1\r\n", 100, NULL);
    f->host.eof = true;
    assert_int_equal(pop3_session_run(f->s), SESSION_CLOSE);
    close_session(f);
    mailbox_status(account_find(f->acc, VIEW("INBOX")), &status);
    assert_int_equal(status.messages, 1);
}

/* The maildrop stays as it was at log-in, whatever others do (RFC 1939 3). */
static void test_fixed_maildrop(void **state)
{
    struct fixture *f = *state;
    struct uidset uids;
    struct txn *t;

    append(f, "a: 1\r\n\r\n");
    open_session(f);
    say(f, "", 1, NULL);
    append(f, "a: 2\r\n\r\n");
    uidset_init(&uids);
    uidset_add(&uids, 1);
    t = txn_begin(f->acc);
    assert_int_equal(txn_expunge(t, account_find(f->acc, VIEW("INBOX")), &uids), 0);
    txn_commit(&t, NULL, NULL);
    assert_int_equal(account_commit(f->acc), 0);
    uidset_free(&uids);
    assert_string_equal(say(f, "STAT\r\nRETR 1\r\n", 100, NULL), "+OK 1 8\r\n+OK 8 octets\r\na: 1\r\n\r\n.\r\n");
    close_session(f);
}

/* A bare LF must not look like a line end that hides an end of message. */
static void test_line_ends_are_repaired(void **state)
{
    struct fixture *f = *state;

    append(f, "a: 1\n\n.\n.\r\nend");
    open_session(f);
    assert_string_equal(say(f, "RETR 1\r\n", 100, NULL),
                        "+OK Logged in.\r\n+OK 16 octets\r\na: 1\r\n\r\n..\r\n..\r\nend\r\n.\r\n");
    close_session(f);
}

/* RFC 1939 11: the size is that of what is sent, before dot-stuffing; also where the last line has no line end. */
static void test_sizes(void **state)
{
    static const char *const messages[] = {
        "", "a", ".", ".\r", "a: 1\r\n\r\nx", "a: 1\r\n\r\n.x\r\n", "a: 1", "\r\n", "a: 1\r\n\r\n..\r\n."};
    struct fixture *f = *state;
    unsigned long long listed, sum = 0;

    for (size_t i = 0; i < ARRAY_LEN(messages); i++)
        append(f, messages[i]);
    open_session(f);
    say(f, "", 1, NULL);
    for (unsigned n = 1; n <= ARRAY_LEN(messages); n++) {
        char command[32], *body, *end;
        size_t sent;

        snprintf(command, sizeof(command), "LIST %u\r\n", n);
        listed = strtoull(strrchr(say(f, command, 100, NULL), ' '), NULL, 10);
        sum += listed;
        snprintf(command, sizeof(command), "RETR %u\r\n", n);
        (void)say(f, command, 100, NULL);
        assert_int_equal(strtoull(f->answer + strlen("+OK "), NULL, 10), listed);
        body = strchr(f->answer, '\n') + 1;
        sent = strlen(body);
        assert_true(sent >= 3 && strcmp(body + sent - 3, ".\r\n") == 0);
        assert_true(sent == 3 || body[sent - 4] == '\n');
        sent -= 3;
        end = body + sent;
        for (char *p = body; p < end; p++)
            sent -= *p == '.' && (p == body || p[-1] == '\n');
        assert_int_equal(sent, listed);
    }
    assert_int_equal(strtoull(strrchr(say(f, "STAT\r\n", 100, NULL), ' '), NULL, 10), sum);
    close_session(f);
}

static void test_hide(void **state)
{
    struct fixture *f = *state;
    struct mailbox_status status;

    append(f, "a: 1\r\n\r\n");
    append(f, "b: 2\r\n\r\n2");
    append(f, "c: 3\r\n\r\n");
    f->set.pop3_delete = SET_POP3_HIDE;
    open_session(f);
    (void)say(f, "DELE 1\r\nQUIT\r\n", 100, NULL);
    close_session(f);
    open_session(f);
    assert_string_equal(say(f, "LIST\r\nDELE 2\r\nRETR 1\r\nRETR 3\r\nTOP 1 0\r\nUIDL\r\nQUIT\r\n", 100, NULL),
                        "+OK Logged in.\r\n+OK\r\n1 11\r\n2 8\r\n.\r\n+OK Marked to be deleted.\r\n+OK 11 octets\r\nb: "
                        "2\r\n\r\n2\r\n.\r\n-ERR There is no such message.\r\n+OK 11 octets\r\nb: 2\r\n\r\n.\r\n+OK\r\n1 "
                        "000000026553f100\r\n.\r\n+OK Logging out, messages deleted.\r\n");
    close_session(f);
    mailbox_status(account_find(f->acc, VIEW("INBOX")), &status);
    assert_int_equal(status.messages, 3);
    f->set.pop3_delete = SET_POP3_EXPUNGE;
    open_session(f);
    assert_string_equal(say(f, "STAT\r\n", 100, NULL), "+OK Logged in.\r\n+OK 3 27\r\n");
    close_session(f);
}

/* RFC 2449 6: CAPA is the same in both states; RFC 6856: UTF8 and LANG. */
static void test_capabilities(void **state)
{
    struct fixture *f = *state;

    append(f, "Subject: \xc3\xa4\r\n\r\n\xc3\xa4\r\n");
    append(f, "Subject: a\r\n\r\n\xc3\xa4\r\n");
    f->set.pop3_8bit_headers = SET_POP3_8BIT_REFUSE;
    f->set.pop3_expire = 30;
    open_session(f);
    pop3_session_free(&f->s);
    f->s = pop3_session_new(&f->host, f->acc, VIEW("STLS;SASL PLAIN LOGIN;LOGIN-DELAY 60;"), view_make(NULL, 0));
    assert_non_null(
        strstr(say(f, "CAPA\r\n", 100, NULL),
               "UTF8\r\nLANG\r\nEXPIRE 30\r\nIMPLEMENTATION Culver\r\nSTLS\r\nSASL PLAIN LOGIN\r\nLOGIN-DELAY 60\r\n.\r\n"));
    assert_non_null(strstr(say(f, "RETR 1\r\n", 100, NULL), "-ERR [UTF8] "));
    assert_non_null(strstr(say(f, "TOP 1 0\r\n", 100, NULL), "-ERR [UTF8] "));
    assert_non_null(strstr(say(f, "RETR 2\r\n", 100, NULL), "\xc3\xa4\r\n.\r\n"));
    assert_non_null(strstr(say(f, "UTF8\r\n", 100, NULL), "-ERR"));
    assert_non_null(strstr(say(f, "LANG\r\n", 100, NULL), "\r\nen English\r\n.\r\n"));
    assert_non_null(strstr(say(f, "LANG *\r\n", 100, NULL), "+OK en "));
    assert_non_null(strstr(say(f, "LANG EN-gb\r\n", 100, NULL), "+OK en "));
    assert_non_null(strstr(say(f, "LANG de\r\n", 100, NULL), "-ERR"));
    pop3_session_free(&f->s);
    f->s = pop3_session_new(&f->host, f->acc, VIEW("utf8;USER;"), view_make(NULL, 0));
    assert_non_null(strstr(say(f, "RETR 1\r\nCAPA\r\n", 100, NULL), "\xc3\xa4\r\n\r\n\xc3\xa4\r\n.\r\n"));
    assert_non_null(strstr(f->answer, "Culver\r\nUSER\r\n.\r\n"));
    close_session(f);
}

/* A folder that another session deletes meanwhile can be read to the end, and nothing else. */
static void test_folder_goes_away(void **state)
{
    struct message_source src = {.parts = {VIEW("a: 1\r\n\r\n")}, .fd = -1};
    struct append_options opt = {0};
    struct fixture *f = *state;
    struct txn *t = txn_begin(f->acc);

    assert_int_equal(txn_create(t, VIEW("Work"), 0), 0);
    txn_commit(&t, NULL, NULL);
    assert_int_equal(account_commit(f->acc), 0);
    t = txn_begin(f->acc);
    assert_int_equal(txn_append(t, account_find(f->acc, VIEW("Work")), &src, &opt), 0);
    txn_commit(&t, NULL, NULL);
    assert_int_equal(account_commit(f->acc), 0);
    f->set.hierarchy_separator = '/';
    open_session(f);
    pop3_session_free(&f->s);
    f->host.detail = VIEW("work");
    f->s = pop3_session_new(&f->host, f->acc, view_make(NULL, 0), view_make(NULL, 0));
    t = txn_begin(f->acc);
    assert_int_equal(txn_delete(t, VIEW("Work")), 0);
    txn_commit(&t, NULL, NULL);
    assert_int_equal(account_commit(f->acc), 0);
    assert_non_null(strstr(say(f, "RETR 1\r\n", 100, NULL), "a: 1\r\n\r\n.\r\n"));
    assert_non_null(strstr(say(f, "UIDL\r\nUIDL 1\r\nLIST\r\n", 100, NULL), "+OK 1 "));
    assert_non_null(strstr(say(f, "DELE 1\r\nQUIT\r\n", 100, NULL), "-ERR [SYS/PERM] "));
    close_session(f);
}

static void test_long_lines(void **state)
{
    struct fixture *f = *state;
    char *message = xmalloc(150010), *stuffed;

    memset(message, 'x', 150009);
    memcpy(message, "a: 1\r\n\r\n.", 9);
    message[150009] = '\0';
    append(f, message);
    open_session(f);
    say(f, "", 1, NULL);
    stuffed = xstrdup(say(f, "RETR 1\r\n", 100, NULL));
    assert_int_equal(strlen(stuffed), strlen("+OK 150009 octets\r\n") + 150009 + 1 + strlen("\r\n.\r\n"));
    assert_non_null(strstr(stuffed, "\r\n\r\n..xxx"));
    free(stuffed);
    free(message);
    memset(f->answer, 'N', 2000);
    f->answer[2000] = '\0';
    stuffed = xstrdup(f->answer);
    assert_string_equal(say(f, stuffed, 100, NULL), "-ERR The line is too long.\r\n");
    assert_string_equal(say(f, "NOOP\r\nNOOP\r\n", 100, NULL), "+OK\r\n");
    free(stuffed);
    close_session(f);
}

static void test_mistakes_in_a_row(void **state)
{
    struct fixture *f = *state;
    enum session_run run;

    open_session(f);
    for (unsigned i = 0; i < 30; i++)
        assert_string_equal(say(f, "XYZZY\r\nNOOP\r\n", 100, &run) + (i == 0 ? strlen("+OK Logged in.\r\n") : 0),
                            "-ERR Unknown command.\r\n+OK\r\n");
    for (unsigned i = 0; i < 20; i++)
        (void)say(f, "XYZZY\r\n", 100, &run);
    assert_int_equal(run, SESSION_CLOSE);
    close_session(f);
}

/* RFC 5034 4: what the server still has to say goes in a challenge that the client answers with an empty line. */
static void test_final_message(void **state)
{
    struct fixture *f = *state;
    enum session_run run;

    open_session(f);
    pop3_session_free(&f->s);
    f->s = pop3_session_new(&f->host, f->acc, view_make(NULL, 0), VIEW("v=x"));
    assert_string_equal(say(f, "", 100, &run), "+OK Logged in.\r\n+ dj14\r\n");
    assert_string_equal(say(f, "\r\nSTAT\r\n", 1, &run), "+OK Logged in.\r\n+OK 0 0\r\n");
    pop3_session_free(&f->s);
    f->s = pop3_session_new(&f->host, f->acc, view_make(NULL, 0), VIEW("v=x"));
    assert_string_equal(say(f, "STAT\r\n", 100, &run), "+ dj14\r\n-ERR Authentication was not completed.\r\n");
    assert_int_equal(run, SESSION_CLOSE);
    close_session(f);
}

static void test_mail_not_available(void **state)
{
    struct fixture *f = *state;
    struct account *acc = f->acc;

    f->acc = NULL;
    open_session(f);
    assert_int_equal(pop3_session_run(f->s), SESSION_CLOSE);
    f->acc = acc;
    assert_int_equal(strncmp(say(f, "", 1, NULL), "-ERR [SYS/TEMP]", 15), 0);
    close_session(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dialogue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quit_deletes_and_uidl_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_breaking_off_deletes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fixed_maildrop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_line_ends_are_repaired, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hide, setup, teardown),
        cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder_goes_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes_in_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(test_final_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mail_not_available, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
