/* SELECT and EXAMINE share everything but one word (select.c). */
#ifndef CULVER_IMAP_SELECT_H
#define CULVER_IMAP_SELECT_H

#include "imap/session_int.h"

struct imap_select_args {
    struct view name;
    bool condstore, opened;
    uint32_t scan; /* messages already looked at for the first unseen one */
    struct mailbox_status status;
};
void imap_select_parse(struct imap_parse *p, struct imap_job *job);
enum imap_step imap_select_step(struct imap_job *job, bool examine);

#endif
