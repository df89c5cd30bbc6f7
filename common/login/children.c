/* Two chained hash tables over the same entries. Ids are random and pids are the kernel's: neither can be chosen by a client. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/login/children.h"

#define BUCKETS 4096

struct login_children {
    struct login_child *by_id[BUCKETS];
    struct login_child *by_pid[BUCKETS];
    size_t count;
};

struct login_children *login_children_new(void)
{
    return xcalloc(1, sizeof(struct login_children));
}

void login_children_free(struct login_children **setp)
{
    struct login_child *child;

    if (*setp == NULL)
        return;
    while ((child = login_children_any(*setp)) != NULL)
        login_children_remove(*setp, child);
    free(*setp);
    *setp = NULL;
}

struct login_child *login_children_add(struct login_children *set, const struct login_child *child)
{
    struct login_child *copy = xmalloc(sizeof(*copy));

    *copy = *child;
    copy->next_id = set->by_id[copy->id % BUCKETS];
    set->by_id[copy->id % BUCKETS] = copy;
    if (copy->pid > 0) {
        copy->next_pid = set->by_pid[(unsigned)copy->pid % BUCKETS];
        set->by_pid[(unsigned)copy->pid % BUCKETS] = copy;
    }
    set->count++;
    return copy;
}

struct login_child *login_children_by_id(struct login_children *set, uint64_t id)
{
    struct login_child *child = set->by_id[id % BUCKETS];

    while (child != NULL && child->id != id)
        child = child->next_id;
    return child;
}

struct login_child *login_children_by_pid(struct login_children *set, pid_t pid)
{
    struct login_child *child = set->by_pid[(unsigned)pid % BUCKETS];

    while (child != NULL && child->pid != pid)
        child = child->next_pid;
    return child;
}

void login_children_remove(struct login_children *set, struct login_child *child)
{
    struct login_child **at = &set->by_id[child->id % BUCKETS];

    while (*at != child)
        at = &(*at)->next_id;
    *at = child->next_id;
    if (child->pid > 0) {
        at = &set->by_pid[(unsigned)child->pid % BUCKETS];
        while (*at != child)
            at = &(*at)->next_pid;
        *at = child->next_pid;
    }
    free(child);
    set->count--;
}

size_t login_children_count(const struct login_children *set)
{
    return set->count;
}

void login_children_each(struct login_children *set, void (*fn)(void *arg, struct login_child *child), void *arg)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct login_child *child = set->by_id[i]; child != NULL; child = child->next_id)
            fn(arg, child);
}

struct login_child *login_children_any(struct login_children *set)
{
    for (size_t i = 0; i < BUCKETS; i++)
        if (set->by_id[i] != NULL)
            return set->by_id[i];
    return NULL;
}
