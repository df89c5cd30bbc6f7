/* RFC 5051 2: each character to its title case, then its full decomposition (canonical and compatibility), without reordering. */
#include "storage/message/casemap.h"

#include <utf8proc.h>

#include "common/base/mem.h"
#include "common/text/text.h"

#define DECOMPOSED_MAX 32

#define HIGH_BITS UINT64_C(0x8080808080808080)

typedef uint8_t block __attribute__((vector_size(16)));

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
        block b;
        uint64_t words[2];
        memcpy(&b, from + n, sizeof(b));
        memcpy(words, &b, sizeof(words));
        b -= (block)((b >= (uint8_t)'a') & (b <= (uint8_t)'z')) & (uint8_t)0x20;
        memcpy(to + n, &b, sizeof(b));
        if (((words[0] | words[1]) & HIGH_BITS) != 0) /* what was written behind it will be overwritten */
            return n + ((words[0] & HIGH_BITS) != 0 ? 0 : 8) +
                   (size_t)__builtin_ctzll((words[0] & HIGH_BITS) != 0 ? words[0] & HIGH_BITS : words[1] & HIGH_BITS) / 8;
    }
    for (; n < len && from[n] < 0x80; n++)
        to[n] = from[n] >= 'a' && from[n] <= 'z' ? (uint8_t)(from[n] - 0x20) : from[n];
    return n;
}

/* rest (not empty) could become a character if more came. */
static bool unfinished(struct view rest)
{
    uint8_t c = rest.ptr[0];
    size_t need = c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xc2 && c < 0xe0 ? 2 : 1;
    if (rest.len >= need)
        return false;
    for (size_t i = 1; i < rest.len; i++)
        if ((rest.ptr[i] & 0xc0) != 0x80)
            return false;
    return true;
}

static size_t map_char(struct casemap_cache *cache, uint32_t cp, uint8_t *to)
{
    size_t slot = cp % CASEMAP_CACHE_SIZE, len;
    struct buf mapped;
    if (cache->entries[slot].cp == cp) {
        memcpy(to, cache->entries[slot].bytes, sizeof(cache->entries[slot].bytes));
        return cache->entries[slot].len;
    }
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

size_t casemap_some(struct casemap_cache *cache, struct view *rest, uint8_t *to, size_t room)
{
    size_t n = 0, at = 0;
    while (at < rest->len && n < room) {
        size_t len = upper_run(to + n, rest->ptr + at, MIN_OF(rest->len - at, room - n));
        uint32_t cp;
        at += len;
        n += len;
        if (at == rest->len || room - n < CASEMAP_CHAR_MAX)
            break;
        len = utf8_decode(view_make(rest->ptr + at, rest->len - at), &cp);
        if (len == 0 && unfinished(view_make(rest->ptr + at, rest->len - at)))
            break;
        n += map_char(cache, len == 0 ? 0xfffd : cp, to + n);
        at += len == 0 ? 1 : len;
    }
    *rest = view_sub(*rest, at, rest->len);
    return n;
}
