/* The hand-over of a client to its worker, and deliveries. */
#include "common/ipc/proto_int.h"

void msg_user_encode(struct buf *out, const struct msg_user *m)
{
    field_put_user(out, &m->user);
}

int msg_user_decode(struct view body, struct msg_user *out)
{
    struct cursor c = cursor_make(body);
    struct msg_user m = {0};
    m.user = field_get_user(&c);
    FIELD_END(&c, m, out);
}

void msg_take_encode(struct buf *out, const struct msg_take *m)
{
    field_put_bool(out, m->tls);
    field_put_view(out, m->tls_info, FIELD_TEXT, 0, 128);
    field_put_view(out, m->tag, FIELD_TEXT, 0, PROTO_TAG_MAX);
    field_put_view(out, m->input, FIELD_BYTES, 0, PROTO_INPUT_MAX);
    field_put_view(out, m->final, FIELD_BYTES, 0, PROTO_TEXT_MAX);
}

int msg_take_decode(struct view body, struct msg_take *out)
{
    struct cursor c = cursor_make(body);
    struct msg_take m = {0};
    m.tls = field_get_bool(&c);
    m.tls_info = field_get_view(&c, FIELD_TEXT, 0, 128);
    m.tag = field_get_view(&c, FIELD_TEXT, 0, PROTO_TAG_MAX);
    m.input = field_get_view(&c, FIELD_BYTES, 0, PROTO_INPUT_MAX);
    m.final = field_get_view(&c, FIELD_BYTES, 0, PROTO_TEXT_MAX);
    FIELD_END(&c, m, out);
}

void msg_take_fail_encode(struct buf *out, const struct msg_take_fail *m)
{
    field_put_enum(out, m->code, TAKE_FAIL_NO_GRANT, TAKE_FAIL_SHUTDOWN);
    field_put_view(out, m->text, FIELD_TEXT, 0, PROTO_TEXT_MAX);
}

int msg_take_fail_decode(struct view body, struct msg_take_fail *out)
{
    struct cursor c = cursor_make(body);
    struct msg_take_fail m = {0};
    m.code = (enum take_fail)field_get_enum(&c, TAKE_FAIL_NO_GRANT, TAKE_FAIL_SHUTDOWN);
    m.text = field_get_view(&c, FIELD_TEXT, 0, PROTO_TEXT_MAX);
    FIELD_END(&c, m, out);
}

void msg_session_encode(struct buf *out, const struct msg_session *m)
{
    field_put_id64(out, m->session_id);
    field_put_enum(out, m->protocol, PROTO_IMAP, PROTO_LMTP);
    field_put_addr(out, &m->peer);
    field_put_addr(out, &m->local);
    field_put_bool(out, m->tls);
    field_put_view(out, m->tag, FIELD_TEXT, 0, PROTO_TAG_MAX);
    field_put_view(out, m->input, FIELD_BYTES, 0, PROTO_INPUT_MAX);
    field_put_view(out, m->final, FIELD_BYTES, 0, PROTO_TEXT_MAX);
    field_put_view(out, m->detail, FIELD_TEXT, 0, PROTO_DETAIL_MAX);
    field_put_bool(out, m->admin);
}

int msg_session_decode(struct view body, struct msg_session *out)
{
    struct cursor c = cursor_make(body);
    struct msg_session m = {0};
    m.session_id = field_get_id64(&c);
    m.protocol = (enum proto_protocol)field_get_enum(&c, PROTO_IMAP, PROTO_LMTP);
    m.peer = field_get_addr(&c);
    m.local = field_get_addr(&c);
    m.tls = field_get_bool(&c);
    m.tag = field_get_view(&c, FIELD_TEXT, 0, PROTO_TAG_MAX);
    m.input = field_get_view(&c, FIELD_BYTES, 0, PROTO_INPUT_MAX);
    m.final = field_get_view(&c, FIELD_BYTES, 0, PROTO_TEXT_MAX);
    m.detail = field_get_view(&c, FIELD_TEXT, 0, PROTO_DETAIL_MAX);
    m.admin = field_get_bool(&c);
    FIELD_END(&c, m, out);
}

