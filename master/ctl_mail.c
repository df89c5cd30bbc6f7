/*
 * The commands on one user's mail. culverctl itself never touches it: it finds out whose mail it is (from master by the name of
 * the user, or from the owner of the folder), becomes that user in a child, and executes culver-mailtool there, which goes into a
 * sandbox. For commands that change something master keeps its worker away for as long as the connection to the control socket is
 * open.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/conf/settings.h"
#include "common/sandbox/sandbox.h"
#include "master/ctl.h"
#include "master/mail_dir.h"

#define ARGS_MAX 160

struct mail_command {
    const char *name;
    bool holds; /* changes the mail */
    bool other; /* takes SRC or DEST */
};
static const struct mail_command commands[] = {
    {"verify", false, false}, {"compact", true, false}, {"salvage", false, true}, {"export", false, true}, {"import", true, true},
};

struct request {
    const struct mail_command *command;
    const char *user, *path, *format, *mailbox, *other;
    bool quiet;
};
struct target {
    uint32_t uid, gid;
    char *path;
    int hold; /* the connection that holds the mail; -1: none */
    bool maildir;
};

bool ctl_is_mail_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return true;
    return false;
}

static bool parse(int argc, char **argv, struct request *r)
{
    int opt;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, argv[0]) == 0)
            r->command = &commands[i];
    optind = 0; /* another argv: from its beginning */
    while ((opt = getopt(argc, argv, "+u:p:f:m:q")) != -1) {
        if (opt == 'u')
            r->user = optarg;
        else if (opt == 'p')
            r->path = optarg;
        else if (opt == 'f' && r->command->other && strcmp(r->command->name, "salvage") != 0)
            r->format = optarg;
        else if (opt == 'm' && strcmp(r->command->name, "import") == 0)
            r->mailbox = optarg;
        else if (opt == 'q')
            r->quiet = true;
        else
            return false;
    }
    if ((r->user == NULL) == (r->path == NULL) || argc - optind != (r->command->other ? 1 : 0))
        return false;
    r->other = argv[optind];
    return true;
}

/* --- whose mail it is
 * ------------------------------------------------------------------------------------------------------------ */

static uint32_t number(struct view v, bool *bad)
{
    struct cursor c = cursor_make(v);
    uint32_t n = (uint32_t)cursor_dec(&c, 0, UINT32_MAX - 1);

    *bad = *bad || !cursor_done(&c);
    return n;
}

/* "key<TAB>value" lines. */
static bool take_answer(struct view text, struct target *t)
{
    bool bad = false;

    t->uid = t->gid = UINT32_MAX;
    while (text.len > 0) {
        struct view line = view_sub(text, 0, view_find(text, '\n'));
        size_t tab = view_find(line, '\t');
        struct view key = view_sub(line, 0, tab), value = view_sub(line, tab + 1, line.len);

        if (view_eq(key, VIEW("uid"))) {
            t->uid = number(value, &bad);
        } else if (view_eq(key, VIEW("gid"))) {
            t->gid = number(value, &bad);
        } else if (view_eq(key, VIEW("path"))) {
            free(t->path);
            t->path = view_dup(value);
        } else if (view_eq(key, VIEW("format"))) {
            t->maildir = view_eq(value, VIEW("maildir"));
        }
        text = view_sub(text, line.len + 1, text.len);
    }
    return !bad && t->path != NULL && t->uid != UINT32_MAX && t->gid != UINT32_MAX;
}

static bool general_maildir(const struct conf *conf)
{
    const struct set_worker *worker = conf != NULL ? conf_get(conf, &set_worker_component) : NULL;

    return worker != NULL && worker->mail_format == SET_MAIL_MAILDIR;
}

/* The files of a Maildir cannot be told apart beside the worker that moves them. */
static bool holds(const struct request *r, const struct target *t)
{
    return r->command->holds || (t->maildir && strcmp(r->command->name, "export") == 0);
}

static int find_user(const struct request *r, const char *socket_path, bool hold, struct target *t)
{
    struct buf text;
    int status;

    buf_init(&text, 65536);
    status = ctl_ask(socket_path, hold ? CTL_HOLD : CTL_LOOKUP, r->user, &text, &t->hold);
    if (status != 0) {
        (void)fwrite(buf_view(&text).ptr, 1, buf_len(&text), stderr);
    } else if (!take_answer(buf_view(&text), t)) {
        fputs("culverctl: culver's answer makes no sense\n", stderr);
        status = 1;
    }
    buf_free(&text);
    /* The user's format is not the general one, and asks for more. */
    return status == 0 && !hold && holds(r, t) ? find_user(r, socket_path, true, t) : status;
}

static int find_path(const struct request *r, struct target *t)
{
    char *path = realpath(r->path, NULL);
    struct stat st;

    if (path == NULL || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "culverctl: %s: %s\n", r->path, path == NULL ? strerror(errno) : "not a folder");
        free(path);
        return 1;
    }
    t->uid = st.st_uid;
    t->gid = st.st_gid;
    t->path = path; /* transferred */
    return 0;
}

/* --- the child
 * -------------------------------------------------------------------------------------------------------------------- */

