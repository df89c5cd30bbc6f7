/*
 * storage_sim FIRST LAST [STEPS]: for each seed a long history with random crashes, and a short one with a crash and with each
 * kind of failure at each operation. Stops at the first thing that is wrong, naming the seed.
 */
#include "tests/sim/storage_sim.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/log/log.h"

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, last = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;
    unsigned steps = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 300;
    int fd = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC);

    log_init("storage_sim", fd, LOG_SINK_STREAM, LOG_LVL_ERROR);
    for (uint64_t seed = first; seed <= last; seed++) {
        sim_history(seed, steps, 4 + (unsigned)(seed % 20));
        sim_every_op(seed, 12, 0, 0);
        sim_every_op(seed, 10, ERR_NOSPACE, 1 + seed % 6);
        sim_every_op(seed, 10, ERR_IO, 1 + seed % 4);
    }
    printf("seeds %llu to %llu: good\n", (unsigned long long)first, (unsigned long long)last);
    close(fd);
    return 0;
}
