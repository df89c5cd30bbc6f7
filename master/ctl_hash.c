#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/secret/password.h"
#include "common/secret/secret.h"
#include "master/ctl.h"

/* A line without its end. Reading byte by byte leaves what follows (the second entry) to the next call. */
static int read_line(int fd, struct buf *out)
{
    for (;;) {
        uint8_t c;
        ssize_t n = read(fd, &c, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0 || c == '\n')
            return buf_ok(out) ? 0 : ERR_LIMIT;
        buf_put_byte(out, c);
        secret_wipe(&c, 1);
    }
}

static int ask(int tty, const char *prompt, struct buf *out)
{
    struct termios before, quiet;
    int rc;

    if (tcgetattr(tty, &before) != 0)
        return ERR_IO;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    quiet.c_lflag |= ECHONL;
    if (dprintf(tty, "%s", prompt) < 0 || tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
        return ERR_IO;
    rc = read_line(tty, out);
    if (tcsetattr(tty, TCSAFLUSH, &before) != 0 && rc == 0)
        rc = ERR_IO;
    return rc;
}

static int password_ask(struct buf *out)
{
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct buf again;
    int rc;

    if (tty < 0)
        return ERR_IO;
    buf_init_secret(&again, PASSWORD_MAX);
    rc = ask(tty, "Password: ", out);
    if (rc == 0)
        rc = ask(tty, "Once more: ", &again);
    if (rc == 0 && !secret_equal(buf_view(out), buf_view(&again)))
        rc = ERR_DENIED;
    buf_free(&again);
    (void)close(tty);
    return rc;
}

static const char *complaint(int rc)
{
    switch (rc) {
    case ERR_DENIED:
        return "the two passwords differ";
    case ERR_LIMIT:
        return "the password is too long or has a NUL in it";
    case ERR_UNSUPPORTED:
        return "no such scheme for new passwords";
    case ERR_SYNTAX:
        return "the password is empty";
    default:
        return err_str(rc);
    }
}

int ctl_hash_password(const char *scheme)
{
    struct buf password, hash;
    int rc = password_init();

    buf_init_secret(&password, PASSWORD_MAX);
    buf_init(&hash, PASSWORD_HASH_MAX + 64);
    if (rc == 0)
        rc = isatty(STDIN_FILENO) ? password_ask(&password) : read_line(STDIN_FILENO, &password);
    if (rc == 0 && buf_len(&password) == 0)
        rc = ERR_SYNTAX;
    if (rc == 0)
        rc = password_hash(view_str(scheme), true, buf_view(&password), &hash);
    if (rc == 0) {
        buf_put_byte(&hash, '\n');
        if (!buf_ok(&hash) || fwrite(buf_view(&hash).ptr, 1, buf_len(&hash), stdout) != buf_len(&hash) || fflush(stdout) != 0)
            rc = ERR_IO;
    }
    if (rc != 0)
        fprintf(stderr, "culverctl: %s\n", complaint(rc));
    buf_free(&password);
    buf_free(&hash);
    return rc == 0 ? 0 : 1;
}
