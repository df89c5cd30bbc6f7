#include "master/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/text/text.h"

#define CONF_TEXT_MAX (1024 * 1024)

int setup_parse(const char *conf_path, struct conf **out, struct buf *errors)
{
    struct conf *conf = NULL;
    int rc = conf_parse(conf_path, view_str(NULL), set_all_components, set_all_ncomponents, &conf, errors);

    if (rc != 0) {
        if (buf_len(errors) == 0)
            buf_put_fmt(errors, "%s: %s\n", conf_path, err_str(rc));
        return ERR_SYNTAX;
    }
    if (set_check(conf, errors) != 0) {
        conf_free(&conf);
        return ERR_SYNTAX;
    }
    *out = conf;
    return 0;
}

/* The machine's name; only what a host name may hold, because it is written into the configuration of the other processes. */
static void hostname_find(char out[static 256])
{
    char name[256] = "";
    size_t n = 0;

    if (gethostname(name, sizeof(name) - 1) == 0) {
        for (const char *p = name; *p != '\0'; p++) {
            uint8_t c = ascii_lower((uint8_t)*p);
            if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')
                out[n++] = *p;
        }
    }
    out[n] = '\0';
    if (n == 0)
        memcpy(out, "localhost", sizeof("localhost"));
}

static char *libexec_find(const struct setup_params *p, const struct set_master *set)
{
    struct buf path;
    char *found = NULL;

    if (p->libexec != NULL)
        return xstrdup(p->libexec);
    if (p->self_dir != NULL && strcmp(set->libexec_dir, CULVER_LIBEXECDIR) == 0) {
        buf_init(&path, PROTO_PATH_MAX + 32);
        buf_put_fmt(&path, "%s/%s", p->self_dir, role_get(ROLE_ID_WORKER)->program);
        buf_put_byte(&path, '\0');
        if (buf_ok(&path) && access((const char *)path.data, X_OK) == 0)
            found = xstrdup(p->self_dir);
        buf_free(&path);
    }
    return found != NULL ? found : xstrdup(set->libexec_dir);
}

/* A user of the system, which may not be root. */
static int user_find(const char *setting, const char *name, struct ids *out, struct buf *errors)
{
    const struct passwd *pw;

    errno = 0;
    pw = getpwnam(name);
    if (pw == NULL) {
        buf_put_fmt(errors,
                    "%s: there is no user \"%s\" (systemd-sysusers with conf/culver.sysusers creates it, or: useradd -r -s "
                    "/usr/sbin/nologin %s)\n",
                    setting, name, name);
        return ERR_NOTFOUND;
    }
    if (pw->pw_uid == 0 || pw->pw_gid == 0) {
        buf_put_fmt(errors, "%s: the user \"%s\" has uid or gid 0\n", setting, name);
        return ERR_DENIED;
    }
    *out = (struct ids){pw->pw_uid, pw->pw_gid};
    return 0;
}

/* All services have their accounts, also those that do not run with this configuration; but most hosts have no mail server that
 * asks for authentication. */
static bool needs_account(const struct setup *s, enum role_id id)
{
    return id != ROLE_ID_SMTP_AUTH || setup_has_protocol(s, PROTO_SMTP);
}

/* No two services under one uid: the kernel would let them signal and trace each other. */
static int services_distinct(const struct setup *s, struct buf *errors)
{
    int rc = 0;

    for (enum role_id i = 0; i < ROLE_ID_SERVICES; i++) {
        for (enum role_id k = i + 1; k < ROLE_ID_SERVICES; k++) {
            if (s->ids[i].uid != s->ids[k].uid || !needs_account(s, i) || !needs_account(s, k))
                continue;
            buf_put_fmt(errors, "%s and %s: both have uid %u; each service needs its own user\n", role_get(i)->user_setting,
                        role_get(k)->user_setting, s->ids[i].uid);
            rc = ERR_DENIED;
        }
    }
    return rc;
}

static int ids_find(struct setup *s, struct buf *errors)
{
    int bad = 0;

    if (s->rootless) {
        for (size_t i = 0; i < ROLE_ID_COUNT; i++)
            s->ids[i] = (struct ids){geteuid(), getegid()};
        s->virtual_ids = s->ids[0];
        return 0;
    }
    for (enum role_id i = 0; i < ROLE_ID_SERVICES; i++) {
        const struct role *r = role_get(i);
        const char *name = *(const char *const *)((const char *)s->master + r->user_offset);
        if (needs_account(s, i) && user_find(r->user_setting, name, &s->ids[i], errors) != 0)
            bad = ERR_SYNTAX;
    }
    if (s->master->virtual_uid[0] != '\0') {
        s->virtual_shared = true;
        if (user_find("virtual_uid", s->master->virtual_uid, &s->virtual_ids, errors) != 0)
            bad = ERR_SYNTAX;
    }
    if (bad == 0 && services_distinct(s, errors) != 0)
        bad = ERR_SYNTAX;
    return bad;
}

