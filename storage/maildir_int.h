/* What the maildir_*.c files share. */
#ifndef CULVER_STORAGE_MAILDIR_INT_H
#define CULVER_STORAGE_MAILDIR_INT_H

#include <time.h>

#include "storage/maildir_fs_int.h"
#include "storage/maildir_hooks_int.h"
#include "storage/maildir_map_int.h"

#define RESCAN_MS 5000

/* The flags that a file's name shows since it was looked at last. */
struct flag_news {
    uint32_t uid;
    unsigned add, remove;
    uint32_t add_letters, remove_letters;
};

struct md_box {
    char *dir; /* ".A.B", "" of INBOX; NULL: not known yet */
    struct md_map files;
    struct md_map dead;      /* expunged, and the file may still be there */
    struct idx_list renames; /* UIDs whose file's name is to show other flags */
    uint64_t *publish;       /* committed files that are still in tmp/ */
    size_t npublish, cpublish;
    char *letters[MD_LETTERS]; /* keywords */
    struct timespec mtime[2];  /* of new/ and cur/ when they were listed */
    struct timespec keywords_mtime;
    int wd[2]; /* inotify; -1: none */
    uint32_t gen;
    uint8_t dirty; /* bits 1 << MD_NEW, 1 << MD_CUR: to be listed again */
    bool listed;   /* files has all there are */
    bool moved;    /* the log renamed it, the folder is still called dir */
    bool unsynced; /* names in new/ or cur/ changed and are not durable */
    bool present;  /* its folder was found */
    bool unproved; /* not known yet whether the folder of that name is this mailbox's */
    bool failing;  /* cannot be read: said once */
    unsigned nnew; /* files in new/ that are messages */
    /* What was seen and is not in the log yet: only where a commit failed does it outlive the scan. */
    struct flag_news *news;
    size_t nnews, cnews;
    struct uidset vanished;
};

struct maildir {
    struct md_disk *disk;
    int root;
    char *host;
    unsigned counter;
    struct account *acc;
    int inotify;
    bool watch_all; /* every folder is watched: nothing needs to be polled */
    bool dirty;     /* some folder is */
    bool root_unsynced;
    bool root_dirty; /* folders may have come or gone */
    struct timespec root_mtime;
    struct md_watch *watches; /* by wd */
    size_t nwatches, cwatches;
    uint64_t poll_at, rename_at, retry_at; /* ms; 0: not */
    uint64_t rescan_at;                    /* what could not be looked through, or taken over, is tried again */
    bool root_failed;                      /* the folders are among that */
    bool work;                             /* something waits for md_after_commit() */
    bool opening;
    struct idx_list deleted; /* ids of mailboxes whose folders go */
    char **sync_dirs;        /* folders whose tmp/ must be durable before the next write of the log */
    size_t nsync_dirs, csync_dirs;
    char **gone; /* folders to take out of sight: ".A" */
    uint32_t *gone_ids;
    size_t ngone, cgone;
    uint32_t ndiscarded; /* of them, folders that never had a mailbox */
    bool gone_left;      /* there may be something to remove in culver/gone.<n> */
};

/* maildir_box.c */
/* The folder's name for a mailbox's. The caller frees it. */
char *md_dir_of_name(struct view name);
void md_box_set_dir(struct mailbox *m, const char *dir);
/* These places are to be listed again. */
void md_box_touch(struct mailbox *m, unsigned places);
/* Says it once. */
void md_box_failed(struct mailbox *m, const char *what, int err);
/* Reads dovecot-keywords where it changed. */
void md_letters_load(struct maildir *md, struct md_box *box);
/* The letters that show these keywords, as far as they have any. */
uint32_t md_letters_of(const struct mailbox *m, const struct keyword_set *kw);
/* And back; views are valid until the letters change. */
size_t md_letters_names(const struct md_box *box, uint32_t letters, struct view out[MD_LETTERS]);
/* Committed files from tmp/ to new/ or cur/; 0 when none is left. */
MUST_CHECK int md_box_publish(struct mailbox *m);
bool md_box_wants_renames(const struct mailbox *m);
/* Flags into file names. */
void md_box_rename(struct mailbox *m);
/* Removes the files of expunged messages, as far as it can. */
void md_box_bury(struct mailbox *m);

/* maildir_scan.c */
/* Makes memory and disk agree about one mailbox: places are bits of enum md_place. Commits what it finds. */
MUST_CHECK int md_scan_box(struct mailbox *m, unsigned places);
/* Where the file of a record is; lists the folder first where that was not done. NULL: nowhere. */
struct md_file *md_box_file(struct mailbox *m, uint64_t hash);

/* maildir_folders.c */
/* Mailboxes for new folders, none for those that are gone. */
MUST_CHECK int md_scan_folders(struct account *acc);
/* A new account: mailboxes and subscriptions of a Maildir that was in use; *is_new becomes false. */
MUST_CHECK int md_adopt(struct account *acc, bool *is_new);
/* The mailbox with the lowest id above *id; NULL: none. For walks in which mailboxes may come and go. */
struct mailbox *md_next_mailbox(struct account *acc, uint32_t *id);
/* This folder is to go; as long as it still is, it is no mailbox, whatever it looks like. */
void md_gone_later(struct maildir *md, const char *dir, uint32_t id);
bool md_is_to_go(const struct maildir *md, const char *dir);

/* maildir_watch.c */
void md_watch_box(struct mailbox *m);
void md_watch_init(struct maildir *md);
/* Takes events; true when something is dirty. */
bool md_watch_read(struct maildir *md);

#endif
