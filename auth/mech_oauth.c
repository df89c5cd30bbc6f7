/*
 * OAUTHBEARER (RFC 7628) and XOAUTH2, which was there before it. The client shows a token that somebody else has signed.
 *
 *   client: name and token -> [MECH_TOKEN: the caller checks the token; a good one is the end]
 *   server: what was wrong, in JSON -> client: anything -> MECH_WRONG
 *
 * The second half is RFC 7628 section 3.2.3: a failure is told within the exchange, so that the client knows where to get a
 * better token.
 */
#include "auth/mech.h"
#include "common/text/json.h"
#include "common/text/text.h"

#define KV_SEP 0x01

enum oauth_stage { STAGE_TOKEN, STAGE_CHECKED, STAGE_TOLD };

struct oauth_state {
    enum oauth_stage stage;
};

/* RFC 5801 section 4: "=2C" and "=3D" in a name. */
static bool name_take(struct mech_name *out, struct view v)
{
    struct buf name;
    bool good = true;
    buf_init(&name, PROTO_NAME_MAX);
    for (size_t i = 0; good && i < v.len; i++) {
        struct view code = view_sub(v, i, 3);
        if (v.ptr[i] != '=')
            buf_put_byte(&name, v.ptr[i]);
        else if (view_eq(code, VIEW("=2C")) || view_eq(code, VIEW("=3D")))
            buf_put_byte(&name, code.ptr[1] == '2' ? ',' : '=');
        else
            good = false;
        i += v.ptr[i] == '=' ? 2 : 0;
    }
    good = good && buf_ok(&name) && mech_name_set(out, buf_view(&name));
    buf_free(&name);
    return good;
}

/* "n," or "y,", "a=name" or nothing, ",": what is behind it, or nothing. There is no channel binding ("p="). */
static bool gs2_take(struct mech_exchange *x, struct view *rest)
{
    if (!view_starts(*rest, VIEW("n,")) && !view_starts(*rest, VIEW("y,")))
        return false;
    *rest = view_sub(*rest, 2, rest->len);
    size_t comma = view_find(*rest, ',');
    struct view authzid = view_sub(*rest, 0, comma);
    if (comma == rest->len || (authzid.len > 0 && !view_starts(authzid, VIEW("a="))))
        return false;
    *rest = view_sub(*rest, comma + 1, rest->len);
    return authzid.len == 0 || (authzid.len > 2 && name_take(&x->authcid, view_sub(authzid, 2, authzid.len)));
}

/* RFC 6750 section 2.1. */
static bool is_token(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t b = v.ptr[i];
        if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || view_find(VIEW("-._~+/="), b) < 7))
            return false;
    }
    return v.len > 0;
}

static bool bearer_take(struct mech_exchange *x, struct view value)
{
    if (!view_starts_nocase(value, VIEW("Bearer ")) || x->token != NULL)
        return false;
    struct view token = view_trim(view_sub(value, sizeof("Bearer ") - 1, value.len));
    if (!is_token(token) || token.len > PROTO_TOKEN_MAX)
        return false;
    x->token = secret_new(token);
    return x->token != NULL;
}

/* "key=value" with a KV_SEP behind each, and one more at the end. user: whether "user" is a key too (XOAUTH2). */
static bool pairs_take(struct mech_exchange *x, struct view rest, bool user)
{
    while (rest.len > 0 && rest.ptr[0] != KV_SEP) {
        size_t end = view_find(rest, KV_SEP);
        struct view pair = view_sub(rest, 0, end);
        size_t eq = view_find(pair, '=');
        struct view key = view_sub(pair, 0, eq), value = view_sub(pair, eq + 1, pair.len);
        if (end == rest.len || eq == pair.len || eq == 0 || view_find(pair, '\0') < pair.len)
            return false;
        if (view_eq(key, VIEW("auth"))
                ? !bearer_take(x, value)
                : user && view_eq(key, VIEW("user")) && (value.len == 0 || !mech_name_set(&x->authcid, value)))
            return false;
        rest = view_sub(rest, end + 1, rest.len);
    }
    return rest.len == 1 && x->token != NULL;
}

static void put_member(struct buf *out, const char *name, struct view value)
{
    if (buf_view(out).ptr[buf_len(out) - 1] != '{')
        buf_put_byte(out, ',');
    json_put_text(out, view_str(name));
    buf_put_byte(out, ':');
    json_put_text(out, value);
}

/* RFC 7628 section 3.2.2. */
static void put_error(struct mech_exchange *x, const char *status)
{
    const struct set_auth *set = x->set;
    struct buf scope;
    buf_init(&scope, PROTO_VALUE_MAX);
    for (size_t i = 0; set != NULL && i < set->oauth2_scope.n; i++) {
        buf_put_str(&scope, i > 0 ? " " : "");
        buf_put_str(&scope, set->oauth2_scope.items[i]);
    }
    buf_put_byte(&x->out, '{');
    put_member(&x->out, "status", view_str(status));
    put_member(&x->out, "schemes", VIEW("bearer"));
    if (buf_len(&scope) > 0)
        put_member(&x->out, "scope", buf_view(&scope));
    if (set != NULL && set->oauth2_openid_configuration[0] != '\0')
        put_member(&x->out, "openid-configuration", view_str(set->oauth2_openid_configuration));
    buf_put_byte(&x->out, '}');
    buf_free(&scope);
}

static enum mech_step oauth_step(struct mech_exchange *x, bool has_data, struct view data, bool bearer)
{
    struct oauth_state *s = x->state;
    switch (s->stage) {
    case STAGE_TOKEN:
        if (!has_data)
            return MECH_CHALLENGE; /* an empty one: the client speaks first */
        if (bearer ? !gs2_take(x, &data) || data.len == 0 || data.ptr[0] != KV_SEP : !view_starts(data, VIEW("user=")))
            return MECH_MALFORMED;
        if (!pairs_take(x, bearer ? view_sub(data, 1, data.len) : data, !bearer))
            return MECH_MALFORMED;
        s->stage = STAGE_CHECKED;
        return MECH_TOKEN;
    case STAGE_CHECKED:
        put_error(x, bearer ? "invalid_token" : "401");
        s->stage = STAGE_TOLD;
        return MECH_CHALLENGE;
    case STAGE_TOLD:
        break;
    }
    return MECH_WRONG;
}

static enum mech_step bearer_step(struct mech_exchange *x, bool has_data, struct view data)
{
    return oauth_step(x, has_data, data, true);
}

static enum mech_step xoauth2_step(struct mech_exchange *x, bool has_data, struct view data)
{
    return oauth_step(x, has_data, data, false);
}

const struct mech mech_oauthbearer = {
    .name = "OAUTHBEARER", .needs_protection = true, .state_size = sizeof(struct oauth_state), .step = bearer_step};
const struct mech mech_xoauth2 = {
    .name = "XOAUTH2", .needs_protection = true, .state_size = sizeof(struct oauth_state), .step = xoauth2_step};
