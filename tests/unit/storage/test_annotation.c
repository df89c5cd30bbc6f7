/* Annotations: of mailboxes and of the account, their limits, and that they last. */
#include "storage_helper.h"

#include <string.h>

#include "storage/account_int.h"

static int setup(void **state)
{
    struct box *b = calloc(1, sizeof(*b));

    box_init(b);
    assert_int_equal(box_open(b), 0);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    box_free(*state);
    free(*state);
    return 0;
}

/* mbox NULL: of the account; value NULL: none. */
static int annotate(struct box *b, const char *mbox, const char *entry, const char *value)
{
    struct txn *t = txn_begin(b->acc);
    struct view v = view_str(value);

    return box_end(b, t, txn_annotate(t, mbox != NULL ? box_find(b, mbox) : NULL, view_str(entry), value != NULL ? &v : NULL));
}

static void check(struct box *b, const char *mbox, const char *entry, const char *value)
{
    struct view v = VIEW("");
    bool found = mbox != NULL ? mailbox_annotation(box_find(b, mbox), view_str(entry), &v)
                              : account_annotation(b->acc, view_str(entry), &v);

    assert_int_equal(found, value != NULL);
    assert_true(value == NULL || view_eq(v, view_str(value)));
}

struct seen {
    char text[200];
    unsigned stop;
};

static bool see(void *arg, struct view entry, struct view value)
{
    struct seen *s = arg;

    size_t used = strlen(s->text);

    snprintf(s->text + used, sizeof(s->text) - used, "%.*s=%.*s;", (int)entry.len, (const char *)entry.ptr, (int)value.len,
             (const char *)value.ptr);
    return --s->stop > 0;
}

static void test_set_and_get(void **state)
{
    struct box *b = *state;

    assert_int_equal(annotate(b, "INBOX", "/private/comment", "mine"), 0);
    assert_int_equal(annotate(b, "INBOX", "/SHARED/Comment", "ours"), 0);
    assert_int_equal(annotate(b, "INBOX", "/private/color", "red"), 0);
    assert_int_equal(annotate(b, "INBOX", "/private/empty", ""), 0);
    assert_int_equal(annotate(b, "INBOX", "/private/comment", "mine again"), 0);
    assert_int_equal(annotate(b, "Sent", "/private/comment", "sent"), 0);
    assert_int_equal(annotate(b, NULL, "/shared/admin", "mailto:root"), 0);
    assert_int_equal(annotate(b, "INBOX", "/private/nothing", NULL), 0);
    assert_int_equal(annotate(b, "INBOX", "/private/color", NULL), 0);
    assert_int_equal(box_rename(b, "Sent", "Posted"), 0);
    for (int round = 0; round < 4; round++) {
        struct seen s = {.stop = 10}, first = {.stop = 1};

        mailbox_annotation_each(box_find(b, "INBOX"), see, &s);
        assert_string_equal(s.text, "/private/comment=mine again;/private/empty=;/shared/comment=ours;");
        mailbox_annotation_each(box_find(b, "INBOX"), see, &first);
        assert_string_equal(first.text, "/private/comment=mine again;");
        check(b, "INBOX", "/Private/COMMENT", "mine again");
        check(b, "INBOX", "/private/color", NULL);
        check(b, "Posted", "/private/comment", "sent");
        check(b, NULL, "/shared/admin", "mailto:root");
        check(b, NULL, "/private/comment", NULL);
        if (round == 1)
            assert_int_equal(snapshot_write(b->acc), 0);
        if (round == 2) {
            account_close(&b->acc);
            box_rm_snapshots(b);
            assert_int_equal(box_open(b), 0);
        } else {
            box_reopen(b);
        }
    }
    assert_int_equal(box_delete(b, "Posted"), 0);
    assert_int_equal(box_create(b, "Posted"), 0);
    check(b, "Posted", "/private/comment", NULL);
}

static void test_names(void **state)
{
    static const char *const bad[] = {"",           "/private", "/private/",  "private/x",    "/vendor/x",
                                      "/private/*", "/a//b",    "/private/%", "/private/x\n", "/private/\xc3\xa4"};
    struct box *b = *state;
    char longest[300];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(annotate(b, "INBOX", bad[i], "x"), ERR_SYNTAX);
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "/private/", 9);
    longest[ANNOTATION_ENTRY_MAX] = 0;
    assert_int_equal(annotate(b, "INBOX", longest, "x"), 0);
    longest[ANNOTATION_ENTRY_MAX] = 'x';
    longest[ANNOTATION_ENTRY_MAX + 1] = 0;
    assert_int_equal(annotate(b, "INBOX", longest, "x"), ERR_SYNTAX);
}

