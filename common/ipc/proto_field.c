#include "common/ipc/proto_int.h"

static bool byte_allowed(uint8_t c, enum field_form form)
{
    switch (form) {
    case FIELD_BYTES:
        return true;
    case FIELD_NO_NUL:
        return c != 0;
    case FIELD_TEXT:
    case FIELD_PATH:
        return c >= 0x20 && c != 0x7f;
    case FIELD_WORD:
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    return false;
}

static bool view_allowed(struct view v, enum field_form form, size_t min, size_t max)
{
    if (v.len < min || v.len > max)
        return false;
    if (form == FIELD_PATH && v.len > 0 && v.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < v.len; i++) {
        if (!byte_allowed(v.ptr[i], form))
            return false;
    }
    return true;
}

void field_put_view(struct buf *out, struct view v, enum field_form form, size_t min, size_t max)
{
    if (!view_allowed(v, form, min, max))
        out->failed = true;
    else
        buf_put_view16(out, v);
}

struct view field_get_view(struct cursor *c, enum field_form form, size_t min, size_t max)
{
    struct view v = cursor_view16(c, max);
    if (!view_allowed(v, form, min, max))
        cursor_fail(c);
    return v;
}

void field_put_bool(struct buf *out, bool b)
{
    buf_put_u8(out, b ? 1 : 0);
}

bool field_get_bool(struct cursor *c)
{
    return field_get_enum(c, 0, 1) == 1;
}

void field_put_enum(struct buf *out, unsigned value, unsigned min, unsigned max)
{
    if (value < min || value > max)
        out->failed = true;
    else
        buf_put_u8(out, (uint8_t)value);
}

unsigned field_get_enum(struct cursor *c, unsigned min, unsigned max)
{
    unsigned value = cursor_u8(c);
    if (value < min || value > max)
        cursor_fail(c);
    return value;
}

void field_put_id64(struct buf *out, uint64_t id)
{
    if (id == 0)
        out->failed = true;
    else
        buf_put_u64(out, id);
}

uint64_t field_get_id64(struct cursor *c)
{
    uint64_t id = cursor_u64(c);
    if (id == 0)
        cursor_fail(c);
    return id;
}

void field_put_id32(struct buf *out, uint32_t id)
{
    if (id == 0)
        out->failed = true;
    else
        buf_put_u32(out, id);
}

uint32_t field_get_id32(struct cursor *c)
{
    uint32_t id = cursor_u32(c);
    if (id == 0)
        cursor_fail(c);
    return id;
}

/* Bytes that the family does not use are zero, so that equal addresses have equal encodings. */
static bool addr_allowed(const struct net_addr *a)
{
    size_t used = a->family == 6 ? 16 : (a->family == 4 ? 4 : 0);
    if (a->family != 0 && used == 0)
        return false;
    for (size_t i = used; i < sizeof(a->ip); i++) {
        if (a->ip[i] != 0)
            return false;
    }
    return a->family != 0 || a->port == 0;
}

void field_put_addr(struct buf *out, const struct net_addr *a)
{
    if (!addr_allowed(a)) {
        out->failed = true;
        return;
    }
    buf_put_u8(out, a->family);
    buf_put(out, a->ip, sizeof(a->ip));
    buf_put_u16(out, a->port);
}

struct net_addr field_get_addr(struct cursor *c)
{
    struct net_addr a = {.family = cursor_u8(c)};
    struct view ip = cursor_bytes(c, sizeof(a.ip));
    if (ip.len == sizeof(a.ip))
        memcpy(a.ip, ip.ptr, sizeof(a.ip));
    a.port = cursor_u16(c);
    if (!addr_allowed(&a))
        cursor_fail(c);
    return a;
}

void field_put_user(struct buf *out, const struct user_record *u)
{
    if ((u->virtual_uid && (u->uid != 0 || u->gid != 0)) || u->sessions_max > PROTO_SESSIONS_MAX ||
        u->sessions_per_address > PROTO_SESSIONS_MAX)
        out->failed = true;
    field_put_view(out, u->name, FIELD_TEXT, 1, PROTO_NAME_MAX);
    field_put_bool(out, u->virtual_uid);
    buf_put_u32(out, u->uid);
    buf_put_u32(out, u->gid);
    field_put_view(out, u->home, FIELD_PATH, 0, PROTO_PATH_MAX);
    field_put_view(out, u->mail_path, FIELD_PATH, 1, PROTO_PATH_MAX);
    field_put_enum(out, u->format, USER_FORMAT_GENERAL, USER_FORMAT_MAILDIR);
    buf_put_u32(out, u->sessions_max);
    buf_put_u32(out, u->sessions_per_address);
    buf_put_u64(out, u->quota_bytes);
    buf_put_u64(out, u->quota_messages);
    field_put_view(out, u->capability_disable, FIELD_TEXT, 0, PROTO_CAPS_MAX);
}

struct user_record field_get_user(struct cursor *c)
{
    struct user_record u = {0};
    u.name = field_get_view(c, FIELD_TEXT, 1, PROTO_NAME_MAX);
    u.virtual_uid = field_get_bool(c);
    u.uid = cursor_u32(c);
    u.gid = cursor_u32(c);
    u.home = field_get_view(c, FIELD_PATH, 0, PROTO_PATH_MAX);
    u.mail_path = field_get_view(c, FIELD_PATH, 1, PROTO_PATH_MAX);
    u.format = (enum user_format)field_get_enum(c, USER_FORMAT_GENERAL, USER_FORMAT_MAILDIR);
    u.sessions_max = cursor_u32(c);
    u.sessions_per_address = cursor_u32(c);
    u.quota_bytes = cursor_u64(c);
    u.quota_messages = cursor_u64(c);
    u.capability_disable = field_get_view(c, FIELD_TEXT, 0, PROTO_CAPS_MAX);
    if ((u.virtual_uid && (u.uid != 0 || u.gid != 0)) || u.sessions_max > PROTO_SESSIONS_MAX ||
        u.sessions_per_address > PROTO_SESSIONS_MAX)
        cursor_fail(c);
    return u;
}
