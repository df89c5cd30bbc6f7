/*
 * mbox files as a source.
 *
 * A message begins at a line "From ..." with a date in it, at the start of the file or behind an empty line; such a line without
 * a date is text. One '>' is taken off lines ">From " and ">>From " (mboxrd; of the older forms that is right in all but name).
 * Status, X-Status, X-Keywords and X-UID are read and left out; UIDs only when the first message has X-IMAPbase, and as long as
 * they rise: otherwise these fields came with the mail.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/mime.h"
#include "worker/tool.h"

#define SUFFIX VIEW(".mbox")
#define UID_LIMIT 0xf0000000u /* more leave no room for new mail */

/* --- "From " lines
 * --------------------------------------------------------------------------------------------------------------- */

static unsigned month_number(struct view word)
{
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (unsigned i = 0; i < 12 && word.len == 3; i++) {
        if (view_eq_nocase(word, view_make(months + (size_t)i * 3, 3)))
            return i + 1;
    }
    return 0;
}

static struct view next_word(struct cursor *c)
{
    struct view rest;
    size_t n = 0;

    while (cursor_take(c, ' ') || cursor_take(c, '\t'))
        ;
    rest = cursor_rest(c);
    while (n < rest.len && rest.ptr[n] != ' ' && rest.ptr[n] != '\t')
        n++;
    cursor_skip(c, n);
    return view_sub(rest, 0, n);
}

/* "06:39" or "06:39:01" */
static bool parse_clock(struct view word, unsigned *hour, unsigned *minute, unsigned *second)
{
    struct cursor c = cursor_make(word);

    *hour = (unsigned)cursor_dec(&c, 0, 23);
    cursor_expect(&c, ':');
    *minute = (unsigned)cursor_dec(&c, 0, 59);
    *second = 0;
    if (cursor_take(&c, ':'))
        *second = (unsigned)cursor_dec(&c, 0, 60);
    return cursor_done(&c);
}

/* What follows the time: a year, and before or behind it a zone such as "+0100" or "CET". */
static bool parse_year(struct cursor *c, unsigned *year, int *zone)
{
    *year = 0;
    *zone = 0;
    for (int i = 0; i < 3; i++) {
        struct view word = next_word(c);
        struct cursor w = cursor_make(word);
        bool minus;

        if (word.len == 4 && *year == 0) {
            *year = (unsigned)cursor_dec(&w, 1900, 9999);
            if (!cursor_done(&w))
                *year = 0;
        } else if (word.len == 5 && (word.ptr[0] == '+' || word.ptr[0] == '-')) {
            uint64_t n;

            minus = cursor_byte(&w) == '-';
            n = cursor_dec(&w, 0, 1459);
            if (cursor_done(&w))
                *zone = (int)(n / 100 * 60 + n % 100) * (minus ? -1 : 1);
        }
    }
    return *year != 0;
}

/* A separator's line without its end: its date. */
static bool parse_from(struct view line, int64_t *date_out, int *zone_out)
{
    struct cursor c = cursor_make(line);
    unsigned month = 0, day, hour, minute, second, year;
    struct view word;

    if (!cursor_take_view(&c, VIEW("From ")))
        return false;
    /* The sender may hold blanks: look for what can only be the date. */
    do {
        word = next_word(&c);
        month = month_number(word);
    } while (word.len > 0 && month == 0);
    while (cursor_take(&c, ' '))
        ;
    day = (unsigned)cursor_dec(&c, 1, 31);
    if (month == 0 || c.failed || !parse_clock(next_word(&c), &hour, &minute, &second) || !parse_year(&c, &year, zone_out))
        return false;
    *date_out = time_from_civil((int)year, month, day, hour, minute, second) - (int64_t)*zone_out * 60;
    return true;
}

/* --- fields
 * ---------------------------------------------------------------------------------------------------------------------- */

struct fields {
    unsigned flags;
    uint64_t uid;
    struct view base; /* X-IMAPbase or X-IMAP */
    struct view keywords[KEYWORDS_MAX];
    size_t nkeywords;
    struct buf *out; /* the other fields */
};

static void take_status(struct fields *f, struct view value)
{
    for (size_t i = 0; i < value.len; i++) {
        switch (value.ptr[i]) {
        case 'R':
            f->flags |= MSG_SEEN;
            break;
        case 'A':
            f->flags |= MSG_ANSWERED;
            break;
        case 'F':
            f->flags |= MSG_FLAGGED;
            break;
        case 'T':
            f->flags |= MSG_DRAFT;
            break;
        case 'D':
            f->flags |= MSG_DELETED;
            break;
        default:
            break;
        }
    }
}

