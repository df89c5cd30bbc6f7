/*
 * mbox files as a sink: NAME.mbox for each mailbox, '.' between levels, modified UTF-7, in the form "mboxrd" (every line of a
 * message that begins with ">…>From " or "From " gets one more '>'). What is known of a message stands in the fields that
 * Dovecot, mutt and UW IMAP know: X-IMAPbase (first message: UIDVALIDITY, last UID, keywords), X-UID, Status, X-Status,
 * X-Keywords; fields of these names that a message has itself are left out.
 *
 * Where two mailboxes would get the same file ("A/B" and "A.B"), the second one's has a '_' more.
 *
 * A file gets its name when it is complete. So a file that is there is done, and when the export is run again it is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/mime.h"
#include "worker/tool.h"
#include "worker/tool_names.h"

#define SUFFIX ".mbox"
#define NAME_LEN_MAX 230 /* with what is before and behind it a file can be called so */
#define FLUSH_AT ((size_t)1 << 20)

struct mbox_sink {
    struct tool_sink base;
    int dir;
    int fd; /* of the file in the making; -1: none */
    char *name, *tmp;
    struct tool_names names; /* without SUFFIX */
    struct tool_mailbox mailbox;
    bool first; /* its first message is still to come */
    struct buf out;
};

static char *joined(const char *a, const char *b, const char *c)
{
    struct buf out;
    char *s;

    buf_init(&out, SIZE_MAX / 4);
    buf_put_str(&out, a);
    buf_put_str(&out, b);
    buf_put_str(&out, c);
    s = view_dup(buf_view(&out));
    buf_free(&out);
    return s;
}

static int file_names(struct mbox_sink *s, struct view mailbox)
{
    struct buf name;
    const char *given;
    int err;

    buf_init(&name, NAME_LEN_MAX);
    err = mutf7_encode(&name, mailbox);
    if (err == 0 && !buf_ok(&name))
        err = ERR_LIMIT;
    if (err == 0) {
        for (size_t i = 0; i < buf_len(&name); i++) {
            if (name.data[name.off + i] == '/')
                name.data[name.off + i] = '.';
        }
        given = tool_names_give(&s->names, mailbox, buf_view(&name));
        s->base.tool->notes += !view_eq(view_str(given), buf_view(&name));
        s->name = joined("", given, SUFFIX);
        s->tmp = joined(".", s->name, ".new");
    }
    buf_free(&name);
    return err;
}

static void forget_names(struct mbox_sink *s)
{
    free(s->name);
    free(s->tmp);
    s->name = s->tmp = NULL;
}

static int sink_mailbox(struct tool_sink *base, const struct tool_mailbox *m)
{
    struct mbox_sink *s = (struct mbox_sink *)base;
    struct stat st;
    int err = file_names(s, m->name);

    if (err != 0) {
        char *name = tool_printable(m->name);

        tool_complain(base->tool, "%s: such a name cannot be that of a file; the mailbox is left out", name);
        base->tool->failed++;
        free(name);
        return ERR_EXISTS;
    }
    if (fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        forget_names(s);
        base->tool->skipped++;
        return ERR_EXISTS;
    }
    s->mailbox = *m;
    s->first = true;
    err = tool_file_open(s->dir, s->tmp, O_WRONLY | O_CREAT | O_TRUNC, &s->fd);
    if (err != 0)
        forget_names(s);
    return err;
}

static int flush(struct mbox_sink *s)
{
    int err = buf_ok(&s->out) ? tool_write_all(s->fd, buf_view(&s->out)) : ERR_NOMEM;

    buf_reset(&s->out);
    return err;
}

/* --- one message
 * ----------------------------------------------------------------------------------------------------------------- */

static bool is_own_field(struct view name)
{
    static const char *const own[] = {"Status", "X-Status", "X-Keywords", "X-UID", "X-IMAP", "X-IMAPbase", "Content-Length"};

    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (view_eq_nocase(name, view_str(own[i])))
            return true;
    }
    return false;
}

/* One line, quoted where it needs to be. */
static void put_line(struct buf *out, struct view line)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] == '>')
        n++;
    if (view_starts(view_sub(line, n, line.len), VIEW("From ")))
        buf_put_byte(out, '>');
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    buf_put_view(out, line);
    buf_put_byte(out, '\n');
}

static void put_lines(struct buf *out, struct view text)
{
    while (text.len > 0) {
        size_t n = view_find(text, '\n');

        put_line(out, view_sub(text, 0, n));
        text = view_sub(text, n + 1, text.len);
    }
}

static bool put_field(void *arg, struct view name, struct view value, struct view whole)
{
    (void)value;
    if (!is_own_field(name))
        put_lines(arg, whole);
    return true;
}

