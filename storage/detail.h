/*
 * The mailbox that a user's name or address names behind its delimiter ("jo+lists", RFC 5233): where POP3 looks and deliveries
 * go. The text comes from anybody who can send a mail.
 */
#ifndef CULVER_STORAGE_DETAIL_H
#define CULVER_STORAGE_DETAIL_H

#include "storage/account.h"

/* The existing mailbox: the one with exactly this name, else the only one whose name differs in the case of ASCII letters alone
 * (mail servers like to turn addresses into lower case). separator stands for '/' besides itself. NULL: there is none. */
struct mailbox *account_find_detail(struct account *acc, struct view detail, char separator);

/* Appends the name of a mailbox to be created for it. ERR_SYNTAX: nobody would want a mailbox of this name. */
MUST_CHECK int account_detail_name(struct view detail, char separator, struct buf *out);

#endif
