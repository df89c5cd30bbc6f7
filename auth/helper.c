/* A helper is started for one kind of request, in the sandbox of that kind, and does no other. */
#include "auth/helper.h"

int helper_answer_request(enum helper_kind kind, unsigned msg_kind, struct view body, bool allow_weak, struct helper_answer *out)
{
    struct msg_check_pam pam;
    struct msg_check_hash hash;
    struct msg_lookup_nss nss;
    *out = (struct helper_answer){.msg.result = HELPER_TEMPORARY};
    if (kind == HELPER_PAM && msg_kind == IPC_AUTH_CHECK_PAM && msg_check_pam_decode(body, &pam) == 0)
        helper_check_pam(&pam, out);
    else if (kind == HELPER_HASH && msg_kind == IPC_AUTH_CHECK_HASH && msg_check_hash_decode(body, &hash) == 0)
        helper_check_hash(&hash, allow_weak, out);
    else if (kind == HELPER_NSS && msg_kind == IPC_AUTH_LOOKUP_NSS && msg_lookup_nss_decode(body, &nss) == 0)
        helper_lookup_nss(&nss, out);
    else
        return ERR_PROTO;
    return 0;
}
