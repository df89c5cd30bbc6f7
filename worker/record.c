/*
 * Header: "CULVSESS", version (32 bits), zeros (32), length of the body (64), XXH3 of the body (64). Everything is little-endian.
 */
#include "worker/record.h"

#include <xxhash.h>

#include "common/ipc/proto.h"

#define MAGIC "CULVSESS"
#define FLAG_EOF 1
#define FLAG_CLOSING 2

void record_encode(struct buf *out, const struct record *r)
{
    struct buf body;

    buf_init(&body, RECORD_BODY_MAX);
    buf_put_u8(&body, (uint8_t)((r->eof ? FLAG_EOF : 0) | (r->closing ? FLAG_CLOSING : 0)));
    buf_put_u64(&body, r->sent);
    buf_put_u64(&body, r->received);
    buf_put_u64(&body, r->out_len);
    buf_put_view32(&body, r->in);
    buf_put_view32(&body, r->deflate);
    buf_put_view32(&body, r->detail);
    buf_put_view32(&body, r->session);
    buf_put(out, MAGIC, 8);
    buf_put_u32(out, RECORD_VERSION);
    buf_put_u32(out, 0);
    buf_put_u64(out, buf_len(&body));
    buf_put_u64(out, XXH3_64bits(buf_view(&body).ptr, buf_len(&body)));
    buf_put_view(out, buf_view(&body));
    out->failed = out->failed || !buf_ok(&body);
    buf_free(&body);
}

static int get_header(struct cursor *c, uint64_t *len, uint64_t *sum)
{
    uint32_t version;

    if (!cursor_take_view(c, VIEW(MAGIC)))
        return ERR_PROTO;
    version = cursor_u32(c);
    if (version != RECORD_VERSION)
        return c->failed ? ERR_PROTO : ERR_UNSUPPORTED;
    if (cursor_u32(c) != 0)
        return ERR_PROTO;
    *len = cursor_u64(c);
    *sum = cursor_u64(c);
    return c->failed || *len > RECORD_BODY_MAX ? ERR_PROTO : 0;
}

int record_decode(struct view file, struct record *r, uint64_t *out_off)
{
    struct cursor c = cursor_make(file);
    struct record got = {0};
    uint64_t len, sum;
    struct view body;
    uint8_t flags;
    int err = get_header(&c, &len, &sum);

    if (err != 0)
        return err;
    body = cursor_bytes(&c, (size_t)len);
    if (c.failed)
        return ERR_PROTO;
    if (XXH3_64bits(body.ptr, body.len) != sum)
        return ERR_CORRUPT;
    *out_off = RECORD_HEADER_SIZE + len;
    c = cursor_make(body);
    flags = cursor_u8(&c);
    got.eof = (flags & FLAG_EOF) != 0;
    got.closing = (flags & FLAG_CLOSING) != 0;
    got.sent = cursor_u64(&c);
    got.received = cursor_u64(&c);
    got.out_len = cursor_u64(&c);
    got.in = cursor_view32(&c, RECORD_BODY_MAX);
    got.deflate = cursor_view32(&c, RECORD_BODY_MAX);
    got.detail = cursor_view32(&c, PROTO_DETAIL_MAX);
    got.session = cursor_view32(&c, RECORD_BODY_MAX);
    if (!cursor_done(&c) || flags > (FLAG_EOF | FLAG_CLOSING) || got.out_len != file.len - *out_off)
        return ERR_PROTO;
    *r = got;
    return 0;
}
