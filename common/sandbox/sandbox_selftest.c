/*
 * The self-test: what must not work, tried. An attempt counts as denied when it fails with EPERM or EACCES (ENOSYS: the kernel
 * has no such call, or the filter says so) or when it gets the process killed by SIGSYS; any other outcome, also a harmless error
 * such as EFAULT, means that the kernel's code was reached. Arguments are chosen so that an attempt that is let through does
 * no harm.
 */
#include "common/sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

/* What exists before the sandbox is entered. */
struct stage {
    char dir[64];    /* a folder of our own, outside of every sandbox's paths */
    char victim[80]; /* a file in it */
    char fresh[80];  /* a name in it that does not exist */
    int tcp;         /* an unconnected socket */
    int program;     /* an O_PATH descriptor of a program */
};

/* Any other exit status is that of something that was let through: a program that was executed, a sanitizer's report. */
enum child_exit { CHILD_THROUGH = 70, CHILD_DENIED = 71, CHILD_NOT_ENTERED = 72 };

/* Each returns what the system call did: negative with errno when it failed. */
typedef long attempt_fn(const struct stage *st);

static long open_path(const char *path, int flags)
{
    return openat(AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

static long try_open_passwd(const struct stage *st)
{
    (void)st;
    return open_path("/etc/passwd", O_RDONLY);
}
static long try_open_shadow(const struct stage *st)
{
    (void)st;
    return open_path("/etc/shadow", O_RDONLY);
}
static long try_open_environ(const struct stage *st)
{
    (void)st;
    return open_path("/proc/1/environ", O_RDONLY);
}
static long try_open_memory(const struct stage *st)
{
    (void)st;
    return open_path("/proc/self/mem", O_RDWR);
}
static long try_open_victim(const struct stage *st)
{
    return open_path(st->victim, O_WRONLY);
}
static long try_create(const struct stage *st)
{
    return open_path(st->fresh, O_WRONLY | O_CREAT);
}
static long try_tmpfile(const struct stage *st)
{
    return open_path(st->dir, O_RDWR | O_TMPFILE);
}
static long try_openat2(const struct stage *st)
{
    const uint64_t how[3] = {O_RDONLY | O_DIRECTORY, 0, 0};

    (void)st;
    return syscall(SYS_openat2, AT_FDCWD, "/etc", how, sizeof(how));
}
static long try_truncate(const struct stage *st)
{
    return truncate(st->victim, 0);
}
static long try_mkdir(const struct stage *st)
{
    return mkdirat(AT_FDCWD, st->fresh, 0700);
}
static long try_symlink(const struct stage *st)
{
    return symlinkat("/etc/passwd", AT_FDCWD, st->fresh);
}
static long try_link(const struct stage *st)
{
    return linkat(AT_FDCWD, st->victim, AT_FDCWD, st->fresh, 0);
}
static long try_rename(const struct stage *st)
{
    return renameat(AT_FDCWD, st->victim, AT_FDCWD, st->fresh);
}
static long try_unlink(const struct stage *st)
{
    return unlinkat(AT_FDCWD, st->victim, 0);
}
static long try_chmod(const struct stage *st)
{
    return chmod(st->victim, 0644);
}
static long try_chown(const struct stage *st)
{
    return chown(st->victim, getuid(), getgid());
}
static long try_mknod_device(const struct stage *st)
{
    return mknodat(AT_FDCWD, st->fresh, S_IFCHR | 0600, 0x103);
}
static long try_mknod_fifo(const struct stage *st)
{
    return mknodat(AT_FDCWD, st->fresh, S_IFIFO | 0600, 0);
}

static long try_socket_inet(const struct stage *st)
{
    (void)st;
    return socket(AF_INET, SOCK_STREAM, 0);
}
static long try_socket_inet6(const struct stage *st)
{
    (void)st;
    return socket(AF_INET6, SOCK_DGRAM, 0);
}
static long try_socket_unix(const struct stage *st)
{
    (void)st;
    return socket(AF_UNIX, SOCK_STREAM, 0);
}
static long try_socket_netlink(const struct stage *st)
{
    (void)st;
    return socket(AF_NETLINK, SOCK_RAW, 0);
}
static long try_socket_packet(const struct stage *st)
{
    (void)st;
    return socket(AF_PACKET, SOCK_RAW, 0);
}
static long try_connect(const struct stage *st)
{
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return connect(st->tcp, (const struct sockaddr *)&to, sizeof(to));
}
static long try_bind(const struct stage *st)
{
    const struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return bind(st->tcp, (const struct sockaddr *)&at, sizeof(at));
}
static long try_listen(const struct stage *st)
{
    return listen(st->tcp, 1);
}
static long try_bind_path(const struct stage *st)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd < 0)
        return fd;
    memcpy(at.sun_path, st->fresh, strlen(st->fresh) + 1);
    return bind(fd, (const struct sockaddr *)&at, sizeof(at));
}

