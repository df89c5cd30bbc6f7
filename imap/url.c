/*
 * What is read (RFC 5092 11, a relative URL of the forms that name a message):
 *
 *   ["/"] mailbox [";UIDVALIDITY=" n] "/;UID=" n ["/;SECTION=" section] ["/;PARTIAL=" offset ["." length]]
 *   ";UID=" n ["/;SECTION=" …] ["/;PARTIAL=" …]                       of the selected mailbox
 *
 * Names are UTF-8 in percent encoding, whatever the session's names are otherwise (RFC 5092 8).
 */
#include "imap/url.h"

#include "common/text/text.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent encoding undone, in the pool; ptr NULL: malformed, a NUL, or the pool is full. */
static struct view decode(struct imap_pool *pool, struct view v)
{
    uint8_t *to = imap_pool_alloc(pool, v.len + 1);
    struct cursor c = cursor_make(v);
    size_t n = 0;

    while (to != NULL && cursor_left(&c) > 0) {
        to[n] = cursor_byte(&c);
        if (to[n] == '%') {
            int hi = hex_digit(cursor_byte(&c)), lo = hex_digit(cursor_byte(&c));

            if (c.failed || hi < 0 || lo < 0)
                return (struct view){NULL, 0};
            to[n] = (uint8_t)(hi * 16 + lo);
        }
        if (to[n++] == '\0')
            return (struct view){NULL, 0};
    }
    return view_make(to, to == NULL ? 0 : n);
}

static struct view until(struct cursor *c, uint8_t byte)
{
    struct view rest = cursor_rest(c);

    return cursor_bytes(c, view_find(rest, byte));
}

/* The path of the base URL up to its last slash (RFC 3986 5.2.3): a relative path goes behind it. */
static struct view base_of(struct view selected, char separator)
{
    size_t n = separator == '/' ? selected.len : 0;

    while (n > 0 && selected.ptr[n - 1] != '/')
        n--;
    return view_sub(selected, 0, n);
}

/* The client's name in storage form. */
static int read_name(struct view encoded, struct view selected, char separator, struct imap_pool *pool, struct view *out)
{
    bool absolute = encoded.ptr[0] == '/';
    struct view base = absolute ? (struct view){NULL, 0} : base_of(selected, separator);
    struct view name;
    uint8_t *whole;

    if (absolute)
        encoded = view_sub(encoded, 1, encoded.len);
    /* "//server" and "scheme:" begin URLs of other places. */
    if (encoded.len == 0 || encoded.ptr[0] == '/' || (!absolute && view_find(encoded, ':') < view_find(encoded, '/')))
        return ERR_SYNTAX;
    name = decode(pool, encoded);
    if (name.ptr == NULL || !utf8_valid(name))
        return ERR_SYNTAX;
    whole = imap_pool_alloc(pool, base.len + name.len + 1);
    if (whole == NULL)
        return ERR_SYNTAX;
    if (base.len > 0)
        memcpy(whole, base.ptr, base.len);
    for (size_t i = 0; i < name.len; i++)
        whole[base.len + i] = separator != '.' ? name.ptr[i] : name.ptr[i] == '.' ? '/' : name.ptr[i] == '/' ? '.' : name.ptr[i];
    *out = view_make(whole, base.len + name.len);
    if (view_starts_nocase(*out, VIEW("INBOX")) && (out->len == 5 || out->ptr[5] == '/'))
        memcpy(whole, "INBOX", 5);
    return 0;
}

static int read_section(struct view encoded, struct imap_pool *pool, struct imap_fetch_item *out)
{
    struct view text = decode(pool, encoded);
    struct imap_parse p;

    if (text.ptr == NULL || text.len == 0)
        return ERR_SYNTAX;
    imap_parse_init(&p, text, pool);
    imap_section_parse(&p, out);
    return imap_parse_ok(&p) ? 0 : ERR_SYNTAX;
}

/* ";UID=" and what may follow. */
static int read_message(struct cursor *c, struct imap_pool *pool, struct imap_url *out)
{
    int err = 0;

    out->section = (struct imap_fetch_item){.op = FETCH_SECTION};
    if (!cursor_take_nocase(c, VIEW(";UID=")))
        return ERR_SYNTAX;
    out->uid = (uint32_t)cursor_dec(c, 1, UINT32_MAX);
    if (cursor_take_nocase(c, VIEW("/;SECTION="))) {
        struct view section = until(c, ';');

        if (cursor_left(c) > 0 && section.len > 0) { /* its end is the slash before the semicolon */
            section.len--;
            c->cur--;
        }
        err = read_section(section, pool, &out->section);
    }
    if (err == 0 && cursor_take_nocase(c, VIEW("/;PARTIAL="))) {
        out->section.partial = true;
        out->section.from = cursor_dec(c, 0, INT64_MAX);
        out->section.count = cursor_take(c, '.') ? cursor_dec(c, 1, INT64_MAX) : UINT64_MAX;
    }
    return err != 0 || cursor_done(c) ? err : ERR_SYNTAX;
}

int imap_url_parse(struct view text, struct view selected, char separator, struct imap_pool *pool, struct imap_url *out)
{
    struct cursor c = cursor_make(text);
    struct view name = until(&c, ';');
    int err;

    *out = (struct imap_url){.mailbox = selected};
    if (name.len == 0)
        return selected.len == 0 ? ERR_SYNTAX : read_message(&c, pool, out);
    if (cursor_take_nocase(&c, VIEW(";UIDVALIDITY="))) {
        out->uidvalidity = (uint32_t)cursor_dec(&c, 1, UINT32_MAX);
        cursor_expect(&c, '/');
    } else if (name.ptr[--name.len] != '/')
        return ERR_SYNTAX;
    if (c.failed || name.len == 0)
        return ERR_SYNTAX;
    err = read_name(name, selected, separator, pool, &out->mailbox);
    return err != 0 ? err : read_message(&c, pool, out);
}
