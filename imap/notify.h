/*
 * NOTIFY (RFC 5465): which events the client wants to hear of at any time, and telling them.
 *
 * A session keeps no queue of events. It keeps what it last told of the account (a line a mailbox), and compares: so a client
 * that reads nothing costs no more than one that does, and many changes become one response. All of it can be written out: the
 * text of the command says what is wanted, and what was told is as it was when the state was taken.
 */
#ifndef CULVER_IMAP_NOTIFY_H
#define CULVER_IMAP_NOTIFY_H

#include "imap/session_int.h"

enum imap_event {
    EVENT_NEW = 1,
    EVENT_EXPUNGE = 2,
    EVENT_FLAGS = 4,
    EVENT_NAME = 8,
    EVENT_SUBSCRIPTION = 16,
    EVENT_METADATA = 32,
    EVENT_SERVER_METADATA = 64
};
#define EVENTS_MESSAGE (EVENT_NEW | EVENT_EXPUNGE | EVENT_FLAGS)

enum imap_notify_filter { NOTIFY_PERSONAL, NOTIFY_SUBSCRIBED, NOTIFY_SUBTREE, NOTIFY_MAILBOXES };
#define NOTIFY_GROUPS_MAX 64
#define NOTIFY_NAMES_MAX 1000
#define NOTIFY_MAILBOXES_MAX 10000

struct imap_notify_group {
    enum imap_notify_filter filter;
    unsigned events;
    struct view *names; /* storage form, sorted by view_cmp() */
    size_t nnames;
};

/* What was told of one name. */
struct imap_notify_name {
    uint32_t id; /* 0: no mailbox has it */
    uint32_t uidvalidity, uidnext, messages, unseen;
    uint64_t modseq;
    size_t name, len; /* in notify.names */
    unsigned use;
    bool subscribed, children, readable;
};
struct imap_notify_key {
    uint32_t id, index;
};
struct imap_notify_spelled {
    struct view name; /* in notify.names */
    uint32_t index;
};
struct imap_notify_state {
    struct imap_notify_name *v;
    size_t n, cap;
    struct imap_notify_key *by_id;       /* sorted; those without a mailbox first */
    struct imap_notify_spelled *by_name; /* sorted by view_cmp() */
    struct buf names;
    bool overflow;
};

struct imap_notify {
    struct imap_pool pool; /* of the groups */
    struct view text;      /* the command */
    unsigned enabled;      /* as it was read */
    struct imap_notify_group groups[NOTIFY_GROUPS_MAX];
    size_t ngroups;
    unsigned selected; /* events of the selected mailbox */
    bool delayed;
    bool first;        /* what had gathered before the command is told whatever was asked for */
    struct view fetch; /* "(…)" for new messages; empty: nothing */
    struct imap_notify_state told;
    uint64_t names, changes;      /* account_names_changes() and account_mailbox_changes() of it */
    uint32_t first_new, last_new; /* UIDs of messages to be fetched; 0: none */
    struct imap_job *job;         /* fetches them */
};

void imap_notify_free(struct imap_notify **n);

/* For moving a session to another process (notify_freeze.c). The record has all of it: what the account was when it was last told
 * is compared with what it is then. A record that cannot be true fails the cursor. */
void imap_notify_freeze(const struct imap_session *s, struct buf *out);
void imap_notify_thaw(struct imap_session *s, struct cursor *c);

/* Hooks of telling (tell.c). May changes of the selected mailbox be told at all? */
bool imap_notify_tells(struct imap_session *s, bool allow_expunge);
/* Takes out what the client does not want to hear, notes new messages; before: messages in the view until then. */
void imap_notify_synced(struct imap_session *s, struct view_changes *c, uint32_t before);
/* Responses for new messages and for other mailboxes; false: the slice is over. */
bool imap_notify_tell(struct imap_session *s);
/* EXPUNGE may come at any time (SELECTED, not SELECTED-DELAYED). */
bool imap_notify_expunges(const struct imap_session *s);
/* Does it want to hear of annotations of this mailbox (NULL: of the server)? */
bool imap_notify_metadata(const struct imap_session *s, const struct mailbox *m);

void imap_notify_unselected(struct imap_session *s);
/* A command of this session has changed names: that is no news to its client. */
void imap_notify_own_names(struct imap_session *s);

/* notify_state.c: the names as they are now. */
void imap_notify_look(struct imap_session *s, struct imap_notify_state *out);
void imap_notify_state_init(struct imap_notify_state *state);
void imap_notify_state_free(struct imap_notify_state *state);
/* Makes by_id and by_name of v. */
void imap_notify_state_index(struct imap_notify_state *state);
struct view imap_notify_name(const struct imap_notify_state *state, const struct imap_notify_name *n);
/* The entry of a mailbox (or, id 0, of a name); NULL: none. */
const struct imap_notify_name *imap_notify_find(const struct imap_notify_state *state, uint32_t id, struct view name);

/* The order of a group's names, for qsort(). */
int imap_notify_name_cmp(const void *a, const void *b);
/* Events that the groups ask for in a name. */
unsigned imap_notify_events(const struct imap_notify *n, struct view name, const struct imap_notify_name *e);
/* Responses for all that differs. */
void imap_notify_compare(struct imap_session *s, const struct imap_notify_state *now);
/* The same where no name has changed: looks at the mailboxes whose messages have, and notes what was told of them. */
void imap_notify_compare_changed(struct imap_session *s);

#endif