static struct view trim(struct view v)
{
    while (v.len > 0 && (v.ptr[v.len - 1] == '\r' || v.ptr[v.len - 1] == '\n' || v.ptr[v.len - 1] == ' '))
        v.len--;
    return view_trim(v);
}

static void take_keywords(struct fields *f, struct view value)
{
    struct cursor c = cursor_make(value);
    struct view word;

    while ((word = next_word(&c)).len > 0) {
        word = trim(word);
        if (word.len > 0 && word.len <= KEYWORD_LEN_MAX && f->nkeywords < KEYWORDS_MAX)
            f->keywords[f->nkeywords++] = word;
    }
}

static bool take_field(void *arg, struct view name, struct view value, struct view whole)
{
    struct fields *f = arg;
    struct cursor c;

    if (view_eq_nocase(name, VIEW("Status")) || view_eq_nocase(name, VIEW("X-Status"))) {
        take_status(f, value);
    } else if (view_eq_nocase(name, VIEW("X-Keywords"))) {
        take_keywords(f, value);
    } else if (view_eq_nocase(name, VIEW("X-UID"))) {
        c = cursor_make(trim(value));
        f->uid = cursor_dec(&c, 1, UID_LIMIT);
        if (!cursor_done(&c))
            f->uid = 0;
    } else if (view_eq_nocase(name, VIEW("X-IMAPbase")) || view_eq_nocase(name, VIEW("X-IMAP"))) {
        f->base = trim(value);
    } else {
        buf_put_view(f->out, whole);
    }
    return true;
}

/* --- one file
 * -------------------------------------------------------------------------------------------------------------------- */

struct mbox {
    struct tool *tool;
    struct tool_sink *sink;
    struct view rest; /* from the next separator on */
    struct tool_mailbox mailbox;
    uint32_t last_uid;
    bool first;
    struct buf text; /* without quotes, CRLF */
    struct buf message;
};

static struct view line_at(struct view v, size_t *len_out)
{
    size_t n = view_find(v, '\n');

    *len_out = n < v.len ? n + 1 : n;
    return view_sub(v, 0, n > 0 && v.ptr[n - 1] == '\r' ? n - 1 : n);
}

static void put_line(struct buf *out, struct view line)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] == '>')
        n++;
    if (n > 0 && view_starts(view_sub(line, n, line.len), VIEW("From ")))
        line = view_sub(line, 1, line.len);
    buf_put_view(out, line);
    buf_put(out, "\r\n", 2);
}

/* Collects lines up to the next separator. */
static void take_text(struct mbox *b)
{
    bool blank = false;
    int64_t date;
    int zone;

    buf_reset(&b->text);
    while (b->rest.len > 0) {
        size_t len;
        struct view line = line_at(b->rest, &len);

        if (blank && view_starts(line, VIEW("From ")) && parse_from(line, &date, &zone))
            break;
        /* The empty line before a separator is no part of the message. */
        if (blank)
            buf_put(&b->text, "\r\n", 2);
        blank = line.len == 0;
        if (!blank)
            put_line(&b->text, line);
        b->rest = view_sub(b->rest, len, b->rest.len);
    }
}

static size_t header_len(struct view text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t len;
        struct view line = line_at(view_sub(text, at, text.len), &len);

        if (line.len == 0)
            break;
        at += len;
    }
    return at;
}

/* "<uidvalidity> <last uid> [keyword …]" */
static void take_base(struct mbox *b, struct view base)
{
    struct cursor c = cursor_make(base);
    uint32_t uidvalidity = (uint32_t)cursor_dec(&c, 1, UINT32_MAX);
    uint64_t last;

    cursor_expect(&c, ' ');
    last = cursor_dec(&c, 0, UID_LIMIT);
    if (c.failed)
        return;
    b->mailbox.uidvalidity = uidvalidity;
    b->mailbox.uidnext = (uint32_t)last + 1;
}

static int give_text(struct mbox *b, int64_t date, int zone)
{
    struct view text = buf_view(&b->text);
    size_t end = header_len(text);
    struct fields f = {.out = &b->message};
    struct tool_message m = {.has_date = true, .date = date, .zone = zone};
    int err = 0;

    buf_reset(&b->message);
    header_each(view_sub(text, 0, end), take_field, &f);
    buf_put_view(&b->message, view_sub(text, end, text.len));
    if (!buf_ok(&b->message) || !buf_ok(&b->text))
        return ERR_NOMEM;
    if (b->first) {
        take_base(b, f.base);
        err = b->sink->ops->mailbox(b->sink, &b->mailbox);
    }
    b->first = false;
    m.flags = f.flags;
    m.keywords = f.keywords;
    m.nkeywords = f.nkeywords;
    m.bytes = buf_view(&b->message);
    if (b->mailbox.uidvalidity != 0 && f.uid > b->last_uid)
        m.uid = b->last_uid = (uint32_t)f.uid;
    return err == 0 ? b->sink->ops->message(b->sink, &m) : err;
}

