/*
 * What master can do without. It stays root, because it must become every user; but it needs few of root's powers, has no use for
 * the kernel interfaces that exploits like best, and leaves no core. The system call list is a deny-list, because PAM modules run
 * under it too.
 */
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "master/master_int.h"

/* For itself. */
static const int own_caps[] = {CAP_SETUID, CAP_SETGID,       CAP_KILL,   CAP_SYS_CHROOT, CAP_NET_BIND_SERVICE,
                               CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SETPCAP};
/* Kept in the bounding set for PAM modules only. */
static const int pam_caps[] = {CAP_AUDIT_WRITE, CAP_DAC_READ_SEARCH};

static bool in_list(const int *list, size_t n, int cap)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == cap)
            return true;
    return false;
}

static void caps_bound(void)
{
    for (int cap = 0; cap <= 63 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (in_list(own_caps, ARRAY_LEN(own_caps), cap) || in_list(pam_caps, ARRAY_LEN(pam_caps), cap))
            continue;
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            LOG_WARN(0, "cannot drop a capability from the bounding set", F_INT("capability", cap), F_ERRNO(errno));
    }
}

static void caps_limit(void)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct have[2] = {0}, want[2] = {0};

    caps_bound();
    if (syscall(SYS_capget, &h, have) != 0) {
        LOG_WARN(0, "cannot read capabilities", F_ERRNO(errno));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(own_caps); i++)
        want[own_caps[i] / 32].permitted |= 1u << (own_caps[i] % 32);
    for (size_t i = 0; i < 2; i++) {
        want[i].permitted &= have[i].permitted;
        want[i].effective = want[i].permitted;
    }
    if (syscall(SYS_capset, &h, want) != 0)
        LOG_WARN(0, "cannot drop capabilities", F_ERRNO(errno));
}

/* Without no_new_privs a filter needs CAP_SYS_ADMIN, so this comes before the capabilities go. Where a service manager has taken
 * that one away already, its own filter is in place. */
static void calls_limit(void)
{
    static const char *const denied[] = {"ptrace",
                                         "process_vm_readv",
                                         "process_vm_writev",
                                         "bpf",
                                         "io_uring_setup",
                                         "io_uring_enter",
                                         "io_uring_register",
                                         "userfaultfd",
                                         "perf_event_open",
                                         "kexec_load",
                                         "kexec_file_load",
                                         "init_module",
                                         "finit_module",
                                         "delete_module",
                                         "mount",
                                         "umount2",
                                         "pivot_root",
                                         "move_mount",
                                         "fsopen",
                                         "open_tree",
                                         "swapon",
                                         "swapoff",
                                         "reboot",
                                         "acct",
                                         "settimeofday",
                                         "clock_settime",
                                         "iopl",
                                         "ioperm"};
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int rc = ctx == NULL ? -ENOMEM : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);

    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(denied); i++) {
        int nr = seccomp_syscall_resolve_name(denied[i]);
        if (nr >= 0)
            rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
    }
    if (rc == 0)
        rc = seccomp_load(ctx);
    if (rc != 0)
        LOG_DEBUG(0, "no system call list for master", F_ERRNO(-rc));
    if (ctx != NULL)
        seccomp_release(ctx);
}

static void files_raise(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return;
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) != 0)
        LOG_WARN(0, "cannot raise the number of descriptors", F_ERRNO(errno));
}

void privs_limit(const struct master *m)
{
    const struct rlimit none = {0, 0};

    files_raise();
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        LOG_WARN(0, "cannot turn core dumps off", F_ERRNO(errno));
    if (m->rootless)
        return;
    calls_limit();
    caps_limit();
}
