/*
 * The system calls of each profile. Services have allow-lists: what every process needs (the loop, memory, its channels), plus
 * groups. A call that is on no list kills the processes that talk to the network or hold keys and passwords; in the worker and in
 * auth it fails with EPERM, since ending a user's sessions over a library's whim would be worse. PAM and NSS load code that
 * nobody can make a list for; they have deny-lists.
 *
 * What a list allows for a reason that does not meet the eye:
 *   getpid        OpenSSL's random numbers look for forks        sysinfo      qsort() asks for the size of memory
 *   getrandom     malloc's first use, sodium, OpenSSL            tgkill       abort(), only to the process itself
 *   mprotect      malloc's arenas, guarded memory                rseq, set_robust_list   in a child right after fork()
 *   newfstatat, openat, ioctl   fail with an errno where they are not allowed: libraries probe with them and take a no
 *
 * The x32 calls of x86-64 and foreign architectures are killed by libseccomp's own check.
 */
#include "common/sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"

#define END_OF_CALLS INT32_MIN
/* More than descriptors can have. */
#define DESCRIPTOR_BITS 24

enum group {
    GROUP_BASE = 1 << 0,
    GROUP_NO_FILES = 1 << 1, /* file calls fail with an errno */
    GROUP_LISTENS = 1 << 2,  /* accept */
    GROUP_FORKS = 1 << 3,    /* plain fork(), waiting, signals to children, and what a child needs to confine itself further */
    GROUP_PAIRS = 1 << 4,    /* socketpair(AF_UNIX) */
    GROUP_SOCKOPTS = 1 << 5, /* setting harmless options of accepted sockets */
    GROUP_MEMFD = 1 << 6,    /* making and sealing memory files, reading and writing at offsets */
    GROUP_LOCKED = 1 << 7,   /* locked and secret memory */
    GROUP_READS = 1 << 8,    /* opening files for reading, inotify */
    GROUP_MAIL = 1 << 9,     /* everything that keeping mail takes */
    GROUP_SELF_SIGNAL = 1 << 10,
    GROUP_LOCKS = 1 << 12,   /* locks on ranges of files, and how a library looks at the path of one */
    GROUP_KEEPS = 1 << 13,   /* files that are replaced as a whole */
    GROUP_TRUNCATE = 1 << 11 /* changing the size of files and memory files, the log's excepted */
};

struct filter {
    uint32_t otherwise; /* for calls without a rule */
    unsigned groups;
};

/* An EPERM filter: deny names the calls. */
#define DENY_LIST 0

static const struct filter filters[SANDBOX_PROFILE_COUNT] = {
    [SANDBOX_LOGIN] = {SCMP_ACT_KILL_PROCESS,
                       GROUP_BASE | GROUP_NO_FILES | GROUP_LISTENS | GROUP_FORKS | GROUP_PAIRS | GROUP_SOCKOPTS},
    [SANDBOX_LOGIN_CONN] = {SCMP_ACT_KILL_PROCESS,
                            GROUP_BASE | GROUP_NO_FILES | GROUP_PAIRS | GROUP_SOCKOPTS | GROUP_SELF_SIGNAL},
    [SANDBOX_LOGIN_SHARED] = {SCMP_ACT_KILL_PROCESS,
                              GROUP_BASE | GROUP_NO_FILES | GROUP_LISTENS | GROUP_PAIRS | GROUP_SOCKOPTS | GROUP_SELF_SIGNAL},
    [SANDBOX_KEYS] = {SCMP_ACT_KILL_PROCESS,
                      GROUP_BASE | GROUP_NO_FILES | GROUP_MEMFD | GROUP_LOCKED | GROUP_TRUNCATE | GROUP_SELF_SIGNAL},
    [SANDBOX_AUTH] = {SCMP_ACT_ERRNO(EPERM),
                      GROUP_BASE | GROUP_READS | GROUP_KEEPS | GROUP_PAIRS | GROUP_LOCKED | GROUP_SELF_SIGNAL},
    [SANDBOX_HELPER_HASH] = {SCMP_ACT_KILL_PROCESS, GROUP_BASE | GROUP_NO_FILES | GROUP_LOCKED | GROUP_SELF_SIGNAL},
    [SANDBOX_HELPER_NSS] = {SCMP_ACT_ALLOW, DENY_LIST},
    [SANDBOX_HELPER_SQLITE] = {SCMP_ACT_ERRNO(EPERM), GROUP_BASE | GROUP_READS | GROUP_LOCKS | GROUP_LOCKED | GROUP_SELF_SIGNAL},
    [SANDBOX_HELPER_PEER] = {SCMP_ACT_ALLOW, DENY_LIST},
    [SANDBOX_HELPER_PAM] = {SCMP_ACT_ALLOW, DENY_LIST},
    [SANDBOX_LMTP] = {SCMP_ACT_KILL_PROCESS,
                      GROUP_BASE | GROUP_NO_FILES | GROUP_LISTENS | GROUP_FORKS | GROUP_PAIRS | GROUP_SOCKOPTS | GROUP_MEMFD},
    [SANDBOX_LMTP_CONN] = {SCMP_ACT_KILL_PROCESS,
                           GROUP_BASE | GROUP_NO_FILES | GROUP_PAIRS | GROUP_SOCKOPTS | GROUP_MEMFD | GROUP_SELF_SIGNAL},
    [SANDBOX_SMTP] = {SCMP_ACT_KILL_PROCESS, GROUP_BASE | GROUP_NO_FILES | GROUP_LISTENS | GROUP_PAIRS | GROUP_SELF_SIGNAL},
    [SANDBOX_WORKER] = {SCMP_ACT_ERRNO(EPERM), GROUP_BASE | GROUP_READS | GROUP_MAIL | GROUP_TRUNCATE | GROUP_SOCKOPTS |
                                                   GROUP_MEMFD | GROUP_SELF_SIGNAL},
    [SANDBOX_TOOL] = {SCMP_ACT_ERRNO(EPERM), GROUP_BASE | GROUP_READS | GROUP_MAIL | GROUP_TRUNCATE | GROUP_SELF_SIGNAL},
};

