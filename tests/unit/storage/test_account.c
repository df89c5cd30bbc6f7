/* Accounts over real files: every operation, reopening, quota, names, torn tails, damage. */
#include "storage_helper.h"

#include "common/base/mem.h"
#include "storage/intake.h"
#include "storage/message/digest.h"
#include "storage/txlog.h"

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

#define MSG1 "Subject: one\r\n\r\nhello\r\n"
#define MSG2 "Subject: two\r\n\r\nworld, longer\r\n"

static void test_new_account(void **state)
{
    struct box *b = *state;
    struct vfs *second;
    struct account *other;
    struct account_params p = b->params;

    assert_non_null(box_find(b, "INBOX"));
    assert_ptr_equal(box_find(b, "inbox"), box_find(b, "INBOX"));
    assert_int_equal(mailbox_use(box_find(b, "Sent")), USE_SENT);
    assert_null(box_find(b, "sent"));
    assert_int_equal(vfs_posix_open(b->dir, &second), 0);
    p.vfs = second;
    assert_int_equal(account_open(&p, &other), ERR_BUSY);
    vfs_free(&second);
    box_reopen(b);
    assert_non_null(box_find(b, "Drafts"));
}

static void test_append_reopen(void **state)
{
    struct box *b = *state;
    struct mailbox_status st;
    struct mailbox_view *v;
    struct msg_info info;
    struct view digest;

    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    assert_int_equal(b->appended.ranges[0].first, 1);
    assert_int_equal(box_append(b, "INBOX", MSG2, MSG_SEEN | MSG_DELETED), 0);
    for (int round = 0; round < 3; round++) {
        st = box_status(b, "INBOX");
        assert_int_equal(st.messages, 2);
        assert_int_equal(st.unseen, 1);
        assert_int_equal(st.deleted, 1);
        assert_int_equal(st.uidnext, 3);
        assert_int_equal(st.size, strlen(MSG1) + strlen(MSG2));
        assert_int_equal(st.deleted_size, strlen(MSG2));
        v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
        assert_int_equal(mailbox_view_count(v), 2);
        check_bytes(v, 1, MSG1);
        check_bytes(v, 2, MSG2);
        mailbox_view_info(v, 2, &info);
        assert_int_equal(info.uid, 2);
        assert_int_equal(info.flags, MSG_SEEN | MSG_DELETED);
        assert_int_equal(info.date, 1700000000);
        assert_int_equal(mailbox_view_digest(v, 1, &digest), 0);
        assert_true(digest.len > 0);
        mailbox_view_close(&v);
        box_reopen(b);
    }
}

static void test_append_fd(void **state)
{
    struct box *b = *state;
    size_t len = 300000;
    char *text = malloc(len + 1);
    struct message_source src = {.fd_size = len};
    struct append_options opt = {.has_date = true, .date = 5, .zone_minutes = -330};
    struct mailbox_view *v;
    struct msg_info info;
    struct txn *t;

    memset(text, 'x', len);
    text[len] = 0;
    memcpy(text, "A: b\r\n\r\n", 8);
    assert_int_equal(account_spool(b->acc, &src.fd), 0);
    assert_int_equal(write(src.fd, text, len), (ssize_t)len);
    t = txn_begin(b->acc);
    assert_int_equal(txn_append(t, box_find(b, "INBOX"), &src, &opt), 0);
    close(src.fd);
    assert_int_equal(box_run(b, t), 0);
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    check_bytes(v, 1, text);
    mailbox_view_info(v, 1, &info);
    assert_int_equal(info.date, 5);
    assert_int_equal(info.zone_minutes, -330);
    mailbox_view_close(&v);
    free(text);
}

/* size octets from offset on in a spool file, behind a part in memory, with what the caller knows of them: it has the same mail
 * for effect as what the transaction finds out. */
