/*
 * What the header of a delivered message says about the delivery itself: whether it has been here before (Delivered-To), goes in
 * circles (too many Received), or was delivered a moment ago (Message-ID).
 *
 * Duplicates are looked for in the mailbox itself, among its newest messages: nothing more has to be kept, and a message whose
 * first copy was not stored in the end is never taken for one. A copy that the user has moved away is not found.
 */
#include "worker/deliver.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "storage/mailbox_view.h"
#include "storage/message/digest.h"

/* Octets of the message that are looked at. */
#define HEADER_MAX ((size_t)256 * 1024)
/* RFC 5321 6.3: "at least 100". */
#define RECEIVED_MAX 100
/* Messages that are compared, newest first. */
#define DUPLICATE_MESSAGES 500

struct header {
    struct view delivered_to; /* of the prefix: what must not occur; empty: anything may */
    bool been_here;
    unsigned received;
    struct view message_id;
};

static bool look(void *arg, struct view name, struct view value, struct view whole)
{
    struct header *h = arg;

    (void)whole;
    value = view_trim(value);
    if (view_eq_nocase(name, VIEW("Received")))
        h->received++;
    else if (view_eq_nocase(name, VIEW("Delivered-To")))
        h->been_here = h->been_here || (h->delivered_to.len > 0 && view_eq_nocase(value, h->delivered_to));
    else if (view_eq_nocase(name, VIEW("Message-ID")) && h->message_id.len == 0)
        h->message_id = value;
    return true;
}

static int read_start(const struct delivery *d, uint8_t *mem, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(d->memfd, mem + done, size - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        done += (size_t)n;
    }
    return 0;
}

static void hash_id(uint8_t out[static DELIVERY_ID_SIZE], struct view message_id)
{
    (void)crypto_generichash(out, DELIVERY_ID_SIZE, message_id.ptr, message_id.len, NULL, 0);
}

/* "<a@b>" out of a field's value; empty: there is none. */
static struct view bare_id(struct view value)
{
    size_t open = view_find(value, '<'), close = view_find(value, '>');

    return open < close && close < value.len ? view_sub(value, open, close + 1 - open) : view_make(NULL, 0);
}

int delivery_read_header(struct delivery *d)
{
    size_t size = (size_t)MIN_OF(d->size, (uint64_t)HEADER_MAX);
    uint8_t *mem = xmalloc(size + 1);
    struct header h = {.delivered_to = view_trim(header_find(d->prefix, VIEW("Delivered-To")))};
    int err = read_start(d, mem, size);
    struct view id;

    if (err == 0) {
        header_each(view_make(mem, size), look, &h);
        id = bare_id(h.message_id);
        d->has_id = d->w->set->duplicate_window > 0 && id.len > 2;
        if (d->has_id)
            hash_id(d->id, id);
        if (h.been_here || h.received > RECEIVED_MAX)
            err = ERR_STATE;
    }
    free(mem);
    return err;
}

static bool same_id(const struct delivery *d, struct mailbox_view *v, uint32_t seq)
{
    uint8_t other[DELIVERY_ID_SIZE];
    struct digest digest;
    struct view bytes;
    bool same;

    if (mailbox_view_digest(v, seq, &bytes) != 0 || digest_decode(bytes, &digest) != 0)
        return false;
    hash_id(other, bare_id(digest.envelope.message_id));
    same = memcmp(other, d->id, sizeof(other)) == 0;
    digest_free(&digest);
    return same;
}

bool delivery_is_duplicate(const struct delivery *d, struct mailbox *m)
{
    struct mailbox_view *v = mailbox_view_open(d->w->acc, m, false);
    int64_t since = (int64_t)time(NULL) - (int64_t)(d->w->set->duplicate_window / 1000);
    uint32_t count = mailbox_view_count(v);
    bool found = false;
    struct msg_info info;

    for (uint32_t i = 0; i < MIN_OF(count, (uint32_t)DUPLICATE_MESSAGES) && !found; i++) {
        mailbox_view_info(v, count - i, &info);
        if (info.savedate < since)
            break;
        found = same_id(d, v, count - i);
    }
    mailbox_view_close(&v);
    return found;
}
