/*
 * A Maildir++ as a sink, as Dovecot keeps one: INBOX in the folder itself, "A/B" in ".A.B" (of two mailboxes that would share a
 * folder, as "A.B" and "A_B", the second one's has a '_' more); dovecot-uidlist (version 3) with
 * UIDVALIDITY and UIDs, dovecot-keywords, subscriptions. Line ends are LF; the date of a file is INTERNALDATE.
 *
 * The name of a file is made from UIDVALIDITY and UID (or the content), so that a file that is there with its full size is done
 * when the export is run again; when its flags have changed it gets a new name. A file is written in tmp/ and renamed to cur/;
 * uidlist and keywords are written when a mailbox is complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/blob.h"
#include "storage/maildir_name.h"
#include "worker/tool.h"
#include "worker/tool_names.h"

struct maildir_sink {
    struct tool_sink base;
    int dir;
    int folder, cur, tmp; /* of the mailbox in the making; -1: none */
    struct tool_mailbox mailbox;
    struct tool_names names;
    char **there; /* names in cur/ as they were, sorted */
    size_t nthere;
    char *keywords[MD_LETTERS];
    unsigned nkeywords;
    struct buf uidlist, text, subscriptions;
};

/* --- folders
 * ------------------------------------------------------------------------------------------------------------------------ */

/* A '.' within a level, which the name of a folder cannot hold, becomes '_'. */
static int wanted_name(struct maildir_sink *s, struct view mailbox, struct buf *out)
{
    struct buf clean;
    int err;

    if (view_find(mailbox, '.') == mailbox.len)
        return md_folder_from_name(mailbox, out);
    buf_init(&clean, mailbox.len + 1);
    for (size_t i = 0; i < mailbox.len; i++)
        buf_put_byte(&clean, mailbox.ptr[i] == '.' ? '_' : mailbox.ptr[i]);
    err = md_folder_from_name(buf_view(&clean), out);
    buf_free(&clean);
    s->base.tool->notes++;
    return err;
}

/* The name of its folder; no other mailbox's. */
static int folder_name(struct maildir_sink *s, struct view mailbox, struct buf *out)
{
    const char *given = tool_names_find(&s->names, mailbox);
    int err = given == NULL ? wanted_name(s, mailbox, out) : 0;

    if (err == 0 && given == NULL) {
        given = tool_names_give(&s->names, mailbox, buf_view(out));
        s->base.tool->notes += !view_eq(view_str(given), buf_view(out));
    }
    if (err != 0)
        return err;
    buf_reset(out);
    buf_put_str(out, given);
    return buf_ok(out) ? 0 : ERR_LIMIT;
}

static void close_folder(struct maildir_sink *s)
{
    if (s->folder >= 0)
        (void)close(s->folder);
    if (s->cur >= 0)
        (void)close(s->cur);
    if (s->tmp >= 0)
        (void)close(s->tmp);
    s->folder = s->cur = s->tmp = -1;
    tool_list_free(&s->there, s->nthere);
    s->nthere = 0;
    for (unsigned i = 0; i < s->nkeywords; i++)
        free(s->keywords[i]);
    s->nkeywords = 0;
}

static bool is_file_name(const char *name)
{
    return name[0] != '.';
}

static int open_folder(struct maildir_sink *s, struct view folder)
{
    char *name = folder.len > 0 ? view_dup(folder) : xstrdup(".");
    int fresh, err = tool_dir_open(s->dir, name, folder.len > 0, &s->folder);

    free(name);
    if (err == 0)
        err = tool_dir_open(s->folder, "tmp", true, &s->tmp);
    if (err == 0)
        err = tool_dir_open(s->folder, "new", true, &fresh);
    if (err == 0) {
        (void)close(fresh);
        err = tool_dir_open(s->folder, "cur", true, &s->cur);
    }
    if (err == 0 && folder.len > 0)
        err = tool_file_write(s->folder, "maildirfolder", view_make(NULL, 0));
    if (err == 0)
        err = tool_list_dir(s->cur, is_file_name, &s->there, &s->nthere);
    return err;
}

static int sink_mailbox(struct tool_sink *base, const struct tool_mailbox *m)
{
    struct maildir_sink *s = (struct maildir_sink *)base;
    struct buf folder;
    int err;

    buf_init(&folder, MD_NAME_MAX);
    err = folder_name(s, m->name, &folder);
    if (err == ERR_SYNTAX || err == ERR_LIMIT) {
        char *name = tool_printable(m->name);

        tool_complain(base->tool, "%s: such a name cannot be that of a folder; the mailbox is left out", name);
        base->tool->failed++;
        free(name);
        buf_free(&folder);
        return ERR_EXISTS;
    }
    if (err == 0)
        err = open_folder(s, buf_view(&folder));
    buf_free(&folder);
    if (err != 0) {
        close_folder(s);
        return err;
    }
    s->mailbox = *m;
    buf_reset(&s->uidlist);
    return 0;
}