static void append_piece(struct box *b, const char *before, uint64_t offset, uint64_t size, bool known)
{
    struct message_source src = {.parts = {VIEW(""), view_str(before)}, .fd_offset = offset, .fd_size = size};
    struct append_options opt = {0};
    uint8_t id[CONTENT_ID_SIZE];
    struct intake *in = intake_begin(true);
    struct mime_msg structure;
    struct buf file, whole, digest;
    struct view bytes;
    struct mailbox_view *v;
    struct msg_info info;
    struct txn *t;

    buf_init(&file, 1 << 22);
    buf_init(&whole, 1 << 22);
    while (buf_len(&file) < offset + size)
        buf_put_fmt(&file, buf_len(&file) % 1000 == 0 ? "--b   \r\n" : "%06zu\r\n", buf_len(&file) / 8);
    buf_put_str(&whole, before);
    buf_put_view(&whole, view_sub(buf_view(&file), (size_t)offset, (size_t)size));
    assert_int_equal(account_spool(b->acc, &src.fd), 0);
    assert_int_equal(write(src.fd, buf_view(&file).ptr, buf_len(&file)), (ssize_t)buf_len(&file));
    for (size_t i = 0; i < buf_len(&whole); i += 1000)
        intake_add(in, view_sub(buf_view(&whole), i, 1000));
    intake_end(&in, id, &structure);
    if (known) {
        src.content_id = id;
        src.structure = &structure;
    }
    t = txn_begin(b->acc);
    assert_int_equal(txn_append(t, box_find(b, "INBOX"), &src, &opt), 0);
    close(src.fd);
    mime_msg_free(&structure);
    assert_int_equal(box_run(b, t), 0);
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    buf_init(&digest, 1 << 22);
    digest_build(buf_view(&whole), &message_limits_default, &digest);
    assert_int_equal(mailbox_view_digest(v, mailbox_view_count(v), &bytes), 0);
    assert_true(view_eq(bytes, buf_view(&digest)));
    buf_free(&digest);
    buf_put_byte(&whole, 0);
    check_bytes(v, mailbox_view_count(v), (const char *)buf_view(&whole).ptr);
    mailbox_view_info(v, mailbox_view_count(v), &info);
    assert_memory_equal(info.emailid, id, sizeof(id));
    mailbox_view_close(&v);
    buf_free(&file);
    buf_free(&whole);
}

static void test_append_fd_at_offset(void **state)
{
    static const char *const before[] = {"", "Content-Type: multipart/mixed; boundary=b\r\n\r\n"};
    static const uint64_t offsets[] = {0, 8, 4096, 4104, 1 << 20}, sizes[] = {8, 4096, 256 << 10, 300000};

    for (size_t i = 0; i < ARRAY_LEN(before) * ARRAY_LEN(offsets) * ARRAY_LEN(sizes) * 2; i++)
        append_piece(*state, before[i / 2 % 2], offsets[i / 4 % 5], sizes[i / 20], i % 2 == 0);
}

/* The file is shorter than was said. */
static void test_append_fd_too_short(void **state)
{
    struct box *b = *state;
    struct message_source src = {.fd_offset = 4000, .fd_size = 101};
    struct append_options opt = {0};
    struct txn *t = txn_begin(b->acc);

    assert_int_equal(account_spool(b->acc, &src.fd), 0);
    assert_int_equal(ftruncate(src.fd, 4100), 0);
    assert_int_equal(txn_append(t, box_find(b, "INBOX"), &src, &opt), ERR_IO);
    src.fd_offset = UINT64_MAX - 8;
    assert_int_equal(txn_append(t, box_find(b, "INBOX"), &src, &opt), ERR_IO);
    src.parts[0] = VIEW("a");
    src.fd_offset = 4000;
    assert_int_equal(txn_append(t, box_find(b, "INBOX"), &src, &opt), ERR_IO);
    close(src.fd);
    txn_abort(&t);
}

