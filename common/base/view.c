/* Byte-string helpers. A view with no bytes may have a NULL pointer, which the C library's functions must not see. */
#include "common/base/view.h"

#include "common/base/mem.h"

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool view_eq(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool view_eq_nocase(struct view a, struct view b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (fold(a.ptr[i]) != fold(b.ptr[i]))
            return false;
    }
    return true;
}

bool view_starts(struct view v, struct view prefix)
{
    return v.len >= prefix.len && view_eq(view_sub(v, 0, prefix.len), prefix);
}

bool view_starts_nocase(struct view v, struct view prefix)
{
    return v.len >= prefix.len && view_eq_nocase(view_sub(v, 0, prefix.len), prefix);
}

struct view view_sub(struct view v, size_t from, size_t len)
{
    if (v.ptr == NULL || from >= v.len)
        return view_make(v.ptr, 0);
    return view_make(v.ptr + from, MIN_OF(len, v.len - from));
}

size_t view_find(struct view v, uint8_t c)
{
    if (v.len == 0)
        return 0;
    const uint8_t *hit = memchr(v.ptr, c, v.len);
    return hit == NULL ? v.len : (size_t)(hit - v.ptr);
}

int view_cmp(struct view a, struct view b)
{
    size_t n = MIN_OF(a.len, b.len);
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    if (order != 0)
        return order < 0 ? -1 : 1;
    return a.len == b.len ? 0 : (a.len < b.len ? -1 : 1);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct view view_trim(struct view v)
{
    while (v.len > 0 && is_blank(v.ptr[v.len - 1]))
        v.len--;
    while (v.len > 0 && is_blank(v.ptr[0])) {
        v.ptr++;
        v.len--;
    }
    return v;
}

char *view_dup(struct view v)
{
    char *copy = xmalloc(v.len + 1);
    if (v.len > 0)
        memcpy(copy, v.ptr, v.len);
    copy[v.len] = '\0';
    return copy;
}
