/*
 * One log a process, so its context is the one piece of file-scope state in common. Lines are built in a buffer on the stack with
 * code that makes no system call, and leave with one write; nothing here allocates, waits or uses stdio, so it works in every
 * sandbox and when memory is out. Before log_init() lines go to descriptor 2.
 *
 * A socket is written with MSG_NOSIGNAL|MSG_DONTWAIT. Whether the descriptor is one is found out by the first send (ENOTSOCK), as
 * the sandboxes allow no question about a descriptor. A line over the limit is cut inside its last value and says so (cut=1).
 */
#include "common/log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/text/text.h"

#define LINE_MAX_BYTES 4096 /* a pipe takes this much in one piece */
#define LINE_TAIL 8         /* always room for a closing quote, " cut=1" and the line end */
#define SYSLOG_MAIL (2u << 3)

static struct log_ctx {
    const char *proc;
    int fd;
    enum log_sink sink;
    enum log_level least;
    bool not_socket;
    bool torn; /* the last line was written in part: the next begins on a new line */
    uint64_t lost;
} ctx = {"culver", 2, LOG_SINK_STREAM, LOG_LVL_INFO, false, false, 0};

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
    bool cut;
};

void log_init(const char *proc, int fd, enum log_sink sink, enum log_level least)
{
    ctx = (struct log_ctx){.proc = proc, .fd = fd, .sink = sink, .least = least};
}

void log_set_fd(int fd)
{
    ctx.fd = fd;
    ctx.not_socket = false;
    ctx.torn = false;
}

void log_set_level(enum log_level least)
{
    ctx.least = least;
}

bool log_enabled(enum log_level level)
{
    return level >= ctx.least;
}

const char *log_errno_text(int errnum)
{
    const char *name = strerrorname_np(errnum);
    return name == NULL ? "E?" : name;
}

/* All or nothing; nothing at all after the first piece that did not fit. */
static void put(struct line *l, const char *s, size_t n)
{
    if (l->cut || l->len + n > LINE_MAX_BYTES - LINE_TAIL) {
        l->cut = true;
        return;
    }
    memcpy(l->text + l->len, s, n);
    l->len += n;
}

static void put_str(struct line *l, const char *s)
{
    put(l, s, strlen(s));
}

static void put_dec(struct line *l, uint64_t n, unsigned width)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0 || sizeof(digits) - at < width);
    put(l, digits + at, sizeof(digits) - at);
}

static void put_hex(struct line *l, uint64_t n, unsigned width)
{
    static const char hex[] = "0123456789abcdef";
    char digits[16];
    for (unsigned i = 0; i < width; i++)
        digits[i] = hex[(n >> (4 * (width - 1 - i))) & 15];
    put(l, digits, width);
}

/* Bytes at the front of v that may stand in a line as they are: one printable character, or 0. C1 controls are no characters. */
static unsigned plain_len(struct view v)
{
    uint32_t cp;
    unsigned n = utf8_decode(v, &cp);
    bool plain = n > 0 && cp >= 0x20 && cp != '"' && cp != '\\' && (cp < 0x7f || cp > 0x9f);
    return plain ? n : 0;
}

static bool needs_quotes(struct view v)
{
    if (v.len == 0)
        return true;
    for (size_t at = 0; at < v.len;) {
        unsigned n = plain_len(view_make(v.ptr + at, v.len - at));
        if (n == 0 || v.ptr[at] == ' ' || v.ptr[at] == '=')
            return true;
        at += n;
    }
    return false;
}