/* "From sender Mon Nov 23 06:39:01 2026", in UTC. */
static void put_from(struct buf *out, struct view header, int64_t date)
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct view sender = view_trim(header_find(header, VIEW("Return-Path")));
    struct civil_time t;
    bool clean;

    time_to_civil(date, 0, &t);
    if (sender.len > 2 && sender.ptr[0] == '<')
        sender = view_sub(sender, 1, view_find(sender, '>') - 1);
    clean = sender.len > 0 && sender.len <= 320;
    for (size_t i = 0; i < sender.len; i++)
        clean = clean && sender.ptr[i] > ' ' && sender.ptr[i] < 0x7f;
    buf_put_str(out, "From ");
    buf_put_view(out, clean ? sender : VIEW("MAILER-DAEMON"));
    buf_put_fmt(out, " %.3s %.3s %2u %02u:%02u:%02u %d\n", days + (size_t)t.weekday * 3, months + ((size_t)t.month - 1) * 3,
                t.day, t.hour, t.minute, t.second, t.year);
}

static void put_flags(struct buf *out, unsigned flags)
{
    buf_put_str(out, (flags & MSG_SEEN) != 0 ? "Status: RO\n" : "Status: O\n");
    if ((flags & ~(unsigned)MSG_SEEN) == 0)
        return;
    buf_put_str(out, "X-Status: ");
    buf_put_str(out, (flags & MSG_ANSWERED) != 0 ? "A" : "");
    buf_put_str(out, (flags & MSG_FLAGGED) != 0 ? "F" : "");
    buf_put_str(out, (flags & MSG_DRAFT) != 0 ? "T" : "");
    buf_put_str(out, (flags & MSG_DELETED) != 0 ? "D" : "");
    buf_put_byte(out, '\n');
}

static void put_own_fields(struct mbox_sink *s, const struct tool_message *m)
{
    if (s->first && s->mailbox.uidvalidity != 0)
        buf_put_fmt(&s->out, "X-IMAPbase: %u %010u\n", s->mailbox.uidvalidity, s->mailbox.uidnext - 1);
    s->first = false;
    if (m->uid != 0)
        buf_put_fmt(&s->out, "X-UID: %u\n", m->uid);
    put_flags(&s->out, m->flags);
    if (m->nkeywords > 0) {
        buf_put_str(&s->out, "X-Keywords:");
        for (size_t i = 0; i < m->nkeywords; i++) {
            buf_put_byte(&s->out, ' ');
            buf_put_view(&s->out, m->keywords[i]);
        }
        buf_put_byte(&s->out, '\n');
    }
}

/* Length of the header block without the blank line that ends it. */
static size_t header_end(struct view bytes)
{
    size_t at = 0;

    while (at < bytes.len) {
        struct view rest = view_sub(bytes, at, bytes.len);
        size_t n = view_find(rest, '\n');

        if (n == 0 || (n == 1 && rest.ptr[0] == '\r'))
            return at;
        at += n < rest.len ? n + 1 : n;
    }
    return at;
}

static int sink_message(struct tool_sink *base, const struct tool_message *m)
{
    struct mbox_sink *s = (struct mbox_sink *)base;
    size_t end = header_end(m->bytes);
    struct view header = view_sub(m->bytes, 0, end), body = view_sub(m->bytes, end, m->bytes.len);
    int err = 0;

    put_from(&s->out, header, m->has_date ? m->date : 0);
    header_each(header, put_field, &s->out);
    put_own_fields(s, m);
    if (body.len == 0)
        body = VIEW("\n");
    put_lines(&s->out, body);
    buf_put_byte(&s->out, '\n');
    base->tool->messages++;
    base->tool->bytes += m->bytes.len;
    tool_progress(base->tool, "messages", base->tool->messages, 0);
    if (buf_len(&s->out) >= FLUSH_AT || !buf_ok(&s->out))
        err = flush(s);
    return err;
}

static int sink_mailbox_end(struct tool_sink *base)
{
    struct mbox_sink *s = (struct mbox_sink *)base;
    int err = flush(s);

    if (err == 0 && fsync(s->fd) != 0)
        err = err_from_errno(errno);
    (void)close(s->fd);
    s->fd = -1;
    if (err == 0 && renameat(s->dir, s->tmp, s->dir, s->name) != 0)
        err = err_from_errno(errno);
    forget_names(s);
    return err;
}

/* An mbox folder has no list of subscriptions that programs agree on. */
static int sink_subscribe(struct tool_sink *base, struct view name)
{
    (void)base;
    (void)name;
    return 0;
}

static int sink_finish(struct tool_sink *base)
{
    return fsync(((struct mbox_sink *)base)->dir) == 0 ? 0 : err_from_errno(errno);
}

static void sink_free(struct tool_sink *base)
{
    struct mbox_sink *s = (struct mbox_sink *)base;

    if (s->fd >= 0)
        (void)close(s->fd);
    forget_names(s);
    tool_names_free(&s->names);
    buf_free(&s->out);
    free(s);
}

int tool_sink_mbox(struct tool *t, int dir, struct tool_sink **out)
{
    static const struct tool_sink_ops ops = {sink_mailbox,   sink_message, sink_mailbox_end,
                                             sink_subscribe, sink_finish,  sink_free};
    struct mbox_sink *s = xcalloc(1, sizeof(*s));

    s->base = (struct tool_sink){&ops, t};
    s->dir = dir;
    s->fd = -1;
    buf_init(&s->out, SIZE_MAX / 4);
    *out = &s->base;
    return 0;
}
