/*
 * Decoders of whole bodies. Output is collected in small pieces on the stack, so memory does not depend on the message.
 *
 * base64: whatever is not of the alphabet is skipped (RFC 2045 6.8), padding ends a quantum and what follows begins a new one,
 * because some programs join encoded pieces. quoted-printable: blanks at the end of a line go (6.7 rule 3), a "=" that is no
 * escape stays. uuencode: the lines between "begin" and "end"; without a "begin" line the body is given as it is.
 */
#include "storage/message/transfer.h"

#include "common/text/text.h"

#define PIECE 2048u
#define QUOTED_WINDOW 256u

struct output {
    transfer_sink *sink;
    void *arg;
    bool stopped;
    size_t n;
    uint8_t bytes[PIECE];
};

static void output_init(struct output *o, transfer_sink *sink, void *arg)
{
    o->sink = sink;
    o->arg = arg;
    o->stopped = false;
    o->n = 0;
}

static bool output_flush(struct output *o)
{
    if (!o->stopped && o->n > 0 && !o->sink(o->arg, view_make(o->bytes, o->n)))
        o->stopped = true;
    o->n = 0;
    return !o->stopped;
}

static void output_byte(struct output *o, uint8_t c)
{
    if (o->n == PIECE)
        (void)output_flush(o);
    o->bytes[o->n++] = c;
}

static void output_view(struct output *o, struct view v)
{
    while (v.len > 0 && !o->stopped) {
        size_t n = PIECE - o->n < v.len ? PIECE - o->n : v.len;
        memcpy(o->bytes + o->n, v.ptr, n);
        o->n += n;
        v = view_sub(v, n, v.len);
        if (o->n == PIECE)
            (void)output_flush(o);
    }
}

/* --- base64 --- */

#define B64_SKIP 64
#define B64_PAD 65

static uint8_t base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0' + 52);
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    return c == '=' ? B64_PAD : B64_SKIP;
}

/* The bytes of a quantum that n sextets were read of. */
static void base64_quantum(struct output *o, uint32_t acc, unsigned n)
{
    acc <<= 6 * (4 - n);
    if (n >= 2)
        output_byte(o, (uint8_t)(acc >> 16));
    if (n >= 3)
        output_byte(o, (uint8_t)(acc >> 8));
    if (n == 4)
        output_byte(o, (uint8_t)acc);
}

/* Whole quanta of the alphabet from i on, which is nearly everything. Returns where they end. */
static size_t base64_run(struct output *o, const uint8_t values[256], struct view in, size_t i)
{
    while (i + 4 <= in.len && !o->stopped) {
        uint32_t a = values[in.ptr[i]], b = values[in.ptr[i + 1]], c = values[in.ptr[i + 2]], d = values[in.ptr[i + 3]];
        if ((a | b | c | d) >= B64_SKIP)
            break;
        if (o->n + 3 > PIECE && !output_flush(o))
            break;
        uint32_t acc = a << 18 | b << 12 | c << 6 | d;
        o->bytes[o->n++] = (uint8_t)(acc >> 16);
        o->bytes[o->n++] = (uint8_t)(acc >> 8);
        o->bytes[o->n++] = (uint8_t)acc;
        i += 4;
    }
    return i;
}

static void decode_base64(struct output *o, struct view in)
{
    uint8_t values[256];
    uint32_t acc = 0;
    unsigned n = 0;
    for (unsigned i = 0; i < 256; i++)
        values[i] = base64_value((uint8_t)i);
    for (size_t i = 0; i < in.len && !o->stopped; i++) {
        if (n == 0 && (i = base64_run(o, values, in, i)) == in.len)
            break;
        uint8_t value = values[in.ptr[i]];
        if (value == B64_SKIP)
            continue;
        if (value != B64_PAD) {
            acc = acc << 6 | value;
            if (++n < 4)
                continue;
        }
        if (n > 0)
            base64_quantum(o, acc, n);
        acc = 0;
        n = 0;
    }
    if (n > 0)
        base64_quantum(o, acc, n);
}

/* --- quoted-printable --- */

