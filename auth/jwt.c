/* The three parts of a token, and what its claims must say (RFC 7519 section 4.1, RFC 9068 section 4). */
#include "auth/jwt.h"

#include <sodium.h>
#include <stdlib.h>

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

static bool audience_listed(const struct json_token *aud, const struct conf_list *ours)
{
    for (size_t i = 0; i < ours->n; i++) {
        if (json_says(aud, view_str(ours->items[i])))
            return true;
    }
    return false;
}

/* RFC 7519 section 4.1.3: one text, or a list. */
static bool audience_good(const struct claims *c, const struct conf_list *ours)
{
    const struct json_token *aud = claim(c, "aud");
    if (aud == NULL || aud->type != JSON_ARRAY)
        return audience_listed(aud, ours);
    for (unsigned i = json_index(&c->doc, aud) + 1; i < aud->next; i = c->doc.tokens[i].next) {
        if (audience_listed(&c->doc.tokens[i], ours))
            return true;
    }
    return false;
}

/* RFC 6749 section 3.3: words with a blank between them. */
static bool scope_has(struct view scope, struct view word)
{
    while (scope.len > 0) {
        size_t n = view_find(scope, ' ');
        if (view_eq(view_sub(scope, 0, n), word))
            return true;
        scope = view_sub(scope, MIN_OF(n + 1, scope.len), scope.len);
    }
    return false;
}

static bool scope_good(const struct claims *c, const struct conf_list *wanted)
{
    struct buf scope;
    buf_init(&scope, JWT_MAX);
    bool good = wanted->n == 0 || json_text(claim(c, "scope"), &scope) == 0;
    for (size_t i = 0; good && i < wanted->n; i++)
        good = scope_has(buf_view(&scope), view_str(wanted->items[i]));
    buf_free(&scope);
    return good;
}

static const char *check_time(const struct claims *c, uint64_t now)
{
    uint64_t t;
    if (json_uint(claim(c, "exp"), &t) != 0)
        return "it has no time of expiry";
    if (now >= t && now - t >= JWT_LEEWAY_S)
        return "it has expired";
    if (claim(c, "nbf") != NULL && (json_uint(claim(c, "nbf"), &t) != 0 || t > now + JWT_LEEWAY_S))
        return "it is not valid yet";
    if (claim(c, "iat") != NULL && (json_uint(claim(c, "iat"), &t) != 0 || t > now + JWT_LEEWAY_S))
        return "it was issued in the future";
    return NULL;
}

static const char *check_claims(const struct claims *c, const struct set_auth *set, uint64_t now, struct buf *name)
{
    const char *why = check_time(c, now);
    const struct json_token *verified = claim(c, "email_verified");
    size_t before = buf_len(name);
    if (why != NULL)
        return why;
    if (!json_says(claim(c, "iss"), view_str(set->oauth2_issuer)))
        return "it is of another issuer";
    if (!audience_good(c, &set->oauth2_audience))
        return "it is for another audience";
    if (!scope_good(c, &set->oauth2_scope))
        return "its scope does not include mail";
    if (strcmp(set->oauth2_user_claim, "email") == 0 && verified != NULL && verified->type != JSON_TRUE)
        return "its address was not verified";
    if (json_text(claim(c, set->oauth2_user_claim), name) != 0 || buf_len(name) == before)
        return "the claim that names the user is missing";
    return NULL;
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
        *why_out = check_claims(c, set, now, name);
    free(c);
    return *why_out == NULL ? 0 : ERR_DENIED;
}
