#include "master/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"

#define LISTENER_BACKLOG 511
#define LISTENERS_MAX 256

struct listener {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    int fd;
    char *path; /* of a local socket, else NULL */
    char *user, *group;
    unsigned mode; /* of the socket's file */
    char *name;
    enum proto_protocol protocol;
    enum listener_tls tls;
    bool proxy;
};

struct listeners {
    struct listener items[LISTENERS_MAX];
    size_t n;
};

static void complain(struct buf *errors, const struct listener *l, const char *what, int errnum)
{
    char ip[46] = "";
    struct net_addr a;

    net_addr_from_sockaddr(&a, (const struct sockaddr *)&l->addr);
    net_addr_format(&a, ip);
    if (l->path != NULL)
        buf_put_fmt(errors, "listener %s: cannot %s %s: %s\n", l->name, what, l->path, log_errno_text(errnum));
    else
        buf_put_fmt(errors, "listener %s: cannot %s %s port %u: %s\n", l->name, what, ip, a.port, log_errno_text(errnum));
}

static bool same_address(const struct listener *a, const struct listener *b)
{
    return a->addr_len == b->addr_len && memcmp(&a->addr, &b->addr, a->addr_len) == 0;
}

static const struct listener *find(const struct listeners *all, const struct listener *l)
{
    for (size_t i = 0; all != NULL && i < all->n; i++)
        if (same_address(&all->items[i], l))
            return &all->items[i];
    return NULL;
}

/* --- making addresses ----------------------------------------------------------------------------------------------------- */

static struct listener *append(struct listeners *all, const struct set_listener *set)
{
    struct listener *l;

    if (all->n == LISTENERS_MAX)
        return NULL;
    l = &all->items[all->n++];
    l->fd = -1;
    l->name = xstrdup(set->name);
    l->user = xstrdup(set->socket_user);
    l->group = xstrdup(set->socket_group);
    l->mode = set_listener_mode(set);
    l->protocol = (enum proto_protocol)set->protocol;
    l->tls = (enum listener_tls)set->tls;
    l->proxy = set->proxy_protocol;
    return l;
}

static bool add_v4(struct listeners *all, const struct set_listener *set, struct in_addr ip)
{
    struct listener *l = append(all, set);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)set_listener_port(set)), .sin_addr = ip};

    if (l == NULL)
        return false;
    memcpy(&l->addr, &a, sizeof(a));
    l->addr_len = sizeof(a);
    return true;
}

static bool add_v6(struct listeners *all, const struct set_listener *set, struct in6_addr ip)
{
    struct listener *l = append(all, set);
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)set_listener_port(set)), .sin6_addr = ip};

    if (l == NULL)
        return false;
    memcpy(&l->addr, &a, sizeof(a));
    l->addr_len = sizeof(a);
    return true;
}

static bool add_local(struct listeners *all, const struct set_listener *set, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct listener *l;

    if (strlen(path) >= sizeof(a.sun_path) || (l = append(all, set)) == NULL)
        return false;
    memcpy(a.sun_path, path, strlen(path));
    memcpy(&l->addr, &a, sizeof(a));
    l->addr_len = sizeof(a);
    l->path = xstrdup(path);
    return true;
}

static bool add_address(struct listeners *all, const struct set_listener *set, const char *text)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (text[0] == '/')
        return add_local(all, set, text);
    if (strcmp(text, "*") == 0)
        return add_v4(all, set, (struct in_addr){INADDR_ANY}) && add_v6(all, set, in6addr_any);
    if (inet_pton(AF_INET, text, &v4) == 1)
        return add_v4(all, set, v4);
    return inet_pton(AF_INET6, text, &v6) == 1 && add_v6(all, set, v6);
}

/* --- binding ---------------------------------------------------------------------------------------------------------------- */

static int set_option(int fd, int level, int name)
{
    int on = 1;

    return setsockopt(fd, level, name, &on, sizeof(on));
}

