/*
 * Inside the IMAP session: its state, the jobs that commands become, and the table row of a command. Only files of imap/ include
 * this.
 *
 * A command is parsed into a job. A job's step() does a slice of work and is called again until it is done; then the session
 * tells what has changed in the mailbox and writes the tagged answer. Jobs are answered in the order of their commands. A
 * stackable command (APPEND, STORE) may be staged while earlier stackable ones still wait for the tick's commit, so that
 * pipelined changes share it; any other command waits until the queue is empty. Only the job at the head writes output.
 *
 * What outlives a command is in struct imap_session, what a command needs is in its job: nothing hides in locals or callbacks.
 */
#ifndef CULVER_IMAP_SESSION_INT_H
#define CULVER_IMAP_SESSION_INT_H

#include "imap/collation.h"
#include "imap/input.h"
#include "imap/parse.h"
#include "imap/session.h"
#include "storage/mailbox_view.h"
#include "storage/txn.h"

#define IMAP_POOL_MAX (4 * 1024 * 1024)   /* parsed form of one command */
#define IMAP_CODE_MAX (8 * 1024 * 1024)   /* a response code (COPYUID of scattered messages) */
#define IMAP_DIGEST_MAX (4 * 1024 * 1024) /* a digest rebuilt from its message */
#define IMAP_SLICE_US 4000                /* work done before other sessions have their turn */

/* States of RFC 9051 section 3 after log-in; a command's row is a mask of them. */
enum imap_state { IMAP_AUTHENTICATED = 1, IMAP_SELECTED = 2, IMAP_ANY = 3 };

/* What was ENABLEd (RFC 5161), or switched on by use (CONDSTORE, RFC 7162 3.1). */
enum imap_enabled {
    IMAP_ENABLED_CONDSTORE = 1,
    IMAP_ENABLED_UTF8 = 2,
    IMAP_ENABLED_REV2 = 4,
    IMAP_ENABLED_QRESYNC = 8,
    IMAP_ENABLED_UIDONLY = 16,
    IMAP_ENABLED_METADATA = 32,
    IMAP_ENABLED_ALL = 63
};

enum imap_answer { IMAP_OK, IMAP_NO, IMAP_BAD };

enum imap_step {
    IMAP_STEP_AGAIN,  /* the slice is over */
    IMAP_STEP_COMMIT, /* waits for its transactions; called again afterwards */
    IMAP_STEP_INPUT,  /* waits for its client or for news of the view (IDLE) */
    IMAP_STEP_DONE    /* job->answer is set */
};

enum imap_command_flags {
    IMAP_CMD_UID = 1,          /* has a UID form */
    IMAP_CMD_STACK = 2,        /* may be staged behind staged ones */
    IMAP_CMD_WRITE = 4,        /* not in a mailbox opened with EXAMINE */
    IMAP_CMD_HOLD_EXPUNGE = 8, /* no EXPUNGE responses with it, but in its UID form (RFC 9051 7.5.1) */
    IMAP_CMD_QUIET = 16,       /* tells no changes at all before its answer */
    IMAP_CMD_NAMES = 64,       /* changes names or subscriptions */
    IMAP_CMD_NO_NUMBERS = 32   /* has a UID form, but uses no message numbers without it either */
};

/* How far a job has come, in messages; goal 0: not known. */
struct imap_progress {
    uint64_t done, goal;
};

struct imap_job;
struct imap_command {
    const char *name;
    unsigned states;                                           /* mask of enum imap_state */
    unsigned flags;                                            /* enum imap_command_flags */
    const char *capability;                                    /* it is not there when this is disabled; may be NULL */
    size_t args_size;                                          /* of job->args, zeroed before parse */
    void (*parse)(struct imap_parse *p, struct imap_job *job); /* from the space after the name; NULL: no arguments */
    enum imap_step (*step)(struct imap_job *job);
    void (*committed)(struct imap_job *job, const struct txn_result *result); /* a transaction has succeeded; may be NULL */
    void (*answered)(struct imap_job *job); /* its tagged answer is in the output; may be NULL */
    void (*drop)(struct imap_job *job);     /* releases what args hold besides the pool; may be NULL */
    void (*progress)(const struct imap_job *job, struct imap_progress *out); /* for INPROGRESS (RFC 9585); may be NULL */
    /* Where its job may be frozen before it is done (freeze.c); NULL: nowhere. */
    bool (*parked)(const struct imap_job *job);
    void (*freeze)(const struct imap_job *job, struct buf *out);
    /* The same again in a job that was parsed from the command's text. Fails the cursor when it cannot be true. */
    void (*thaw)(struct imap_job *job, struct cursor *c);
};

