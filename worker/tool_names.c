#include "worker/tool_names.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

const char *tool_names_find(const struct tool_names *names, struct view mailbox)
{
    for (size_t i = 0; i < names->n; i++) {
        if (view_eq(view_str(names->v[i].mailbox), mailbox))
            return names->v[i].name;
    }
    return NULL;
}

static bool is_taken(const struct tool_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->v[i].name, name) == 0)
            return true;
    }
    return false;
}

const char *tool_names_give(struct tool_names *names, struct view mailbox, struct view wanted)
{
    size_t len = wanted.len;
    char *name = xmalloc(len + names->n + 1);

    if (len > 0)
        memcpy(name, wanted.ptr, len);
    name[len] = '\0';
    while (is_taken(names, name)) {
        name[len++] = '_';
        name[len] = '\0';
    }
    if (names->n == names->cap) {
        names->cap = MAX_OF(names->cap * 2, (size_t)64);
        names->v = xreallocarray(names->v, names->cap, sizeof(*names->v));
    }
    names->v[names->n++] = (struct tool_name){view_dup(mailbox), name};
    return name;
}

void tool_names_free(struct tool_names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        free(names->v[i].mailbox);
        free(names->v[i].name);
    }
    free(names->v);
}
