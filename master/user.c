#include "master/user.h"

#include <stdlib.h>

#include "common/base/mem.h"

struct user *user_new(const struct user_record *record)
{
    struct user *u = xcalloc(1, sizeof(*u));

    u->name = view_dup(record->name);
    u->home = view_dup(record->home);
    u->mail_path = view_dup(record->mail_path);
    u->virtual_uid = record->virtual_uid;
    u->uid = record->uid;
    u->gid = record->gid;
    u->format = record->format;
    u->sessions_max = record->sessions_max;
    u->sessions_per_address = record->sessions_per_address;
    u->quota_bytes = record->quota_bytes;
    u->quota_messages = record->quota_messages;
    u->capability_disable = view_dup(record->capability_disable);
    return u;
}

void user_free(struct user **up)
{
    struct user *u = *up;

    if (u == NULL)
        return;
    free(u->name);
    free(u->home);
    free(u->mail_path);
    free(u->detail);
    free(u->capability_disable);
    free(u);
    *up = NULL;
}

struct user_record user_to_record(const struct user *u)
{
    return (struct user_record){.name = view_str(u->name),
                                .virtual_uid = u->virtual_uid,
                                .uid = u->uid,
                                .gid = u->gid,
                                .home = view_str(u->home),
                                .mail_path = view_str(u->mail_path),
                                .format = u->format,
                                .sessions_max = u->sessions_max,
                                .sessions_per_address = u->sessions_per_address,
                                .quota_bytes = u->quota_bytes,
                                .quota_messages = u->quota_messages,
                                .capability_disable = view_str(u->capability_disable)};
}
