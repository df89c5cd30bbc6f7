/*
 * THREADID (RFC 8474 5.2) from what the message itself says: the first identifier of its References, which every reply passes on
 * and which is the conversation's first message; without any the one it answers; without that its own. So it needs no index that
 * could be lost or grow, is the same in every mailbox and after every import, and never changes. What is not seen is that
 * messages belong together of which only In-Reply-To tells, beyond the first answer.
 */
#include <sodium.h>

#include "storage/message/digest.h"

#define ID_MAX 4096 /* of an identifier that counts */

/* A message without identifiers is a thread of its own. The kinds are kept apart: nobody can name a message that has none. */
static void make(char kind, struct view root, uint8_t out[THREADID_SIZE])
{
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, THREADID_SIZE);
    crypto_generichash_update(&h, (const uint8_t *)&kind, 1);
    if (root.len > 0)
        crypto_generichash_update(&h, root.ptr, root.len);
    crypto_generichash_final(&h, out, THREADID_SIZE);
}

static bool from_identifier(struct view rest, uint8_t out[THREADID_SIZE])
{
    struct buf id;
    bool found;

    buf_init(&id, ID_MAX);
    found = message_id_next(&rest, &id) && buf_ok(&id);
    if (found)
        make('I', buf_view(&id), out);
    buf_free(&id);
    return found;
}

int digest_threadid(struct view bytes, const uint8_t *emailid, size_t emailid_len, uint8_t out[THREADID_SIZE])
{
    struct digest d;
    int err = digest_decode_summary(bytes, &d);

    if (err != 0 || from_identifier(d.references, out))
        return err;
    if (!from_identifier(d.envelope.message_id, out))
        make('M', view_make(emailid, emailid_len), out);
    return 0;
}