enum imap_job_phase { IMAP_JOB_STEP, IMAP_JOB_TELL, IMAP_JOB_ANSWER };

struct imap_job {
    struct imap_job *next;
    struct imap_session *s; /* NULL once the session has gone: the job then only waits for its transactions */
    const struct imap_command *cmd;
    struct imap_pool pool;
    struct view text, tag; /* the command's bytes, in the pool */
    bool uid;              /* UID form */
    bool waits;            /* the last step returned IMAP_STEP_COMMIT */
    enum imap_job_phase phase;
    bool telling;             /* the tell has begun */
    bool internal;            /* no client gave it: it is not answered, and sets no flags */
    bool hold;                /* no EXPUNGE with this one, its UID form or not */
    unsigned commits;         /* transactions that are not committed yet */
    int commit_err;           /* the first error of a transaction */
    uint32_t limit;           /* how many messages it may work on */
    uint32_t limited;         /* the lowest UID that it works on, where a limit keeps it from others (limit.h); 0: none does */
    uint64_t progress_due_us; /* when its client is told next that it goes on; 0: it has just begun */
    void *args;
    enum imap_answer answer;
    const char *answer_text;
    struct buf code; /* response code without brackets; empty: none */
};

/* Changes of the mailbox that are being told, in slices. */
struct imap_tell {
    uint32_t *expunged, *changed;
    size_t nexpunged, nchanged, pos_expunged, pos_changed;
    struct uidset vanished; /* with QRESYNC or UIDONLY, instead of expunged */
    size_t pos_vanished;
    unsigned context; /* contexts that are done with the touched messages */
    size_t touched_range;
    uint32_t touched_next;
    uint32_t count, recent;
    bool exists, keywords;
    uint64_t modseq, held_modseq; /* struct view_changes */
};

struct imap_session {
    struct session_host *host;
    struct account *acc;
    struct mailbox_view *view; /* of the selected mailbox, or NULL */
    bool examine;              /* selected read-only */
    bool told_modseq;          /* a FETCH response had a MODSEQ, and HIGHESTMODSEQ did not follow */
    bool behind;               /* HIGHESTMODSEQ was told that is below the mailbox's, because expunges are held back */
    unsigned rights_told;      /* in it (enum acl_right), as of the last PERMANENTFLAGS */
    unsigned enabled;          /* mask of enum imap_enabled */
    struct comparator comparator;
    struct imap_input input;
    struct buf final_tag; /* not empty: waits for the client's empty answer to the last SASL message */
    struct imap_job *head, *tail;
    struct imap_job *receiving; /* an APPEND whose literals are coming in */
    struct imap_job *held;      /* parsed, waits for the queue to be empty */
    struct imap_tell tell;
    struct uidset saved;           /* UIDs of the last SEARCH RETURN (SAVE); those that are gone are just not found any more */
    struct imap_context *contexts; /* searches that go on (context.h) */
    struct uidset touched;         /* UIDs that they have to look at */
    struct {
        uint64_t told, own_first, own_last;
    } metadata; /* changes of annotations by their numbers: up to where they are told, and those that the session made last */
    struct account_watch *watch; /* for them */
    struct imap_notify *notify;  /* notify.h; NULL until NOTIFY is used */
    bool telling;                /* news, while no command is in progress */
    uint64_t bad_commands;       /* in a row */
    bool closing;
    bool parking;      /* it is to be frozen: no command is begun, and the output may be any length */
    bool mid_response; /* a response is being written in slices: nothing may come between */
    bool news;         /* the view has told us of something */
    uint64_t slice_end_us;
    unsigned slice_checks;
    size_t in_seen; /* bytes of input seen at the last run */
};

