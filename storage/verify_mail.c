/* Verifying, the mail: what each mailbox says of its messages against what is there. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "storage/message/digest.h"
#include "storage/verify_int.h"

struct count {
    uint32_t messages, unseen, deleted, recent;
    uint64_t size, deleted_size;
};

static void found_at(struct verify *v, enum verify_grade grade, const char *what, const struct mailbox *m,
                     const struct msg_rec *rec)
{
    const struct verify_finding f = {
        .grade = grade, .what = what, .mailbox = mailbox_name_view(m), .uid = rec != NULL ? rec->uid : 0};

    verify_found(v, &f);
}

static void mark_needed(struct verify *v, const struct msg_rec *rec)
{
    for (size_t i = 0; i < v->nbad; i++) {
        if (v->bad[i].seg == rec->seg && v->bad[i].off <= rec->off && rec->off < v->bad[i].off + v->bad[i].len)
            v->bad[i].needed = true;
    }
}

/* --- one message ----------------------------------------------------------------------------------------------------------- */

/* That the blob is the one that the record was written for. */
static bool same_id(struct verify *v, const struct msg_rec *rec)
{
    struct seg *s = txlog_seg(&v->mail->log, rec->seg);
    uint8_t bytes[BLOB_HEADER_SIZE];
    struct vfs_file *file;
    struct blob_head head;

    if (s == NULL || txlog_seg_file(&v->mail->log, s, &file) != 0 || vfs_read(file, rec->off, bytes, sizeof(bytes)) != 0 ||
        blob_head_parse(view_make(bytes, sizeof(bytes)), &head) != 0)
        return false;
    return memcmp(head.id, rec->emailid, BLOB_ID_SIZE) == 0;
}

static void check_data(struct verify *v, const struct mailbox *m, const struct msg_rec *rec)
{
    struct verify_finding f = {.grade = VERIFY_LOSS,
                               .what = "message cannot be read",
                               .has_file = true,
                               .file = {VFS_LOG, 0, rec->seg},
                               .offset = rec->off,
                               .length = blob_space(rec->size),
                               .mailbox = mailbox_name_view(m),
                               .uid = rec->uid};
    struct msg_data data;

    if (rec->seg == 0) /* a file of a Maildir: none of ours */
        return;
    if (message_data(v->mail, rec, &data) != 0) {
        mark_needed(v, rec);
        verify_found(v, &f);
        return;
    }
    msg_data_close(&data);
    if (!same_id(v, rec)) {
        f.what = "message is not the one that the mailbox means";
        verify_found(v, &f);
    }
}

static int read_digest(struct verify *v, const struct msg_rec *rec, struct view *out)
{
    struct blob_head head;
    int err;

    if (rec->dig_mbox != 0)
        return digfile_read(v->mail, rec, out);
    buf_reset(&v->mail->scratch);
    err = txlog_read_blob(&v->mail->log, rec->dig_num, rec->dig_off, &head, &v->mail->scratch);
    if (err == 0 && (head.kind != BLOB_DIGEST || head.len != rec->dig_len))
        err = ERR_CORRUPT;
    *out = buf_view(&v->mail->scratch);
    return err;
}

static void check_digest(struct verify *v, const struct mailbox *m, const struct msg_rec *rec)
{
    struct verify_finding f = {.grade = VERIFY_HARMLESS,
                               .what = "digest of a message is damaged; it will be made again",
                               .has_file = true,
                               .file = {VFS_LOG, 0, rec->dig_num},
                               .offset = rec->dig_off,
                               .length = blob_space(rec->dig_len),
                               .mailbox = mailbox_name_view(m),
                               .uid = rec->uid};
    struct digest d;
    struct view bytes;
    int err;

    if (rec->dig_len == 0)
        return;
    err = read_digest(v, rec, &bytes);
    if (err == 0)
        err = digest_decode(bytes, &d);
    if (err == 0) {
        digest_free(&d);
        return;
    }
    if (rec->dig_mbox != 0)
        f.file = (struct vfs_name){VFS_DIGEST, rec->dig_mbox, rec->dig_num};
    else
        mark_needed(v, &(struct msg_rec){.seg = rec->dig_num, .off = rec->dig_off});
    verify_found(v, &f);
}

/* --- mailboxes ------------------------------------------------------------------------------------------------------------- */

static bool keywords_known(const struct mailbox *m, const struct msg_rec *rec)
{
    for (unsigned k = m->nkeywords; k < KEYWORDS_MAX; k++) {
        if ((rec->keywords.bits[k / 64] & (uint64_t)1 << (k % 64)) != 0)
            return false;
    }
    return true;
}