static long try_exec(const struct stage *st)
{
    char *const none[] = {NULL};
    char *const argv[] = {(char[]){"true"}, NULL};

    (void)st;
    return execve("/bin/true", argv, none);
}
static long try_exec_fd(const struct stage *st)
{
    char *const none[] = {NULL};
    char *const argv[] = {(char[]){"true"}, NULL};

    return syscall(SYS_execveat, st->program, "", argv, none, AT_EMPTY_PATH);
}
static long try_fork(const struct stage *st)
{
    pid_t pid = fork();

    (void)st;
    if (pid == 0)
        _exit(0);
    return pid;
}
static long try_clone_namespace(const struct stage *st)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

    (void)st;
    if (pid == 0)
        _exit(0);
    return pid;
}
static long try_kill(const struct stage *st)
{
    (void)st;
    return kill(1, 0);
}
static long try_kill_parent(const struct stage *st)
{
    (void)st;
    return kill(getppid(), 0);
}
static long try_ptrace(const struct stage *st)
{
    (void)st;
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}
static long try_read_process(const struct stage *st)
{
    char byte;
    struct iovec iov = {&byte, 1};

    return process_vm_readv(getppid(), &iov, 1, &(struct iovec){(void *)(uintptr_t)st, 1}, 1, 0);
}
static long try_prlimit(const struct stage *st)
{
    struct rlimit rl;

    (void)st;
    return prlimit(getppid(), RLIMIT_CORE, NULL, &rl);
}

static long try_mount(const struct stage *st)
{
    return mount("none", st->dir, "no-such-file-system", 0, NULL);
}
static long try_umount(const struct stage *st)
{
    return umount2(st->dir, 0);
}
static long try_chroot(const struct stage *st)
{
    return chroot(st->dir);
}
static long try_unshare(const struct stage *st)
{
    (void)st;
    return unshare(CLONE_NEWUSER);
}
static long try_setns(const struct stage *st)
{
    (void)st;
    return setns(-1, 0);
}
static long try_bpf(const struct stage *st)
{
    (void)st;
    return syscall(SYS_bpf, 0, NULL, 0);
}
static long try_io_uring(const struct stage *st)
{
    (void)st;
    return syscall(SYS_io_uring_setup, 1, NULL);
}
static long try_perf(const struct stage *st)
{
    (void)st;
    return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
}
static long try_userfaultfd(const struct stage *st)
{
    (void)st;
    return syscall(SYS_userfaultfd, 0);
}
static long try_keyctl(const struct stage *st)
{
    (void)st;
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0, 0, 0);
}
static long try_module(const struct stage *st)
{
    (void)st;
    return syscall(SYS_init_module, NULL, 0, NULL);
}
static long try_handle(const struct stage *st)
{
    (void)st;
    return syscall(SYS_open_by_handle_at, -1, NULL, 0);
}
static long try_clock(const struct stage *st)
{
    (void)st;
    return syscall(SYS_clock_settime, CLOCK_REALTIME, NULL);
}
static long try_hostname(const struct stage *st)
{
    (void)st;
    return syscall(SYS_sethostname, NULL, -1);
}
static long try_reboot(const struct stage *st)
{
    (void)st;
    return syscall(SYS_reboot, 0, 0, 0, NULL);
}
static long try_personality(const struct stage *st)
{
    (void)st;
    return syscall(SYS_personality, 0xffffffffu);
}

#ifdef __x86_64__
/* The x32 form of a call that every profile allows: filters of numbers alone would let it pass. */
static long try_x32(const struct stage *st)
{
    (void)st;
    return syscall(0x40000000L | SYS_getpid);
}
#endif