static const int8_t hex_values[256] = {
    /* one more than the value, 0: no hexadecimal digit */
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static int hex_value(uint8_t c)
{
    return hex_values[c] - 1;
}

/* Length of a line end at the front of v, 0 when there is none. */
static size_t line_end(struct view v)
{
    if (v.len > 0 && v.ptr[0] == '\n')
        return 1;
    return v.len > 1 && v.ptr[0] == '\r' && v.ptr[1] == '\n' ? 2 : 0;
}

static size_t blanks(struct view v)
{
    size_t n = 0;
    while (n < v.len && (v.ptr[n] == ' ' || v.ptr[n] == '\t'))
        n++;
    return n;
}

/* An escape at the front of v (a "="): writes what it stands for and returns its length. */
static size_t quoted_escape(struct output *o, struct view v)
{
    int hi = v.len > 2 ? hex_value(v.ptr[1]) : -1, lo = hi >= 0 ? hex_value(v.ptr[2]) : -1;
    if (lo >= 0) {
        output_byte(o, (uint8_t)(hi * 16 + lo));
        return 3;
    }
    struct view rest = view_sub(v, 1, v.len);
    size_t n = blanks(rest);
    size_t eol = line_end(view_sub(rest, n, 2));
    if (eol > 0 || n == rest.len)
        return 1 + n + eol; /* soft line break */
    output_byte(o, '=');
    output_view(o, view_sub(rest, 0, n));
    return 1 + n;
}

/* Length of a run at the front that stands for itself: up to an escape, or to blanks that may end a line. Looks at no more than a
 * window, so that a line of any length costs one pass. */
static size_t quoted_plain(struct view v)
{
    struct view w = view_sub(v, 0, QUOTED_WINDOW);
    size_t escape, line, n;
    if (w.len == 0 || w.ptr[0] == '=' || w.ptr[0] == ' ' || w.ptr[0] == '\t')
        return 0;
    if (w.ptr[0] == '\r')
        return w.len > 1 && w.ptr[1] == '\n' ? 2 : 0;
    escape = view_find(w, '=');
    line = view_find(view_sub(w, 0, escape), '\n');
    if (line == escape && escape < w.len)
        return escape;
    n = line;
    while (n > 0 && (w.ptr[n - 1] == '\r' || w.ptr[n - 1] == ' ' || w.ptr[n - 1] == '\t'))
        n--;
    if (line < w.len && n + 1 >= line && (n == line || w.ptr[n] == '\r'))
        return line + 1;
    return n;
}

static void decode_quoted(struct output *o, struct view in)
{
    while (in.len > 0 && !o->stopped) {
        size_t n = quoted_plain(in);
        output_view(o, view_sub(in, 0, n));
        in = view_sub(in, n, in.len);
        if (in.len == 0)
            break;
        uint8_t c = in.ptr[0];
        n = 1;
        if (c == '=') {
            n = quoted_escape(o, in);
            while (n == 3 && in.len > 3 && in.ptr[3] == '=' && !o->stopped) { /* they come in rows */
                in = view_sub(in, 3, in.len);
                n = quoted_escape(o, in);
            }
        } else if (c == ' ' || c == '\t') {
            n = blanks(in);
            if (n < in.len && line_end(view_sub(in, n, 2)) == 0)
                output_view(o, view_sub(in, 0, n));
        } else {
            output_byte(o, c);
        }
        in = view_sub(in, n, in.len);
    }
}

/* --- uuencode --- */

static struct view take_line(struct view *rest)
{
    size_t n = view_find(*rest, '\n');
    struct view line = view_sub(*rest, 0, n);
    *rest = view_sub(*rest, n + 1, rest->len);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static uint32_t uu_value(struct view line, size_t i)
{
    return i < line.len ? (uint32_t)((line.ptr[i] - 32) & 63) : 0;
}

static void uu_line(struct output *o, struct view line)
{
    size_t want = uu_value(line, 0);
    for (size_t at = 1; want > 0 && at < line.len; at += 4) {
        uint32_t acc =
            uu_value(line, at) << 18 | uu_value(line, at + 1) << 12 | uu_value(line, at + 2) << 6 | uu_value(line, at + 3);
        for (unsigned i = 0; i < 3 && want > 0; i++, want--)
            output_byte(o, (uint8_t)(acc >> (16 - 8 * i)));
    }
}

static void decode_uuencode(struct output *o, struct view in)
{
    struct view rest = in;
    bool found = false;
    while (rest.len > 0 && !found)
        found = view_starts(take_line(&rest), VIEW("begin "));
    if (!found) {
        output_view(o, in);
        return;
    }
    while (rest.len > 0 && !o->stopped) {
        struct view line = take_line(&rest);
        if (view_eq(view_trim(line), VIEW("end")))
            return;
        if (line.len > 0)
            uu_line(o, line);
    }
}

enum transfer transfer_find(struct view name)
{
    static const struct {
        const char *name;
        enum transfer how;
    } known[] = {
        {"base64", TRANSFER_BASE64},     {"quoted-printable", TRANSFER_QUOTED}, {"x-uuencode", TRANSFER_UUENCODE},
        {"uuencode", TRANSFER_UUENCODE}, {"x-uue", TRANSFER_UUENCODE},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (view_eq_nocase(name, view_str(known[i].name)))
            return known[i].how;
    }
    return TRANSFER_IDENTITY;
}

bool transfer_decode(enum transfer how, struct view in, transfer_sink *sink, void *arg)
{
    struct output o;
    if (how == TRANSFER_IDENTITY)
        return in.len == 0 || sink(arg, in);
    output_init(&o, sink, arg);
    if (how == TRANSFER_BASE64)
        decode_base64(&o, in);
    else if (how == TRANSFER_QUOTED)
        decode_quoted(&o, in);
    else
        decode_uuencode(&o, in);
    return output_flush(&o);
}