#define C(name) SCMP_SYS(name)
static const int base_calls[] = {
    C(read),
    C(write),
    C(readv),
    C(writev),
    C(close),
    C(close_range),
    C(lseek),
    C(recvmsg),
    C(recvfrom),
    C(sendmsg),
    C(sendto),
    C(shutdown),
    C(getsockopt),
    C(getsockname),
    C(getpeername),
    C(epoll_create1),
    C(epoll_ctl),
    C(epoll_wait),
    C(epoll_pwait),
    C(epoll_pwait2),
    C(poll),
    C(ppoll),
    C(timerfd_create),
    C(timerfd_settime),
    C(timerfd_gettime),
    C(eventfd2),
    C(signalfd4),
    C(rt_sigaction),
    C(rt_sigprocmask),
    C(rt_sigreturn),
    C(rt_sigpending),
    C(sigaltstack),
    C(restart_syscall),
    C(clock_gettime),
    C(clock_getres),
    C(clock_nanosleep),
    C(nanosleep),
    C(gettimeofday),
    C(time),
    C(getpid),
    C(getppid),
    C(gettid),
    C(getuid),
    C(geteuid),
    C(getgid),
    C(getegid),
    C(getresuid),
    C(getresgid),
    C(getrandom),
    C(getrusage),
    C(sysinfo),
    C(uname),
    C(umask),
    C(brk),
    C(munmap),
    C(mremap),
    C(madvise),
    C(futex),
    C(rseq),
    C(set_robust_list),
    C(sched_yield),
    C(exit),
    C(exit_group),
    END_OF_CALLS,
};
static const int no_files_calls[] = {
    /* these fail with EACCES */
    C(open), C(openat), C(openat2), C(access),   C(faccessat),  C(faccessat2),
    C(stat), C(lstat),  C(statx),   C(readlink), C(readlinkat), END_OF_CALLS,
};
static const int fork_calls[] = {
    C(wait4),
    C(waitid),
    C(kill),
    C(tgkill),
    C(seccomp),
    C(capget),
    C(capset),
    C(landlock_create_ruleset),
    C(landlock_restrict_self),
    END_OF_CALLS,
};
static const int memfd_calls[] = {
    C(memfd_create), C(pread64), C(pwrite64), C(preadv), C(pwritev), C(fstat), C(sendfile), END_OF_CALLS,
};
static const int locked_calls[] = {C(mlock), C(mlock2), C(munlock), C(memfd_secret), END_OF_CALLS};
static const int lock_calls[] = {C(getcwd), C(readlink), C(readlinkat), C(setitimer), END_OF_CALLS};
static const int read_calls[] = {
    C(pread64),
    C(preadv),
    C(fstat),
    C(newfstatat),
    C(stat),
    C(lstat),
    C(statx),
    C(access),
    C(faccessat),
    C(faccessat2),
    C(inotify_init1),
    C(inotify_add_watch),
    C(inotify_rm_watch),
    END_OF_CALLS,
};
static const int keep_calls[] = {C(openat),   C(rename), C(renameat),  C(renameat2), C(unlink),
                                 C(unlinkat), C(fsync),  C(fdatasync), C(flock),     END_OF_CALLS};
