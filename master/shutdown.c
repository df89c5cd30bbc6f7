/*
 * The end: the front services accept no more, waiting requests are refused with the reason, workers say good-bye to their clients
 * and write their snapshots. When the last worker has left (or shutdown_grace is over) the rest goes, and then master.
 */
#include <signal.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "master/service.h"
#include "master/supervise.h"
#include "master/workers.h"

#define LAST_WAIT_MS 2000 /* for the services, once no worker is left */

struct shutdown {
    struct master *m;
    struct timer *timer;
    bool last; /* the workers are gone; services are being ended */
};

static void end_services(struct shutdown *s)
{
    s->last = true;
    services_stop_all(s->m);
    supervise_kill_all(s->m, SIGTERM);
    timer_arm(s->timer, LAST_WAIT_MS);
}

static void on_timer(void *arg)
{
    struct shutdown *s = arg;

    LOG_WARN(0, "killing what has not left", F_UINT("processes", supervise_count(s->m)));
    supervise_kill_all(s->m, SIGKILL);
    if (!s->last) {
        s->last = true;
        timer_arm(s->timer, LAST_WAIT_MS);
    } else {
        loop_stop(s->m->loop);
    }
}

void shutdown_progress(struct master *m)
{
    struct shutdown *s = m->shutdown;

    if (!s->last && workers_running(m) == 0)
        end_services(s);
    if (s->last && supervise_count(m) == 0)
        loop_stop(m->loop);
}

void master_shutdown(struct master *m, const char *why)
{
    if (m->stopping)
        return;
    LOG_INFO(0, "shutting down", F_STR("reason", why), F_UINT("workers", workers_running(m)));
    m->stopping = true;
    m->shutdown = xcalloc(1, sizeof(*m->shutdown));
    m->shutdown->m = m;
    m->shutdown->timer = timer_new(m->loop, on_timer, m->shutdown);
    timer_arm(m->shutdown->timer, m->setup->master->shutdown_grace);
    services_stop_fronts(m);
    workers_stop(m);
    shutdown_progress(m);
}

void shutdown_free(struct shutdown **s)
{
    if (*s == NULL)
        return;
    timer_free(&(*s)->timer);
    free(*s);
    *s = NULL;
}
