/*
 * Base subject (RFC 5256 2.1 and the grammar of its section 5), and message identifiers.
 *
 * The algorithm of the RFC repeats its steps while anything matches; done literally, a subject of many blobs is read once for
 * each. Here a run of blobs is read once: either a "re:" follows it and all of it goes, or none does and step (4) takes the blobs
 * as far as a base is left.
 */
#include "storage/message/envelope.h"

#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/casemap.h"
#include "storage/message/mime.h"

#define SUBJECT_MAX 4096u

struct subject {
    struct view v;
    bool reply;
};

/* Blanks to single blanks, tabs to blanks (step 1). In place. */
static struct view squeeze(struct buf *b)
{
    uint8_t *p = b->data + b->off;
    size_t len = buf_len(b), n = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = p[i] == '\t' ? ' ' : p[i];
        if (c != ' ' || (n > 0 && p[n - 1] != ' '))
            p[n++] = c;
    }
    buf_truncate(b, n);
    return buf_view(b);
}

/* Length of a subj-blob at `at` with the blanks behind it, or 0. */
static size_t blob(struct view v, size_t at)
{
    if (at >= v.len || v.ptr[at] != '[')
        return 0;
    size_t n = at + 1;
    while (n < v.len && v.ptr[n] != '[' && v.ptr[n] != ']')
        n++;
    if (n == v.len || v.ptr[n] != ']')
        return 0;
    n++;
    while (n < v.len && v.ptr[n] == ' ')
        n++;
    return n - at;
}

/* Length of a subj-refwd at `at`, or 0. */
static size_t refwd(struct view v, size_t at)
{
    struct view rest = view_sub(v, at, v.len);
    size_t n = 0;
    if (view_starts_nocase(rest, VIEW("fwd")))
        n = 3;
    else if (view_starts_nocase(rest, VIEW("re")) || view_starts_nocase(rest, VIEW("fw")))
        n = 2;
    else
        return 0;
    while (n < rest.len && rest.ptr[n] == ' ')
        n++;
    n += blob(rest, n);
    return n < rest.len && rest.ptr[n] == ':' ? n + 1 : 0;
}

/* Step (2). */
static void drop_trailers(struct subject *s)
{
    for (;;) {
        while (s->v.len > 0 && s->v.ptr[s->v.len - 1] == ' ')
            s->v.len--;
        if (s->v.len < 5 || !view_eq_nocase(view_sub(s->v, s->v.len - 5, 5), VIEW("(fwd)")))
            return;
        s->v.len -= 5;
        s->reply = true;
    }
}

/* Steps (3) to (5). */
static void drop_leaders(struct subject *s)
{
    for (;;) {
        while (s->v.len > 0 && s->v.ptr[0] == ' ')
            s->v = view_sub(s->v, 1, s->v.len);
        size_t run = 0, last = 0;
        for (size_t n = blob(s->v, 0); n > 0; n = blob(s->v, run)) {
            last = run;
            run += n;
        }
        size_t marker = refwd(s->v, run);
        if (marker > 0) {
            s->reply = true;
            s->v = view_sub(s->v, run + marker, s->v.len);
            continue;
        }
        s->v = view_sub(s->v, run < s->v.len ? run : last, s->v.len); /* the last blob stays when it is all there is */
        return;
    }
}

/* Step (6). */
static bool drop_forward(struct subject *s)
{
    if (s->v.len < 6 || !view_starts_nocase(s->v, VIEW("[fwd:")) || s->v.ptr[s->v.len - 1] != ']')
        return false;
    s->v = view_sub(s->v, 5, s->v.len - 6);
    s->reply = true;
    return true;
}

/* In text, which is for buf_free(). */
static struct view find_base(struct buf *text, struct view raw, bool *reply_out)
{
    struct subject s = {.reply = false};

    raw = view_sub(raw, 0, SUBJECT_MAX);
    buf_init(text, SUBJECT_MAX * 4 + 64);
    header_decode(text, raw);
    if (buf_len(text) > 0)
        s.v = squeeze(text);
    do {
        drop_trailers(&s);
        drop_leaders(&s);
    } while (drop_forward(&s));
    *reply_out = s.reply;
    return s.v;
}

void subject_base(struct buf *out, struct view raw, bool *reply_out)
{
    struct buf text;

    casemap_put(out, find_base(&text, raw, reply_out));
    buf_free(&text);
}

void subject_base_text(struct buf *out, struct view raw, bool *reply_out)
{
    struct buf text;

    buf_put_view(out, find_base(&text, raw, reply_out));
    buf_free(&text);
}

/* --- message identifiers (RFC 5322 3.6.4) --- */

/* One identifier, "<" and ">" included, without what quoting adds (RFC 5256 3, REFERENCES). */
static void put_id(struct buf *out, struct view id)
{
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.ptr[i];
        if (c == '"')
            continue;
        if (c == '\\' && i + 1 < id.len)
            c = id.ptr[++i];
        if (c > ' ' && c != 0x7f)
            buf_put_byte(out, c);
    }
}

bool message_id_next(struct view *rest, struct buf *out)
{
    for (;;) {
        size_t from = view_find(*rest, '<');
        struct view v = view_sub(*rest, from, rest->len);
        size_t n = 1;
        bool quoted = false;
        while (n < v.len && (quoted || (v.ptr[n] != '>' && v.ptr[n] != '<'))) {
            if (v.ptr[n] == '"')
                quoted = !quoted;
            else if (v.ptr[n] == '\\')
                n++;
            n++;
        }
        if (n >= v.len) {
            *rest = view_sub(*rest, rest->len, 0);
            return false;
        }
        *rest = view_sub(v, v.ptr[n] == '>' ? n + 1 : n, v.len);
        if (v.ptr[n] == '>' && n > 1) {
            put_id(out, view_sub(v, 0, n + 1));
            return true;
        }
    }
}