/* Landlock says where; the kinds of files that must not be made (links by name, devices, FIFOs) are missing here too. */
static const int mail_calls[] = {
    C(openat),    C(openat2),   C(open),      C(pwrite64), C(pwritev),   C(pwritev2),        C(preadv2),         C(getdents64),
    C(fadvise64), C(readahead), C(flock),     C(fsync),    C(fdatasync), C(sync_file_range), C(msync),           C(mincore),
    C(rename),    C(renameat),  C(renameat2), C(link),     C(linkat),    C(unlink),          C(unlinkat),        C(rmdir),
    C(mkdir),     C(mkdirat),   C(utimensat), C(fstatfs),  C(statfs),    C(sendfile),        C(copy_file_range), C(splice),
    C(getcwd),    END_OF_CALLS,
};

/* For PAM and NSS: what no look-up of a user needs. */
static const int denied_calls[] = {
    C(ptrace),
    C(process_vm_readv),
    C(process_vm_writev),
    C(process_madvise),
    C(kcmp),
    C(pidfd_getfd),
    C(bpf),
    C(io_uring_setup),
    C(io_uring_enter),
    C(io_uring_register),
    C(userfaultfd),
    C(keyctl),
    C(add_key),
    C(request_key),
    C(mount),
    C(umount2),
    C(pivot_root),
    C(chroot),
    C(move_mount),
    C(open_tree),
    C(fsopen),
    C(fsconfig),
    C(fsmount),
    C(fspick),
    C(mount_setattr),
    C(init_module),
    C(finit_module),
    C(delete_module),
    C(kexec_load),
    C(kexec_file_load),
    C(perf_event_open),
    C(unshare),
    C(setns),
    C(reboot),
    C(swapon),
    C(swapoff),
    C(acct),
    C(quotactl),
    C(quotactl_fd),
    C(syslog),
    C(settimeofday),
    C(clock_settime),
    C(clock_adjtime),
    C(adjtimex),
    C(sethostname),
    C(setdomainname),
    C(iopl),
    C(ioperm),
    C(modify_ldt),
    C(personality),
    C(mknod),
    C(mknodat),
    C(open_by_handle_at),
    C(name_to_handle_at),
    C(fanotify_init),
    C(lookup_dcookie),
    C(vhangup),
    C(listen),
    C(accept),
    C(accept4),
    END_OF_CALLS,
};
/* For NSS, which needs no privilege and changes nothing. */
static const int denied_nss_calls[] = {
    C(execve),
    C(execveat),
    C(fork),
    C(vfork),
    C(kill),
    C(tkill),
    C(rt_sigqueueinfo),
    C(rt_tgsigqueueinfo),
    C(pidfd_send_signal),
    C(setuid),
    C(setgid),
    C(setreuid),
    C(setregid),
    C(setresuid),
    C(setresgid),
    C(setgroups),
    C(setfsuid),
    C(setfsgid),
    C(capset),
    C(chmod),
    C(fchmod),
    C(fchmodat),
    C(chown),
    C(fchown),
    C(lchown),
    C(fchownat),
    C(utime),
    C(utimes),
    C(utimensat),
    C(futimesat),
    C(setxattr),
    C(lsetxattr),
    C(fsetxattr),
    C(removexattr),
    C(lremovexattr),
    C(fremovexattr),
    END_OF_CALLS,
};
#undef C

/* Not F_SETFL: O_APPEND and O_NONBLOCK belong to the open file, which the log shares with all other processes, and a client's
 * socket with the process that it is handed to. */
static const int fcntl_commands[] = {F_GETFD, F_SETFD, F_GETFL, F_GET_SEALS, F_ADD_SEALS};
/* Not SO_LINGER: it makes close() wait, and the last close may be another process's. */
static const struct {
    int level, option;
} sockopts[] = {
    {SOL_SOCKET, SO_KEEPALIVE},       {SOL_SOCKET, SO_SNDBUF},    {SOL_SOCKET, SO_RCVBUF},     {SOL_SOCKET, SO_SNDTIMEO},
    {SOL_SOCKET, SO_RCVTIMEO},        {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_CORK},     {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},     {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_TCP, TCP_QUICKACK}, {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
};

static struct scmp_arg_cmp arg_is(unsigned arg, uint64_t value)
{
    return (struct scmp_arg_cmp){arg, SCMP_CMP_EQ, value, 0};
}

/* (argument & mask) == value */
static struct scmp_arg_cmp arg_masked(unsigned arg, uint64_t mask, uint64_t value)
{
    return (struct scmp_arg_cmp){arg, SCMP_CMP_MASKED_EQ, mask, value};
}

static int add_calls(scmp_filter_ctx ctx, uint32_t action, const int *calls)
{
    int err = 0;

    for (; err == 0 && *calls != END_OF_CALLS; calls++)
        err = seccomp_rule_add(ctx, action, *calls, 0);
    return err;
}

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp cmp)
{
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &cmp);
}

