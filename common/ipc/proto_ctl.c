/* The control socket. */
#include "common/ipc/proto_int.h"

void msg_ctl_request_encode(struct buf *out, const struct msg_ctl_request *m)
{
    field_put_enum(out, m->verb, CTL_STATUS, CTL_UPGRADE);
    field_put_view(out, m->argument, FIELD_TEXT, 0, PROTO_NAME_MAX);
}

int msg_ctl_request_decode(struct view body, struct msg_ctl_request *out)
{
    struct cursor c = cursor_make(body);
    struct msg_ctl_request m = {0};
    m.verb = (enum ctl_verb)field_get_enum(&c, CTL_STATUS, CTL_UPGRADE);
    m.argument = field_get_view(&c, FIELD_TEXT, 0, PROTO_NAME_MAX);
    FIELD_END(&c, m, out);
}

void msg_ctl_line_encode(struct buf *out, const struct msg_ctl_line *m)
{
    field_put_view(out, m->text, FIELD_NO_NUL, 0, PROTO_LINE_MAX);
}

int msg_ctl_line_decode(struct view body, struct msg_ctl_line *out)
{
    struct cursor c = cursor_make(body);
    struct msg_ctl_line m = {0};
    m.text = field_get_view(&c, FIELD_NO_NUL, 0, PROTO_LINE_MAX);
    FIELD_END(&c, m, out);
}

void msg_ctl_end_encode(struct buf *out, const struct msg_ctl_end *m)
{
    buf_put_u8(out, m->status);
}

int msg_ctl_end_decode(struct view body, struct msg_ctl_end *out)
{
    struct cursor c = cursor_make(body);
    struct msg_ctl_end m = {0};
    m.status = cursor_u8(&c);
    FIELD_END(&c, m, out);
}