static int give_all(struct mbox *b)
{
    int err = 0;

    while (b->rest.len > 0 && err == 0) {
        size_t len;
        struct view line = line_at(b->rest, &len);
        int64_t date = 0;
        int zone = 0;

        if (line.len == 0) {
            b->rest = view_sub(b->rest, len, b->rest.len);
            continue;
        }
        if (!parse_from(line, &date, &zone))
            return ERR_SYNTAX;
        b->rest = view_sub(b->rest, len, b->rest.len);
        take_text(b);
        err = give_text(b, date, zone);
    }
    if (err == 0 && b->first)
        err = b->sink->ops->mailbox(b->sink, &b->mailbox);
    return err == 0 ? b->sink->ops->mailbox_end(b->sink) : err;
}

static int give_file(struct tool *t, int fd, struct view mailbox, struct tool_sink *sink)
{
    struct mbox b = {.tool = t, .sink = sink, .mailbox = {.name = mailbox}, .first = true};
    struct stat st;
    void *map = NULL;
    int err;

    if (fstat(fd, &st) != 0 || st.st_size < 0)
        return ERR_IO;
    if (st.st_size > 0) {
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            return err_from_errno(errno);
        b.rest = view_make(map, (size_t)st.st_size);
    }
    buf_init(&b.text, (size_t)1 << 31);
    buf_init(&b.message, (size_t)1 << 31);
    err = give_all(&b);
    if (err == ERR_SYNTAX) {
        char *name = tool_printable(mailbox);

        tool_complain(t, "%s: not an mbox file (it does not begin with a \"From \" line)", name);
        free(name);
    }
    buf_free(&b.text);
    buf_free(&b.message);
    if (map != NULL)
        (void)munmap(map, (size_t)st.st_size);
    return err;
}

/* --- a folder of files
 * ----------------------------------------------------------------------------------------------------------- */

/* "Lists.culver.mbox" is Lists/culver. */
static int mailbox_of_file(struct view file, struct buf *out)
{
    struct buf b;
    int err;

    buf_init(&b, 1024);
    for (size_t i = 0; i + SUFFIX.len < file.len; i++)
        buf_put_byte(&b, file.ptr[i] == '.' ? '/' : file.ptr[i]);
    buf_reset(out);
    err = mutf7_decode(out, buf_view(&b));
    if (err == 0 && (!buf_ok(out) || account_check_name(buf_view(out)) != 0))
        err = ERR_SYNTAX;
    buf_free(&b);
    return err;
}

static int give_named(struct tool *t, int dir, const char *file, struct tool_sink *sink)
{
    struct buf name;
    int fd, err;

    buf_init(&name, 1024);
    err = mailbox_of_file(view_str(file), &name);
    if (err == 0)
        err = tool_file_open(dir, file, O_RDONLY, &fd);
    if (err == 0) {
        err = give_file(t, fd, buf_view(&name), sink);
        (void)close(fd);
    }
    if (err == ERR_SYNTAX || err == ERR_DENIED) {
        char *shown = tool_printable(view_str(file));

        tool_complain(t, "%s is left out: %s", shown, err_str(err));
        t->failed++;
        free(shown);
        err = 0;
    }
    buf_free(&name);
    return err;
}

static bool is_mbox_name(const char *name)
{
    struct view v = view_str(name);

    return v.len > SUFFIX.len && v.ptr[0] != '.' && view_eq(view_sub(v, v.len - SUFFIX.len, SUFFIX.len), SUFFIX);
}

int tool_source_mbox(struct tool *t, int fd, struct view mailbox, struct tool_sink *sink)
{
    struct stat st;
    char **names = NULL;
    size_t n = 0;
    int err;

    if (fstat(fd, &st) != 0)
        return ERR_IO;
    if (!S_ISDIR(st.st_mode))
        return give_file(t, fd, mailbox, sink);
    err = tool_list_dir(fd, is_mbox_name, &names, &n);
    for (size_t i = 0; i < n && err == 0; i++)
        err = give_named(t, fd, names[i], sink);
    tool_list_free(&names, n);
    return err;
}
