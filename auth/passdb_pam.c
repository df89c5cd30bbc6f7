/* PAM, asked by a helper that runs as root and knows nothing but this request. */
#include "auth/passdb.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/password.h"
#include "common/text/text.h"

static enum passdb_result pam_ask(struct verify *v, const struct passdb *db, bool account)
{
    char rhost[46];
    struct buf body;
    net_addr_format(&v->peer, rhost);
    struct msg_check_pam msg = {
        .service = view_str(db->set->service),
        .user = auth_name_account(v->dbs->set, v->name),
        .rhost = view_str(rhost),
        .password = v->password,
        .account = account,
    };
    buf_init_secret(&body, IPC_MAX_BODY);
    msg_check_pam_encode(&body, &msg);
    return verify_request(v, IPC_AUTH_CHECK_PAM, &body);
}

static enum passdb_result pam_check(struct verify *v, const struct passdb *db)
{
    if (v->password.len == 0 || v->password.len > PASSWORD_MAX)
        return PASSDB_WRONG;
    return pam_ask(v, db, false);
}

static enum passdb_result pam_account(struct verify *v, const struct passdb *db)
{
    return pam_ask(v, db, true);
}

/* Nobody can ask PAM without a password, and what stands behind it must not overrule it, unless its no is not the last word. */
static enum passdb_result pam_keys(struct verify *v, const struct passdb *db)
{
    (void)db;
    v->reason = "unknown to the databases before PAM";
    return PASSDB_WRONG;
}

/* A module may have turned the user into another one. Only spelling may change: who logs in was decided before PAM was asked. */
static bool same_user(struct verify *v, struct view name)
{
    return name.len == 0 || view_eq_nocase(name, auth_name_account(v->dbs->set, v->name));
}

static enum passdb_result pam_answered(struct verify *v, const struct passdb *db, const struct msg_helper_result *answer)
{
    switch (answer->result) {
    case HELPER_OK:
        if (same_user(v, answer->name))
            return PASSDB_MATCH;
        LOG_ERROR(v->sid, "PAM changed the user", F_STR("passdb", db->set->name), F_VIEW("user", auth_name_view(v->name)),
                  F_VIEW("pam_user", answer->name));
        v->reason = "PAM changed the user";
        return PASSDB_TEMPORARY;
    case HELPER_WRONG:
        return PASSDB_WRONG;
    case HELPER_UNKNOWN:
        return PASSDB_UNKNOWN;
    case HELPER_EXPIRED:
        v->reason = "account expired or not allowed";
        return PASSDB_DISABLED;
    case HELPER_TEMPORARY:
        break;
    }
    v->reason = "helper failed";
    return PASSDB_TEMPORARY;
}

const struct passdb_driver passdb_pam_driver = {
    .name = "pam",
    .check = pam_check,
    .account = pam_account,
    .keys = pam_keys,
    .answered = pam_answered,
};
