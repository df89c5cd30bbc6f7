/*
 * A blob: message bytes or a digest as they lie in a file of the account, behind a header of 40 bytes, padded to 8.
 *
 *   offset  type      field
 *   0       u32       magic "CBLB"
 *   4       u8        kind (enum blob_kind)
 *   5       u8        codec (0: raw)
 *   6       u16       0
 *   8       u64       length of the data in octets
 *   16      u8[16]    content id: BLAKE2b-128 of a message's bytes (its EMAILID); zero for a digest
 *   32      u64       XXH3-64 of the data, seeded with the XXH3-64 of the 32 bytes above
 *
 * Little-endian. So a blob can be found, judged and rescued without anything that refers to it.
 */
#ifndef CULVER_STORAGE_BLOB_H
#define CULVER_STORAGE_BLOB_H

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "storage/content_id.h"

#define BLOB_HEADER_SIZE 40
#define BLOB_ID_SIZE CONTENT_ID_SIZE
#define BLOB_ALIGN 8

enum blob_kind { BLOB_MESSAGE = 1, BLOB_DIGEST = 2 };
enum blob_codec { BLOB_RAW = 0 };

struct blob_head {
    enum blob_kind kind;
    uint8_t codec;
    uint64_t len;
    uint8_t id[BLOB_ID_SIZE];
    uint64_t sum;
};

static inline uint64_t blob_padded(uint64_t len)
{
    return (len + BLOB_ALIGN - 1) / BLOB_ALIGN * BLOB_ALIGN;
}
/* What a blob with this many octets of data takes in a file. */
static inline uint64_t blob_space(uint64_t len)
{
    return BLOB_HEADER_SIZE + blob_padded(len);
}

/* id NULL: zero. */
void blob_head_make(enum blob_kind kind, const uint8_t *id, struct view data, uint8_t out[BLOB_HEADER_SIZE]);
/* ERR_CORRUPT: no blob header; ERR_UNSUPPORTED: a codec that this version does not know. */
MUST_CHECK int blob_head_parse(struct view bytes, struct blob_head *out);
/* ERR_CORRUPT when data (head->len octets) are not what was written. head_bytes: the 40 bytes of the header. */
MUST_CHECK int blob_check(const uint8_t head_bytes[BLOB_HEADER_SIZE], const struct blob_head *head, struct view data);

#endif
