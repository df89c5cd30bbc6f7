/*
 * Checking everything that an account's files hold: every checksum, every reference, every counter. Nothing is changed. Called by
 * the tool that does it as the mail's owner, over a vfs_frozen.
 */
#ifndef CULVER_STORAGE_VERIFY_H
#define CULVER_STORAGE_VERIFY_H

#include "storage/vfs.h"

enum verify_grade {
    VERIFY_NOTE,     /* not damage: left over, to be removed sooner or later */
    VERIFY_HARMLESS, /* damage to what can be made again, or that nothing refers to */
    VERIFY_LOSS      /* messages, or what is known of them, cannot be read (any more) */
};

struct verify_finding {
    enum verify_grade grade;
    const char *what; /* constant text */
    bool has_file;
    struct vfs_name file;
    uint64_t offset, length; /* length 0: the file as a whole */
    struct view mailbox;     /* its name; ptr NULL: none in particular */
    uint32_t uid;            /* 0: none in particular */
};

struct verify_params {
    void (*found)(void *arg, const struct verify_finding *f);
    void (*progress)(void *arg, uint64_t done, uint64_t total); /* octets; may be NULL */
    void *arg;
};

struct verify_result {
    uint64_t files, bytes, mailboxes, messages;
    uint64_t findings[VERIFY_LOSS + 1]; /* by grade */
};

/* 0 when everything was looked at, whatever was found. ERR_IO, ERR_NOMEM, ERR_UNSUPPORTED (a newer format). */
MUST_CHECK int verify_account(struct vfs *frozen, const struct verify_params *params, struct verify_result *out);

#endif
