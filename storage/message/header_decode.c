/*
 * RFC 2047 encoded words to UTF-8.
 *
 * Bytes of adjacent words with the same charset are joined before they are converted, because many programs split a word in the
 * middle of a character (section 5 forbids it). Words longer than the 75 octets of section 2 are read, up to a bound. Text that
 * is not encoded is UTF-8 (RFC 6532) where it is valid, else read as windows-1252, which raw 8-bit in old mail mostly is.
 *
 * The search for the end of a word remembers where the next "?=" is, so that any number of false beginnings costs one pass.
 */
#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/body.h"
#include "storage/message/charset_int.h"
#include "storage/message/header_int.h"
#include "storage/message/transfer.h"

#define WORD_MAX 2048u
#define CHARSET_NAME_MAX 64u

struct decoder {
    struct buf *out;
    struct view charset; /* of the words whose bytes are pending */
    struct buf pending;
    size_t next_end; /* where the next "?=" at or after the last place asked for is */
    bool next_known;
};

struct word {
    struct view charset, text;
    uint8_t encoding;
    size_t len;
};

static void flush_pending(struct decoder *d)
{
    if (buf_len(&d->pending) == 0)
        return;
    if (charset_to_utf8(d->out, d->charset, buf_view(&d->pending)) != 0)
        utf8_sanitize(d->out, buf_view(&d->pending));
    buf_reset(&d->pending);
}

static void put_raw(struct decoder *d, struct view v)
{
    if (v.len == 0)
        return;
    flush_pending(d);
    if (utf8_valid(v))
        buf_put_view(d->out, v);
    else if (charset_to_utf8(d->out, VIEW("windows-1252"), v) != 0)
        utf8_sanitize(d->out, v);
}

/* Index of the first "?=" at or after from, or v.len. Asked with rising from. */
static size_t find_end(struct decoder *d, struct view v, size_t from)
{
    if (d->next_known && d->next_end >= from)
        return d->next_end;
    const uint8_t *p = from < v.len ? memmem(v.ptr + from, v.len - from, "?=", 2) : NULL;
    d->next_end = p == NULL ? v.len : (size_t)(p - v.ptr);
    d->next_known = true;
    return d->next_end;
}

/* The encoded word that begins at `at` ("=?" is there). */
static bool word_parse(struct decoder *d, struct view v, size_t at, struct word *out)
{
    struct view rest = view_sub(v, at + 2, CHARSET_NAME_MAX + 4);
    size_t n = view_find(rest, '?');
    if (n == 0 || n + 2 >= rest.len || rest.ptr[n + 2] != '?')
        return false;
    out->charset = view_sub(rest, 0, n);
    if (view_find(out->charset, ' ') != n)
        return false;
    out->encoding = ascii_lower(rest.ptr[n + 1]);
    if (out->encoding != 'b' && out->encoding != 'q')
        return false;
    size_t text = at + 2 + n + 3, end = find_end(d, v, text);
    if (end >= v.len || end - at > WORD_MAX)
        return false;
    out->text = view_sub(v, text, end - text);
    out->len = end + 2 - at;
    return true;
}

static bool append(void *arg, struct view piece)
{
    buf_put_view(arg, piece);
    return true;
}

/* The Q encoding (RFC 2047 4.2): quoted-printable in which "_" is a blank. */
static void put_q(struct buf *out, struct view text)
{
    while (text.len > 0) {
        size_t n = view_find(text, '_');
        if (n > 0)
            (void)transfer_decode(TRANSFER_QUOTED, view_sub(text, 0, n), append, out);
        if (n < text.len)
            buf_put_byte(out, ' ');
        text = view_sub(text, n + 1, text.len);
    }
}

static void put_word(struct decoder *d, const struct word *w)
{
    if (buf_len(&d->pending) > 0 && !view_eq_nocase(d->charset, w->charset))
        flush_pending(d);
    d->charset = w->charset;
    if (w->encoding == 'b')
        (void)transfer_decode(TRANSFER_BASE64, w->text, append, &d->pending);
    else
        put_q(&d->pending, w->text);
}

static bool all_blank(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] != ' ' && v.ptr[i] != '\t')
            return false;
    }
    return true;
}

static void decode(struct decoder *d, struct view v)
{
    struct word w;
    size_t from = 0, at = 0; /* [from, at): not encoded, not yet written */
    bool after_word = false;
    while (at < v.len) {
        const uint8_t *p = memmem(v.ptr + at, v.len - at, "=?", 2);
        if (p == NULL)
            break;
        at = (size_t)(p - v.ptr);
        if (!word_parse(d, v, at, &w)) {
            at += 2;
            continue;
        }
        struct view between = view_sub(v, from, at - from);
        if (!after_word || !all_blank(between)) /* RFC 2047 6.2: blanks between words go */
            put_raw(d, between);
        put_word(d, &w);
        after_word = true;
        at += w.len;
        from = at;
    }
    put_raw(d, view_sub(v, from, v.len));
    flush_pending(d);
}

/* Control characters that were encoded must not become line ends again. */
static void blank_controls(struct buf *out, size_t from)
{
    for (size_t i = out->off + from; i < out->len; i++) {
        if (out->data[i] < ' ' && out->data[i] != '\t')
            out->data[i] = ' ';
    }
}

/* Nothing is encoded: most fields of most messages. */
static bool is_plain(struct view v)
{
    if (charset_ascii_run(v) < v.len)
        return false;
    for (size_t at = view_find(v, '='); at + 1 < v.len; at += 1 + view_find(view_sub(v, at + 1, v.len), '='))
        if (v.ptr[at + 1] == '?')
            return false;
    return true;
}

void header_decode(struct buf *out, struct view raw)
{
    struct buf unfolded;
    struct decoder d = {.out = out};
    size_t from = buf_len(out);
    if (is_plain(raw)) {
        header_unfold(out, raw);
        blank_controls(out, from);
        return;
    }
    buf_init(&unfolded, raw.len);
    header_unfold(&unfolded, raw);
    struct view v = buf_view(&unfolded);
    if (v.len == 0 || (memmem(v.ptr, v.len, "=?", 2) == NULL && utf8_valid(v))) {
        buf_put_view(out, v);
    } else {
        buf_init(&d.pending, v.len + 16);
        decode(&d, v);
        buf_free(&d.pending);
    }
    blank_controls(out, from);
    buf_free(&unfolded);
}
