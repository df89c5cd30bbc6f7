/* Any bytes as a header and as the value of an address field: groups pair, nothing holds line ends, limits are kept. */
#include <stdio.h>

#include "tests/unit/storage/message_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct view header, const struct message_limits *limits)
{
    struct envelope e;
    envelope_parse(header, limits, &e);
    const char *why = check_envelope(&e);
    size_t n = e.from.n + e.to.n + e.cc.n + e.bcc.n;
    if (why == NULL && n > limits->addresses * 2 + 6)
        why = "more addresses than allowed";
    if (why != NULL) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    envelope_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_limits few = message_limits_default;
    struct buf b, base;
    bool reply;
    few.addresses = 3;
    check(view_make(data, size), &message_limits_default);
    check(view_make(data, size), &few);
    buf_init(&b, size + 4);
    buf_put_str(&b, "To: ");
    buf_put(&b, data, size);
    check(buf_view(&b), &message_limits_default);
    check(buf_view(&b), &few);
    buf_init(&base, 512 * 1024);
    subject_base(&base, view_make(data, size), &reply);
    if (!buf_ok(&base))
        abort();
    buf_reset(&base);
    struct view rest = view_make(data, size);
    while (message_id_next(&rest, &base))
        ;
    buf_free(&b);
    buf_free(&base);
    return 0;
}
