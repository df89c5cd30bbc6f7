/*
 * The sandboxes: one profile a process. Entered once, before the first untrusted byte, and never left.
 *
 * A profile is: Landlock (paths, no network bind or connect, no abstract sockets or signals to outside), a seccomp allow-list,
 * resource limits, no_new_privs, dumpable off, no capabilities. Later calls may only tighten: the child of a login service enters
 * SANDBOX_LOGIN_CONN on top of its parent's SANDBOX_LOGIN.
 */
#ifndef CULVER_COMMON_SANDBOX_SANDBOX_H
#define CULVER_COMMON_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum sandbox_profile {
    SANDBOX_LOGIN,        /* accepts and forks; its children enter SANDBOX_LOGIN_CONN on top */
    SANDBOX_LOGIN_CONN,   /* one client; no fork, no socket, no file */
    SANDBOX_LOGIN_SHARED, /* accepts and serves all clients in one process */
    SANDBOX_KEYS,
    SANDBOX_AUTH,
    SANDBOX_HELPER_HASH,
    SANDBOX_HELPER_NSS,    /* may read files, use sockets; no exec */
    SANDBOX_HELPER_SQLITE, /* reads beneath its paths, with the locks that SQLite takes */
    SANDBOX_HELPER_PEER,   /* a client of another server: may read files, use sockets; no exec */
    SANDBOX_HELPER_PAM,    /* runs as root with what PAM needs: rlimits and a deny-list only */
    SANDBOX_LMTP,          /* accepts and forks; its children enter SANDBOX_LMTP_CONN on top */
    SANDBOX_LMTP_CONN,
    SANDBOX_SMTP,   /* accepts mail servers and serves them in one process */
    SANDBOX_WORKER, /* reads and writes beneath the write paths, reads beneath the others */
    SANDBOX_TOOL,   /* as WORKER, without limits of memory and files: an administrator's work on one user's mail */
    SANDBOX_PROFILE_COUNT
};

struct sandbox_path {
    const char *path; /* must exist: a folder, with all beneath it, or a file */
    bool write;       /* read-only otherwise; only AUTH, WORKER and TOOL may have such; AUTH makes only files there */
};

struct sandbox_params {
    enum sandbox_profile profile;
    const struct sandbox_path *paths; /* only AUTH, HELPER_SQLITE, WORKER and TOOL may have any */
    size_t npaths;
    uint64_t memory_max; /* RLIMIT_DATA; 0 = the profile's default */
    uint64_t file_max;   /* RLIMIT_FSIZE; 0 = the profile's default */
    bool best_effort;    /* go on, with a warning, where the kernel lacks Landlock */
};

/* Enters it; the last thing before the first untrusted byte. ERR_UNSUPPORTED: the kernel lacks something and best_effort is off;
 * ERR_SYSTEM, ERR_NOTFOUND (a path). On error the process must exit. In sanitizer builds seccomp, RLIMIT_DATA and RLIMIT_NPROC
 * are left out (with a warning): sanitizers need more than any profile allows. */
MUST_CHECK int sandbox_enter(const struct sandbox_params *params);

/* For tests and `--sandbox-selftest` of each program: tries some fifty forbidden operations, each in a child of its own that
 * enters the sandbox first, so that being killed is an outcome like any other. Returns how many were let through (a child that
 * could not enter the sandbox counts); each attempt's outcome goes to the log, at debug level when it was denied. Call it outside
 * of any sandbox. */
unsigned sandbox_selftest(const struct sandbox_params *params);

/* The name of a profile in log lines: "login". */
const char *sandbox_name(enum sandbox_profile profile);

/* Drops to uid and gid with no supplementary groups and no capabilities, after an optional chroot (into a folder that only root
 * can write to); verifies that root cannot be regained. With uid 0 or in rootless mode (rootless = true) ids are left as they are
 * and no chroot is made. A process that is not root must already be uid and gid, with no other groups. ERR_DENIED when what was
 * to be reached is not the case, ERR_SYSTEM. On error the process must exit. */
MUST_CHECK int sandbox_drop_ids(uint32_t uid, uint32_t gid, const char *chroot_dir, bool rootless);

#endif
