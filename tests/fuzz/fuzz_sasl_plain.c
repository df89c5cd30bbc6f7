/* SASL messages. What PLAIN accepts is what was sent: its parts, joined again, are the message. LOGIN takes the same input in
 * pieces. */
#include <stdlib.h>

#include "auth/mech.h"
#include "common/text/text.h"

static void check_plain(struct view v)
{
    struct mech_plain_message m;
    struct buf joined;
    if (mech_plain_parse(v, &m) != 0)
        return;
    if (m.authcid.len == 0 || m.authcid.len > PROTO_NAME_MAX || m.authzid.len > PROTO_NAME_MAX || !utf8_valid(m.authcid) ||
        !utf8_valid(m.authzid) || view_find(m.password, '\0') < m.password.len)
        abort();
    buf_init(&joined, v.len + 1);
    buf_put_view(&joined, m.authzid);
    buf_put_byte(&joined, '\0');
    buf_put_view(&joined, m.authcid);
    buf_put_byte(&joined, '\0');
    buf_put_view(&joined, m.password);
    if (!view_eq(buf_view(&joined), v))
        abort();
    buf_free(&joined);
}

static void run_exchange(const char *mech, struct view v)
{
    struct mech_exchange x;
    enum mech_step step;
    unsigned steps = 0;
    mech_exchange_init(&x, mech_find(view_str(mech)));
    do {
        size_t n = view_find(v, '\n');
        step = mech_exchange_step(&x, steps > 0 || v.len % 2 == 0, view_sub(v, 0, n));
        v = view_sub(v, n + 1, v.len);
        if (step == MECH_PASSWORD && (x.password == NULL || x.authcid.len == 0))
            abort();
    } while (step == MECH_CHALLENGE && ++steps < 8);
    if (step == MECH_CHALLENGE)
        abort(); /* neither mechanism has that many questions */
    mech_exchange_deinit(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = view_make(data, size);
    if (size > PROTO_SASL_MAX)
        return 0;
    check_plain(v);
    run_exchange("PLAIN", v);
    run_exchange("LOGIN", v);
    return 0;
}
