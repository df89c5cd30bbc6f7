/* Checks the proof of a client certificate against the authorities, which were read before the sandbox. */
#include <time.h>

#include "auth/client_cert.h"
#include "auth/helper.h"
#include "common/base/mem.h"
#include "common/log/log.h"

#define CA_FILE_MAX (1024 * 1024)
#define CRL_FILE_MAX (64 * 1024 * 1024)

int helper_read_trust(const struct set_auth *set, struct client_trust **out)
{
    const bool revocation = set->tls_client_crl[0] != '\0';
    struct buf ca, crl;
    buf_init(&ca, CA_FILE_MAX);
    buf_init(&crl, CRL_FILE_MAX);
    int err = helper_read_file("tls_client_ca", set->tls_client_ca, &ca);
    if (err == 0 && revocation)
        err = helper_read_file("tls_client_crl", set->tls_client_crl, &crl);
    if (err == 0) {
        struct view lists = buf_view(&crl);
        err = client_trust_new(buf_view(&ca), revocation ? &lists : NULL, out);
        if (err != 0)
            LOG_ERROR(0, "tls_client_ca or tls_client_crl cannot be used: they must hold PEM, and nothing broken",
                      F_STR("ca", set->tls_client_ca), F_STR("crl", set->tls_client_crl), F_ERR(err));
    }
    buf_free(&ca);
    buf_free(&crl);
    return err;
}

void helper_check_cert(const struct msg_check_cert *msg, struct view handshake, const struct client_trust *trust,
                       const struct set_auth *set, struct helper_answer *out)
{
    const struct client_claim claim = {.messages = handshake,
                                       .nonce = msg->nonce,
                                       .digests = msg->digests,
                                       .field = (enum set_client_name)set->tls_client_name,
                                       .now = time(NULL)};
    struct buf name, why;
    buf_init(&name, PROTO_NAME_MAX);
    buf_init(&why, 1024);
    int err = client_cert_check(trust, &claim, &name, &why);
    /* Of a certificate that is refused, why. */
    struct view text = buf_view(err == 0 ? &name : &why);
    out->msg.result = err == 0 ? HELPER_OK : err == ERR_DENIED ? HELPER_WRONG : HELPER_TEMPORARY;
    text = view_sub(text, 0, err == 0 || err == ERR_DENIED ? sizeof(out->name) - 1 : 0);
    if (text.len > 0)
        memcpy(out->name, text.ptr, text.len);
    out->msg.name = view_make(out->name, text.len);
    buf_free(&name);
    buf_free(&why);
}
