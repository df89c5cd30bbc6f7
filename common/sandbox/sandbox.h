/*
 * The sandboxes: one profile a process. Entered once, before the first untrusted byte, and never left.
 *
 * A profile is: Landlock (paths, no network bind or connect, no abstract sockets or signals to outside), a seccomp allow-list, resource
 * limits, no_new_privs, dumpable off, no capabilities. Later calls may only tighten: the child of a login service enters
 * SANDBOX_LOGIN_CONN on top of its parent's SANDBOX_LOGIN.
 */
#ifndef CULVER_COMMON_SANDBOX_SANDBOX_H
#define CULVER_COMMON_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum sandbox_profile {
    SANDBOX_LOGIN,      /* accepts and forks */
    SANDBOX_LOGIN_CONN, /* one client; no fork, no socket, no file */
    SANDBOX_LOGIN_SHARED,/* accepts and serves all clients in one process */
    SANDBOX_KEYS,
    SANDBOX_AUTH,
    SANDBOX_HELPER_HASH,
    SANDBOX_HELPER_NSS, /* may read files, use sockets; no exec */
    SANDBOX_HELPER_PAM, /* runs as root with what PAM needs: rlimits and a deny-list only */
    SANDBOX_LMTP,
    SANDBOX_LMTP_CONN,
    SANDBOX_WORKER,
    SANDBOX_PROFILE_COUNT
};

struct sandbox_path {
    const char *path;
    bool write;         /* read-only otherwise */
};

struct sandbox_params {
    enum sandbox_profile profile;
    const struct sandbox_path *paths;  /* only AUTH and WORKER may have any */
    size_t npaths;
    uint64_t memory_max;               /* RLIMIT_DATA; 0 = the profile's default */
    uint64_t file_max;                 /* RLIMIT_FSIZE; 0 = the profile's default */
    bool best_effort;                  /* go on, with a warning, where the kernel lacks Landlock */
};

/* Enters it. ERR_UNSUPPORTED: the kernel lacks something and best_effort is off; ERR_SYSTEM. On error the process must exit. */
MUST_CHECK int sandbox_enter(const struct sandbox_params *params);

/* For tests (`--sandbox-selftest` of each program): tries the forbidden operations from inside and returns how many were let through;
 * each attempt's name and outcome goes to the log at debug level. */
unsigned sandbox_selftest(void);

/* Drops to uid and gid with no supplementary groups, after an optional chroot; verifies that root cannot be regained.
 * With uid 0 or in rootless mode (rootless = true) ids are left as they are and no chroot is made. */
MUST_CHECK int sandbox_drop_ids(uint32_t uid, uint32_t gid, const char *chroot_dir, bool rootless);

#endif
