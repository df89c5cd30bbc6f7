/*
 * A reload makes everything that the new configuration needs beside what is in use: parsed settings, sockets, open certificates,
 * the log. Only when all of it is there is anything exchanged, and from then on nothing can fail. Sessions and workers go on; the
 * services are replaced by a new generation.
 */
#include <stdlib.h>

#include "master/listener.h"
#include "master/logtarget.h"
#include "master/master_int.h"
#include "master/service.h"
#include "master/tlsfiles.h"

/* What a process cannot change while it runs. */
static int check_fixed(const struct setup *old, const struct setup *new, struct buf *errors)
{
    if (strcmp(old->master->run_dir, new->master->run_dir) == 0 && strcmp(old->master->state_dir, new->master->state_dir) == 0)
        return 0;
    buf_put_str(errors, "run_dir and state_dir cannot change in a reload; restart culver\n");
    return ERR_STATE;
}

/* One log line for each line of text. */
static void log_errors(struct view text)
{
    while (text.len > 0) {
        size_t end = view_find(text, '\n');
        if (end > 0)
            LOG_ERROR(0, "configuration not loaded", F_VIEW("reason", view_sub(text, 0, end)));
        text = view_sub(text, end + 1, text.len);
    }
}

static void install(struct master *m, struct setup *s, struct listeners *listeners, struct tlsfiles *tls, struct logtarget *log)
{
    setup_free(&m->setup);
    m->setup = s;
    listeners_free(&m->listeners, listeners);
    m->listeners = listeners;
    tlsfiles_free(&m->tls);
    m->tls = tls;
    session_limits_set(m->limits, s->master->sessions_per_user, s->master->sessions_per_user_address, s->master->sessions_max);
    if (m->uids != NULL)
        uids_set_range(m->uids, (uint32_t)s->master->virtual_uid_first, (uint32_t)s->master->virtual_uid_last);
    logtarget_install(m, log);
    services_start(m);
}

int master_reload(struct master *m, struct buf *errors)
{
    struct setup_params p = {.conf_path = m->options.conf_path,
                             .libexec = m->options.libexec,
                             .self_dir = m->self_dir,
                             .rootless = m->rootless,
                             .generation = m->setup->generation + 1};
    struct setup *s = NULL;
    struct listeners *listeners = NULL;
    struct tlsfiles *tls = NULL;
    struct logtarget *log = NULL;
    size_t mark = buf_len(errors);
    int rc = setup_load(&p, &s, errors);

    if (rc == 0)
        rc = check_fixed(m->setup, s, errors);
    if (rc == 0)
        rc = auth_folder_prepare(s, errors);
    if (rc == 0)
        rc = tlsfiles_open(s, &tls, errors);
    if (rc == 0)
        rc = logtarget_open(s, &log, errors);
    if (rc == 0)
        rc = listeners_open(s, m->listeners, &listeners, errors);
    if (rc != 0) {
        log_errors(view_sub(buf_view(errors), mark, buf_len(errors)));
        logtarget_free(&log);
        tlsfiles_free(&tls);
        setup_free(&s);
        return rc;
    }
    install(m, s, listeners, tls, log); /* transferred */
    LOG_INFO(0, "configuration loaded", F_UINT("generation", m->setup->generation));
    return 0;
}
