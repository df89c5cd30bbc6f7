/*
 * Stores damaged at random: verify finds all that matters, salvage returns every message whose bytes are whole, the server serves
 * the rest. CULVER_CORRUPTIONS says how many stores; by default as many as take a few seconds.
 */
#include "storage_helper.h"

#include "storage/account_int.h"
#include "storage/salvage.h"
#include "storage/verify.h"
#include "storage/vfs_frozen.h"
#include "store_image.h"

#define MESSAGES_MAX 400

static uint64_t rng = 88172645463325252u;

static uint64_t roll(uint64_t below)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % below;
}

/* --- the stores ------------------------------------------------------------------------------------------------------------ */

struct message {
    char mailbox[32];
    uint32_t uid, seg;
    unsigned flags;
    struct keyword_set keywords;
    uint64_t off, len; /* of the blob */
    uint8_t id[BLOB_ID_SIZE];
};
struct store {
    struct image image;
    struct message messages[MESSAGES_MAX];
    size_t n;
};

static void note_mailbox(struct store *s, struct mailbox *m)
{
    assert_int_equal(mailbox_load(m), 0);
    for (uint32_t i = 0; i < mailbox_nrecs(m); i++) {
        const struct msg_rec *rec = mailbox_rec(m, i);
        struct message *out = &s->messages[s->n];

        if ((rec->flags & REC_GONE) != 0)
            continue;
        assert_true(s->n++ < MESSAGES_MAX);
        snprintf(out->mailbox, sizeof(out->mailbox), "%s", m->name);
        out->uid = rec->uid;
        out->flags = rec->flags & REC_FLAGS;
        out->keywords = rec->keywords;
        out->seg = rec->seg;
        out->off = rec->off;
        out->len = BLOB_HEADER_SIZE + rec->size;
        memcpy(out->id, rec->emailid, BLOB_ID_SIZE);
    }
}

static void background(struct box *b)
{
    for (int i = 0; i < 500; i++) {
        b->now += 100;
        if (account_background(b->acc) == UINT64_MAX)
            return;
    }
}

static void fill(struct box *b, const char *mbox, unsigned n)
{
    char text[1200];

    for (unsigned i = 0; i < n; i++) {
        int len = snprintf(text, sizeof(text), "From: a@example.org\r\nSubject: %s %u\r\n\r\n", mbox, i);

        memset(text + len, 'a' + (int)(i % 26), 40 + i % 7 * 100);
        text[len + 40 + (int)(i % 7) * 100] = 0;
        assert_int_equal(box_append(b, mbox, text, i % 3 == 0 ? MSG_SEEN : 0), 0);
    }
}

/* compacted: segments are gone, so that the snapshot is needed. */
static void store_make(struct store *s, bool compacted)
{
    struct box b = {0};

    memset(s, 0, sizeof(*s));
    b.vfs = vfs_sim_new(7);
    b.params.segment_max = 8000;
    assert_int_equal(box_open(&b), 0);
    b.acc->small_mailbox = 3;
    assert_int_equal(box_create(&b, "Lists"), 0);
    assert_int_equal(box_create(&b, "Lists/culver"), 0);
    fill(&b, "INBOX", 60);
    fill(&b, "Lists/culver", 40);
    assert_int_equal(box_flags(&b, "INBOX", 5, 30, FLAGS_ADD, MSG_FLAGGED, "$Forwarded"), 0);
    assert_int_equal(box_copy(&b, "INBOX", 10, 14, "Lists", false), 0);
    assert_int_equal(box_copy(&b, "INBOX", 50, 54, "Lists", true), 0);
    assert_int_equal(snapshot_write(b.acc), 0);
    assert_int_equal(box_expunge(&b, "INBOX", 1, compacted ? 25 : 3), 0);
    if (compacted)
        background(&b);
    box_reopen(&b);
    b.acc->small_mailbox = 3;
    fill(&b, "INBOX", 8);
    assert_int_equal(box_flags(&b, "Lists/culver", 1, 4, FLAGS_ADD, MSG_SEEN, "work"), 0);
    box_reopen(&b);
    for (size_t i = 0; i < b.acc->nmailboxes; i++)
        note_mailbox(s, b.acc->by_id[i]);
    assert_true(compacted == (txlog_seg(&b.acc->log, 1) == NULL));
    account_close(&b.acc);
    image_take(&s->image, b.vfs);
    vfs_free(&b.vfs);
    uidset_free(&b.appended);
    uidset_free(&b.modified);
    uidset_free(&b.expunged);
}

