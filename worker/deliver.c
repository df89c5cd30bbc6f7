/*
 * One delivery: the message in a sealed memfd, the trace fields for this recipient, and the channel on which the LMTP process
 * waits for this recipient's reply. 250 is said in the completion of the transaction, that is after its commit.
 */
#include "worker/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/txn.h"

/* Each holds two descriptors. The mail server tries again later. */
#define DELIVERIES_WAITING_MAX 200
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static const struct reply full_for_good = {552, "5.2.2", "mailbox is full"};
static const struct reply full_for_now = {452, "4.2.2", "mailbox is full"};
static const struct reply duplicate = {250, "2.1.5", "discarded as a duplicate of a message that was delivered"};
static const struct reply busy = {451, "4.3.2", "too many deliveries to this mailbox at once"};

static struct reply reply_for(const struct worker *w, int err)
{
    switch (err) {
    case 0:
        return (struct reply){250, "2.1.5", "delivered"};
    case ERR_QUOTA:
        return w->set->quota_full == SET_QUOTA_FULL_REJECT ? full_for_good : full_for_now;
    case ERR_LIMIT:
        return (struct reply){552, "5.3.4", "message is too large"};
    case ERR_STATE:
        return (struct reply){554, "5.4.6", "mail loop: the message has been delivered here already"};
    case ERR_NOSPACE:
        return (struct reply){452, "4.3.1", "insufficient system storage"};
    default:
        return (struct reply){451, "4.3.0", "mailbox is not available now"};
    }
}

/* Says how it went and ends the delivery. */
static void answer(struct delivery *d, struct reply r)
{
    struct msg_delivered m = {r.code, view_str(r.enhanced), view_str(r.text)};
    struct worker *w = d->w;
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    msg_delivered_encode(&body, &m);
    if (ipc_send_wait(d->reply_fd, ROLE_WORKER, ROLE_LCONN, IPC_WORKER_DELIVERED, &body, NULL, 0, 0) != 0)
        LOG_WARN(d->sid, "nobody waits for this delivery's reply any more", F_STR("user", w->user));
    buf_free(&body);
    if (r.code == 250)
        LOG_INFO(d->sid, r.text, F_STR("user", w->user), F_STR("sender", d->sender), F_STR("detail", d->detail),
                 F_UINT("size", d->size));
    else
        LOG_WARN(d->sid, "delivery refused", F_STR("user", w->user), F_STR("sender", d->sender), F_UINT("size", d->size),
                 F_STR("reason", r.text));
    close(d->reply_fd);
    close(d->memfd);
    intake_free(&d->intake);
    mime_msg_free(&d->structure);
    free(d);
    w->ndeliveries--;
    worker_life_update(w);
}

static void finish(struct delivery *d, int err)
{
    answer(d, reply_for(d->w, err));
}

/* --- order ------------------------------------------------------------------------------------------------------------ */

static void unlink_from(struct delivery **list, const struct delivery *d)
{
    while (*list != d)
        list = &(*list)->next;
    *list = d->next;
}

static void staged_add(struct delivery *d, const struct mailbox *m)
{
    struct worker *w = d->w;

    d->mailbox_id = mailbox_id(m);
    d->next = w->staged;
    w->staged = d;
    w->nstaged++;
    w->staged_octets += d->size;
}

static void staged_remove(struct delivery *d)
{
    struct worker *w = d->w;

    unlink_from(&w->staged, d);
    w->nstaged--;
    w->staged_octets -= d->size;
    if (w->waiting != NULL)
        loop_again(w->proc.loop);
}

static void committed(void *arg, int err, const struct txn_result *result)
{
    (void)result;
    staged_remove(arg);
    finish(arg, err);
}

/* The mailbox of the detail is there now, or cannot be had: the delivery takes its turn again. */
static void created(void *arg, int err, const struct txn_result *result)
{
    struct delivery *d = arg;

    (void)result;
    if (err != 0)
        LOG_WARN(d->sid, "no mailbox for an address extension", F_STR("user", d->w->user), F_STR("detail", d->detail),
                 F_ERR(err));
    staged_remove(d);
    d->next = d->w->waiting;
    d->w->waiting = d;
    loop_again(d->w->proc.loop);
}

/* The descriptor came through two processes: what matters here is that its bytes cannot change under us. */
static int check_memfd(const struct delivery *d)
{
    struct stat st;
    int seals = fcntl(d->memfd, F_GET_SEALS);

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(d->memfd, &st) != 0 || (uint64_t)st.st_size != d->size)
        return ERR_PROTO;
    return d->size > d->w->set->message_size_max ? ERR_LIMIT : 0;
}

#define INTAKE_SLICE ((uint64_t)4 << 20) /* of a turn, some milliseconds */
#define INTAKE_PIECE 65536

