/*
 * The first text part that is not an attachment and has text, the beginning of it: enough text for 200 characters is nearly
 * always there, and a message without it costs no more. Plain text loses quoted lines, the line that announces them, and
 * everything behind a signature mark. HTML loses tags, comments, and what is inside head, style, script and title; entities that
 * occur in running text are resolved. If nothing but quotes remains, the quotes are shown.
 */
#include "storage/message/preview.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/body.h"

#define TEXT_MAX (16u * 1024)
#define HTML_MAX (64u * 1024)

struct gather {
    struct buf text;
    size_t most;
};

static bool gather_piece(void *arg, struct view piece)
{
    struct gather *g = arg;
    buf_put_view(&g->text, view_sub(piece, 0, g->most - buf_len(&g->text)));
    return buf_len(&g->text) < g->most;
}

/* --- output: single blanks, a bounded number of characters --- */

struct writer {
    struct buf *out;
    unsigned chars;
    bool gap;
};

static bool writer_full(const struct writer *w)
{
    return w->chars >= PREVIEW_CHARS;
}

/* Blanks of any kind, and what is never seen (soft hyphen, zero-width characters, joiners, byte order marks), which mail programs
 * fill previews with. */
static bool is_space(uint32_t cp)
{
    return cp <= ' ' || (cp >= 0x7f && cp <= 0xa0) || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0x202f || cp == 0x3000 || cp == 0x2800;
}

static bool is_invisible(uint32_t cp)
{
    return cp == 0xad || cp == 0x34f || (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
           (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || cp == 0x61c;
}

/* The blank that is due before what comes next. */
static void write_gap(struct writer *w)
{
    if (w->gap && w->chars > 0 && !writer_full(w)) {
        buf_put_byte(w->out, ' ');
        w->chars++;
    }
    w->gap = false;
}

static void write_char(struct writer *w, uint32_t cp)
{
    if (is_invisible(cp))
        return;
    if (is_space(cp)) {
        w->gap = true;
        return;
    }
    write_gap(w);
    if (writer_full(w))
        return;
    utf8_encode(w->out, cp);
    w->chars++;
}

/* Takes the visible ASCII characters at the front of v, most of all text, in one piece. False: there are none. */
static bool write_word(struct writer *w, struct view *v)
{
    size_t n = 0;
    while (n < v->len && v->ptr[n] > ' ' && v->ptr[n] < 0x7f)
        n++;
    if (n == 0)
        return false;
    write_gap(w);
    struct view word = view_sub(*v, 0, MIN_OF(n, PREVIEW_CHARS - w->chars));
    buf_put_view(w->out, word);
    w->chars += (unsigned)word.len;
    *v = view_sub(*v, n, v->len);
    return true;
}

/* Takes one character off the front; v is not empty. */
static uint32_t take_char(struct view *v)
{
    uint32_t cp = 0xfffd;
    unsigned n = utf8_decode(*v, &cp);
    *v = view_sub(*v, n == 0 ? 1 : n, v->len);
    return cp;
}

static void write_text(struct writer *w, struct view v)
{
    while (v.len > 0 && !writer_full(w)) {
        if (!write_word(w, &v))
            write_char(w, take_char(&v));
    }
}

/* --- plain text --- */

static struct view take_line(struct view *rest)
{
    size_t n = view_find(*rest, '\n');
    struct view line = view_sub(*rest, 0, n);
    *rest = view_sub(*rest, n + 1, rest->len);
    while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\t'))
        line.len--;
    return line;
}

static bool is_quote(struct view line)
{
    return view_starts(view_trim(line), VIEW(">"));
}

/* "On Monday Fred wrote:", with the quote behind it, perhaps after a blank line. */
static bool announces_quote(struct view line, struct view rest)
{
    if (line.len == 0 || line.ptr[line.len - 1] != ':')
        return false;
    struct view next = take_line(&rest);
    if (next.len == 0 && rest.len > 0)
        next = take_line(&rest);
    return is_quote(next);
}

static void write_plain(struct writer *w, struct view text, bool with_quotes)
{
    while (text.len > 0 && !writer_full(w)) {
        bool signature = view_starts(text, VIEW("-- \n")) || view_starts(text, VIEW("-- \r\n"));
        struct view line = take_line(&text);
        if (signature)
            return;
        if (!with_quotes && (is_quote(line) || announces_quote(line, text)))
            continue;
        write_text(w, line);
        w->gap = true;
    }
}

/* --- HTML --- */

static const struct {
    const char *name;
    uint32_t cp;
} entities[] = {
    {"amp", '&'},      {"lt", '<'},       {"gt", '>'},        {"quot", '"'},     {"apos", '\''},    {"nbsp", 0xa0},
    {"shy", 0xad},     {"zwnj", 0x200c},  {"zwj", 0x200d},    {"copy", 0xa9},    {"reg", 0xae},     {"trade", 0x2122},
    {"euro", 0x20ac},  {"pound", 0xa3},   {"hellip", 0x2026}, {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018},
    {"rsquo", 0x2019}, {"ldquo", 0x201c}, {"rdquo", 0x201d},  {"laquo", 0xab},   {"raquo", 0xbb},   {"bull", 0x2022},
    {"middot", 0xb7},  {"auml", 0xe4},    {"ouml", 0xf6},     {"uuml", 0xfc},    {"Auml", 0xc4},    {"Ouml", 0xd6},
    {"Uuml", 0xdc},    {"szlig", 0xdf},   {"eacute", 0xe9},   {"egrave", 0xe8},  {"agrave", 0xe0},  {"ccedil", 0xe7},
    {"aacute", 0xe1},  {"iacute", 0xed},  {"oacute", 0xf3},   {"uacute", 0xfa},  {"ntilde", 0xf1},  {"aring", 0xe5},
    {"oslash", 0xf8},  {"aelig", 0xe6},   {"ecirc", 0xea},    {"acirc", 0xe2},   {"ocirc", 0xf4},   {"icirc", 0xee},
    {"ensp", 0x2002},  {"emsp", 0x2003},  {"thinsp", 0x2009},
};

/* "#1234" or "#x4d2". */
static bool numeric_entity(struct view name, uint32_t *cp_out)
{
    uint32_t n = 0;
    bool hex = name.len > 1 && ascii_lower(name.ptr[1]) == 'x';
    size_t i = hex ? 2 : 1;
    if (i >= name.len)
        return false;
    for (; i < name.len; i++) {
        uint8_t c = ascii_lower(name.ptr[i]);
        unsigned digit = c >= '0' && c <= '9' ? c - (unsigned)'0' : hex && c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 99;
        if (digit == 99 || n > 0x10ffff)
            return false;
        n = n * (hex ? 16 : 10) + digit;
    }
    *cp_out = n == 0 || n > 0x10ffff ? 0xfffd : n;
    return true;
}

/* An entity at the front of v, or the ampersand itself. */
static uint32_t take_entity(struct view *v)
{
    struct view name = view_sub(*v, 1, 12);
    uint32_t cp;
    name.len = view_find(name, ';');
    if (name.len > 0 && name.ptr[0] == '#' && numeric_entity(name, &cp)) {
        *v = view_sub(*v, name.len + 2, v->len);
        return cp;
    }
    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (view_eq(name, view_str(entities[i].name))) {
            *v = view_sub(*v, name.len + 2, v->len);
            return entities[i].cp;
        }
    }
    return take_char(v);
}

/* Skips to behind the end tag of an element whose content is not text. v is behind the start tag. */
static void skip_element(struct view *v, struct view name)
{
    while (v->len > 0) {
        size_t n = view_find(*v, '<');
        *v = view_sub(*v, n + 1, v->len);
        if (view_starts(*v, VIEW("/")) && view_starts_nocase(view_sub(*v, 1, v->len), name)) {
            *v = view_sub(*v, view_find(*v, '>') + 1, v->len);
            return;
        }
    }
}

static bool is_inline(struct view name)
{
    static const char *const tags[] = {"a",     "b",   "i",   "u",   "em",  "strong", "span", "font",
                                       "small", "big", "sub", "sup", "wbr", "code",   "s"};
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        if (view_eq_nocase(name, view_str(tags[i])))
            return true;
    }
    return false;
}

