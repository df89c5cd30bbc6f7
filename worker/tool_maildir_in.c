/*
 * A Maildir++ as a source, as Dovecot leaves one: UIDs and UIDVALIDITY from dovecot-uidlist, keywords by dovecot-keywords, flags
 * from the names of files, INTERNALDATE from their dates. Files that the list does not have (what came into new/ since, or a
 * Maildir of another program) follow behind, oldest first, and get new UIDs.
 *
 * Nothing in it is changed. It should be at rest: a file that is renamed meanwhile is left out, and counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "storage/maildir_files.h"
#include "worker/tool.h"

#define LIST_MAX ((size_t)1 << 30)
#define MESSAGE_MAX ((size_t)1 << 30)

struct entry {
    char *file;
    struct md_name name;
    bool fresh; /* in new/ */
    uint32_t uid;
    struct view uidl; /* points into uidlist */
};

struct folder {
    struct tool *tool;
    struct tool_sink *sink;
    int dir, cur, fresh;
    struct entry *entries; /* by base name, then as they are to come */
    size_t n, cap;
    struct buf uidlist, keywords;
    struct view letters[MD_LETTERS]; /* point into keywords */
    struct tool_mailbox mailbox;
    struct buf text, message;
};

/* --- what is there
 * ------------------------------------------------------------------------------------------------------------------ */

static bool is_message_name(const char *name)
{
    struct md_name n;

    return md_name_parse(view_str(name), &n);
}

static int list_files(struct folder *f, int dir, bool fresh)
{
    char **names = NULL;
    size_t n = 0;
    int err = tool_list_dir(dir, is_message_name, &names, &n);

    for (size_t i = 0; i < n; i++) {
        struct entry e = {.file = names[i], .fresh = fresh};

        if (f->n == f->cap) {
            f->cap = MAX_OF(f->cap * 2, (size_t)64);
            f->entries = xreallocarray(f->entries, f->cap, sizeof(*f->entries));
        }
        if (md_name_parse(view_str(e.file), &e.name))
            f->entries[f->n++] = e; /* transferred */
    }
    free(names);
    return err;
}

static int base_order(const void *a, const void *b)
{
    return view_cmp(((const struct entry *)a)->name.base, ((const struct entry *)b)->name.base);
}

/* As they are given: with UIDs first, the others by the time in their names. */
static int give_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    uint64_t tx, ty;

    if (x->uid != y->uid)
        return x->uid == 0 ? 1 : y->uid == 0 ? -1 : x->uid < y->uid ? -1 : 1;
    tx = md_name_time(x->name.base);
    ty = md_name_time(y->name.base);
    return tx != ty ? (tx < ty ? -1 : 1) : base_order(a, b);
}

static struct entry *find_entry(struct folder *f, struct view base)
{
    struct entry key = {.name = {.base = base}};

    return f->n > 0 ? bsearch(&key, f->entries, f->n, sizeof(key), base_order) : NULL;
}

static int read_small(struct folder *f, const char *name, struct buf *out)
{
    int err = tool_file_read(f->dir, name, LIST_MAX, out);

    return err == ERR_NOTFOUND ? 0 : err;
}

static int take_uidlist(struct folder *f)
{
    struct md_uidlist l;
    struct md_uid m;
    int err = read_small(f, "dovecot-uidlist", &f->uidlist);

    if (err != 0 || buf_len(&f->uidlist) == 0)
        return err;
    if (md_uidlist_begin(&l, buf_view(&f->uidlist)) != 0) {
        char *name = tool_printable(f->mailbox.name);

        tool_complain(f->tool, "%s: dovecot-uidlist cannot be read; its messages get new UIDs", name);
        f->tool->notes++;
        free(name);
        return 0;
    }
    f->mailbox.uidvalidity = l.uidvalidity;
    f->mailbox.uidnext = l.next_uid;
    while (md_uidlist_next(&l, &m)) {
        struct entry *e = find_entry(f, m.base);

        if (e != NULL) {
            e->uid = m.uid;
            e->uidl = m.uidl;
        }
        if (m.uid >= f->mailbox.uidnext)
            f->mailbox.uidnext = m.uid + 1;
    }
    return 0;
}

static int take_keywords(struct folder *f)
{
    struct md_keyword k;
    struct cursor c;
    int err = read_small(f, "dovecot-keywords", &f->keywords);

    if (err != 0)
        return err;
    c = cursor_make(buf_view(&f->keywords));
    while (md_keywords_next(&c, &k))
        f->letters[k.letter] = k.name;
    return 0;
}

/* --- messages
 * ------------------------------------------------------------------------------------------------------------------------ */

static int read_message(struct folder *f, const struct entry *e, struct stat *st)
{
    int dir = e->fresh ? f->fresh : f->cur;
    int err;

    buf_reset(&f->text);
    buf_reset(&f->message);
    err = tool_file_read(dir, e->file, MESSAGE_MAX, &f->text);
    if (err == 0 && fstatat(dir, e->file, st, AT_SYMLINK_NOFOLLOW) != 0)
        err = err_from_errno(errno);
    if (err != 0)
        return err;
    tool_to_crlf(&f->message, buf_view(&f->text));
    return buf_ok(&f->message) ? 0 : ERR_NOMEM;
}

