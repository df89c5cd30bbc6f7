/* All components in the order of conf/culver.conf, and what follows from settings without being one. */
#include "common/conf/settings.h"

#include "common/base/mem.h"
#include "common/ipc/proto.h"

const struct conf_component *const set_all_components[] = {
    &set_general_component, &set_master_component, &set_login_component,
    &set_auth_component,    &set_worker_component, &set_lmtp_component,
};
const size_t set_all_ncomponents = ARRAY_LEN(set_all_components);

uint16_t set_listener_port(const struct set_listener *listener)
{
    bool implicit = listener->tls == LISTENER_TLS_IMPLICIT;

    if (listener->port != 0)
        return (uint16_t)listener->port;
    switch (listener->protocol) {
    case PROTO_IMAP:
        return implicit ? 993 : 143;
    case PROTO_POP3:
        return implicit ? 995 : 110;
    default:
        return 24;
    }
}

unsigned set_listener_mode(const struct set_listener *listener)
{
    unsigned mode = 0;

    if (listener->socket_mode[0] == '\0')
        return listener->socket_group[0] == '\0' ? 0600 : 0660;
    for (const char *p = listener->socket_mode; *p != '\0'; p++)
        mode = mode * 8 + (unsigned)(*p - '0');
    return mode & 0777;
}

bool set_listener_is_path(const struct set_listener *listener)
{
    return listener->address.n == 1 && listener->address.items[0][0] == '/';
}
