/*
 * culver-deliver: for MTAs and programs that hand over mail by calling a command (Postfix mailbox_command and pipe(8), Exim's
 * pipe, fetchmail --mda). It speaks LMTP to culver-lmtp's local socket and has no rights of its own: who may connect to the
 * socket may deliver, with or without it.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "lmtp/lda.h"

/* RFC 5321 4.5.3.2.6: a client waits 10 minutes for the answer to a message. */
#define TIMEOUT_S 600
#define TEXT_MAX 2048

struct options {
    const char *socket, *user, *sender, *recipient, *folder;
    char delimiter;
};

static const char usage[] =
    "usage: culver-deliver [-d user] [-f sender] [-a recipient] [-m folder] [-s delimiter] [-S socket] <message\n";

static int fail(int status, const char *text)
{
    fprintf(stderr, "%s\n", text);
    return status;
}

static int parse(int argc, char **argv, struct options *o)
{
    int c;

    *o = (struct options){.socket = CULVER_RUNDIR "/lmtp", .sender = "", .folder = "", .delimiter = '+'};
    while ((c = getopt(argc, argv, "d:f:a:m:s:S:")) != -1) {
        if (c == 'd')
            o->user = optarg;
        else if (c == 'f')
            o->sender = optarg;
        else if (c == 'a')
            o->recipient = optarg;
        else if (c == 'm')
            o->folder = optarg;
        else if (c == 's' && strlen(optarg) == 1)
            o->delimiter = optarg[0];
        else if (c == 'S')
            o->socket = optarg;
        else
            return EX_USAGE;
    }
    return optind == argc ? 0 : EX_USAGE;
}

/* How MTAs write the null sender. */
static struct view sender_path(const char *text)
{
    struct view v = view_str(text);

    if (v.len >= 2 && v.ptr[0] == '<' && v.ptr[v.len - 1] == '>')
        v = view_sub(v, 1, v.len - 2);
    return view_eq_nocase(v, VIEW("MAILER-DAEMON")) ? view_make(NULL, 0) : v;
}

/* Who it is for: -d, or else the address of -a, with the folder of -m or else of -a's extension; without both the caller. */
static int recipient(const struct options *o, struct buf *out)
{
    const struct passwd *pw;
    struct view folder = view_str(o->folder), address = view_str(o->recipient != NULL ? o->recipient : "");
    struct view local = view_sub(address, 0, view_find(address, '@'));
    size_t cut = view_find(local, (uint8_t)o->delimiter);

    if (folder.len == 0 && cut < local.len)
        folder = view_sub(local, cut + 1, local.len);
    if (o->user != NULL)
        return lda_put_recipient(out, view_str(o->user), o->delimiter, folder);
    if (address.len > 0 && o->folder[0] != '\0') { /* in the place of the extension that it may have */
        struct buf user;
        int err;

        buf_init(&user, TEXT_MAX);
        buf_put_view(&user, view_sub(address, 0, cut));
        buf_put_view(&user, view_sub(address, local.len, address.len));
        err = buf_ok(&user) ? lda_put_recipient(out, buf_view(&user), o->delimiter, folder) : ERR_LIMIT;
        buf_free(&user);
        return err;
    }
    if (address.len > 0) {
        buf_put_view(out, address);
        return lda_is_path(address) ? 0 : ERR_SYNTAX;
    }
    pw = getpwuid(getuid());
    return pw == NULL ? ERR_NOTFOUND : lda_put_recipient(out, view_str(pw->pw_name), o->delimiter, folder);
}

static int connect_to(const char *path)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0 &&
        connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    close(fd);
    return -1;
}

static int status_of(enum lda_end end, unsigned code, struct view text)
{
    if (end == LDA_DELIVERED)
        return EX_OK;
    if (end == LDA_BROKEN || code < 500)
        return EX_TEMPFAIL;
    if (view_starts(text, VIEW("5.1.")))
        return EX_NOUSER;
    if (code == 552)
        return EX_CANTCREAT;
    return EX_UNAVAILABLE;
}

/* What is printed begins with the enhanced status code where there is one: Postfix puts it into its bounce. */
static int deliver(const struct options *o, struct view path)
{
    struct lda_request r = {.message_fd = STDIN_FILENO, .sender = sender_path(o->sender), .recipient = path, .helo = "localhost"};
    struct buf text;
    unsigned code;
    enum lda_end end;
    int status;

    r.socket_fd = connect_to(o->socket);
    if (r.socket_fd < 0) {
        fprintf(stderr, "4.3.0 cannot connect to %s: %s\n", o->socket, log_errno_text(errno));
        return EX_TEMPFAIL;
    }
    buf_init(&text, TEXT_MAX);
    end = lda_deliver(&r, &code, &text);
    status = status_of(end, code, buf_view(&text));
    if (status != EX_OK)
        fprintf(stderr, "%s%.*s\n", end == LDA_BROKEN ? "4.3.0 " : "", (int)buf_len(&text), (const char *)buf_view(&text).ptr);
    buf_free(&text);
    close(r.socket_fd);
    return status;
}

int main(int argc, char **argv)
{
    struct options o;
    struct buf path;
    int status;

    if (geteuid() != getuid() || getegid() != getgid())
        return fail(EX_NOPERM, "culver-deliver is not to be installed set-user-ID or set-group-ID");
    if (parse(argc, argv, &o) != 0) {
        (void)fputs(usage, stderr);
        return EX_USAGE;
    }
    buf_init(&path, TEXT_MAX);
    if (!lda_is_path(sender_path(o.sender)))
        status = fail(EX_USAGE, "5.1.7 the sender is no address");
    else if (recipient(&o, &path) != 0)
        status = fail(EX_NOUSER, "5.1.3 the recipient is no address");
    else
        status = deliver(&o, buf_view(&path));
    buf_free(&path);
    return status;
}