/* A call on any descriptor but that of the log, as a rule for every bit in which a number can differ from it: what the kernel
 * ignores of the register must not count as a difference. more: another argument to look at, or NULL. */
static int allow_but_log(scmp_filter_ctx ctx, int call, const struct scmp_arg_cmp *more)
{
    struct scmp_arg_cmp cmp[2];
    unsigned bit;
    int err = 0;

    if (more != NULL)
        cmp[1] = *more;
    for (bit = 0; err == 0 && bit < DESCRIPTOR_BITS; bit++) {
        uint64_t mask = 1u << bit;

        cmp[0] = arg_masked(0, mask, ~(uint64_t)STDERR_FILENO & mask);
        err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, more == NULL ? 1 : 2, cmp);
    }
    return err;
}

/* Where files can be cut, a copy of the log's descriptor would be one that allow_but_log() does not know. */
static int add_copies(scmp_filter_ctx ctx, unsigned groups)
{
    const struct scmp_arg_cmp copy = arg_is(1, F_DUPFD_CLOEXEC);
    int err = groups & GROUP_TRUNCATE ? allow_but_log(ctx, SCMP_SYS(fcntl), &copy) : allow_if(ctx, SCMP_SYS(fcntl), copy);

    if (err == 0) /* a new log takes the place of the old one */
        err = allow_if(ctx, SCMP_SYS(dup2), arg_is(1, STDERR_FILENO));
    return err;
}

static int add_truncate(scmp_filter_ctx ctx)
{
    int err = allow_but_log(ctx, SCMP_SYS(ftruncate), NULL);

    return err == 0 ? allow_but_log(ctx, SCMP_SYS(fallocate), NULL) : err;
}

static int add_base(scmp_filter_ctx ctx, unsigned groups)
{
    /* PR_SET_VMA: newer libcs name their memory. */
    static const unsigned long prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, 0x53564d41};
    int err = add_calls(ctx, SCMP_ACT_ALLOW, base_calls);
    size_t i;

    /* Nothing becomes executable any more. */
    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(mmap), arg_masked(2, PROT_EXEC, 0));
    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(mprotect), arg_masked(2, PROT_EXEC, 0));
    if (err == 0) /* limits: the own ones, which can only fall */
        err = allow_if(ctx, SCMP_SYS(prlimit64), arg_is(0, 0));
    if (err == 0)
        err = add_copies(ctx, groups);
    /* F_SETOWN and its kin could make the kernel send signals. */
    for (i = 0; err == 0 && i < ARRAY_LEN(fcntl_commands); i++)
        err = allow_if(ctx, SCMP_SYS(fcntl), arg_is(1, (unsigned)fcntl_commands[i]));
    for (i = 0; err == 0 && i < ARRAY_LEN(prctls); i++)
        err = allow_if(ctx, SCMP_SYS(prctl), arg_is(0, prctls[i]));
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0);
    return err;
}

static int add_no_files(scmp_filter_ctx ctx, unsigned groups)
{
    int err = add_calls(ctx, SCMP_ACT_ERRNO(EACCES), no_files_calls);

    if (err != 0)
        return err;
    if ((groups & GROUP_MEMFD) == 0)
        return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(newfstatat), 0);
    /* fstat() is this call with AT_EMPTY_PATH. */
    err = allow_if(ctx, SCMP_SYS(newfstatat), arg_masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(newfstatat), 1, arg_masked(3, AT_EMPTY_PATH, 0));
    return err;
}

/* fork() as libc makes it, no thread and no namespace; clone3 passes its flags in memory, where no filter can see them. */
static int add_forks(scmp_filter_ctx ctx)
{
    static const unsigned long prctls[] = {PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAPBSET_READ, PR_CAPBSET_DROP};
    int err = add_calls(ctx, SCMP_ACT_ALLOW, fork_calls);
    size_t i;

    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(clone), arg_is(0, CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD));
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    for (i = 0; err == 0 && i < ARRAY_LEN(prctls); i++)
        err = allow_if(ctx, SCMP_SYS(prctl), arg_is(0, prctls[i]));
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 2, arg_is(0, PR_SET_DUMPABLE), arg_is(1, 0));
    return err;
}

