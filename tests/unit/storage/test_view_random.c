/*
 * Random changes seen through several views at random moments, against what a client would keep: a list of UIDs that grows at its
 * end and from which it removes what it is told. In the end all lists are the same. Now and then the views are frozen, and thawed
 * on the account opened anew: for the clients nothing has happened. Records that are damaged are refused, or do no harm.
 */
#include "storage_helper.h"

#include "storage/view_int.h"

#define CLIENTS 4
#define LIST_MAX 4000

struct client {
    struct mailbox_view *v;
    uint32_t uids[LIST_MAX], count;
    unsigned flags[LIST_MAX];
};

struct world {
    struct box b;
    struct client c[CLIENTS];
    uint64_t rng;
    unsigned ghosts, held; /* seen in thawed views: the test is about them */
};

static uint64_t roll(struct world *w, uint64_t below)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (w->rng * 0x2545f4914f6cdd1du >> 20) % below;
}

static void learn(struct client *c, uint32_t seq)
{
    struct msg_info info;

    mailbox_view_info(c->v, seq, &info);
    c->uids[seq - 1] = info.uid;
    c->flags[seq - 1] = info.flags;
}

static void check_client(struct client *c)
{
    assert_int_equal(mailbox_view_count(c->v), c->count);
    for (uint32_t seq = 1; seq <= c->count; seq++) {
        assert_int_equal(mailbox_view_uid(c->v, seq), c->uids[seq - 1]);
        assert_int_equal(mailbox_view_seq(c->v, c->uids[seq - 1]), seq);
    }
}

static void client_open(struct world *w, struct client *c)
{
    c->v = mailbox_view_open(w->b.acc, box_find(&w->b, "INBOX"), roll(w, 2) == 0);
    c->count = mailbox_view_count(c->v);
    for (uint32_t seq = 1; seq <= c->count; seq++)
        learn(c, seq);
}

static void client_sync(struct client *c, bool allow_expunge)
{
    struct view_changes ch;
    uint32_t known;

    mailbox_view_sync(c->v, allow_expunge, &ch);
    assert_true(allow_expunge || ch.nexpunged == 0);
    for (size_t i = 0; i < ch.nexpunged; i++) {
        uint32_t seq = ch.expunged_seqs[i];

        assert_true(seq >= 1 && seq <= c->count);
        assert_int_equal(c->uids[seq - 1], ch.expunged_uids[i]);
        memmove(c->uids + seq - 1, c->uids + seq, (c->count - seq) * sizeof(*c->uids));
        memmove(c->flags + seq - 1, c->flags + seq, (c->count - seq) * sizeof(*c->flags));
        c->count--;
    }
    assert_true(ch.exists_changed == (ch.count != c->count));
    known = c->count;
    c->count = ch.count;
    assert_true(c->count < LIST_MAX);
    for (uint32_t seq = known + 1; seq <= c->count; seq++)
        learn(c, seq);
    for (size_t i = 0; i < ch.nchanged; i++) {
        assert_true(i == 0 || ch.changed_seqs[i] > ch.changed_seqs[i - 1]);
        learn(c, ch.changed_seqs[i]);
    }
    check_client(c);
}

static void change(struct world *w)
{
    uint32_t next = box_status(&w->b, "INBOX").uidnext, first = 1 + (uint32_t)roll(w, next), last = first + (uint32_t)roll(w, 8);

    switch (roll(w, 8)) {
    case 0:
    case 1:
    case 2:
        assert_int_equal(box_append(&w->b, "INBOX", "A: b\r\n\r\nc\r\n", (unsigned)roll(w, 32)), 0);
        break;
    case 3:
        assert_int_equal(box_expunge(&w->b, "INBOX", first, last), 0);
        break;
    case 4:
        assert_int_equal(box_copy(&w->b, "INBOX", first, last, "INBOX", roll(w, 2) == 0), 0);
        break;
    case 5:
        if (roll(w, 6) == 0)
            assert_int_equal(snapshot_write(w->b.acc), 0);
        break;
    default:
        assert_int_equal(box_flags(&w->b, "INBOX", first, last, (enum flag_op)roll(w, 3), (unsigned)roll(w, 32), NULL), 0);
        break;
    }
}

/* Everything about a view that a client can see. */
static void same_infos(struct mailbox_view *v, const struct msg_info *before, uint32_t n, uint32_t recent)
{
    assert_int_equal(mailbox_view_count(v), n);
    assert_int_equal(mailbox_view_recent(v), recent);
    for (uint32_t seq = 1; seq <= n; seq++) {
        struct msg_data data;
        struct msg_info info;

        mailbox_view_info(v, seq, &info);
        assert_memory_equal(&info, &before[seq - 1], sizeof(info));
        if (seq % 16 == 0 && !info.expunged) {
            assert_int_equal(mailbox_view_data(v, seq, &data), 0);
            msg_data_close(&data);
        }
    }
}