static long try_setuid(const struct stage *st)
{
    (void)st;
    return setresuid(0, 0, 0);
}
static long try_setgroups(const struct stage *st)
{
    (void)st;
    return syscall(SYS_setgroups, 0, NULL);
}
static long try_dumpable(const struct stage *st)
{
    (void)st;
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static long try_mmap_exec(const struct stage *st)
{
    (void)st;
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static long try_mprotect_exec(const struct stage *st)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)st;
    return page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

/* The log is shared with every other process. */
static long try_truncate_log(const struct stage *st)
{
    (void)st;
    return ftruncate(STDERR_FILENO, -1);
}
/* The same number to the kernel, another one to a filter that compares whole registers. */
static long try_truncate_log_wide(const struct stage *st)
{
    (void)st;
    return syscall(SYS_ftruncate, 0x100000000L | STDERR_FILENO, -1L);
}
static long try_punch_log(const struct stage *st)
{
    (void)st;
    return fallocate(STDERR_FILENO, 0, 0, 0);
}
static long try_copy_log(const struct stage *st)
{
    (void)st;
    return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}
static long try_copy_log_wide(const struct stage *st)
{
    (void)st;
    return syscall(SYS_fcntl, 0x100000000L | STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
}
static long try_dup_log(const struct stage *st)
{
    (void)st;
    return dup(STDERR_FILENO);
}
static long try_rewrite_log(const struct stage *st)
{
    (void)st;
    return fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL));
}
/* With this set, whoever closes the socket last may wait for its client. */
static long try_linger(const struct stage *st)
{
    const struct linger l = {1, 3600};

    return setsockopt(st->tcp, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

#define P(profile) (1u << SANDBOX_##profile)
#define PAM P(HELPER_PAM)
#define LOOK_UP (P(HELPER_PAM) | P(HELPER_NSS) | P(HELPER_PEER))
#define FORKING (P(LOGIN) | P(LMTP))
/* They cannot change any file, by whatever descriptor. */
#define NO_FILES \
    (P(LOGIN) | P(LOGIN_CONN) | P(LOGIN_SHARED) | P(AUTH) | P(HELPER_HASH) | P(HELPER_SQLITE) | P(LMTP) | P(LMTP_CONN) | P(SMTP))

static const struct {
    const char *name;
    attempt_fn *run;
    unsigned allowed; /* profiles that may do this */
} attempts[] = {
    {"open /etc/passwd", try_open_passwd, LOOK_UP},
    {"open /etc/shadow", try_open_shadow, LOOK_UP},
    {"open /proc/1/environ", try_open_environ, LOOK_UP},
    {"open /proc/self/mem for writing", try_open_memory, PAM},
    {"open a file for writing", try_open_victim, PAM},
    {"create a file", try_create, PAM},
    {"create a file without a name", try_tmpfile, PAM},
    {"openat2 of a folder", try_openat2, LOOK_UP},
    {"truncate a file", try_truncate, PAM},
    {"mkdir", try_mkdir, PAM},
    {"symlink", try_symlink, PAM},
    {"link", try_link, PAM},
    {"rename", try_rename, PAM},
    {"unlink", try_unlink, PAM},
    {"chmod", try_chmod, PAM},
    {"chown", try_chown, PAM},
    {"mknod of a device", try_mknod_device, 0},
    {"mknod of a FIFO", try_mknod_fifo, 0},
    {"socket IPv4", try_socket_inet, LOOK_UP},
    {"socket IPv6", try_socket_inet6, LOOK_UP},
    {"socket unix", try_socket_unix, LOOK_UP},
    {"socket netlink", try_socket_netlink, LOOK_UP},
    {"socket packet", try_socket_packet, 0},
    {"connect", try_connect, LOOK_UP},
    {"bind", try_bind, LOOK_UP},
    {"bind to a path", try_bind_path, PAM},
    {"listen", try_listen, 0},
    {"execve", try_exec, PAM},
    {"execveat of a descriptor", try_exec_fd, PAM},
    {"fork", try_fork, PAM | FORKING},
    {"clone into a namespace", try_clone_namespace, 0},
    {"kill init", try_kill, PAM},
    {"kill the parent", try_kill_parent, PAM},
    {"ptrace", try_ptrace, 0},
    {"process_vm_readv", try_read_process, 0},
    {"prlimit of another process", try_prlimit, LOOK_UP},
    {"mount", try_mount, 0},
    {"umount", try_umount, 0},
    {"chroot", try_chroot, 0},
    {"unshare", try_unshare, 0},
    {"setns", try_setns, 0},
    {"bpf", try_bpf, 0},
    {"io_uring_setup", try_io_uring, 0},
    {"perf_event_open", try_perf, 0},
    {"userfaultfd", try_userfaultfd, 0},
    {"keyctl", try_keyctl, 0},
    {"init_module", try_module, 0},
    {"open_by_handle_at", try_handle, 0},
    {"clock_settime", try_clock, 0},
    {"sethostname", try_hostname, 0},
    {"reboot", try_reboot, 0},
    {"personality", try_personality, 0},
#ifdef __x86_64__
    {"system call of x32", try_x32, 0},
#endif
    {"setresuid 0", try_setuid, PAM},
    {"setgroups", try_setgroups, PAM},
    {"become dumpable", try_dumpable, LOOK_UP},
    {"ftruncate of the log", try_truncate_log, LOOK_UP},
    {"ftruncate of the log, wide number", try_truncate_log_wide, LOOK_UP},
    {"fallocate in the log", try_punch_log, LOOK_UP},
    {"copy the log's descriptor", try_copy_log, LOOK_UP | NO_FILES},
    {"copy the log's descriptor, wide number", try_copy_log_wide, LOOK_UP | NO_FILES},
    {"dup the log's descriptor", try_dup_log, LOOK_UP},
    {"change the flags of the log", try_rewrite_log, LOOK_UP},
    {"SO_LINGER", try_linger, LOOK_UP},
    {"mmap of executable memory", try_mmap_exec, LOOK_UP},
    {"mprotect to executable", try_mprotect_exec, LOOK_UP},
};

static bool outcome_is_denied(long result, int error)
{
    return result < 0 && (error == EPERM || error == EACCES || error == ENOSYS);
}

_Noreturn static void run_attempt(const struct sandbox_params *params, attempt_fn *run, const struct stage *st)
{
    const struct rlimit none = {0, 0};
    long result;

    (void)setrlimit(RLIMIT_CORE, &none);
    /* params NULL: the control, which shows what the attempt does without a sandbox. */
    if (params != NULL && sandbox_enter_mode(params, true) != 0)
        _exit(CHILD_NOT_ENTERED);
    result = run(st);
    _exit(outcome_is_denied(result, errno) ? CHILD_DENIED : CHILD_THROUGH);
}

/* Undoes what an attempt that was let through has done. */
static void reset_stage(const struct stage *st)
{
    int fd;

    (void)unlink(st->fresh);
    (void)rmdir(st->fresh);
    fd = open(st->victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static int open_stage(struct stage *st)
{
    const char *base = access("/tmp", W_OK) == 0 ? "/tmp" : "/var/tmp";

    (void)snprintf(st->dir, sizeof(st->dir), "%s/culver-selftest-XXXXXX", base);
    st->tcp = st->program = -1;
    if (mkdtemp(st->dir) == NULL)
        return ERR_SYSTEM;
    (void)snprintf(st->victim, sizeof(st->victim), "%s/victim", st->dir);
    (void)snprintf(st->fresh, sizeof(st->fresh), "%s/fresh", st->dir);
    st->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    st->program = open("/bin/true", O_PATH | O_CLOEXEC);
    reset_stage(st);
    return 0;
}

static void close_stage(struct stage *st)
{
    (void)unlink(st->victim);
    (void)unlink(st->fresh);
    (void)rmdir(st->dir);
    if (st->tcp >= 0)
        close(st->tcp);
    if (st->program >= 0)
        close(st->program);
}

/* True when the attempt was denied. */
static bool attempt_is_denied(const struct sandbox_params *params, size_t i, const struct stage *st, const char **outcome_out)
{
    pid_t pid = fork();
    int status = 0;

    *outcome_out = "no child";
    if (pid < 0)
        return false;
    if (pid == 0)
        run_attempt(params, attempts[i].run, st);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    reset_stage(st);
    if (WIFSIGNALED(status)) {
        *outcome_out = WTERMSIG(status) == SIGSYS ? "killed" : "killed by another signal";
        return WTERMSIG(status) == SIGSYS;
    }
    *outcome_out = WEXITSTATUS(status) == CHILD_DENIED        ? "denied"
                   : WEXITSTATUS(status) == CHILD_NOT_ENTERED ? "not in the sandbox"
                                                              : "let through";
    return WEXITSTATUS(status) == CHILD_DENIED;
}

unsigned sandbox_selftest_run(const struct sandbox_params *params, unsigned *tried_out)
{
    struct stage st;
    unsigned through = 0, tried = 0;
    const char *outcome;
    size_t i;

    if (open_stage(&st) != 0) {
        LOG_ERROR(0, "no folder for the self-test of the sandbox", F_ERRNO(errno));
        return ARRAY_LEN(attempts);
    }
    for (i = 0; i < ARRAY_LEN(attempts); i++) {
        if (params != NULL && (attempts[i].allowed & (1u << params->profile)))
            continue;
        tried++;
        if (attempt_is_denied(params, i, &st, &outcome)) {
            LOG_DEBUG(0, "sandbox self-test", F_STR("attempt", attempts[i].name), F_STR("outcome", outcome));
            continue;
        }
        through++;
        if (params != NULL)
            LOG_ERROR(0, "sandbox self-test: not denied", F_STR("profile", sandbox_name(params->profile)),
                      F_STR("attempt", attempts[i].name), F_STR("outcome", outcome));
    }
    close_stage(&st);
    *tried_out = tried;
    return through;
}

unsigned sandbox_selftest(const struct sandbox_params *params)
{
    unsigned tried, through = sandbox_selftest_run(params, &tried);

    if (through == 0)
        LOG_INFO(0, "sandbox self-test passed", F_STR("profile", sandbox_name(params->profile)), F_UINT("denied", tried));
    return through;
}