static void count_record(const struct mailbox *m, const struct msg_rec *rec, struct count *c)
{
    c->messages++;
    c->size += rec->size;
    c->unseen += (rec->flags & MSG_SEEN) == 0;
    c->recent += rec->uid >= m->first_recent;
    if ((rec->flags & MSG_DELETED) != 0) {
        c->deleted++;
        c->deleted_size += rec->size;
    }
}

static void check_record(struct verify *v, const struct mailbox *m, const struct msg_rec *rec)
{
    if (rec->uid >= m->uidnext)
        found_at(v, VERIFY_LOSS, "UID is not below the mailbox's next UID", m, rec);
    if (rec->modseq > m->highestmodseq)
        found_at(v, VERIFY_HARMLESS, "modification sequence is above the mailbox's highest", m, rec);
    if (!keywords_known(m, rec))
        found_at(v, VERIFY_HARMLESS, "keyword that the mailbox does not know", m, rec);
    check_data(v, m, rec);
    check_digest(v, m, rec);
    verify_progress(v, rec->size);
}

static void check_mailbox(struct verify *v, struct mailbox *m)
{
    struct count c = {0};
    uint32_t last = 0;

    v->result.mailboxes++;
    if (mailbox_load(m) != 0)
        return; /* reported already */
    for (uint32_t i = 0; i < mailbox_nrecs(m); i++) {
        const struct msg_rec *rec = mailbox_rec(m, i);

        if (rec->uid <= last)
            found_at(v, VERIFY_LOSS, rec->uid == last ? "UID is there twice" : "UIDs do not rise", m, rec);
        last = rec->uid;
        if ((rec->flags & REC_GONE) != 0)
            continue;
        count_record(m, rec, &c);
        check_record(v, m, rec);
    }
    v->result.messages += c.messages;
    if (c.messages != m->messages || c.size != m->size)
        found_at(v, VERIFY_HARMLESS, "mailbox counts its messages wrongly", m, NULL);
    if (c.unseen != m->unseen || c.deleted != m->deleted || c.deleted_size != m->deleted_size || c.recent != m->recent)
        found_at(v, VERIFY_HARMLESS, "mailbox counts its flags wrongly", m, NULL);
}

/* --- the account --------------------------------------------------------------------------------------------------------- */

/* What segments and digest files are said to be needed for, counted anew. Both are counted in place and put back. */
static void check_live(struct verify *v)
{
    struct account *acc = v->mail;
    uint64_t *before = xcalloc(acc->log.nsegs + acc->ndigfiles + 1, sizeof(*before));
    size_t n = 0, wrong = 0;

    for (size_t i = 0; i < acc->log.nsegs; i++) {
        before[n++] = acc->log.segs[i]->live;
        acc->log.segs[i]->live = 0;
    }
    for (size_t i = 0; i < acc->ndigfiles; i++) {
        before[n++] = acc->digfiles[i]->live;
        acc->digfiles[i]->live = 0;
    }
    for (size_t k = 0; k < acc->nmailboxes; k++) {
        struct mailbox *m = acc->by_id[k];

        for (uint32_t i = 0; i < mailbox_nrecs(m); i++) {
            if ((mailbox_rec(m, i)->flags & REC_GONE) == 0)
                rec_count_live(acc, mailbox_rec(m, i), 1);
        }
    }
    n = 0;
    for (size_t i = 0; i < acc->log.nsegs; i++)
        wrong += acc->log.segs[i]->live != before[n++];
    for (size_t i = 0; i < acc->ndigfiles; i++)
        wrong += acc->digfiles[i]->live != before[n++];
    free(before);
    if (wrong > 0) {
        const struct verify_finding f = {.grade = VERIFY_HARMLESS, .what = "account counts wrongly what its files hold"};

        verify_found(v, &f);
    }
}

void verify_mail(struct verify *v)
{
    struct account *acc = v->mail;
    uint64_t bytes = 0, messages = 0;
    bool damaged = false;

    for (size_t i = 0; i < acc->nmailboxes; i++) {
        check_mailbox(v, acc->by_id[i]);
        bytes += acc->by_id[i]->size;
        messages += acc->by_id[i]->messages;
        damaged = damaged || acc->by_id[i]->damaged;
    }
    if (bytes != acc->bytes || messages != acc->messages) {
        const struct verify_finding f = {.grade = VERIFY_HARMLESS, .what = "account counts its quota wrongly"};

        verify_found(v, &f);
    }
    if (!damaged)
        check_live(v);
}
