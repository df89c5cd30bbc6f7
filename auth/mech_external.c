/*
 * EXTERNAL, RFC 4422 appendix A: the client says only as whom it wants to act, and nothing where that is who its certificate says
 * it is. The proof is the TLS handshake, which the caller has.
 */
#include "auth/mech.h"

static enum mech_step external_step(struct mech_exchange *x, bool has_data, struct view data)
{
    if (!has_data)
        return MECH_CHALLENGE; /* an empty one: the client speaks first */
    return mech_name_set(&x->authzid, data) ? MECH_CERTIFICATE : MECH_MALFORMED;
}

const struct mech mech_external = {.name = "EXTERNAL", .certificate = true, .step = external_step};
