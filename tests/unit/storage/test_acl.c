/* Access control lists: kept with their mailbox, inherited, and what flags a change or a copy leaves alone. */
#include "storage_helper.h"

#include <string.h>

#include "storage/account_int.h"
#include "storage/acl.h"

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

static int set(struct box *b, const char *mbox, const char *identifier, const unsigned *rights)
{
    struct txn *t = txn_begin(b->acc);

    return box_end(b, t, txn_acl(t, box_find(b, mbox), view_str(identifier), rights));
}

static void check(struct box *b, const char *mbox, const char *identifier, unsigned want)
{
    unsigned got = 0;

    assert_int_equal(mailbox_acl(box_find(b, mbox), view_str(identifier), &got), want != 0);
    assert_int_equal(got, want);
}

static void test_lists(void **state)
{
    const unsigned some = ACL_READ | ACL_LOOKUP, own = ACL_ALL & ~(unsigned)(ACL_INSERT | ACL_ADMIN), none = 0;
    struct box *b = *state;
    struct view v = VIEW("x");
    struct txn *t;

    assert_int_equal(mailbox_own_rights(box_find(b, "INBOX")), ACL_ALL);
    assert_int_equal(box_create(b, "top"), 0);
    assert_int_equal(set(b, "top", "Fred", &some), 0);
    assert_int_equal(set(b, "top", "gone", &some), 0);
    assert_int_equal(set(b, "top", "gone", NULL), 0);
    assert_int_equal(set(b, "top", "", &own), 0);
    assert_int_equal(box_create(b, "top/a/b"), 0);
    assert_int_equal(box_rename(b, "top/a/b", "moved"), 0);
    assert_int_equal(set(b, "top/a", "", &none), 0);
    for (int round = 0; round < 3; round++) {
        check(b, "top", "Fred", some);
        check(b, "top", "fred", 0);
        check(b, "top", "gone", 0);
        check(b, "moved", "Fred", some);
        assert_int_equal(mailbox_own_rights(box_find(b, "top")), own | ACL_ADMIN);
        assert_int_equal(mailbox_own_rights(box_find(b, "moved")), own | ACL_ADMIN);
        assert_int_equal(mailbox_own_rights(box_find(b, "top/a")), ACL_ADMIN);
        assert_false(mailbox_annotation(box_find(b, "top"), VIEW("/acl/Fred"), &v));
        if (round == 1)
            assert_int_equal(snapshot_write(b->acc), 0);
        box_reopen(b);
    }
    /* They are nothing that clients could set as annotations. */
    t = txn_begin(b->acc);
    assert_int_equal(txn_annotate(t, box_find(b, "top"), VIEW("/acl/Fred"), &v), ERR_SYNTAX);
    txn_abort(&t);
    assert_int_equal(box_delete(b, "moved"), 0);
    assert_int_equal(box_create(b, "moved"), 0);
    check(b, "moved", "Fred", 0);
}

static void test_limits(void **state)
{
    const unsigned some = ACL_READ;
    struct box *b = *state;
    char name[ACL_IDENTIFIER_MAX + 2];

    for (unsigned i = 0; i < ACL_IDENTIFIERS_MAX; i++) {
        snprintf(name, sizeof(name), "user%u", i);
        assert_int_equal(set(b, "INBOX", name, &some), 0);
    }
    assert_int_equal(set(b, "INBOX", "more", &some), ERR_LIMIT);
    assert_int_equal(set(b, "INBOX", "user7", &some), 0);
    assert_int_equal(set(b, "INBOX", "user7", NULL), 0);
    assert_int_equal(set(b, "INBOX", "more", &some), 0);
    memset(name, 'x', sizeof(name));
    name[ACL_IDENTIFIER_MAX + 1] = 0;
    assert_int_equal(set(b, "INBOX", name, NULL), ERR_SYNTAX);
    name[ACL_IDENTIFIER_MAX] = 0;
    assert_int_equal(set(b, "INBOX", name, NULL), 0);
    /* Annotations have their own number. */
    for (unsigned i = 0; i <= ANNOTATIONS_MAX; i++) {
        struct txn *t = txn_begin(b->acc);
        struct view v = VIEW("x");

        snprintf(name, sizeof(name), "/private/%u", i);
        assert_int_equal(box_end(b, t, txn_annotate(t, box_find(b, "INBOX"), view_str(name), &v)),
                         i < ANNOTATIONS_MAX ? 0 : ERR_LIMIT);
    }
}

