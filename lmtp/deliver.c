/*
 * Recipients: asking auth whether they exist, and handing the message to each one's worker through master. Every recipient has a
 * reply channel of its own, so that one that fails, hangs or dies never touches another's answer (RFC 2033 4.2).
 */
#include "lmtp/lmtp_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/text/text.h"

/* RFC 5321 4.5.3.2.6: a client waits 10 minutes for the answer to a message. */
#define DELIVER_TIMEOUT_MS 300000
/* Master answers at once, or not at all. */
#define ROOM_TIMEOUT_MS 2000
/* Each holds descriptors here, at master and at its worker. */
#define DELIVERIES_AT_ONCE 64
/* With code and line end at most 512 octets (RFC 5321 4.5.3.1.5). */
#define ANSWER_TEXT_MAX 480

void lmtp_rcpt_free(struct lmtp_rcpt *r)
{
    free(r->address);
    r->address = NULL;
    ipc_free(&r->reply);
}

/* --- RCPT ---------------------------------------------------------------------------------------------------------- */

void lmtp_lookup(struct lmtp_conn *c, struct view address)
{
    struct msg_rcpt m = {.rcpt_id = ++c->next_rcpt_id, .address = address};
    struct buf body;

    c->looking_up = (struct lmtp_rcpt){.conn = c, .address = view_dup(address), .id = m.rcpt_id};
    lmtp_enter(c, LMTP_LOOKUP);
    buf_init(&body, IPC_MAX_BODY);
    msg_rcpt_encode(&body, &m);
    if (c->auth == NULL || ipc_send(c->auth, IPC_LCONN_RCPT, &body, NULL, 0) != 0)
        lmtp_lookup_failed(c);
    else
        ipc_set_state(c->auth, IPC_STATE_BUSY);
    buf_free(&body);
}

void lmtp_lookup_failed(struct lmtp_conn *c)
{
    struct msg_rcpt_result m = {c->looking_up.id, RCPT_TEMPORARY};

    if (c->state == LMTP_LOOKUP)
        lmtp_rcpt_result(c, &m);
}

static void keep_rcpt(struct lmtp_conn *c)
{
    c->rcpts = xreallocarray(c->rcpts, c->nrcpts + 1, sizeof(*c->rcpts));
    c->rcpts[c->nrcpts++] = c->looking_up;
    c->looking_up = (struct lmtp_rcpt){0}; /* transferred */
}

/* The recipient was answered. */
static void rcpt_done(struct lmtp_conn *c)
{
    lmtp_rcpt_free(&c->looking_up);
    if (c->auth != NULL)
        ipc_set_state(c->auth, IPC_STATE_READY);
    lmtp_enter(c, LMTP_COMMAND);
    lmtp_resume(c);
}

/* There is such a user. RFC 1870 section 6.1, RFC 5321 section 4.5.3.1.10 and RFC 3463 x.2.2: whether there is room is answered
 * here as far as it is known; the worker has the last word when the message is there. */
static void ask_room(struct lmtp_conn *c)
{
    struct msg_room_ask m = {.rcpt_id = c->looking_up.id, .size = c->declared};
    struct msg_room fits = {m.rcpt_id, ROOM_FITS};
    struct buf body;

    lmtp_enter(c, LMTP_ROOM);
    buf_init(&body, IPC_MAX_BODY);
    msg_room_ask_encode(&body, &m);
    if (c->master == NULL || ipc_send(c->master, IPC_LCONN_ROOM, &body, NULL, 0) != 0) {
        lmtp_room(c, &fits);
    } else {
        ipc_set_state(c->master, IPC_STATE_BUSY); /* and so it stays: an answer may come late */
        timer_arm(c->deliver_timer, ROOM_TIMEOUT_MS);
    }
    buf_free(&body);
}

void lmtp_room(struct lmtp_conn *c, const struct msg_room *m)
{
    if (c->state != LMTP_ROOM || m->rcpt_id != c->looking_up.id)
        return;
    timer_disarm(c->deliver_timer);
    switch (m->result) {
    case ROOM_FITS:
        keep_rcpt(c);
        lmtp_reply(c, 250, "2.1.5", "Recipient good.");
        break;
    case ROOM_FULL:
        lmtp_reply(c, 552, "5.2.2", "The mailbox is full.");
        break;
    case ROOM_FULL_NOW:
        lmtp_reply(c, 452, "4.2.2", "The mailbox is full.");
        break;
    }
    rcpt_done(c);
}

