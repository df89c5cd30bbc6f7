/* A connection of a mail server: lines in, lines out. Whatever is wrong with them costs this connection. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "auth/smtp_int.h"
#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/text/text.h"

#define READ_MAX 4096
/* Answers that nobody reads. */
#define OUT_MAX (256 * 1024)

void smtp_client_free(struct smtp_client *c)
{
    struct smtp_server *s = c->server;
    struct smtp_client **p = &s->clients;
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    s->nclients--;
    while (c->exchanges != NULL)
        smtp_exchange_free(c->exchanges);
    watch_free(&c->watch);
    timer_free(&c->idle);
    close(c->fd);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
    smtp_server_left(s);
}

/* True while the client is there. */
static bool client_flush(struct smtp_client *c)
{
    while (buf_ok(&c->out) && buf_len(&c->out) > 0) {
        struct view v = buf_view(&c->out);
        ssize_t n = send(c->fd, v.ptr, v.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            watch_set(c->watch, LOOP_WRITE); /* who does not read his answers is not read from either */
            return true;
        }
        if (n < 0)
            return false;
        buf_consume(&c->out, (size_t)n);
    }
    watch_set(c->watch, LOOP_READ);
    return buf_ok(&c->out) && !c->closing;
}

void smtp_client_flush(struct smtp_client *c)
{
    if (!client_flush(c))
        smtp_client_free(c);
}

void smtp_client_rest(struct smtp_client *c)
{
    if (c->nexchanges > 0)
        return;
    c->closing = c->closing || c->server->stopping;
    timer_arm(c->idle, SMTP_IDLE_MS);
}

static void on_idle(void *arg)
{
    struct smtp_client *c = arg;
    if (!c->greeted)
        LOG_DEBUG(0, "a mail server that says nothing is cut off", F_UINT("client", c->number));
    smtp_client_free(c);
}

/* Which words of auth_mechanisms are on offer, and what the mail server is told of each: it may have a policy of its own. Channel
 * binding is none of ours: TLS ends in the mail server. */
static void put_mechanisms(struct smtp_client *c)
{
    static const struct {
        const char *word, *line;
    } known[] = {
        {"plain", "MECH\tPLAIN\tplaintext\n"},
        {"login", "MECH\tLOGIN\tplaintext\n"},
        {"scram-sha-256", "MECH\tSCRAM-SHA-256\tmutual-auth\n"},
        {"scram-sha-1", "MECH\tSCRAM-SHA-1\tmutual-auth\n"},
        {"oauthbearer", "MECH\tOAUTHBEARER\n"},
        {"xoauth2", "MECH\tXOAUTH2\n"},
    };
    const struct conf_list *list = &c->server->set->auth_mechanisms;
    for (size_t k = 0; k < ARRAY_LEN(known); k++) {
        for (size_t i = 0; i < list->n; i++) {
            if (view_eq_nocase(view_str(list->items[i]), view_str(known[k].word))) {
                buf_put_str(&c->out, known[k].line);
                break;
            }
        }
    }
}

/* All of it at once: Exim waits for DONE before it says its version. */
static void put_greeting(struct smtp_client *c)
{
    uint8_t cookie[16];
    randombytes_buf(cookie, sizeof(cookie));
    buf_put_str(&c->out, "VERSION\t1\t2\n");
    put_mechanisms(c);
    buf_put_fmt(&c->out, "SPID\t%ld\nCUID\t%u\nCOOKIE\t", (long)getpid(), c->number);
    hex_encode(&c->out, view_make(cookie, sizeof(cookie)));
    buf_put_str(&c->out, "\nDONE\n");
}

static int client_version(struct smtp_client *c, const struct smtp_line *line)
{
    if (c->greeted || line->major != 1)
        return ERR_PROTO;
    c->greeted = true;
    timer_arm(c->idle, SMTP_IDLE_MS);
    return 0;
}

static int client_line(struct smtp_client *c, struct view text)
{
    struct smtp_line line;
    int err = smtp_line_parse(text, &line);
    if (err != 0 || (line.verb != SMTP_VERSION && !c->greeted))
        return ERR_PROTO;
    switch (line.verb) {
    case SMTP_VERSION:
        return client_version(c, &line);
    case SMTP_AUTH:
        err = smtp_exchange_auth(c, &line);
        break;
    case SMTP_CONT:
        err = smtp_exchange_cont(c, &line);
        break;
    case SMTP_CANCEL:
        smtp_exchange_cancel(c, line.id);
        break;
    case SMTP_OTHER:
        return 0;
    }
    if (c->nexchanges > 0)
        timer_disarm(c->idle);
    else
        smtp_client_rest(c);
    return err;
}

/* The lines that are complete. */
static int client_lines(struct smtp_client *c)
{
    while (!c->closing) {
        struct view in = buf_view(&c->in);
        size_t end = view_find(in, '\n');
        if (end == in.len)
            return in.len > SMTP_LINE_MAX ? ERR_LIMIT : 0;
        int err = end > SMTP_LINE_MAX ? ERR_LIMIT : client_line(c, view_sub(in, 0, end));
        if (err != 0)
            return err;
        buf_consume(&c->in, end + 1);
    }
    return 0;
}

/* False: it is to end. */
static bool client_read(struct smtp_client *c)
{
    uint8_t *room = buf_reserve(&c->in, READ_MAX);
    if (room == NULL)
        return false;
    ssize_t n = recv(c->fd, room, READ_MAX, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    buf_commit(&c->in, (size_t)n);
    int err = client_lines(c);
    if (err != 0)
        LOG_WARN(0, "mail server cut off: not the protocol of this socket", F_UINT("client", c->number), F_ERR(err));
    if (buf_len(&c->in) == 0)
        buf_shrink(&c->in);
    return err == 0;
}

static void on_ready(void *arg, int fd, unsigned events)
{
    struct smtp_client *c = arg;
    (void)fd;
    if ((events & LOOP_READ) != 0 && !client_read(c)) {
        smtp_client_free(c);
        return;
    }
    if ((events & LOOP_HANGUP) != 0 && (events & LOOP_READ) == 0) {
        smtp_client_free(c);
        return;
    }
    smtp_client_flush(c);
}

void smtp_client_new(struct smtp_server *s, int fd)
{
    struct smtp_client *c = xcalloc(1, sizeof(*c));
    c->server = s;
    c->number = ++s->last_client;
    c->fd = fd;
    buf_init_secret(&c->in, SMTP_LINE_MAX + 1 + READ_MAX);
    buf_init_secret(&c->out, OUT_MAX);
    c->next = s->clients;
    s->clients = c;
    s->nclients++;
    c->idle = timer_new(s->loop, on_idle, c);
    timer_arm(c->idle, SMTP_HELLO_MS);
    c->watch = loop_watch(s->loop, fd, LOOP_READ, on_ready, c);
    if (c->watch == NULL) {
        smtp_client_free(c);
        return;
    }
    put_greeting(c);
    smtp_client_flush(c);
}
