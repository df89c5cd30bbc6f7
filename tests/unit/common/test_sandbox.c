/*
 * The sandboxes: that they keep in what they should (the self-test, for every profile, as root and as nobody), and that each
 * process can still do its work inside. Everything runs in children with the whole sandbox, seccomp included, also in sanitizer
 * builds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log/log.h"
#include "common/sandbox/sandbox_int.h"

#define NOBODY 65534u

/* What a child found wrong: the line of the test, as its exit status. */
#define CHILD(cond)                      \
    do {                                 \
        if (!(cond))                     \
            child_fail(__LINE__, #cond); \
    } while (0)

_Noreturn static void child_fail(int line, const char *what)
{
    char text[256];
    int n = snprintf(text, sizeof(text), "line %d: %s (%s)\n", line, what, log_errno_text(errno));

    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        _exit(2);
    _exit(1);
}

typedef void child_fn(const char *dir);

/* Runs fn in a child; returns the wait status. */
static int run(child_fn *fn, const char *dir)
{
    int status = -1;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        fn(dir);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void expect_good(child_fn *fn, const char *dir)
{
    int status = run(fn, dir);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("wait status 0x%x", (unsigned)status);
}

static void enter(enum sandbox_profile profile)
{
    const struct sandbox_params params = {.profile = profile};

    CHILD(sandbox_enter_mode(&params, true) == 0);
}

/* --- what must not work ------------------------------------------------------------------------------------------------ */

static void selftest_all(const char *dir)
{
    const struct sandbox_path path = {dir, true};
    struct sandbox_params params = {0};
    unsigned profile, tried, through = 0;

    for (profile = 0; profile < SANDBOX_PROFILE_COUNT; profile++) {
        params = (struct sandbox_params){.profile = (enum sandbox_profile)profile};
        if (profile == SANDBOX_WORKER)
            params = (struct sandbox_params){.profile = SANDBOX_WORKER, .paths = &path, .npaths = 1};
        through += sandbox_selftest_run(&params, &tried);
        CHILD(tried >= (profile == SANDBOX_HELPER_PAM                                     ? 20
                        : profile == SANDBOX_HELPER_NSS || profile == SANDBOX_HELPER_PEER ? 30
                                                                                          : 50));
    }
    CHILD(through == 0);
}

static void selftest_as_nobody(const char *dir)
{
    if (geteuid() == 0)
        CHILD(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
    selftest_all(dir);
}

static void test_selftest(void **state)
{
    expect_good(selftest_all, *state);
}

static void test_selftest_as_nobody(void **state)
{
    expect_good(selftest_as_nobody, *state);
}

/* Without a sandbox most attempts succeed: they are what they say. */
static void test_control(void **state)
{
    unsigned tried, through;

    (void)state;
    through = sandbox_selftest_run(NULL, &tried);
    assert_true(tried >= 50);
    assert_true(through >= (geteuid() == 0 ? tried - 8 : 20));
}

static void bad_params(const char *dir)
{
    const struct sandbox_path path = {dir, true};
    const struct sandbox_params login = {.profile = SANDBOX_LOGIN, .paths = &path, .npaths = 1};
    const struct sandbox_params keys = {.profile = SANDBOX_KEYS, .paths = &path, .npaths = 1};
    const struct sandbox_params none = {.profile = SANDBOX_PROFILE_COUNT};
    const struct sandbox_path missing = {"/does/not/exist", true};
    const struct sandbox_params worker = {.profile = SANDBOX_WORKER, .paths = &missing, .npaths = 1};
    const struct sandbox_path link = {"/tmp/culver-sandbox-link", true};
    const struct sandbox_params linked = {.profile = SANDBOX_WORKER, .paths = &link, .npaths = 1};

    CHILD(sandbox_enter_mode(&login, true) == ERR_STATE);
    CHILD(sandbox_enter_mode(&keys, true) == ERR_STATE);
    CHILD(sandbox_enter_mode(&none, true) == ERR_STATE);
    CHILD(sandbox_enter_mode(&worker, true) == ERR_NOTFOUND);
    CHILD(symlink(dir, "/tmp/culver-sandbox-link") == 0);
    CHILD(sandbox_enter_mode(&linked, true) == ERR_DENIED);
    CHILD(unlink("/tmp/culver-sandbox-link") == 0);
}

static void test_bad_params(void **state)
{
    expect_good(bad_params, *state);
}

/* --- what must work ---------------------------------------------------------------------------------------------------- */

/* What every process does: memory, random numbers, an epoll instance, a socket pair with a descriptor through it. */
static void work_base(void)
{
    unsigned char bytes[32];
    void *block = malloc(300000);
    int ep = epoll_create1(EPOLL_CLOEXEC);

    CHILD(block != NULL && ep >= 0);
    memset(block, 1, 300000);
    free(block);
    randombytes_buf(bytes, sizeof(bytes));
    CHILD(close(ep) == 0);
    CHILD(fcntl(STDERR_FILENO, F_GETFL) >= 0);
    CHILD(dup2(STDERR_FILENO, STDERR_FILENO) == STDERR_FILENO);
    LOG_DEBUG(0, "inside");
}

static void work_pair(void)
{
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    int fds[2], fd = STDERR_FILENO;

    CHILD(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    CHILD(sendmsg(fds[0], &msg, MSG_NOSIGNAL) == 1);
    CHILD(recvmsg(fds[1], &msg, MSG_CMSG_CLOEXEC) == 1);
    close(fds[0]);
    close(fds[1]);
}

static int status_of(pid_t pid)
{
    int status = -1;

    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void login_work(const char *dir)
{
    pid_t pid;

    (void)dir;
    enter(SANDBOX_LOGIN);
    work_base();
    work_pair();
    pid = fork();
    CHILD(pid >= 0);
    if (pid == 0) {
        enter(SANDBOX_LOGIN_CONN);
        work_base();
        work_pair();
        _exit(0);
    }
    CHILD(status_of(pid) == 0);
    pid = fork();
    CHILD(pid >= 0);
    if (pid == 0) {
        enter(SANDBOX_LOGIN_CONN);
        (void)fork();
        _exit(0);
    }
    CHILD(WTERMSIG(status_of(pid)) == SIGSYS);
    /* The parent may end a child, the child not the parent. */
    pid = fork();
    CHILD(pid >= 0);
    if (pid == 0) {
        enter(SANDBOX_LOGIN_CONN);
        for (;;)
            (void)sleep(10);
    }
    CHILD(kill(pid, SIGKILL) == 0);
    CHILD(WTERMSIG(status_of(pid)) == SIGKILL);
}

static void test_login(void **state)
{
    expect_good(login_work, *state);
}

static void abort_inside(const char *dir)
{
    (void)dir;
    enter(SANDBOX_LOGIN_CONN);
    signal(SIGABRT, SIG_DFL);
    abort();
}

/* A crash is reported as what it is. */
static void test_abort(void **state)
{
    int status = run(abort_inside, *state);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void limits_inside(const char *dir)
{
    struct rlimit core, files, procs, size;
    struct stat st;

    (void)dir;
    enter(SANDBOX_LOGIN_CONN);
    CHILD(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    CHILD(getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max <= 64);
    CHILD(getrlimit(RLIMIT_NPROC, &procs) == 0 && procs.rlim_max == 0);
    CHILD(getrlimit(RLIMIT_FSIZE, &size) == 0 && (size.rlim_max == 0 || fstat(2, &st) != 0));
    CHILD(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    CHILD(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void test_limits(void **state)
{
    expect_good(limits_inside, *state);
}

static void lmtp_work(const char *dir)
{
    const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
    struct stat st;
    int fd;

    (void)dir;
    enter(SANDBOX_LMTP);
    work_pair();
    enter(SANDBOX_LMTP_CONN);
    fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHILD(fd >= 0);
    CHILD(write(fd, "data", 4) == 4 && pwrite(fd, "D", 1, 0) == 1);
    CHILD(fcntl(fd, F_ADD_SEALS, seals) == 0 && fcntl(fd, F_GET_SEALS) == seals);
    CHILD(fstat(fd, &st) == 0 && st.st_size == 4);
    CHILD(stat("/etc/passwd", &st) < 0 && errno == EACCES);
    work_base();
}

static void test_lmtp(void **state)
{
    expect_good(lmtp_work, *state);
}

static void keys_work(const char *dir)
{
    char *page;
    int fd;

    (void)dir;
    enter(SANDBOX_KEYS);
    fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    CHILD(fd >= 0 || errno == ENOSYS);
    if (fd < 0)
        return;
    CHILD(ftruncate(fd, 4096) == 0);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHILD(page != MAP_FAILED);
    page[0] = 1;
    work_base();
}

static void test_keys(void **state)
{
    expect_good(keys_work, *state);
}

static void hash_work(const char *dir)
{
    char out[crypto_pwhash_STRBYTES];
    unsigned char *guarded;

    (void)dir;
    CHILD(sodium_init() >= 0);
    enter(SANDBOX_HELPER_HASH);
    CHILD(crypto_pwhash_str(out, "secret", 6, 2, 8 << 20) == 0);
    CHILD(crypto_pwhash_str_verify(out, "secret", 6) == 0);
    guarded = sodium_malloc(64);
    CHILD(guarded != NULL);
    sodium_free(guarded);
}

static void test_hash(void **state)
{
    expect_good(hash_work, *state);
}

static void nss_work(const char *dir)
{
    struct passwd *pw;

    (void)dir;
    enter(SANDBOX_HELPER_NSS);
    pw = getpwnam("root");
    CHILD(pw != NULL && pw->pw_uid == 0);
    CHILD(getpwnam("no-such-user-here") == NULL);
}

static void test_nss(void **state)
{
    expect_good(nss_work, *state);
}

static void pam_work(const char *dir)
{
    pid_t pid;

    (void)dir;
    enter(SANDBOX_HELPER_PAM);
    CHILD(geteuid() != 0 || open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0);
    pid = fork();
    CHILD(pid >= 0);
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    CHILD(status_of(pid) == 0);
}

static void test_pam(void **state)
{
    expect_good(pam_work, *state);
}

static void auth_work(const char *dir)
{
    char own[128], name[128];
    const struct sandbox_path paths[] = {{dir, false}, {own, true}};
    const struct sandbox_params params = {.profile = SANDBOX_AUTH, .paths = paths, .npaths = 2};
    struct stat st;
    int fd, folder;

    (void)snprintf(name, sizeof(name), "%s/users", dir);
    fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHILD(fd >= 0);
    CHILD(write(fd, "line", 4) == 4);
    close(fd);
    (void)snprintf(own, sizeof(own), "%s/own", dir);
    CHILD(mkdir(own, 0700) == 0);
    CHILD(sandbox_enter_mode(&params, true) == 0);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    CHILD(fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 4);
    CHILD(stat(name, &st) == 0);
    fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    CHILD(fd >= 0 && inotify_add_watch(fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO) >= 0);
    CHILD(open(name, O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES);
    CHILD(unlink(name) < 0 && errno == EACCES);
    /* Its own folder: files that replace each other, and nothing else. */
    folder = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHILD(folder >= 0);
    fd = openat(folder, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHILD(fd >= 0 && write(fd, "line", 4) == 4 && fsync(fd) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && close(fd) == 0);
    CHILD(renameat(folder, "new", folder, "file") == 0 && fsync(folder) == 0);
    CHILD(mkdirat(folder, "x", 0700) < 0 && symlinkat("/", folder, "x") < 0 && mknodat(folder, "x", S_IFIFO | 0600, 0) < 0);
    CHILD(renameat(folder, "file", AT_FDCWD, name) < 0);
    CHILD(unlinkat(folder, "file", 0) == 0);
    CHILD(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
    work_base();
    work_pair();
}

static void test_auth(void **state)
{
    expect_good(auth_work, *state);
}

static void worker_work(const char *dir)
{
    const struct sandbox_path paths[] = {{dir, true}, {"/etc", false}};
    const struct sandbox_params params = {.profile = SANDBOX_WORKER, .paths = paths, .npaths = 2};
    int root, fd, in, pair[2];
    struct stat st;

    CHILD(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHILD(sandbox_enter_mode(&params, true) == 0);
    root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHILD(root >= 0);
    CHILD(mkdirat(root, "a", 0700) == 0 && mkdirat(root, "b", 0700) == 0);
    fd = openat(root, "a/log", O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    CHILD(fd >= 0);
    CHILD(flock(fd, LOCK_EX | LOCK_NB) == 0);
    CHILD(write(fd, "data", 4) == 4 && fdatasync(fd) == 0 && fsync(root) == 0);
    CHILD(fallocate(fd, 0, 0, 4096) == 0 || errno == EOPNOTSUPP);
    CHILD(ftruncate(fd, 4) == 0);
    CHILD(mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
    CHILD(sendfile(pair[0], fd, &(off_t){0}, 4) == 4);
    CHILD(renameat2(root, "a/log", root, "b/log", RENAME_NOREPLACE) == 0 || errno == EINVAL);
    CHILD(linkat(root, "b/log", root, "b/two", 0) == 0);
    CHILD(unlinkat(root, "b/log", 0) == 0 && unlinkat(root, "b/two", 0) == 0);
    CHILD(unlinkat(root, "a", AT_REMOVEDIR) == 0 && unlinkat(root, "b", AT_REMOVEDIR) == 0);
    in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    CHILD(in >= 0 && inotify_add_watch(in, dir, IN_CREATE) >= 0);
    CHILD(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
    CHILD(open("/etc/passwd", O_WRONLY | O_CLOEXEC) < 0 && (errno == EACCES || errno == EROFS));
    CHILD(open("/usr/bin/true", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
    CHILD(symlinkat("/etc", root, "link") < 0 && errno == EPERM);
    CHILD(fchmod(fd, 0777) < 0 && errno == EPERM);
    CHILD(fstat(fd, &st) == 0);
    work_base();
}

static void test_worker(void **state)
{
    expect_good(worker_work, *state);
}

/* --- ids ------------------------------------------------------------------------------------------------------------------ */

static void drop_in_chroot(const char *dir)
{
    CHILD(sandbox_drop_ids(NOBODY, NOBODY, dir, false) == 0);
    CHILD(getuid() == NOBODY && getegid() == NOBODY && getgroups(0, NULL) == 0);
    CHILD(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == ENOENT);
    CHILD(prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 0);
    enter(SANDBOX_LOGIN);
}

static void drop_refusals(const char *dir)
{
    CHILD(sandbox_drop_ids(NOBODY, 0, NULL, false) == ERR_DENIED);
    CHILD(sandbox_drop_ids(UINT32_MAX, NOBODY, NULL, false) == ERR_DENIED);
    CHILD(chmod(dir, 0777) == 0);
    CHILD(sandbox_drop_ids(NOBODY, NOBODY, dir, false) == ERR_DENIED);
    CHILD(chmod(dir, 0755) == 0);
    CHILD(sandbox_drop_ids(NOBODY, NOBODY, "/does/not/exist", false) == ERR_NOTFOUND);
    CHILD(sandbox_drop_ids(NOBODY, NOBODY, NULL, true) == 0 && geteuid() == 0);
    CHILD(sandbox_drop_ids(0, 0, NULL, false) == 0 && geteuid() == 0);
    /* What is not root must already be what it should become. */
    CHILD(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
    CHILD(sandbox_drop_ids(NOBODY, NOBODY, NULL, false) == 0);
    CHILD(sandbox_drop_ids(NOBODY - 1, NOBODY, NULL, false) == ERR_DENIED);
    CHILD(sandbox_drop_ids(NOBODY, NOBODY, dir, false) == ERR_DENIED);
}

static void test_drop_ids(void **state)
{
    if (geteuid() != 0)
        skip();
    expect_good(drop_in_chroot, *state);
    expect_good(drop_refusals, *state);
}

/* A login child enters its sandbox once for each connection: it must not cost more than the fork. */
static void test_cost(void **state)
{
    struct timespec from, to;
    unsigned i;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (i = 0; i < 20; i++)
        assert_int_equal(run(limits_inside, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &to);
    print_message("fork and sandbox: %ld us\n", ((to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000) / 20);
}

static char folder[] = "/tmp/culver-sandbox-XXXXXX";

static int make_folder(void **state)
{
    log_init("test", STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_WARN);
    if (sandbox_landlock_abi() == 0)
        print_message("no Landlock on this kernel: most of this cannot pass\n");
    *state = folder;
    return mkdtemp(folder) == NULL || chmod(folder, 0755) != 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
    char name[64];

    (void)state;
    (void)snprintf(name, sizeof(name), "%s/users", folder);
    (void)unlink(name);
    (void)snprintf(name, sizeof(name), "%s/own", folder);
    (void)rmdir(name);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selftest), cmocka_unit_test(test_selftest_as_nobody),
        cmocka_unit_test(test_control),  cmocka_unit_test(test_bad_params),
        cmocka_unit_test(test_login),    cmocka_unit_test(test_abort),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_lmtp),
        cmocka_unit_test(test_keys),     cmocka_unit_test(test_hash),
        cmocka_unit_test(test_nss),      cmocka_unit_test(test_pam),
        cmocka_unit_test(test_auth),     cmocka_unit_test(test_worker),
        cmocka_unit_test(test_drop_ids), cmocka_unit_test(test_cost),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
