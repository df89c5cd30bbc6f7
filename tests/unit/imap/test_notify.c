/* NOTIFY: many mailboxes and changes at once, a client that reads nothing meanwhile, own changes of names. */
#include "tests/unit/imap/imap_fixture.h"

#include "imap/notify.h"

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    fixture_open(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static void tell(struct client *c)
{
    assert_true(c->woken);
    client_settle(c);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

static void test_many_changes_are_one_response(void **state)
{
    struct client a, b;
    const char *got;

    client_open(&a, *state);
    client_open(&b, *state);
    EXPECT_HAS(&a, "a NOTIFY SET (PERSONAL (MessageNew MessageExpunge MailboxName))", "a OK ");
    for (int i = 0; i < 200; i++) {
        char command[32];

        snprintf(command, sizeof(command), "c CREATE m%d\r\n", i);
        client_send(&b, command);
        client_append(&b, "Sent", MESSAGE_1);
    }
    assert_true(a.woken);
    assert_int_equal(buf_len(&a.out), 0); /* it has not run yet */
    tell(&a);
    got = client_received(&a);
    assert_int_equal(count(got, "* LIST "), 200);
    assert_int_equal(count(got, "* STATUS "), 1);
    assert_non_null(strstr(got, "* STATUS \"Sent\" (MESSAGES 200 UIDNEXT 201)\r\n"));
    client_settle(&a);
    assert_int_equal(buf_len(&a.out), 0);
    client_close(&a);
    client_close(&b);
}

static void test_only_what_was_asked_for(void **state)
{
    struct client a, b;

    client_open(&a, *state);
    client_open(&b, *state);
    EXPECT_HAS(&a, "a NOTIFY SET (SUBTREE (Sent) (MessageNew MessageExpunge)) (MAILBOXES Trash (SubscriptionChange))", "a OK ");
    client_append(&b, "INBOX", MESSAGE_1);
    EXPECT_HAS(&b, "b CREATE Sentinel", "b OK ");
    client_append(&b, "Sentinel", MESSAGE_1);
    EXPECT_HAS(&b, "b UNSUBSCRIBE Sent", "b OK ");
    client_settle(&a);
    assert_int_equal(buf_len(&a.out), 0);
    EXPECT_HAS(&b, "b UNSUBSCRIBE Trash", "b OK ");
    tell(&a);
    expect_at(&a, "* LIST (\\HasNoChildren \\Trash) \"/\" \"Trash\"\r\n", __FILE__, __LINE__);
    EXPECT_HAS(&b, "b CREATE Sent/sub", "b OK ");
    client_append(&b, "Sent/sub", MESSAGE_1);
    tell(&a);
    expect_has_at(&a, "* STATUS \"Sent/sub\" (MESSAGES 1 UIDNEXT 2", __FILE__, __LINE__);
    EXPECT_HAS(&a, "a NOTIFY NONE", "a OK ");
    client_append(&b, "Sent", MESSAGE_1);
    client_settle(&a);
    assert_int_equal(buf_len(&a.out), 0);
    client_close(&a);
    client_close(&b);
}

/* What a command of the session itself does to names is no news; what others did to messages before it still is. */
static void test_own_names(void **state)
{
    struct client a, b;

    client_open(&a, *state);
    client_open(&b, *state);
    EXPECT_HAS(&a, "a NOTIFY SET (PERSONAL (MessageNew MessageExpunge MailboxName SubscriptionChange))", "a OK ");
    client_append(&b, "Sent", MESSAGE_1);
    client_send(&a, "a CREATE mine\r\n");
    expect_has_at(&a, "* STATUS \"Sent\" (MESSAGES 1 UIDNEXT 2)\r\n", __FILE__, __LINE__);
    EXPECT(&a, "a RENAME mine ours", "a OK RENAME completed\r\n");
    EXPECT(&a, "a SUBSCRIBE ours", "a OK SUBSCRIBE completed\r\n");
    EXPECT(&a, "a DELETE ours", "a OK DELETE completed\r\n");
    client_close(&a);
    client_close(&b);
}

/* The fetch of new messages goes on in slices and ends with the mailbox. */
static void test_fetch_of_new_messages(void **state)
{
    struct client a, b;
    const char *got;

    client_open(&a, *state);
    client_open(&b, *state);
    EXPECT_HAS(&a, "a SELECT INBOX", "a OK ");
    EXPECT_HAS(&a, "a NOTIFY SET (SELECTED (MessageNew (ENVELOPE BODY.PEEK[]) MessageExpunge))", "a OK ");
    for (int i = 0; i < 300; i++)
        client_append(&b, "INBOX", MESSAGE_1);
    tell(&a);
    got = client_received(&a);
    assert_int_equal(count(got, " EXISTS\r\n"), 1);
    assert_int_equal(count(got, " FETCH (UID "), 300);
    client_append(&b, "INBOX", MESSAGE_1);
    EXPECT_HAS(&a, "a UNSELECT", "a OK ");
    client_append(&b, "INBOX", MESSAGE_1);
    client_settle(&a);
    assert_int_equal(buf_len(&a.out), 0);
    client_close(&a);
    client_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_changes_are_one_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_what_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fetch_of_new_messages, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
