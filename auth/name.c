/*
 * Normalisation happens once, before anything is looked up, so that two spellings cannot be two users (two workers on one store)
 * nor slip past a limit. The allowed characters are ASCII (the configuration's check sees to that, and so does char_allowed), so
 * no form of Unicode normalisation can make two names of one.
 */
#include "auth/name.h"

#include "common/text/text.h"

struct view auth_name_view(const struct auth_name *n)
{
    return view_make(n->text, n->len);
}

struct view auth_name_local(const struct auth_name *n)
{
    return view_make(n->text, n->at);
}

struct view auth_name_domain(const struct auth_name *n)
{
    return n->at < n->len ? view_make(n->text + n->at + 1, n->len - n->at - 1) : view_make(n->text, 0);
}

struct view auth_name_account(const struct set_auth *set, const struct auth_name *n)
{
    struct view domain = auth_name_domain(n);
    if (domain.len > 0 && view_eq_nocase(domain, view_str(set->auth_default_domain)))
        return auth_name_local(n);
    return auth_name_view(n);
}

bool auth_name_equal(const struct auth_name *a, const struct auth_name *b)
{
    return view_eq(auth_name_view(a), auth_name_view(b));
}

static bool char_allowed(uint8_t c, struct view chars)
{
    return c > 0x20 && c < 0x7f && view_find(chars, c) < chars.len;
}

int auth_name_normalise(const struct set_auth *set, struct view raw, struct auth_name *out)
{
    struct auth_name n = {.len = raw.len};
    struct view domain = view_str(set->auth_default_domain);
    if (raw.len == 0 || raw.len > PROTO_NAME_MAX)
        return ERR_SYNTAX;
    memcpy(n.text, raw.ptr, raw.len);
    if (domain.len > 0 && view_find(raw, '@') == raw.len) {
        if (raw.len + 1 + domain.len > PROTO_NAME_MAX)
            return ERR_SYNTAX;
        n.text[n.len++] = '@';
        memcpy(n.text + n.len, domain.ptr, domain.len);
        n.len += domain.len;
    }
    for (size_t i = 0; i < n.len; i++) {
        uint8_t c = (uint8_t)n.text[i];
        if (set->auth_lowercase)
            c = ascii_lower(c);
        /* The '@' of a default domain is ours, whatever the allowed characters say. */
        if (!char_allowed(c, view_str(set->auth_name_chars)) && !(c == '@' && i >= raw.len))
            return ERR_SYNTAX;
        n.text[i] = (char)c;
    }
    n.at = view_find(auth_name_view(&n), '@');
    domain = auth_name_domain(&n);
    if (n.at == 0 || (n.at < n.len && (domain.len == 0 || view_find(domain, '@') < domain.len)))
        return ERR_SYNTAX;
    *out = n;
    return 0;
}

/* The last '@' outside quotes, or len. */
static size_t address_at(struct view address)
{
    for (size_t i = address.len; i > 0; i--) {
        if (address.ptr[i - 1] == '@')
            return i - 1;
        if (address.ptr[i - 1] == '"')
            break;
    }
    return address.len;
}

/* Appends a local part without its quoting (RFC 5321 4.1.2: a quoted string means what it would mean without quotes). */
static int local_unquote(struct view local, struct buf *out)
{
    if (local.len == 0 || local.ptr[0] != '"') {
        buf_put_view(out, local);
        return 0;
    }
    if (local.len < 2 || local.ptr[local.len - 1] != '"')
        return ERR_SYNTAX;
    for (size_t i = 1; i + 1 < local.len; i++) {
        if (local.ptr[i] == '\\' && ++i + 1 >= local.len)
            return ERR_SYNTAX;
        /* An '@' that was quoted is part of the local part, and no user name can have that. */
        if (local.ptr[i] == '@')
            return ERR_SYNTAX;
        buf_put_byte(out, local.ptr[i]);
    }
    return 0;
}

/* Cuts the detail off a local part. ERR_SYNTAX: it could not be handed on. */
static int take_detail(const struct set_auth *set, struct buf *local, struct auth_detail *out)
{
    size_t cut = buf_len(local);
    struct view detail;
    *out = (struct auth_detail){.len = 0};
    if (set->recipient_delimiter[0] != '\0')
        cut = view_find(buf_view(local), (uint8_t)set->recipient_delimiter[0]);
    /* A name that begins with the delimiter has no user before it. */
    if (cut == 0 || cut >= buf_len(local))
        return 0;
    detail = view_sub(buf_view(local), cut + 1, buf_len(local));
    if (detail.len > PROTO_DETAIL_MAX)
        return ERR_SYNTAX;
    for (size_t i = 0; i < detail.len; i++) {
        if (detail.ptr[i] < 0x20 || detail.ptr[i] == 0x7f)
            return ERR_SYNTAX;
        out->text[out->len++] = (char)detail.ptr[i];
    }
    buf_truncate(local, cut);
    return 0;
}

/* local: without its quotes; domain: with its '@', or empty. */
static int name_of_parts(const struct set_auth *set, struct buf *local, struct view domain, struct auth_name *out,
                         struct auth_detail *detail_out)
{
    struct auth_detail detail;
    int err = take_detail(set, local, &detail);
    if (err != 0)
        return err;
    buf_put_view(local, domain);
    err = buf_ok(local) ? auth_name_normalise(set, buf_view(local), out) : ERR_SYNTAX;
    if (err == 0 && detail_out != NULL)
        *detail_out = detail;
    return err;
}

int auth_name_of_address(const struct set_auth *set, struct view address, struct auth_name *out, struct auth_detail *detail_out)
{
    struct buf local;
    size_t at = address_at(address);
    buf_init(&local, PROTO_ADDR_MAX);
    int err = local_unquote(view_sub(address, 0, at), &local);
    if (err == 0)
        err = name_of_parts(set, &local, view_sub(address, at, address.len), out, detail_out);
    buf_free(&local);
    return err;
}

int auth_name_of_login(const struct set_auth *set, struct view raw, struct auth_name *out, struct auth_detail *detail_out)
{
    struct buf local;
    size_t at = view_find(raw, '@');
    buf_init(&local, PROTO_ADDR_MAX);
    buf_put_view(&local, view_sub(raw, 0, at));
    int err = name_of_parts(set, &local, view_sub(raw, at, raw.len), out, detail_out);
    buf_free(&local);
    return err;
}