/* The programs that ask databases are not on every host. */
static int databases_check(const struct setup *s, struct buf *errors)
{
    static const enum role_id roles[] = {[SET_DATABASE_SQLITE] = ROLE_ID_SQLITE,
                                         [SET_DATABASE_PGSQL] = ROLE_ID_PGSQL,
                                         [SET_DATABASE_LDAP] = ROLE_ID_LDAP,
                                         [SET_DATABASE_OAUTH2] = ROLE_ID_OAUTH2};
    int rc = 0;

    for (size_t i = 0; i < s->auth->ndatabases; i++) {
        const char *program = role_get(roles[s->auth->databases[i].driver])->program;
        struct buf path;
        buf_init(&path, 2 * PROTO_PATH_MAX);
        buf_put_fmt(&path, "%s/%s", s->libexec, program);
        buf_put_byte(&path, '\0');
        if (!buf_ok(&path) || access((const char *)path.data, X_OK) != 0) {
            buf_put_fmt(errors, "database %s: %s is not installed in %s\n", s->auth->databases[i].name, program, s->libexec);
            rc = ERR_NOTFOUND;
        }
        buf_free(&path);
    }
    return rc;
}

static void setup_point(struct setup *s)
{
    s->general = conf_get(s->conf, &set_general_component);
    s->master = conf_get(s->conf, &set_master_component);
    s->login = conf_get(s->conf, &set_login_component);
    s->auth = conf_get(s->conf, &set_auth_component);
    s->worker = conf_get(s->conf, &set_worker_component);
    s->lmtp = conf_get(s->conf, &set_lmtp_component);
}

int setup_load(const struct setup_params *p, struct setup **out, struct buf *errors)
{
    struct setup *s = xcalloc(1, sizeof(*s));
    int rc = setup_parse(p->conf_path, &s->conf, errors);

    if (rc == 0) {
        setup_point(s);
        s->rootless = p->rootless;
        s->generation = p->generation;
        s->libexec = libexec_find(p, s->master);
        hostname_find(s->hostname);
        if (!s->rootless) {
            struct buf path;
            buf_init(&path, PROTO_PATH_MAX);
            buf_put_fmt(&path, "%s/empty", s->master->run_dir);
            s->chroot_dir = view_dup(buf_view(&path));
            buf_free(&path);
        }
        rc = ids_find(s, errors);
        if (databases_check(s, errors) != 0)
            rc = ERR_SYNTAX;
    }
    if (rc != 0) {
        setup_free(&s);
        return ERR_SYNTAX;
    }
    *out = s;
    return 0;
}

void setup_free(struct setup **sp)
{
    struct setup *s = *sp;

    if (s == NULL)
        return;
    conf_free(&s->conf);
    free(s->libexec);
    free(s->chroot_dir);
    free(s);
    *sp = NULL;
}

char *setup_auth_dir(const struct setup *s)
{
    struct buf path;
    char *dir;

    if (s->auth->auth_dir[0] != '\0')
        return xstrdup(s->auth->auth_dir);
    buf_init(&path, 2 * PROTO_PATH_MAX);
    buf_put_fmt(&path, "%s/auth", s->master->state_dir);
    dir = view_dup(buf_view(&path));
    buf_free(&path);
    return dir;
}

bool setup_has_tls(const struct setup *s)
{
    return s->master->tls_certificate[0] != '\0';
}

bool setup_has_protocol(const struct setup *s, enum proto_protocol protocol)
{
    for (size_t i = 0; i < s->master->nlisteners; i++)
        if (s->master->listeners[i].protocol == (int)protocol)
            return true;
    return false;
}

bool setup_is_service_uid(const struct setup *s, uint32_t uid)
{
    for (size_t i = 0; i < ROLE_ID_SERVICES; i++)
        if (s->ids[i].uid == uid && needs_account(s, (enum role_id)i))
            return true;
    return false;
}

static int memfd_write(int fd, struct view v)
{
    while (v.len > 0) {
        ssize_t n = write(fd, v.ptr, v.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_SYSTEM;
        v = view_sub(v, (size_t)n, v.len);
    }
    if (lseek(fd, 0, SEEK_SET) != 0)
        return ERR_SYSTEM;
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0 ? 0 : ERR_SYSTEM;
}

/* In the grammar of the file, whatever is in the path. */
static void put_auth_dir(const struct setup *s, struct buf *text)
{
    char *dir = setup_auth_dir(s);

    buf_put_str(text, "auth_dir = \"");
    for (const char *p = dir; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            buf_put_byte(text, '\\');
        buf_put_byte(text, (uint8_t)*p);
    }
    buf_put_str(text, "\"\n");
    free(dir);
}

int setup_memfd(const struct setup *s, const struct role *role, int *fd_out)
{
    struct buf text;
    int rc, fd = -1;

    buf_init(&text, CONF_TEXT_MAX);
    conf_write(s->conf, &set_general_component, true, &text);
    if (s->general->hostname[0] == '\0')
        buf_put_fmt(&text, "hostname = %s\n", s->hostname);
    if (role->id == ROLE_ID_AUTH && s->auth->auth_dir[0] == '\0')
        put_auth_dir(s, &text);
    for (size_t i = 0; i < ROLE_COMPONENTS_MAX && role->components[i] != NULL; i++)
        conf_write(s->conf, role->components[i], true, &text);
    rc = buf_ok(&text) ? 0 : ERR_LIMIT;
    if (rc == 0) {
        fd = memfd_create("culver-configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        rc = fd < 0 ? ERR_SYSTEM : memfd_write(fd, buf_view(&text));
    }
    buf_free(&text);
    if (rc != 0) {
        if (fd >= 0)
            (void)close(fd);
        return rc;
    }
    *fd_out = fd;
    return 0;
}
