/* culverctl: the administrator's tool. Its command line; ctl_client.c, ctl_hash.c and ctl_mail.c do the work. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/conf/settings.h"
#include "master/control.h"
#include "master/ctl.h"

static const char usage[] = "usage: culverctl [-c FILE | -s SOCKET] COMMAND\n"
                            "  status                  services, workers, counts\n"
                            "  who                     sessions: user, protocol, id, peer, TLS, age, worker pid\n"
                            "  kick USER|SESSION       end the sessions of a user, or one\n"
                            "  upgrade-worker USER|--all  a fresh process under the sessions of a user, or of all\n"
                            "  reload                  load the configuration again\n"
                            "  stop                    stop the server\n"
                            "  hash-password [SCHEME]  make a password hash for a passwd-file\n"
                            "app passwords and second factors of a user:\n"
                            "  app-password add USER NAME [-s imap,pop3,smtp] [-e DAYS] [-F]\n"
                            "  app-password list USER\n"
                            "  app-password revoke USER NAME|-a\n"
                            "  totp enrol USER [-F]    make a secret for an authenticator\n"
                            "  totp confirm USER CODE  from now on the password needs a code\n"
                            "  totp remove USER\n"
                            "and on the mail of one user, WHO being -u USER or -p PATH:\n"
                            "  verify WHO              check everything; 0 good, 1 nothing lost, 2 something lost\n"
                            "  compact WHO             give back what deleted messages take\n"
                            "  export WHO [-f maildir|mbox] DEST\n"
                            "  import WHO [-f maildir|mbox|native] [-m MAILBOX] SRC\n"
                            "  salvage WHO DEST        every message that is whole, as a Maildir\n";

struct command {
    const char *name;
    enum ctl_verb verb; /* 0: local */
    int least, most;    /* arguments */
};

static const struct command commands[] = {
    {"status", CTL_STATUS, 0, 0}, {"who", CTL_WHO, 0, 0},   {"kick", CTL_KICK, 1, 1},
    {"reload", CTL_RELOAD, 0, 0}, {"stop", CTL_STOP, 0, 0}, {"upgrade-worker", CTL_UPGRADE, 1, 1},
    {"hash-password", 0, 0, 1},
};

static const struct command *command_find(const char *name, int args)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0 && args >= commands[i].least && args <= commands[i].most)
            return &commands[i];
    return NULL;
}

/* The run_dir lines of a configuration that has errors elsewhere: a reload must be able to report them. */
static void run_dir_lines(const char *conf_path, struct buf *out)
{
    FILE *f = fopen(conf_path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    while (f != NULL && (n = getline(&line, &cap, f)) > 0)
        if (view_starts(view_trim(view_make(line, (size_t)n)), VIEW("run_dir")))
            buf_put(out, line, (size_t)n);
    free(line);
    if (f != NULL)
        (void)fclose(f);
}

static struct conf *conf_read(const char *conf_path, struct buf *errors)
{
    const struct conf_component *master[] = {&set_master_component};
    struct conf *conf = NULL;
    struct buf lines, ignored;

    if (conf_parse(conf_path, view_str(NULL), set_all_components, set_all_ncomponents, &conf, errors) == 0)
        return conf;
    buf_init(&lines, 65536);
    buf_init(&ignored, 65536);
    run_dir_lines(conf_path, &lines);
    if (buf_len(&lines) == 0 || conf_parse(NULL, buf_view(&lines), master, 1, &conf, &ignored) != 0)
        conf = NULL;
    buf_free(&lines);
    buf_free(&ignored);
    return conf;
}

/* run_dir/control of the configuration; where that cannot be read, of the default. */
static char *socket_find(const struct conf *conf)
{
    const char *run_dir = CULVER_RUNDIR;
    struct buf path;
    char *found;

    if (conf != NULL)
        run_dir = ((const struct set_master *)conf_get(conf, &set_master_component))->run_dir;
    buf_init(&path, PROTO_PATH_MAX + 64);
    buf_put_fmt(&path, "%s/%s", run_dir, CONTROL_NAME);
    found = buf_ok(&path) ? view_dup(buf_view(&path)) : NULL;
    buf_free(&path);
    return found;
}

struct line {
    const char *conf_path, *socket_path;
    bool conf_given;
};

/* Not what cannot be read, when it was asked for and nothing else tells where the server is. */
static int run(struct line *l, const struct command *command, int argc, char **argv)
{
    struct conf *conf = NULL;
    char *found = NULL;
    struct buf errors;
    int status = CTL_EXIT_UNREACHABLE;

    buf_init(&errors, 65536);
    if (l->socket_path == NULL || command == NULL)
        conf = conf_read(l->conf_path, &errors);
    if (conf == NULL && l->conf_given && l->socket_path == NULL) {
        fprintf(stderr, "culverctl: cannot read the configuration; -s SOCKET does without\n");
        (void)fwrite(buf_view(&errors).ptr, 1, buf_len(&errors), stderr);
    } else {
        if (l->socket_path == NULL)
            l->socket_path = found = socket_find(conf);
        if (command == NULL && ctl_is_mail_command(argv[0]))
            status = ctl_mail(argc, argv, conf, l->socket_path);
        else if (command == NULL && l->socket_path != NULL)
            status = ctl_credential(argc, argv, l->socket_path);
        else if (l->socket_path != NULL)
            status = ctl_request(l->socket_path, command->verb, argv[1]);
    }
    buf_free(&errors);
    conf_free(&conf);
    free(found);
    return status;
}

int main(int argc, char **argv)
{
    struct line line = {.conf_path = CULVER_SYSCONFDIR "/culver/culver.conf"};
    const struct command *command;
    bool mail;
    int opt, status;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    while ((opt = getopt(argc, argv, "+c:s:h")) != -1) {
        if (opt == 'c') {
            line.conf_path = optarg;
            line.conf_given = true;
        } else if (opt == 's') {
            line.socket_path = optarg;
        } else {
            fputs(usage, opt == 'h' ? stdout : stderr);
            return opt == 'h' ? EXIT_SUCCESS : CTL_EXIT_USAGE;
        }
    }
    /* Commands with arguments of their own. */
    mail = optind < argc && (ctl_is_mail_command(argv[optind]) || ctl_is_credential_command(argv[optind]));
    command = optind < argc && !mail ? command_find(argv[optind], argc - optind - 1) : NULL;
    if ((command == NULL && !mail) || sodium_init() < 0) {
        fputs(usage, stderr);
        return CTL_EXIT_USAGE;
    }
    if (command != NULL && command->verb == 0)
        return ctl_hash_password(argv[optind + 1]);
    status = run(&line, command, argc - optind, argv + optind);
    if (mail && status == CTL_EXIT_USAGE)
        fputs(usage, stderr);
    return status;
}
