/* One scanner for the names of parameters, and the two languages around it. */
#include "common/text/params.h"

#include "common/base/cursor.h"
#include "common/text/text.h"

static bool is_word(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The word that begins at v; empty: none. */
static struct view word_at(struct view v)
{
    size_t n = 0;
    while (n < v.len && is_word(v.ptr[n]))
        n++;
    return view_sub(v, 0, n);
}

static bool param_find(struct view word, enum param *out)
{
    static const char *const names[PARAM_COUNT] = {"user", "name", "domain"};
    for (enum param p = 0; p < PARAM_COUNT; p++) {
        if (view_eq(word, view_str(names[p]))) {
            *out = p;
            return true;
        }
    }
    return false;
}

/* --- SQL --------------------------------------------------------------------------------------------------------------- */

/* Copies a text or name up to its closing quote, which is doubled where it stands for itself. escapes: a backslash does too. */
static int copy_quoted(struct cursor *c, uint8_t quote, bool escapes, struct buf *out)
{
    while (cursor_left(c) > 0) {
        uint8_t b = cursor_byte(c);
        buf_put_byte(out, b);
        if (escapes && b == '\\' && cursor_left(c) > 0)
            buf_put_byte(out, cursor_byte(c));
        else if (b == quote && !cursor_take(c, quote))
            return 0;
        else if (b == quote)
            buf_put_byte(out, quote);
    }
    return ERR_SYNTAX;
}

/* A comment becomes a blank. block: until the end mark, else until the end of the line. */
static int skip_comment(struct cursor *c, bool block, struct buf *out)
{
    buf_put_byte(out, ' ');
    while (cursor_left(c) > 0) {
        if (block && cursor_take_view(c, VIEW("*/")))
            return 0;
        if (cursor_byte(c) == '\n' && !block)
            return 0;
    }
    return block ? ERR_SYNTAX : 0;
}

static int sql_param(struct cursor *c, struct params_sql *places, struct buf *out)
{
    enum param p;
    if (cursor_take(c, ':')) {
        buf_put_str(out, "::");
        return 0;
    }
    struct view word = word_at(cursor_rest(c));
    if (word.len == 0) {
        buf_put_byte(out, ':');
        return 0;
    }
    if (!param_find(word, &p))
        return ERR_SYNTAX;
    if (places->nplaces == PARAMS_MAX)
        return ERR_LIMIT;
    cursor_skip(c, word.len);
    places->places[places->nplaces++] = p;
    buf_put_byte(out, '$');
    buf_put_dec(out, places->nplaces);
    return 0;
}

static int sql_byte(struct cursor *c, bool escapes, struct params_sql *places, struct buf *out)
{
    if (cursor_take_view(c, VIEW("--")))
        return skip_comment(c, false, out);
    if (cursor_take_view(c, VIEW("/*")))
        return skip_comment(c, true, out);
    uint8_t b = cursor_byte(c);
    switch (b) {
    case ':':
        return sql_param(c, places, out);
    case '\'':
    case '"':
        buf_put_byte(out, b);
        return copy_quoted(c, b, b == '\'' && escapes, out);
    case ';': /* one query, and nothing behind it */
        return view_trim(cursor_rest(c)).len == 0 ? 0 : ERR_SYNTAX;
    case '$':
    case '\0':
        return ERR_SYNTAX;
    default:
        buf_put_byte(out, b);
        return 0;
    }
}

int params_sql(struct view query, struct params_sql *places, struct buf *out)
{
    struct cursor c = cursor_make(query);
    bool escapes = false; /* the word before was E, which makes 'text' of C's kind */
    int err = 0;
    *places = (struct params_sql){.nplaces = 0};
    while (err == 0 && cursor_left(&c) > 0) {
        struct view word = word_at(cursor_rest(&c));
        if (word.len > 0) {
            buf_put_view(out, word);
            cursor_skip(&c, word.len);
        } else {
            err = sql_byte(&c, escapes, places, out);
        }
        escapes = view_eq_nocase(word, VIEW("E"));
    }
    return err == 0 && !buf_ok(out) ? ERR_LIMIT : err;
}

/* --- LDAP -------------------------------------------------------------------------------------------------------------- */

static void put_hex(struct buf *out, uint8_t b)
{
    buf_put_byte(out, '\\');
    hex_encode(out, view_make(&b, 1));
}

/* RFC 4515 section 3: what the grammar has, and for safety everything that is no printable ASCII. */
static void put_filter_value(struct buf *out, struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t b = v.ptr[i];
        if (b <= ' ' || b > '~' || b == '*' || b == '(' || b == ')' || b == '\\')
            put_hex(out, b);
        else
            buf_put_byte(out, b);
    }
}

/* RFC 4514 section 2.4: every special character in hexadecimal, wherever it stands. */
static void put_dn_value(struct buf *out, struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t b = v.ptr[i];
        if (b <= ' ' || b > '~' || view_find(VIEW("\"+,;<>=\\#"), b) < 9)
            put_hex(out, b);
        else
            buf_put_byte(out, b);
    }
}

static void ldap_expand(struct view text, const struct view values[static PARAM_COUNT],
                        void (*put_value)(struct buf *out, struct view v), struct buf *out)
{
    struct cursor c = cursor_make(text);
    enum param p;
    while (cursor_left(&c) > 0) {
        uint8_t b = cursor_byte(&c);
        struct view word = word_at(cursor_rest(&c));
        if (b == ':' && param_find(word, &p)) {
            cursor_skip(&c, word.len);
            put_value(out, values[p]);
        } else {
            buf_put_byte(out, b);
        }
    }
}

static bool parentheses_match(struct view v)
{
    unsigned depth = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '\0' || (v.ptr[i] == ')' && depth == 0))
            return false;
        depth += v.ptr[i] == '(' ? 1 : v.ptr[i] == ')' ? -1u : 0;
        if (depth == 0 && i + 1 < v.len)
            return false;
    }
    return v.len > 0 && v.ptr[0] == '(' && depth == 0;
}

int params_ldap_filter(struct view filter, const struct view values[static PARAM_COUNT], struct buf *out)
{
    if (!parentheses_match(filter))
        return ERR_SYNTAX;
    ldap_expand(filter, values, put_filter_value, out);
    return buf_ok(out) ? 0 : ERR_LIMIT;
}

int params_ldap_dn(struct view dn, const struct view values[static PARAM_COUNT], struct buf *out)
{
    ldap_expand(dn, values, put_dn_value, out);
    return buf_ok(out) ? 0 : ERR_LIMIT;
}
