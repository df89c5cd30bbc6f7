/*
 * A user's name becomes part of a path here and nowhere else. Each value is checked by itself (so that two harmless parts cannot
 * join into "..") and the whole result again. An empty %d is refused too: "/mail/%d/%n" would put the user "example.org" without
 * a domain where all users of the domain example.org are.
 */
#include "auth/template.h"

static bool value_safe(struct view v)
{
    if (v.len == 0 || v.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '/' || v.ptr[i] < 0x20 || (v.ptr[i] == '.' && i + 1 < v.len && v.ptr[i + 1] == '.'))
            return false;
    }
    return true;
}

bool template_path_clean(struct view path)
{
    if (path.len < 2 || path.len > PROTO_PATH_MAX || path.ptr[0] != '/' || view_find(path, '\0') < path.len)
        return false;
    for (size_t i = 1; i <= path.len;) {
        struct view rest = view_sub(path, i, path.len);
        struct view part = view_sub(rest, 0, view_find(rest, '/'));
        bool last = part.len == rest.len;
        /* One '/' at the end is harmless. */
        if ((part.len == 0 && !last) || view_eq(part, VIEW(".")) || view_eq(part, VIEW("..")))
            return false;
        i += part.len + 1;
    }
    return true;
}

static int value_put(struct buf *out, struct view v)
{
    if (v.len == 0)
        return ERR_NOTFOUND;
    if (!value_safe(v))
        return ERR_DENIED;
    buf_put_view(out, v);
    return 0;
}

static int home_put(struct buf *out, struct view home)
{
    if (home.len == 0)
        return ERR_NOTFOUND;
    while (home.len > 1 && home.ptr[home.len - 1] == '/')
        home.len--;
    /* "/" as home is that of an account that has none. */
    if (!template_path_clean(home))
        return ERR_DENIED;
    buf_put_view(out, home);
    return 0;
}

static int code_put(struct buf *out, uint8_t code, const struct auth_name *name, struct view home)
{
    switch (code) {
    case 'u':
        return value_put(out, auth_name_view(name));
    case 'n':
        return value_put(out, auth_name_local(name));
    case 'd':
        return value_put(out, auth_name_domain(name));
    case 'h':
        return home_put(out, home);
    case '%':
        buf_put_byte(out, '%');
        return 0;
    default:
        return ERR_SYNTAX;
    }
}

int template_expand(struct view tmpl, const struct auth_name *name, struct view home, struct buf *out)
{
    size_t before = buf_len(out);
    int err = 0;
    size_t i = 0;
    if (view_eq(tmpl, VIEW("~")) || view_starts(tmpl, VIEW("~/"))) {
        err = home_put(out, home);
        i = 1;
    }
    for (; i < tmpl.len && err == 0; i++) {
        if (tmpl.ptr[i] != '%')
            buf_put_byte(out, tmpl.ptr[i]);
        else if (++i < tmpl.len)
            err = code_put(out, tmpl.ptr[i], name, home);
        else
            err = ERR_SYNTAX;
    }
    if (err == 0 && !buf_ok(out))
        err = ERR_LIMIT;
    if (err == 0 && !template_path_clean(view_sub(buf_view(out), before, buf_len(out))))
        err = ERR_DENIED;
    if (err != 0)
        buf_truncate(out, before);
    return err;
}
