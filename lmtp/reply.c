/* Answers: RFC 5321 4.2 with enhanced status codes (RFC 2034). */
#include "lmtp/lmtp_int.h"

void lmtp_reply(struct lmtp_conn *c, unsigned code, const char *enhanced, const char *text)
{
    struct buf *out = outq_buf(c->out);

    buf_put_dec(out, code);
    buf_put_byte(out, ' ');
    if (enhanced[0] != '\0') {
        buf_put_str(out, enhanced);
        buf_put_byte(out, ' ');
    }
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}

void lmtp_reply_more(struct lmtp_conn *c, const char *text)
{
    struct buf *out = outq_buf(c->out);

    buf_put_str(out, "250-");
    buf_put_str(out, text);
    buf_put_str(out, "\r\n");
}
