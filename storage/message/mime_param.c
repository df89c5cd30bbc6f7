/*
 * Parameters of Content-Type and Content-Disposition.
 *
 * The field is cut into segments first: name*number*=value. What belongs together is joined afterwards, in the order of the
 * numbers up to the first gap. Segments are bounded and matched by a hash of the name before the names are compared, so joining
 * costs little however hostile the names are. A value that is given plainly and in the encoded form counts in the encoded form
 * (RFC 2231 4).
 */
#include "common/base/mem.h"
#include "common/text/text.h"
#include "storage/message/body.h"
#include "storage/message/mime_int.h"

#define SEGMENTS_MAX 128
#define NUMBER_NONE UINT32_MAX

struct segment {
    struct view name, value;
    uint32_t hash;
    uint32_t number; /* NUMBER_NONE: no continuation */
    bool extended;   /* value is percent-encoded */
    bool taken;
};

struct segments {
    struct segment items[SEGMENTS_MAX];
    size_t n;
    size_t max;
    struct arena *arena;
    bool *truncated;
};

static bool is_token(uint8_t c)
{
    return c > ' ' && c != 0x7f && memchr("()<>@,;:\\\"/[]?=", c, 15) == NULL;
}

struct view mime_token(struct cursor *c)
{
    struct view rest = cursor_rest(c);
    size_t n = 0;
    while (n < rest.len && is_token(rest.ptr[n]))
        n++;
    return cursor_bytes(c, n);
}

/* A quoted string whose opening quote is next; an unclosed one runs to the end of the field. */
static struct view quoted(struct arena *a, struct cursor *c)
{
    cursor_skip(c, 1);
    struct view rest = cursor_rest(c);
    size_t n = 0, escapes = 0;
    while (n < rest.len && rest.ptr[n] != '"') {
        if (rest.ptr[n] == '\\' && n + 1 < rest.len) {
            escapes++;
            n++;
        }
        n++;
    }
    struct view raw = cursor_bytes(c, n);
    (void)cursor_take(c, '"');
    if (escapes == 0)
        return raw;
    uint8_t *room = arena_bytes(a, raw.len - escapes);
    if (room == NULL)
        return VIEW("");
    size_t used = 0;
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '\\' && i + 1 < raw.len)
            i++;
        room[used++] = raw.ptr[i];
    }
    return view_make(room, used);
}

/* Whether the word at the front of v is the name of a next parameter: someone left the semicolon out. */
static bool is_next_param(struct view v)
{
    size_t n = 0;
    while (n < v.len && n < 32 && is_token(v.ptr[n]))
        n++;
    return n > 0 && n < v.len && v.ptr[n] == '=' && n + 1 < v.len && v.ptr[n + 1] != ' ' && v.ptr[n + 1] != '=';
}

/* An unquoted value: to the semicolon, a comment or the next parameter. Blanks and characters that need quotes are let through.
 */
static struct view unquoted(struct cursor *c)
{
    struct view rest = cursor_rest(c);
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != ';') {
        if (n > 0 && (rest.ptr[n - 1] == ' ' || rest.ptr[n - 1] == '\t') &&
            (rest.ptr[n] == '(' || is_next_param(view_sub(rest, n, rest.len))))
            break;
        n++;
    }
    return view_trim(cursor_bytes(c, n));
}

/* "name", "name*", "name*3", "name*3*". A tail that is none of these is part of the name. */
static void split_name(struct segment *s)
{
    struct view name = s->name;
    bool extended = name.len > 1 && name.ptr[name.len - 1] == '*';
    if (extended)
        name.len--;
    size_t star = view_find(name, '*');
    struct cursor c = cursor_make(view_sub(name, star + 1, name.len));
    s->number = NUMBER_NONE;
    if (star > 0 && star < name.len) {
        uint64_t number = cursor_dec(&c, 0, 99999);
        if (!cursor_done(&c))
            return;
        s->number = (uint32_t)number;
        name.len = star;
    }
    s->name = name;
    s->extended = extended;
}

static uint32_t name_hash(struct view name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        h = (h ^ ascii_lower(name.ptr[i])) * 16777619u;
    return h;
}

static void segment_parse(struct segments *all, struct cursor *c)
{
    struct segment s = {.name = mime_token(c)};
    if (s.name.len == 0) {
        cursor_skip(c, 1); /* what cannot be a name */
        return;
    }
    header_skip_cfws(c);
    if (!cursor_take(c, '='))
        return;
    header_skip_cfws(c);
    s.value = cursor_peek(c) == '"' ? quoted(all->arena, c) : unquoted(c);
    split_name(&s);
    s.hash = name_hash(s.name);
    all->items[all->n++] = s;
}

static void segments_parse(struct segments *all, struct cursor *c)
{
    while (cursor_left(c) > 0) {
        header_skip_cfws(c);
        if (cursor_take(c, ';'))
            continue;
        if (cursor_left(c) == 0)
            return;
        if (all->n == all->max) {
            *all->truncated = true;
            return;
        }
        segment_parse(all, c);
    }
}

