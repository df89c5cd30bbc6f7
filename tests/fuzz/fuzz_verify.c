/*
 * The files of an account, changed anywhere, and where the input says so with checksums that fit again. Verifying and salvaging
 * must come to an end without touching what they should not, and what salvage gives out is what its checksum says.
 *
 * Input: a mode (bit 0: mend checksums), then changes of four octets: file, offset (16 bits), octet.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "storage/account_int.h"
#include "storage/salvage.h"
#include "storage/snapshot_int.h"
#include "storage/txlog_int.h"
#include "storage/verify.h"
#include "storage/vfs_frozen.h"
#include "tests/unit/storage/store_image.h"

static uint64_t clock_ms(void *arg)
{
    (void)arg;
    return 1700000000000u;
}

static void append(struct account *acc, const char *mailbox, unsigned n)
{
    struct mailbox *m = account_find(acc, view_str(mailbox));
    char text[] = "Subject: 0\r\n\r\nbody\r\n";
    const struct message_source src = {.parts = {view_str(text)}, .fd = -1};
    const struct view keyword = VIEW("work");
    const struct append_options opt = {
        .flags = n % 2 == 0 ? MSG_SEEN : MSG_DELETED, .keywords = &keyword, .nkeywords = n % 3 == 0};
    struct txn *t = txn_begin(acc);

    text[9] = (char)('0' + n % 10);
    ASSERT(txn_append(t, m, &src, &opt) == 0);
    txn_commit(&t, NULL, NULL);
    ASSERT(account_commit(acc) == 0);
}

static void make_image(struct image *im)
{
    struct vfs *vfs = vfs_sim_new(3);
    const struct account_params p = {.vfs = vfs, .mailboxes_max = 10, .now_ms = clock_ms, .segment_max = 1500};
    struct account *acc = NULL;
    struct txn *t;

    ASSERT(account_open(&p, &acc) == 0);
    acc->small_mailbox = 3;
    t = txn_begin(acc);
    ASSERT(txn_create(t, VIEW("Lists/culver"), 0) == 0);
    txn_commit(&t, NULL, NULL);
    ASSERT(account_commit(acc) == 0);
    for (unsigned i = 0; i < 9; i++)
        append(acc, i % 3 == 0 ? "Lists/culver" : "INBOX", i);
    ASSERT(snapshot_write(acc) == 0);
    append(acc, "INBOX", 9);
    account_close(&acc);
    image_take(im, vfs);
    vfs_free(&vfs);
}

/* --- checksums that fit -------------------------------------------------------------------------------------------------------
 */

static void put_sum(uint8_t *at, uint64_t sum)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(sum >> (8 * i));
}

static uint64_t get64(const uint8_t *p)
{
    struct cursor c = cursor_make(view_make(p, 8));

    return cursor_u64(&c);
}

static void mend_log(struct image_file *f)
{
    uint64_t off = TXLOG_HEADER_SIZE, seed;

    if (f->len < TXLOG_HEADER_SIZE)
        return;
    put_sum(f->bytes + TXLOG_HEADER_SIZE - 8, XXH3_64bits(f->bytes, TXLOG_HEADER_SIZE - 8));
    seed = get64(f->bytes + 40);
    while (f->len - off >= TXLOG_TXN_SIZE) {
        uint64_t ops = get64(f->bytes + off) >> 32, total = get64(f->bytes + off + 8);

        if (total < TXLOG_TXN_SIZE || total > f->len - off || ops > total - TXLOG_TXN_SIZE || total % 8 != 0)
            return;
        put_sum(f->bytes + off + 40,
                txlog_txn_sum(seed, f->bytes + off, view_make(f->bytes + off + TXLOG_TXN_SIZE, (size_t)ops)));
        off += total;
    }
}

static void mend_state(struct image_file *f)
{
    uint8_t *end = f->bytes + f->len - STATE_TRAILER_SIZE;
    uint64_t off, len;

    if (f->len < STATE_HEADER_SIZE + STATE_TRAILER_SIZE)
        return;
    off = get64(end + 16);
    len = get64(end + 24);
    if (off <= f->len && len <= f->len - off)
        put_sum(end + 32, XXH3_64bits(f->bytes + off, (size_t)len));
    put_sum(end + STATE_TRAILER_SIZE - 8, XXH3_64bits(end, STATE_TRAILER_SIZE - 8));
}

static void mend_mbox(struct image_file *f)
{
    uint8_t *end;

    if (f->len < MBOX_TRAILER_SIZE)
        return;
    end = f->bytes + f->len - MBOX_TRAILER_SIZE;
    put_sum(end + 32, XXH3_64bits(f->bytes, f->len - MBOX_TRAILER_SIZE));
    put_sum(end + MBOX_TRAILER_SIZE - 8, XXH3_64bits(end, MBOX_TRAILER_SIZE - 8));
}

static void mend(struct image *im)
{
    for (size_t i = 0; i < im->n; i++) {
        switch (im->files[i].name.kind) {
        case VFS_LOG:
            mend_log(&im->files[i]);
            break;
        case VFS_STATE:
            mend_state(&im->files[i]);
            break;
        case VFS_MBOX:
            mend_mbox(&im->files[i]);
            break;
        default:
            break;
        }
    }
}

/* --- what is looked at
 * ----------------------------------------------------------------------------------------------------------- */

static void found(void *arg, const struct verify_finding *f)
{
    (void)arg;
    ASSERT(f->what != NULL && f->grade <= VERIFY_LOSS);
}

static int orphan(void *arg, const struct salvage_message *m)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < m->bytes.len; i++)
        sum ^= m->bytes.ptr[i];
    *(uint8_t *)arg ^= sum;
    return 0;
}

static void read_all(struct account *acc)
{
    for (size_t i = 0; i < acc->nmailboxes; i++) {
        struct mailbox_view *v = mailbox_view_open(acc, acc->by_id[i], false);

        for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
            struct msg_info info;
            struct msg_data data;

            mailbox_view_info(v, seq, &info);
            if (mailbox_view_data(v, seq, &data) == 0) {
                ASSERT(data.bytes.len == info.size);
                msg_data_close(&data);
            }
        }
        mailbox_view_close(&v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct image base;
    const struct verify_params params = {.found = found};
    struct cursor c = cursor_make(view_make(data, size));
    struct verify_result result;
    struct salvage *s = NULL;
    struct image im;
    struct vfs *sim, *frozen;
    uint8_t mode = cursor_u8(&c), sum = 0;

    log_set_level(LOG_LVL_FATAL);
    if (base.n == 0)
        make_image(&base);
    image_copy(&im, &base);
    while (cursor_left(&c) >= 4) {
        struct image_file *f = &im.files[cursor_u8(&c) % im.n];
        uint16_t off = cursor_u16(&c);
        uint8_t byte = cursor_u8(&c);

        if (f->len > 0)
            f->bytes[off % f->len] = byte;
    }
    if (mode % 2 == 1)
        mend(&im);
    sim = image_mount(&im);
    if (vfs_frozen_new(sim, &frozen) != 0)
        PANIC("cannot freeze");
    (void)!verify_account(frozen, &params, &result);
    if (salvage_open(frozen, &s) == 0) {
        read_all(salvage_account(s));
        (void)!salvage_orphans(s, orphan, &sum);
        salvage_close(&s);
    }
    vfs_free(&frozen);
    vfs_free(&sim);
    image_free(&im);
    return 0;
}
