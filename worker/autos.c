#include "worker/autos.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/log/log.h"

static const struct {
    const char *name;
    unsigned use;
} uses[] = {
    {"\\All", USE_ALL},   {"\\Archive", USE_ARCHIVE}, {"\\Drafts", USE_DRAFTS}, {"\\Flagged", USE_FLAGGED},
    {"\\Junk", USE_JUNK}, {"\\Sent", USE_SENT},       {"\\Trash", USE_TRASH},   {"\\Important", USE_IMPORTANT},
};

static unsigned use_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
        if (view_eq_nocase(view_str(uses[i].name), view_str(name)))
            return uses[i].use;
    }
    LOG_WARN(0, "auto_mailboxes names an unknown special use", F_STR("use", name));
    return 0;
}

void autos_parse(const struct conf_list *list, struct auto_mailbox **out, size_t *n_out)
{
    struct auto_mailbox *autos = xcalloc(list->n + 1, sizeof(*autos));

    for (size_t i = 0; i < list->n; i++) {
        char *name = xstrdup(list->items[i]);
        char *colon = strchr(name, ':');

        if (colon != NULL) {
            *colon = '\0';
            autos[i].use = use_find(colon + 1);
        }
        autos[i].name = name; /* transferred */
    }
    *out = autos;
    *n_out = list->n;
}
