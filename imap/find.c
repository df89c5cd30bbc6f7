#include "imap/find.h"

#include <utf8proc.h>

#include "common/base/buf.h"
#include "common/text/text.h"

#define FOLDED_MAX 32 /* code points that one can become */

/* Folded bytes of one code point: case folded and decomposed, so that composed and decomposed spellings are equal. */
static void fold(struct buf *out, uint32_t cp)
{
    utf8proc_int32_t to[FOLDED_MAX];
    int last = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, to, FOLDED_MAX,
                                                 UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &last);

    if (n < 0 || n > FOLDED_MAX) {
        utf8_encode(out, cp);
        return;
    }
    for (utf8proc_ssize_t i = 0; i < n; i++)
        utf8_encode(out, (uint32_t)to[i]);
}

bool imap_find_init(struct imap_find *f, struct imap_pool *pool, struct view needle)
{
    struct buf folded;
    struct view v;
    size_t i = 0;

    *f = (struct imap_find){0};
    buf_init(&folded, 64 * needle.len + 64);
    while (i < needle.len) {
        uint32_t cp;
        unsigned n = utf8_decode(view_sub(needle, i, needle.len), &cp);

        if (n == 0)
            buf_put_byte(&folded, needle.ptr[i]);
        else
            fold(&folded, cp);
        i += n == 0 ? 1 : n;
    }
    v = imap_pool_copy(pool, buf_view(&folded));
    buf_free(&folded);
    f->fallback = imap_pool_alloc(pool, (v.len + 1) * sizeof(*f->fallback));
    if (v.ptr == NULL || f->fallback == NULL)
        return false;
    f->needle = (uint8_t *)(uintptr_t)v.ptr; /* our own copy */
    f->len = (uint32_t)v.len;
    for (uint32_t at = 1, k = 0; at < f->len; at++) {
        while (k > 0 && f->needle[at] != f->needle[k])
            k = f->fallback[k];
        k += f->needle[at] == f->needle[k];
        f->fallback[at + 1] = k;
    }
    return true;
}

void imap_find_reset(struct imap_find *f)
{
    f->state = 0;
    f->ncarry = 0;
}

static inline bool feed_byte(struct imap_find *f, uint8_t c)
{
    while (f->state > 0 && f->needle[f->state] != c)
        f->state = f->fallback[f->state];
    f->state += f->needle[f->state] == c;
    return f->state == f->len;
}

static bool feed_code_point(struct imap_find *f, uint32_t cp)
{
    struct buf folded;
    struct view v;
    bool found = false;

    buf_init(&folded, 8 * FOLDED_MAX);
    fold(&folded, cp);
    v = buf_view(&folded);
    for (size_t i = 0; i < v.len && !found; i++)
        found = feed_byte(f, v.ptr[i]);
    buf_free(&folded);
    return found;
}

/* Length of the sequence that this byte begins, 1 for what begins none. */
static unsigned sequence_len(uint8_t c)
{
    return c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 ? (c < 0xf0 ? 3 : 1) : c >= 0xc2 ? 2 : 1;
}

/* Completes the sequence that the last piece has left unfinished. Returns the bytes used. */
static size_t feed_carry(struct imap_find *f, struct view piece, bool *found)
{
    unsigned need = sequence_len(f->carry[0]);
    size_t used = 0;
    uint32_t cp;

    while (f->ncarry < need && used < piece.len && (piece.ptr[used] & 0xc0) == 0x80)
        f->carry[f->ncarry++] = piece.ptr[used++];
    if (f->ncarry < need && used == piece.len)
        return used;
    if (utf8_decode(view_make(f->carry, f->ncarry), &cp) == f->ncarry)
        *found = feed_code_point(f, cp);
    else
        for (unsigned i = 0; i < f->ncarry && !*found; i++)
            *found = feed_byte(f, f->carry[i]);
    f->ncarry = 0;
    return used;
}

bool imap_find_feed(struct imap_find *f, struct view piece)
{
    bool found = false;
    size_t i = 0;

    if (f->len == 0)
        return true;
    if (f->ncarry > 0 && piece.len > 0)
        i = feed_carry(f, piece, &found);
    while (i < piece.len && !found) {
        uint8_t c = piece.ptr[i];
        unsigned n;
        uint32_t cp;

        if (c < 0x80) {
            found = feed_byte(f, ascii_lower(c));
            i++;
            continue;
        }
        n = utf8_decode(view_sub(piece, i, piece.len), &cp);
        if (n == 0 && sequence_len(c) > piece.len - i) {
            f->ncarry = (unsigned)(piece.len - i);
            memcpy(f->carry, piece.ptr + i, f->ncarry);
            return false;
        }
        found = n == 0 ? feed_byte(f, c) : feed_code_point(f, cp);
        i += n == 0 ? 1 : n;
    }
    return found;
}
