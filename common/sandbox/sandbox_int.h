/* What the files of the sandbox share; nobody else includes it. */
#ifndef CULVER_COMMON_SANDBOX_SANDBOX_INT_H
#define CULVER_COMMON_SANDBOX_SANDBOX_INT_H

#include "common/sandbox/sandbox.h"

/* What Landlock keeps from a profile. */
enum sandbox_fs {
    SANDBOX_FS_OPEN,     /* no Landlock at all (PAM) */
    SANDBOX_FS_READ_ALL, /* reads everywhere, writes nowhere; network allowed (NSS) */
    SANDBOX_FS_PATHS     /* only the paths of the params; no network, no signal, no abstract socket to the outside */
};

struct sandbox_limits {
    uint64_t data, fsize, nofile; /* nofile 0: all that the hard limit allows */
    bool forks;                   /* RLIMIT_NPROC is left alone */
};

struct sandbox_profile_def {
    const char *name;
    enum sandbox_fs fs;
    struct sandbox_limits limits;
    bool stacked; /* entered on top of another one */
};
/* NULL for what is no profile. */
const struct sandbox_profile_def *sandbox_profile_def(enum sandbox_profile profile);

/* sandbox_enter, with all of it (full) or without what a long life under a sanitizer needs: seccomp and RLIMIT_NPROC. RLIMIT_DATA
 * is left out in every sanitizer build. */
MUST_CHECK int sandbox_enter_mode(const struct sandbox_params *params, bool full);

/* Highest Landlock ABI of the kernel; 0: none. */
int sandbox_landlock_abi(void);
/* Needs no_new_privs. */
MUST_CHECK int sandbox_landlock_enter(const struct sandbox_params *params, enum sandbox_fs fs);
/* Needs no_new_privs or CAP_SYS_ADMIN. */
MUST_CHECK int sandbox_seccomp_enter(enum sandbox_profile profile);

/* Empties the ambient and bounding sets and, unless keep_pam, permitted, effective and inheritable. keep_pam leaves what PAM
 * modules run by root need. */
MUST_CHECK int sandbox_drop_caps(bool keep_pam);

/* sandbox_selftest without its last line; params NULL runs every attempt without a sandbox. Returns how many were let through. */
unsigned sandbox_selftest_run(const struct sandbox_params *params, unsigned *tried_out);

#endif