static _Noreturn void child(const struct request *r, const struct target *t, const char *program, const char **argv)
{
    const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
#ifdef CULVER_SANITIZED
    const char *const sanitizer_env[] = {"PATH=/usr/bin:/bin", "ASAN_OPTIONS=detect_leaks=0", NULL};
#endif
    bool root = geteuid() == 0;
    size_t at;
    int err = 0;

    (void)signal(SIGPIPE, SIG_DFL);
    if (root && r->user != NULL && r->command->holds)
        err = mail_dir_prepare(t->path, t->uid, t->gid, &at);
    if (err == 0)
        err = sandbox_drop_ids(t->uid, t->gid, NULL, !root);
    if (err != 0) {
        fprintf(stderr, "culverctl: cannot become the owner of %s: %s\n", t->path, err_str(err));
        _exit(1);
    }
#ifdef CULVER_SANITIZED
    (void)execve(program, (char **)(uintptr_t)argv, (char **)(uintptr_t)sanitizer_env);
#endif
    (void)execve(program, (char **)(uintptr_t)argv, (char **)(uintptr_t)env);
    fprintf(stderr, "culverctl: cannot execute %s: %s\n", program, strerror(errno));
    _exit(1);
}

static int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 1;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    fprintf(stderr, "culverctl: culver-mailtool was ended by signal %d\n", WTERMSIG(status));
    return 1;
}

static void make_args(const struct request *r, const struct target *t, const struct conf *conf, const char *args[static ARGS_MAX])
{
    const struct set_general *general = conf != NULL ? conf_get(conf, &set_general_component) : NULL;
    const struct set_worker *worker = conf != NULL ? conf_get(conf, &set_worker_component) : NULL;
    size_t n = 0;

    args[n++] = "culver-mailtool";
    if (general != NULL && general->sandbox == SET_SANDBOX_BEST_EFFORT)
        args[n++] = "-b";
    if (t->maildir)
        args[n++] = "-M";
    if (r->quiet)
        args[n++] = "-q";
    if (r->format != NULL) {
        args[n++] = "-f";
        args[n++] = r->format;
    }
    if (r->mailbox != NULL) {
        args[n++] = "-m";
        args[n++] = r->mailbox;
    }
    for (size_t i = 0; worker != NULL && i < worker->auto_mailboxes.n && n + 8 < ARGS_MAX; i++) {
        args[n++] = "-a";
        args[n++] = worker->auto_mailboxes.items[i];
    }
    args[n++] = "--";
    args[n++] = r->command->name;
    args[n++] = t->path;
    if (r->other != NULL)
        args[n++] = r->other;
    args[n] = NULL;
}

/* Beside ourselves (where it was built), or where the configuration says. */
static char *find_program(const struct conf *conf)
{
    const struct set_master *m = conf != NULL ? conf_get(conf, &set_master_component) : NULL;
    char self[PROTO_PATH_MAX + 1];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    struct buf b;
    char *path;

    buf_init(&b, 2 * PROTO_PATH_MAX);
    if (len > 0 && (m == NULL || strcmp(m->libexec_dir, CULVER_LIBEXECDIR) == 0)) {
        while (len > 0 && self[len - 1] != '/')
            len--;
        buf_put(&b, self, (size_t)len);
        buf_put_str(&b, "culver-mailtool");
        path = view_dup(buf_view(&b));
        if (access(path, X_OK) == 0) {
            buf_free(&b);
            return path;
        }
        free(path);
    }
    buf_reset(&b);
    buf_put_fmt(&b, "%s/culver-mailtool", m != NULL ? m->libexec_dir : CULVER_LIBEXECDIR);
    path = view_dup(buf_view(&b));
    buf_free(&b);
    return path;
}

static bool allowed(const struct target *t)
{
    if (geteuid() != 0 && t->uid != geteuid())
        fprintf(stderr, "culverctl: only root or its owner may do this with %s\n", t->path);
    else if (geteuid() == 0 && t->uid == 0)
        fprintf(stderr, "culverctl: %s belongs to root, and no mail does\n", t->path);
    else
        return true;
    return false;
}

static int run(const struct request *r, const struct target *t, const struct conf *conf)
{
    const char *args[ARGS_MAX];
    char *program = find_program(conf);
    int status = 1;
    pid_t pid;

    make_args(r, t, conf, args);
    (void)fflush(stdout);
    pid = fork();
    if (pid == 0)
        child(r, t, program, args);
    if (pid < 0)
        fprintf(stderr, "culverctl: cannot fork: %s\n", strerror(errno));
    else
        status = wait_for(pid);
    free(program);
    return status;
}

int ctl_mail(int argc, char **argv, const struct conf *conf, const char *socket_path)
{
    struct request r = {0};
    struct target t = {.hold = -1, .maildir = general_maildir(conf)};
    int status;

    if (!parse(argc, argv, &r))
        return CTL_EXIT_USAGE;
    if (r.path != NULL)
        status = find_path(&r, &t);
    else
        status = socket_path != NULL ? find_user(&r, socket_path, holds(&r, &t), &t) : CTL_EXIT_UNREACHABLE;
    if (status == 0)
        status = allowed(&t) ? run(&r, &t, conf) : 1;
    if (t.hold >= 0)
        (void)close(t.hold); /* the worker may come back */
    free(t.path);
    return status;
}
