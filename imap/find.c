/*
 * The text is mapped chunk by chunk into a buffer that stays in the cache of the processor, and looked through
 * there: memchr() for the octet of the needle that is rarest in mail, then a comparison. Where that has too many false hits (a
 * needle of blanks in a text of blanks) the rest of the chunk is done by Knuth-Morris-Pratt, which also joins the chunks.
 */
#include "imap/find.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/text/text.h"

/* How often an octet occurs in mapped mail, roughly: the letters by their frequency in many languages. */
static uint8_t commonness(uint8_t c)
{
    static const char common[] = "ZQXJKVWYGBFPUMCDLHRSNIAOTE ";
    const char *at = c == 0 ? NULL : strchr(common, ascii_upper(c));

    if (at != NULL)
        return (uint8_t)(100 + 5 * (at - common));
    if (c >= 0xc2)
        return 180; /* begins a character of a script */
    if (c >= 0x80)
        return 90;
    return c < ' ' || (c >= '0' && c <= '9') || strchr(".,-=/<>\"", c) != NULL ? 120 : 50;
}

bool imap_find_init(struct imap_find *f, struct imap_pool *pool, struct imap_find_work *work, enum collation collation,
                    struct view needle)
{
    struct buf mapped;
    struct view v;

    *f = (struct imap_find){.work = work, .collation = collation};
    buf_init(&mapped, 64 * needle.len + 64);
    collation_put(collation, &mapped, needle);
    v = imap_pool_copy(pool, buf_view(&mapped));
    buf_free(&mapped);
    f->fallback = imap_pool_alloc(pool, (v.len + 1) * sizeof(*f->fallback));
    if (v.ptr == NULL || f->fallback == NULL)
        return false;
    f->needle = v.ptr;
    f->len = (uint32_t)v.len;
    for (uint32_t at = 1, k = 0; at < f->len; at++) {
        while (k > 0 && f->needle[at] != f->needle[k])
            k = f->fallback[k];
        k += f->needle[at] == f->needle[k];
        f->fallback[at + 1] = k;
        if (commonness(f->needle[at]) < commonness(f->needle[f->rare]))
            f->rare = at;
    }
    return true;
}

void imap_find_reset(struct imap_find *f)
{
    f->state = 0;
    f->ncarry = 0;
}

static inline bool step(struct imap_find *f, uint8_t c)
{
    while (f->state > 0 && f->needle[f->state] != c)
        f->state = f->fallback[f->state];
    f->state += f->needle[f->state] == c;
    return f->state == f->len;
}

static bool step_all(struct imap_find *f, const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (step(f, text[i]))
            return true;
    return false;
}

/* A text at least as long as the needle, in which nothing has begun before. Leaves state behind its end. */
static bool search(struct imap_find *f, const uint8_t *text, size_t len)
{
    const uint8_t *at = text + f->rare, *end = text + len - (f->len - 1 - f->rare);
    size_t work = 0;

    f->state = 0;
    while (at < end) {
        at = memchr(at, f->needle[f->rare], (size_t)(end - at));
        if (at == NULL)
            break;
        work += 8;
        if (at[-(ptrdiff_t)f->rare] == f->needle[0]) {
            if (memcmp(at - f->rare, f->needle, f->len) == 0)
                return true;
            work += f->len;
        }
        at++;
        if (work > 2 * len)
            return step_all(f, at - f->rare, len - (size_t)(at - f->rare - text));
    }
    return step_all(f, text + len - (f->len - 1), f->len - 1);
}

static bool search_chunk(struct imap_find *f, const uint8_t *text, size_t len)
{
    size_t i = 0;

    while (i < len && f->state > i) /* what has begun before this chunk */
        if (step(f, text[i++]))
            return true;
    if (f->len > len - i + f->state)
        return step_all(f, text + i, len - i);
    return search(f, text + i - f->state, len - i + f->state);
}

/* Completes the character that the last piece has left unfinished. */
static bool feed_carry(struct imap_find *f, struct view *piece)
{
    uint8_t *mapped = f->work->chunk;

    while (f->ncarry > 0 && piece->len > 0) {
        struct view rest;
        size_t n;

        f->carry[f->ncarry++] = piece->ptr[0];
        *piece = view_sub(*piece, 1, piece->len);
        rest = view_make(f->carry, f->ncarry);
        while ((n = collation_some(f->collation, &f->work->cache, &rest, mapped, sizeof(f->work->chunk))) > 0)
            if (search_chunk(f, mapped, n))
                return true;
        if (rest.len > 0)
            memmove(f->carry, rest.ptr, rest.len);
        f->ncarry = (unsigned)rest.len;
    }
    return false;
}

bool imap_find_feed(struct imap_find *f, struct view piece)
{
    uint8_t *mapped = f->work->chunk;
    size_t n;

    if (f->len == 0 || feed_carry(f, &piece))
        return true;
    while ((n = collation_some(f->collation, &f->work->cache, &piece, mapped, sizeof(f->work->chunk))) > 0)
        if (search_chunk(f, mapped, n))
            return true;
    if (piece.len > 0)
        memcpy(f->carry, piece.ptr, piece.len);
    f->ncarry += (unsigned)piece.len;
    return false;
}
