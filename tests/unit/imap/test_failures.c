/* The disk fails while a session changes mail: each command says NO, nothing is changed, and the same command works afterwards.
 */
#include "imap_fixture.h"

#include <string.h>

#include "common/log/log.h"
#include "storage/vfs_sim.h"

static const struct {
    int err;
    const char *answer;
} failures[] = {
    {ERR_NOSPACE, "NO [UNAVAILABLE] No space left on the server\r\n"},
    {ERR_IO, "NO [UNAVAILABLE] Mail cannot be changed or read now\r\n"},
};

/* One after another, each in the state that the ones before leave. */
static const char *const commands[] = {
    "APPEND INBOX {15+}\r\nSubject: b\r\n\r\nx",
    "STORE 1 +FLAGS (\\Flagged new)",
    "STORE 1 +FLAGS.SILENT (\\Answered)",
    "COPY 1 Sent",
    "MOVE 2 Trash",
    "UID STORE 1:3 +FLAGS (\\Deleted)",
    "UID EXPUNGE 1",
    "EXPUNGE",
    "CREATE other/child",
    "RENAME other another",
    "SUBSCRIBE another",
    "UNSUBSCRIBE another",
    "DELETE another/child",
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct account_params p = {.mailboxes_max = 1000, .now_ms = fixture_now};

    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    fixture_open(f);
    account_close(&f->acc);
    assert_int_equal(vfs_list(f->vfs, fixture_remove, f), 0);
    vfs_free(&f->vfs);
    f->vfs = vfs_sim_new(1);
    p.vfs = f->vfs;
    assert_int_equal(account_open(&p, &f->acc), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static void fill(struct client *c)
{
    client_append(c, "INBOX", MESSAGE_1);
    client_append(c, "INBOX", "Subject: 2\r\n\r\ntwo\r\n");
    EXPECT_HAS(c, "c1 CREATE Sent", "c1 OK");
    EXPECT_HAS(c, "c2 CREATE Trash", "c2 OK");
    EXPECT_HAS(c, "c3 SELECT INBOX", "c3 OK");
}

/* Everything that can be asked about the account. */
static char *picture(struct fixture *f)
{
    struct client c;
    char *text;

    client_open(&c, f);
    (void)client_received(&c);
    client_send(&c, "a LIST \"\" * RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UNSEEN DELETED SIZE))\r\n");
    client_send(&c, "b EXAMINE INBOX\r\nc FETCH 1:* (UID FLAGS)\r\n");
    text = xstrdup(client_received(&c));
    client_close(&c);
    return text;
}

static void say(struct client *c, const char *command)
{
    client_send(c, "t ");
    client_send(c, command);
    client_send(c, "\r\n");
}

static void test_write_fails(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f);
    (void)client_received(&c);
    fill(&c);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        for (size_t k = 0; k < ARRAY_LEN(failures); k++) {
            char *before = picture(f), *after;

            vfs_sim_fail_at(f->vfs, vfs_sim_ops(f->vfs) + 1, failures[k].err, 1);
            say(&c, commands[i]);
            expect_has_at(&c, failures[k].answer, commands[i], (int)k);
            after = picture(f);
            assert_string_equal(before, after);
            free(before);
            free(after);
        }
        say(&c, commands[i]);
        expect_has_at(&c, "t OK", commands[i], -1);
    }
    client_close(&c);
}

/* After a failed sync nothing is changed any more; mail can be read. */
static void test_sync_fails(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f);
    (void)client_received(&c);
    fill(&c);
    vfs_sim_fail_at(f->vfs, vfs_sim_ops(f->vfs) + 2, ERR_IO, 1);
    say(&c, commands[0]);
    expect_has_at(&c, failures[1].answer, __FILE__, __LINE__);
    for (size_t i = 0; i < 5; i++) {
        say(&c, commands[i]);
        expect_has_at(&c, failures[1].answer, commands[i], -1);
    }
    EXPECT_HAS(&c, "a FETCH 1 BODY.PEEK[TEXT]", "First line\r\nSecond line\r\n)\r\na OK");
    EXPECT_HAS(&c, "b NOOP", "b OK");
    EXPECT_HAS(&c, "c FETCH 2 BODY[]", "two\r\n");
    EXPECT_HAS(&c, "d LOGOUT", "d OK");
    client_close(&c);
}

/* \Seen that cannot be kept is no reason to keep the message back; nor may the session end. */
static void test_seen_fails(void **state)
{
    struct fixture *f = *state;
    struct client c;

    client_open(&c, f);
    (void)client_received(&c);
    fill(&c);
    vfs_sim_fail_at(f->vfs, vfs_sim_ops(f->vfs) + 1, ERR_NOSPACE, 1);
    EXPECT_HAS(&c, "a FETCH 1 BODY[TEXT]", "First line\r\nSecond line\r\n");
    EXPECT_HAS(&c, "b FETCH 1 FLAGS", "* 1 FETCH (FLAGS (");
    EXPECT_HAS(&c, "c NOOP", "c OK");
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sync_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seen_fails, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
