/*
 * Landlock by its system calls: the headers that Culver is built with may know less than the kernel that it runs on, so the
 * constants of every ABI that is used are here.
 *
 *   ABI 1 files (5.13) · 2 moving between folders (5.19) · 3 truncation (6.2) · 4 TCP (6.7) · 5 ioctl on devices (6.10) · 6
 * signals and abstract sockets (6.12)
 */
#include "common/sandbox/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log/log.h"

#define NR_CREATE_RULESET 444
#define NR_ADD_RULE 445
#define NR_RESTRICT_SELF 446
#define CREATE_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_REMOVE_DIR (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_DIR (1ull << 7)
#define FS_MAKE_REG (1ull << 8)
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_ALL_ABI1 ((1ull << 13) - 1)
#define FS_ALL_ABI2 ((1ull << 14) - 1)
#define FS_ALL_ABI3 ((1ull << 15) - 1)
#define FS_ALL_ABI5 ((1ull << 16) - 1)
#define FS_OF_A_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)
#define FS_READ (FS_READ_FILE | FS_READ_DIR)
/* No devices, sockets, FIFOs or symbolic links, nothing to execute. */
#define FS_MAIL (FS_READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE)

/* Files that replace each other. */
#define FS_FILES (FS_READ | FS_WRITE_FILE | FS_REMOVE_FILE | FS_MAKE_REG | FS_TRUNCATE)

#define NET_ALL 3ull /* bind and connect of TCP */
#define SCOPE_ABSTRACT_UNIX (1ull << 0)
#define SCOPE_SIGNAL (1ull << 1)

struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

int sandbox_landlock_abi(void)
{
    long abi = syscall(NR_CREATE_RULESET, NULL, 0, CREATE_VERSION);

    return abi < 0 ? 0 : (int)abi;
}

static uint64_t all_fs(int abi)
{
    return abi >= 5 ? FS_ALL_ABI5 : abi >= 3 ? FS_ALL_ABI3 : abi == 2 ? FS_ALL_ABI2 : FS_ALL_ABI1;
}

/* Everything that this ABI can deny and the profile does not need. */
static int make_ruleset(int abi, enum sandbox_fs fs)
{
    struct ruleset_attr attr = {.handled_access_fs = all_fs(abi)};
    size_t size = sizeof(attr.handled_access_fs);

    if (abi >= 4) {
        attr.handled_access_net = fs == SANDBOX_FS_PATHS ? NET_ALL : 0;
        size = offsetof(struct ruleset_attr, scoped);
    }
    if (abi >= 6) {
        attr.scoped = SCOPE_SIGNAL | (fs == SANDBOX_FS_PATHS ? SCOPE_ABSTRACT_UNIX : 0);
        size = sizeof(attr);
    }
    return (int)syscall(NR_CREATE_RULESET, &attr, size, 0);
}

/* A link in the place of a path that may be written to could lead anywhere. */
static int allow_path(int ruleset, int abi, const char *path, uint64_t access)
{
    int fd = open(path, O_PATH | O_CLOEXEC | (access & FS_WRITE_FILE ? O_NOFOLLOW : 0));
    struct path_beneath_attr rule;
    struct stat st;
    int err = 0;

    if (fd < 0)
        return err_from_errno(errno);
    if (fstat(fd, &st) != 0)
        err = ERR_SYSTEM;
    else if (S_ISLNK(st.st_mode))
        err = ERR_DENIED;
    access &= all_fs(abi);
    if (!S_ISDIR(st.st_mode))
        access &= FS_OF_A_FILE;
    rule = (struct path_beneath_attr){access, fd};
    if (err == 0 && syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
        err = ERR_SYSTEM;
    close(fd);
    return err;
}

static int allow_paths(int ruleset, int abi, const struct sandbox_params *params, enum sandbox_fs fs)
{
    uint64_t write = params->profile == SANDBOX_AUTH ? FS_FILES : FS_MAIL;
    size_t i;
    int err = fs == SANDBOX_FS_READ_ALL ? allow_path(ruleset, abi, "/", FS_READ) : 0;

    for (i = 0; err == 0 && i < params->npaths; i++) {
        err = allow_path(ruleset, abi, params->paths[i].path, params->paths[i].write ? write : FS_READ);
        if (err != 0)
            LOG_ERROR(0, "path of a sandbox", F_STR("path", params->paths[i].path), F_ERR(err));
    }
    return err;
}

int sandbox_landlock_enter(const struct sandbox_params *params, enum sandbox_fs fs)
{
    int abi = sandbox_landlock_abi(), ruleset, err;

    if (abi == 0) {
        if (sandbox_profile_def(params->profile)->stacked) /* the parent is the one to decide */
            return 0;
        if (!params->best_effort)
            return ERR_UNSUPPORTED;
        LOG_WARN(0, "the kernel has no Landlock: going on without", F_STR("profile", sandbox_name(params->profile)));
        return 0;
    }
    ruleset = make_ruleset(abi, fs);
    if (ruleset < 0)
        return ERR_SYSTEM;
    err = allow_paths(ruleset, abi, params, fs);
    if (err == 0 && syscall(NR_RESTRICT_SELF, ruleset, 0) != 0)
        err = ERR_SYSTEM;
    close(ruleset);
    return err;
}
