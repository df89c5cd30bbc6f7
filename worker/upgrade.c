/*
 * Handing the sessions over to the worker that takes this one's place, and taking over a predecessor's.
 *
 *   upgrade ──► park: no command is begun, nothing is read ──► all stand still, all is committed ──► every session becomes a
 *   record in one turn ──► records and connections go to master ──► the account is closed ──► exit
 *
 * All of them in one turn, because what one session does is news for the others. What a command or a client that does not read
 * holds up is not waited for without end: after GRACE_MS unsent output goes with its record, after GIVE_UP_MS a session that
 * still does not stand gets its farewell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "worker/hosted_int.h"
#include "worker/record.h"

#define GRACE_MS 1000
#define GIVE_UP_MS 20000
#define OUT_SMALL (64 * 1024) /* output that is not worth waiting for, and that is copied */
#define IN_SLACK 4096         /* what sessions allow themselves besides the limits of lines and literals */
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#define LOST_TEXT "The server could not go on with this session, please reconnect."

/* --- handing over --------------------------------------------------------------------------------------------------------- */

static void look_again(void *arg)
{
    (void)arg; /* the turn that follows looks */
}

static bool stands(const struct hosted *h)
{
    bool waits = timer_armed(h->w->upgrade_wait) && hosted_unsent(h) > OUT_SMALL;

    if (waits || (h->deflate != NULL && !h->closing && !deflate_can_export(h->deflate)))
        return false;
    return h->closing || (h->session != NULL && h->protocol->parked(h->session));
}

static void give_up(void *arg)
{
    struct worker *w = arg;

    for (struct hosted *h = w->sessions; h != NULL; h = h->next) {
        if (stands(h))
            continue;
        LOG_WARN(h->host.id, "session does not come to a point where it can be handed over", F_STR("user", w->user));
        hosted_bye(h, "UNAVAILABLE", WORKER_STOP_TEXT);
    }
}

void worker_upgrade(struct worker *w)
{
    if (w->stopping || w->upgrading)
        return;
    LOG_INFO(0, "handing over to a new worker", F_STR("user", w->user), F_UINT("sessions", w->nsessions));
    w->upgrading = true;
    w->upgrade_wait = timer_new(w->proc.loop, look_again, w);
    w->upgrade_end = timer_new(w->proc.loop, give_up, w);
    timer_arm(w->upgrade_wait, GRACE_MS);
    timer_arm(w->upgrade_end, GIVE_UP_MS);
    for (struct hosted *h = w->sessions; h != NULL; h = h->next) {
        if (h->session != NULL && !h->closing)
            h->protocol->park(h->session);
    }
    loop_again(w->proc.loop);
}

/* Header, body and output in a file that nobody can change any more. Gives its descriptor, or an error. */
static int write_record(const struct hosted *h, struct view bytes)
{
    int fd = memfd_create("culver-session", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int err = fd < 0 ? err_from_errno(errno) : 0;

    while (err == 0 && bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n <= 0)
            err = n < 0 && errno == EINTR ? 0 : ERR_IO;
        else
            bytes = view_sub(bytes, (size_t)n, bytes.len);
    }
    if (err == 0)
        err = outq_write(h->host.out, fd);
    if (err == 0 && fcntl(fd, F_ADD_SEALS, SEALS) != 0)
        err = ERR_SYSTEM;
    if (err != 0 && fd >= 0)
        close(fd);
    return err != 0 ? err : fd;
}

/* The descriptor of its record, or an error. */
static int make_record(struct hosted *h, uint64_t *size_out, int *spool_out)
{
    struct record r = {.eof = h->host.eof || h->ended,
                       .closing = h->closing,
                       .sent = h->sent,
                       .received = h->received,
                       .out_len = outq_len(h->host.out),
                       .in = buf_view(&h->in),
                       .detail = view_str(h->detail)};
    struct buf session, deflate, bytes;
    int fd = 0;

    *spool_out = -1;
    buf_init(&session, RECORD_BODY_MAX);
    buf_init(&deflate, RECORD_BODY_MAX);
    buf_init(&bytes, RECORD_BODY_MAX + RECORD_HEADER_SIZE);
    if (!h->closing)
        fd = h->protocol->freeze(h->session, &session, spool_out);
    if (fd == 0 && h->deflate != NULL)
        fd = deflate_export(h->deflate, &deflate);
    r.session = buf_view(&session);
    r.deflate = buf_view(&deflate);
    record_encode(&bytes, &r);
    *size_out = buf_len(&bytes) + r.out_len;
    if (fd == 0)
        fd = buf_ok(&bytes) && *size_out <= PROTO_FROZEN_MAX ? write_record(h, buf_view(&bytes)) : ERR_LIMIT;
    buf_free(&session);
    buf_free(&deflate);
    buf_free(&bytes);
    return fd;
}

static int send_record(const struct hosted *h, uint64_t size, int record, int spool)
{
    struct msg_frozen m = {h->host.id, size, outq_len(h->host.out) == 0 && h->deflate == NULL};
    int fds[3] = {record, h->fd, spool >= 0 ? spool : record}, err;
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    msg_frozen_encode(&body, &m);
    err = h->w->proc.master == NULL ? ERR_CLOSED : ipc_send(h->w->proc.master, IPC_WORKER_FROZEN, &body, fds, 3);
    buf_free(&body);
    return err;
}

