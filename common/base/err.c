#include "common/base/err.h"

#include <errno.h>

const char *err_str(int err)
{
    switch ((enum err)err) {
    case ERR_NONE:
        return "no error";
    case ERR_SYNTAX:
        return "syntax error";
    case ERR_RANGE:
        return "number out of range";
    case ERR_LIMIT:
        return "limit reached";
    case ERR_IO:
        return "input/output error";
    case ERR_NOSPACE:
        return "no space left";
    case ERR_CORRUPT:
        return "stored data are damaged";
    case ERR_NOTFOUND:
        return "not found";
    case ERR_EXISTS:
        return "exists already";
    case ERR_DENIED:
        return "not allowed";
    case ERR_CLOSED:
        return "closed by the peer";
    case ERR_AGAIN:
        return "not ready";
    case ERR_TIMEOUT:
        return "timed out";
    case ERR_UNSUPPORTED:
        return "not supported";
    case ERR_STATE:
        return "not possible in this state";
    case ERR_QUOTA:
        return "over quota";
    case ERR_PROTO:
        return "internal message not allowed";
    case ERR_SYSTEM:
        return "system call failed";
    case ERR_BUSY:
        return "in use";
    case ERR_NOMEM:
        return "out of memory";
    }
    return "unknown error";
}

int err_from_errno(int errnum)
{
    switch (errnum) {
    case 0:
        return ERR_NONE;
    case ENOSPC:
    case EDQUOT:
        return ERR_NOSPACE;
    case EIO:
        return ERR_IO;
    case ENOENT:
        return ERR_NOTFOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_DENIED;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
        return ERR_CLOSED;
    case EAGAIN:
    case EINTR:
        return ERR_AGAIN;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EBUSY:
        return ERR_BUSY;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOSYS:
    case EOPNOTSUPP:
        return ERR_UNSUPPORTED;
    default:
        return ERR_SYSTEM;
    }
}