static void test_limits(void **state)
{
    struct box *b = *state;
    char *large = malloc(ANNOTATION_VALUE_MAX + 2), entry[32], mbox[32];
    struct view v = VIEW("x");
    struct txn *t = txn_begin(b->acc);
    unsigned n = 0;
    int err = 0;

    memset(large, 'x', ANNOTATION_VALUE_MAX + 1);
    large[ANNOTATION_VALUE_MAX + 1] = 0;
    assert_int_equal(annotate(b, "INBOX", "/private/large", large), ERR_RANGE);
    /* What is staged counts, and is given back. */
    for (; err == 0; n++) {
        snprintf(entry, sizeof(entry), "/private/%u", n);
        err = txn_annotate(t, box_find(b, "INBOX"), view_str(entry), &v);
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_int_equal(n, ANNOTATIONS_MAX + 1);
    txn_abort(&t);
    assert_int_equal(b->acc->annotation_staged + box_find(b, "INBOX")->annotations.staged, 0);
    large[ANNOTATION_VALUE_MAX - 100] = 0;
    for (n = 0, err = 0; err == 0; n++) {
        snprintf(mbox, sizeof(mbox), "box%u", n / 50);
        snprintf(entry, sizeof(entry), "/private/%u", n % 50);
        if (n % 50 == 0)
            assert_int_equal(box_create(b, mbox), 0);
        err = annotate(b, mbox, entry, large);
    }
    assert_int_equal(err, ERR_QUOTA);
    assert_in_range(n, 60, 70);
    /* There is room again when one goes, also with its mailbox. */
    assert_int_equal(annotate(b, "box0", "/private/1", NULL), 0);
    assert_int_equal(annotate(b, "INBOX", "/private/1", large), 0);
    assert_int_equal(annotate(b, "INBOX", "/private/2", large), ERR_QUOTA);
    assert_int_equal(box_delete(b, "box0"), 0);
    assert_int_equal(annotate(b, "INBOX", "/private/2", large), 0);
    free(large);
}

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

static void test_changes(void **state)
{
    struct box *b = *state;
    unsigned seen = 0, other = 0;
    struct account_watch *w = account_watch_new(b->acc, count, &seen), *o = account_watch_new(b->acc, count, &other);
    struct annotation_change c;
    uint64_t last = account_annotation_changes(b->acc);
    uint32_t inbox = mailbox_id(box_find(b, "INBOX"));

    assert_false(account_annotation_change(b->acc, last + 1, &c));
    assert_int_equal(annotate(b, "INBOX", "/private/A", "x"), 0);
    assert_int_equal(annotate(b, NULL, "/private/b", "x"), 0);
    assert_int_equal(box_create(b, "other"), 0);
    assert_int_equal(seen, 2);
    assert_int_equal(account_annotation_changes(b->acc), last + 2);
    assert_true(account_annotation_change(b->acc, last + 1, &c));
    assert_true(c.mailbox == inbox && view_eq(c.entry, VIEW("/private/a")));
    assert_true(account_annotation_change(b->acc, last + 2, &c) && c.mailbox == 0);
    account_watch_free(&w);
    for (unsigned i = 0; i < ANNOTATION_CHANGES_MAX; i++)
        assert_int_equal(annotate(b, "INBOX", "/private/c", i % 2 == 0 ? "x" : NULL), 0);
    assert_int_equal(seen, 2);
    assert_int_equal(other, 2 + ANNOTATION_CHANGES_MAX);
    assert_false(account_annotation_change(b->acc, last + 2, &c));
    assert_true(account_annotation_change(b->acc, last + 3, &c));
    account_watch_free(&o);
}

/* RFC 5464 4.1 */
static void test_rename_inbox(void **state)
{
    struct box *b = *state;

    assert_int_equal(annotate(b, "INBOX", "/private/comment", "x"), 0);
    assert_int_equal(box_rename(b, "INBOX", "old/mail"), 0);
    for (int round = 0; round < 2; round++) {
        check(b, "old/mail", "/private/comment", "x");
        check(b, "INBOX", "/private/comment", "x");
        check(b, "old", "/private/comment", NULL);
        box_reopen(b);
    }
}

/* --- limits on the account, which are kept as one (quota.c) --------------------------------------------------------------- */

static int set_limits(struct box *b, const struct quota_limits *limits)
{
    struct txn *t = txn_begin(b->acc);

    return box_end(b, t, txn_set_limits(t, limits));
}

static void check_limits(struct box *b, uint64_t bytes, uint64_t messages, uint64_t mailboxes)
{
    struct quota_usage q;

    account_quota(b->acc, &q);
    assert_true(q.limits.bytes == bytes);
    assert_true(q.limits.messages == messages);
    assert_true(q.limits.mailboxes == mailboxes);
}

static void test_own_limits(void **state)
{
    struct box *b = *state;
    struct seen s = {.stop = 10};
    uint64_t changes = account_annotation_changes(b->acc);

    check_limits(b, QUOTA_NONE, QUOTA_NONE, 100);
    b->params.quota_bytes = 1000;
    b->params.quota_messages = 2;
    box_reopen(b);
    check_limits(b, 1000, 2, 100);
    assert_int_equal(set_limits(b, &(struct quota_limits){QUOTA_NONE, 3, 1000}), 0);
    for (int round = 0; round < 4; round++) {
        check_limits(b, QUOTA_NONE, 3, 100);
        if (round == 1)
            assert_int_equal(snapshot_write(b->acc), 0);
        if (round == 2) {
            account_close(&b->acc);
            box_rm_snapshots(b);
            assert_int_equal(box_open(b), 0);
        } else {
            box_reopen(b);
        }
    }
    /* Nobody is shown it, or told of it. */
    account_annotation_each(b->acc, see, &s);
    assert_string_equal(s.text, "");
    assert_int_equal(account_annotation_changes(b->acc), changes);
    check(b, NULL, "/quota/limits", NULL);
    assert_int_equal(annotate(b, NULL, "/quota/limits", NULL), ERR_SYNTAX);
    assert_int_equal(annotate(b, NULL, "/Quota/limits", "x"), ERR_SYNTAX);
    for (int i = 0; i < 3; i++)
        assert_int_equal(box_append(b, "INBOX", "Subject: x\r\n\r\n", 0), 0);
    assert_int_equal(box_append(b, "INBOX", "Subject: x\r\n\r\n", 0), ERR_QUOTA);
    b->params.quota_ignored = true;
    box_reopen(b);
    check_limits(b, QUOTA_NONE, QUOTA_NONE, 100);
    b->params.quota_ignored = false;
    box_reopen(b);
    assert_int_equal(set_limits(b, NULL), 0);
    check_limits(b, 1000, 2, 100);
    assert_int_equal(set_limits(b, NULL), 0);
    box_reopen(b);
    check_limits(b, 1000, 2, 100);
}

static void test_own_limits_need_no_room(void **state)
{
    struct box *b = *state;
    struct view half = view_make(calloc(1, ANNOTATION_VALUE_MAX), ANNOTATION_VALUE_MAX);
    char entry[40];
    int err = 0;

    for (int i = 0; i <= ANNOTATIONS_MAX && err == 0; i++) {
        struct txn *t = txn_begin(b->acc);

        snprintf(entry, sizeof(entry), "/private/%d", i);
        err = box_end(b, t, txn_annotate(t, NULL, view_str(entry), &half));
    }
    assert_true(err == ERR_LIMIT || err == ERR_QUOTA);
    assert_int_equal(set_limits(b, &(struct quota_limits){1, 2, 3}), 0);
    check_limits(b, 1, 2, 3);
    /* And they take no place of what the user may have. */
    assert_int_equal(annotate(b, NULL, "/private/0", NULL), 0);
    assert_int_equal(annotate(b, NULL, "/private/0", "x"), 0);
    free((void *)(uintptr_t)half.ptr);
}

/* In the hands of its user a log may say anything. */
static void test_own_limits_strange(void **state)
{
    static const uint8_t newer[28] = {1, [8] = 2, [16] = 3, [24] = 9};
    struct box *b = *state;
    struct view v = VIEW("short");
    struct txn *t = txn_begin(b->acc);

    assert_int_equal(box_end(b, t, txn_annotate_raw(t, NULL, VIEW("/quota/limits"), &v)), 0);
    check_limits(b, QUOTA_NONE, QUOTA_NONE, 100);
    v = view_make(newer, sizeof(newer));
    t = txn_begin(b->acc);
    assert_int_equal(box_end(b, t, txn_annotate_raw(t, NULL, VIEW("/quota/limits"), &v)), 0);
    check_limits(b, 1, 2, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_set_and_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename_inbox, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_limits_need_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_limits_strange, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
