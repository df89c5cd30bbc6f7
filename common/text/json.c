#include "common/text/json.h"

#include "common/base/cursor.h"
#include "common/text/text.h"

struct parser {
    struct cursor c;
    struct json_doc *doc;
    int err;
};

static void blanks(struct parser *p)
{
    while (cursor_take(&p->c, ' ') || cursor_take(&p->c, '\t') || cursor_take(&p->c, '\n') || cursor_take(&p->c, '\r')) {
    }
}

static struct json_token *token_add(struct parser *p, enum json_type type)
{
    if (p->doc->n == JSON_TOKENS_MAX) {
        p->err = ERR_LIMIT;
        return NULL;
    }
    struct json_token *t = &p->doc->tokens[p->doc->n++];
    *t = (struct json_token){.type = type, .next = p->doc->n};
    return t;
}

static bool is_hex(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* What may follow a backslash. */
static void escape(struct parser *p)
{
    uint8_t b = cursor_byte(&p->c);
    if (b == 'u') {
        for (unsigned i = 0; i < 4; i++) {
            if (!is_hex(cursor_byte(&p->c)))
                p->err = ERR_SYNTAX;
        }
    } else if (b == '\0' || view_find(VIEW("\"\\/bfnrt"), b) == 8) {
        p->err = ERR_SYNTAX;
    }
}

static void string(struct parser *p)
{
    struct json_token *t = token_add(p, JSON_STRING);
    const uint8_t *start = p->c.cur;
    while (p->err == 0 && !p->c.failed) {
        uint8_t b = cursor_byte(&p->c);
        if (b == '"')
            break;
        if (b < 0x20)
            p->err = ERR_SYNTAX;
        else if (b == '\\')
            escape(p);
    }
    if (p->c.failed)
        p->err = ERR_SYNTAX;
    if (p->err == 0)
        t->text = view_make(start, (size_t)(p->c.cur - start) - 1);
}

static size_t digits(struct parser *p)
{
    size_t n = 0;
    for (int b = cursor_peek(&p->c); b >= '0' && b <= '9'; b = cursor_peek(&p->c), n++)
        cursor_skip(&p->c, 1);
    return n;
}

static void number(struct parser *p)
{
    struct json_token *t = token_add(p, JSON_NUMBER);
    const uint8_t *start = p->c.cur;
    cursor_take(&p->c, '-');
    bool zero = cursor_peek(&p->c) == '0';
    size_t n = digits(p);
    bool good = n > 0 && (!zero || n == 1);
    if (cursor_take(&p->c, '.'))
        good &= digits(p) > 0;
    if (cursor_take(&p->c, 'e') || cursor_take(&p->c, 'E')) {
        if (!cursor_take(&p->c, '+'))
            cursor_take(&p->c, '-');
        good &= digits(p) > 0;
    }
    if (!good && p->err == 0)
        p->err = ERR_SYNTAX;
    if (p->err == 0)
        t->text = view_make(start, (size_t)(p->c.cur - start));
}

static void value(struct parser *p, unsigned depth);

/* The name is the token before the last: no member before it in this object may have it. */
static void check_name(struct parser *p, unsigned object, unsigned name)
{
    const struct json_token *tokens = p->doc->tokens;
    struct buf text;
    buf_init(&text, tokens[name].text.len + 1);
    if (json_text(&tokens[name], &text) != 0)
        p->err = ERR_SYNTAX;
    for (unsigned i = object + 1; p->err == 0 && i < name; i = tokens[i + 1].next) {
        if (json_says(&tokens[i], buf_view(&text)))
            p->err = ERR_SYNTAX;
    }
    buf_free(&text);
}

static void member(struct parser *p, unsigned object, unsigned depth)
{
    unsigned name = p->doc->n;
    blanks(p);
    cursor_expect(&p->c, '"');
    if (p->c.failed)
        return;
    string(p);
    if (p->err == 0)
        check_name(p, object, name);
    blanks(p);
    cursor_expect(&p->c, ':');
    value(p, depth);
}

/* Behind '[' or '{'. */
static void container(struct parser *p, bool object, unsigned depth)
{
    unsigned self = p->doc->n;
    uint8_t end = object ? '}' : ']';
    if (depth == JSON_DEPTH_MAX)
        p->err = ERR_LIMIT;
    if (p->err != 0 || token_add(p, object ? JSON_OBJECT : JSON_ARRAY) == NULL)
        return;
    blanks(p);
    if (cursor_take(&p->c, end))
        return;
    do {
        if (object)
            member(p, self, depth + 1);
        else
            value(p, depth + 1);
        blanks(p);
    } while (p->err == 0 && !p->c.failed && cursor_take(&p->c, ','));
    cursor_expect(&p->c, end);
    p->doc->tokens[self].next = p->doc->n;
}

static void value(struct parser *p, unsigned depth)
{
    if (p->err != 0 || p->c.failed)
        return;
    blanks(p);
    int b = cursor_peek(&p->c);
    if (cursor_take(&p->c, '{'))
        container(p, true, depth);
    else if (cursor_take(&p->c, '['))
        container(p, false, depth);
    else if (cursor_take(&p->c, '"'))
        string(p);
    else if (cursor_take_view(&p->c, VIEW("true")))
        token_add(p, JSON_TRUE);
    else if (cursor_take_view(&p->c, VIEW("false")))
        token_add(p, JSON_FALSE);
    else if (cursor_take_view(&p->c, VIEW("null")))
        token_add(p, JSON_NULL);
    else if (b == '-' || (b >= '0' && b <= '9'))
        number(p);
    else
        p->err = ERR_SYNTAX;
}

int json_parse(struct view text, struct json_doc *out)
{
    struct parser p = {.c = cursor_make(text), .doc = out};
    out->n = 0;
    if (!utf8_valid(text))
        return ERR_SYNTAX;
    value(&p, 0);
    blanks(&p);
    return p.err != 0 ? p.err : cursor_done(&p.c) ? 0 : ERR_SYNTAX;
}

const struct json_token *json_member(const struct json_doc *doc, unsigned object, struct view name)
{
    if (object >= doc->n || doc->tokens[object].type != JSON_OBJECT)
        return NULL;
    for (unsigned i = object + 1; i < doc->tokens[object].next; i = doc->tokens[i + 1].next) {
        if (json_says(&doc->tokens[i], name))
            return &doc->tokens[i + 1];
    }
    return NULL;
}

unsigned json_index(const struct json_doc *doc, const struct json_token *token)
{
    return (unsigned)(token - doc->tokens);
}

static uint32_t hex4(struct cursor *c)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t b = ascii_lower(cursor_byte(c));
        n = n << 4 | (uint32_t)(b <= '9' ? b - '0' : b - 'a' + 10);
    }
    return n;
}

