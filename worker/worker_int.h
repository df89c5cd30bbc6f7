/*
 * The inside of culver-worker: one user, one account, its sessions and deliveries.
 *
 * tick.c drives everything: run sessions, commit, send. hosted.c is one client connection, deliver.c one delivery, life.c the
 * worker's own life (opening the account, lingering, leaving).
 */
#ifndef CULVER_WORKER_WORKER_INT_H
#define CULVER_WORKER_WORKER_INT_H

#include "common/proc/proc.h"
#include "storage/account.h"
#include "worker/protocol.h"

struct hosted;
struct vfs;

struct worker {
    struct proc proc;
    const struct set_general *general;
    const struct set_worker *set;

    char *user;
    char *mail_path;
    int mail_format; /* enum set_mail_format; of this user */
    uint64_t quota_bytes, quota_messages;
    char *capability_disable; /* of this user, separated by commas */
    struct auto_mailbox *autos;
    size_t nautos;

    int spool_dir; /* directory descriptor of the mail path, for unlinked spool files */
    struct vfs *vfs;
    struct maildir *maildir;  /* NULL: messages are in the log */
    struct watch *changes;    /* of files, by other programs */
    struct timer *look;       /* and where they cannot be watched */
    struct account *acc;      /* NULL: not open (yet) */
    struct timer *open_retry; /* armed while another process still holds the account */
    uint64_t open_deadline;
    bool commit_failing; /* the last commit failed: logged once until one succeeds */

    struct hosted *sessions; /* all, newest first */
    size_t nsessions;
    size_t ndeliveries;       /* staged or waiting for the account */
    struct delivery *waiting; /* deliveries that came before the account was open or have to wait for their turn, oldest first */
    struct delivery *staged;  /* those that wait for the commit */
    uint64_t nstaged, staged_octets;
    uint64_t room_bytes, room_messages; /* of the quota, as master was told last */
    unsigned quota_level;               /* the percentage of quota_warnings that was reached last */
    bool had_session;                   /* it has served more than deliveries */

    struct timer *linger, *background, *leave;
    bool idle_told; /* master knows that nothing is left to serve */
    bool stopping, exiting;
    bool upgrading; /* sessions are being handed over: nothing new is begun */
    struct timer *upgrade_wait, *upgrade_end;
};

#define WORKER_STOP_TEXT "The server is shutting down, please reconnect."

/* life.c */
void worker_life_init(struct worker *w);
/* Opens the account if it is not open. 0, ERR_BUSY (retry is armed), or why it cannot be. */
MUST_CHECK int worker_account_open(struct worker *w);
/* A session or delivery came or went: arms or disarms the linger timer, exits when stopping and nothing is left. */
void worker_life_update(struct worker *w);
/* Master asks us to leave: every session gets its farewell. */
void worker_stop(struct worker *w);

/* hosted.c */
/* Takes over fd. */
void hosted_new(struct worker *w, const struct msg_session *m, int fd);
/* The account has been opened, or cannot be (w->acc NULL): sessions that waited for it start. */
void hosted_start_waiting(struct worker *w);
/* One step of the protocol when there is something to do. */
void hosted_run(struct hosted *h);
/* Sends what may be sent, adjusts what is watched, ends the session when it is over. */
void hosted_flush(struct hosted *h);
void hosted_bye(struct hosted *h, const char *code, const char *text);
/* Ends it now, whatever is unsent. reason: a constant word for the log. */
void hosted_drop(struct hosted *h, const char *reason);
bool hosted_runnable(const struct hosted *h);
struct hosted *hosted_next(const struct hosted *h);
uint64_t hosted_id(const struct hosted *h);

/* exhausted.c */
/* From now on, before the process aborts for want of memory, the sessions are told and the log says what the limit was. */
void worker_watch_memory(struct worker *w);

/* deliver.c */
/* Takes over both descriptors. */
void deliver_new(struct worker *w, const struct msg_deliver *m, int memfd, int reply_fd);
/* Deliveries whose turn has come: stage or refuse them. */
void deliver_start_waiting(struct worker *w);

/* quota_warn.c */
/* The account has been opened: what is reached already is nothing to warn of. */
void worker_quota_start(struct worker *w);
/* After a commit: stages a warning when it has lifted the usage over a percentage of quota_warnings. */
void worker_quota_check(struct worker *w);

/* upgrade.c */
/* Master wants a fresh process in this one's place: sessions are brought to a point where they can be handed over. */
void worker_upgrade(struct worker *w);
/* At the end of a turn: hands over when all have got there, then leaves. */
void worker_upgrade_step(struct worker *w);
/* A session of the predecessor's; takes the descriptors (-1). */
void upgrade_receive(struct worker *w, const struct msg_thaw *m, int fds[static 3]);
/* Its protocol goes on where it was, or it gets its farewell. */
void upgrade_thaw(struct hosted *h);

/* tick.c */
/* Commits what is staged, if anything is. */
void worker_commit(struct worker *w);
void worker_tick(void *arg);

#endif
