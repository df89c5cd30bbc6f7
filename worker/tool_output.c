#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/text/text.h"
#include "worker/tool.h"

#define SHOW_EVERY_MS 200

static uint64_t now_ms(void)
{
    struct timespec ts;

    return clock_gettime(CLOCK_MONOTONIC, &ts) == 0 ? (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 : 0;
}

char *tool_printable(struct view v)
{
    struct buf b;
    char *s;

    struct cursor c = cursor_make(v);

    buf_init(&b, v.len * 4 + 1);
    while (cursor_left(&c) > 0) {
        struct view rest = cursor_rest(&c);
        uint32_t ch;
        size_t n = utf8_decode(rest, &ch);

        /* What is no UTF-8, and U+0080 to U+009F, a terminal may take for controls, too. */
        if (n == 0 || ch < 0x20 || (ch >= 0x7f && ch < 0xa0)) {
            for (n = MAX_OF(n, (size_t)1); n > 0; n--)
                buf_put_fmt(&b, "\\x%02x", cursor_byte(&c));
        } else {
            buf_put_view(&b, view_sub(rest, 0, n));
            cursor_skip(&c, n);
        }
    }
    s = view_dup(buf_view(&b));
    buf_free(&b);
    return s;
}

void tool_progress_end(struct tool *t)
{
    if (t->show && t->shown_at != 0)
        (void)fputs("\r\033[K", stderr);
    t->shown_at = 0;
}

void tool_say(struct tool *t, const char *fmt, ...)
{
    va_list ap;

    tool_progress_end(t);
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)putchar('\n');
    (void)fflush(stdout);
}

void tool_complain(struct tool *t, const char *fmt, ...)
{
    va_list ap;

    tool_progress_end(t);
    (void)fputs("culverctl: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
}

void tool_progress(struct tool *t, const char *what, uint64_t done, uint64_t total)
{
    uint64_t now;

    if (!t->show)
        return;
    now = now_ms();
    if (t->shown_at != 0 && now - t->shown_at < SHOW_EVERY_MS)
        return;
    t->shown_at = now != 0 ? now : 1;
    if (total > 0)
        (void)fprintf(stderr, "\r\033[K%llu of %llu %s (%llu%%)", (unsigned long long)done, (unsigned long long)total, what,
                      (unsigned long long)(done / (total / 100 + 1)));
    else
        (void)fprintf(stderr, "\r\033[K%llu %s", (unsigned long long)done, what);
    (void)fflush(stderr);
}
