/* Private to parent.c and accept.c. */
#ifndef CULVER_COMMON_LOGIN_PARENT_INT_H
#define CULVER_COMMON_LOGIN_PARENT_INT_H

#include "common/login/children.h"
#include "common/login/login_int.h"

struct login_listener {
    struct login_parent *parent;
    struct msg_listener facts; /* name points to the copy below */
    char *name;
    int fd;
    struct watch *watch;
};

struct login_parent {
    const struct serve_kind *kind;
    const void *kind_arg;
    struct serve_context *ctx;
    const struct set_login *set;
    struct loop *loop;
    struct ipc *master; /* not owned */
    struct ipc *auth, *keys;
    int auth_fd, keys_fd; /* before login_parent_start */
    struct login_listener listeners[LOGIN_LISTENERS_MAX];
    size_t nlisteners;
    struct login_limits *limits;
    struct login_nets *proxies;
    struct login_children *children;
    struct timer *pause, *sweep;
    uint64_t refused, refused_logged_at;
    bool stopping, failed;
};

/* Closes everything that only the parent needs: what a child does first. */
void login_parent_release(struct login_parent *p);
/* This connection no longer counts as one before log-in. */
void login_parent_uncount(struct login_parent *p, struct login_child *child);
/* A process was forked: sees to it that its time is bounded. */
void login_parent_watch_time(struct login_parent *p);
/* The end of a connection in shared mode. */
void login_parent_conn_ended(void *arg, uint64_t conn_id);

/* accept.c */
loop_watch_fn login_accept_ready;
loop_fn login_accept_resume;

#endif