/* --- damage ---------------------------------------------------------------------------------------------------------------- */

struct damage {
    size_t file;
    uint64_t from, to;
};

static struct damage damage_file(struct image *im)
{
    struct damage d = {.file = (size_t)roll(im->n)};
    struct image_file *f = &im->files[d.file];
    uint64_t len = f->len == SIZE_MAX ? 0 : f->len;

    if (len == 0)
        return d;
    d.from = roll(len);
    switch (roll(8)) {
    case 0:
        d.to = len;
        f->len = (size_t)d.from;
        break;
    case 1:
        d.from &= ~(uint64_t)511;
        d.to = MIN_OF(d.from + 512, len);
        memset(f->bytes + d.from, 0, (size_t)(d.to - d.from));
        break;
    case 2:
        d.to = d.from + 1 + roll(300);
        d.to = MIN_OF(d.to, len);
        for (uint64_t i = d.from; i < d.to; i++)
            f->bytes[i] ^= (uint8_t)(1 + roll(255));
        break;
    case 3:
        if (roll(4) == 0) {
            d.from = 0;
            d.to = len;
            f->len = SIZE_MAX; /* removed */
            break;
        }
        __attribute__((fallthrough));
    default:
        d.to = d.from + 1;
        f->bytes[d.from] ^= (uint8_t)(1u << roll(8));
        break;
    }
    return d;
}

static bool touched(const struct store *s, const struct message *m, const struct damage *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct vfs_name *name = &s->image.files[d[i].file].name;

        if (name->kind == VFS_LOG && name->num == m->seg && d[i].from < m->off + m->len && d[i].to > m->off)
            return true;
    }
    return false;
}

/* All of it lies in the bytes of messages that are there. */
static bool only_messages(const struct store *s, const struct damage *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct vfs_name *name = &s->image.files[d[i].file].name;
        bool in = false;

        for (size_t k = 0; k < s->n && !in; k++) {
            const struct message *m = &s->messages[k];

            in = name->kind == VFS_LOG && name->num == m->seg && d[i].from >= m->off && d[i].to <= m->off + m->len;
        }
        if (!in)
            return false;
    }
    return true;
}

/* --- what comes out ----------------------------------------------------------------------------------------------------------
 */

struct outcome {
    bool got[MESSAGES_MAX];   /* bytes, somewhere */
    bool exact[MESSAGES_MAX]; /* in its mailbox, with its UID, flags and keywords */
};

static void note_bytes(const struct store *s, struct outcome *o, struct view bytes)
{
    uint8_t id[BLOB_ID_SIZE];

    content_id_of(bytes, id);
    for (size_t i = 0; i < s->n; i++)
        o->got[i] = o->got[i] || memcmp(s->messages[i].id, id, BLOB_ID_SIZE) == 0;
}

static void note_exact(const struct store *s, struct outcome *o, struct view mailbox, const struct msg_info *info,
                       struct view bytes)
{
    uint8_t id[BLOB_ID_SIZE];

    content_id_of(bytes, id);
    for (size_t i = 0; i < s->n; i++) {
        const struct message *m = &s->messages[i];

        if (m->uid == info->uid && view_eq(mailbox, view_str(m->mailbox)) && memcmp(id, m->id, BLOB_ID_SIZE) == 0 &&
            m->flags == info->flags && memcmp(&m->keywords, &info->keywords, sizeof(m->keywords)) == 0)
            o->exact[i] = true;
    }
}

