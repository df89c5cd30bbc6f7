/*
 * The file stays in memory as it is, and the index is an array of line positions plus an open-addressing table of numbers into
 * it: 24 bytes a user. Names come from clients, so the hash is SipHash with a key made at each load.
 *
 * Change is seen by device, inode, size, mtime and ctime. A file that was changed within the last clock ticks before we read it
 * could change again without any of them moving, so such a load counts as provisional and is repeated at the next look-up.
 */
#include "auth/passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/secret.h"

#define LINES_LOGGED 10
#define STAMP_UNSURE_NS 50000000

struct stamp {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime, ctime;
};

struct line_pos {
    uint64_t hash;
    uint32_t off, len;
};

/* One reading of the file. */
struct table {
    uint8_t *text;
    size_t text_len;
    struct line_pos *lines;
    size_t nlines, lines_cap;
    uint32_t *slots; /* number of a line + 1; 0: free */
    size_t nslots;   /* power of two, at least twice nlines */
    uint8_t key[crypto_shorthash_KEYBYTES];
};

/* What one reading has to complain of. */
struct complaints {
    const char *path;
    bool quiet; /* the same bytes, in all likelihood, were complained of before */
    unsigned n;
};

struct passwd_file {
    char *path;
    struct table table;
    struct stamp stamp;
    bool unsure; /* read again at the next look-up */
    uint64_t generation;
    bool failing; /* the failure was logged */
};

static void table_free(struct table *t)
{
    if (t->text != NULL)
        secret_wipe(t->text, t->text_len);
    free(t->text);
    free(t->lines);
    free(t->slots);
    *t = (struct table){0};
}

static uint64_t table_hash(const struct table *t, struct view user)
{
    uint8_t out[crypto_shorthash_BYTES];
    uint64_t h;
    crypto_shorthash(out, user.ptr, user.len, t->key);
    memcpy(&h, out, sizeof(h));
    return h;
}

static struct view line_view(const struct table *t, const struct line_pos *p)
{
    return view_make(t->text + p->off, p->len);
}

static struct view line_user(const struct table *t, const struct line_pos *p)
{
    struct view line = line_view(t, p);
    return view_sub(line, 0, view_find(line, ':'));
}

/* The slot of this user, or the free one where it would go. */
static uint32_t *table_slot(const struct table *t, struct view user, uint64_t hash)
{
    for (size_t i = hash & (t->nslots - 1);; i = (i + 1) & (t->nslots - 1)) {
        const struct line_pos *p = t->slots[i] == 0 ? NULL : &t->lines[t->slots[i] - 1];
        if (p == NULL || (p->hash == hash && view_eq(line_user(t, p), user)))
            return &t->slots[i];
    }
}

static int table_add(struct table *t, size_t off, size_t len)
{
    if (t->nlines == t->lines_cap) {
        size_t cap = t->lines_cap == 0 ? 64 : 2 * t->lines_cap;
        struct line_pos *lines = reallocarray(t->lines, cap, sizeof(*lines));
        if (lines == NULL)
            return ERR_NOMEM;
        t->lines = lines;
        t->lines_cap = cap;
    }
    t->lines[t->nlines++] = (struct line_pos){.off = (uint32_t)off, .len = (uint32_t)len};
    return 0;
}

static void complain(struct complaints *c, const char *what, struct view user, unsigned long line, const char *why)
{
    c->n++;
    if (!c->quiet && c->n <= LINES_LOGGED)
        LOG_ERROR(0, what, F_STR("file", c->path), F_UINT("line", line), F_VIEW("user", user), F_STR("reason", why));
}

static int table_scan(struct table *t, struct complaints *c)
{
    struct view rest = view_make(t->text, t->text_len);
    unsigned long number = 0;
    while (rest.len > 0) {
        struct passwd_line line;
        const char *why;
        size_t n = view_find(rest, '\n');
        number++;
        switch (passwd_line_parse(view_sub(rest, 0, n), &line, &why)) {
        case PASSWD_LINE_USER: {
            int err = table_add(t, (size_t)(rest.ptr - t->text), n);
            if (err != 0)
                return err;
            break;
        }
        case PASSWD_LINE_BROKEN:
            complain(c, "passwd-file line skipped", view_make(NULL, 0), number, why);
            break;
        case PASSWD_LINE_EMPTY:
            break;
        }
        rest = view_sub(rest, MIN_OF(n + 1, rest.len), rest.len);
    }
    return 0;
}

static int table_index(struct table *t, struct complaints *c)
{
    t->nslots = 16;
    while (t->nslots < 2 * t->nlines)
        t->nslots *= 2;
    t->slots = calloc(t->nslots, sizeof(*t->slots));
    if (t->slots == NULL)
        return ERR_NOMEM;
    randombytes_buf(t->key, sizeof(t->key));
    for (size_t i = 0; i < t->nlines; i++) {
        struct view user = line_user(t, &t->lines[i]);
        t->lines[i].hash = table_hash(t, user);
        uint32_t *slot = table_slot(t, user, t->lines[i].hash);
        if (*slot == 0)
            *slot = (uint32_t)(i + 1);
        else
            complain(c, "user twice in passwd-file", user, 0, "the first line counts");
    }
    return 0;
}

