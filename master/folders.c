/* The folders that master needs, and the pid file whose lock says that they are ours alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/master_int.h"

#define PID_NAME "culver.pid"

void master_complain(struct buf *errors, const char *what, const char *where, int errnum)
{
    buf_put_fmt(errors, "%s %s: %s\n", what, where, log_errno_text(errnum));
}

/* Made where it is missing, with its parents' permission; otherwise it must be a folder of ours that only we can write to. */
static int folder_prepare(const char *path, mode_t mode, struct buf *errors)
{
    struct stat st;

    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        master_complain(errors, "cannot make the folder", path, errno);
        return ERR_SYSTEM;
    }
    if (lstat(path, &st) != 0) {
        master_complain(errors, "cannot look at the folder", path, errno);
        return ERR_SYSTEM;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0022) != 0) {
        buf_put_fmt(errors, "%s: must be a folder that belongs to the user that runs culver and that nobody else can write to\n",
                    path);
        return ERR_DENIED;
    }
    return 0;
}

/* auth must be able to come through state_dir, which stays unreadable; what else is in it is for its owner only. */
static int passage_open(const struct setup *s, struct buf *errors)
{
    const char *path = s->master->state_dir;
    struct stat st;

    if (s->rootless || s->auth->auth_dir[0] != '\0')
        return 0;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
        ((st.st_mode & 0011) == 0011 || chmod(path, (st.st_mode & 07777) | 0011) == 0))
        return 0;
    master_complain(errors, "cannot open the way through", path, errno);
    return ERR_SYSTEM;
}

int auth_folder_prepare(const struct setup *s, struct buf *errors)
{
    struct ids ids = s->ids[ROLE_ID_AUTH];
    char *path = setup_auth_dir(s);
    int fd = -1, rc = passage_open(s, errors);
    struct stat st;

    if (rc != 0)
        goto out;
    rc = ERR_SYSTEM;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        master_complain(errors, "cannot make the folder", path, errno);
        goto out;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        master_complain(errors, "cannot look at the folder", path, errno);
        goto out;
    }
    if (st.st_uid != ids.uid && st.st_uid != geteuid()) {
        buf_put_fmt(errors, "%s: must belong to the account of auth_user\n", path);
        goto out;
    }
    if ((st.st_mode & 0077) != 0 && fchmod(fd, 0700) != 0) {
        master_complain(errors, "cannot close the folder", path, errno);
        goto out;
    }
    if ((st.st_uid != ids.uid || st.st_gid != ids.gid) && fchown(fd, ids.uid, ids.gid) != 0) {
        master_complain(errors, "cannot hand over the folder", path, errno);
        goto out;
    }
    rc = 0;
out:
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return rc;
}

int folders_prepare(const struct setup *s, struct buf *errors)
{
    mode_t before = umask(0022);
    int rc = folder_prepare(s->master->run_dir, 0755, errors);

    if (rc == 0)
        rc = folder_prepare(s->master->state_dir, 0700, errors);
    if (rc == 0 && s->chroot_dir != NULL)
        rc = folder_prepare(s->chroot_dir, 0555, errors);
    if (rc == 0)
        rc = auth_folder_prepare(s, errors);
    (void)umask(before);
    return rc;
}

static int pid_write(int fd)
{
    struct buf text;
    int rc;

    buf_init(&text, 32);
    buf_put_dec(&text, (uint64_t)getpid());
    buf_put_byte(&text, '\n');
    rc = ftruncate(fd, 0) == 0 && pwrite(fd, text.data, text.len, 0) == (ssize_t)text.len ? 0 : ERR_SYSTEM;
    buf_free(&text);
    return rc;
}

static int pid_open(const struct setup *s, int flags)
{
    int dir = open(s->master->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = dir < 0 ? -1 : openat(dir, PID_NAME, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);

    if (dir >= 0)
        (void)close(dir);
    return fd;
}

int pidfile_take(struct master *m, struct buf *errors)
{
    int fd = pid_open(m->setup, O_RDWR | O_CREAT);

    if (fd < 0) {
        master_complain(errors, "cannot open the pid file in", m->setup->master->run_dir, errno);
        return ERR_SYSTEM;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int err = errno;
        (void)close(fd);
        if (err == EWOULDBLOCK)
            buf_put_fmt(errors, "culver is already running with run_dir %s\n", m->setup->master->run_dir);
        else
            master_complain(errors, "cannot lock the pid file in", m->setup->master->run_dir, err);
        return err == EWOULDBLOCK ? ERR_BUSY : ERR_SYSTEM;
    }
    if (pid_write(fd) != 0) {
        master_complain(errors, "cannot write the pid file in", m->setup->master->run_dir, errno);
        (void)close(fd);
        return ERR_SYSTEM;
    }
    m->pid_fd = fd;
    return 0;
}

/* The file stays, empty: removing it while another master waits for its lock would let two of them hold "the" lock. */
void pidfile_drop(struct master *m)
{
    if (m->pid_fd < 0)
        return;
    if (ftruncate(m->pid_fd, 0) != 0)
        LOG_WARN(0, "cannot clear the pid file", F_ERRNO(errno));
    (void)close(m->pid_fd);
    m->pid_fd = -1;
}
