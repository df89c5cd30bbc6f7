/* Fields of a header block and their unfolding. All of it works on bytes in place; every byte is looked at a fixed number of
 * times. */
#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "storage/message/header_int.h"

/* Length of the line at the front of v with its LF. */
static size_t line_length(struct view v)
{
    const uint8_t *lf = v.len == 0 ? NULL : memchr(v.ptr, '\n', v.len);
    return lf == NULL ? v.len : (size_t)(lf - v.ptr) + 1;
}

static struct view without_line_end(struct view line)
{
    if (line.len > 0 && line.ptr[line.len - 1] == '\n') {
        line.len--;
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
    }
    return line;
}

/* Where the name of a field ends (RFC 5322 2.2, blanks before the colon as 4.5 allows), or 0: the line is no field. */
static size_t name_length(struct view line, size_t *colon_out)
{
    size_t n = 0;
    while (n < line.len && line.ptr[n] > ' ' && line.ptr[n] < 0x7f && line.ptr[n] != ':')
        n++;
    size_t colon = n;
    while (colon < line.len && (line.ptr[colon] == ' ' || line.ptr[colon] == '\t'))
        colon++;
    if (colon == line.len || line.ptr[colon] != ':')
        return 0;
    *colon_out = colon;
    return n;
}

bool header_next(struct view *rest, struct header_field *out)
{
    size_t first = line_length(*rest), colon = 0;
    struct view line = without_line_end(view_sub(*rest, 0, first));
    if (line.len == 0)
        return false;
    size_t n = first;
    while (n < rest->len && (rest->ptr[n] == ' ' || rest->ptr[n] == '\t'))
        n += line_length(view_sub(*rest, n, rest->len));
    out->whole = view_sub(*rest, 0, n);
    size_t name = name_length(line, &colon);
    out->name = view_sub(line, 0, name);
    out->value = without_line_end(out->whole);
    if (name > 0)
        out->value = view_sub(out->value, colon + 1, out->value.len);
    *rest = view_sub(*rest, n, rest->len);
    return true;
}

void header_each(struct view header, bool (*fn)(void *arg, struct view name, struct view value, struct view whole), void *arg)
{
    struct header_field f;
    while (header_next(&header, &f)) {
        if (!fn(arg, f.name, f.value, f.whole))
            return;
    }
}

struct view header_find(struct view header, struct view name)
{
    struct header_field f;
    while (header_next(&header, &f)) {
        if (f.name.len > 0 && view_eq_nocase(f.name, name))
            return f.value;
    }
    return (struct view){NULL, 0};
}

struct header_budget header_budget_make(size_t header_kept)
{
    return (struct header_budget){header_kept, header_kept / 4};
}

struct view header_budget_take(struct header_budget *b, struct view value, bool *cut)
{
    size_t most = MIN_OF(b->left, b->field_max);
    if (value.len > most) {
        value.len = most;
        *cut = true;
    }
    b->left -= value.len;
    return value;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct view trim(struct view v)
{
    while (v.len > 0 && is_blank(v.ptr[v.len - 1]))
        v.len--;
    while (v.len > 0 && is_blank(v.ptr[0])) {
        v.ptr++;
        v.len--;
    }
    return v;
}

/* Writes at most v.len bytes to dst: line ends before a blank go, other CR and LF become a blank, NUL goes. */
static size_t unfold(uint8_t *dst, struct view v)
{
    size_t n = 0;
    if (v.len > 0 && memchr(v.ptr, '\n', v.len) == NULL && memchr(v.ptr, '\r', v.len) == NULL &&
        memchr(v.ptr, 0, v.len) == NULL) {
        memcpy(dst, v.ptr, v.len);
        return v.len;
    }
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.ptr[i];
        if (c == '\r' && i + 1 < v.len && v.ptr[i + 1] == '\n')
            continue;
        if (c == '\n' && i + 1 < v.len && (v.ptr[i + 1] == ' ' || v.ptr[i + 1] == '\t'))
            continue;
        if (c == '\r' || c == '\n')
            c = ' ';
        if (c != 0)
            dst[n++] = c;
    }
    return n;
}

void header_unfold(struct buf *out, struct view raw)
{
    raw = trim(raw);
    uint8_t *room = buf_reserve(out, raw.len);
    if (room != NULL)
        buf_commit(out, unfold(room, raw));
}

struct view header_clean(struct arena *a, struct view raw)
{
    raw = trim(raw);
    if (raw.len == 0)
        return VIEW("");
    if (memchr(raw.ptr, '\n', raw.len) == NULL && memchr(raw.ptr, '\r', raw.len) == NULL && memchr(raw.ptr, 0, raw.len) == NULL)
        return raw;
    return header_copy(a, raw);
}

struct view header_copy(struct arena *a, struct view raw)
{
    raw = trim(raw);
    uint8_t *room = raw.len == 0 ? NULL : arena_bytes(a, raw.len);
    if (room == NULL)
        return VIEW("");
    size_t n = unfold(room, raw);
    arena_trim(a, room, raw.len, n);
    return view_make(room, n);
}

void header_skip_cfws(struct cursor *c)
{
    unsigned long depth = 0;
    for (;;) {
        int next = cursor_peek(c);
        if (next < 0)
            return;
        if (next == '(') {
            depth++;
        } else if (next == ')' && depth > 0) {
            depth--;
        } else if (next == '\\' && depth > 0) {
            cursor_skip(c, 1);
            if (cursor_peek(c) < 0)
                return;
        } else if (depth == 0 && !is_blank((uint8_t)next)) {
            return;
        }
        cursor_skip(c, 1);
    }
}
