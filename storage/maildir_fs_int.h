/* Files and directories of a Maildir: every path goes through here. */
#ifndef CULVER_STORAGE_MAILDIR_FS_INT_H
#define CULVER_STORAGE_MAILDIR_FS_INT_H

#include <sys/stat.h>

#include "storage/maildir.h"
#include "storage/maildir_disk_int.h"
#include "storage/maildir_files.h"

#define MD_LOG_DIR "culver"
#define MD_IDENT "culver-mailbox"

enum md_place { MD_NEW, MD_CUR, MD_TMP, MD_SELF, MD_PLACES };

/* Takes over root and host. */
struct maildir *md_new(struct md_disk *disk, int root, char *host);
/* ERR_DENIED: something in the way is no directory of its own (a link); ERR_NOTFOUND. */
MUST_CHECK int md_dir_open(const struct maildir *md, const char *dir, enum md_place place, int *fd_out);
/* A regular file, for reading. */
MUST_CHECK int md_file_open(const struct maildir *md, int dirfd, const char *name, int *fd_out, struct stat *st_out);
MUST_CHECK int md_dir_list(const struct maildir *md, int dirfd, bool (*fn)(void *arg, const char *name), void *arg);
/* Whole, at most max octets: ERR_LIMIT. The buffer is made. */
MUST_CHECK int md_file_read(const struct maildir *md, int dirfd, const char *name, size_t max, struct buf *out);
/* Replaces a small file durably. */
MUST_CHECK int md_file_replace(const struct maildir *md, int dirfd, const char *name, struct view bytes);
/* A new file, written and synced. */
MUST_CHECK int md_file_write(const struct maildir *md, int dirfd, const char *name, struct view bytes, int64_t mtime);
MUST_CHECK int md_sync(const struct maildir *md, const char *dir, enum md_place place);
/* The folder with cur, new and tmp, durably; no error when it is there. */
MUST_CHECK int md_box_make(const struct maildir *md, const char *dir);
MUST_CHECK int md_ident_read(const struct maildir *md, const char *dir, struct md_ident *out);
MUST_CHECK int md_ident_write(const struct maildir *md, const char *dir, const struct md_ident *id);
/* A base name that no other file has or had. Owned by the caller. */
char *md_unique(struct maildir *md, uint64_t file_size, uint64_t size);
/* Another base name with the flags of this one; NULL where that is too long. */
char *md_unique_like(struct maildir *md, const char *name);
/* 0 or -1 and errno; EEXIST where there is something of that name. */
MUST_CHECK int md_rename(const struct maildir *md, int from_dir, const char *from, int to_dir, const char *to);
MUST_CHECK int md_link(const struct maildir *md, int from_dir, const char *from, int to_dir, const char *to);
/* dir[/cur] as a path for log lines and below the root; out is PATH_MAX long. */
void md_path(const char *dir, enum md_place place, char *out, size_t size);

/* maildir_data.c */

/* The bytes of a file as they are served: every LF with its CR. *owned_out: free() it; NULL when bytes are served as they are. */
struct view md_to_crlf(struct view file, uint8_t **owned_out);
/* And as they are stored: LF, unless that could not be turned back. The same ownership. */
struct view md_to_file(struct view message, uint8_t **owned_out);
/* A file as it is served. *fd_out is -1 unless it is like that on disk; mem and fd become the caller's. */
MUST_CHECK int md_message_read(const struct maildir *md, int dirfd, const char *name, uint8_t **mem_out, struct view *out,
                               int *fd_out);

#endif