static int text_read(int fd, size_t size, struct table *t)
{
    t->text = malloc(size + 1);
    if (t->text == NULL)
        return ERR_NOMEM;
    while (t->text_len < size) {
        ssize_t n = read(fd, t->text + t->text_len, size - t->text_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            break;
        t->text_len += (size_t)n;
    }
    return 0;
}

static struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim};
}

static bool timespec_equal(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && timespec_equal(a->mtime, b->mtime) &&
           timespec_equal(a->ctime, b->ctime);
}

static bool stamp_unsure(const struct stamp *s)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return true;
    int64_t age_s = (int64_t)now.tv_sec - (int64_t)s->ctime.tv_sec;
    return age_s <= 1 && age_s * 1000000000 + now.tv_nsec - s->ctime.tv_nsec < STAMP_UNSURE_NS;
}

/* Reads the file into *t. *stamp_out is that of the descriptor before reading; before: that of the reading before. */
static int table_load(const char *path, const struct stamp *before, struct table *t, struct stamp *stamp_out)
{
    struct stat st;
    struct complaints c = {.path = path};
    int err = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return err_from_errno(errno);
    if (fstat(fd, &st) != 0)
        err = err_from_errno(errno);
    else if (!S_ISREG(st.st_mode))
        err = ERR_UNSUPPORTED;
    else if (st.st_size > (off_t)PASSWD_FILE_MAX)
        err = ERR_LIMIT;
    if (err == 0) {
        *stamp_out = stamp_of(&st);
        c.quiet = stamp_equal(stamp_out, before);
        err = text_read(fd, (size_t)st.st_size, t);
    }
    close(fd);
    if (err == 0)
        err = table_scan(t, &c);
    if (err == 0)
        err = table_index(t, &c);
    if (err != 0) {
        table_free(t);
        return err;
    }
    if (!c.quiet && c.n > LINES_LOGGED)
        LOG_ERROR(0, "more complaints about passwd-file", F_STR("file", path), F_UINT("lines", c.n - LINES_LOGGED));
    LOG_DEBUG(0, "read passwd-file", F_STR("file", path), F_UINT("users", t->nlines));
    return 0;
}

static int file_reload(struct passwd_file *f)
{
    struct table t = {0};
    struct stamp stamp = {0};
    int err = table_load(f->path, &f->stamp, &t, &stamp);
    if (err != 0)
        return err;
    table_free(&f->table);
    f->table = t;
    f->stamp = stamp;
    f->generation++;
    f->unsure = stamp_unsure(&stamp);
    return 0;
}

/* Makes sure that what is in memory is what is on disk. */
static int file_refresh(struct passwd_file *f)
{
    struct stat st;
    int err = 0;
    if (stat(f->path, &st) != 0) {
        err = err_from_errno(errno);
    } else {
        struct stamp now = stamp_of(&st);
        if (f->unsure || !stamp_equal(&now, &f->stamp))
            err = file_reload(f);
    }
    if (err != 0 && !f->failing)
        LOG_ERROR(0, "passwd-file cannot be read", F_STR("file", f->path), F_ERR(err));
    else if (err == 0 && f->failing)
        LOG_INFO(0, "passwd-file can be read again", F_STR("file", f->path));
    f->failing = err != 0;
    return err == ERR_NOTFOUND ? ERR_IO : err;
}

int passwd_file_open(const char *path, struct passwd_file **out)
{
    struct passwd_file *f = xcalloc(1, sizeof(*f));
    f->path = xstrdup(path);
    int err = file_reload(f);
    if (err != 0)
        passwd_file_close(&f);
    else
        *out = f;
    return err;
}

void passwd_file_close(struct passwd_file **f)
{
    if (*f == NULL)
        return;
    table_free(&(*f)->table);
    free((*f)->path);
    free(*f);
    *f = NULL;
}

const char *passwd_file_path(const struct passwd_file *f)
{
    return f->path;
}

uint64_t passwd_file_generation(struct passwd_file *f)
{
    /* A file that cannot be used counts as another one: what was read from it must not be relied on. */
    return file_refresh(f) == 0 ? f->generation : ++f->generation;
}

static int line_get(const struct table *t, const struct line_pos *p, struct passwd_line *out)
{
    const char *why;
    return passwd_line_parse(line_view(t, p), out, &why) == PASSWD_LINE_USER ? 0 : ERR_CORRUPT;
}

int passwd_file_find(struct passwd_file *f, struct view user, struct passwd_line *out)
{
    int err = file_refresh(f);
    if (err != 0)
        return err;
    uint32_t number = *table_slot(&f->table, user, table_hash(&f->table, user));
    return number == 0 ? ERR_NOTFOUND : line_get(&f->table, &f->table.lines[number - 1], out);
}

int passwd_file_pick(struct passwd_file *f, struct view user, passwd_file_fits_fn *fits, void *arg, struct passwd_line *out)
{
    const struct table *t = &f->table;
    struct passwd_line line;
    if (t->nlines == 0)
        return ERR_NOTFOUND;
    size_t start = (size_t)(table_hash(t, user) % t->nlines);
    for (size_t i = 0; i < MIN_OF(t->nlines, 64u); i++) {
        if (line_get(t, &t->lines[(start + i) % t->nlines], &line) == 0 && line.password.len > 0 &&
            (fits == NULL || fits(arg, &line))) {
            *out = line;
            return 0;
        }
    }
    return ERR_NOTFOUND;
}
