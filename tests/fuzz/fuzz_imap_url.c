/* A URL from a client names a message or is refused: its mailbox is a name that storage could have, its numbers are in bounds. */
#include <stdlib.h>

#include "common/text/text.h"
#include "imap/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct view text, struct view selected, char separator)
{
    struct imap_pool pool;
    struct imap_url u, again;

    imap_pool_init(&pool, 1 << 20);
    if (imap_url_parse(text, selected, separator, &pool, &u) == 0) {
        if (u.uid == 0 || u.mailbox.len == 0 || memchr(u.mailbox.ptr, '\0', u.mailbox.len) != NULL || !utf8_valid(u.mailbox))
            abort();
        if ((u.section.partial && u.section.count == 0) || u.section.npart > IMAP_PART_DEPTH_MAX)
            abort();
        if (imap_url_parse(text, selected, separator, &pool, &again) == 0 && !view_eq(again.mailbox, u.mailbox))
            abort();
    }
    imap_pool_free(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = view_make(data, size);

    check(text, (struct view){NULL, 0}, '/');
    check(text, VIEW("a/b"), '/');
    check(text, VIEW("a/b"), '.');
    return 0;
}