static void read_account(const struct store *s, struct account *acc, struct outcome *o)
{
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox_view *v = mailbox_view_open(acc, acc->by_id[i], false);

        for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
            struct msg_info info;
            struct msg_data data;

            mailbox_view_info(v, seq, &info);
            if (mailbox_view_data(v, seq, &data) != 0)
                continue;
            note_bytes(s, o, data.bytes);
            note_exact(s, o, mailbox_name(acc->by_id[i]), &info, data.bytes);
            msg_data_close(&data);
        }
        mailbox_view_close(&v);
    }
}

static struct vfs *freeze(struct vfs *sim)
{
    struct vfs *frozen;

    assert_int_equal(vfs_frozen_new(sim, &frozen), 0);
    return frozen;
}

struct orphans {
    const struct store *s;
    struct outcome *o;
    size_t n;
};

static int take_orphan(void *arg, const struct salvage_message *m)
{
    struct orphans *o = arg;

    note_bytes(o->s, o->o, m->bytes);
    o->n++;
    return 0;
}

static size_t salvage(const struct store *s, struct vfs *sim, struct outcome *o)
{
    struct vfs *frozen = freeze(sim);
    struct orphans orphans = {s, o, 0};
    struct salvage *sal;

    memset(o, 0, sizeof(*o));
    assert_int_equal(salvage_open(frozen, &sal), 0);
    read_account(s, salvage_account(sal), o);
    assert_int_equal(salvage_orphans(sal, take_orphan, &orphans), 0);
    salvage_close(&sal);
    vfs_free(&frozen);
    return orphans.n;
}

static void count_finding(void *arg, const struct verify_finding *f)
{
    (void)arg;
    assert_non_null(f->what);
    if (getenv("CULVER_SHOW") != NULL)
        printf("  grade %d: %s (%u.%u.%u at %llu+%llu) %.*s uid %u\n", f->grade, f->what, f->file.kind, f->file.id, f->file.num,
               (unsigned long long)f->offset, (unsigned long long)f->length, (int)f->mailbox.len,
               f->mailbox.ptr != NULL ? (const char *)f->mailbox.ptr : "", f->uid);
}

static struct verify_result verify(struct vfs *sim)
{
    const struct verify_params params = {.found = count_finding};
    struct vfs *frozen = freeze(sim);
    struct verify_result r;

    assert_int_equal(verify_account(frozen, &params, &r), 0);
    vfs_free(&frozen);
    return r;
}

/* As the server opens it. */
static bool serve(const struct store *s, struct vfs *sim, struct outcome *o)
{
    struct box b = {.vfs = sim};
    int err;

    memset(o, 0, sizeof(*o));
    b.params.segment_max = 8000;
    err = box_open(&b);
    if (err != 0) {
        assert_int_equal(err, ERR_CORRUPT);
        return false;
    }
    read_account(s, b.acc, o);
    account_close(&b.acc);
    return true;
}

/* --- the tests ---------------------------------------------------------------------------------------------------------------
 */

static struct store stores[2];

static int setup(void **state)
{
    (void)state;
    log_init("test", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_FATAL);
    store_make(&stores[0], false);
    store_make(&stores[1], true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    image_free(&stores[0].image);
    image_free(&stores[1].image);
    return 0;
}

static void test_good(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const struct store *s = &stores[k];
        struct vfs *sim = image_mount(&s->image);
        struct verify_result r = verify(sim);
        struct outcome o;

        assert_int_equal(r.findings[VERIFY_HARMLESS], 0);
        assert_int_equal(r.findings[VERIFY_LOSS], 0);
        assert_int_equal(r.messages, s->n);
        assert_int_equal(salvage(s, sim, &o), 0);
        for (size_t i = 0; i < s->n; i++)
            assert_true(o.exact[i]);
        vfs_free(&sim);
    }
}

