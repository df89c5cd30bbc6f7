/* Checks a password against a slow hash. */
#include "auth/helper.h"
#include "common/log/log.h"
#include "common/secret/password.h"

void helper_check_hash(const struct msg_check_hash *msg, bool allow_weak, struct helper_answer *out)
{
    int err = password_verify(msg->hash, msg->scheme, allow_weak, msg->password);
    switch (err) {
    case 0:
        out->msg.result = HELPER_OK;
        return;
    case ERR_DENIED:
        out->msg.result = HELPER_WRONG;
        return;
    case ERR_UNSUPPORTED:
    case ERR_CORRUPT:
        /* The stored hash is at fault; auth knows whose it is and says so. */
        out->msg.result = HELPER_UNKNOWN;
        return;
    default:
        LOG_ERROR(0, "hash could not be computed", F_ERR(err));
        out->msg.result = HELPER_TEMPORARY;
    }
}
