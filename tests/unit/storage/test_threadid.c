/* THREADID: conversations come together by what their messages refer to, in any order, and in every mailbox. */
#include "storage_helper.h"

#include <string.h>

#include "storage/message/digest.h"

struct id {
    uint8_t b[THREADID_SIZE];
};

static struct id thread_of(const char *message)
{
    static const uint8_t emailid[16] = {1, 2, 3};
    struct buf digest;
    struct id id;

    buf_init(&digest, 1 << 20);
    digest_build(view_str(message), &message_limits_default, &digest);
    assert_int_equal(digest_threadid(buf_view(&digest), emailid, sizeof(emailid), id.b), 0);
    buf_free(&digest);
    return id;
}

static bool same(const char *a, const char *b)
{
    struct id x = thread_of(a), y = thread_of(b);

    return memcmp(x.b, y.b, sizeof(x.b)) == 0;
}

#define ROOT "Message-ID: <root@example.org>\r\nSubject: tea\r\n\r\n"

static void test_conversation(void **state)
{
    static const char *const members[] = {
        "Message-ID: <a@x>\r\nReferences: <root@example.org>\r\n\r\n",
        "Message-ID: <b@x>\r\nReferences: <root@example.org>\r\n <a@x>\r\nIn-Reply-To: <a@x>\r\n\r\n",
        "Message-ID: <c@x>\r\nIn-Reply-To: <root@example.org>\r\n\r\n",
        "References: (old) <root@example.org>, <b@x>\r\n\r\nbody",
        "message-id:\r\n <root@example.org>\r\n\r\n",
        "Message-ID: <\"root\"@example.org>\r\n\r\n",
    };
    static const char *const others[] = {
        "Message-ID: <Root@example.org>\r\n\r\n",
        "Message-ID: <d@x>\r\nSubject: Re: tea\r\n\r\n",
        "Message-ID: <e@x>\r\nReferences: <other@x> <root@example.org>\r\n\r\n",
        "Subject: tea\r\n\r\n",
        "Message-ID: root@example.org\r\n\r\n",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        assert_true(same(ROOT, members[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(same(ROOT, others[i]));
}

static void test_damaged(void **state)
{
    uint8_t emailid[16] = {0}, out[THREADID_SIZE];

    (void)state;
    assert_int_not_equal(digest_threadid(VIEW(""), emailid, sizeof(emailid), out), 0);
    assert_int_not_equal(digest_threadid(VIEW("\xff\xff"), emailid, sizeof(emailid), out), 0);
}

/* Without identifiers each content is its own thread; a copy keeps it, in any mailbox and after any open. */
static void test_mailboxes(void **state)
{
    static const char *const texts[] = {"Subject: one\r\n\r\n", "Subject: two\r\n\r\n", ROOT};
    struct box b;
    uint8_t ids[3][16], id[16];

    (void)state;
    box_init(&b);
    assert_int_equal(box_open(&b), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(box_append(&b, "INBOX", texts[i], 0), 0);
    for (int round = 0; round < 3; round++) {
        struct mailbox_view *v = mailbox_view_open(b.acc, box_find(&b, round < 2 ? "INBOX" : "Sent"), false);

        for (uint32_t seq = 1; seq <= 3; seq++) {
            assert_int_equal(mailbox_view_threadid(v, seq, id), 0);
            assert_true(round == 0 || memcmp(id, ids[seq - 1], 16) == 0);
            memcpy(ids[seq - 1], id, 16);
        }
        assert_memory_not_equal(ids[0], ids[1], 16);
        mailbox_view_close(&v);
        if (round == 1)
            assert_int_equal(box_copy(&b, "INBOX", 1, 3, "Sent", true), 0);
        box_reopen(&b);
    }
    box_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_mailboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
