/* Files that helpers read before their sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "auth/helper.h"
#include "common/log/log.h"

int helper_read_file(const char *setting, const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = 1;
    if (fd < 0) {
        LOG_ERROR(0, "file cannot be read", F_STR("setting", setting), F_STR("file", path), F_ERRNO(errno));
        return ERR_NOTFOUND;
    }
    while (n > 0) {
        uint8_t *room = buf_reserve(out, 4096);
        n = room == NULL ? -1 : read(fd, room, 4096);
        if (n > 0)
            buf_commit(out, (size_t)n);
    }
    if (n < 0)
        LOG_ERROR(0, "file cannot be read, or is too large", F_STR("setting", setting), F_STR("file", path), F_ERRNO(errno));
    close(fd);
    return n < 0 ? ERR_IO : 0;
}