/* --- the session ------------------------------------------------------------------------------------------ */
enum imap_state imap_session_state(const struct imap_session *s);
/* True when this turn's share of time or output is used up. Cheap. */
bool imap_slice_over(struct imap_session *s);
/* The same with a look at the clock each time: after work that takes long by itself. */
bool imap_slice_spent(struct imap_session *s);
/* "* BYE [code] text"; the session closes once it is sent. code may be NULL. */
void imap_session_close(struct imap_session *s, const char *code, const char *text);
void imap_session_unselect(struct imap_session *s);
void imap_session_select(struct imap_session *s, struct mailbox *m, bool examine);
/* A view that is there already, for the selected mailbox. */
void imap_session_use_view(struct imap_session *s, struct mailbox_view *v, bool examine);
/* What a session is before anything has happened in it. */
struct imap_session *imap_session_make(struct session_host *host, struct account *acc);
/* CONDSTORE is on from now on (RFC 7162 3.1); the first time HIGHESTMODSEQ of the selected mailbox is told. */
void imap_session_condstore(struct imap_session *s);
/* Counts a command that was answered BAD; closes the session when there were too many. */
void imap_session_count_bad(struct imap_session *s);
/* Names and quoted strings are UTF-8 (RFC 6855 3, RFC 9051 appendix A). */
static inline bool imap_session_utf8(const struct imap_session *s)
{
    return (s->enabled & (IMAP_ENABLED_UTF8 | IMAP_ENABLED_REV2)) != 0;
}
/* \Recent and its companions are of IMAP4rev1 only (RFC 9051 appendix E). */
static inline bool imap_session_recent(const struct imap_session *s)
{
    return (s->enabled & IMAP_ENABLED_REV2) == 0;
}
/* Unsolicited FETCH responses have the UID (RFC 7162 3.2.4, RFC 9051 appendix E, RFC 5465 5.1). */
static inline bool imap_session_tells_uid(const struct imap_session *s)
{
    return (s->enabled & (IMAP_ENABLED_CONDSTORE | IMAP_ENABLED_REV2)) != 0 || s->notify != NULL;
}
/* Message numbers are neither taken nor told (RFC 9586). */
static inline bool imap_session_uidonly(const struct imap_session *s)
{
    return (s->enabled & IMAP_ENABLED_UIDONLY) != 0;
}
/* Separator shown to the client. */
char imap_separator(const struct imap_session *s);

/* --- jobs --------------------------------------------------------------------------------------------------- */
/* A job for the command in text, which is copied: tag, name and state are checked, p is set behind the name. NULL: answered BAD.
 */
struct imap_job *imap_job_new(struct imap_session *s, struct view text, struct imap_parse *p);
/* Sets the answer when the mailbox or what is enabled does not allow the command, whatever its arguments. */
void imap_job_check(struct imap_job *job);
/* Puts it to the queue and stages it at once when it can be. Takes the job. */
void imap_job_queue(struct imap_session *s, struct imap_job **job);
/* One turn of the job at the head of the queue; *done: it is answered and gone. */
enum imap_step imap_job_advance(struct imap_session *s, bool *done);
/* True when a further command may be read although jobs wait. */
bool imap_job_stackable(const struct imap_session *s);
void imap_job_free(struct imap_job **job);
/* Set the answer and give IMAP_STEP_DONE. Texts are constants; code may be NULL. */
enum imap_step imap_job_ok(struct imap_job *job, const char *text);
enum imap_step imap_job_no(struct imap_job *job, const char *code, const char *text);
enum imap_step imap_job_bad(struct imap_job *job, const char *text);
enum imap_step imap_job_bad_code(struct imap_job *job, const char *code, const char *text);
/* NO with the response code for an error of storage (RFC 5530). */
enum imap_step imap_job_fail(struct imap_job *job, int err);
/* Queues the transaction for the tick's commit; the step then returns IMAP_STEP_COMMIT. */
void imap_job_commit(struct imap_job *job, struct txn **t);

/* --- telling changes (tell.c) --------------------------------------------------------------------------------- */
/* Takes over what waits for the view; told by imap_tell_step in slices, which returns true when all is told. */
void imap_tell_begin(struct imap_session *s, bool allow_expunge);
bool imap_tell_step(struct imap_session *s, bool with_uid);
void imap_tell_free(struct imap_session *s);
/* "* n FETCH (", or with UIDONLY "* uid UIDFETCH (" */
void imap_tell_fetch(struct imap_session *s, uint32_t seq, uint32_t uid);
/* "* n FETCH (FLAGS …)" */
void imap_tell_flags(struct imap_session *s, uint32_t seq, bool with_uid);
/* "* FLAGS (…)" and "* OK [PERMANENTFLAGS (…)]" */
void imap_tell_keywords(struct imap_session *s);

/* --- message sets ------------------------------------------------------------------------------------------------ */
/* The set of a command as sequence numbers of the view, by its UID form. ERR_RANGE: numbers that are not there. */
MUST_CHECK int imap_job_seqs(struct imap_job *job, const struct imap_seq_set *set, struct uidset *seqs_out);
/* Walks a set: the first member >= *next, or 0; *next is set past it. *range is a hint that starts at 0. */
uint32_t imap_seqs_next(const struct uidset *seqs, size_t *range, uint32_t *next);
/* Downwards: the last member < *next (any member when that is 0), or 0; *next is set to it. */
uint32_t imap_seqs_previous(const struct uidset *seqs, uint32_t *next);

#endif
