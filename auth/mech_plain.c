/*
 * PLAIN, RFC 4616. Two liberties: the password is any octets but NUL, since passwords that were set through clients with other
 * character sets exist, and it may be empty here, which is not malformed but fails like every wrong one.
 */
#include "auth/mech.h"
#include "common/text/text.h"

int mech_plain_parse(struct view message, struct mech_plain_message *out)
{
    struct mech_plain_message m;
    size_t first = view_find(message, '\0');
    struct view rest = view_sub(message, first + 1, message.len);
    size_t second = view_find(rest, '\0');
    if (first == message.len || second == rest.len)
        return ERR_SYNTAX;
    m.authzid = view_sub(message, 0, first);
    m.authcid = view_sub(rest, 0, second);
    m.password = view_sub(rest, second + 1, rest.len);
    if (view_find(m.password, '\0') < m.password.len || m.authcid.len == 0)
        return ERR_SYNTAX;
    if (m.authzid.len > PROTO_NAME_MAX || m.authcid.len > PROTO_NAME_MAX || !utf8_valid(m.authzid) || !utf8_valid(m.authcid))
        return ERR_SYNTAX;
    *out = m;
    return 0;
}

static enum mech_step plain_step(struct mech_exchange *x, bool has_data, struct view data)
{
    struct mech_plain_message m;
    if (!has_data)
        return MECH_CHALLENGE; /* an empty one: RFC 4616 has only the client's message */
    if (mech_plain_parse(data, &m) != 0 || !mech_name_set(&x->authzid, m.authzid) || !mech_name_set(&x->authcid, m.authcid))
        return MECH_MALFORMED;
    x->password = secret_new(m.password);
    return MECH_PASSWORD;
}

const struct mech mech_plain = {.name = "PLAIN", .needs_protection = true, .step = plain_step};
