/* The verbs of the control socket. Names of users are printed with control bytes escaped: they end on an administrator's
 * terminal. */
#include <unistd.h>

#include "common/base/cursor.h"
#include "common/text/text.h"
#include "master/control.h"
#include "master/helpers.h"
#include "master/listener.h"
#include "master/service.h"
#include "master/workers.h"

static void put_age(struct buf *out, uint64_t ms)
{
    uint64_t s = ms / 1000;

    if (s >= 86400)
        buf_put_fmt(out, "%llud%02lluh", (unsigned long long)(s / 86400), (unsigned long long)(s % 86400 / 3600));
    else if (s >= 3600)
        buf_put_fmt(out, "%lluh%02llum", (unsigned long long)(s / 3600), (unsigned long long)(s % 3600 / 60));
    else if (s >= 60)
        buf_put_fmt(out, "%llum%02llus", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
    else
        buf_put_fmt(out, "%llus", (unsigned long long)s);
}

static void put_name(struct buf *out, struct view name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7f)
            buf_put_fmt(out, "\\x%02x", name.ptr[i]);
        else
            buf_put_byte(out, name.ptr[i]);
    }
}

static const char *protocol_name(enum proto_protocol p)
{
    return p == PROTO_IMAP ? "imap" : p == PROTO_POP3 ? "pop3" : "lmtp";
}

static void put_service(void *arg, const struct service_facts *f)
{
    static const char *const states[] = {"down", "starting", "ready", "leaving"};
    struct buf *out = arg;

    buf_put_fmt(out, "%-12s %-9s pid=%d generation=%llu restarts=%u up=", f->role->name, states[f->state], (int)f->pid,
                (unsigned long long)f->generation, f->restarts);
    put_age(out, f->age_ms);
    buf_put_byte(out, '\n');
}

static void run_status(struct master *m, struct buf *out)
{
    struct workers_facts w = workers_facts(m);

    buf_put_fmt(out, "culver %s pid=%d generation=%llu%s%s up=", CULVER_VERSION, (int)getpid(),
                (unsigned long long)m->setup->generation, m->rootless ? " rootless" : "", m->stopping ? " stopping" : "");
    put_age(out, loop_now(m->loop) - m->started);
    buf_put_byte(out, '\n');
    services_each(m, put_service, out);
    buf_put_fmt(out, "workers      %zu of %llu, %zu idle, %llu started, %llu died\n", w.processes,
                (unsigned long long)m->setup->master->workers_max, w.idle, (unsigned long long)w.started,
                (unsigned long long)w.died);
    buf_put_fmt(out, "sessions     %zu of %llu, %zu waiting for a worker\n", w.sessions,
                (unsigned long long)m->setup->master->sessions_max, w.waiting_requests);
    buf_put_fmt(out, "connections  %zu before log-in or with LMTP, %zu grants\n", grants_conn_count(m->grants),
                grants_count(m->grants));
    buf_put_fmt(out, "helpers      %zu\nlisteners    %zu\n", helpers_count(m), listeners_count(m->listeners));
}

static void put_session(void *arg, const struct session_facts *f)
{
    struct buf *out = arg;
    char ip[46];

    net_addr_format(&f->peer, ip);
    put_name(out, f->user);
    buf_put_fmt(out, "\t%s\t%016llx\t%s\t%s\t", protocol_name(f->protocol), (unsigned long long)f->id, ip, f->tls ? "tls" : "-");
    put_age(out, f->age_ms);
    buf_put_fmt(out, "\t%d\n", (int)f->pid);
}

/* 16 hexadecimal digits are a session's id; everything else is a user's name. */
static bool parse_id(struct view v, uint64_t *out)
{
    uint64_t id = 0;

    if (v.len != 16)
        return false;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = ascii_lower(v.ptr[i]);
        if (c >= '0' && c <= '9')
            id = id << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            id = id << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *out = id;
    return true;
}

static uint8_t run_kick(struct master *m, struct view who, struct buf *out)
{
    uint64_t id;
    size_t n = workers_kick(m, who, 0);

    if (n == 0 && parse_id(who, &id))
        n = workers_kick(m, view_str(NULL), id);
    if (n == 0) {
        buf_put_str(out, "no such session\n");
        return 1;
    }
    LOG_INFO(0, "sessions ended by the administrator", F_VIEW("who", who), F_UINT("count", n));
    buf_put_fmt(out, "%zu session%s ended\n", n, n == 1 ? "" : "s");
    return 0;
}

static uint8_t run_reload(struct master *m, struct buf *out)
{
    if (m->stopping) {
        buf_put_str(out, "shutting down\n");
        return 1;
    }
    if (master_reload(m, out) != 0)
        return 1;
    buf_put_fmt(out, "configuration loaded, generation %llu\n", (unsigned long long)m->setup->generation);
    return 0;
}

uint8_t control_run(struct master *m, const struct msg_ctl_request *r, struct buf *out)
{
    switch (r->verb) {
    case CTL_STATUS:
        run_status(m, out);
        return 0;
    case CTL_WHO:
        workers_each_session(m, put_session, out);
        return 0;
    case CTL_KICK:
        return run_kick(m, r->argument, out);
    case CTL_RELOAD:
        return run_reload(m, out);
    case CTL_STOP:
        buf_put_str(out, "stopping\n");
        master_shutdown(m, "culverctl stop");
        return 0;
    case CTL_LOOKUP:
    case CTL_HOLD:
    case CTL_UPGRADE:
        break; /* control.c: they take time */
    }
    buf_put_str(out, "unknown request\n");
    return 1;
}
