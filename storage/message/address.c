/*
 * Address lists (RFC 5322 3.4 and 4.4), and what real mail has instead.
 *
 * One pass over the value, a few states, no backtracking: words are collected as the display name until a "<" shows that they
 * were one, or a "," that the last of them was the address itself. What goes beyond the grammar:
 *   - `Fred Foo foo@example.org`: the last word before the "@" is the local part, the words before it the name;
 *   - a name alone gives an empty mailbox and host, a word alone a mailbox with an empty host (a NIL host would be a group, RFC
 * 9051 7.5.2);
 *   - a quote, bracket or comment that is never closed is dropped and what follows is read as if it were not there. That it is
 * missing is remembered, so the search for it is made once;
 *   - in an unquoted encoded word the specials count as text: `=?utf-8?q?Foo,_Bar?= <a@b>` is one address;
 *   - a comment is the name when there is no other;
 *   - ";" separates addresses outside of a group; a group that is not closed ends with the field.
 */
#include "storage/message/address.h"

#include <stdlib.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"

#define NOWHERE SIZE_MAX
#define ENCODED_WORD_MAX 256u

struct address_parser {
    struct cursor c;
    struct arena *arena;
    struct address_vec *out;
    unsigned *left;
    struct buf text;  /* words outside of angle brackets */
    struct buf angle; /* inside of them */
    struct buf comment;
    struct view route;     /* in the arena; ptr NULL: none */
    size_t word;           /* where the last word of text begins */
    size_t local, at, end; /* of an address in text: local part, "@", where the domain ends; NOWHERE */
    size_t angle_at;       /* the last "@" in angle; NOWHERE */
    bool gap;              /* blanks or a comment since the last word */
    bool several;          /* text is more than one word, or quoted */
    bool stray;            /* text follows an address without a comma */
    bool in_angle, had_angle, in_group;
    bool no_quote, no_comment, no_bracket; /* none is closed any more */
    bool stopped;
};

static void address_reset(struct address_parser *p)
{
    buf_reset(&p->text);
    buf_reset(&p->angle);
    buf_reset(&p->comment);
    p->route = (struct view){NULL, 0};
    p->word = 0;
    p->local = p->at = p->end = p->angle_at = NOWHERE;
    p->gap = p->several = p->stray = p->in_angle = p->had_angle = false;
}

static void store(struct address_vec *v, const struct address *a)
{
    if (v->n == v->cap) {
        v->cap = v->cap == 0 ? 4 : v->cap * 2;
        v->items = xreallocarray(v->items, v->cap, sizeof(*v->items));
    }
    v->items[v->n++] = *a;
}

static void append(struct address_parser *p, const struct address *a)
{
    if (*p->left == 0 || arena_full(p->arena)) {
        p->stopped = true;
        return;
    }
    store(p->out, a);
    (*p->left)--;
}

static struct view keep(struct address_parser *p, struct view v)
{
    return arena_copy(p->arena, v);
}

static struct view part(const struct buf *b, size_t from, size_t to)
{
    struct view v = view_sub(buf_view(b), from, to > from ? to - from : 0);
    return v.ptr == NULL ? VIEW("") : v;
}

/* What was collected becomes an address; nothing collected, nothing added. */
static void address_finish(struct address_parser *p)
{
    struct address a = {.route = p->route};
    struct view name = VIEW(""), mailbox = VIEW(""), host = VIEW("");
    size_t len = buf_len(&p->text);
    if (p->had_angle) {
        size_t at = p->angle_at == NOWHERE ? buf_len(&p->angle) : p->angle_at;
        name = part(&p->text, 0, len);
        mailbox = part(&p->angle, 0, at);
        host = part(&p->angle, at + 1, buf_len(&p->angle));
    } else if (p->at != NOWHERE) {
        name = part(&p->text, 0, p->local);
        mailbox = part(&p->text, p->local, p->at);
        host = part(&p->text, p->at + 1, p->end == NOWHERE ? len : p->end);
    } else if (len > 0 && !p->stray) {
        if (p->several)
            name = part(&p->text, 0, len);
        else
            mailbox = part(&p->text, 0, len);
    } else {
        address_reset(p);
        return;
    }
    name = view_trim(name);
    if (name.len == 0)
        name = view_trim(buf_view(&p->comment));
    if (name.len > 0)
        a.name = keep(p, name);
    a.mailbox = keep(p, view_trim(mailbox));
    a.host = keep(p, view_trim(host));
    append(p, &a);
    address_reset(p);
}

