/* Looks an account up through NSS, whose modules may load anything and talk to anybody. */
#include <errno.h>
#include <pwd.h>

#include "auth/helper.h"
#include "common/log/log.h"

#define NSS_BUF_MAX 65536

static bool copy_text(char *out, size_t size, const char *s)
{
    size_t len = s == NULL ? 0 : strlen(s);
    if (len >= size)
        return false;
    memcpy(out, s == NULL ? "" : s, len + 1);
    return true;
}

void helper_lookup_nss(const struct msg_lookup_nss *msg, struct helper_answer *out)
{
    static char buf[NSS_BUF_MAX];
    char user[PROTO_NAME_MAX + 1];
    struct passwd pw, *found = NULL;
    memcpy(user, msg->user.ptr, msg->user.len);
    user[msg->user.len] = '\0';
    int rc = getpwnam_r(user, &pw, buf, sizeof(buf), &found);
    if (found == NULL) {
        /* Modules say "no such user" with these two as well. */
        bool unknown = rc == 0 || rc == ENOENT || rc == ESRCH;
        if (!unknown)
            LOG_ERROR(0, "user look-up failed", F_STR("user", user), F_ERRNO(rc));
        out->msg.result = unknown ? HELPER_UNKNOWN : HELPER_TEMPORARY;
        return;
    }
    if (!copy_text(out->name, sizeof(out->name), pw.pw_name)) {
        LOG_ERROR(0, "account name too long", F_STR("user", user));
        return;
    }
    /* A home folder that cannot be one is none. */
    if (pw.pw_dir == NULL || pw.pw_dir[0] != '/' || !copy_text(out->home, sizeof(out->home), pw.pw_dir))
        out->home[0] = '\0';
    out->msg.result = HELPER_OK;
    out->msg.uid = pw.pw_uid;
    out->msg.gid = pw.pw_gid;
    out->msg.name = view_str(out->name);
    out->msg.home = view_str(out->home);
}
