/* PROXY headers: the answer does not depend on how the bytes arrive, and what is taken is a header of allowed size. */
#include <stdlib.h>

#include "common/login/login_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole = {0}, part = {0};
    size_t used = 0, part_used = 0;
    enum proxy_result r = login_proxy_parse(view_make(data, size), &whole, &used);

    if (r == PROXY_DONE) {
        if (used == 0 || used > size || used > PROXY_HEADER_MAX)
            abort();
        if (whole.has_addr && (whole.peer.family != 4 && whole.peer.family != 6))
            abort();
        for (size_t i = 0; i < used; i++)
            if (login_proxy_parse(view_make(data, i), &part, &part_used) != PROXY_MORE)
                abort();
        if (login_proxy_parse(view_make(data, used), &part, &part_used) != PROXY_DONE || part_used != used ||
            part.has_addr != whole.has_addr || part.tls != whole.tls || part.peer.port != whole.peer.port ||
            !net_addr_equal(&part.peer, &whole.peer) || !net_addr_equal(&part.local, &whole.local))
            abort();
    }
    /* What is bad stays bad, whatever follows; what wants more has room for more. */
    if (r == PROXY_MORE && size >= PROXY_HEADER_MAX)
        abort();
    if (r == PROXY_MORE && used != 0)
        abort();
    return 0;
}
