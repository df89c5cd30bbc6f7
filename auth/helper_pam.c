/*
 * PAM. One user, named once; every question that must not be echoed is answered with the password, every other with the name. The
 * account stage is always run: a right password of an expired or barred account opens nothing. Modules do not delay a failure
 * here: culver-auth does that for all, without holding a process.
 */
#include <security/pam_appl.h>
#include <stdlib.h>

#include "auth/helper.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/secret/secret.h"

struct conversation {
    const char *user;
    const struct secret *password;
};

static void responses_free(struct pam_response *r, int n)
{
    for (int i = 0; i < n; i++) {
        if (r[i].resp != NULL) {
            secret_wipe(r[i].resp, strlen(r[i].resp));
            free(r[i].resp);
        }
    }
    free(r);
}

static char *respond(const struct conversation *c, int style, bool *known_out)
{
    *known_out = true;
    switch (style) {
    case PAM_PROMPT_ECHO_OFF:
        return strdup((const char *)secret_view(c->password).ptr);
    case PAM_PROMPT_ECHO_ON:
        return strdup(c->user);
    case PAM_TEXT_INFO:
    case PAM_ERROR_MSG:
        return NULL; /* there is nobody to show it to */
    default:
        *known_out = false;
        return NULL;
    }
}

static int converse(int n, const struct pam_message **msgs, struct pam_response **out, void *arg)
{
    const struct conversation *c = arg;
    if (n <= 0 || n > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    /* PAM frees these with free(). */
    struct pam_response *r = calloc((size_t)n, sizeof(*r));
    if (r == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < n; i++) {
        bool known, prompt = msgs[i]->msg_style == PAM_PROMPT_ECHO_OFF || msgs[i]->msg_style == PAM_PROMPT_ECHO_ON;
        r[i].resp = respond(c, msgs[i]->msg_style, &known);
        if (!known || (prompt && r[i].resp == NULL)) {
            responses_free(r, i + 1);
            return PAM_CONV_ERR;
        }
    }
    *out = r;
    return PAM_SUCCESS;
}

static void no_delay(int status, unsigned usec, void *arg)
{
    (void)status;
    (void)usec;
    (void)arg;
}

static enum helper_result of_authenticate(int rc)
{
    switch (rc) {
    case PAM_SUCCESS:
        return HELPER_OK;
    case PAM_USER_UNKNOWN:
        return HELPER_UNKNOWN;
    case PAM_AUTH_ERR:
    case PAM_MAXTRIES:
    case PAM_PERM_DENIED:
    case PAM_ACCT_EXPIRED: /* said before the password was known to be right: no more than wrong */
        return HELPER_WRONG;
    default:
        return HELPER_TEMPORARY;
    }
}

static enum helper_result of_account(int rc)
{
    switch (rc) {
    case PAM_SUCCESS:
        return HELPER_OK;
    case PAM_ACCT_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
    case PAM_AUTHTOK_EXPIRED:
    case PAM_PERM_DENIED:
    case PAM_AUTH_ERR:
    case PAM_USER_UNKNOWN:
        return HELPER_EXPIRED;
    default:
        return HELPER_TEMPORARY;
    }
}

static int set_items(pam_handle_t *pamh, const char *rhost)
{
    void (*delay)(int, unsigned, void *) = no_delay;
    const void *delay_item;
    int rc = PAM_SUCCESS;
    memcpy(&delay_item, &delay, sizeof(delay_item)); /* ISO C has no cast from function to object pointer */
    if (rhost[0] != '\0')
        rc = pam_set_item(pamh, PAM_RHOST, rhost);
    if (rc == PAM_SUCCESS)
        rc = pam_set_item(pamh, PAM_TTY, "culver"); /* some modules refuse to work without one */
    if (rc == PAM_SUCCESS)
        rc = pam_set_item(pamh, PAM_FAIL_DELAY, delay_item);
    return rc;
}

/* The name at the end, which a module may have changed. */
static void take_user(pam_handle_t *pamh, struct helper_answer *out)
{
    const void *item = NULL;
    if (pam_get_item(pamh, PAM_USER, &item) != PAM_SUCCESS || item == NULL || strlen(item) >= sizeof(out->name)) {
        LOG_ERROR(0, "PAM left no usable user name");
        out->msg.result = HELPER_TEMPORARY;
        return;
    }
    memcpy(out->name, item, strlen(item) + 1);
    out->msg.name = view_str(out->name);
}

static void log_result(pam_handle_t *pamh, const char *stage, const char *user, int rc, enum helper_result result)
{
    if (result == HELPER_TEMPORARY)
        LOG_ERROR(0, "PAM failed", F_STR("stage", stage), F_STR("user", user), F_STR("err", pam_strerror(pamh, rc)));
    else if (result != HELPER_OK)
        LOG_DEBUG(0, "PAM refused", F_STR("stage", stage), F_STR("user", user), F_STR("err", pam_strerror(pamh, rc)));
}

/* account: somebody else has seen to the password. */
static void run(pam_handle_t *pamh, const char *user, bool account, struct helper_answer *out)
{
    const int flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK;
    int rc = account ? PAM_SUCCESS : pam_authenticate(pamh, flags);
    out->msg.result = of_authenticate(rc);
    log_result(pamh, "auth", user, rc, out->msg.result);
    if (out->msg.result == HELPER_OK) {
        rc = pam_acct_mgmt(pamh, flags);
        /* Whom PAM does not know at all another database may. */
        out->msg.result = account && rc == PAM_USER_UNKNOWN ? HELPER_UNKNOWN : of_account(rc);
        log_result(pamh, "account", user, rc, out->msg.result);
    }
    if (out->msg.result == HELPER_OK)
        take_user(pamh, out);
    (void)pam_end(pamh, rc);
}

void helper_check_pam(const struct msg_check_pam *msg, struct helper_answer *out)
{
    char *service = view_dup(msg->service), *user = view_dup(msg->user), *rhost = view_dup(msg->rhost);
    struct secret *password = secret_new(msg->password);
    struct conversation c = {.user = user, .password = password};
    const struct pam_conv conv = {converse, &c};
    pam_handle_t *pamh = NULL;
    int rc;
    out->msg.result = HELPER_TEMPORARY;
    if (password == NULL)
        goto out;
    rc = pam_start(service, user, &conv, &pamh);
    if (rc == PAM_SUCCESS)
        rc = set_items(pamh, rhost);
    if (rc == PAM_SUCCESS) {
        run(pamh, user, msg->account, out);
    } else {
        LOG_ERROR(0, "PAM cannot be started", F_STR("service", service), F_STR("err", pam_strerror(pamh, rc)));
        if (pamh != NULL)
            (void)pam_end(pamh, rc);
    }
out:
    secret_free(&password);
    free(service);
    free(user);
    free(rhost);
}