static void group_end(struct address_parser *p)
{
    static const struct address end = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (p->in_group) /* also past the limit: no group stays open */
        store(p->out, &end);
    p->in_group = false;
}

static void group_begin(struct address_parser *p)
{
    struct address a = {.mailbox = keep(p, view_trim(part(&p->text, 0, buf_len(&p->text))))};
    group_end(p);
    append(p, &a);
    p->in_group = !p->stopped;
    address_reset(p);
}

static uint8_t last_byte(const struct buf *b)
{
    struct view v = buf_view(b);
    return v.len == 0 ? 0 : v.ptr[v.len - 1];
}

/* In angle brackets (and, in text_word(), in a domain) blanks around dots and "@" mean nothing (RFC 5322 4.4). */
static void angle_word(struct address_parser *p, struct view word)
{
    uint8_t last = last_byte(&p->angle);
    if (p->gap && last != 0 && last != '.' && last != '@' && word.len > 0 && word.ptr[0] != '.')
        buf_put_byte(&p->angle, ' ');
    p->gap = false;
    buf_put_view(&p->angle, word);
}

static void text_word(struct address_parser *p, struct view word)
{
    if (p->had_angle) { /* an address is complete, and there was no comma */
        address_finish(p);
        p->stray = true;
    }
    size_t len = buf_len(&p->text);
    bool in_domain = p->at != NOWHERE && p->end == NOWHERE && word.len > 0;
    bool dotted = in_domain && (word.ptr[0] == '.' || last_byte(&p->text) == '.');
    if (p->gap && len > 0 && p->at != len - 1 && !dotted) {
        if (p->at != NOWHERE && p->end == NOWHERE)
            p->end = len;
        buf_put_byte(&p->text, ' ');
        p->word = len + 1;
        p->several = true;
    }
    p->gap = false;
    buf_put_view(&p->text, word);
}

static void put_word(struct address_parser *p, struct view word)
{
    if (p->in_angle)
        angle_word(p, word);
    else
        text_word(p, word);
}

static void put_at(struct address_parser *p)
{
    p->gap = false;
    if (p->in_angle) {
        p->angle_at = buf_len(&p->angle);
        buf_put_byte(&p->angle, '@');
        return;
    }
    if (p->had_angle)
        text_word(p, VIEW(""));
    if (p->at == NOWHERE || p->end != NOWHERE)
        p->local = p->word;
    p->at = buf_len(&p->text);
    p->end = NOWHERE;
    buf_put_byte(&p->text, '@');
}

/* Length of the text up to the unescaped byte close, or NOWHERE. v begins behind the opening byte; open != 0 nests. */
static size_t find_close(struct view v, uint8_t open, uint8_t close)
{
    size_t depth = 1;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '\\')
            i++;
        else if (v.ptr[i] == close && --depth == 0)
            return i;
        else if (open != 0 && v.ptr[i] == open)
            depth++;
    }
    return NOWHERE;
}

static void put_unescaped(struct buf *out, struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '\\' && i + 1 < v.len)
            i++;
        buf_put_byte(out, v.ptr[i]);
    }
}

static void take_quoted(struct address_parser *p)
{
    struct view rest = cursor_rest(&p->c);
    size_t n = p->no_quote ? NOWHERE : find_close(rest, 0, '"');
    if (n == NOWHERE) {
        p->no_quote = true;
        return;
    }
    put_word(p, VIEW("")); /* the blank before it */
    put_unescaped(p->in_angle ? &p->angle : &p->text, view_sub(rest, 0, n));
    if (!p->in_angle)
        p->several = true;
    cursor_skip(&p->c, n + 1);
}

static void take_comment(struct address_parser *p)
{
    struct view rest = cursor_rest(&p->c);
    size_t n = p->no_comment ? NOWHERE : find_close(rest, '(', ')');
    p->gap = true;
    if (n == NOWHERE) {
        p->no_comment = true;
        return;
    }
    buf_reset(&p->comment);
    put_unescaped(&p->comment, view_sub(rest, 0, n));
    cursor_skip(&p->c, n + 1);
}

