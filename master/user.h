/* A user as auth described it, in memory of its own (the decoded record only borrows from the message). Master only. */
#ifndef CULVER_MASTER_USER_H
#define CULVER_MASTER_USER_H

#include "common/ipc/proto.h"

struct user {
    char *name, *home, *mail_path; /* never NULL */
    char *detail;                  /* of the grant: the folder that is asked for; "": none, NULL: not a grant's */
    bool admin;                    /* of the grant: a master user acts as this user */
    bool virtual_uid;
    uint32_t uid, gid;
    enum user_format format;
    uint32_t sessions_max, sessions_per_address; /* 0: the general ones */
    uint64_t quota_bytes, quota_messages;
    char *capability_disable; /* never NULL */
};

struct user *user_new(const struct user_record *record);
void user_free(struct user **user);
/* The record for a message; its views borrow from user. */
struct user_record user_to_record(const struct user *user);

#endif
