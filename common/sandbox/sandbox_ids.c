/* User, groups and capabilities: given up for good, and checked. */
#include "common/sandbox/sandbox_int.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(cap) (1ull << (cap))

/* What PAM modules of a root process use: reading shadow files, becoming the user, telling audit, counters of failures. */
static const uint64_t pam_caps = CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) |
                                 CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SETGID) |
                                 CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_IPC_LOCK) |
                                 CAP_BIT(CAP_SYS_NICE) | CAP_BIT(CAP_SYS_RESOURCE) | CAP_BIT(CAP_AUDIT_WRITE);

/* EPERM: without CAP_SETPCAP the set cannot be changed, and without privileges it is of no use either. */
static int drop_bounding(uint64_t keep)
{
    unsigned long cap;

    for (cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if ((keep & CAP_BIT(cap)) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM)
            return ERR_SYSTEM;
    return 0;
}

static int get_caps(struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};

    return syscall(SYS_capget, &head, data) == 0 ? 0 : ERR_SYSTEM;
}

static int set_caps(const struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};

    return syscall(SYS_capset, &head, data) == 0 ? 0 : ERR_SYSTEM;
}

int sandbox_drop_caps(bool keep_pam)
{
    uint64_t keep = keep_pam ? pam_caps : 0;
    struct __user_cap_data_struct data[2] = {{0}};
    unsigned i;
    int err;

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL)
        return ERR_SYSTEM;
    err = drop_bounding(keep);
    if (err == 0)
        err = get_caps(data);
    for (i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(keep >> (32 * i));
        data[i].effective &= (uint32_t)(keep >> (32 * i));
        data[i].inheritable = 0;
    }
    return err != 0 ? err : set_caps(data);
}

static int verify_ids(uint32_t uid, uint32_t gid)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;

    if (getresuid(&r, &e, &s) != 0 || getresgid(&rg, &eg, &sg) != 0)
        return ERR_SYSTEM;
    if (r != uid || e != uid || s != uid || rg != gid || eg != gid || sg != gid)
        return ERR_DENIED;
    if (getgroups(0, NULL) != 0)
        return ERR_DENIED;
    /* Each of these must fail. */
    if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0 || setuid(0) == 0)
        return ERR_DENIED;
    return 0;
}

/* A folder that its tenants could write to would be no prison. */
static int enter_chroot(const char *dir)
{
    struct stat st;

    if (stat(dir, &st) != 0)
        return err_from_errno(errno);
    if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return ERR_DENIED;
    return chdir(dir) == 0 && chroot(".") == 0 && chdir("/") == 0 ? 0 : ERR_SYSTEM;
}

int sandbox_drop_ids(uint32_t uid, uint32_t gid, const char *chroot_dir, bool rootless)
{
    int err = 0;

    if (rootless || uid == 0)
        return 0;
    if (gid == 0 || uid == UINT32_MAX || gid == UINT32_MAX)
        return ERR_DENIED;
    if (geteuid() != 0)
        return chroot_dir != NULL ? ERR_DENIED : verify_ids(uid, gid);
    if (chroot_dir != NULL)
        err = enter_chroot(chroot_dir);
    if (err == 0)
        err = drop_bounding(0); /* while the right to do so is still there */
    if (err == 0 && (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0))
        err = ERR_SYSTEM;
    if (err == 0)
        err = sandbox_drop_caps(false);
    return err != 0 ? err : verify_ids(uid, gid);
}
