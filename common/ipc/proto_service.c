/* The start of a service and what master tells it later. */
#include "common/ipc/proto_int.h"
#include "common/log/log.h"

void msg_config_encode(struct buf *out, const struct msg_config *m)
{
    if (m->version != PROTO_VERSION)
        out->failed = true;
    buf_put_u32(out, m->version);
    field_put_bool(out, m->rootless);
    buf_put_u32(out, m->uid);
    buf_put_u32(out, m->gid);
    buf_put_u64(out, m->generation);
    field_put_enum(out, m->log_sink, LOG_SINK_STREAM, LOG_SINK_SYSLOG);
    field_put_enum(out, m->log_level, LOG_LVL_DEBUG, LOG_LVL_FATAL);
    field_put_view(out, m->chroot_dir, FIELD_PATH, 0, PROTO_PATH_MAX);
}

int msg_config_decode(struct view body, struct msg_config *out)
{
    struct cursor c = cursor_make(body);
    struct msg_config m = {0};
    m.version = cursor_u32(&c);
    m.rootless = field_get_bool(&c);
    m.uid = cursor_u32(&c);
    m.gid = cursor_u32(&c);
    m.generation = cursor_u64(&c);
    m.log_sink = (uint8_t)field_get_enum(&c, LOG_SINK_STREAM, LOG_SINK_SYSLOG);
    m.log_level = (uint8_t)field_get_enum(&c, LOG_LVL_DEBUG, LOG_LVL_FATAL);
    m.chroot_dir = field_get_view(&c, FIELD_PATH, 0, PROTO_PATH_MAX);
    if (m.version != PROTO_VERSION)
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}

void msg_peer_encode(struct buf *out, const struct msg_peer *m)
{
    field_put_enum(out, m->role, 0, ROLE_COUNT - 1);
    buf_put_u32(out, m->instance);
}

int msg_peer_decode(struct view body, struct msg_peer *out)
{
    struct cursor c = cursor_make(body);
    struct msg_peer m = {0};
    m.role = (enum ipc_role)field_get_enum(&c, 0, ROLE_COUNT - 1);
    m.instance = cursor_u32(&c);
    FIELD_END(&c, m, out);
}

void msg_listener_encode(struct buf *out, const struct msg_listener *m)
{
    buf_put_u32(out, m->index);
    field_put_enum(out, m->protocol, PROTO_IMAP, PROTO_SMTP);
    field_put_enum(out, m->tls, LISTENER_TLS_NONE, LISTENER_TLS_IMPLICIT);
    field_put_bool(out, m->proxy);
    field_put_addr(out, &m->local);
    field_put_view(out, m->name, FIELD_TEXT, 0, 64);
}

int msg_listener_decode(struct view body, struct msg_listener *out)
{
    struct cursor c = cursor_make(body);
    struct msg_listener m = {0};
    m.index = cursor_u32(&c);
    m.protocol = (enum proto_protocol)field_get_enum(&c, PROTO_IMAP, PROTO_SMTP);
    m.tls = (enum listener_tls)field_get_enum(&c, LISTENER_TLS_NONE, LISTENER_TLS_IMPLICIT);
    m.proxy = field_get_bool(&c);
    m.local = field_get_addr(&c);
    m.name = field_get_view(&c, FIELD_TEXT, 0, 64);
    FIELD_END(&c, m, out);
}

void msg_cert_encode(struct buf *out, const struct msg_cert *m)
{
    buf_put_u32(out, m->index);
    field_put_view(out, m->name, FIELD_TEXT, 0, 255);
}

int msg_cert_decode(struct view body, struct msg_cert *out)
{
    struct cursor c = cursor_make(body);
    struct msg_cert m = {0};
    m.index = cursor_u32(&c);
    m.name = field_get_view(&c, FIELD_TEXT, 0, 255);
    FIELD_END(&c, m, out);
}

void msg_id_encode(struct buf *out, const struct msg_id *m)
{
    buf_put_u64(out, m->id);
}

int msg_id_decode(struct view body, struct msg_id *out)
{
    struct cursor c = cursor_make(body);
    struct msg_id m = {0};
    m.id = cursor_u64(&c);
    FIELD_END(&c, m, out);
}
