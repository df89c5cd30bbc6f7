/*
 * Maildir++ as the place of an account's messages (mail_format = maildir). Everything about messages is in the account's log, as
 * in the native format, in the folder culver/ of the Maildir; the bytes of messages are files in cur/ and new/ of the Maildir and
 * of its folders, where other programs may deliver, read, flag and remove them. docs/maildir.md has the formats, the order of
 * writes and what each crash leaves.
 *
 * Called by the worker. Nothing outside of the Maildir is ever opened, whatever was planted in it: no link is followed, and what
 * is no regular file is no message.
 */
#ifndef CULVER_STORAGE_MAILDIR_H
#define CULVER_STORAGE_MAILDIR_H

#include "storage/vfs.h"

struct maildir;

/* Opens the Maildir at path (made where it is missing, 0700) and the place of its log. Before the sandbox closes. Give both to
 * account_open(), account_params.maildir and .vfs, and free them after account_close(). Errors as vfs_posix_open(). */
MUST_CHECK int maildir_open(const char *path, struct maildir **out, struct vfs **vfs_out);
void maildir_free(struct maildir **md);

#endif
