/* Tokens. Every class is a table, every run is bounded by the command, which is bounded by imap/input.c. */
#include "imap/parse.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/text.h"

/* ATOM-CHAR: printable ASCII but ( ) { SP % * " \ ] */
static const uint8_t atom_chars[256] = {
    ['!'] = 1, ['#' ... '$'] = 1, ['&' ... '\''] = 1, ['+' ... '['] = 1, ['^' ... 'z'] = 1, ['|' ... '~'] = 1,
};
/* ASTRING-CHAR: and ] */
static const uint8_t astring_chars[256] = {
    ['!'] = 1, ['#' ... '$'] = 1, ['&' ... '\''] = 1, ['+' ... '['] = 1, [']' ... 'z'] = 1, ['|' ... '~'] = 1,
};
/* list-char: and % * */
static const uint8_t list_chars[256] = {
    ['!'] = 1, ['#' ... '\''] = 1, ['*' ... '['] = 1, [']' ... 'z'] = 1, ['|' ... '~'] = 1,
};
/* tag: ASTRING-CHAR but + */
static const uint8_t tag_chars[256] = {
    ['!'] = 1, ['#' ... '$'] = 1, ['&' ... '\''] = 1, [',' ... '['] = 1, [']' ... 'z'] = 1, ['|' ... '~'] = 1,
};

void imap_parse_init(struct imap_parse *p, struct view command, struct imap_pool *pool)
{
    *p = (struct imap_parse){.c = cursor_make(command), .pool = pool};
}

bool imap_parse_fail(struct imap_parse *p, const char *error)
{
    if (p->error == NULL)
        p->error = error;
    cursor_fail(&p->c);
    return false;
}

bool imap_parse_fail_code(struct imap_parse *p, const char *code, const char *error)
{
    if (p->error == NULL)
        p->code = code;
    return imap_parse_fail(p, error);
}

const char *imap_parse_error(const struct imap_parse *p)
{
    return p->error != NULL ? p->error : "Arguments are not valid";
}

int imap_parse_peek(const struct imap_parse *p)
{
    return p->c.failed ? -1 : cursor_peek(&p->c);
}

bool imap_parse_try(struct imap_parse *p, uint8_t byte)
{
    return !p->c.failed && cursor_take(&p->c, byte);
}

bool imap_parse_try_word(struct imap_parse *p, const char *word)
{
    return !p->c.failed && cursor_take_nocase(&p->c, view_str(word));
}

void imap_parse_expect(struct imap_parse *p, uint8_t byte, const char *error)
{
    if (!imap_parse_try(p, byte))
        imap_parse_fail(p, error);
}

void imap_parse_space(struct imap_parse *p)
{
    imap_parse_expect(p, ' ', "Missing argument");
}

void imap_parse_end(struct imap_parse *p)
{
    if (imap_parse_ok(p) && cursor_left(&p->c) != 0)
        imap_parse_fail(p, "Unexpected text after the arguments");
}

void imap_parse_open(struct imap_parse *p)
{
    imap_parse_expect(p, '(', "Missing opening parenthesis");
    if (++p->depth > IMAP_PAREN_DEPTH_MAX)
        imap_parse_fail(p, "Too many nested parentheses");
}

void imap_parse_close(struct imap_parse *p)
{
    imap_parse_expect(p, ')', "Missing closing parenthesis");
    if (p->depth > 0)
        p->depth--;
}

static struct view take_run(struct imap_parse *p, const uint8_t table[256], const char *error)
{
    struct view v = {NULL, 0};

    if (!p->c.failed)
        v = cursor_take_while(&p->c, table);
    if (v.len == 0)
        imap_parse_fail(p, error);
    return v;
}

struct view imap_parse_tag(struct imap_parse *p)
{
    return take_run(p, tag_chars, "Invalid tag");
}

struct view imap_parse_atom(struct imap_parse *p)
{
    return take_run(p, atom_chars, "Missing atom");
}

