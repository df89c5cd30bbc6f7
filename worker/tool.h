/*
 * The inside of culver-mailtool: what `culverctl verify`, `salvage`, `import`, `export` and `compact` do, as the owner of the
 * mail and in a sandbox. A source (an account, a Maildir, an mbox) goes through its mailboxes and messages and gives each to a
 * sink (the same three). What one message fails with is said and counted, and the next one follows; an error of a sink ends the
 * work.
 */
#ifndef CULVER_WORKER_TOOL_H
#define CULVER_WORKER_TOOL_H

#include "storage/account.h"
#include "storage/vfs.h"

/* Exit statuses, as culverctl(8) has them. */
#define TOOL_EXIT_DONE 0
#define TOOL_EXIT_FAILED 1 /* of verify: damage that loses nothing */
#define TOOL_EXIT_LOSS 2   /* something is lost, or was left out */
#define TOOL_EXIT_USAGE 64
#define TOOL_EXIT_BUSY 75 /* the mail is in use */

struct tool {
    bool show;         /* progress goes to standard error */
    uint64_t shown_at; /* ms */
    uint64_t messages, skipped, failed, bytes;
    uint64_t notes; /* things that could not be kept, such as the 27th keyword of a Maildir */
};

/* tool_output.c. Lines for the administrator: names of mailboxes and files are printed with control bytes escaped. */
void tool_say(struct tool *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* On standard error: what goes wrong. */
void tool_complain(struct tool *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* view as a heap string for the two above; the caller frees it. */
char *tool_printable(struct view v);
/* Shows how far it is, a few times a second. total 0: unknown. what: "messages". */
void tool_progress(struct tool *t, const char *what, uint64_t done, uint64_t total);
void tool_progress_end(struct tool *t);

struct tool_mailbox {
    struct view name;              /* UTF-8, '/' between levels */
    uint32_t uidvalidity, uidnext; /* 0: the source has none */
};
struct tool_message {
    uint32_t uid; /* 0: none; rising in a mailbox, those without behind those with */
    unsigned flags;
    const struct view *keywords;
    size_t nkeywords;
    bool has_date;
    int64_t date;
    int zone;
    struct view uidl;  /* POP3 unique id; empty: the usual one */
    struct view bytes; /* CRLF line ends where the source is clean */
};

struct tool_sink;
struct tool_sink_ops {
    /* 0, ERR_EXISTS (it is done already: its messages are not to come), or what ends the work. */
    int (*mailbox)(struct tool_sink *s, const struct tool_mailbox *m);
    int (*message)(struct tool_sink *s, const struct tool_message *m);
    int (*mailbox_end)(struct tool_sink *s);
    int (*subscribe)(struct tool_sink *s, struct view name);
    int (*finish)(struct tool_sink *s); /* everything was given; makes it durable */
    void (*free)(struct tool_sink *s);
};
/* Implementations embed this as their first member. */
struct tool_sink {
    const struct tool_sink_ops *ops;
    struct tool *tool;
};

MUST_CHECK int tool_sink_account(struct tool *t, struct account *acc, struct tool_sink **out);
/* dir: a descriptor of the folder to write to, borrowed. */
MUST_CHECK int tool_sink_maildir(struct tool *t, int dir, struct tool_sink **out);
MUST_CHECK int tool_sink_mbox(struct tool *t, int dir, struct tool_sink **out);
void tool_sink_free(struct tool_sink **s);

/* Sources. Each gives everything that it has, but not finish(). */
MUST_CHECK int tool_source_account(struct tool *t, struct account *acc, struct tool_sink *sink);
MUST_CHECK int tool_source_maildir(struct tool *t, int dir, struct tool_sink *sink);
/* fd: an mbox file, or a folder of such files named *.mbox (mailbox is then not used). */
MUST_CHECK int tool_source_mbox(struct tool *t, int fd, struct view mailbox, struct tool_sink *sink);

/* tool_commands.c: each returns an exit status. vfs is of the mail path. */
enum tool_format { TOOL_NATIVE, TOOL_MAILDIR, TOOL_MBOX };
struct tool_job {
    struct vfs *vfs;
    struct maildir *maildir; /* the messages are files of this; NULL: they are in the log */
    struct vfs *source;      /* import from native */
    bool in_use;             /* somebody has the account's lock */
    int other;               /* descriptor of DEST or SRC; -1: none */
    enum tool_format format;
    struct view mailbox; /* for an mbox file */
    const struct auto_mailbox *autos;
    size_t nautos;
};
int tool_verify(struct tool *t, const struct tool_job *job);
int tool_salvage(struct tool *t, const struct tool_job *job);
int tool_export(struct tool *t, const struct tool_job *job);
int tool_import(struct tool *t, const struct tool_job *job);
int tool_compact(struct tool *t, const struct tool_job *job);

/* tool_text.c */
/* Every line end as CRLF; a CR alone stays. */
void tool_to_crlf(struct buf *out, struct view in);
/* CRLF as LF. */
void tool_to_lf(struct buf *out, struct view in);

/* tool_files.c: files beneath a folder, without following links. */
MUST_CHECK int tool_file_open(int dir, const char *name, int flags, int *fd_out);
/* Makes it where it is missing. */
MUST_CHECK int tool_dir_open(int dir, const char *name, bool create, int *fd_out);
/* The whole file, appended; at most max octets. ERR_LIMIT, ERR_NOTFOUND … */
MUST_CHECK int tool_file_read(int dir, const char *name, size_t max, struct buf *out);
/* Under another name first, synced, then renamed. */
MUST_CHECK int tool_file_write(int dir, const char *name, struct view bytes);
/* The wanted names in it, sorted; freed with tool_list_free(), also after an error. */
MUST_CHECK int tool_list_dir(int dir, bool (*wanted)(const char *name), char ***out, size_t *n_out);
void tool_list_free(char ***names, size_t n);
MUST_CHECK int tool_write_all(int fd, struct view bytes);

#endif