static void test_flags(void **state)
{
    struct box *b = *state;
    struct mailbox *m = box_find(b, "INBOX");
    struct mailbox_view *v;
    struct msg_info info;
    uint64_t modseq;

    for (int i = 0; i < 10; i++)
        assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    modseq = box_status(b, "INBOX").highestmodseq;
    assert_int_equal(box_flags(b, "INBOX", 2, 5, FLAGS_ADD, MSG_SEEN, "$Junk"), 0);
    assert_int_equal(b->res.modseq, modseq + 1);
    assert_int_equal(mailbox_keyword_find(m, VIEW("$junk")), 0);
    assert_int_equal(box_status(b, "INBOX").unseen, 6);
    assert_int_equal(box_flags(b, "INBOX", 2, 5, FLAGS_ADD, MSG_SEEN, "$JUNK"), 0);
    assert_int_equal(box_status(b, "INBOX").highestmodseq, modseq + 1);
    assert_int_equal(box_flags(b, "INBOX", 1, 3, FLAGS_REPLACE, MSG_FLAGGED, NULL), 0);
    assert_int_equal(box_status(b, "INBOX").unseen, 8);
    {
        struct uidset s = set_of(1, 10);
        struct flag_change c = {.op = FLAGS_ADD, .flags = MSG_DELETED, .has_unchangedsince = true, .unchangedsince = modseq};
        struct txn *t = txn_begin(b->acc);

        assert_int_equal(txn_flags(t, m, &s, &c), 0);
        assert_int_equal(box_run(b, t), 0);
        assert_int_equal(uidset_count(&b->modified), 5);
        uidset_free(&s);
    }
    box_reopen(b);
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    mailbox_view_info(v, 4, &info);
    assert_int_equal(info.flags, MSG_SEEN);
    assert_int_equal(info.keywords.bits[0], 1);
    mailbox_view_info(v, 3, &info);
    assert_int_equal(info.flags, MSG_FLAGGED);
    assert_int_equal(info.keywords.bits[0], 0);
    mailbox_view_close(&v);
    assert_int_equal(box_status(b, "INBOX").deleted, 5);
}

static void test_keyword_limit(void **state)
{
    struct box *b = *state;
    char name[80];

    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    for (int i = 0; i < KEYWORDS_MAX; i++) {
        snprintf(name, sizeof(name), "kw%d", i);
        assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_ADD, 0, name), 0);
    }
    assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_ADD, 0, "onemore"), ERR_LIMIT);
    assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_REMOVE, 0, "onemore"), 0);
    memset(name, 'a', 65);
    name[65] = 0;
    assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_REMOVE, 0, name), ERR_LIMIT);
}

static void test_expunge_copy_move(void **state)
{
    struct box *b = *state;
    struct quota_usage q;
    struct uidset gone;

    for (int i = 0; i < 6; i++)
        assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    assert_int_equal(box_flags(b, "INBOX", 3, 4, FLAGS_ADD, MSG_SEEN, "todo"), 0);
    assert_int_equal(box_expunge(b, "INBOX", 2, 2), 0);
    assert_int_equal(uidset_count(&b->expunged), 1);
    assert_int_equal(box_copy(b, "INBOX", 1, 4, "Sent", false), 0);
    assert_int_equal(b->res.ncopied, 3);
    assert_int_equal(b->from[1], 3);
    assert_int_equal(b->to[1], 2);
    assert_int_equal(b->res.copy_uidvalidity, box_status(b, "Sent").uidvalidity);
    assert_int_equal(box_copy(b, "INBOX", 5, 6, "Drafts", true), 0);
    assert_int_equal(uidset_count(&b->expunged), 2);
    assert_int_equal(box_copy(b, "INBOX", 1, 1, "INBOX", false), 0);
    for (int round = 0; round < 2; round++) {
        struct mailbox_view *v;

        assert_int_equal(box_status(b, "INBOX").messages, 4);
        assert_int_equal(box_status(b, "INBOX").uidnext, 8);
        assert_int_equal(box_status(b, "Sent").messages, 3);
        assert_int_equal(box_status(b, "Sent").unseen, 1);
        assert_int_equal(box_status(b, "Drafts").messages, 2);
        assert_int_equal(mailbox_keyword_find(box_find(b, "Sent"), VIEW("todo")), 0);
        account_quota(b->acc, &q);
        assert_int_equal(q.messages, 9);
        assert_int_equal(q.bytes, 9 * strlen(MSG1));
        v = mailbox_view_open(b->acc, box_find(b, "Sent"), false);
        check_bytes(v, 3, MSG1);
        mailbox_view_close(&v);
        uidset_init(&gone);
        mailbox_vanished(box_find(b, "INBOX"), 0, &gone);
        assert_int_equal(uidset_count(&gone), 3);
        uidset_free(&gone);
        box_reopen(b);
    }
}

