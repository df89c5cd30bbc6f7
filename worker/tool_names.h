#ifndef CULVER_WORKER_TOOL_NAMES_H
#define CULVER_WORKER_TOOL_NAMES_H

#include "common/base/view.h"

/* Names of mailboxes and what they are called in a folder, where a '.' can be one of the name or between levels. So that no two
 * are called the same, wanted (without its end) gets as many '_' as that takes; the result is owned by names. */
struct tool_names {
    struct tool_name {
        char *mailbox, *name;
    } * v;
    size_t n, cap;
};
const char *tool_names_give(struct tool_names *names, struct view mailbox, struct view wanted);
/* NULL: it has none yet. */
const char *tool_names_find(const struct tool_names *names, struct view mailbox);
void tool_names_free(struct tool_names *names);

#endif