static bool size_allowed(uint64_t size)
{
    return size > 0 && size <= PROTO_FROZEN_MAX;
}

void msg_frozen_encode(struct buf *out, const struct msg_frozen *m)
{
    if (!size_allowed(m->size))
        out->failed = true;
    field_put_id64(out, m->session_id);
    buf_put_u64(out, m->size);
    field_put_bool(out, m->quiet);
}

int msg_frozen_decode(struct view body, struct msg_frozen *out)
{
    struct cursor c = cursor_make(body);
    struct msg_frozen m = {0};
    m.session_id = field_get_id64(&c);
    m.size = cursor_u64(&c);
    m.quiet = field_get_bool(&c);
    if (!size_allowed(m.size))
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}

void msg_thaw_encode(struct buf *out, const struct msg_thaw *m)
{
    if (!size_allowed(m->size))
        out->failed = true;
    field_put_id64(out, m->session_id);
    field_put_enum(out, m->protocol, PROTO_IMAP, PROTO_POP3);
    field_put_addr(out, &m->peer);
    field_put_addr(out, &m->local);
    field_put_bool(out, m->tls);
    field_put_bool(out, m->admin);
    buf_put_u64(out, m->size);
    field_put_bool(out, m->quiet);
}

int msg_thaw_decode(struct view body, struct msg_thaw *out)
{
    struct cursor c = cursor_make(body);
    struct msg_thaw m = {0};
    m.session_id = field_get_id64(&c);
    m.protocol = (enum proto_protocol)field_get_enum(&c, PROTO_IMAP, PROTO_POP3);
    m.peer = field_get_addr(&c);
    m.local = field_get_addr(&c);
    m.tls = field_get_bool(&c);
    m.admin = field_get_bool(&c);
    m.size = cursor_u64(&c);
    m.quiet = field_get_bool(&c);
    if (!size_allowed(m.size))
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}

void msg_deliver_encode(struct buf *out, const struct msg_deliver *m)
{
    buf_put_u64(out, m->session_id);
    field_put_id32(out, m->rcpt_id);
    buf_put_u64(out, m->size);
    field_put_view(out, m->sender, FIELD_TEXT, 0, PROTO_ADDR_MAX);
    field_put_view(out, m->prefix, FIELD_NO_NUL, 0, PROTO_PREFIX_MAX);
    field_put_view(out, m->detail, FIELD_TEXT, 0, PROTO_DETAIL_MAX);
}

int msg_deliver_decode(struct view body, struct msg_deliver *out)
{
    struct cursor c = cursor_make(body);
    struct msg_deliver m = {0};
    m.session_id = cursor_u64(&c);
    m.rcpt_id = field_get_id32(&c);
    m.size = cursor_u64(&c);
    m.sender = field_get_view(&c, FIELD_TEXT, 0, PROTO_ADDR_MAX);
    m.prefix = field_get_view(&c, FIELD_NO_NUL, 0, PROTO_PREFIX_MAX);
    m.detail = field_get_view(&c, FIELD_TEXT, 0, PROTO_DETAIL_MAX);
    FIELD_END(&c, m, out);
}

static bool code_allowed(uint16_t code)
{
    return code >= 200 && code <= 599;
}

void msg_delivered_encode(struct buf *out, const struct msg_delivered *m)
{
    if (!code_allowed(m->code))
        out->failed = true;
    buf_put_u16(out, m->code);
    field_put_view(out, m->enhanced, FIELD_TEXT, 0, 16);
    field_put_view(out, m->text, FIELD_TEXT, 0, PROTO_TEXT_MAX);
}

int msg_delivered_decode(struct view body, struct msg_delivered *out)
{
    struct cursor c = cursor_make(body);
    struct msg_delivered m = {0};
    m.code = cursor_u16(&c);
    m.enhanced = field_get_view(&c, FIELD_TEXT, 0, 16);
    m.text = field_get_view(&c, FIELD_TEXT, 0, PROTO_TEXT_MAX);
    if (!code_allowed(m.code))
        cursor_fail(&c);
    FIELD_END(&c, m, out);
}