static void test_same_tick(void **state)
{
    struct box *b = *state;
    struct txn *a = txn_begin(b->acc), *c, *d;
    struct uidset s = set_of(1, 100);

    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    /* An append, an expunge of all, a copy of what the expunge removes, and another append, in one tick. */
    assert_int_equal(box_stage_append(b, a, "INBOX", MSG1, 0), 0);
    assert_int_equal(box_stage_append(b, a, "Sent", MSG2, 0), 0);
    txn_commit(&a, box_done, b);
    c = txn_begin(b->acc);
    assert_int_equal(txn_expunge(c, box_find(b, "INBOX"), &s), 0);
    txn_commit(&c, box_done, b);
    c = txn_begin(b->acc);
    assert_int_equal(txn_copy(c, box_find(b, "INBOX"), &s, box_find(b, "Sent"), false), 0);
    txn_commit(&c, box_done, b);
    d = txn_begin(b->acc);
    assert_int_equal(box_stage_append(b, d, "Sent", MSG2, 0), 0);
    txn_commit(&d, box_done, b);
    b->done = 0;
    assert_true(account_has_pending(b->acc));
    assert_int_equal(account_commit(b->acc), 0);
    assert_int_equal(b->done, 4);
    assert_int_equal(b->appended.ranges[0].first, 3);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(box_status(b, "INBOX").messages, 0);
        assert_int_equal(box_status(b, "INBOX").uidnext, 3);
        assert_int_equal(box_status(b, "Sent").messages, 2);
        assert_int_equal(box_status(b, "Sent").uidnext, 4);
        box_reopen(b);
    }
    uidset_free(&s);
}

static void test_same_tick_names(void **state)
{
    struct box *b = *state;
    struct txn *t;

    assert_int_equal(box_create(b, "gone"), 0);
    t = txn_begin(b->acc);
    assert_int_equal(txn_delete(t, VIEW("gone")), 0);
    txn_commit(&t, NULL, NULL);
    t = txn_begin(b->acc);
    assert_int_equal(box_stage_append(b, t, "gone", MSG1, 0), 0);
    assert_int_equal(box_run(b, t), ERR_NOTFOUND);
    t = txn_begin(b->acc);
    assert_int_equal(txn_create(t, VIEW("twice"), 0), 0);
    txn_commit(&t, NULL, NULL);
    t = txn_begin(b->acc);
    assert_int_equal(txn_create(t, VIEW("twice"), 0), 0);
    assert_int_equal(box_run(b, t), ERR_EXISTS);
    box_reopen(b);
    assert_null(box_find(b, "gone"));
    assert_non_null(box_find(b, "twice"));
}

struct names {
    char all[1000];
};

static bool collect(void *arg, const struct mailbox_entry *e)
{
    struct names *n = arg;
    size_t len = strlen(n->all);

    snprintf(n->all + len, sizeof(n->all) - len, "%.*s%s%s%s ", (int)e->name.len, (const char *)e->name.ptr,
             e->mailbox == NULL ? "?" : "", e->subscribed ? "*" : "", e->has_children ? "+" : "");
    return true;
}

