/* The grammar of a passwd-file line. An extra field that limits who may log in (allow_nets, nologin) is never skipped. */
#include "auth/passwd_line.h"

#include <arpa/inet.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/text/text.h"

/* The bytes up to the next ':', which is taken too. */
static struct view field_next(struct view *rest)
{
    size_t n = view_find(*rest, ':');
    struct view field = view_sub(*rest, 0, n);
    *rest = view_sub(*rest, MIN_OF(n + 1, rest->len), rest->len);
    return field;
}

bool passwd_id_parse(struct view v, struct passwd_id *out)
{
    *out = (struct passwd_id){.given = v.len > 0, .text = v};
    if (v.len == 0 || v.ptr[0] < '0' || v.ptr[0] > '9')
        return true;
    struct cursor c = cursor_make(v);
    out->value = (uint32_t)cursor_dec(&c, 0, UINT32_MAX - 1);
    out->number = cursor_done(&c);
    return out->number;
}

bool passwd_format_parse(struct view v, enum user_format *out)
{
    static const char *const names[] = {
        [USER_FORMAT_GENERAL] = "", [USER_FORMAT_CULVER] = "culver", [USER_FORMAT_MAILDIR] = "maildir"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        *out = (enum user_format)i;
        if (view_eq_nocase(v, view_str(names[i])))
            return true;
    }
    return false;
}

bool passwd_sessions_parse(struct view v, uint32_t *out)
{
    struct cursor c = cursor_make(v);
    *out = (uint32_t)cursor_dec(&c, 1, PROTO_SESSIONS_MAX);
    return cursor_done(&c);
}

static bool quota_number(struct view v, bool storage, uint64_t *out)
{
    struct cursor c = cursor_make(v);
    uint64_t n = cursor_dec(&c, 0, INT64_MAX);
    unsigned shift = storage ? 10 : 0; /* a bare storage number counts KiB */
    switch (ascii_upper((uint8_t)MAX_OF(cursor_peek(&c), 0))) {
    case 'B':
        shift = 0;
        break;
    case 'K':
        shift = 10;
        break;
    case 'M':
        shift = 20;
        break;
    case 'G':
        shift = 30;
        break;
    case 'T':
        shift = 40;
        break;
    default:
        if (!cursor_done(&c))
            return false;
        *out = n << shift;
        return n <= (uint64_t)INT64_MAX >> shift;
    }
    cursor_skip(&c, 1);
    *out = n << shift;
    return cursor_done(&c) && n <= (uint64_t)INT64_MAX >> shift;
}

void passwd_quota_rule(struct view v, struct passwd_line *out)
{
    uint64_t n;
    if (!view_eq(field_next(&v), VIEW("*")))
        return;
    while (v.len > 0) {
        struct view part = field_next(&v);
        size_t eq = view_find(part, '=');
        struct view key = view_sub(part, 0, eq), value = view_sub(part, eq + 1, part.len);
        if (view_eq(key, VIEW("storage")) && quota_number(value, true, &n)) {
            out->has_quota_bytes = true;
            out->quota_bytes = n;
        } else if (view_eq(key, VIEW("bytes")) && quota_number(value, false, &n)) {
            out->has_quota_bytes = true;
            out->quota_bytes = n;
        } else if (view_eq(key, VIEW("messages")) && quota_number(value, false, &n)) {
            out->has_quota_messages = true;
            out->quota_messages = n;
        }
    }
}

