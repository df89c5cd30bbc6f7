#include "master/rooms.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "master/table.h"

struct room {
    char *name;
    char *mail_path; /* this and the quota: of the user's record when its worker was started */
    uint64_t quota_bytes, quota_messages;
    struct msg_worker_room left;
    uint64_t until; /* 0: its worker lives */
};

struct rooms {
    struct table *by_name;
    size_t max;
};

struct rooms *rooms_new(size_t max)
{
    struct rooms *r = xcalloc(1, sizeof(*r));

    r->by_name = table_new(max);
    r->max = max;
    return r;
}

static void room_free(struct room *room)
{
    if (room != NULL) {
        free(room->name);
        free(room->mail_path);
    }
    free(room);
}

void rooms_free(struct rooms **rp)
{
    struct rooms *r = *rp;
    size_t n;

    if (r == NULL)
        return;
    void **all = table_values(r->by_name, &n);
    for (size_t i = 0; i < n; i++)
        room_free(all[i]);
    free(all);
    table_free(&r->by_name);
    free(r);
    *rp = NULL;
}

static void forget(struct rooms *r, const char *name)
{
    room_free(table_del(r->by_name, view_str(name)));
}

/* Those whose workers have left make place for one that lives. */
static void make_place(struct rooms *r)
{
    size_t n;
    void **all = table_values(r->by_name, &n);

    for (size_t i = 0; i < n; i++) {
        struct room *room = all[i];
        if (room->until != 0)
            forget(r, room->name);
    }
    free(all);
}

void rooms_told(struct rooms *r, const struct user *user, const struct msg_worker_room *left)
{
    struct room *room = table_get(r->by_name, view_str(user->name));

    if (room == NULL) {
        if (table_count(r->by_name) >= r->max)
            make_place(r);
        room = xcalloc(1, sizeof(*room));
        room->name = xstrdup(user->name);
        if (table_put(r->by_name, view_str(user->name), room) != 0) {
            room_free(room);
            return;
        }
    }
    free(room->mail_path);
    room->mail_path = xstrdup(user->mail_path);
    room->quota_bytes = user->quota_bytes;
    room->quota_messages = user->quota_messages;
    room->left = *left;
    room->until = 0;
}

void rooms_left(struct rooms *r, const struct user *user, uint64_t until, uint64_t little)
{
    struct room *room = table_get(r->by_name, view_str(user->name));

    if (room == NULL)
        return;
    if (until == 0 || (room->left.bytes >= little && room->left.messages > 0))
        forget(r, user->name);
    else
        room->until = until;
}

bool rooms_fit(struct rooms *r, const struct user *user, uint64_t size, uint64_t now)
{
    const struct room *room = table_get(r->by_name, view_str(user->name));

    if (room != NULL && room->until != 0 && now >= room->until) {
        forget(r, user->name);
        room = NULL;
    }
    if (room == NULL || room->quota_bytes != user->quota_bytes || room->quota_messages != user->quota_messages ||
        strcmp(room->mail_path, user->mail_path) != 0)
        return true;
    return room->left.messages > 0 && room->left.bytes > 0 && size <= room->left.bytes;
}