static void check_names(struct box *b, const char *want)
{
    struct names n = {""};

    account_each(b->acc, collect, &n);
    assert_string_equal(n.all, want);
}

static void test_names(void **state)
{
    struct box *b = *state;

    check_names(b, "INBOX* Drafts* Sent* ");
    assert_int_equal(box_create(b, "a/b/c"), 0);
    assert_int_equal(box_create(b, "a b"), 0);
    assert_int_equal(box_create(b, "inbox/x"), 0);
    check_names(b, "INBOX*+ INBOX/x Drafts* Sent* a+ a/b+ a/b/c a b ");
    assert_int_equal(box_create(b, "a"), ERR_EXISTS);
    assert_int_equal(box_create(b, "Inbox"), ERR_EXISTS);
    assert_int_equal(box_create(b, "a//b"), ERR_SYNTAX);
    assert_int_equal(box_create(b, "/a"), ERR_SYNTAX);
    assert_int_equal(box_create(b, "a\x01"), ERR_SYNTAX);
    assert_int_equal(box_create(b, "\xff"), ERR_SYNTAX);
    assert_int_equal(box_delete(b, "a/b"), 0);
    assert_int_equal(box_delete(b, "INBOX"), ERR_DENIED);
    assert_int_equal(box_delete(b, "nope"), ERR_NOTFOUND);
    assert_int_equal(box_subscribe(b, "a/b", true), 0);
    assert_int_equal(box_subscribe(b, "z/y", true), 0);
    check_names(b, "INBOX*+ INBOX/x Drafts* Sent* a+ a/b?*+ a/b/c a b z/y?* ");
    assert_int_equal(box_rename(b, "a", "n/m"), 0);
    assert_int_equal(box_rename(b, "n/m", "n/m/k"), ERR_DENIED);
    assert_int_equal(box_rename(b, "n/m", "Sent"), ERR_EXISTS);
    assert_int_equal(box_subscribe(b, "z/y", false), 0);
    check_names(b, "INBOX*+ INBOX/x Drafts* Sent* a/b?* a b n+ n/m+ n/m/b?+ n/m/b/c ");
    box_reopen(b);
    check_names(b, "INBOX*+ INBOX/x Drafts* Sent* a/b?* a b n+ n/m+ n/m/b?+ n/m/b/c ");
}

/* A level that is no mailbox is given before all that is below it, be it a subscription that comes before any mailbox there; one
 * that has only subscriptions below is none. */
static void test_names_above_subscriptions(void **state)
{
    struct box *b = *state;

    assert_int_equal(box_create(b, "a/m/x"), 0);
    assert_int_equal(box_delete(b, "a/m"), 0);
    assert_int_equal(box_delete(b, "a"), 0);
    assert_int_equal(box_subscribe(b, "a/m/b/c", true), 0);
    assert_int_equal(box_subscribe(b, "a/m/z", true), 0);
    assert_int_equal(box_subscribe(b, "a/z/z", true), 0);
    check_names(b, "INBOX* Drafts* Sent* a?+ a/m?+ a/m/b/c?* a/m/x a/m/z?* a/z/z?* ");
}

static void test_rename_inbox(void **state)
{
    struct box *b = *state;
    uint32_t validity;

    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    assert_int_equal(box_append(b, "INBOX", MSG2, MSG_SEEN), 0);
    assert_int_equal(box_rename(b, "INBOX", "old/mail"), 0);
    assert_int_equal(box_status(b, "INBOX").messages, 0);
    assert_int_equal(box_status(b, "INBOX").uidnext, 3);
    assert_int_equal(box_status(b, "old/mail").messages, 2);
    assert_int_equal(box_delete(b, "old/mail"), 0);
    validity = box_status(b, "old").uidvalidity;
    assert_int_equal(box_create(b, "old/mail"), 0);
    assert_true(box_status(b, "old/mail").uidvalidity > validity + 1);
    box_reopen(b);
    assert_int_equal(box_status(b, "old/mail").messages, 0);
}