static bool extra_field(struct view field, struct passwd_line *out)
{
    size_t eq = view_find(field, '=');
    struct view key = view_sub(field, 0, eq), value = view_sub(field, eq + 1, field.len);
    if (view_eq(key, VIEW("userdb_uid")))
        return passwd_id_parse(value, &out->uid);
    if (view_eq(key, VIEW("userdb_gid")))
        return passwd_id_parse(value, &out->gid);
    if (view_eq(key, VIEW("userdb_mail_format")))
        return passwd_format_parse(value, &out->format);
    if (view_eq(key, VIEW("userdb_sessions_max")))
        return passwd_sessions_parse(value, &out->sessions_max);
    if (view_eq(key, VIEW("userdb_sessions_per_address")))
        return passwd_sessions_parse(value, &out->sessions_per_address);
    if (view_eq(key, VIEW("userdb_home")))
        out->home = value;
    else if (view_eq(key, VIEW("userdb_mail")))
        out->mail = value;
    else if (view_eq(key, VIEW("userdb_quota_rule")))
        passwd_quota_rule(value, out);
    else if (view_eq(key, VIEW("userdb_capability_disable")))
        out->capability_disable = value;
    else if (view_eq(key, VIEW("nologin")))
        out->nologin = true;
    else if (view_eq(key, VIEW("alias")) || view_eq(key, VIEW("userdb_alias"))) {
        out->alias = value;
        out->nologin = true;
    } else if (view_eq(key, VIEW("allow_nets"))) {
        out->has_allow_nets = true;
        out->allow_nets = value;
    }
    return true;
}

static bool extra_fields(struct view rest, struct passwd_line *out)
{
    while (rest.len > 0) {
        size_t n = MIN_OF(view_find(rest, ' '), view_find(rest, '\t'));
        if (n > 0 && !extra_field(view_sub(rest, 0, n), out))
            return false;
        rest = view_sub(rest, MIN_OF(n + 1, rest.len), rest.len);
    }
    return true;
}

enum passwd_line_kind passwd_line_parse(struct view line, struct passwd_line *out, const char **why_out)
{
    struct passwd_line l = {0};
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (view_trim(line).len == 0 || line.ptr[0] == '#')
        return PASSWD_LINE_EMPTY;
    *why_out = NULL;
    if (line.len > PASSWD_LINE_MAX)
        *why_out = "the line is too long";
    else if (view_find(line, '\0') < line.len)
        *why_out = "there is a NUL in it";
    if (*why_out != NULL)
        return PASSWD_LINE_BROKEN;
    struct view rest = line;
    l.user = field_next(&rest);
    l.password = field_next(&rest);
    struct view uid = field_next(&rest), gid = field_next(&rest);
    field_next(&rest); /* gecos */
    l.home = field_next(&rest);
    field_next(&rest); /* shell */
    if (l.user.len == 0 || l.user.len > PROTO_NAME_MAX)
        *why_out = "no usable user name";
    else if (!passwd_id_parse(uid, &l.uid) || !passwd_id_parse(gid, &l.gid))
        *why_out = "uid or gid is not a number";
    else if (!extra_fields(rest, &l))
        *why_out = "userdb_uid, userdb_gid, userdb_mail_format or a number of sessions cannot be read";
    else if (l.home.len > 0 && l.home.ptr[0] != '/')
        *why_out = "the home folder is not an absolute path";
    if (*why_out != NULL)
        return PASSWD_LINE_BROKEN;
    *out = l;
    return PASSWD_LINE_USER;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, left = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> left);
    if (whole > 0 && memcmp(a, b, whole) != 0)
        return false;
    return left == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

static bool net_match(struct view net, const struct net_addr *peer)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t ip[16];
    size_t slash = view_find(net, '/');
    if (view_eq(net, VIEW("local")))
        return peer->family == 0;
    if (slash == 0 || slash >= sizeof(text))
        return false;
    memcpy(text, net.ptr, slash);
    text[slash] = '\0';
    unsigned family = inet_pton(AF_INET, text, ip) == 1 ? 4 : inet_pton(AF_INET6, text, ip) == 1 ? 6 : 0;
    unsigned bits = family == 4 ? 32 : 128;
    if (slash < net.len) {
        struct cursor c = cursor_make(view_sub(net, slash + 1, net.len));
        bits = (unsigned)cursor_dec(&c, 0, bits);
        if (!cursor_done(&c))
            return false;
    }
    return family != 0 && family == peer->family && bits_equal(ip, peer->ip, bits);
}

bool passwd_nets_match(struct view nets, const struct net_addr *peer)
{
    while (nets.len > 0) {
        size_t n = view_find(nets, ',');
        if (net_match(view_trim(view_sub(nets, 0, n)), peer))
            return true;
        nets = view_sub(nets, MIN_OF(n + 1, nets.len), nets.len);
    }
    return false;
}
