/* Files of app passwords and second factors: what is accepted is, written again, the same bytes. */
#include <stdlib.h>

#include "auth/creds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct auth_name name = {.text = "a", .len = 1, .at = 1};
    struct view text = view_make(data, size);
    struct creds creds, again;
    struct buf out, twice;
    if (size > CREDS_FILE_MAX || creds_parse(text, &name, &creds) != 0)
        return 0;
    buf_init(&out, 4 * CREDS_FILE_MAX);
    creds_put(&name, &creds, &out);
    buf_init(&twice, 4 * CREDS_FILE_MAX);
    if (!buf_ok(&out) || creds_parse(buf_view(&out), &name, &again) != 0)
        abort();
    creds_put(&name, &again, &twice);
    if (!view_eq(buf_view(&out), buf_view(&twice)))
        abort();
    buf_free(&twice);
    buf_free(&out);
    return 0;
}
