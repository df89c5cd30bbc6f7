#include "imap/command.h"

#include "common/base/mem.h"
#include "imap/capability.h"

static const struct imap_command *const commands[] = {
    &imap_cmd_replace,     &imap_cmd_notify,    &imap_cmd_append,       &imap_cmd_cancelupdate, &imap_cmd_capability,
    &imap_cmd_check,       &imap_cmd_close,     &imap_cmd_copy,         &imap_cmd_create,       &imap_cmd_delete,
    &imap_cmd_enable,      &imap_cmd_esearch,   &imap_cmd_examine,      &imap_cmd_expunge,      &imap_cmd_fetch,
    &imap_cmd_id,          &imap_cmd_idle,      &imap_cmd_list,         &imap_cmd_logout,       &imap_cmd_lsub,
    &imap_cmd_move,        &imap_cmd_namespace, &imap_cmd_noop,         &imap_cmd_rename,       &imap_cmd_search,
    &imap_cmd_select,      &imap_cmd_status,    &imap_cmd_store,        &imap_cmd_subscribe,    &imap_cmd_thread,
    &imap_cmd_sort,        &imap_cmd_unselect,  &imap_cmd_unsubscribe,  &imap_cmd_compress,     &imap_cmd_getmetadata,
    &imap_cmd_setmetadata, &imap_cmd_getquota,  &imap_cmd_getquotaroot, &imap_cmd_setquota,     &imap_cmd_getacl,
    &imap_cmd_setacl,      &imap_cmd_deleteacl, &imap_cmd_listrights,   &imap_cmd_myrights,     &imap_cmd_comparator,
    &imap_cmd_language,
};

const struct imap_command *imap_command_find(const struct imap_session *s, struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const struct imap_command *c = commands[i];

        if (view_eq_nocase(name, view_str(c->name)))
            return c->capability != NULL && imap_capability_disabled(s, c->capability) ? NULL : c;
    }
    return NULL;
}

const char *imap_command_check(const struct imap_session *s, struct view name)
{
    const struct imap_command *c;

    if (view_eq_nocase(name, VIEW("UID")))
        return s->view == NULL ? "No mailbox is selected" : NULL;
    c = imap_command_find(s, name);
    if (c == NULL)
        return "Unknown command";
    if ((c->states & imap_session_state(s)) == 0)
        return "No mailbox is selected";
    return NULL;
}
