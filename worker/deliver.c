/*
 * One delivery: the message in a sealed memfd, the trace fields for this recipient, and the channel on which the LMTP process
 * waits for this recipient's reply. 250 is said in the completion of the transaction, that is after its commit.
 */
#include "worker/worker_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "storage/txn.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

struct delivery {
    struct worker *w;
    struct delivery *next; /* while it waits for the account */
    uint64_t sid;
    int memfd, reply_fd;
    uint64_t size;
    struct view prefix;
    uint8_t prefix_bytes[PROTO_PREFIX_MAX];
    char sender[PROTO_ADDR_MAX + 1];
};

struct reply {
    uint16_t code;
    const char *enhanced, *text;
};

static struct reply reply_for(int err)
{
    switch (err) {
    case 0:
        return (struct reply){250, "2.1.5", "delivered"};
    case ERR_QUOTA:
        return (struct reply){552, "5.2.2", "mailbox is full"};
    case ERR_LIMIT:
        return (struct reply){552, "5.3.4", "message is too large"};
    case ERR_NOSPACE:
        return (struct reply){452, "4.3.1", "insufficient system storage"};
    default:
        return (struct reply){451, "4.3.0", "mailbox is not available now"};
    }
}

/* Says how it went and ends the delivery. */
static void finish(struct delivery *d, int err)
{
    struct reply r = reply_for(err);
    struct msg_delivered m = {r.code, view_str(r.enhanced), view_str(r.text)};
    struct worker *w = d->w;
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    msg_delivered_encode(&body, &m);
    if (ipc_send_wait(d->reply_fd, ROLE_WORKER, ROLE_LCONN, IPC_WORKER_DELIVERED, &body, NULL, 0, 0) != 0)
        LOG_WARN(d->sid, "nobody waits for this delivery's reply any more", F_STR("user", w->user));
    buf_free(&body);
    if (err == 0)
        LOG_INFO(d->sid, "delivered", F_STR("user", w->user), F_STR("sender", d->sender), F_UINT("size", d->size));
    else
        LOG_WARN(d->sid, "delivery refused", F_STR("user", w->user), F_STR("sender", d->sender), F_UINT("size", d->size),
                 F_ERR(err));
    close(d->reply_fd);
    close(d->memfd);
    free(d);
    w->ndeliveries--;
    worker_life_update(w);
}

static void committed(void *arg, int err, const struct txn_result *result)
{
    (void)result;
    finish(arg, err);
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

static void stage(struct delivery *d)
{
    struct message_source src = {.parts = {d->prefix}, .fd = d->memfd, .fd_size = d->size};
    struct append_options opt = {0};
    struct account *acc = d->w->acc;
    struct mailbox *inbox = acc != NULL ? account_find(acc, VIEW("INBOX")) : NULL;
    struct txn *t;
    int err;

    if (inbox == NULL) {
        finish(d, ERR_IO);
        return;
    }
    err = check_memfd(d);
    if (err != 0) {
        finish(d, err);
        return;
    }
    t = txn_begin(acc);
    err = txn_append(t, inbox, &src, &opt);
    if (err != 0) {
        txn_abort(&t);
        finish(d, err);
        return;
    }
    txn_commit(&t, committed, d);
}

void deliver_start_waiting(struct worker *w)
{
    while (w->waiting != NULL) {
        struct delivery *d = w->waiting;

        w->waiting = d->next;
        stage(d);
    }
}

static void wait_for_account(struct delivery *d)
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
    w->ndeliveries++;
    if (worker_account_open(w) == ERR_BUSY)
        wait_for_account(d);
    else
        stage(d);
    worker_life_update(w);
}