static int give_message(struct folder *f, const struct entry *e)
{
    struct view keywords[MD_LETTERS];
    struct tool_message m = {.uid = e->uid, .flags = e->name.flags, .keywords = keywords, .has_date = true};
    struct stat st;
    int err = read_message(f, e, &st);

    if (err != 0) {
        char *name = tool_printable(view_str(e->file));

        tool_complain(f->tool, "%s: %s", name, err_str(err));
        f->tool->failed++;
        free(name);
        return 0;
    }
    for (unsigned i = 0; i < MD_LETTERS; i++) {
        if ((e->name.letters & 1u << i) != 0 && f->letters[i].len > 0)
            keywords[m.nkeywords++] = f->letters[i];
    }
    m.date = st.st_mtim.tv_sec;
    m.uidl = e->uidl;
    m.bytes = buf_view(&f->message);
    return f->sink->ops->message(f->sink, &m);
}

static int read_folder(struct folder *f)
{
    int err = tool_dir_open(f->dir, "cur", false, &f->cur);

    if (err == 0)
        err = list_files(f, f->cur, false);
    if (err == 0)
        err = tool_dir_open(f->dir, "new", false, &f->fresh);
    if (err == ERR_NOTFOUND && f->cur >= 0)
        return 0;
    return err == 0 ? list_files(f, f->fresh, true) : err;
}

static int give_folder(struct folder *f)
{
    int err = read_folder(f);

    if (err == 0 && f->n > 0)
        qsort(f->entries, f->n, sizeof(*f->entries), base_order);
    if (err == 0)
        err = take_uidlist(f);
    if (err == 0)
        err = take_keywords(f);
    if (err == 0 && f->n > 0)
        qsort(f->entries, f->n, sizeof(*f->entries), give_order);
    if (err == 0)
        err = f->sink->ops->mailbox(f->sink, &f->mailbox);
    if (err != 0)
        return err == ERR_EXISTS ? 0 : err;
    for (size_t i = 0; i < f->n && err == 0; i++)
        err = give_message(f, &f->entries[i]);
    return err == 0 ? f->sink->ops->mailbox_end(f->sink) : err;
}

static int give_folder_at(struct tool *t, struct tool_sink *sink, int dir, struct view mailbox)
{
    struct folder f = {.tool = t, .sink = sink, .dir = dir, .cur = -1, .fresh = -1, .mailbox = {.name = mailbox}};
    int err;

    buf_init(&f.uidlist, LIST_MAX);
    buf_init(&f.keywords, (size_t)1 << 20);
    buf_init(&f.text, MESSAGE_MAX);
    buf_init(&f.message, MESSAGE_MAX * 2);
    err = give_folder(&f);
    for (size_t i = 0; i < f.n; i++)
        free(f.entries[i].file);
    free(f.entries);
    buf_free(&f.uidlist);
    buf_free(&f.keywords);
    buf_free(&f.text);
    buf_free(&f.message);
    if (f.cur >= 0)
        (void)close(f.cur);
    if (f.fresh >= 0)
        (void)close(f.fresh);
    return err;
}

/* --- the whole
 * ----------------------------------------------------------------------------------------------------------------------- */

static bool is_folder_name(const char *name)
{
    return name[0] == '.' && name[1] != '\0' && name[1] != '.';
}

static void left_out(struct tool *t, const char *folder, int err)
{
    char *name = tool_printable(view_str(folder));

    tool_complain(t, "folder %s is left out: %s", name, err_str(err));
    t->failed++;
    free(name);
}

static int give_named(struct tool *t, struct tool_sink *sink, int dir, const char *folder)
{
    struct buf name;
    struct stat st;
    int fd, err;

    if (fstatat(dir, folder, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
        return 0;
    buf_init(&name, 1024);
    err = md_folder_to_name(view_str(folder), &name);
    if (err == 0)
        err = tool_dir_open(dir, folder, false, &fd);
    if (err == 0) {
        /* A folder of ours has cur/; others are not folders of a Maildir. */
        err = fstatat(fd, "cur", &st, AT_SYMLINK_NOFOLLOW) == 0 ? give_folder_at(t, sink, fd, buf_view(&name)) : 0;
        (void)close(fd);
    } else {
        left_out(t, folder, err);
        err = 0;
    }
    buf_free(&name);
    return err;
}

static int give_subscriptions(struct tool *t, struct tool_sink *sink, int dir)
{
    struct md_subs s;
    struct buf file, name;
    int err;

    (void)t;
    buf_init(&file, (size_t)16 << 20);
    buf_init(&name, 4096);
    err = tool_file_read(dir, "subscriptions", (size_t)16 << 20, &file);
    if (err == 0) {
        md_subs_begin(&s, buf_view(&file));
        while (err == 0 && md_subs_next(&s, &name))
            err = sink->ops->subscribe(sink, buf_view(&name));
    }
    buf_free(&file);
    buf_free(&name);
    return err == ERR_NOTFOUND ? 0 : err;
}

int tool_source_maildir(struct tool *t, int dir, struct tool_sink *sink)
{
    char **names = NULL;
    size_t n = 0;
    int err = give_folder_at(t, sink, dir, VIEW("INBOX"));

    if (err == 0)
        err = tool_list_dir(dir, is_folder_name, &names, &n);
    for (size_t i = 0; i < n && err == 0; i++)
        err = give_named(t, sink, dir, names[i]);
    tool_list_free(&names, n);
    return err == 0 ? give_subscriptions(t, sink, dir) : err;
}
