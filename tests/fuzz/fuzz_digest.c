/* Any bytes as a digest: refused, or a tree with parents before children within which nothing overlaps. */
#include <stdio.h>

#include "tests/unit/storage/message_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct digest d, summary;
    const char *why = NULL;
    int err = digest_decode(view_make(data, size), &d);
    int summary_err = digest_decode_summary(view_make(data, size), &summary);
    if (err != 0)
        return 0;
    if (summary_err != 0 || summary.sent_date != d.sent_date)
        why = "the summary differs";
    for (size_t i = 0; i < d.mime.nparts && why == NULL; i++) {
        why = check_children(&d.mime, i);
        if (i > 0 && d.mime.parts[i].parent >= i)
            why = "parent behind child";
    }
    if (why != NULL) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    digest_free(&d);
    return 0;
}
