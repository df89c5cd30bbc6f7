#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/ipc/ipc.h"
#include "master/ctl.h"

#define ANSWER_WAIT_MS 90000 /* a worker may take a minute to leave */

/* The descriptor, or -1 with the reason said. */
static int ctl_connect(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(a.sun_path)) {
        fprintf(stderr, "culverctl: %s: the path is too long for a socket\n", path);
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    fprintf(stderr, "culverctl: cannot reach culver at %s: %s%s\n", path, strerror(errno),
            errno == ENOENT || errno == ECONNREFUSED ? " (it does not seem to run)" : "");
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static int ctl_send(int fd, enum ctl_verb verb, const char *argument)
{
    struct msg_ctl_request r = {.verb = verb, .argument = view_str(argument)};
    struct buf body;
    int rc;

    buf_init(&body, IPC_MAX_BODY);
    msg_ctl_request_encode(&body, &r);
    rc = ipc_send_wait(fd, ROLE_CTL, ROLE_MASTER, IPC_CTL_REQUEST, &body, NULL, 0, ANSWER_WAIT_MS);
    buf_free(&body);
    return rc;
}

static int ctl_send_credential(int fd, const struct msg_credential *msg)
{
    struct buf body;
    int rc;

    buf_init_secret(&body, IPC_MAX_BODY);
    msg_credential_encode(&body, msg);
    rc = ipc_send_wait(fd, ROLE_CTL, ROLE_MASTER, IPC_CTL_CREDENTIAL, &body, NULL, 0, ANSWER_WAIT_MS);
    buf_free(&body);
    return rc;
}

/* Columns of `who` are separated by tabs; a terminal's tab stops would not line up, so they are left to the reader. */
static void put_line(struct buf *text, struct view line)
{
    buf_put_view(text, line);
    buf_put_byte(text, '\n');
}

static int ctl_receive(int fd, struct buf *text, int *status_out)
{
    uint8_t storage[IPC_MAX_MSG];
    struct msg_ctl_line line;
    struct msg_ctl_end end;
    struct ipc_msg msg;

    for (;;) {
        int rc = ipc_recv_wait(fd, ROLE_CTL, ROLE_MASTER, IPC_STATE_BUSY, storage, &msg, ANSWER_WAIT_MS);
        if (rc != 0)
            return rc;
        if (msg.kind == IPC_CTL_LINE && msg_ctl_line_decode(msg.body, &line) == 0) {
            put_line(text, line.text);
            continue;
        }
        if (msg.kind != IPC_CTL_END || msg_ctl_end_decode(msg.body, &end) != 0)
            return ERR_PROTO;
        *status_out = end.status;
        return 0;
    }
}

static void ctl_complain(int rc)
{
    if (rc == ERR_CLOSED)
        fputs("culverctl: culver closed the connection (only root and the user that runs culver may use it)\n", stderr);
    else if (rc != 0)
        fprintf(stderr, "culverctl: %s\n", err_str(rc));
}

int ctl_ask(const char *socket_path, enum ctl_verb verb, const char *argument, struct buf *text, int *fd_out)
{
    int fd = ctl_connect(socket_path);
    int status = CTL_EXIT_UNREACHABLE;
    int rc;

    *fd_out = -1;
    if (fd < 0)
        return status;
    rc = ctl_send(fd, verb, argument);
    if (rc == 0)
        rc = ctl_receive(fd, text, &status);
    ctl_complain(rc);
    if (rc == 0 && status == 0 && verb == CTL_HOLD)
        *fd_out = fd; /* transferred */
    else
        (void)close(fd);
    return rc == 0 ? status : CTL_EXIT_UNREACHABLE;
}

static int ctl_print(const struct buf *text, int status)
{
    struct view v = buf_view(text);

    if (v.len > 0 && fwrite(v.ptr, 1, v.len, status == 0 ? stdout : stderr) != v.len)
        return 1;
    return status;
}

int ctl_request(const char *socket_path, enum ctl_verb verb, const char *argument)
{
    struct buf text;
    int fd, status;

    buf_init(&text, 64u * 1024 * 1024);
    status = ctl_ask(socket_path, verb, argument, &text, &fd);
    status = ctl_print(&text, status);
    buf_free(&text);
    return status;
}

int ctl_request_credential(const char *socket_path, const struct msg_credential *msg)
{
    int status = CTL_EXIT_UNREACHABLE, fd = ctl_connect(socket_path), rc;
    struct buf text;

    if (fd < 0)
        return status;
    buf_init(&text, 65536);
    rc = ctl_send_credential(fd, msg);
    if (rc == 0)
        rc = ctl_receive(fd, &text, &status);
    ctl_complain(rc);
    (void)close(fd);
    status = ctl_print(&text, rc == 0 ? status : CTL_EXIT_UNREACHABLE);
    buf_free(&text);
    return status;
}