static void freeze(struct client *c, struct buf *out, struct msg_info **infos, uint32_t *recent)
{
    *infos = calloc(c->count + 1, sizeof(**infos));
    for (uint32_t seq = 1; seq <= c->count; seq++)
        mailbox_view_info(c->v, seq, &(*infos)[seq - 1]);
    *recent = mailbox_view_recent(c->v);
    buf_init(out, 1 << 20);
    assert_int_equal(mailbox_view_freeze(c->v, out), 0);
    assert_true(buf_ok(out));
    mailbox_view_close(&c->v);
}

static void damage(struct world *w, struct view record)
{
    uint8_t *copy = malloc(record.len + 1);
    struct mailbox_view *v = NULL;
    struct view_changes ch;

    memcpy(copy, record.ptr, record.len);
    for (int i = 0; i < 50; i++) {
        size_t at = roll(w, record.len);
        uint8_t before = copy[at];
        struct cursor c = cursor_make(view_make(copy, roll(w, 4) == 0 ? at : record.len));

        copy[at] = (uint8_t)roll(w, 256);
        if (mailbox_view_thaw(w->b.acc, &c, &v) == 0) {
            for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
                struct msg_info info;

                mailbox_view_info(v, seq, &info);
            }
            mailbox_view_sync(v, false, &ch);
            mailbox_view_sync(v, true, &ch);
            mailbox_view_close(&v);
        }
        copy[at] = before;
    }
    free(copy);
}

static void renew(struct world *w)
{
    struct msg_info *infos[CLIENTS] = {NULL};
    uint32_t recent[CLIENTS];
    struct buf records[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        if (w->c[i].v != NULL)
            freeze(&w->c[i], &records[i], &infos[i], &recent[i]);
    if (roll(w, 3) == 0)
        assert_int_equal(snapshot_write(w->b.acc), 0);
    box_reopen(&w->b);
    w->b.acc->small_mailbox = 5;
    for (int i = 0; i < CLIENTS; i++) {
        struct cursor cur;

        if (infos[i] == NULL)
            continue;
        if (roll(w, 4) == 0)
            damage(w, buf_view(&records[i]));
        cur = cursor_make(buf_view(&records[i]));
        assert_int_equal(mailbox_view_thaw(w->b.acc, &cur, &w->c[i].v), 0);
        assert_true(cursor_done(&cur));
        w->ghosts += w->c[i].v->nghosts;
        w->held += (unsigned)w->c[i].v->held.n;
        same_infos(w->c[i].v, infos[i], w->c[i].count, recent[i]);
        check_client(&w->c[i]);
        buf_free(&records[i]);
        free(infos[i]);
    }
}

static void check_end(struct world *w)
{
    for (int i = 0; i < CLIENTS; i++) {
        if (w->c[i].v == NULL)
            continue;
        client_sync(&w->c[i], true);
        assert_false(mailbox_view_pending(w->c[i].v));
        assert_int_equal(w->c[i].count, box_status(&w->b, "INBOX").messages);
        for (uint32_t seq = 1; seq <= w->c[i].count; seq++) {
            const struct msg_rec *rec = mailbox_rec_find(box_find(&w->b, "INBOX"), w->c[i].uids[seq - 1]);

            assert_non_null(rec);
            assert_int_equal(rec->flags & REC_FLAGS, w->c[i].flags[seq - 1]);
        }
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct world *w = calloc(1, sizeof(*w));

        box_init(&w->b);
        assert_int_equal(box_open(&w->b), 0);
        w->b.acc->small_mailbox = 5;
        w->rng = seed * 0x9e3779b97f4a7c15u;
        for (int step = 0; step < 600; step++) {
            struct client *c = &w->c[roll(w, CLIENTS)];

            change(w);
            if (roll(w, 12) == 0)
                renew(w);
            if (c->v == NULL)
                client_open(w, c);
            else if (roll(w, 10) == 0)
                mailbox_view_close(&c->v);
            else
                client_sync(c, roll(w, 3) != 0);
            if (step % 100 == 99)
                check_end(w);
        }
        for (int i = 0; i < CLIENTS; i++)
            mailbox_view_close(&w->c[i].v);
        assert_true(w->ghosts > 0 && w->held > 0);
        box_free(&w->b);
        free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
