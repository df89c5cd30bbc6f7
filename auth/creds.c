/*
 * The store of creds.h. Files are small and read at each log-in: there is nothing to be kept in step with a second process, which
 * there is for a while after a reload. Changes are made under a lock that is never waited for.
 */
#include "auth/creds.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/secret.h"
#include "common/text/text.h"

#define KEY_NAME "key"
#define LOCK_NAME "lock"
#define NEW_NAME "new"
#define USES_MAX 1024 /* not written yet */
#define FILE_NAME (2 * 16 + 6)

struct pending_use {
    struct auth_name name;
    struct creds_use use;
};

struct creds_store {
    int dir, lock;
    uint8_t key[crypto_generichash_KEYBYTES];
    struct pending_use *uses;
    size_t nuses;
};

static void file_name(const struct auth_name *name, const char *suffix, char out[static FILE_NAME])
{
    uint8_t hash[16];
    struct buf b;
    if (crypto_generichash(hash, sizeof(hash), (const uint8_t *)name->text, name->len, NULL, 0) != 0)
        PANIC("a hash cannot be computed");
    buf_init(&b, FILE_NAME);
    hex_encode(&b, view_make(hash, sizeof(hash)));
    buf_put_str(&b, suffix);
    buf_put_byte(&b, '\0');
    memcpy(out, buf_view(&b).ptr, buf_len(&b));
    buf_free(&b);
}

static int file_read(int dir, const char *name, struct buf *out)
{
    int err = 0, fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_from_errno(errno);
    for (;;) {
        uint8_t *room = buf_reserve(out, 4096);
        ssize_t n = room == NULL ? -1 : read(fd, room, 4096);
        if (room == NULL)
            err = ERR_LIMIT;
        else if (n < 0 && errno != EINTR)
            err = ERR_IO;
        if (n <= 0)
            break;
        buf_commit(out, (size_t)n);
    }
    (void)close(fd);
    return err;
}

