#include "storage/guard.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log/log.h"

/* A signal handler is given nothing of ours: what it has to know it must find by itself. The signal is raised by the very
 * instruction that touches the page, never while the list is changed. */
static struct guard *guards;
static size_t page_size;
static volatile sig_atomic_t any_failed;

static struct guard *guard_of(const void *addr)
{
    for (struct guard *g = guards; g != NULL; g = g->next) {
        if ((uintptr_t)addr - (uintptr_t)g->start < g->len)
            return g;
    }
    return NULL;
}

/* Only what is safe in a handler. */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
    struct guard *g = guard_of(info->si_addr);
    char *page = (char *)info->si_addr - (uintptr_t)info->si_addr % page_size;
    struct sigaction dfl = {.sa_handler = SIG_DFL};

    (void)context;
    if (g != NULL) {
        g->failed = any_failed = 1;
        if (mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
            return;
    }
    /* The instruction is tried again, and this time it ends us. */
    (void)sigaction(sig, &dfl, NULL);
}

static void install(void)
{
    struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

    sigemptyset(&sa.sa_mask);
    if (sigaction(SIGBUS, &sa, NULL) != 0)
        PANIC("sigaction");
    page_size = (size_t)sysconf(_SC_PAGESIZE);
}

bool guard_any_failed(void)
{
    return any_failed != 0;
}

void guard_add(struct guard *g, void *start, size_t len)
{
    if (guards == NULL)
        install();
    g->start = start;
    g->len = len;
    g->failed = 0;
    g->next = guards;
    guards = g;
}

void guard_remove(struct guard *g)
{
    for (struct guard **p = &guards; *p != NULL; p = &(*p)->next) {
        if (*p == g) {
            *p = g->next;
            return;
        }
    }
}