static void test_quota(void **state)
{
    struct box *b = *state;
    struct txn *t, *u;

    account_close(&b->acc);
    b->params.quota_bytes = 2 * strlen(MSG1) + 5;
    b->params.quota_messages = 3;
    assert_int_equal(box_open(b), 0);
    t = txn_begin(b->acc);
    assert_int_equal(box_stage_append(b, t, "INBOX", MSG1, 0), 0);
    u = txn_begin(b->acc);
    assert_int_equal(box_stage_append(b, u, "INBOX", MSG1, 0), 0);
    assert_int_equal(box_stage_append(b, u, "INBOX", MSG1, 0), ERR_QUOTA);
    txn_abort(&u);
    assert_int_equal(box_run(b, t), 0);
    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    assert_int_equal(box_append(b, "INBOX", MSG1, 0), ERR_QUOTA);
    assert_int_equal(box_copy(b, "INBOX", 1, 1, "Sent", false), ERR_QUOTA);
    assert_int_equal(box_copy(b, "INBOX", 1, 1, "Sent", true), 0);
    assert_int_equal(box_expunge(b, "INBOX", 2, 2), 0);
    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
}

/* What a transaction removes makes room for what it adds. */
static void test_quota_of_replacing(void **state)
{
    struct box *b = *state;
    struct uidset uids;
    struct txn *t;

    account_close(&b->acc);
    b->params.quota_bytes = strlen(MSG1) + 5;
    b->params.quota_messages = 1;
    assert_int_equal(box_open(b), 0);
    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    uidset_init(&uids);
    uidset_add(&uids, 1);
    t = txn_begin(b->acc);
    assert_int_equal(txn_expunge(t, account_find(b->acc, VIEW("INBOX")), &uids), 0);
    assert_int_equal(box_stage_append(b, t, "INBOX", MSG1, 0), 0);
    assert_int_equal(box_stage_append(b, t, "INBOX", MSG1, 0), ERR_QUOTA);
    assert_int_equal(box_run(b, t), 0);
    assert_int_equal(box_status(b, "INBOX").messages, 1);
    assert_int_equal(box_append(b, "INBOX", MSG1, 0), ERR_QUOTA);
    uidset_free(&uids);
}

static void path_of(const struct box *b, unsigned seg, char *out, size_t len)
{
    snprintf(out, len, "%s/log.%08u", b->dir, seg);
}

static void test_torn_tail(void **state)
{
    struct box *b = *state;
    char path[128];
    off_t before, after;
    int fd;

    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    path_of(b, 1, path, sizeof(path));
    fd = open(path, O_RDWR | O_CLOEXEC);
    before = lseek(fd, 0, SEEK_END);
    assert_int_equal(box_append(b, "INBOX", MSG2, 0), 0);
    after = lseek(fd, 0, SEEK_END);
    account_close(&b->acc);
    /* Any cut of the last transaction, and any byte of it changed, loses it and nothing else. */
    for (off_t cut = after - 1; cut > before; cut -= 7) {
        char byte;

        assert_int_equal(pread(fd, &byte, 1, cut), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, cut), 1);
        box_rm_snapshots(b);
        assert_int_equal(box_open(b), 0);
        if (box_status(b, "INBOX").messages != 1) {
            /* Padding is not checked. */
            assert_int_equal(box_status(b, "INBOX").messages, 2);
            account_close(&b->acc);
            continue;
        }
        assert_int_equal(lseek(fd, 0, SEEK_END), before);
        assert_int_equal(box_append(b, "INBOX", MSG2, 0), 0);
        assert_int_equal(b->appended.ranges[0].first, 2);
        account_close(&b->acc);
    }
    close(fd);
    assert_int_equal(box_open(b), 0);
}