static int add_sockopts(scmp_filter_ctx ctx)
{
    size_t i;
    int err = 0;

    for (i = 0; err == 0 && i < ARRAY_LEN(sockopts); i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, arg_is(1, (unsigned)sockopts[i].level),
                               arg_is(2, (unsigned)sockopts[i].option));
    return err;
}

static int add_reads(scmp_filter_ctx ctx, unsigned groups)
{
    const unsigned long writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    int err = add_calls(ctx, SCMP_ACT_ALLOW, read_calls);

    if (err == 0 && (groups & (GROUP_MAIL | GROUP_KEEPS)) == 0)
        err = allow_if(ctx, SCMP_SYS(openat), arg_masked(2, writing, 0));
    return err;
}

static int add_locks(scmp_filter_ctx ctx)
{
    static const int commands[] = {F_SETLK, F_GETLK, F_OFD_SETLK, F_OFD_GETLK};
    int err = add_calls(ctx, SCMP_ACT_ALLOW, lock_calls);
    size_t i;

    for (i = 0; err == 0 && i < ARRAY_LEN(commands); i++)
        err = allow_if(ctx, SCMP_SYS(fcntl), arg_is(1, (unsigned)commands[i]));
    return err;
}

static int add_groups(scmp_filter_ctx ctx, unsigned groups)
{
    int err = add_base(ctx, groups);

    if (err == 0 && (groups & GROUP_NO_FILES))
        err = add_no_files(ctx, groups);
    if (err == 0 && (groups & GROUP_LISTENS))
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(accept4), 0);
    if (err == 0 && (groups & GROUP_FORKS))
        err = add_forks(ctx);
    if (err == 0 && (groups & GROUP_PAIRS))
        err = allow_if(ctx, SCMP_SYS(socketpair), arg_is(0, AF_UNIX));
    if (err == 0 && (groups & GROUP_SOCKOPTS))
        err = add_sockopts(ctx);
    if (err == 0 && (groups & GROUP_MEMFD))
        err = add_calls(ctx, SCMP_ACT_ALLOW, memfd_calls);
    if (err == 0 && (groups & GROUP_LOCKED))
        err = add_calls(ctx, SCMP_ACT_ALLOW, locked_calls);
    if (err == 0 && (groups & GROUP_READS))
        err = add_reads(ctx, groups);
    if (err == 0 && (groups & GROUP_LOCKS))
        err = add_locks(ctx);
    if (err == 0 && (groups & GROUP_KEEPS))
        err = add_calls(ctx, SCMP_ACT_ALLOW, keep_calls);
    if (err == 0 && (groups & GROUP_MAIL))
        err = add_calls(ctx, SCMP_ACT_ALLOW, mail_calls);
    if (err == 0 && (groups & GROUP_TRUNCATE))
        err = add_truncate(ctx);
    if (err == 0 && (groups & GROUP_SELF_SIGNAL))
        err = allow_if(ctx, SCMP_SYS(tgkill), arg_is(0, (unsigned)getpid()));
    return err;
}

/* Threads yes (a module may want one), processes for PAM only, namespaces for nobody. */
static int deny_clones(scmp_filter_ctx ctx, bool nss)
{
    static const unsigned long spaces[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                           CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
    int err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    size_t i;

    for (i = 0; err == 0 && i < ARRAY_LEN(spaces); i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, arg_masked(0, spaces[i], spaces[i]));
    if (err == 0 && nss)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, arg_masked(0, CLONE_THREAD, 0));
    return err;
}

static int add_denials(scmp_filter_ctx ctx, bool nss)
{
    int err = add_calls(ctx, SCMP_ACT_ERRNO(EPERM), denied_calls);

    if (err == 0 && nss)
        err = add_calls(ctx, SCMP_ACT_ERRNO(EPERM), denied_nss_calls);
    return err != 0 ? err : deny_clones(ctx, nss);
}

int sandbox_seccomp_enter(enum sandbox_profile profile)
{
    const struct filter *f = &filters[profile];
    scmp_filter_ctx ctx = seccomp_init(f->otherwise);
    int err = ctx == NULL ? -ENOMEM : 0;

    if (err == 0)
        err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (err == 0) /* the caller has seen to no_new_privs */
        err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
    if (err == 0) /* a tree in place of a chain of comparisons */
        err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (err == 0)
        err = f->groups != DENY_LIST ? add_groups(ctx, f->groups) : add_denials(ctx, profile != SANDBOX_HELPER_PAM);
    if (err == 0)
        err = seccomp_load(ctx);
    if (ctx != NULL)
        seccomp_release(ctx);
    if (err == 0)
        return 0;
    errno = -err;
    return err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP ? ERR_UNSUPPORTED : ERR_SYSTEM;
}