static int write_all(int fd, struct view v)
{
    while (v.len > 0) {
        ssize_t n = write(fd, v.ptr, v.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        v = view_sub(v, (size_t)n, v.len);
    }
    return 0;
}

/* Under the lock. */
static int file_replace(int dir, const char *name, struct view text, bool durable)
{
    int fd = openat(dir, NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    int err = write_all(fd, text);
    if (err == 0 && durable && fsync(fd) != 0)
        err = ERR_IO;
    if (close(fd) != 0 && err == 0)
        err = ERR_IO;
    if (err == 0 && renameat(dir, NEW_NAME, dir, name) != 0)
        err = ERR_IO;
    if (err == 0 && durable && fsync(dir) != 0)
        err = ERR_IO;
    return err;
}

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

static int store_lock(struct creds_store *s)
{
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO;
}

static void store_unlock(struct creds_store *s)
{
    if (flock(s->lock, LOCK_UN) != 0)
        LOG_ERROR(0, "credentials cannot be unlocked", F_ERRNO(errno));
}

static int key_read(struct creds_store *s)
{
    struct buf b;
    buf_init_secret(&b, 2 * 4096);
    int err = file_read(s->dir, KEY_NAME, &b);
    if (err == 0 && buf_len(&b) != sizeof(s->key))
        err = ERR_CORRUPT;
    if (err == 0)
        memcpy(s->key, buf_view(&b).ptr, sizeof(s->key));
    buf_free(&b);
    return err;
}

static int key_get(struct creds_store *s)
{
    int err = store_lock(s);
    if (err != 0)
        return err;
    err = key_read(s);
    if (err == ERR_NOTFOUND) {
        randombytes_buf(s->key, sizeof(s->key));
        err = file_replace(s->dir, KEY_NAME, view_make(s->key, sizeof(s->key)), true);
    }
    store_unlock(s);
    return err;
}

int creds_store_open(const char *dir, struct creds_store **out)
{
    struct creds_store *s = xcalloc(1, sizeof(*s));
    s->uses = xcalloc(USES_MAX, sizeof(*s->uses));
    s->lock = -1;
    s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir >= 0)
        s->lock = openat(s->dir, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int err = s->lock >= 0 ? key_get(s) : err_from_errno(errno);
    if (err != 0) {
        LOG_ERROR(0, "credentials cannot be used", F_STR("folder", dir), F_ERR(err));
        creds_store_free(&s);
        return err;
    }
    *out = s;
    return 0;
}

void creds_store_free(struct creds_store **store)
{
    struct creds_store *s = *store;
    *store = NULL;
    if (s == NULL)
        return;
    creds_flush(s);
    if (s->lock >= 0)
        (void)close(s->lock);
    if (s->dir >= 0)
        (void)close(s->dir);
    secret_wipe(s->key, sizeof(s->key));
    free(s->uses);
    free(s);
}

/* --- one user -----------------------------------------------------------------------------------------------------------------
 */

int creds_load(struct creds_store *s, const struct auth_name *name, struct creds *out)
{
    char file[FILE_NAME];
    struct buf text;
    file_name(name, "", file);
    buf_init_secret(&text, CREDS_FILE_MAX + 4096);
    int err = file_read(s->dir, file, &text);
    if (err == ERR_NOTFOUND) {
        *out = (struct creds){.napps = 0};
        err = 0;
    } else if (err == 0) {
        err = creds_parse(buf_view(&text), name, out);
    }
    buf_free(&text);
    if (err != 0)
        LOG_ERROR(0, "a user's credentials cannot be read", F_VIEW("user", auth_name_view(name)), F_STR("file", file),
                  F_ERR(err));
    return err;
}

int creds_begin(struct creds_store *s, const struct auth_name *name, struct creds *out)
{
    int err = store_lock(s);
    if (err != 0)
        return err;
    err = creds_load(s, name, out);
    if (err != 0)
        store_unlock(s);
    return err;
}

int creds_write(struct creds_store *s, const struct auth_name *name, const struct creds *creds)
{
    char file[FILE_NAME];
    struct buf text;
    int err;
    file_name(name, "", file);
    if (creds->napps == 0 && creds->totp == CREDS_TOTP_NONE) {
        err = unlinkat(s->dir, file, 0) == 0 || errno == ENOENT ? 0 : ERR_IO;
        if (err == 0 && fsync(s->dir) != 0)
            err = ERR_IO;
    } else {
        buf_init_secret(&text, CREDS_FILE_MAX);
        creds_put(name, creds, &text);
        err = buf_ok(&text) ? file_replace(s->dir, file, buf_view(&text), true) : ERR_LIMIT;
        buf_free(&text);
    }
    if (err != 0)
        LOG_ERROR(0, "a user's credentials cannot be written", F_VIEW("user", auth_name_view(name)), F_ERR(err));
    return err;
}

void creds_end(struct creds_store *s)
{
    store_unlock(s);
}

void creds_hash(const struct creds_store *s, const struct auth_name *name, struct view digest, uint8_t out[static CREDS_HASH])
{
    crypto_generichash_state st;
    uint8_t len = (uint8_t)name->len;
    if (crypto_generichash_init(&st, s->key, sizeof(s->key), CREDS_HASH) != 0 || crypto_generichash_update(&st, &len, 1) != 0 ||
        crypto_generichash_update(&st, (const uint8_t *)name->text, name->len) != 0 ||
        crypto_generichash_update(&st, digest.ptr, digest.len) != 0 || crypto_generichash_final(&st, out, CREDS_HASH) != 0)
        PANIC("a hash cannot be computed");
    secret_wipe(&st, sizeof(st));
}

/* --- last uses
 * ------------------------------------------------------------------------------------------------------------------ */

void creds_used(struct creds_store *s, const struct auth_name *name, uint32_t id, uint64_t time, const struct net_addr *from)
{
    struct pending_use *p = NULL;
    for (size_t i = 0; i < s->nuses && p == NULL; i++) {
        if (s->uses[i].use.id == id && auth_name_equal(&s->uses[i].name, name))
            p = &s->uses[i];
    }
    if (p == NULL && s->nuses == USES_MAX)
        creds_flush(s);
    if (p == NULL && s->nuses == USES_MAX)
        return;
    if (p == NULL)
        p = &s->uses[s->nuses++];
    p->name = *name;
    p->use.id = id;
    p->use.time = time;
    net_addr_format(from, p->use.from);
}

static bool use_parse(struct view line, struct creds_use *out)
{
    struct cursor c = cursor_make(line);
    struct creds_use u = {.id = (uint32_t)cursor_dec(&c, 1, UINT32_MAX)};
    cursor_expect(&c, ' ');
    u.time = cursor_dec(&c, 0, UINT64_MAX >> 1);
    cursor_expect(&c, ' ');
    struct view from = cursor_rest(&c);
    if (c.failed || from.len == 0 || from.len >= sizeof(u.from))
        return false;
    for (size_t i = 0; i < from.len; i++) {
        if (from.ptr[i] <= ' ' || from.ptr[i] > '~')
            return false;
        u.from[i] = (char)from.ptr[i];
    }
    *out = u;
    return true;
}

static void uses_read(struct creds_store *s, const struct auth_name *name, struct creds_use uses[static CREDS_APPS_MAX],
                      size_t *n_out)
{
    char file[FILE_NAME];
    struct buf text;
    size_t n = 0;
    file_name(name, ".used", file);
    buf_init(&text, CREDS_FILE_MAX);
    if (file_read(s->dir, file, &text) == 0) {
        struct view rest = buf_view(&text);
        while (rest.len > 0 && n < CREDS_APPS_MAX) {
            size_t end = view_find(rest, '\n');
            n += use_parse(view_sub(rest, 0, end), &uses[n]) ? 1 : 0;
            rest = view_sub(rest, end + 1, rest.len);
        }
    }
    buf_free(&text);
    *n_out = n;
}

static void use_set(struct creds_use uses[static CREDS_APPS_MAX], size_t *n, const struct creds_use *use)
{
    size_t i = 0;
    while (i < *n && uses[i].id != use->id)
        i++;
    if (i == CREDS_APPS_MAX) /* of passwords that are gone: the oldest */
        i = 0;
    if (i == *n)
        (*n)++;
    uses[i] = *use;
}

static void uses_write(struct creds_store *s, const struct auth_name *name, const struct creds_use *uses, size_t n)
{
    char file[FILE_NAME];
    struct buf text;
    file_name(name, ".used", file);
    buf_init(&text, CREDS_FILE_MAX);
    for (size_t i = 0; i < n; i++)
        buf_put_fmt(&text, "%u %llu %s\n", uses[i].id, (unsigned long long)uses[i].time, uses[i].from);
    int err = file_replace(s->dir, file, buf_view(&text), false);
    if (err != 0)
        LOG_WARN(0, "last use of app passwords cannot be written", F_VIEW("user", auth_name_view(name)), F_ERR(err));
    buf_free(&text);
}

void creds_uses(struct creds_store *s, const struct auth_name *name, struct creds_use uses[static CREDS_APPS_MAX], size_t *n_out)
{
    uses_read(s, name, uses, n_out);
    for (size_t i = 0; i < s->nuses; i++) {
        if (auth_name_equal(&s->uses[i].name, name))
            use_set(uses, n_out, &s->uses[i].use);
    }
}

void creds_flush(struct creds_store *s)
{
    struct creds_use uses[CREDS_APPS_MAX];
    size_t n;
    if (s->nuses == 0 || store_lock(s) != 0)
        return;
    for (size_t i = 0; i < s->nuses; i++) {
        if (s->uses[i].use.id == 0)
            continue;
        struct auth_name name = s->uses[i].name;
        creds_uses(s, &name, uses, &n);
        uses_write(s, &name, uses, n);
        for (size_t k = i; k < s->nuses; k++) {
            if (auth_name_equal(&s->uses[k].name, &name))
                s->uses[k].use.id = 0; /* written */
        }
    }
    s->nuses = 0;
    store_unlock(s);
}