void lmtp_rcpt_result(struct lmtp_conn *c, const struct msg_rcpt_result *m)
{
    if (c->state != LMTP_LOOKUP || m->rcpt_id != c->looking_up.id)
        return;
    switch (m->result) {
    case RCPT_OK:
        ask_room(c);
        return;
    case RCPT_UNKNOWN:
        lmtp_reply(c, 550, "5.1.1", "There is no such user here.");
        break;
    case RCPT_DISABLED:
        lmtp_reply(c, 550, "5.2.1", "This mailbox is disabled.");
        break;
    case RCPT_TEMPORARY:
        lmtp_reply(c, 451, "4.3.0", "The recipient cannot be looked up now.");
        break;
    }
    rcpt_done(c);
}

/* --- trace fields ----------------------------------------------------------------------------------------------------- */

/* RFC 5321 4.4: Return-Path and Received, with the protocol's name as in RFC 3848 and RFC 6531 3.7.3; Delivered-To shows a
 * forwarding loop. */
static void put_trace(const struct lmtp_conn *c, const struct lmtp_rcpt *r, struct buf *out)
{
    char peer[46];

    buf_put_str(out, "Return-Path: <");
    buf_put_str(out, c->sender);
    buf_put_str(out, ">\r\n");
    if (c->p.set->lmtp_delivered_to) {
        buf_put_str(out, "Delivered-To: ");
        buf_put_str(out, r->address);
        buf_put_str(out, "\r\n");
    }
    if (!c->p.set->lmtp_received)
        return;
    net_addr_format(&c->peer, peer);
    buf_put_str(out, "Received: from ");
    buf_put_str(out, c->helo);
    buf_put_fmt(out, c->peer.family == 6 ? " ([IPv6:%s])" : c->peer.family == 4 ? " ([%s])" : " (%s)", peer);
    buf_put_str(out, "\r\n\tby ");
    buf_put_str(out, c->p.hostname);
    buf_put_fmt(out, " with %s%s id %016llx;\r\n\t", c->utf8 ? "UTF8LMTP" : "LMTP", c->tls_on ? "S" : "",
                (unsigned long long)c->id);
    time_put_rfc5322(out, (int64_t)time(NULL), 0);
    buf_put_str(out, "\r\n");
}

/* --- delivery --------------------------------------------------------------------------------------------------------- */

static void set_answer(struct lmtp_rcpt *r, uint16_t code, const char *enhanced, const char *text)
{
    r->code = code;
    snprintf(r->enhanced, sizeof(r->enhanced), "%s", enhanced);
    snprintf(r->text, sizeof(r->text), "%s", text);
}

/* Answers in the order of the RCPT commands once the last one is known. An address that makes the line too long is left out. */
static void put_answers(struct lmtp_conn *c)
{
    for (size_t i = 0; i < c->nrcpts; i++) {
        struct lmtp_rcpt *r = &c->rcpts[i];
        struct buf line;

        buf_init(&line, ANSWER_TEXT_MAX);
        buf_put_byte(&line, '<');
        buf_put_str(&line, r->address);
        buf_put_str(&line, "> ");
        buf_put_str(&line, r->text);
        buf_put_byte(&line, 0);
        lmtp_reply(c, r->code, r->enhanced, buf_ok(&line) ? (const char *)buf_view(&line).ptr : r->text);
        buf_free(&line);
    }
    timer_disarm(c->deliver_timer);
    lmtp_reset(c);
    lmtp_enter(c, LMTP_COMMAND);
    if (c->master == NULL)
        lmtp_leave(c);
    lmtp_resume(c);
}

static void start_some(struct lmtp_conn *c);

static void answered(struct lmtp_rcpt *r)
{
    struct lmtp_conn *c = r->conn;

    ipc_free(&r->reply);
    c->waiting--;
    start_some(c);
    if (c->waiting == 0)
        put_answers(c);
}

/* A worker runs as its user: it may say how its own delivery went, and nothing else. */
static bool is_final(const struct msg_delivered *m)
{
    return m->code == 250 || (m->code >= 400 && m->code <= 599);
}

static void on_reply(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct lmtp_rcpt *r = arg;
    struct msg_delivered m;
    char enhanced[17] = "", text[PROTO_TEXT_MAX + 1] = "";

    (void)ch;
    if (msg_delivered_decode(msg->body, &m) != 0 || !is_final(&m) || m.enhanced.len >= sizeof(enhanced) ||
        m.text.len >= sizeof(text)) {
        set_answer(r, 451, "4.3.0", "mailbox is not available now");
    } else {
        memcpy(enhanced, m.enhanced.ptr, m.enhanced.len);
        memcpy(text, m.text.ptr, m.text.len);
        for (char *p = text; *p != '\0'; p++)
            *p = *p < ' ' || *p == 0x7f ? ' ' : *p;
        set_answer(r, m.code, enhanced, text);
    }
    answered(r);
}