/* A code point in \u form, or two that are one (RFC 8259 section 7). False: half of such a pair, or NUL. */
static bool unescape_u(struct cursor *c, struct buf *out)
{
    uint32_t cp = hex4(c);
    if (cp >= 0xd800 && cp <= 0xdbff && cursor_take_view(c, VIEW("\\u"))) {
        uint32_t low = hex4(c);
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
    }
    if (cp == 0 || (cp >= 0xd800 && cp <= 0xdfff))
        return false;
    utf8_encode(out, cp);
    return true;
}

int json_text(const struct json_token *token, struct buf *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    if (token == NULL || token->type != JSON_STRING)
        return ERR_SYNTAX;
    struct cursor c = cursor_make(token->text);
    while (cursor_left(&c) > 0) {
        uint8_t b = cursor_byte(&c);
        if (b != '\\') {
            buf_put_byte(out, b);
            continue;
        }
        b = cursor_byte(&c);
        size_t i = view_find(VIEW("bfnrt"), b);
        if (b == 'u' && !unescape_u(&c, out))
            return ERR_SYNTAX;
        if (b != 'u')
            buf_put_byte(out, i < sizeof(from) - 1 ? (uint8_t)to[i] : b);
    }
    return buf_ok(out) ? 0 : ERR_LIMIT;
}

bool json_says(const struct json_token *token, struct view text)
{
    struct buf b;
    buf_init(&b, text.len + 4);
    bool same = json_text(token, &b) == 0 && view_eq(buf_view(&b), text);
    buf_free(&b);
    return same;
}

int json_uint(const struct json_token *token, uint64_t *out)
{
    if (token == NULL || token->type != JSON_NUMBER)
        return ERR_SYNTAX;
    struct view whole = view_sub(token->text, 0, view_find(token->text, '.'));
    struct cursor c = cursor_make(whole);
    uint64_t n = cursor_dec(&c, 0, INT64_MAX);
    if (!cursor_done(&c) || view_find(token->text, 'e') < token->text.len || view_find(token->text, 'E') < token->text.len)
        return ERR_SYNTAX;
    *out = n;
    return 0;
}

void json_put_text(struct buf *out, struct view v)
{
    buf_put_byte(out, '"');
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < 0x20)
            buf_put_fmt(out, "\\u%04x", v.ptr[i]);
        else if (v.ptr[i] == '"' || v.ptr[i] == '\\')
            buf_put_fmt(out, "\\%c", v.ptr[i]);
        else
            buf_put_byte(out, v.ptr[i]);
    }
    buf_put_byte(out, '"');
}
