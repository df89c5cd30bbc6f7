/* Checks a token against the keys of its issuer, which were read before the sandbox. */
#include <time.h>

#include "auth/helper.h"
#include "auth/jwt.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/secret.h"

int helper_read_keys(const struct set_auth *set, struct jwks **out)
{
    struct buf text;
    buf_init(&text, JWKS_MAX + 1);
    int err = helper_read_file("oauth2_jwks", set->oauth2_jwks, &text);
    if (err == 0) {
        err = jwks_parse(buf_view(&text), out);
        if (err != 0)
            LOG_ERROR(0, "oauth2_jwks cannot be used", F_STR("file", set->oauth2_jwks), F_ERR(err));
    }
    buf_free(&text);
    return err;
}

void helper_check_token(const struct msg_check_token *msg, const struct jwks *keys, const struct set_auth *set,
                        struct helper_answer *out)
{
    struct buf name;
    const char *why;
    buf_init(&name, PROTO_NAME_MAX);
    int err = jwt_check(keys, set, msg->token, (uint64_t)time(NULL), &name, &why);
    out->msg.result = err == 0 ? HELPER_OK : HELPER_WRONG;
    /* Of a token that is refused, why. */
    struct view text = err == 0 ? buf_view(&name) : view_str(why);
    memcpy(out->name, text.ptr, MIN_OF(text.len, sizeof(out->name) - 1));
    out->msg.name = view_make(out->name, MIN_OF(text.len, sizeof(out->name) - 1));
    buf_free(&name);
}
