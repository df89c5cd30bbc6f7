/* The inside of a hosted session, for hosted.c and upgrade.c. */
#ifndef CULVER_WORKER_HOSTED_INT_H
#define CULVER_WORKER_HOSTED_INT_H

#include "worker/deflate.h"
#include "worker/worker_int.h"

struct hosted {
    struct session_host host;
    struct worker *w;
    const struct protocol *protocol;
    void *session; /* NULL until the account has been opened, or could not be */
    struct hosted *next, **prev;
    int fd;
    struct watch *watch;
    struct buf in;
    struct deflate *deflate; /* between the descriptor and in and out; NULL: not compressed */
    struct timer *idle, *stall, *rest;
    char *tag, *final, *detail;
    size_t final_len;
    /* Of a session that a predecessor began, until it goes on here: its record, and a file of its own. Else -1. */
    int record, spool;
    uint64_t record_size;
    bool quiet; /* a farewell may be put: nothing was unsent */
    uint64_t sent, received;
    const char *end_reason;
    bool runnable;
    bool ended;     /* nothing more can be received; host.eof once what was received is in `in` */
    bool closing;   /* the protocol is done: send what is left, then close */
    bool lingering; /* all is sent and our side shut; what the client still says is read and forgotten */
};

/* The facts of a session, from msg_session or msg_thaw. */
struct hosted *hosted_make(struct worker *w, const struct msg_session *m, int fd);
void hosted_init_out(struct hosted *h);
/* The folder that the user's name at log-in asked for. */
void hosted_set_detail(struct hosted *h, struct view detail);
/* The connection is compressed from now on, by this layer, which is taken over. */
void hosted_use_deflate(struct hosted *h, struct deflate *d);
/* The account is open, or cannot be (w->acc NULL): the protocol begins. */
void hosted_start(struct hosted *h);
/* Octets of the session's answers, and of what was made of them. */
uint64_t hosted_unsent(const struct hosted *h);
/* Tells the client, if its protocol has words for that now, that there is no memory: at once, asking for none. True when it was
 * told. The session is to end. */
bool hosted_last_words(const struct hosted *h);
/* Out of everything, without a word to anybody; its memory goes at the end of the turn. */
void hosted_remove(struct hosted *h);

#endif