/* --- messages
 * ----------------------------------------------------------------------------------------------------------------------- */

static uint32_t letter_of(struct maildir_sink *s, struct view keyword)
{
    for (unsigned i = 0; i < s->nkeywords; i++) {
        if (view_eq_nocase(view_str(s->keywords[i]), keyword))
            return 1u << i;
    }
    if (s->nkeywords == MD_LETTERS) {
        s->base.tool->notes++;
        return 0;
    }
    s->keywords[s->nkeywords] = view_dup(keyword);
    return 1u << s->nkeywords++;
}

static void put_base(struct maildir_sink *s, const struct tool_message *m, struct buf *out)
{
    uint8_t id[BLOB_ID_SIZE];

    buf_put_fmt(out, "%lld.", (long long)(m->has_date && m->date > 0 ? m->date : 0));
    if (m->uid != 0) {
        buf_put_fmt(out, "V%uU%u", s->mailbox.uidvalidity, m->uid);
    } else {
        content_id_of(m->bytes, id);
        buf_put_byte(out, 'C');
        hex_encode(out, view_make(id, sizeof(id)));
    }
    buf_put_fmt(out, ".culver,S=%zu,W=%zu", buf_len(&s->text), m->bytes.len);
}

/* The file of this base name that is there whole, or NULL. */
static const char *find_there(const struct maildir_sink *s, struct view base)
{
    size_t lo = 0, hi = s->nthere;
    struct stat st;
    struct view name;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (view_cmp(view_str(s->there[mid]), base) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == s->nthere)
        return NULL;
    name = view_str(s->there[lo]);
    if (!view_starts(name, base) || (name.len > base.len && name.ptr[base.len] != ':'))
        return NULL;
    if (fstatat(s->cur, s->there[lo], &st, AT_SYMLINK_NOFOLLOW) != 0 || (uint64_t)st.st_size != buf_len(&s->text))
        return NULL;
    return s->there[lo];
}

static int write_file(struct maildir_sink *s, const char *tmp, const char *name, const struct tool_message *m)
{
    const struct timespec times[2] = {{.tv_sec = (time_t)m->date}, {.tv_sec = (time_t)m->date}};
    int fd, err = tool_file_open(s->tmp, tmp, O_WRONLY | O_CREAT | O_TRUNC, &fd);

    if (err != 0)
        return err;
    err = tool_write_all(fd, buf_view(&s->text));
    if (err == 0 && m->has_date && futimens(fd, times) != 0)
        err = err_from_errno(errno);
    if (err == 0 && fdatasync(fd) != 0)
        err = err_from_errno(errno);
    (void)close(fd);
    if (err == 0 && renameat(s->tmp, tmp, s->cur, name) != 0)
        err = err_from_errno(errno);
    return err;
}

/* Sees to it that the file is there, under this name. */
static int place(struct maildir_sink *s, const char *base, const char *name, const struct tool_message *m)
{
    const char *there = find_there(s, view_str(base));
    struct tool *t = s->base.tool;
    int err = 0;

    if (there == NULL)
        err = write_file(s, base, name, m);
    else if (strcmp(there, name) != 0 && renameat(s->cur, there, s->cur, name) != 0)
        err = err_from_errno(errno);
    if (err != 0)
        return err;
    t->skipped += there != NULL;
    t->messages += there == NULL;
    t->bytes += there == NULL ? m->bytes.len : 0;
    tool_progress(t, "messages", t->messages + t->skipped, 0);
    return 0;
}

static int sink_message(struct tool_sink *base, const struct tool_message *m)
{
    struct maildir_sink *s = (struct maildir_sink *)base;
    struct md_name n = {.flags = m->flags};
    struct buf b, name;
    int err = ERR_NOMEM;

    buf_init(&b, MD_NAME_MAX + 1);
    buf_init(&name, MD_NAME_MAX + 1);
    buf_reset(&s->text);
    tool_to_lf(&s->text, m->bytes);
    put_base(s, m, &b);
    n.base = buf_view(&b);
    for (size_t i = 0; i < m->nkeywords; i++)
        n.letters |= letter_of(s, m->keywords[i]);
    md_name_put(&name, &n);
    if (m->uid != 0 && m->uidl.len > 0)
        buf_put_fmt(&s->uidlist, "%u P%.*s :%.*s\n", m->uid, (int)m->uidl.len, (const char *)m->uidl.ptr, (int)n.base.len,
                    (const char *)n.base.ptr);
    else if (m->uid != 0)
        buf_put_fmt(&s->uidlist, "%u :%.*s\n", m->uid, (int)n.base.len, (const char *)n.base.ptr);
    buf_put_byte(&name, 0);
    buf_put_byte(&b, 0);
    if (buf_ok(&b) && buf_ok(&name) && buf_ok(&s->text) && buf_ok(&s->uidlist))
        err = place(s, (const char *)buf_view(&b).ptr, (const char *)buf_view(&name).ptr, m);
    buf_free(&b);
    buf_free(&name);
    return err;
}

