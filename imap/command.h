/* The table of commands: the single list of what the session speaks. */
#ifndef CULVER_IMAP_COMMAND_H
#define CULVER_IMAP_COMMAND_H

#include "imap/session_int.h"

/* NULL when there is no such command (or a setting has disabled it). */
const struct imap_command *imap_command_find(const struct imap_session *s, struct view name);
/* NULL when a command of this name can be given now, else the text for BAD. "UID" is a name here. */
const char *imap_command_check(const struct imap_session *s, struct view name);

/* One row a file cmd_<name>.c. */
extern const struct imap_command imap_cmd_append, imap_cmd_cancelupdate, imap_cmd_capability, imap_cmd_check, imap_cmd_close,
    imap_cmd_comparator, imap_cmd_compress, imap_cmd_copy, imap_cmd_create, imap_cmd_delete, imap_cmd_deleteacl, imap_cmd_enable,
    imap_cmd_esearch, imap_cmd_examine, imap_cmd_expunge, imap_cmd_fetch, imap_cmd_getacl, imap_cmd_getmetadata,
    imap_cmd_getquota, imap_cmd_getquotaroot, imap_cmd_id, imap_cmd_idle, imap_cmd_language, imap_cmd_list, imap_cmd_listrights,
    imap_cmd_logout, imap_cmd_lsub, imap_cmd_move, imap_cmd_myrights, imap_cmd_namespace, imap_cmd_noop, imap_cmd_rename,
    imap_cmd_search, imap_cmd_select, imap_cmd_setacl, imap_cmd_setmetadata, imap_cmd_setquota, imap_cmd_sort, imap_cmd_status,
    imap_cmd_store, imap_cmd_subscribe, imap_cmd_thread, imap_cmd_unselect, imap_cmd_unsubscribe;
extern const struct imap_command imap_cmd_replace, imap_cmd_notify;

#endif
