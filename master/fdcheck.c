#include "master/fdcheck.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>

static bool socket_option(int fd, int name, int *out)
{
    socklen_t len = sizeof(*out);

    return getsockopt(fd, SOL_SOCKET, name, out, &len) == 0;
}

static bool is_connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    return getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

static bool is_socket(int fd, int type)
{
    struct stat st;
    int value;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && socket_option(fd, SO_TYPE, &value) && value == type &&
           socket_option(fd, SO_ACCEPTCONN, &value) && value == 0;
}

int fdcheck_session(int fd)
{
    int domain;

    if (!is_socket(fd, SOCK_STREAM) || !socket_option(fd, SO_DOMAIN, &domain))
        return ERR_DENIED;
    if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
        return ERR_DENIED;
    return 0;
}

int fdcheck_message(int fd, uint64_t size)
{
    const int need = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS); /* fails for everything that is no memfd */

    if (seals < 0 || (seals & need) != need)
        return ERR_DENIED;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size != size)
        return ERR_DENIED;
    return 0;
}

int fdcheck_reply(int fd)
{
    int domain;

    if (!is_socket(fd, SOCK_SEQPACKET) || !socket_option(fd, SO_DOMAIN, &domain) || domain != AF_UNIX || !is_connected(fd))
        return ERR_DENIED;
    return 0;
}