/* A socket file that nobody listens on any more is in the way of bind(2); anything else at that place is left alone. */
static int path_clear(const struct listener *l)
{
    struct stat st;
    int fd, rc;

    if (lstat(l->path, &st) != 0)
        return errno == ENOENT ? 0 : -1;
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    rc = connect(fd, (const struct sockaddr *)&l->addr, l->addr_len);
    if (rc == 0 || errno == EAGAIN) {
        errno = EADDRINUSE;
        rc = -1;
    } else {
        rc = errno == ECONNREFUSED ? unlink(l->path) : -1;
    }
    (void)close(fd);
    return rc;
}

/* The numbers of the socket's owner and group, -1 for what is not to be changed. */
static int path_owner(const struct listener *l, uid_t *uid_out, gid_t *gid_out)
{
    const struct passwd *pw = NULL;
    const struct group *gr = NULL;

    errno = 0;
    if ((l->user[0] != '\0' && (pw = getpwnam(l->user)) == NULL) || (l->group[0] != '\0' && (gr = getgrnam(l->group)) == NULL)) {
        if (errno == 0)
            errno = ENOENT;
        return -1;
    }
    *uid_out = pw != NULL ? pw->pw_uid : (uid_t)-1;
    *gid_out = gr != NULL ? gr->gr_gid : (gid_t)-1;
    return 0;
}

/* Who may connect to a local socket. The folder may belong to somebody who would like to see another file's owner changed, a mail
 * server's for instance: so no name is used twice, and nothing but a socket is touched. */
static int path_permit(const struct listener *l)
{
    char self[64];
    struct stat st;
    uid_t uid;
    gid_t gid;
    int fd, rc = -1;

    if (path_owner(l, &uid, &gid) != 0)
        return -1;
    fd = open(l->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if (fstat(fd, &st) != 0)
        goto out;
    if (!S_ISSOCK(st.st_mode) || st.st_nlink != 1) {
        errno = EEXIST;
        goto out;
    }
    rc = (st.st_mode & 07777) == l->mode ? 0 : chmod(self, l->mode);
    if (rc == 0)
        rc = fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
out:
    (void)close(fd);
    return rc;
}

/* The file gets its permissions as it is made; it belongs to us until it is handed over. */
static int bind_local(const struct listener *l)
{
    mode_t before = umask(0777 & ~l->mode);
    int rc = path_clear(l) == 0 && bind(l->fd, (const struct sockaddr *)&l->addr, l->addr_len) == 0 ? path_permit(l) : -1;

    (void)umask(before);
    return rc;
}

static int bind_one(struct listener *l, struct buf *errors)
{
    int family = l->addr.ss_family;
    int rc;

    l->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) {
        int err = errno;
        complain(errors, l, "make a socket for", err);
        errno = err;
        return ERR_SYSTEM;
    }
    if (family == AF_UNIX) {
        rc = bind_local(l);
    } else {
        rc = set_option(l->fd, SOL_SOCKET, SO_REUSEADDR);
        if (rc == 0 && family == AF_INET6)
            rc = set_option(l->fd, IPPROTO_IPV6, IPV6_V6ONLY);
        if (rc == 0)
            rc = bind(l->fd, (const struct sockaddr *)&l->addr, l->addr_len);
    }
    if (rc != 0 || listen(l->fd, LISTENER_BACKLOG) != 0) {
        int err = errno;
        complain(errors, l, "listen on", err);
        (void)close(l->fd); /* what stands at its path is not ours to remove */
        l->fd = -1;
        errno = err;
        return ERR_SYSTEM;
    }
    return 0;
}

/* On a machine without IPv6, "*" means IPv4 alone. */
static bool optional_v6(const struct listeners *all, size_t i, int errnum)
{
    const struct listener *l = &all->items[i];

    return errnum == EAFNOSUPPORT && l->addr.ss_family == AF_INET6 && i > 0 && all->items[i - 1].addr.ss_family == AF_INET &&
           strcmp(all->items[i - 1].name, l->name) == 0 &&
           IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&l->addr)->sin6_addr);
}

