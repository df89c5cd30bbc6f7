/* SELECT and EXAMINE share everything but one word (select.c). */
#ifndef CULVER_IMAP_SELECT_H
#define CULVER_IMAP_SELECT_H

#include "imap/session_int.h"

/* QRESYNC parameter (RFC 7162 3.2.5): what the client knew. */
struct imap_qresync {
    bool given;
    uint32_t uidvalidity;
    uint64_t modseq;
    bool has_known;
    struct imap_seq_set known, match_seqs, match_uids;
    struct uidset vanished;
    size_t range;  /* of vanished, written */
    uint32_t told; /* messages whose flags were looked at */
};

struct imap_select_args {
    struct view name;
    bool condstore, opened, selected;
    struct imap_qresync resync;
    uint32_t scan; /* messages already looked at for the first unseen one */
    struct mailbox_status status;
};
void imap_select_parse(struct imap_parse *p, struct imap_job *job);
enum imap_step imap_select_step(struct imap_job *job, bool examine);
void imap_select_drop(struct imap_job *job);

#endif