/* The worker died, or master refused without a word. */
static void on_reply_closed(void *arg, struct ipc *ch, int err)
{
    struct lmtp_rcpt *r = arg;

    (void)ch;
    LOG_WARN(r->conn->id, "a delivery got no answer", F_STR("rcpt", r->address), F_ERR(err));
    set_answer(r, 451, "4.3.0", "mailbox is not available now");
    answered(r);
}

static int send_delivery(struct lmtp_conn *c, struct lmtp_rcpt *r, int reply_fd)
{
    struct msg_deliver m = {.rcpt_id = r->id, .size = c->size, .sender = view_str(c->sender)};
    struct buf body, prefix;
    int fds[2] = {c->memfd, reply_fd};
    int err = ERR_CLOSED;

    buf_init(&body, IPC_MAX_BODY);
    buf_init(&prefix, PROTO_PREFIX_MAX);
    put_trace(c, r, &prefix);
    m.prefix = buf_view(&prefix);
    msg_deliver_encode(&body, &m);
    if (c->master != NULL)
        err = ipc_send(c->master, IPC_LCONN_DELIVER, &body, fds, 2);
    buf_free(&prefix);
    buf_free(&body);
    return err;
}

static void start_delivery(struct lmtp_conn *c, struct lmtp_rcpt *r)
{
    int pair[2] = {-1, -1};
    int err = ipc_pair(pair);

    r->conn = c;
    if (err == 0)
        err = send_delivery(c, r, pair[1]);
    if (pair[1] >= 0)
        close(pair[1]);
    if (err != 0) {
        if (pair[0] >= 0)
            close(pair[0]);
        LOG_WARN(c->id, "cannot hand a message over", F_STR("rcpt", r->address), F_ERR(err));
        set_answer(r, 451, "4.3.0", "mailbox is not available now");
        return;
    }
    r->reply = ipc_new(c->loop, pair[0], ROLE_LCONN, ROLE_WORKER, on_reply, on_reply_closed, r);
    c->waiting++;
}

static void start_some(struct lmtp_conn *c)
{
    while (c->started < c->nrcpts && c->waiting < DELIVERIES_AT_ONCE)
        start_delivery(c, &c->rcpts[c->started++]);
}

static void refuse_all(struct lmtp_conn *c)
{
    for (size_t i = 0; i < c->nrcpts; i++) {
        if (c->data_err == ERR_LIMIT)
            set_answer(&c->rcpts[i], 552, "5.3.4", "message is too large");
        else
            set_answer(&c->rcpts[i], 452, "4.3.1", "insufficient system storage");
    }
}

void lmtp_deliver(struct lmtp_conn *c)
{
    lmtp_enter(c, LMTP_DELIVER);
    if (c->nrcpts == 0) { /* BDAT LAST without recipients: RFC 2033 4.3 */
        lmtp_reply(c, 503, "5.5.1", "No valid recipients.");
        lmtp_reset(c);
        lmtp_enter(c, LMTP_COMMAND);
        return;
    }
    if (c->data_err == 0 && fcntl(c->memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        LOG_ERROR(c->id, "cannot seal a message", F_ERRNO(errno));
        c->data_err = ERR_SYSTEM;
    }
    c->waiting = c->started = 0;
    if (c->data_err != 0) {
        refuse_all(c);
    } else {
        timer_arm(c->deliver_timer, DELIVER_TIMEOUT_MS);
        start_some(c);
    }
    if (c->waiting == 0)
        put_answers(c);
}

void lmtp_deliver_timeout(void *arg)
{
    struct lmtp_conn *c = arg;
    struct msg_room fits = {c->looking_up.id, ROOM_FITS};

    if (c->state == LMTP_ROOM) {
        lmtp_room(c, &fits);
        return;
    }
    for (size_t i = 0; i < c->nrcpts; i++) {
        if (c->rcpts[i].code == 0)
            set_answer(&c->rcpts[i], 451, "4.4.2", "the mailbox did not answer in time");
        ipc_free(&c->rcpts[i].reply);
    }
    c->waiting = 0;
    if (c->state == LMTP_DELIVER)
        put_answers(c);
}
