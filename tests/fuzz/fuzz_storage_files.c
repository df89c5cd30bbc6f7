/*
 * The files of an account, damaged anywhere. The input is a list of changes (file, offset, bytes) to a good account in memory.
 * Whatever they are, opening it gives an error or an account of which every message is either whole or refused, and which takes a
 * new message.
 */
#include <stdlib.h>

#include "common/log/log.h"
#include "storage/account_int.h"
#include "storage/vfs_sim.h"

static uint64_t clock_ms(void *arg)
{
    (void)arg;
    return 1700000000000u;
}

static int open_account(struct vfs *vfs, struct account **acc)
{
    struct account_params p = {.vfs = vfs, .mailboxes_max = 10, .now_ms = clock_ms, .segment_max = 4000};
    int err = account_open(&p, acc);

    if (err == 0)
        (*acc)->small_mailbox = 3;
    return err;
}

static void append(struct account *acc, unsigned n)
{
    struct mailbox *m = account_find(acc, VIEW("INBOX"));
    char text[] = "Subject: 0\r\n\r\nbody\r\n";
    struct message_source src = {.parts = {view_str(text)}, .fd = -1};
    struct append_options opt = {.flags = MSG_SEEN};
    struct txn *t = txn_begin(acc);

    text[9] = (char)('0' + n % 10);
    if (m != NULL && txn_append(t, m, &src, &opt) == 0)
        txn_commit(&t, NULL, NULL);
    else
        txn_abort(&t);
    (void)!account_commit(acc);
}

struct damage {
    struct vfs *vfs;
    unsigned at, which;
    uint64_t off;
    uint8_t byte;
};

/* Rewrites a file of the simulation with one byte changed. */
static bool change_file(void *arg, struct vfs_name name)
{
    struct damage *c = arg;
    struct vfs_file *f;
    struct iovec iov;
    uint64_t size;
    uint8_t *p;

    if (c->at++ != c->which)
        return true;
    if (vfs_file_open(c->vfs, name, VFS_WRITE, &f) != 0)
        return false;
    if (vfs_size(f, &size) == 0 && size > 0) {
        p = malloc((size_t)size);
        if (vfs_read(f, 0, p, (size_t)size) == 0 && vfs_truncate(f, 0) == 0) {
            p[c->off % size] = c->byte;
            iov = (struct iovec){p, (size_t)size};
            vfs_set_epoch(c->vfs, 99);
            (void)!vfs_append(f, 0, 99, &iov, 1);
        }
        free(p);
    }
    vfs_file_close(&f);
    return false;
}

static void look(struct account *acc)
{
    struct mailbox *m = account_find(acc, VIEW("INBOX"));
    struct mailbox_view *v;

    if (m == NULL)
        return;
    v = mailbox_view_open(acc, m, true);
    for (uint32_t seq = 1; seq <= mailbox_view_count(v); seq++) {
        struct msg_data d;
        struct view digest;
        struct msg_info info;

        mailbox_view_info(v, seq, &info);
        if (mailbox_view_data(v, seq, &d) == 0) {
            uint8_t id[BLOB_ID_SIZE];

            content_id_of(d.bytes, id);
            ASSERT(d.bytes.len == info.size);
            msg_data_close(&d);
        }
        (void)!mailbox_view_digest(v, seq, &digest);
    }
    mailbox_view_close(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vfs *vfs = vfs_sim_new(1);
    struct cursor c = cursor_make(view_make(data, size));
    struct account *acc = NULL;
    unsigned n = cursor_u8(&c) % 24;

    log_set_level(LOG_LVL_FATAL);
    if (open_account(vfs, &acc) != 0)
        PANIC("a new account");
    for (unsigned i = 0; i < n; i++)
        append(acc, i);
    if (cursor_u8(&c) % 2 == 0)
        (void)!snapshot_write(acc);
    append(acc, n);
    account_close(&acc);
    while (cursor_left(&c) >= 4) {
        struct damage ch = {.vfs = vfs, .which = cursor_u8(&c)};

        ch.off = cursor_u16(&c);
        ch.byte = cursor_u8(&c);
        (void)!vfs_list(vfs, change_file, &ch);
    }
    if (open_account(vfs, &acc) == 0) {
        look(acc);
        append(acc, n + 1);
        for (int i = 0; i < 20 && account_background(acc) == 0; i++)
            ;
        look(acc);
        account_close(&acc);
    }
    vfs_free(&vfs);
    return 0;
}
