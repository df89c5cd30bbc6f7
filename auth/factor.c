#include "auth/factor.h"

#include "common/base/mem.h"
#include "common/secret/secret.h"

/* All of them are compared, whichever it is. */
static uint32_t app_find(struct creds_store *store, const struct auth_name *name, const struct creds *creds, unsigned scope,
                         struct view password, uint64_t now)
{
    uint8_t bytes[APP_PASSWORD_BYTES], digest[APP_PASSWORD_DIGEST], hash[CREDS_HASH];
    uint32_t found = 0;
    if (scope == 0 || creds->napps == 0 || !app_password_parse(password, bytes))
        return 0;
    app_password_digest(bytes, digest);
    creds_hash(store, name, view_make(digest, sizeof(digest)), hash);
    for (size_t i = 0; i < creds->napps; i++) {
        const struct app_password *a = &creds->apps[i];
        bool same = secret_equal(view_make(a->hash, CREDS_HASH), view_make(hash, CREDS_HASH));
        if (same && (a->scopes & scope) != 0 && (a->expires == 0 || a->expires > now))
            found = a->id;
    }
    secret_wipe(bytes, sizeof(bytes));
    secret_wipe(digest, sizeof(digest));
    secret_wipe(hash, sizeof(hash));
    return found;
}

/* The code at the end, taken off where it looks like one. */
static void code_split(struct view password, struct view *code)
{
    size_t n = MIN_OF(password.len, (size_t)TOTP_DIGITS);
    *code = view_sub(password, password.len - n, n);
    for (size_t i = 0; i < n; i++) {
        if (code->ptr[i] < '0' || code->ptr[i] > '9')
            n = 0;
    }
    if (n < TOTP_DIGITS)
        code->len = 0;
}

static struct factor factor_of_creds(struct creds_store *store, const struct auth_name *name, const struct creds *creds,
                                     unsigned scope, struct view password, uint64_t now)
{
    struct factor f = {.kind = FACTOR_PASSWORD};
    struct view code;
    f.app = app_find(store, name, creds, scope, password, now);
    if (f.app != 0) {
        f.kind = FACTOR_APP;
    } else if (creds->totp == CREDS_TOTP_CONFIRMED) {
        code_split(password, &code);
        f.kind = FACTOR_CODE;
        f.cut = code.len;
        f.step = totp_find(creds->secret, now, creds->step, code);
    }
    return f;
}

struct factor factor_of(struct creds_store *store, const struct auth_name *name, unsigned scope, struct view password,
                        uint64_t now)
{
    struct factor f = {.kind = FACTOR_PASSWORD};
    struct creds creds;
    if (store == NULL || name->len == 0)
        return f;
    if (creds_load(store, name, &creds) != 0) {
        f.kind = FACTOR_ERROR;
        return f;
    }
    f = factor_of_creds(store, name, &creds, scope, password, now);
    secret_wipe(&creds, sizeof(creds));
    return f;
}

int factor_use(struct creds_store *store, const struct auth_name *name, uint64_t step)
{
    struct creds creds;
    int err = creds_begin(store, name, &creds);
    if (err != 0)
        return err;
    if (creds.totp != CREDS_TOTP_CONFIRMED || creds.step >= step) {
        err = ERR_DENIED;
    } else {
        creds.step = step;
        err = creds_write(store, name, &creds);
    }
    creds_end(store);
    secret_wipe(&creds, sizeof(creds));
    return err;
}

int factor_none(struct creds_store *store, const struct auth_name *name)
{
    struct creds creds;
    if (store == NULL || name->len == 0)
        return 0;
    int err = creds_load(store, name, &creds);
    if (err == 0 && creds.totp == CREDS_TOTP_CONFIRMED)
        err = ERR_DENIED;
    secret_wipe(&creds, sizeof(creds));
    return err;
}