static unsigned flags_of(struct box *b, const char *mbox, uint32_t seq, bool *keyword_out)
{
    struct mailbox_view *v = mailbox_view_open(b->acc, box_find(b, mbox), false);
    struct msg_info info;

    mailbox_view_info(v, seq, &info);
    *keyword_out = info.keywords.bits[0] != 0;
    mailbox_view_close(&v);
    return info.flags;
}

static void test_flags(void **state)
{
    struct view keyword = VIEW("word");
    struct flag_change change = {.op = FLAGS_REPLACE, .flags = MSG_SEEN, .keep = MSG_DELETED | MSG_DRAFT, .keep_keywords = true};
    struct box *b = *state;
    struct uidset one = set_of(1, 1);
    struct txn *t;
    bool has;

    assert_int_equal(box_append(b, "INBOX", "a: b\r\n\r\n", MSG_DELETED | MSG_FLAGGED), 0);
    assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_ADD, 0, "word"), 0);
    t = txn_begin(b->acc);
    assert_int_equal(box_end(b, t, txn_flags(t, box_find(b, "INBOX"), &one, &change)), 0);
    assert_int_equal(flags_of(b, "INBOX", 1, &has), MSG_DELETED | MSG_SEEN);
    assert_true(has);
    change = (struct flag_change){.op = FLAGS_REMOVE, .flags = MSG_SEEN | MSG_DELETED, .keep = MSG_DELETED};
    change.keywords = &keyword;
    change.nkeywords = 1;
    t = txn_begin(b->acc);
    assert_int_equal(box_end(b, t, txn_flags(t, box_find(b, "INBOX"), &one, &change)), 0);
    assert_int_equal(flags_of(b, "INBOX", 1, &has), MSG_DELETED);
    assert_false(has);
    assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_ADD, MSG_SEEN | MSG_DRAFT, "word"), 0);
    for (unsigned i = 0; i < 2; i++) {
        t = txn_begin(b->acc);
        assert_int_equal(txn_copy(t, box_find(b, "INBOX"), &one, box_find(b, "Sent"), false), 0);
        txn_copy_flags(t, MSG_SEEN, i == 1);
        assert_int_equal(box_end(b, t, 0), 0);
    }
    uidset_free(&one);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(flags_of(b, "Sent", 1, &has), MSG_SEEN);
        assert_false(has);
        assert_int_equal(flags_of(b, "Sent", 2, &has), MSG_SEEN);
        assert_true(has);
        assert_int_equal(flags_of(b, "INBOX", 1, &has), MSG_DELETED | MSG_SEEN | MSG_DRAFT);
        box_reopen(b);
    }
}

/* Long lists that many mailboxes inherit end at the limit that every list has. */
static void test_inherited_without_end(void **state)
{
    const unsigned some = ACL_LOOKUP;
    struct box *b = *state;
    struct quota_usage usage;
    char name[300];
    int err = 0;
    unsigned n;

    b->acc->params.mailboxes_max = 5000;
    assert_int_equal(box_create(b, "top"), 0);
    for (unsigned i = 0; i < ACL_IDENTIFIERS_MAX; i++) {
        snprintf(name, sizeof(name), "%0200u", i);
        assert_int_equal(set(b, "top", name, &some), 0);
    }
    for (n = 0; n < 1000 && err == 0; n++) {
        snprintf(name, sizeof(name), "top/%u", n);
        err = box_create(b, name);
    }
    assert_int_equal(err, ERR_QUOTA);
    account_quota(b->acc, &usage);
    assert_true(n > 100 && usage.annotation_bytes > ANNOTATION_BYTES_MAX / 2 && usage.annotation_bytes <= ANNOTATION_BYTES_MAX);
    assert_null(box_find(b, name));
    assert_int_equal(box_create(b, "elsewhere"), 0);
    assert_int_equal(box_delete(b, "top/1"), 0);
    assert_int_equal(box_create(b, name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inherited_without_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
