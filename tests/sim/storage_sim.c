/*
 * storage_sim FIRST LAST [STEPS [CRASHES [native|maildir]]]: for each seed, and each format a long history with random crashes,
 * and a short one with a crash and with each kind of failure at each operation. Stops at the first thing that is wrong, naming
 * the seed, or after LAST, or when CRASHES crashes were survived.
 */
#include "tests/sim/adoption.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/log/log.h"

#define REPORT_EVERY 100000

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, last = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    unsigned steps = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 300;
    uint64_t enough = argc > 4 ? strtoull(argv[4], NULL, 10) : UINT64_MAX, seed, crashes = 0, failures = 0, told = 0;
    bool both = argc <= 5, native = both || strcmp(argv[5], "native") == 0;
    int fd = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);

#ifdef SIM_TRACE
    log_init("storage_sim", STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_DEBUG);
#else
    log_init("storage_sim", fd, LOG_SINK_STREAM, LOG_LVL_ERROR);
#endif
    for (seed = first; seed <= last && crashes < enough; seed++) {
        for (int maildir = native ? 0 : 1; maildir < (both || !native ? 2 : 1); maildir++) {
            crashes += sim_history(seed, maildir, steps, 4 + (unsigned)(seed % 20));
            crashes += sim_every_op(seed, maildir, 12, 0, 0);
            crashes += maildir && seed % 50 == 0 ? sim_adoption(seed) : 0;
            failures += sim_every_op(seed, maildir, 10, ERR_NOSPACE, 1 + seed % 6);
            failures += sim_every_op(seed, maildir, 10, ERR_IO, 1 + seed % 4);
        }
        if (crashes - told >= REPORT_EVERY) {
            told = crashes;
            printf("seed %llu: %llu crashes\n", (unsigned long long)seed, (unsigned long long)crashes);
            fflush(stdout);
        }
    }
    printf("seeds %llu to %llu: %llu crash points and %llu failure points passed\n", (unsigned long long)first,
           (unsigned long long)seed - 1, (unsigned long long)crashes, (unsigned long long)failures);
    close(fd);
    return 0;
}