static void test_damage(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v;
    struct msg_data d;
    char path[128];
    off_t at;
    int fd;

    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    path_of(b, 1, path, sizeof(path));
    fd = open(path, O_RDWR | O_CLOEXEC);
    at = lseek(fd, 0, SEEK_END);
    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    assert_int_equal(box_append(b, "INBOX", MSG2, 0), 0);
    assert_int_equal(box_append(b, "Sent", MSG2, 0), 0);
    account_close(&b->acc);
    /* The second message's transaction was durable when the later ones were written: it is skipped, they are not. */
    assert_int_equal(pwrite(fd, "XXXX", 4, at + 20), 4);
    box_rm_snapshots(b);
    assert_int_equal(box_open(b), 0);
    assert_int_equal(box_status(b, "INBOX").messages, 2);
    assert_int_equal(box_status(b, "INBOX").uidnext, 4);
    assert_int_equal(box_status(b, "Sent").messages, 1);
    assert_false(account_read_only(b->acc));
    /* Bytes of a message: only that one cannot be read. */
    v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
    assert_int_equal(mailbox_view_data(v, 2, &d), 0);
    at = (off_t)d.fd_offset;
    msg_data_close(&d);
    assert_int_equal(pwrite(fd, "Z", 1, at + 3), 1);
    assert_int_equal(mailbox_view_data(v, 2, &d), ERR_CORRUPT);
    check_bytes(v, 1, MSG1);
    mailbox_view_close(&v);
    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    close(fd);
}

static void test_segments(void **state)
{
    struct box *b = *state;
    struct mailbox_view *v;
    char path[128];

    account_close(&b->acc);
    b->params.segment_max = 600;
    assert_int_equal(box_open(b), 0);
    for (int i = 0; i < 120; i++)
        assert_int_equal(box_append(b, i % 2 ? "INBOX" : "Sent", i % 3 ? MSG1 : MSG2, 0), 0);
    path_of(b, 40, path, sizeof(path));
    assert_int_equal(access(path, R_OK), 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(box_status(b, "INBOX").messages, 60);
        v = mailbox_view_open(b->acc, box_find(b, "INBOX"), false);
        for (uint32_t seq = 1; seq <= 60; seq++)
            check_bytes(v, seq, (seq * 2 - 1) % 3 ? MSG1 : MSG2);
        mailbox_view_close(&v);
        box_reopen(b);
    }
}

static void test_flag_sync(void **state)
{
    struct box *b = *state;

    account_close(&b->acc);
    b->params.flag_sync_ms = 1000;
    assert_int_equal(box_open(b), 0);
    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    assert_true(account_background(b->acc) == UINT64_MAX);
    assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_ADD, MSG_SEEN, NULL), 0);
    assert_int_equal(account_background(b->acc), 1000);
    b->now += 400;
    assert_int_equal(account_background(b->acc), 600);
    b->now += 600;
    assert_true(account_background(b->acc) == UINT64_MAX);
}

static void test_modseq_jump(void **state)
{
    struct box *b = *state;
    uint64_t modseq;

    assert_int_equal(box_append(b, "INBOX", MSG1, 0), 0);
    modseq = box_status(b, "INBOX").highestmodseq;
    box_reopen(b);
    assert_true(box_status(b, "INBOX").highestmodseq >= modseq);
    modseq = box_status(b, "INBOX").highestmodseq;
    assert_int_equal(box_flags(b, "INBOX", 1, 1, FLAGS_ADD, MSG_SEEN, NULL), 0);
    assert_int_equal(box_status(b, "INBOX").highestmodseq, modseq + 1);
    box_reopen(b);
    assert_true(box_status(b, "INBOX").highestmodseq > modseq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_account, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_reopen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_fd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_fd_at_offset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_fd_too_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keyword_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expunge_copy_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_tick, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_tick_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_above_subscriptions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename_inbox, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quota_of_replacing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flag_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modseq_jump, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
