#include "auth/smtp_line.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include "common/base/mem.h"
#include "common/text/text.h"

/* The next field, up to a TAB or the end. False: there is none. */
static bool field_next(struct view *rest, struct view *out)
{
    if (rest->ptr == NULL)
        return false;
    size_t tab = view_find(*rest, '\t');
    *out = view_sub(*rest, 0, tab);
    *rest = tab < rest->len ? view_sub(*rest, tab + 1, rest->len) : view_make(NULL, 0);
    return true;
}

static bool number(struct view v, uint32_t *out)
{
    struct cursor c = cursor_make(v);
    uint64_t n = cursor_dec(&c, 0, UINT32_MAX);
    if (!cursor_done(&c))
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool number_next(struct view *rest, uint32_t *out)
{
    struct view field;
    return field_next(rest, &field) && number(field, out);
}

/* No address at all where the text is none. */
static void address(struct view v, struct net_addr *out)
{
    char text[46];
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    *out = (struct net_addr){0};
    if (v.len >= sizeof(text) || view_find(v, '\0') < v.len)
        return;
    memcpy(text, v.ptr, v.len);
    text[v.len] = '\0';
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        net_addr_from_sockaddr(out, (const struct sockaddr *)&in);
    else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
        net_addr_from_sockaddr(out, (const struct sockaddr *)&in6);
}

static bool mechanism(struct view v, struct smtp_line *l)
{
    if (v.len == 0 || v.len > SMTP_MECH_MAX)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = ascii_upper(v.ptr[i]);
        if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
        l->mech[i] = (char)c;
    }
    return true;
}

static void parameter(struct view p, struct smtp_line *l)
{
    if (view_eq(p, VIEW("secured"))) {
        l->secured = true;
    } else if (view_eq(p, VIEW("no-penalty"))) {
        l->counted = false;
    } else if (view_starts(p, VIEW("rip="))) {
        l->has_peer = true;
        address(view_sub(p, 4, p.len), &l->peer);
    } else if (view_starts(p, VIEW("lip="))) {
        address(view_sub(p, 4, p.len), &l->local);
    } else if (view_starts(p, VIEW("resp="))) {
        /* Exim says "resp=" where its client said nothing; "=" is an empty message (RFC 4954 4). */
        l->data = view_sub(p, 5, p.len);
        l->has_data = l->data.len > 0;
        if (view_eq(l->data, VIEW("=")))
            l->data.len = 0;
    }
}

static bool parse_auth(struct view rest, struct smtp_line *l)
{
    struct view field;
    if (!number_next(&rest, &l->id) || !field_next(&rest, &field) || !mechanism(field, l))
        return false;
    l->counted = true;
    while (field_next(&rest, &field))
        parameter(field, l);
    return true;
}

static bool parse_cont(struct view rest, struct smtp_line *l)
{
    struct view field;
    if (!number_next(&rest, &l->id))
        return false;
    l->has_data = true;
    if (field_next(&rest, &field))
        l->data = field;
    return rest.ptr == NULL;
}

int smtp_line_parse(struct view line, struct smtp_line *out)
{
    struct smtp_line l = {.verb = SMTP_OTHER};
    struct view rest = line, word = view_make(NULL, 0);
    bool good = field_next(&rest, &word) && word.len > 0;
    if (view_eq(word, VIEW("VERSION"))) {
        l.verb = SMTP_VERSION;
        good = number_next(&rest, &l.major);
    } else if (view_eq(word, VIEW("AUTH"))) {
        l.verb = SMTP_AUTH;
        good = parse_auth(rest, &l);
    } else if (view_eq(word, VIEW("CONT"))) {
        l.verb = SMTP_CONT;
        good = parse_cont(rest, &l);
    } else if (view_eq(word, VIEW("CANCEL"))) {
        l.verb = SMTP_CANCEL;
        good = number_next(&rest, &l.id);
    }
    if (!good)
        return ERR_SYNTAX;
    *out = l;
    return 0;
}

void smtp_put_escaped(struct buf *out, struct view v)
{
    static const char plain[] = {'\0', '\001', '\t', '\r', '\n'}, escaped[] = {'0', '1', 't', 'r', 'n'};
    for (size_t i = 0; i < v.len; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(plain) && (uint8_t)plain[k] != v.ptr[i])
            k++;
        if (k < ARRAY_LEN(plain))
            buf_put_byte(out, '\001');
        buf_put_byte(out, k < ARRAY_LEN(plain) ? (uint8_t)escaped[k] : v.ptr[i]);
    }
}

int smtp_data_decode(struct view data, struct buf *out)
{
    int err = base64_decode(out, data);
    return err == 0 && !buf_ok(out) ? ERR_SYNTAX : err;
}