/* Content id and structure of what will be stored. ERR_AGAIN: it goes on in the next turn. */
static int read_message(struct delivery *d)
{
    uint64_t end = d->read + MIN_OF(d->size - d->read, INTAKE_SLICE);
    uint8_t piece[INTAKE_PIECE];

    if (d->known)
        return 0;
    if (d->intake == NULL) {
        d->intake = intake_begin(d->size >= INTAKE_STRUCTURE_MIN);
        intake_add(d->intake, d->prefix);
    }
    while (d->read < end) {
        ssize_t n = pread(d->memfd, piece, (size_t)MIN_OF(end - d->read, (uint64_t)sizeof(piece)), (off_t)d->read);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        intake_add(d->intake, view_make(piece, (size_t)n));
        d->read += (uint64_t)n;
    }
    if (d->read < d->size) {
        loop_again(d->w->proc.loop);
        return ERR_AGAIN;
    }
    intake_end(&d->intake, d->content_id, &d->structure);
    d->known = true;
    return 0;
}

static bool create_mailbox(struct delivery *d, struct view name, const struct mailbox *inbox)
{
    struct txn *t = txn_begin(d->w->acc);

    d->create_tried = true;
    if (txn_create(t, name, 0) != 0 || txn_subscribe(t, name, true) != 0) {
        txn_abort(&t);
        return false;
    }
    staged_add(d, inbox);
    txn_commit(&t, created, d);
    return true;
}

static void append(struct delivery *d, struct mailbox *m)
{
    struct message_source src = {.parts = {d->prefix}, .fd = d->memfd, .fd_size = d->size, .content_id = d->content_id};
    struct append_options opt = {0};
    struct txn *t = txn_begin(d->w->acc);
    int err;

    if (d->structure.parts != NULL)
        src.structure = &d->structure;
    err = txn_append(t, m, &src, &opt);
    mime_msg_free(&d->structure);
    if (err != 0) {
        txn_abort(&t);
        finish(d, err);
        return;
    }
    staged_add(d, m);
    txn_commit(&t, committed, d);
}

static bool twin_is_staged(const struct delivery *d, const struct mailbox *m)
{
    for (const struct delivery *o = d->w->staged; o != NULL; o = o->next) {
        if (o->has_id && o->mailbox_id == mailbox_id(m) && memcmp(o->id, d->id, sizeof(d->id)) == 0)
            return true;
    }
    return false;
}

/* d is out of the queue. False: it has to wait for what is staged already, or goes on in the next turn, and is still ours. */
static bool stage(struct delivery *d)
{
    struct buf name;
    struct mailbox *m;
    bool done = true;
    int err = d->w->acc == NULL || account_find(d->w->acc, VIEW("INBOX")) == NULL ? ERR_IO : check_memfd(d);

    if (err == 0)
        err = read_message(d);
    if (err == ERR_AGAIN)
        return false;
    if (err == 0)
        err = delivery_read_header(d);
    if (err != 0) {
        finish(d, err);
        return true;
    }
    buf_init(&name, PROTO_DETAIL_MAX);
    m = delivery_target(d, &name);
    if (buf_len(&name) == 0 || !create_mailbox(d, buf_view(&name), m)) {
        done = !d->has_id || !twin_is_staged(d, m);
        if (done && d->has_id && delivery_is_duplicate(d, m))
            answer(d, duplicate);
        else if (done)
            append(d, m);
    }
    buf_free(&name);
    return done;
}

/* In order, a few a turn: what is staged is in memory until its commit. */
void deliver_start_waiting(struct worker *w)
{
    while (w->waiting != NULL && w->nstaged < w->set->deliveries_per_user && w->staged_octets <= w->set->message_size_max) {
        struct delivery *d = w->waiting;

        w->waiting = d->next;
        d->next = NULL;
        if (!stage(d)) {
            d->next = w->waiting;
            w->waiting = d;
            return;
        }
    }
}

static void wait_for_turn(struct delivery *d)
{
    struct delivery **end = &d->w->waiting;

    while (*end != NULL)
        end = &(*end)->next;
    *end = d;
}

static void copy_text(char *out, size_t size, struct view v)
{
    size_t n = MIN_OF(v.len, size - 1);

    if (n > 0)
        memcpy(out, v.ptr, n);
    out[n] = '\0';
}

void deliver_new(struct worker *w, const struct msg_deliver *m, int memfd, int reply_fd)
{
    struct delivery *d = xcalloc(1, sizeof(*d));

    d->w = w;
    d->sid = m->session_id;
    d->memfd = memfd;
    d->reply_fd = reply_fd;
    d->size = m->size;
    d->prefix = view_make(d->prefix_bytes, m->prefix.len);
    if (m->prefix.len > 0)
        memcpy(d->prefix_bytes, m->prefix.ptr, m->prefix.len);
    copy_text(d->sender, sizeof(d->sender), m->sender);
    copy_text(d->detail, sizeof(d->detail), m->detail);
    w->ndeliveries++;
    if (w->ndeliveries > DELIVERIES_WAITING_MAX)
        answer(d, busy);
    else
        wait_for_turn(d);
    if (worker_account_open(w) != ERR_BUSY)
        deliver_start_waiting(w);
    worker_life_update(w);
}