/* --- the small files
 * -------------------------------------------------------------------------------------------------------------- */

static int write_uidlist(struct maildir_sink *s)
{
    struct buf b;
    int err;

    if (s->mailbox.uidvalidity == 0)
        return 0;
    buf_init(&b, SIZE_MAX / 4);
    buf_put_fmt(&b, "3 V%u N%u\n", s->mailbox.uidvalidity, s->mailbox.uidnext);
    buf_put_view(&b, buf_view(&s->uidlist));
    err = buf_ok(&b) ? tool_file_write(s->folder, "dovecot-uidlist", buf_view(&b)) : ERR_NOMEM;
    buf_free(&b);
    return err;
}

static int write_keywords(struct maildir_sink *s)
{
    struct buf b;
    int err;

    if (s->nkeywords == 0)
        return 0;
    buf_init(&b, 65536);
    for (unsigned i = 0; i < s->nkeywords; i++)
        buf_put_fmt(&b, "%u %s\n", i, s->keywords[i]);
    err = buf_ok(&b) ? tool_file_write(s->folder, "dovecot-keywords", buf_view(&b)) : ERR_NOMEM;
    buf_free(&b);
    return err;
}

static int sink_mailbox_end(struct tool_sink *base)
{
    struct maildir_sink *s = (struct maildir_sink *)base;
    int err = fsync(s->cur) == 0 ? 0 : err_from_errno(errno);

    if (err == 0)
        err = write_uidlist(s);
    if (err == 0)
        err = write_keywords(s);
    if (err == 0 && fsync(s->folder) != 0)
        err = err_from_errno(errno);
    close_folder(s);
    return err;
}

static int sink_subscribe(struct tool_sink *base, struct view name)
{
    struct maildir_sink *s = (struct maildir_sink *)base;
    struct buf folder;
    int err;

    buf_init(&folder, MD_NAME_MAX);
    err = folder_name(s, name, &folder);
    if (err == 0) {
        struct view v = buf_view(&folder);

        if (v.len == 0)
            buf_put_str(&s->subscriptions, "INBOX");
        for (size_t i = 1; i < v.len; i++)
            buf_put_byte(&s->subscriptions, v.ptr[i] == '.' ? '\t' : v.ptr[i]);
        buf_put_byte(&s->subscriptions, '\n');
    }
    buf_free(&folder);
    return 0;
}

static int sink_finish(struct tool_sink *base)
{
    struct maildir_sink *s = (struct maildir_sink *)base;
    struct buf b;
    int err;

    buf_init(&b, SIZE_MAX / 4);
    buf_put_str(&b, "V\t2\n\n");
    buf_put_view(&b, buf_view(&s->subscriptions));
    err = buf_ok(&b) ? tool_file_write(s->dir, "subscriptions", buf_view(&b)) : ERR_NOMEM;
    buf_free(&b);
    return err == 0 && fsync(s->dir) != 0 ? err_from_errno(errno) : err;
}

static void sink_free(struct tool_sink *base)
{
    struct maildir_sink *s = (struct maildir_sink *)base;

    close_folder(s);
    tool_names_free(&s->names);
    buf_free(&s->uidlist);
    buf_free(&s->text);
    buf_free(&s->subscriptions);
    free(s);
}

int tool_sink_maildir(struct tool *t, int dir, struct tool_sink **out)
{
    static const struct tool_sink_ops ops = {sink_mailbox,   sink_message, sink_mailbox_end,
                                             sink_subscribe, sink_finish,  sink_free};
    struct maildir_sink *s = xcalloc(1, sizeof(*s));

    s->base = (struct tool_sink){&ops, t};
    s->dir = dir;
    s->folder = s->cur = s->tmp = -1;
    buf_init(&s->uidlist, SIZE_MAX / 4);
    buf_init(&s->text, SIZE_MAX / 4);
    buf_init(&s->subscriptions, SIZE_MAX / 4);
    *out = &s->base;
    return 0;
}
