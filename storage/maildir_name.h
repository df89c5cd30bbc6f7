/*
 * Names in a Maildir, as pure functions: of message files ("base:2,flags") and of folders (".Folder.Sub" in modified UTF-7).
 * Called by the maildir_*.c files and their tests.
 *
 * A file's base name is what stands before the first ':'; it names the message for good, and never changes. Behind ":2," follow
 * its flags, in ASCII order: D draft, F flagged, R answered, S seen, T deleted, other capitals that only other programs know, and
 * a to z for the keywords that dovecot-keywords lists.
 */
#ifndef CULVER_STORAGE_MAILDIR_NAME_H
#define CULVER_STORAGE_MAILDIR_NAME_H

#include "common/base/buf.h"

#define MD_NAME_MAX 255
#define MD_LETTERS 26

struct md_name {
    struct view base;
    unsigned flags;   /* enum msg_flag */
    uint32_t letters; /* keyword letters: bit 0 is 'a' */
    uint32_t others;  /* capitals that mean nothing to us, kept when the file is renamed: bit 0 is 'A' */
    struct view rest; /* from a ',' behind the flags on, kept as it is */
};

/* False: no name of a message file (hidden, empty, too long, holds a '/' or NUL). */
bool md_name_parse(struct view name, struct md_name *out);
void md_name_put(struct buf *out, const struct md_name *n);
/* What identifies the message in records: never 0. */
uint64_t md_name_hash(struct view base);
/* The number behind ",S=" (octets of the file) or ",W=" (octets with CRLF line ends) in a base name. */
bool md_name_size(struct view base, char which, uint64_t *out);
/* Seconds at the front of a base name, by which new messages are put in order; 0 where there are none. */
uint64_t md_name_time(struct view base);

/* ".A.B" as "A/B" in UTF-8. ERR_SYNTAX: not the name of a folder that can be served. */
MUST_CHECK int md_folder_to_name(struct view dir, struct buf *out);
/* "A/B" as ".A.B"; nothing for INBOX. ERR_SYNTAX: a '.' within a level, which such a name cannot hold; ERR_LIMIT: too long. */
MUST_CHECK int md_folder_from_name(struct view name, struct buf *out);

#endif
