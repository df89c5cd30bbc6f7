/*
 * Entering a sandbox, in the order that the kernel wants: limits, then no_new_privs (without which an unprivileged process
 * gets neither Landlock nor seccomp), capabilities, Landlock (which opens paths), seccomp at last.
 */
#include "common/sandbox/sandbox_int.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"

#ifdef CULVER_SANITIZED
#define SANITIZED true
#else
#define SANITIZED false
#endif
#define MIB (1024ull * 1024)
#define GIB (1024 * MIB)

/* fsize: keys and lmtp hold keys and messages in memfds, to which the limit applies as to files. */
static const struct sandbox_profile_def profiles[SANDBOX_PROFILE_COUNT] = {
    [SANDBOX_LOGIN] = {"login", SANDBOX_FS_PATHS, {64 * MIB, 0, 0, true}, false},
    [SANDBOX_LOGIN_CONN] = {"login-conn", SANDBOX_FS_PATHS, {64 * MIB, 0, 64, false}, true},
    [SANDBOX_LOGIN_SHARED] = {"login-shared", SANDBOX_FS_PATHS, {1 * GIB, 0, 0, false}, false},
    [SANDBOX_KEYS] = {"keys", SANDBOX_FS_PATHS, {64 * MIB, 16 * MIB, 0, false}, false},
    [SANDBOX_AUTH] = {"auth", SANDBOX_FS_PATHS, {512 * MIB, 1 * MIB, 0, false}, false},
    [SANDBOX_HELPER_HASH] = {"helper-hash", SANDBOX_FS_PATHS, {1 * GIB, 0, 16, false}, false},
    [SANDBOX_HELPER_NSS] = {"helper-nss", SANDBOX_FS_READ_ALL, {256 * MIB, 0, 256, true}, false},
    [SANDBOX_HELPER_SQLITE] = {"helper-sqlite", SANDBOX_FS_PATHS, {256 * MIB, 0, 64, false}, false},
    [SANDBOX_HELPER_PEER] = {"helper-peer", SANDBOX_FS_READ_ALL, {256 * MIB, 0, 64, true}, false},
    [SANDBOX_HELPER_PAM] = {"helper-pam", SANDBOX_FS_OPEN, {512 * MIB, RLIM_INFINITY, 256, true}, false},
    [SANDBOX_LMTP] = {"lmtp", SANDBOX_FS_PATHS, {64 * MIB, 2 * GIB, 0, true}, false},
    [SANDBOX_LMTP_CONN] = {"lmtp-conn", SANDBOX_FS_PATHS, {64 * MIB, 2 * GIB, 0, false}, true},
    [SANDBOX_SMTP] = {"smtp-auth", SANDBOX_FS_PATHS, {256 * MIB, 0, 0, false}, false},
    [SANDBOX_WORKER] = {"worker", SANDBOX_FS_PATHS, {512 * MIB, 8 * GIB, 1024, false}, false},
    [SANDBOX_TOOL] = {"tool", SANDBOX_FS_PATHS, {RLIM_INFINITY, RLIM_INFINITY, 0, false}, false},
};

const struct sandbox_profile_def *sandbox_profile_def(enum sandbox_profile profile)
{
    return (unsigned)profile < SANDBOX_PROFILE_COUNT ? &profiles[profile] : NULL;
}

const char *sandbox_name(enum sandbox_profile profile)
{
    const struct sandbox_profile_def *def = sandbox_profile_def(profile);

    return def != NULL ? def->name : "unknown";
}

/* Sets soft and hard limit to n, or to the hard limit where that is lower. */
static int limit(int resource, uint64_t n)
{
    struct rlimit rl;

    if (getrlimit((__rlimit_resource_t)resource, &rl) != 0)
        return ERR_SYSTEM;
    if (rl.rlim_max == RLIM_INFINITY || n < rl.rlim_max)
        rl.rlim_max = n;
    rl.rlim_cur = rl.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &rl) == 0 ? 0 : ERR_SYSTEM;
}

