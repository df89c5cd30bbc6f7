/* RFC 5051 2: each character to its title case, then its full decomposition (canonical and compatibility), without reordering. */
#include "storage/message/casemap.h"

#include <utf8proc.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/charset_int.h"

#define DECOMPOSED_MAX 32

#define HIGH_BITS UINT64_C(0x8080808080808080)

typedef uint8_t block __attribute__((vector_size(16), aligned(1), may_alias));

static void put_char(struct buf *out, uint32_t cp)
{
    utf8proc_int32_t parts[DECOMPOSED_MAX], title = utf8proc_totitle((utf8proc_int32_t)cp);
    int boundary = UTF8PROC_BOUNDCLASS_START;
    utf8proc_ssize_t n = utf8proc_decompose_char(title, parts, DECOMPOSED_MAX, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    if (n < 0 || n > DECOMPOSED_MAX) {
        utf8_encode(out, (uint32_t)title);
        return;
    }
    for (utf8proc_ssize_t i = 0; i < n; i++)
        utf8_encode(out, (uint32_t)parts[i]);
}

void casemap_put(struct buf *out, struct view text)
{
    while (text.len > 0) {
        uint32_t cp;
        size_t n = 1;
        if (text.ptr[0] < 0x80) {
            buf_put_byte(out, ascii_upper(text.ptr[0]));
        } else {
            n = utf8_decode(text, &cp);
            put_char(out, n == 0 ? 0xfffd : cp);
            n = n == 0 ? 1 : n;
        }
        text = view_sub(text, n, text.len);
    }
}

/* Copies the run of ASCII at the front in upper case; returns its length. */
static size_t upper_run(uint8_t *to, const uint8_t *from, size_t len)
{
    size_t n = 0;
    for (; n + sizeof(block) <= len; n += sizeof(block)) {
        block b = *(const block *)(from + n);
        uint64_t low, high;
        memcpy(&low, from + n, 8);
        memcpy(&high, from + n + 8, 8);
        *(block *)(to + n) = b - ((block)((b >= (uint8_t)'a') & (b <= (uint8_t)'z')) & (uint8_t)0x20);
        if (((low | high) & HIGH_BITS) != 0) /* what was written behind it will be overwritten */
            return n + ((low & HIGH_BITS) != 0 ? 0 : 8) +
                   (size_t)__builtin_ctzll((low & HIGH_BITS) != 0 ? low & HIGH_BITS : high & HIGH_BITS) / 8;
    }
    for (; n < len && from[n] < 0x80; n++)
        to[n] = from[n] >= 'a' && from[n] <= 'z' ? (uint8_t)(from[n] - 0x20) : from[n];
    return n;
}

/* One that is not in the cache. */
static size_t map_new_char(struct casemap_cache *cache, uint32_t cp, uint8_t *to)
{
    size_t slot = cp % CASEMAP_CACHE_SIZE, len;
    struct buf mapped;
    buf_init(&mapped, CASEMAP_CHAR_MAX);
    put_char(&mapped, cp);
    len = buf_len(&mapped);
    if (len > 0)
        memcpy(to, buf_view(&mapped).ptr, len);
    if (len > 0 && len <= sizeof(cache->entries[slot].bytes)) {
        cache->entries[slot].cp = cp;
        cache->entries[slot].len = (uint8_t)len;
        memcpy(cache->entries[slot].bytes, to, len);
    }
    buf_free(&mapped);
    return len;
}

static inline size_t map_char(struct casemap_cache *cache, uint32_t cp, uint8_t *to)
{
    size_t slot = cp % CASEMAP_CACHE_SIZE;
    if (cache->entries[slot].cp != cp)
        return map_new_char(cache, cp, to);
    memcpy(to, cache->entries[slot].bytes, sizeof(cache->entries[slot].bytes));
    return cache->entries[slot].len;
}

static bool two_at(const uint8_t *from, size_t len, size_t at)
{
    return len - at >= 2 && utf8_is_two(from + at);
}

/* Maps the run of characters of two octets at the front, and of single ASCII ones between them: accented letters, and whole
 * texts in Greek or Cyrillic. Each has an entry of its own in the cache. Returns the octets that it took, and adds to *n_out what
 * it wrote. */
static size_t two_octet_run(struct casemap_cache *cache, const uint8_t *from, size_t len, uint8_t *to, size_t room, size_t *n_out)
{
    _Static_assert(CASEMAP_CACHE_SIZE >= 0x800, "all characters of two octets have a place");
    size_t at = 0, n = 0;
    while (room - n >= CASEMAP_CHAR_MAX) {
        if (two_at(from, len, at)) {
            n += map_char(cache, (from[at] & 0x1fu) << 6 | (from[at + 1] & 0x3fu), to + n);
            at += 2;
        } else if (at > 0 && at < len && from[at] < 0x80 && two_at(from, len, at + 1)) {
            uint8_t c = from[at++];
            to[n++] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 0x20) : c;
        } else {
            break;
        }
    }
    *n_out += n;
    return at;
}

size_t casemap_some(struct casemap_cache *cache, struct view *rest, uint8_t *to, size_t room)
{
    size_t n = 0, at = 0;
    while (at < rest->len && n < room) {
        size_t len = upper_run(to + n, rest->ptr + at, MIN_OF(rest->len - at, room - n));
        uint32_t cp;
        at += len;
        n += len;
        at += two_octet_run(cache, rest->ptr + at, rest->len - at, to + n, room - n, &n);
        if (at == rest->len || room - n < CASEMAP_CHAR_MAX)
            break;
        if (rest->ptr[at] < 0x80)
            continue;
        len = utf8_decode(view_make(rest->ptr + at, rest->len - at), &cp);
        if (len == 0 && charset_utf8_unfinished(view_make(rest->ptr + at, rest->len - at)))
            break;
        n += map_char(cache, len == 0 ? 0xfffd : cp, to + n);
        at += len == 0 ? 1 : len;
    }
    *rest = view_sub(*rest, at, rest->len);
    return n;
}
