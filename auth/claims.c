/* RFC 7519 section 4.1, RFC 9068 section 4, RFC 7662 section 2.2. */
#include "auth/claims.h"

#include "auth/jwt.h"
#include "common/base/mem.h"

static const struct json_token *claim(const struct json_doc *c, const char *name)
{
    return json_member(c, 0, view_str(name));
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
static bool audience_good(const struct json_doc *c, const struct conf_list *ours)
{
    const struct json_token *aud = claim(c, "aud");
    if (aud == NULL || aud->type != JSON_ARRAY)
        return audience_listed(aud, ours);
    for (unsigned i = json_index(c, aud) + 1; i < aud->next; i = c->tokens[i].next) {
        if (audience_listed(&c->tokens[i], ours))
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

static bool scope_good(const struct json_doc *c, const struct conf_list *wanted)
{
    struct buf scope;
    buf_init(&scope, JWT_MAX);
    bool good = wanted->n == 0 || json_text(claim(c, "scope"), &scope) == 0;
    for (size_t i = 0; good && i < wanted->n; i++)
        good = scope_has(buf_view(&scope), view_str(wanted->items[i]));
    buf_free(&scope);
    return good;
}

static const char *check_time(const struct json_doc *c, uint64_t now, bool complete)
{
    uint64_t t;
    bool has_exp = claim(c, "exp") != NULL;
    if (has_exp ? json_uint(claim(c, "exp"), &t) != 0 : complete)
        return "it has no time of expiry";
    if (has_exp && now >= t && now - t >= JWT_LEEWAY_S)
        return "it has expired";
    if (claim(c, "nbf") != NULL && (json_uint(claim(c, "nbf"), &t) != 0 || t > now + JWT_LEEWAY_S))
        return "it is not valid yet";
    if (claim(c, "iat") != NULL && (json_uint(claim(c, "iat"), &t) != 0 || t > now + JWT_LEEWAY_S))
        return "it was issued in the future";
    return NULL;
}

const char *claims_check(const struct json_doc *c, const struct set_auth *set, uint64_t now, bool complete, struct buf *name)
{
    const char *why = check_time(c, now, complete);
    const struct json_token *verified = claim(c, "email_verified");
    size_t before = buf_len(name);
    if (why != NULL)
        return why;
    if ((complete || set->oauth2_issuer[0] != '\0') && !json_says(claim(c, "iss"), view_str(set->oauth2_issuer)))
        return "it is of another issuer";
    if ((complete || set->oauth2_audience.n > 0) && !audience_good(c, &set->oauth2_audience))
        return "it is for another audience";
    if (!scope_good(c, &set->oauth2_scope))
        return "its scope does not include mail";
    if (strcmp(set->oauth2_user_claim, "email") == 0 && verified != NULL && verified->type != JSON_TRUE)
        return "its address was not verified";
    if (json_text(claim(c, set->oauth2_user_claim), name) != 0 || buf_len(name) == before)
        return "the claim that names the user is missing";
    return NULL;
}
