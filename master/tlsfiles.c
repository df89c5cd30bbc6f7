#include "master/tlsfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

struct tlsfile {
    char *name;                  /* server name, "" for the default */
    int certs[ROLE_ID_SERVICES]; /* by reader; -1 for those that read none */
    int key;
};

struct tlsfiles {
    struct tlsfile *items;
    size_t n;
};

static int file_open(const char *path, struct buf *errors)
{
    int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0) {
        master_complain(errors, "cannot open", path, errno);
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        buf_put_fmt(errors, "%s: not a regular file\n", path);
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void key_warn(const char *path, int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && (st.st_mode & 0007) != 0)
        LOG_WARN(0, "private key can be read by everybody on this machine", F_STR("path", path));
}

/* Those who show them; and auth, to which a handshake proves something only when this server is in it. */
static bool reads_certs(enum role_id id)
{
    return id == ROLE_ID_AUTH || role_get(id)->protocol != 0;
}

static int add(struct tlsfiles *t, const char *name, const char *cert, const char *key, struct buf *errors)
{
    struct tlsfile *f = &t->items[t->n++];
    int rc = 0;

    f->name = xstrdup(name);
    for (size_t i = 0; i < ROLE_ID_SERVICES; i++)
        f->certs[i] = -1;
    f->key = file_open(key, errors);
    if (f->key < 0)
        rc = ERR_IO;
    else
        key_warn(key, f->key);
    for (size_t i = 0; i < ROLE_ID_SERVICES; i++) {
        if (!reads_certs((enum role_id)i))
            continue;
        f->certs[i] = file_open(cert, errors);
        if (f->certs[i] < 0)
            return ERR_IO; /* said once */
    }
    return rc;
}

int tlsfiles_open(const struct setup *s, struct tlsfiles **out, struct buf *errors)
{
    struct tlsfiles *t = xcalloc(1, sizeof(*t));
    const struct set_master *set = s->master;
    int bad = 0;

    t->items = xcalloc(set->ntls_hosts + 1, sizeof(*t->items));
    if (setup_has_tls(s)) {
        if (add(t, "", set->tls_certificate, set->tls_key, errors) != 0)
            bad = ERR_IO;
        for (size_t i = 0; i < set->ntls_hosts; i++)
            if (add(t, set->tls_hosts[i].name, set->tls_hosts[i].certificate, set->tls_hosts[i].key, errors) != 0)
                bad = ERR_IO;
    }
    if (bad != 0) {
        tlsfiles_free(&t);
        return bad;
    }
    *out = t;
    return 0;
}

void tlsfiles_free(struct tlsfiles **tp)
{
    struct tlsfiles *t = *tp;

    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++) {
        struct tlsfile *f = &t->items[i];
        for (size_t k = 0; k < ROLE_ID_SERVICES; k++)
            if (f->certs[k] >= 0)
                (void)close(f->certs[k]);
        if (f->key >= 0)
            (void)close(f->key);
        free(f->name);
    }
    free(t->items);
    free(t);
    *tp = NULL;
}

static int file_send(struct ipc *ch, enum ipc_kind kind, const struct tlsfile *f, size_t index, int fd)
{
    struct msg_cert m = {.index = (uint32_t)index, .name = view_str(f->name)};
    struct buf body;
    int rc;

    /* A predecessor of this process has read it to the end. */
    if (lseek(fd, 0, SEEK_SET) != 0)
        return ERR_SYSTEM;
    buf_init(&body, IPC_MAX_BODY);
    msg_cert_encode(&body, &m);
    rc = ipc_send(ch, kind, &body, &fd, 1);
    buf_free(&body);
    return rc;
}

int tlsfiles_send_certs(const struct tlsfiles *t, enum role_id reader, struct ipc *ch)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < t->n; i++)
        rc = file_send(ch, IPC_MASTER_CERT, &t->items[i], i, t->items[i].certs[reader]);
    return rc;
}

int tlsfiles_send_keys(const struct tlsfiles *t, struct ipc *ch)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < t->n; i++)
        rc = file_send(ch, IPC_MASTER_KEY, &t->items[i], i, t->items[i].key);
    return rc;
}
