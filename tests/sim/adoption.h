/*
 * A Maildir that Dovecot served is opened for the first time, and the machine crashes at each operation of it. Whatever was taken
 * over by then, every message must get the UID that clients know, and no UID may come that the list had for another.
 */
#ifndef CULVER_TESTS_SIM_ADOPTION_H
#define CULVER_TESTS_SIM_ADOPTION_H

#include "tests/sim/storage_sim.h"

#define ADOPTED 300 /* more than one transaction */
#define ADOPTED_VALIDITY 1234567u
#define ADOPTED_NEXT (ADOPTED * 3 + 50u)

static inline uint32_t adopted_uid(uint32_t number)
{
    return number * 3 + 1;
}

static inline void adoption_prepare(struct sim_run *r)
{
    struct maildir *md = maildir_sim_open(r->disk);
    struct buf list;
    char name[64], text[64];
    int cur;

    maildir_sim_foreign(r->disk, true);
    SIM_CHECK(r, md_box_make(md, "") == 0 && md_dir_open(md, "", MD_CUR, &cur) == 0);
    buf_init(&list, 1 << 20);
    buf_put_fmt(&list, "3 V%u N%u G00000000000000000000000000000000\n", ADOPTED_VALIDITY, ADOPTED_NEXT);
    for (uint32_t i = 0; i < ADOPTED; i++) {
        /* Their times go against their UIDs. */
        snprintf(name, sizeof(name), "%u.%u.other", 1600000000u - i, i);
        snprintf(text, sizeof(text), "Subject: %u\n\n", i);
        SIM_CHECK(r, md_file_write(md, cur, name, view_str(text), 0) == 0);
        buf_put_fmt(&list, "%u :%s\n", adopted_uid(i), name);
    }
    SIM_CHECK(r, md_file_write(md, md->root, "dovecot-uidlist", buf_view(&list), 0) == 0);
    (void)md_close(md->disk, cur);
    buf_free(&list);
    maildir_sim_foreign(r->disk, false);
    maildir_free(&md);
}

static inline void adoption_check(struct sim_run *r)
{
    struct mailbox *m = account_find(r->acc, VIEW("INBOX"));
    struct mailbox_view *v = mailbox_view_open(r->acc, m, false);
    struct mailbox_status st;

    mailbox_status(m, &st);
    SIM_SAY("validity %u next %u op %llu messages %u\n", st.uidvalidity, st.uidnext, (unsigned long long)vfs_sim_ops(r->vfs),
            st.messages);
    SIM_CHECK(r, st.uidvalidity == ADOPTED_VALIDITY && st.uidnext == ADOPTED_NEXT);
    SIM_CHECK(r, mailbox_view_count(v) == ADOPTED);
    for (uint32_t seq = 1; seq <= ADOPTED; seq++) {
        struct msg_data d;
        char text[64];

        snprintf(text, sizeof(text), "Subject: %u\r\n\r\n", seq - 1);
        SIM_CHECK(r, mailbox_view_uid(v, seq) == adopted_uid(seq - 1) && mailbox_view_data(v, seq, &d) == 0);
        SIM_CHECK(r, view_eq(d.bytes, view_str(text)));
        msg_data_close(&d);
    }
    mailbox_view_close(&v);
}

/* Returns how many crashes that were. */
static inline uint64_t sim_adoption(uint64_t seed)
{
    for (uint64_t op = 1;; op++) {
        struct sim_run *r = calloc(1, sizeof(*r));
        bool over;

        sim_begin(r, seed, true);
        adoption_prepare(r);
        vfs_sim_crash_at(r->vfs, op);
        over = sim_open_account(r) == 0 && !vfs_sim_crashed(r->vfs);
        if (!over) {
            account_close(&r->acc);
            vfs_sim_reboot(r->vfs, (enum sim_loss)(op % 3));
            SIM_CHECK(r, sim_open_account(r) == 0);
        }
        vfs_sim_crash_at(r->vfs, 0);
        adoption_check(r);
        sim_end(r);
        if (over)
            return op - 1;
    }
}

#endif
