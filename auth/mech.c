/* The table of mechanisms and the life of an exchange. */
#include "auth/mech.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/text.h"

static const struct mech *const mechs[] = {
    &mech_plain,    &mech_login,       &mech_scram[0], &mech_scram[1], &mech_scram[2],
    &mech_scram[3], &mech_oauthbearer, &mech_xoauth2,  &mech_external,
};

const struct mech *mech_find(struct view name)
{
    for (size_t i = 0; i < ARRAY_LEN(mechs); i++) {
        if (view_eq_nocase(view_str(mechs[i]->name), name))
            return mechs[i];
    }
    return NULL;
}

void mech_exchange_init(struct mech_exchange *x, const struct mech *mech)
{
    *x = (struct mech_exchange){.mech = mech};
    x->state = xcalloc(1, mech->state_size + 1);
    buf_init_secret(&x->out, PROTO_SASL_MAX);
    buf_init_secret(&x->binding_exporter, PROTO_BINDING_MAX);
    buf_init(&x->binding_end_point, PROTO_BINDING_MAX);
}

bool mech_can_bind(const struct mech_exchange *x)
{
    return buf_len(&x->binding_exporter) > 0 || buf_len(&x->binding_end_point) > 0;
}

enum mech_step mech_exchange_step(struct mech_exchange *x, bool has_data, struct view data)
{
    buf_reset(&x->out);
    enum mech_step step = x->mech->step(x, has_data, data);
    return buf_ok(&x->out) ? step : MECH_MALFORMED;
}

void mech_exchange_deinit(struct mech_exchange *x)
{
    secret_free(&x->password);
    secret_free(&x->token);
    if (x->state != NULL)
        secret_wipe(x->state, x->mech->state_size);
    free(x->state);
    buf_free(&x->out);
    buf_free(&x->binding_exporter);
    buf_free(&x->binding_end_point);
    secret_free(&x->plain);
    secret_wipe(&x->keys, sizeof(x->keys));
    *x = (struct mech_exchange){0};
}

bool mech_name_set(struct mech_name *n, struct view v)
{
    if (v.len > sizeof(n->bytes) || view_find(v, '\0') < v.len || !utf8_valid(v))
        return false;
    if (v.len > 0)
        memcpy(n->bytes, v.ptr, v.len);
    n->len = v.len;
    return true;
}

struct view mech_name_view(const struct mech_name *n)
{
    return view_make(n->bytes, n->len);
}