static void hand_over(struct hosted *h)
{
    uint64_t size;
    int spool, record = make_record(h, &size, &spool), err = MIN_OF(record, 0);

    if (record >= 0)
        err = send_record(h, size, record, spool);
    if (record >= 0)
        close(record);
    if (spool >= 0)
        close(spool);
    if (err == 0) {
        LOG_INFO(h->host.id, "session handed over", F_STR("user", h->w->user), F_STR("protocol", h->protocol->name));
        hosted_remove(h);
        return;
    }
    LOG_ERROR(h->host.id, "session cannot be handed over", F_STR("user", h->w->user), F_ERR(err));
    hosted_bye(h, "UNAVAILABLE", LOST_TEXT);
    hosted_run(h);
    hosted_flush(h);
    hosted_drop(h, "cannot be handed over");
}

void worker_upgrade_step(struct worker *w)
{
    struct hosted *next;

    if (!w->upgrading || w->ndeliveries > 0)
        return;
    for (struct hosted *h = w->sessions; h != NULL; h = h->next) {
        if (!stands(h))
            return;
    }
    for (struct hosted *h = w->sessions; h != NULL; h = next) {
        next = h->next;
        if (h->lingering)
            hosted_drop(h, "closed");
        else
            hand_over(h);
    }
    if (w->proc.master == NULL || ipc_flushed(w->proc.master))
        w->stopping = true; /* worker_life_update() sees to the rest */
    else
        loop_again(w->proc.loop);
}

/* --- taking over ----------------------------------------------------------------------------------------------------------- */

void upgrade_receive(struct worker *w, const struct msg_thaw *m, int fds[static 3])
{
    struct msg_session facts = {.session_id = m->session_id,
                                .protocol = m->protocol,
                                .peer = m->peer,
                                .local = m->local,
                                .tls = m->tls,
                                .admin = m->admin};
    struct hosted *h = hosted_make(w, &facts, fds[1]);

    fds[1] = -1; /* transferred */
    if (h != NULL) {
        h->record = fds[0];
        h->spool = fds[2];
        h->record_size = m->size;
        h->quiet = m->quiet;
        fds[0] = fds[2] = -1; /* transferred */
        if (worker_account_open(w) != ERR_BUSY)
            hosted_start(h);
    }
    worker_life_update(w);
}

/* The record's output goes to the client from the record. */
static int take_output(struct hosted *h, uint64_t off, uint64_t len, const uint8_t *file)
{
    if (len > OUT_SMALL)
        return outq_put_file(h->host.out, h->record, off, len);
    if (len > 0)
        buf_put(outq_buf(h->host.out), file + off, (size_t)len);
    return 0;
}

static int use_record(struct hosted *h, const uint8_t *file)
{
    struct deflate *layer;
    struct record r;
    uint64_t off;
    int err = record_decode(view_make(file, (size_t)h->record_size), &r, &off);

    if (err != 0)
        return err;
    err = take_output(h, off, r.out_len, file);
    if (err != 0)
        return err;
    if (r.deflate.len > 0) {
        err = deflate_import(r.deflate, &layer);
        if (err != 0)
            return err;
        hosted_use_deflate(h, layer);
    }
    h->ended = r.eof;
    h->host.eof = r.eof && h->deflate == NULL;
    h->sent = r.sent;
    h->received = r.received;
    h->closing = r.closing;
    if (r.closing)
        return 0;
    if (r.in.len > h->w->set->imap_line_max + h->w->set->imap_literal_max + IN_SLACK)
        return ERR_LIMIT;
    h->in.max = MAX_OF(h->in.max, r.in.len);
    hosted_set_detail(h, r.detail);
    buf_put_view(&h->in, r.in);
    return h->protocol->thaw(&h->host, h->w->acc, r.session, &h->spool, &h->session);
}

static int thaw(struct hosted *h)
{
    int seals = fcntl(h->record, F_GET_SEALS), err;
    struct stat st;
    void *file;

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(h->record, &st) != 0 || (uint64_t)st.st_size != h->record_size)
        return ERR_PROTO;
    file = mmap(NULL, (size_t)h->record_size, PROT_READ, MAP_SHARED, h->record, 0);
    if (file == MAP_FAILED)
        return err_from_errno(errno);
    err = h->w->acc == NULL ? ERR_STATE : use_record(h, file);
    munmap(file, (size_t)h->record_size);
    return err;
}

static void tell_thawed(const struct hosted *h)
{
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    msg_id_encode(&body, &(struct msg_id){h->host.id});
    if (h->w->proc.master != NULL && ipc_send(h->w->proc.master, IPC_WORKER_THAWED, &body, NULL, 0) != 0)
        LOG_WARN(h->host.id, "cannot tell master of a session taken over");
    buf_free(&body);
}

/* What it has put to the output means nothing; with something of the predecessor's on its way there is no place for a word. */
static void refuse(struct hosted *h, int err)
{
    LOG_ERROR(h->host.id, "session of the worker before cannot be taken over", F_STR("user", h->w->user), F_ERR(err));
    buf_reset(&h->in);
    deflate_free(&h->deflate);
    outq_free(&h->host.out);
    hosted_init_out(h);
    if (h->quiet)
        h->session = h->protocol->open(&h->host, NULL, VIEW(""), VIEW(""));
    else
        h->closing = true;
    h->end_reason = "not taken over";
}

void upgrade_thaw(struct hosted *h)
{
    int err = thaw(h);

    if (err != 0)
        refuse(h, err);
    else
        LOG_INFO(h->host.id, "session taken over", F_STR("user", h->w->user), F_STR("protocol", h->protocol->name));
    tell_thawed(h);
    close(h->record);
    if (h->spool >= 0)
        close(h->spool);
    h->record = h->spool = -1;
}