/* A domain literal, "[" taken. */
static void take_bracket(struct address_parser *p)
{
    struct view rest = cursor_rest(&p->c);
    size_t n = p->no_bracket ? rest.len : view_find(rest, ']');
    if (n == rest.len) {
        p->no_bracket = true;
        put_word(p, VIEW("["));
        return;
    }
    put_word(p, view_make(rest.ptr - 1, n + 2));
    cursor_skip(&p->c, n + 1);
}

static void take_open(struct address_parser *p)
{
    if (p->in_angle)
        return;
    if (p->had_angle)
        address_finish(p);
    p->in_angle = p->had_angle = true;
    p->gap = false;
}

static void take_colon(struct address_parser *p)
{
    if (p->in_angle && last_byte(&p->angle) != 0 && buf_view(&p->angle).ptr[0] == '@' && p->route.ptr == NULL) {
        p->route = keep(p, buf_view(&p->angle));
        buf_reset(&p->angle);
        p->angle_at = NOWHERE;
    } else if (p->in_angle || p->had_angle || p->at != NOWHERE) {
        put_word(p, VIEW(":"));
    } else {
        group_begin(p);
    }
}

/* A "," in brackets separates the domains of a route (RFC 5322 4.4); elsewhere it ends the address, closed bracket or not. */
static void take_comma(struct address_parser *p)
{
    struct view angle = buf_view(&p->angle);
    if (p->in_angle && angle.len > 0 && angle.ptr[0] == '@' && p->route.ptr == NULL)
        put_word(p, VIEW(","));
    else
        address_finish(p);
}

/* Length of an encoded word at the front of v, or 0. */
static size_t encoded_word(struct view v)
{
    unsigned marks = 0;
    if (v.len < 2 || v.ptr[0] != '=' || v.ptr[1] != '?')
        return 0;
    for (size_t i = 2; i < v.len && i < ENCODED_WORD_MAX && v.ptr[i] != ' '; i++) {
        if (v.ptr[i] != '?')
            continue;
        if (marks >= 2 && i + 1 < v.len && v.ptr[i + 1] == '=')
            return i + 2;
        marks++;
    }
    return 0;
}

static bool is_special(uint8_t c)
{
    return c <= ' ' || memchr("()<>@,;:\"[", c, 10) != NULL;
}

static void take_atom(struct address_parser *p)
{
    struct view rest = cursor_rest(&p->c);
    size_t n = encoded_word(rest);
    if (n == 0) {
        n = 1;
        while (n < rest.len && !is_special(rest.ptr[n]))
            n++;
    }
    put_word(p, cursor_bytes(&p->c, n));
}

static void take_next(struct address_parser *p)
{
    int c = cursor_peek(&p->c);
    if (c < 0 || memchr("\"(<>,;:@[ \t", c, 11) == NULL) {
        take_atom(p);
        return;
    }
    cursor_skip(&p->c, 1);
    switch (c) {
    case '"':
        take_quoted(p);
        break;
    case '(':
        take_comment(p);
        break;
    case '<':
        take_open(p);
        break;
    case '>':
        p->in_angle = false;
        break;
    case ',':
        take_comma(p);
        break;
    case ';':
        address_finish(p);
        group_end(p);
        break;
    case ':':
        take_colon(p);
        break;
    case '@':
        put_at(p);
        break;
    case '[':
        take_bracket(p);
        break;
    default:
        p->gap = true;
        break;
    }
}

void address_list_parse(struct arena *a, struct view value, unsigned *left, struct address_vec *out)
{
    struct address_parser p = {.c = cursor_make(value), .arena = a, .out = out, .left = left};
    buf_init(&p.text, value.len * 2 + 16);
    buf_init(&p.angle, value.len * 2 + 16);
    buf_init(&p.comment, value.len + 16);
    address_reset(&p);
    while (cursor_left(&p.c) > 0 && !p.stopped)
        take_next(&p);
    if (!p.stopped)
        address_finish(&p);
    group_end(&p);
    buf_free(&p.text);
    buf_free(&p.angle);
    buf_free(&p.comment);
}
