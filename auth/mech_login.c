/*
 * LOGIN: never standardised, still what some clients use. The server asks for the name and for the password; the texts of the
 * questions are those that clients look for. A client may give the name with its first message.
 */
#include "auth/mech.h"

struct login_state {
    bool have_name;
};

static enum mech_step login_step(struct mech_exchange *x, bool has_data, struct view data)
{
    struct login_state *s = x->state;
    if (!has_data) {
        buf_put_str(&x->out, "Username:");
        return MECH_CHALLENGE;
    }
    if (!s->have_name) {
        if (data.len == 0 || !mech_name_set(&x->authcid, data))
            return MECH_MALFORMED;
        s->have_name = true;
        buf_put_str(&x->out, "Password:");
        return MECH_CHALLENGE;
    }
    if (view_find(data, '\0') < data.len)
        return MECH_MALFORMED;
    x->password = secret_new(data);
    return MECH_PASSWORD;
}

const struct mech mech_login = {
    .name = "LOGIN",
    .needs_protection = true,
    .state_size = sizeof(struct login_state),
    .step = login_step,
};
