/* The one set of error codes. Functions that can fail return 0 or one of these (all negative). */
#ifndef CULVER_COMMON_BASE_ERR_H
#define CULVER_COMMON_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

enum err {
    ERR_NONE = 0,
    ERR_SYNTAX = -1,       /* bytes that the grammar does not allow */
    ERR_RANGE = -2,        /* a number outside its bounds */
    ERR_LIMIT = -3,        /* a configured limit was reached */
    ERR_IO = -4,           /* the disk or a descriptor failed */
    ERR_NOSPACE = -5,      /* no space or quota of the file system left */
    ERR_CORRUPT = -6,      /* stored data do not match their checksum or form */
    ERR_NOTFOUND = -7,     /* no such thing */
    ERR_EXISTS = -8,       /* there is one already */
    ERR_DENIED = -9,       /* not allowed */
    ERR_CLOSED = -10,      /* the peer or the object is gone */
    ERR_AGAIN = -11,       /* nothing now; come back when ready */
    ERR_TIMEOUT = -12,     /* the deadline has passed */
    ERR_UNSUPPORTED = -13, /* known, but not here (kernel, build, format version) */
    ERR_STATE = -14,       /* not in this state */
    ERR_QUOTA = -15,       /* over the user's quota */
    ERR_PROTO = -16,       /* a peer process broke the message table */
    ERR_SYSTEM = -17,      /* a system call failed for a reason in errno */
    ERR_BUSY = -18,        /* somebody else holds it */
    ERR_NOMEM = -19        /* an allocation whose size depends on input failed */
};

/* A short lower-case English text, never NULL. */
const char *err_str(int err);

/* The err for an errno value (ENOSPC and EDQUOT: ERR_NOSPACE, EIO: ERR_IO, ENOENT: ERR_NOTFOUND ...). */
int err_from_errno(int errnum);

#endif