/* Soft up to the hard limit. */
static int limit_to_hard(int resource)
{
    return limit(resource, RLIM_INFINITY);
}

/* A log that is a file grows past any limit of ours, and RLIMIT_FSIZE is about offsets: then there is none. A process that may
 * not even ask is the child of one that has seen to it. */
static bool log_may_be_file(void)
{
    struct stat st;

    return fstat(STDERR_FILENO, &st) != 0 || S_ISREG(st.st_mode);
}

static int enter_limits(const struct sandbox_params *params, const struct sandbox_limits *l, bool full)
{
    int err = limit(RLIMIT_CORE, 0);

    if (err == 0)
        err = l->nofile == 0 ? limit_to_hard(RLIMIT_NOFILE) : limit(RLIMIT_NOFILE, l->nofile);
    if (err == 0 && !log_may_be_file())
        err = limit(RLIMIT_FSIZE, params->file_max != 0 ? params->file_max : l->fsize);
    if (err == 0 && !SANITIZED) /* shadow memory is far above any limit */
        err = limit(RLIMIT_DATA, params->memory_max != 0 ? params->memory_max : l->data);
    if (err == 0 && full && !l->forks)
        err = limit(RLIMIT_NPROC, 0);
    return err;
}

/* PAM modules may need a set-id program, which no_new_privs would break. Only root may load a filter without it. */
static int enter_no_new_privs(const struct sandbox_params *params)
{
    if (params->profile == SANDBOX_HELPER_PAM && geteuid() == 0)
        return 0;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : ERR_SYSTEM;
}

/* Root without CAP_SYS_ADMIN (a container): with no_new_privs the filter can be loaded all the same. */
static int enter_seccomp(enum sandbox_profile profile)
{
    int err = sandbox_seccomp_enter(profile);

    if (err == 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err;
    return sandbox_seccomp_enter(profile);
}

static bool profile_writes(enum sandbox_profile profile)
{
    return profile == SANDBOX_AUTH || profile == SANDBOX_WORKER || profile == SANDBOX_TOOL;
}

static bool params_are_valid(const struct sandbox_params *params)
{
    size_t i;

    if (sandbox_profile_def(params->profile) == NULL)
        return false;
    if (params->npaths > 0 && params->profile != SANDBOX_AUTH && params->profile != SANDBOX_HELPER_SQLITE &&
        !profile_writes(params->profile))
        return false;
    for (i = 0; i < params->npaths; i++)
        if (params->paths[i].write && !profile_writes(params->profile))
            return false;
    return true;
}

int sandbox_enter_mode(const struct sandbox_params *params, bool full)
{
    const struct sandbox_profile_def *def = sandbox_profile_def(params->profile);
    bool pam = params->profile == SANDBOX_HELPER_PAM;
    int err;

    if (!params_are_valid(params))
        return ERR_STATE;
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) /* past RLIMIT_FSIZE a write fails with EFBIG */
        return ERR_SYSTEM;
    err = enter_limits(params, &def->limits, full);
    if (err == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        err = ERR_SYSTEM;
    if (err == 0)
        err = enter_no_new_privs(params);
    /* PAM keeps CAP_SYS_ADMIN until its filter is loaded. */
    if (err == 0 && !pam)
        err = sandbox_drop_caps(false);
    if (err == 0 && def->fs != SANDBOX_FS_OPEN)
        err = sandbox_landlock_enter(params, def->fs);
    if (err == 0 && full)
        err = enter_seccomp(params->profile);
    if (err == 0 && pam)
        err = sandbox_drop_caps(true);
    return err;
}

int sandbox_enter(const struct sandbox_params *params)
{
    if (SANITIZED)
        LOG_WARN(0, "sanitizer build: sandbox without seccomp", F_STR("profile", sandbox_name(params->profile)));
    return sandbox_enter_mode(params, !SANITIZED);
}
