#include "storage/blob.h"

#include <xxhash.h>

#include "common/log/log.h"

#define BLOB_MAGIC 0x424c4243u /* "CBLB" */
#define SUMMED_SIZE (BLOB_HEADER_SIZE - 8)

static uint64_t blob_sum(const uint8_t *head, struct view data)
{
    return XXH3_64bits_withSeed(data.ptr, data.len, XXH3_64bits(head, SUMMED_SIZE));
}

void blob_head_make(enum blob_kind kind, const uint8_t *id, struct view data, uint8_t out[BLOB_HEADER_SIZE])
{
    static const uint8_t no_id[BLOB_ID_SIZE];
    struct buf b;

    buf_init(&b, BLOB_HEADER_SIZE);
    buf_put_u32(&b, BLOB_MAGIC);
    buf_put_u8(&b, (uint8_t)kind);
    buf_put_u8(&b, BLOB_RAW);
    buf_put_u16(&b, 0);
    buf_put_u64(&b, data.len);
    buf_put(&b, id != NULL ? id : no_id, BLOB_ID_SIZE);
    buf_put_u64(&b, blob_sum(buf_view(&b).ptr, data));
    ASSERT(buf_ok(&b));
    memcpy(out, buf_view(&b).ptr, BLOB_HEADER_SIZE);
    buf_free(&b);
}

int blob_head_parse(struct view bytes, struct blob_head *out)
{
    struct cursor c = cursor_make(view_sub(bytes, 0, BLOB_HEADER_SIZE));
    struct blob_head head;
    struct view id;
    uint32_t magic = cursor_u32(&c);
    uint16_t zero;

    head.kind = (enum blob_kind)cursor_u8(&c);
    head.codec = cursor_u8(&c);
    zero = cursor_u16(&c);
    head.len = cursor_u64(&c);
    id = cursor_bytes(&c, BLOB_ID_SIZE);
    head.sum = cursor_u64(&c);
    if (!cursor_done(&c) || magic != BLOB_MAGIC || zero != 0 || (head.kind != BLOB_MESSAGE && head.kind != BLOB_DIGEST))
        return ERR_CORRUPT;
    if (head.codec != BLOB_RAW)
        return ERR_UNSUPPORTED;
    memcpy(head.id, id.ptr, BLOB_ID_SIZE);
    *out = head;
    return 0;
}

int blob_check(const uint8_t head_bytes[BLOB_HEADER_SIZE], const struct blob_head *head, struct view data)
{
    return data.len == head->len && blob_sum(head_bytes, data) == head->sum ? 0 : ERR_CORRUPT;
}