static void put_escaped(struct line *l, uint8_t c)
{
    switch (c) {
    case '"':
        put(l, "\\\"", 2);
        break;
    case '\\':
        put(l, "\\\\", 2);
        break;
    case '\n':
        put(l, "\\n", 2);
        break;
    case '\r':
        put(l, "\\r", 2);
        break;
    case '\t':
        put(l, "\\t", 2);
        break;
    default: {
        static const char hex[] = "0123456789abcdef";
        const char text[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
        put(l, text, sizeof(text));
    }
    }
}

static void put_value(struct line *l, struct view v)
{
    bool quoted = needs_quotes(v), was_cut = l->cut;
    if (quoted)
        put(l, "\"", 1);
    bool open = quoted && !l->cut;
    for (size_t at = 0; at < v.len && !l->cut;) {
        unsigned n = plain_len(view_make(v.ptr + at, v.len - at));
        if (n > 0) {
            put(l, (const char *)v.ptr + at, n);
            at += n;
        } else {
            put_escaped(l, v.ptr[at++]);
        }
    }
    /* The tail has room for the quote of the one value that was cut. */
    if (open && !was_cut)
        l->text[l->len++] = '"';
}

static void put_key(struct line *l, const char *key)
{
    put(l, " ", 1);
    put_str(l, key);
    put(l, "=", 1);
}

static void put_field(struct line *l, const struct log_field *f)
{
    size_t before = l->len;
    put_key(l, f->key);
    if (l->cut) {
        l->len = before; /* no half key */
        return;
    }
    switch (f->type) {
    case LOG_F_STR:
    case LOG_F_VIEW:
        put_value(l, f->view);
        break;
    case LOG_F_INT:
        if ((int64_t)f->num < 0)
            put(l, "-", 1);
        put_dec(l, (int64_t)f->num < 0 ? 0 - f->num : f->num, 1);
        break;
    case LOG_F_UINT:
        put_dec(l, f->num, 1);
        break;
    case LOG_F_ID:
        put_hex(l, f->num, 16);
        break;
    }
}

static void put_time(struct line *l)
{
    struct timespec now = {0};
    struct civil_time c;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    time_to_civil(now.tv_sec, 0, &c);
    put_str(l, "ts=");
    put_dec(l, (uint64_t)c.year, 4);
    put(l, "-", 1);
    put_dec(l, c.month, 2);
    put(l, "-", 1);
    put_dec(l, c.day, 2);
    put(l, "T", 1);
    put_dec(l, c.hour, 2);
    put(l, ":", 1);
    put_dec(l, c.minute, 2);
    put(l, ":", 1);
    put_dec(l, c.second, 2);
    put(l, ".", 1);
    put_dec(l, (uint64_t)now.tv_nsec / 1000000, 3);
    put(l, "Z", 1);
}

static const struct level {
    const char *name;
    unsigned severity; /* of syslog */
} levels[] = {
    [LOG_LVL_DEBUG] = {"debug", 7}, [LOG_LVL_INFO] = {"info", 6},   [LOG_LVL_WARN] = {"warn", 4},
    [LOG_LVL_ERROR] = {"error", 3}, [LOG_LVL_FATAL] = {"fatal", 2},
};

static void put_head(struct line *l, enum log_level level)
{
    uint64_t pid = (uint64_t)getpid();
    if (ctx.sink == LOG_SINK_SYSLOG) {
        put(l, "<", 1);
        put_dec(l, SYSLOG_MAIL | levels[level].severity, 1);
        put_str(l, ">culver[");
        put_dec(l, pid, 1);
        put_str(l, "]: ");
    } else if (ctx.torn) {
        put(l, "\n", 1);
    }
    put_time(l);
    put_key(l, "level");
    put_str(l, levels[level].name);
    put_key(l, "proc");
    put_value(l, view_str(ctx.proc));
    put_key(l, "pid");
    put_dec(l, pid, 1);
}

static void finish_line(struct line *l)
{
    static const char mark[] = " cut=1";
    if (l->cut) {
        memcpy(l->text + l->len, mark, sizeof(mark) - 1);
        l->len += sizeof(mark) - 1;
    }
    if (ctx.sink == LOG_SINK_STREAM)
        l->text[l->len++] = '\n';
}

static ssize_t write_once(const struct line *l)
{
    if (!ctx.not_socket) {
        ssize_t n = send(ctx.fd, l->text, l->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0 || errno != ENOTSOCK)
            return n;
        ctx.not_socket = true;
    }
    return write(ctx.fd, l->text, l->len);
}

static void write_line(const struct line *l)
{
    ssize_t n;
    do {
        n = write_once(l);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)l->len) {
        ctx.lost = 0;
        ctx.torn = false;
        return;
    }
    ctx.lost++;
    if (n > 0)
        ctx.torn = true;
}

void log_line(enum log_level level, uint64_t sid, const char *msg, const struct log_field *fields, unsigned nfields)
{
    if (!log_enabled(level))
        return;
    int saved = errno; /* callers log between a failed call and its handling */
    struct line l = {.len = 0};
    put_head(&l, level);
    if (sid != 0)
        put_field(&l, &F_ID("sid", sid));
    if (ctx.lost > 0)
        put_field(&l, &F_UINT("lost", ctx.lost));
    put_field(&l, &F_STR("msg", msg));
    for (unsigned i = 0; i < nfields; i++)
        put_field(&l, &fields[i]);
    finish_line(&l);
    write_line(&l);
    errno = saved;
}

void log_fatal(const char *msg, const struct log_field *fields, unsigned nfields)
{
    log_line(LOG_LVL_FATAL, 0, msg, fields, nfields);
    _exit(1);
}

void log_panic(const char *file, int line, const char *what)
{
    const struct log_field fields[] = {F_STR("what", what), F_STR("file", file), F_INT("line", line)};
    log_line(LOG_LVL_FATAL, 0, "panic", fields, 3);
    abort();
}
