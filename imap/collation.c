#include "imap/collation.h"

#include "common/base/mem.h"
#include "common/text/text.h"

#define PATTERN_MAX 254 /* RFC 4790 3.1 */
#define FROZEN_DESCENDS 0x80

/* The most widely useful one first: RFC 4790 3.2. */
static const char *const names[COLLATIONS] = {[COLLATION_UNICODE_CASEMAP] = "i;unicode-casemap",
                                              [COLLATION_ASCII_CASEMAP] = "i;ascii-casemap",
                                              [COLLATION_OCTET] = "i;octet"};

const char *collation_name(enum collation c)
{
    return names[c];
}

/* collation-char, RFC 4790 3.1 */
static bool is_name_char(uint8_t c)
{
    uint8_t lower = ascii_lower(c);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == ';' || c == '=' || c == '.';
}

bool collation_pattern_valid(struct view pattern)
{
    if (pattern.len == 0 || pattern.len > PATTERN_MAX)
        return false;
    if (pattern.ptr[0] != '*' && (ascii_lower(pattern.ptr[0]) < 'a' || ascii_lower(pattern.ptr[0]) > 'z'))
        return false;
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.ptr[i] != '*' && !is_name_char(pattern.ptr[i]))
            return false;
        if (pattern.ptr[i] == '*' && i > 0 && pattern.ptr[i - 1] == '*')
            return false;
    }
    return true;
}

/* "*" stands for any octets. The last one can take more whenever what follows it does not fit. */
static bool matches(struct view name, struct view pattern)
{
    size_t n = 0, p = 0, star = pattern.len, taken = 0;

    while (n < name.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            taken = n;
        } else if (p < pattern.len && ascii_lower(pattern.ptr[p]) == ascii_lower(name.ptr[n])) {
            p++;
            n++;
        } else if (star < pattern.len) {
            p = star + 1;
            n = ++taken;
        } else
            return false;
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

bool collation_matches(enum collation c, struct view pattern)
{
    if (view_eq_nocase(pattern, VIEW("default")))
        return c == COLLATION_UNICODE_CASEMAP;
    return matches(view_str(names[c]), pattern);
}

void collation_put(enum collation c, struct buf *out, struct view text)
{
    switch (c) {
    case COLLATION_ASCII_CASEMAP:
        for (size_t i = 0; i < text.len; i++)
            buf_put_byte(out, ascii_upper(text.ptr[i]));
        break;
    case COLLATION_OCTET:
        buf_put_view(out, text);
        break;
    default:
        casemap_put(out, text);
    }
}

size_t collation_some(enum collation c, struct casemap_cache *cache, struct view *rest, uint8_t *to, size_t room)
{
    size_t n = MIN_OF(rest->len, room);

    if (c == COLLATION_UNICODE_CASEMAP)
        return casemap_some(cache, rest, to, room);
    for (size_t i = 0; i < n; i++)
        to[i] = c == COLLATION_ASCII_CASEMAP ? ascii_upper(rest->ptr[i]) : rest->ptr[i];
    *rest = view_sub(*rest, n, rest->len);
    return n;
}

uint8_t comparator_encode(struct comparator c)
{
    return (uint8_t)((unsigned)c.collation | (c.descends ? FROZEN_DESCENDS : 0));
}

bool comparator_decode(uint8_t byte, struct comparator *out)
{
    unsigned collation = byte & ~(unsigned)FROZEN_DESCENDS;

    if (collation >= COLLATIONS)
        return false;
    out->collation = (enum collation)collation;
    out->descends = (byte & FROZEN_DESCENDS) != 0;
    return true;
}