static void item_free(struct listener *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    free(l->path);
    free(l->user);
    free(l->group);
    free(l->name);
    memset(l, 0, sizeof(*l));
    l->fd = -1;
}

static int open_one(struct listeners *all, size_t i, const struct listeners *old, struct buf *errors)
{
    struct listener *l = &all->items[i];
    const struct listener *have = find(old, l);
    size_t mark = buf_len(errors);
    int rc;

    if (have == NULL) {
        rc = bind_one(l, errors);
        if (rc != 0 && optional_v6(all, i, errno)) {
            buf_truncate(errors, mark);
            rc = ERR_UNSUPPORTED;
        }
        return rc;
    }
    l->fd = fcntl(have->fd, F_DUPFD_CLOEXEC, 3);
    if (l->fd < 0 || (l->path != NULL && path_permit(l) != 0)) {
        complain(errors, l, "keep", errno);
        return ERR_SYSTEM;
    }
    return 0;
}

/* The addresses of all listeners; a text that is no address was refused when the settings were checked. */
static int addresses_make(const struct setup *s, struct listeners *all, struct buf *errors)
{
    for (size_t i = 0; i < s->master->nlisteners; i++) {
        const struct set_listener *set = &s->master->listeners[i];
        for (size_t k = 0; k < set->address.n; k++) {
            if (add_address(all, set, set->address.items[k]))
                continue;
            buf_put_fmt(errors, "listener %s: \"%s\" is no usable address, or there are too many\n", set->name,
                        set->address.items[k]);
            return ERR_SYNTAX;
        }
    }
    return 0;
}

int listeners_open(const struct setup *s, const struct listeners *old, struct listeners **out, struct buf *errors)
{
    struct listeners *all = xcalloc(1, sizeof(*all));
    int bad = addresses_make(s, all, errors);

    for (size_t i = 0; bad != ERR_SYNTAX && i < all->n; i++) {
        int rc = open_one(all, i, old, errors);
        if (rc == ERR_UNSUPPORTED) {
            item_free(&all->items[i]);
            memmove(&all->items[i], &all->items[i + 1], (all->n - i - 1) * sizeof(all->items[0]));
            all->n--;
            i--;
        } else if (rc != 0) {
            bad = rc;
        }
    }
    if (bad != 0) {
        listeners_free(&all, old);
        return bad;
    }
    *out = all;
    return 0;
}

void listeners_free(struct listeners **lp, const struct listeners *kept)
{
    struct listeners *all = *lp;

    if (all == NULL)
        return;
    for (size_t i = 0; i < all->n; i++) {
        struct listener *l = &all->items[i];
        if (l->path != NULL && l->fd >= 0 && find(kept, l) == NULL && unlink(l->path) != 0 && errno != ENOENT)
            LOG_WARN(0, "cannot remove socket", F_STR("path", l->path), F_ERRNO(errno));
        item_free(l);
    }
    free(all);
    *lp = NULL;
}

size_t listeners_count(const struct listeners *l)
{
    return l->n;
}

int listeners_send(const struct listeners *all, enum proto_protocol protocol, struct ipc *ch)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < all->n; i++) {
        const struct listener *l = &all->items[i];
        struct msg_listener m = {.index = (uint32_t)i, .protocol = l->protocol, .tls = l->tls, .proxy = l->proxy};
        struct buf body;

        if (l->protocol != protocol)
            continue;
        net_addr_from_sockaddr(&m.local, (const struct sockaddr *)&l->addr);
        m.name = view_sub(view_str(l->name), 0, 64);
        buf_init(&body, IPC_MAX_BODY);
        msg_listener_encode(&body, &m);
        rc = ipc_send(ch, IPC_MASTER_LISTENER, &body, &l->fd, 1);
        buf_free(&body);
    }
    return rc;
}
