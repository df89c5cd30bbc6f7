/* Which capabilities a client is not to see, whatever its session can do: before log-in and after it. */
#ifndef CULVER_COMMON_LOGIN_CAPABILITIES_H
#define CULVER_COMMON_LOGIN_CAPABILITIES_H

#include "common/conf/settings.h"
#include "common/ipc/proto.h"

/* The setting capability_disable, that of a client_network where the client is, or the user's own list (separated by commas;
 * NULL: none) has this name, ASCII case folded. */
bool capability_is_disabled(const struct set_worker *set, const struct net_addr *peer, const char *user_list, const char *name);

#endif