uint64_t imap_parse_number(struct imap_parse *p, uint64_t min, uint64_t max)
{
    uint64_t n = p->c.failed ? 0 : cursor_dec(&p->c, min, max);

    if (p->c.failed)
        imap_parse_fail(p, "Invalid number");
    return n;
}

/* After the opening quote. Escapes are rare: only then is the value copied. */
static struct view take_quoted(struct imap_parse *p)
{
    struct view rest = cursor_rest(&p->c);
    size_t i, escapes = 0, n = 0;
    uint8_t *to;

    for (i = 0; i < rest.len && rest.ptr[i] != '"'; i++) {
        if (rest.ptr[i] == '\\') {
            if (++i == rest.len || (rest.ptr[i] != '"' && rest.ptr[i] != '\\'))
                break;
            escapes++;
        } else if (rest.ptr[i] == '\r' || rest.ptr[i] == '\n' || rest.ptr[i] == '\0')
            break;
    }
    if (i >= rest.len || rest.ptr[i] != '"') {
        imap_parse_fail(p, "Invalid quoted string");
        return (struct view){NULL, 0};
    }
    cursor_skip(&p->c, i + 1);
    rest.len = i;
    if (!utf8_valid(rest)) {
        imap_parse_fail(p, "Invalid UTF-8 in a quoted string");
        return (struct view){NULL, 0};
    }
    if (escapes == 0)
        return rest;
    to = imap_pool_alloc(p->pool, rest.len);
    if (to == NULL) {
        imap_parse_fail(p, "Command too large");
        return (struct view){NULL, 0};
    }
    for (i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '\\')
            i++;
        to[n++] = rest.ptr[i];
    }
    return view_make(to, n);
}

/* After the opening brace: the bytes of the literal are in the command. */
static struct view take_literal(struct imap_parse *p, bool nul_allowed)
{
    uint64_t n = imap_parse_number(p, 0, UINT32_MAX);
    struct view v;

    imap_parse_try(p, '+');
    imap_parse_expect(p, '}', "Invalid literal");
    imap_parse_try(p, '\r');
    imap_parse_expect(p, '\n', "Invalid literal");
    v = p->c.failed ? (struct view){NULL, 0} : cursor_bytes(&p->c, (size_t)n);
    if (!imap_parse_ok(p))
        imap_parse_fail(p, "Invalid literal");
    else if (!nul_allowed && v.len > 0 && memchr(v.ptr, '\0', v.len) != NULL)
        imap_parse_fail(p, "NUL in a literal");
    return v;
}

struct view imap_parse_string(struct imap_parse *p)
{
    if (imap_parse_try(p, '"'))
        return take_quoted(p);
    if (imap_parse_try(p, '{'))
        return take_literal(p, false);
    imap_parse_fail(p, "Missing string");
    return (struct view){NULL, 0};
}

struct view imap_parse_astring(struct imap_parse *p)
{
    int c = imap_parse_peek(p);

    if (c == '"' || c == '{')
        return imap_parse_string(p);
    return take_run(p, astring_chars, "Missing string");
}

struct view imap_parse_nstring(struct imap_parse *p)
{
    struct view v;

    if (imap_parse_try_word(p, "NIL"))
        return (struct view){NULL, 0};
    v = imap_parse_string(p);
    return v.ptr == NULL ? VIEW("") : v;
}

struct view imap_parse_octets(struct imap_parse *p)
{
    struct view v;

    if (!imap_parse_try(p, '~'))
        return imap_parse_nstring(p);
    imap_parse_expect(p, '{', "Missing literal");
    v = take_literal(p, true);
    return v.ptr == NULL ? VIEW("") : v;
}

struct view imap_parse_pattern(struct imap_parse *p)
{
    int c = imap_parse_peek(p);

    if (c == '"' || c == '{')
        return imap_parse_string(p);
    return take_run(p, list_chars, "Missing pattern");
}

