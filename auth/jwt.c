/* The three parts of a token. */
#include "auth/jwt.h"

#include <sodium.h>
#include <stdlib.h>

#include "auth/claims.h"
#include "auth/jwt_keys.h"
#include "common/base/mem.h"
#include "common/text/json.h"

struct claims {
    uint8_t text[JWT_MAX];
    struct json_doc doc;
};

/* base64url without padding (RFC 7515 section 2) into JSON. */
static bool part_parse(struct view part, struct claims *out)
{
    size_t len = 0;
    const char *end = NULL;
    if (sodium_base642bin(out->text, sizeof(out->text), (const char *)part.ptr, part.len, NULL, &len, &end,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        end != (const char *)part.ptr + part.len)
        return false;
    return json_parse(view_make(out->text, len), &out->doc) == 0 && out->doc.tokens[0].type == JSON_OBJECT;
}

static const struct json_token *claim(const struct claims *c, const char *name)
{
    return json_member(&c->doc, 0, view_str(name));
}

static const char *check_signature(const struct jwks *keys, struct view token, struct claims *header, struct view *payload_out)
{
    size_t first = view_find(token, '.');
    struct view rest = view_sub(token, first + 1, token.len);
    size_t second = view_find(rest, '.');
    struct view signature = view_sub(rest, second + 1, rest.len), kid = view_make(NULL, 0);
    struct buf kid_text;
    enum jwt_alg alg;
    const char *why = NULL;
    if (first == token.len || second == rest.len || view_find(signature, '.') < signature.len ||
        !part_parse(view_sub(token, 0, first), header))
        return "not three parts";
    /* RFC 7515 section 4.1.11: whoever does not know what is critical must refuse. */
    if (!jwt_alg_find(claim(header, "alg"), &alg) || claim(header, "crit") != NULL)
        return "its algorithm is not one that is accepted";
    buf_init(&kid_text, JWT_MAX);
    if (claim(header, "kid") != NULL && json_text(claim(header, "kid"), &kid_text) != 0)
        why = "kid is no text";
    if (claim(header, "kid") != NULL)
        kid = buf_view(&kid_text);
    if (why == NULL &&
        !jwks_verify(keys, alg, claim(header, "kid") != NULL ? &kid : NULL, view_sub(token, 0, first + 1 + second), signature))
        why = "no key of ours has signed it";
    buf_free(&kid_text);
    *payload_out = view_sub(rest, 0, second);
    return why;
}

int jwt_check(const struct jwks *keys, const struct set_auth *set, struct view token, uint64_t now, struct buf *name,
              const char **why_out)
{
    struct view payload;
    *why_out = "it is too long";
    if (token.len > JWT_MAX)
        return ERR_DENIED;
    struct claims *c = xcalloc(1, sizeof(*c));
    *why_out = check_signature(keys, token, c, &payload);
    if (*why_out == NULL && !part_parse(payload, c))
        *why_out = "its claims cannot be read";
    if (*why_out == NULL)
        *why_out = claims_check(&c->doc, set, now, true, name);
    free(c);
    return *why_out == NULL ? 0 : ERR_DENIED;
}
