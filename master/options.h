/* culver's command line, and the options that print something and end. */
#ifndef CULVER_MASTER_OPTIONS_H
#define CULVER_MASTER_OPTIONS_H

#include "master/master_int.h"

#define EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h */

/* False: said on standard error what is wrong. */
bool options_parse(int argc, char **argv, struct options *out);
/* Runs -V, -h, --sample-config, --process-table, -t and -n. True: done, *status_out is the exit status. */
bool options_run(const struct options *o, int *status_out);

#endif