static bool same_name(const struct segment *a, const struct segment *b)
{
    return a->hash == b->hash && view_eq_nocase(a->name, b->name);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_percent_decoded(struct buf *out, struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        int hi = v.ptr[i] == '%' && i + 2 < v.len ? hex_value(v.ptr[i + 1]) : -1;
        int lo = hi >= 0 ? hex_value(v.ptr[i + 2]) : -1;
        if (lo >= 0) {
            buf_put_byte(out, (uint8_t)(hi * 16 + lo));
            i += 2;
        } else {
            buf_put_byte(out, v.ptr[i]);
        }
    }
}

/* charset'language'text: takes the first two off the front. */
static struct view take_charset(struct view *v)
{
    size_t first = view_find(*v, '\'');
    struct view after = view_sub(*v, first + 1, v->len);
    size_t second = view_find(after, '\'');
    if (first == v->len || second == after.len)
        return VIEW("");
    struct view charset = view_sub(*v, 0, first);
    *v = view_sub(after, second + 1, after.len);
    return charset;
}

/* The joined octets in UTF-8 without control characters, which nobody has a use for in a parameter. */
static struct view to_utf8(struct arena *a, struct view charset, struct view joined)
{
    struct buf text;
    buf_init(&text, joined.len * 4 + 16);
    if (charset.len == 0 || charset_to_utf8(&text, charset, joined) != 0) {
        buf_reset(&text);
        utf8_sanitize(&text, joined);
    }
    size_t n = 0;
    for (size_t i = 0; i < buf_len(&text); i++) {
        uint8_t c = text.data[text.off + i];
        if (c >= ' ' && c != 0x7f)
            text.data[text.off + n++] = c;
    }
    buf_truncate(&text, n);
    struct view v = arena_copy(a, buf_view(&text));
    buf_free(&text);
    return v.ptr == NULL ? VIEW("") : v;
}

/* The segment of this name with this number (extended or not), or NULL. */
static struct segment *find_number(struct segments *all, const struct segment *like, uint32_t number)
{
    for (size_t i = 0; i < all->n; i++) {
        struct segment *s = &all->items[i];
        if (!s->taken && s->number == number && same_name(s, like))
            return s;
    }
    return NULL;
}

static struct view join_numbered(struct segments *all, const struct segment *like, struct segment *first)
{
    struct buf joined;
    struct view charset = VIEW("");
    bool encoded = false;
    buf_init(&joined, SIZE_MAX / 8);
    for (struct segment *s = first; s != NULL; s = find_number(all, like, s->number + 1)) {
        struct view v = s->value;
        if (s == first && s->extended)
            charset = take_charset(&v);
        encoded |= s->extended;
        if (s->extended)
            put_percent_decoded(&joined, v);
        else
            buf_put_view(&joined, v);
        s->taken = true;
    }
    struct view out = encoded ? to_utf8(all->arena, charset, buf_view(&joined)) : arena_copy(all->arena, buf_view(&joined));
    buf_free(&joined);
    return out.ptr == NULL ? VIEW("") : out;
}

static struct view decode_single(struct segments *all, struct view v)
{
    struct buf bytes;
    struct view charset = take_charset(&v);
    buf_init(&bytes, v.len);
    put_percent_decoded(&bytes, v);
    struct view out = to_utf8(all->arena, charset, buf_view(&bytes));
    buf_free(&bytes);
    return out;
}

/* The value of the parameter that `like` is the first segment of; takes every segment of that name. */
static struct view join(struct segments *all, const struct segment *like)
{
    struct segment *plain = NULL, *extended = NULL, *first = NULL;
    for (size_t i = 0; i < all->n; i++) {
        struct segment *s = &all->items[i];
        if (s->taken || !same_name(s, like))
            continue;
        if (s->number != NUMBER_NONE)
            first = first == NULL || s->number < first->number ? s : first;
        else if (s->extended)
            extended = extended == NULL ? s : extended;
        else
            plain = plain == NULL ? s : plain;
    }
    struct view value = VIEW("");
    if (extended != NULL)
        value = decode_single(all, extended->value);
    else if (first != NULL)
        value = join_numbered(all, like, first);
    else if (plain != NULL)
        value = plain->value;
    return value;
}

static void take_all(struct segments *all, const struct segment *like)
{
    for (size_t i = 0; i < all->n; i++) {
        if (same_name(&all->items[i], like))
            all->items[i].taken = true;
    }
}

void mime_params_parse(struct arena *a, struct cursor *c, unsigned max, struct mime_param **out, size_t *n_out, bool *truncated)
{
    struct segments all;
    struct mime_param found[SEGMENTS_MAX];
    size_t n = 0;
    all.n = 0;
    all.max = MIN_OF(SEGMENTS_MAX, (size_t)max * 2);
    all.arena = a;
    all.truncated = truncated;
    segments_parse(&all, c);
    for (size_t i = 0; i < all.n; i++) {
        const struct segment like = all.items[i];
        if (like.taken)
            continue;
        if (n == max) {
            *truncated = true;
            break;
        }
        found[n].name = like.name;
        found[n].value = join(&all, &like);
        n++;
        take_all(&all, &like);
    }
    *out = NULL;
    *n_out = 0;
    if (n == 0)
        return;
    struct mime_param *params = arena_alloc(a, n, sizeof(*params));
    if (params == NULL) {
        *truncated = true;
        return;
    }
    memcpy(params, found, n * sizeof(*params));
    *out = params;
    *n_out = n;
}
