#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/ipc/proto.h"

void net_addr_format(const struct net_addr *a, char out[static 46])
{
    int family = a->family == 4 ? AF_INET : AF_INET6;
    if ((a->family != 4 && a->family != 6) || inet_ntop(family, a->ip, out, 46) == NULL)
        memcpy(out, "local", sizeof("local"));
}

void net_addr_from_sockaddr(struct net_addr *out, const struct sockaddr *sa)
{
    *out = (struct net_addr){0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof(in));
        out->family = 4;
        memcpy(out->ip, &in.sin_addr, 4);
        out->port = ntohs(in.sin_port);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof(in6));
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
        out->family = mapped ? 4 : 6;
        memcpy(out->ip, in6.sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
        out->port = ntohs(in6.sin6_port);
    }
}

bool net_addr_is_loopback(const struct net_addr *a)
{
    if (a->family == 4)
        return a->ip[0] == 127;
    if (a->family == 6)
        return memcmp(a->ip, &in6addr_loopback, 16) == 0;
    return a->family == 0;
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}