/* A tag or comment at the front of v ("<"); elements that are not text go whole. */
static void take_tag(struct writer *w, struct view *v)
{
    static const char *const hidden[] = {"style", "script", "head", "title"};
    *v = view_sub(*v, 1, v->len);
    if (view_starts(*v, VIEW("!--"))) {
        const uint8_t *end = memmem(v->ptr, v->len, "-->", 3);
        *v = end == NULL ? view_sub(*v, v->len, 0) : view_sub(*v, (size_t)(end - v->ptr) + 3, v->len);
        return;
    }
    struct view name = view_sub(*v, view_starts(*v, VIEW("/")) ? 1 : 0, v->len);
    bool closing = name.ptr != v->ptr;
    size_t n = 0;
    while (n < name.len && n < 16 && ascii_lower(name.ptr[n]) >= 'a' && ascii_lower(name.ptr[n]) <= 'z')
        n++;
    name.len = n;
    if (!is_inline(name))
        w->gap = true;
    *v = view_sub(*v, view_find(*v, '>') + 1, v->len);
    for (size_t i = 0; !closing && i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (view_eq_nocase(name, view_str(hidden[i])))
            skip_element(v, name);
    }
}

static bool starts_tag(struct view v)
{
    uint8_t c = v.len > 1 ? v.ptr[1] : ' ';
    return c == '/' || c == '!' || c == '?' || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static void write_html(struct writer *w, struct view text)
{
    while (text.len > 0 && !writer_full(w)) {
        if (text.ptr[0] == '<' && starts_tag(text))
            take_tag(w, &text);
        else if (text.ptr[0] == '&')
            write_char(w, take_entity(&text));
        else
            write_char(w, take_char(&text));
    }
}

/* --- which part --- */

static bool shows(const struct mime_part *part)
{
    return part->kind == MIME_LEAF && view_eq_nocase(part->type, VIEW("text")) &&
           !view_eq_nocase(part->disposition, VIEW("attachment")) && part->body_len > 0;
}

static bool preview_part(struct view message, const struct mime_part *part, struct buf *out)
{
    bool html = view_eq_nocase(part->subtype, VIEW("html"));
    struct gather g = {.most = html ? HTML_MAX : TEXT_MAX};
    struct writer w = {.out = out};
    size_t before = buf_len(out);
    buf_init(&g.text, g.most);
    (void)body_text(message, part, gather_piece, &g);
    if (html) {
        write_html(&w, buf_view(&g.text));
    } else {
        write_plain(&w, buf_view(&g.text), false);
        if (w.chars == 0)
            write_plain(&w, buf_view(&g.text), true);
    }
    buf_free(&g.text);
    return buf_len(out) > before;
}

bool preview_make(struct view message, const struct mime_msg *m, struct buf *out)
{
    unsigned tried = 0;
    for (size_t i = 0; i < m->nparts && tried < 4; i++) {
        const struct mime_part *part = &m->parts[i];
        if (!shows(part))
            continue;
        tried++;
        if (preview_part(message, part, out))
            return true;
    }
    return false;
}
