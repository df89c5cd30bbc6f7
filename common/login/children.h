/* The connections of a login parent: by id (for IPC_MASTER_TAKEN) and by process (for SIGCHLD). Private to common/login. */
#ifndef CULVER_COMMON_LOGIN_CHILDREN_H
#define CULVER_COMMON_LOGIN_CHILDREN_H

#include <sys/types.h>

#include "common/ipc/proto.h"

struct login_child {
    struct login_child *next_id, *next_pid;
    uint64_t id;
    pid_t pid;            /* 0 in shared mode */
    void *conn;           /* in shared mode, owned: of serve_kind.open */
    uint64_t since;       /* ms of the loop's clock */
    struct net_addr peer; /* of the TCP connection */
    bool by_address;      /* counted for its address, not only in all */
    bool before_login;    /* counted at all */
};

struct login_children;

struct login_children *login_children_new(void);
void login_children_free(struct login_children **set); /* the children's conn must be closed by then */
/* A copy of *child is kept. */
struct login_child *login_children_add(struct login_children *set, const struct login_child *child);
struct login_child *login_children_by_id(struct login_children *set, uint64_t id);
struct login_child *login_children_by_pid(struct login_children *set, pid_t pid);
void login_children_remove(struct login_children *set, struct login_child *child);
size_t login_children_count(const struct login_children *set);
/* fn for each; it must not change the set. */
void login_children_each(struct login_children *set, void (*fn)(void *arg, struct login_child *child), void *arg);
/* Any one of them, or NULL. */
struct login_child *login_children_any(struct login_children *set);

#endif
