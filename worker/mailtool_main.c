/*
 * culver-mailtool: started by culverctl as the owner of the mail (never root): opens the
 * mail path and the other folder, goes into a sandbox that sees only these two, and does one command. Its command line is
 * culverctl's affair; culverctl(8) describes the commands.
 *
 *   culver-mailtool [-b] [-q] [-M] [-f native|maildir|mbox] [-m MAILBOX] [-a NAME:USE]... COMMAND PATH [OTHER]
 *
 * -b: go on where the kernel has no Landlock. -q: no progress. -M: the messages of a new account are to be files of a Maildir.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/sandbox/sandbox.h"
#include "storage/maildir.h"
#include "storage/message/body.h"
#include "worker/autos.h"
#include "worker/tool.h"

#define AUTOS_MAX 64

struct command {
    const char *name;
    int (*run)(struct tool *t, const struct tool_job *job);
    bool changes, has_other, other_is_source;
};
static const struct command commands[] = {
    {"verify", tool_verify, false, false, false},  {"compact", tool_compact, true, false, false},
    {"salvage", tool_salvage, false, true, false}, {"export", tool_export, false, true, false},
    {"import", tool_import, true, true, true},
};

struct request {
    const struct command *command;
    const char *path, *other, *format;
    const char *autos[AUTOS_MAX];
    size_t nautos;
    bool best_effort, maildir;
};

static int fail(struct tool *t, const char *path, int err)
{
    char *shown = tool_printable(view_str(path));

    tool_complain(t, "%s: %s", shown, err_str(err));
    free(shown);
    return TOOL_EXIT_FAILED;
}

/* What a source looks like. */
static enum tool_format guess_format(int fd)
{
    struct stat st;

    if (fstatat(fd, "cur", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return TOOL_MAILDIR;
    if (fstatat(fd, "lock", &st, AT_SYMLINK_NOFOLLOW) == 0 || fstatat(fd, "log.00000001", &st, AT_SYMLINK_NOFOLLOW) == 0)
        return TOOL_NATIVE;
    return TOOL_MBOX;
}

static bool find_format(const struct request *r, struct tool_job *job)
{
    const struct view name = view_str(r->format);

    if (r->format == NULL)
        job->format = r->command->other_is_source ? guess_format(job->other) : TOOL_MAILDIR;
    else if (view_eq(name, VIEW("native")))
        job->format = TOOL_NATIVE;
    else if (view_eq(name, VIEW("maildir")))
        job->format = TOOL_MAILDIR;
    else if (view_eq(name, VIEW("mbox")))
        job->format = TOOL_MBOX;
    else
        return false;
    return job->format != TOOL_NATIVE || r->command->other_is_source;
}

/* The folder to write to is made; what is read must be there. */
static int open_other(const struct request *r, struct tool_job *job)
{
    int err;

    if (!r->command->has_other)
        return 0;
    if (!r->command->other_is_source && mkdir(r->other, 0700) != 0 && errno != EEXIST)
        return err_from_errno(errno);
    job->other = open(r->other, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (r->command->other_is_source ? 0 : O_DIRECTORY));
    if (job->other < 0)
        return err_from_errno(errno);
    if (!find_format(r, job))
        return ERR_UNSUPPORTED;
    err = job->format == TOOL_NATIVE ? vfs_posix_open(r->other, &job->source) : 0;
    return err;
}

/* What is there decides; for a new account, the configuration. */
static int open_mail(const struct request *r, struct tool_job *job)
{
    struct stat st;
    struct buf b;
    bool maildir;
    char *log;

    buf_init(&b, SIZE_MAX / 4);
    buf_put_fmt(&b, "%s/log.00000001", r->path);
    log = view_dup(buf_view(&b));
    maildir = r->maildir && stat(log, &st) != 0;
    free(log);
    buf_reset(&b);
    buf_put_fmt(&b, "%s/culver/lock", r->path);
    log = view_dup(buf_view(&b));
    maildir = maildir || stat(log, &st) == 0;
    free(log);
    buf_free(&b);
    return maildir ? maildir_open(r->path, &job->maildir, &job->vfs) : vfs_posix_open(r->path, &job->vfs);
}

static int confine(const struct request *r, const struct tool_job *job)
{
    /* A Maildir is read by opening its account, which writes. */
    bool writes = r->command->changes || (job->maildir != NULL && r->command->has_other);
    const struct sandbox_path paths[] = {{r->path, writes}, {r->other, !r->command->other_is_source}};
    const struct sandbox_params params = {
        .profile = SANDBOX_TOOL, .paths = paths, .npaths = r->command->has_other ? 2 : 1, .best_effort = r->best_effort};

    charset_preload();
    return sandbox_enter(&params);
}

static int run(struct request *r, struct tool *t, struct tool_job *job)
{
    const struct conf_list list = {r->autos, r->nautos};
    struct auto_mailbox *autos = NULL;
    struct stat st;
    int err;

    /* Only an import may make an account. */
    if (!r->command->other_is_source && stat(r->path, &st) != 0)
        return fail(t, r->path, err_from_errno(errno));
    err = open_other(r, job);
    if (err != 0)
        return fail(t, r->other, err);
    err = open_mail(r, job);
    if (err != 0)
        return fail(t, r->path, err);
    err = vfs_lock(job->vfs);
    if (err == 0)
        vfs_unlock(job->vfs);
    job->in_use = err == ERR_BUSY;
    autos_parse(&list, &autos, &job->nautos);
    job->autos = autos;
    err = confine(r, job);
    return err == 0 ? r->command->run(t, job) : fail(t, "sandbox", err);
}

static bool parse(int argc, char **argv, struct request *r, struct tool *t, struct tool_job *job)
{
    int opt;

    while ((opt = getopt(argc, argv, "+bqMf:m:a:")) != -1) {
        if (opt == 'b')
            r->best_effort = true;
        else if (opt == 'q')
            t->show = false;
        else if (opt == 'M')
            r->maildir = true;
        else if (opt == 'f')
            r->format = optarg;
        else if (opt == 'm')
            job->mailbox = view_str(optarg);
        else if (opt == 'a' && r->nautos < AUTOS_MAX)
            r->autos[r->nautos++] = optarg;
        else
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands) && optind < argc; i++) {
        if (strcmp(argv[optind], commands[i].name) == 0)
            r->command = &commands[i];
    }
    if (r->command == NULL || argc - optind != (r->command->has_other ? 3 : 2) || account_check_name(job->mailbox) != 0)
        return false;
    r->path = argv[optind + 1];
    r->other = argv[optind + 2];
    return true;
}

int main(int argc, char **argv)
{
    struct request r = {0};
    struct tool tool = {.show = isatty(STDERR_FILENO) == 1};
    struct tool_job job = {.other = -1, .mailbox = VIEW("INBOX")};
    int status;

    log_init("mailtool", STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_FATAL);
    (void)umask(077);
    if (!parse(argc, argv, &r, &tool, &job)) {
        (void)fputs("culver-mailtool: started by culverctl only; see culverctl(8)\n", stderr);
        return TOOL_EXIT_USAGE;
    }
    status = run(&r, &tool, &job);
    vfs_free(&job.vfs);
    vfs_free(&job.source);
    maildir_free(&job.maildir);
    return status;
}
