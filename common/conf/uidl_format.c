#include "common/conf/uidl_format.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/text/text.h"

#define WIDTH_MAX 16

static const struct {
    const char *word, *format;
} words[] = {
    {"dovecot", "%08Xu%08Xv"}, {"cyrus", "%v.%u"}, {"courier", "UID%u-%v"}, {"uid", "%u"}, {"file", "%f"},
};

static const struct {
    const char *name;
    uint8_t letter;
    enum uidl_variable what;
} variables[] = {
    {"uid", 'u', UIDL_UID}, {"uidvalidity", 'v', UIDL_UIDVALIDITY}, {"filename", 'f', UIDL_FILE_NAME}, {"guid", 'g', UIDL_GUID}};

static bool is_number(enum uidl_variable what)
{
    return what == UIDL_UID || what == UIDL_UIDVALIDITY;
}

/* "08Xu", behind the '%'. */
static void take_short(struct cursor *c, struct uidl_part *p)
{
    int letter;

    (void)cursor_take(c, '0'); /* an id has no blanks: it is filled with zeros anyway */
    if (cursor_peek(c) >= '1' && cursor_peek(c) <= '9')
        p->width = (unsigned)cursor_dec(c, 1, WIDTH_MAX);
    p->hex = cursor_take(c, 'X');
    letter = cursor_peek(c);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (letter == variables[i].letter)
            p->what = variables[i].what;
    }
    cursor_skip(c, 1);
}

static void take_blanks(struct cursor *c)
{
    while (cursor_take(c, ' '))
        ;
}

/* " | hex(8)". */
static void take_filter(struct cursor *c, struct uidl_part *p)
{
    take_blanks(c);
    if (!cursor_take(c, '|'))
        return;
    take_blanks(c);
    if (!cursor_take_nocase(c, VIEW("hex")))
        cursor_fail(c);
    p->hex = true;
    if (cursor_take(c, '(')) {
        p->width = (unsigned)cursor_dec(c, 1, WIDTH_MAX);
        cursor_expect(c, ')');
    }
    take_blanks(c);
}

/* "uid | hex(8)}", behind the "%{". */
static void take_long(struct cursor *c, struct uidl_part *p)
{
    const uint8_t *start = c->cur;
    struct view name;

    while (cursor_peek(c) >= 'a' && cursor_peek(c) <= 'z')
        cursor_skip(c, 1);
    name = view_make(start, (size_t)(c->cur - start));
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (view_eq(name, view_str(variables[i].name)))
            p->what = variables[i].what;
    }
    take_filter(c, p);
    cursor_expect(c, '}');
}

static void take_literal(struct cursor *c, struct uidl_part *p)
{
    const uint8_t *start = c->cur;

    while (cursor_peek(c) > ' ' && cursor_peek(c) < 0x7f && cursor_peek(c) != '%')
        cursor_skip(c, 1);
    p->literal = view_make(start, (size_t)(c->cur - start));
    if (p->literal.len == 0)
        cursor_fail(c);
}

static struct uidl_part take_part(struct cursor *c)
{
    struct uidl_part p = {.what = UIDL_LITERAL};

    if (!cursor_take(c, '%')) {
        take_literal(c, &p);
        return p;
    }
    if (cursor_peek(c) == '%') {
        p.literal = view_make(c->cur, 1);
        cursor_skip(c, 1);
        return p;
    }
    if (cursor_take(c, '{'))
        take_long(c, &p);
    else
        take_short(c, &p);
    if (p.what == UIDL_LITERAL || (!is_number(p.what) && (p.hex || p.width > 0)))
        cursor_fail(c);
    return p;
}

/* The most characters that a part can give. A file's name may fill all there is. */
static size_t part_max(const struct uidl_part *p)
{
    switch (p->what) {
    case UIDL_LITERAL:
        return p->literal.len;
    case UIDL_UID:
    case UIDL_UIDVALIDITY:
        return MAX_OF((size_t)p->width, (size_t)(p->hex ? 8 : 10));
    case UIDL_FILE_NAME:
        return UIDL_MAX;
    case UIDL_GUID:
        return 2 * (size_t)UIDL_GUID_SIZE;
    }
    return UIDL_MAX + 1;
}

bool uidl_format_has(const struct uidl_format *f, enum uidl_variable what)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->parts[i].what == what)
            return true;
    }
    return false;
}

int uidl_format_parse(const char *text, struct uidl_format *out)
{
    struct uidl_format f = {.n = 0};
    struct cursor c;
    size_t max = 0;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (view_eq(view_str(text), view_str(words[i].word)))
            text = words[i].format;
    }
    c = cursor_make(view_str(text));
    while (!c.failed && cursor_left(&c) > 0 && f.n < UIDL_PARTS_MAX) {
        f.parts[f.n] = take_part(&c);
        max += part_max(&f.parts[f.n++]);
    }
    if (!cursor_done(&c))
        return ERR_SYNTAX;
    if (max > UIDL_MAX || (!uidl_format_has(&f, UIDL_UID) && !uidl_format_has(&f, UIDL_FILE_NAME)))
        return ERR_RANGE;
    *out = f;
    return 0;
}

static void put_number(struct buf *out, const struct uidl_part *p, uint32_t value)
{
    static const char digits[] = "0123456789abcdef";
    unsigned base = p->hex ? 16 : 10;
    uint8_t text[WIDTH_MAX];
    size_t n = sizeof(text);

    do {
        text[--n] = (uint8_t)digits[value % base];
        value /= base;
    } while (value > 0);
    while (sizeof(text) - n < p->width)
        text[--n] = '0';
    buf_put(out, text + n, sizeof(text) - n);
}

static bool can_be_id(struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= ' ' || name.ptr[i] >= 0x7f)
            return false;
    }
    return name.len > 0 && name.len <= UIDL_MAX;
}

static void put_file_name(struct buf *out, const struct uidl_values *v)
{
    static const struct uidl_part eight = {.what = UIDL_UID, .hex = true, .width = 8};

    if (can_be_id(v->file_name)) {
        buf_put_view(out, v->file_name);
        return;
    }
    put_number(out, &eight, v->uid);
    put_number(out, &eight, v->uidvalidity);
}

void uidl_format_put(struct buf *out, const struct uidl_format *f, const struct uidl_values *v)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct uidl_part *p = &f->parts[i];

        switch (p->what) {
        case UIDL_LITERAL:
            buf_put_view(out, p->literal);
            break;
        case UIDL_UID:
            put_number(out, p, v->uid);
            break;
        case UIDL_UIDVALIDITY:
            put_number(out, p, v->uidvalidity);
            break;
        case UIDL_FILE_NAME:
            put_file_name(out, v);
            break;
        case UIDL_GUID:
            hex_encode(out, view_make(v->guid, UIDL_GUID_SIZE));
            break;
        }
    }
}
