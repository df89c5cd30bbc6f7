/* The setting auto_mailboxes ("Drafts:\Drafts", "Notes") as storage wants it. */
#ifndef CULVER_WORKER_AUTOS_H
#define CULVER_WORKER_AUTOS_H

#include "common/conf/conf.h"
#include "storage/account.h"

/* The names are copies that live as long as the process. An unknown use is logged and left out. */
void autos_parse(const struct conf_list *list, struct auto_mailbox **out, size_t *n_out);

#endif