/* Segments alone: everything is in them. Without the first ones and without a snapshot: the bytes are. */
static void test_no_snapshot(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        const struct store *s = &stores[k];
        struct verify_result r;
        struct image im;
        struct vfs *sim;
        struct outcome o;

        image_copy(&im, &s->image);
        for (size_t i = 0; i < im.n; i++) {
            if (im.files[i].name.kind != VFS_LOG)
                im.files[i].len = SIZE_MAX;
        }
        sim = image_mount(&im);
        r = verify(sim);
        assert_true(k == 0 ? r.findings[VERIFY_LOSS] == 0 : r.findings[VERIFY_LOSS] > 0);
        (void)salvage(s, sim, &o);
        for (size_t i = 0; i < s->n; i++)
            assert_true(k == 0 ? o.exact[i] : o.got[i]);
        vfs_free(&sim);
        image_free(&im);
    }
}

static void explain(const struct store *s, const struct damage *d, size_t n, size_t message, const char *what)
{
    const struct message *m = &s->messages[message];

    fprintf(stderr, "%s: %s uid %u (log %u, %llu+%llu)\n", what, m->mailbox, m->uid, m->seg, (unsigned long long)m->off,
            (unsigned long long)m->len);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "  file %d.%u.%u of %zu octets: %llu to %llu\n", s->image.files[d[i].file].name.kind,
                s->image.files[d[i].file].name.id, s->image.files[d[i].file].name.num, s->image.files[d[i].file].len,
                (unsigned long long)d[i].from, (unsigned long long)d[i].to);
}

struct totals {
    unsigned found[3], refused, unserved;
};

static void check_outcome(const struct store *s, const struct damage *d, size_t nd, struct vfs *sim, struct totals *t)
{
    struct verify_result r = verify(sim);
    struct outcome rescued, served;
    bool opened, lost = false;

    (void)salvage(s, sim, &rescued);
    opened = serve(s, sim, &served);
    t->refused += !opened;
    t->found[r.findings[VERIFY_LOSS] > 0 ? 2 : r.findings[VERIFY_HARMLESS] > 0]++;
    for (size_t i = 0; i < s->n; i++) {
        bool whole = !touched(s, &s->messages[i], d, nd);

        if (whole && !rescued.got[i])
            explain(s, d, nd, i, "not salvaged");
        assert_true(!whole || rescued.got[i]);
        if (r.findings[VERIFY_LOSS] == 0 && !rescued.exact[i])
            explain(s, d, nd, i, "verify says that nothing is lost");
        assert_true(r.findings[VERIFY_LOSS] > 0 || rescued.exact[i]);
        lost = lost || !served.exact[i];
        t->unserved += whole && !served.got[i];
        if (only_messages(s, d, nd) && whole && !served.exact[i])
            explain(s, d, nd, i, "not served");
        assert_true(!only_messages(s, d, nd) || !whole || served.exact[i]);
    }
    if (lost && r.findings[VERIFY_LOSS] + r.findings[VERIFY_HARMLESS] == 0)
        explain(s, d, nd, 0, "not found by verify");
    assert_true(!lost || r.findings[VERIFY_LOSS] + r.findings[VERIFY_HARMLESS] > 0);
}

static void test_damage(void **state)
{
    const char *wanted = getenv("CULVER_CORRUPTIONS");
    struct cursor c = cursor_make(wanted != NULL ? view_str(wanted) : VIEW("1500"));
    uint64_t rounds = cursor_dec(&c, 1, 100000000);
    struct totals t = {{0}, 0, 0};

    (void)state;
    for (uint64_t i = 0; i < rounds; i++) {
        const struct store *s = &stores[i % 2];
        size_t nd = roll(3) == 0 ? 1 + (size_t)roll(4) : 1;
        struct damage d[5];
        struct image im;
        struct vfs *sim;

        image_copy(&im, &s->image);
        for (size_t k = 0; k < nd; k++)
            d[k] = damage_file(&im);
        sim = image_mount(&im);
        check_outcome(s, d, nd, sim, &t);
        vfs_free(&sim);
        image_free(&im);
    }
    printf("%llu damaged stores: verify finds nothing in %u, harmless damage in %u, losses in %u; %u refused by the server\n",
           (unsigned long long)rounds, t.found[0], t.found[1], t.found[2], t.refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_no_snapshot),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
