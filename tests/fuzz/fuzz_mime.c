/* Any bytes as a message: a tree whose parts lie within it, and a digest that gives the same back. The first bytes choose limits.
 */
#include <stdio.h>

#include "tests/unit/storage/message_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_limits limits = message_limits_default;
    if (size < 1)
        return 0;
    if ((data[0] & 1) != 0)
        limits =
            (struct message_limits){.depth = 2, .parts = 5, .params = 2, .addresses = 1000, .header_kept = 400, .boundary = 8};
    const char *why = check_message(view_make(data + 1, size - 1), &limits, NULL);
    if (why != NULL) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    return 0;
}