unsigned imap_flag_find(struct view name)
{
    static const struct {
        const char *name;
        unsigned flag;
    } flags[] = {
        {"Seen", MSG_SEEN}, {"Answered", MSG_ANSWERED}, {"Flagged", MSG_FLAGGED}, {"Deleted", MSG_DELETED}, {"Draft", MSG_DRAFT}};

    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (view_eq_nocase(name, view_str(flags[i].name)))
            return flags[i].flag;
    return 0;
}

static void take_flag(struct imap_parse *p, struct imap_flags *out, size_t *cap)
{
    struct view name;

    if (imap_parse_try(p, '\\')) {
        unsigned flag = imap_flag_find(imap_parse_atom(p));

        if (flag == 0)
            imap_parse_fail(p, "No such system flag");
        out->flags |= flag;
        return;
    }
    name = imap_parse_atom(p);
    if (!imap_parse_ok(p))
        return;
    if (out->nkeywords == *cap) {
        size_t more = *cap == 0 ? 8 : *cap * 2;
        struct view *grown = more > 2 * KEYWORDS_MAX ? NULL : imap_pool_alloc(p->pool, more * sizeof(*grown));

        if (grown == NULL) {
            imap_parse_fail(p, "Too many keywords");
            return;
        }
        if (out->nkeywords > 0)
            memcpy(grown, out->keywords, out->nkeywords * sizeof(*grown));
        out->keywords = grown;
        *cap = more;
    }
    out->keywords[out->nkeywords++] = name;
}

void imap_parse_flags(struct imap_parse *p, bool bare_allowed, struct imap_flags *out)
{
    bool list = imap_parse_peek(p) == '(';
    size_t cap = 0;

    *out = (struct imap_flags){0};
    if (list || !bare_allowed)
        imap_parse_open(p);
    if (list && imap_parse_peek(p) == ')') {
        imap_parse_close(p);
        return;
    }
    do
        take_flag(p, out, &cap);
    while (imap_parse_ok(p) && imap_parse_try(p, ' '));
    if (list)
        imap_parse_close(p);
}

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* date-day is 1*2DIGIT, date-year 4DIGIT (RFC 9051 section 9). */
static uint64_t take_digits(struct imap_parse *p, size_t min, size_t max)
{
    size_t before = cursor_left(&p->c), digits;
    uint64_t n = imap_parse_number(p, 1, 9999);

    digits = before - cursor_left(&p->c);
    if (imap_parse_ok(p) && (digits < min || digits > max))
        imap_parse_fail(p, "Invalid date");
    return n;
}

int64_t imap_parse_date(struct imap_parse *p)
{
    static const uint8_t days_in[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool quoted = imap_parse_try(p, '"');
    unsigned day = (unsigned)take_digits(p, 1, 2), month = 0, year;

    imap_parse_expect(p, '-', "Invalid date");
    while (month < 12 && !imap_parse_try_word(p, months[month]))
        month++;
    if (month == 12)
        imap_parse_fail(p, "Invalid date");
    imap_parse_expect(p, '-', "Invalid date");
    year = (unsigned)take_digits(p, 4, 4);
    if (quoted)
        imap_parse_expect(p, '"', "Invalid date");
    if (!imap_parse_ok(p))
        return 0;
    if (day > days_in[month] || (month == 1 && day == 29 && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))) {
        imap_parse_fail(p, "No such day");
        return 0;
    }
    return time_from_civil((int)year, month + 1, day, 0, 0, 0) / 86400;
}

void imap_parse_date_time(struct imap_parse *p, int64_t *t_out, int *zone_out)
{
    struct view v;

    imap_parse_expect(p, '"', "Invalid date");
    v = p->c.failed ? (struct view){NULL, 0} : take_quoted(p);
    if (imap_parse_ok(p) && time_parse_imap(v, t_out, zone_out) != 0)
        imap_parse_fail(p, "Invalid date");
}
