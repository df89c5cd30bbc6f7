/*
 * Decoders of whole bodies. Output is collected in small pieces on the stack, so memory does not depend on the message.
 *
 * base64: whatever is not of the alphabet is skipped (RFC 2045 6.8), padding ends a quantum and what follows begins a new one,
 * because some programs join encoded pieces. quoted-printable: blanks at the end of a line go (6.7 rule 3), a "=" that is no
 * escape stays. uuencode: the lines between "begin" and "end"; without a "begin" line the body is given as it is.
 */
#include "storage/message/transfer.h"

#include "common/base/mem.h"
#include "common/text/text.h"

#define PIECE 4096u
#define QUOTED_LINE_MAX 512u /* of quoted-printable, that a line is looked through for its end first; RFC 2045 6.7 allows 76 */

typedef uint8_t block __attribute__((vector_size(16), aligned(1), may_alias));

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

/* One step at the front of in, which is not empty, whatever is there; returns its length. */
static size_t quoted_step(struct output *o, struct view in)
{
    uint8_t c = in.ptr[0];
    size_t n;
    if (c == '=')
        return quoted_escape(o, in);
    if (c == ' ' || c == '\t') {
        n = blanks(in);
        if (n < in.len && line_end(view_sub(in, n, 2)) == 0)
            output_view(o, view_sub(in, 0, n));
        return n;
    }
    for (n = 1; n < in.len && in.ptr[n] != '=' && in.ptr[n] != ' ' && in.ptr[n] != '\t'; n++)
        ;
    output_view(o, view_sub(in, 0, n));
    return n;
}

/* Copies a block, which is more than it is to copy, and returns how many octets precede the first "=" in it. */
static size_t quoted_block(uint8_t *to, const uint8_t *from)
{
    block b = *(const block *)from, equal = (block)(b == (uint8_t)'=');
    uint64_t words[2];
    *(block *)to = b;
    memcpy(words, &equal, sizeof(words));
    return words[0] != 0   ? (size_t)__builtin_ctzll(words[0]) / 8
           : words[1] != 0 ? 8 + (size_t)__builtin_ctzll(words[1]) / 8
                           : sizeof(block);
}

/* The text of one line, without its end and the blanks before it; behind it a block can be read, and in o there is room for one
 * more. False: the line end is a soft one. */
static bool quoted_line(struct output *o, const uint8_t *at, const uint8_t *end)
{
    uint8_t *to = o->bytes + o->n;
    bool hard = true;
    while (at < end) {
        size_t left = (size_t)(end - at), n = quoted_block(to, at);
        if (n >= MIN_OF(left, sizeof(block))) {
            at += MIN_OF(left, sizeof(block));
            to += MIN_OF(left, sizeof(block));
            continue;
        }
        at += n;
        to += n;
        left -= n;
        while (left > 2 && at[0] == '=' && hex_values[at[1]] != 0 && hex_values[at[2]] != 0) { /* they come in rows */
            *to++ = (uint8_t)(hex_value(at[1]) * 16 + hex_value(at[2]));
            at += 3;
            left -= 3;
        }
        if (left == 0 || at[0] != '=')
            continue;
        hard = left > 1;
        if (hard)
            *to++ = '=';
        at++;
    }
    o->n = (size_t)(to - o->bytes);
    return hard;
}

/* Lines as they should be, which are short, from the front of in; returns the length of those. */
static size_t quoted_lines(struct output *o, struct view in)
{
    size_t at = 0;
    while (in.len - at >= QUOTED_LINE_MAX + sizeof(block) && !o->stopped) {
        const uint8_t *line = in.ptr + at, *lf = memchr(line, '\n', QUOTED_LINE_MAX), *end = lf;
        if (lf == NULL)
            break;
        if (o->n + QUOTED_LINE_MAX + sizeof(block) > sizeof(o->bytes) && !output_flush(o))
            break;
        if (end > line && end[-1] == '\r')
            end--;
        const uint8_t *ending = end;
        while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        if (quoted_line(o, line, end)) {
            o->bytes[o->n++] = *ending;
            if (ending < lf)
                o->bytes[o->n++] = '\n';
        }
        at += (size_t)(lf - line) + 1;
    }
    return at;
}

static void decode_quoted(struct output *o, struct view in)
{
    while (in.len > 0 && !o->stopped) {
        size_t n = quoted_lines(o, in), most = MIN_OF(in.len, n + QUOTED_LINE_MAX);
        while (n < most && !o->stopped)
            n += quoted_step(o, view_sub(in, n, in.len));
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
