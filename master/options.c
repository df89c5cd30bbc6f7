#include "master/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define OUTPUT_MAX (4u * 1024 * 1024)

enum long_option { OPT_SAMPLE = 256, OPT_LIBEXEC, OPT_TABLE };

static const char usage[] = "usage: culver [-c FILE] [-F] [--libexec DIR]\n"
                            "       culver [-c FILE] -t | -n [-a]\n"
                            "       culver --sample-config | --process-table | -V | -h\n"
                            "  -c FILE          configuration file (" CULVER_SYSCONFDIR "/culver/culver.conf)\n"
                            "  -F               stay in the foreground (always so)\n"
                            "  -t               check the configuration: exit 0 or 78\n"
                            "  -n               print the settings that differ from their defaults; with -a all\n"
                            "  --libexec DIR    folder of the other programs\n"
                            "  --sample-config  print a configuration with every setting explained\n"
                            "  --process-table  print which processes there are\n"
                            "  -V               print the version\n";

static bool option_take(int opt, struct options *o)
{
    switch (opt) {
    case 'c':
        o->conf_path = optarg;
        return true;
    case 'F':
        return true;
    case 't':
        return o->check = true;
    case 'n':
        return o->print = true;
    case 'a':
        return o->print_all = true;
    case 'V':
        return o->version = true;
    case 'h':
        return o->help = true;
    case OPT_SAMPLE:
        return o->sample = true;
    case OPT_TABLE:
        return o->table = true;
    case OPT_LIBEXEC:
        o->libexec = optarg;
        return optarg[0] == '/';
    default:
        return false;
    }
}

bool options_parse(int argc, char **argv, struct options *out)
{
    static const struct option longs[] = {{"sample-config", no_argument, NULL, OPT_SAMPLE},
                                          {"process-table", no_argument, NULL, OPT_TABLE},
                                          {"libexec", required_argument, NULL, OPT_LIBEXEC},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {NULL, 0, NULL, 0}};
    int opt;

    *out = (struct options){.conf_path = CULVER_SYSCONFDIR "/culver/culver.conf"};
    while ((opt = getopt_long(argc, argv, "c:FtnaVh", longs, NULL)) != -1) {
        if (!option_take(opt, out)) {
            fputs(usage, stderr);
            return false;
        }
    }
    if (optind != argc || (out->print_all && !out->print)) {
        fputs(usage, stderr);
        return false;
    }
    return true;
}

static int put_out(const struct buf *b, FILE *to)
{
    struct view v = buf_view(b);

    if (!buf_ok(b) || (v.len > 0 && fwrite(v.ptr, 1, v.len, to) != v.len) || fflush(to) != 0)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

static int run_conf(const struct options *o)
{
    struct buf errors, text;
    struct conf *conf = NULL;
    int status;

    buf_init(&errors, OUTPUT_MAX);
    buf_init(&text, OUTPUT_MAX);
    if (setup_parse(o->conf_path, &conf, &errors) != 0) {
        (void)put_out(&errors, stderr);
        status = EXIT_CONFIG;
    } else {
        for (size_t i = 0; o->print && i < set_all_ncomponents; i++)
            conf_write(conf, set_all_components[i], !o->print_all, &text);
        status = put_out(&text, stdout);
    }
    conf_free(&conf);
    buf_free(&errors);
    buf_free(&text);
    return status;
}

bool options_run(const struct options *o, int *status_out)
{
    struct buf text;

    if (o->check || o->print) {
        *status_out = run_conf(o);
        return true;
    }
    buf_init(&text, OUTPUT_MAX);
    if (o->help)
        buf_put_str(&text, usage);
    else if (o->version)
        buf_put_str(&text, "culver " CULVER_VERSION "\n");
    else if (o->sample)
        conf_write_sample(set_all_components, set_all_ncomponents, &text);
    else if (o->table)
        role_print_table(&text);
    *status_out = put_out(&text, stdout);
    buf_free(&text);
    return o->help || o->version || o->sample || o->table;
}
