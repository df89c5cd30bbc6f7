/*
 * NOTIFY in a session's record: the command, and what was told of each name. The latter is compared with the account as the next
 * process finds it, so nothing that happens before the session is thawed, or that could not be told any more, is lost.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/text/text.h"
#include "imap/command.h"
#include "imap/notify.h"

#define FROZEN_FIRST 1
#define FROZEN_NAMES 2
#define FROZEN_FLAGS 3
#define NAME_SUBSCRIBED 1
#define NAME_CHILDREN 2
#define NAME_READABLE 4
#define NAME_FLAGS 7

static void put_name(struct buf *out, const struct imap_notify_state *told, const struct imap_notify_name *e)
{
    buf_put_view16(out, imap_notify_name(told, e));
    buf_put_varint(out, e->id);
    buf_put_varint(out, e->uidvalidity);
    buf_put_varint(out, e->uidnext);
    buf_put_varint(out, e->messages);
    buf_put_varint(out, e->unseen);
    buf_put_varint(out, e->modseq);
    buf_put_varint(out, e->use);
    buf_put_u8(out, (uint8_t)((e->subscribed ? NAME_SUBSCRIBED : 0) | (e->children ? NAME_CHILDREN : 0) |
                              (e->readable ? NAME_READABLE : 0)));
}

void imap_notify_freeze(const struct imap_session *s, struct buf *out)
{
    const struct imap_notify *n = s->notify;

    buf_put_view32(out, n->text);
    buf_put_u32(out, n->enabled);
    buf_put_u8(out, (uint8_t)((n->first ? FROZEN_FIRST : 0) | (n->ngroups > 0 ? FROZEN_NAMES : 0)));
    buf_put_u32(out, n->first_new);
    buf_put_u32(out, n->last_new);
    if (n->ngroups == 0)
        return;
    buf_put_varint(out, n->told.n);
    for (size_t i = 0; i < n->told.n; i++)
        put_name(out, &n->told, &n->told.v[i]);
}

static uint32_t get_number(struct cursor *c)
{
    uint64_t n = cursor_varint(c);

    if (n > UINT32_MAX)
        cursor_fail(c);
    return (uint32_t)n;
}

static void get_name(struct cursor *c, struct imap_notify_state *told, struct imap_notify_name *e)
{
    struct view name = cursor_view16(c, UINT16_MAX);
    uint8_t flags;

    *e = (struct imap_notify_name){.name = buf_len(&told->names), .len = name.len};
    buf_put_view(&told->names, name);
    e->id = get_number(c);
    e->uidvalidity = get_number(c);
    e->uidnext = get_number(c);
    e->messages = get_number(c);
    e->unseen = get_number(c);
    e->modseq = cursor_varint(c);
    e->use = get_number(c);
    flags = cursor_u8(c);
    if (flags > NAME_FLAGS || name.len == 0 || !utf8_valid(name))
        cursor_fail(c);
    e->subscribed = (flags & NAME_SUBSCRIBED) != 0;
    e->children = (flags & NAME_CHILDREN) != 0;
    e->readable = (flags & NAME_READABLE) != 0;
}

static void get_told(struct cursor *c, struct imap_notify_state *told)
{
    uint64_t n = cursor_varint(c);

    if (c->failed || n > NOTIFY_MAILBOXES_MAX) {
        cursor_fail(c);
        return;
    }
    imap_notify_state_free(told);
    imap_notify_state_init(told);
    told->v = xreallocarray(NULL, (size_t)n + 1, sizeof(*told->v));
    told->cap = (size_t)n + 1;
    while (told->n < n && !c->failed)
        get_name(c, told, &told->v[told->n++]);
    if (!buf_ok(&told->names))
        cursor_fail(c);
    imap_notify_state_index(told);
}

/* The command again, without a word to the client. */
static int take_up(struct imap_session *s, struct view text)
{
    struct imap_parse p;
    struct imap_job *job;
    int err = ERR_SYNTAX;

    job = imap_job_new(s, text, &p);
    if (job == NULL)
        return ERR_SYNTAX;
    job->internal = true;
    if (job->cmd == &imap_cmd_notify) {
        job->cmd->parse(&p, job);
        imap_parse_end(&p);
        if (imap_parse_ok(&p) && job->cmd->step(job) == IMAP_STEP_DONE && job->answer == IMAP_OK)
            err = 0;
    }
    imap_job_free(&job);
    return err;
}

void imap_notify_thaw(struct imap_session *s, struct cursor *c)
{
    struct view text = cursor_view32(c, s->host->in->max);
    unsigned enabled = cursor_u32(c), now = s->enabled;
    uint8_t flags = cursor_u8(c);
    struct imap_notify *n;
    int err;

    if (c->failed || flags > FROZEN_FLAGS || text.len == 0 || (enabled & ~(unsigned)IMAP_ENABLED_ALL) != 0) {
        cursor_fail(c);
        return;
    }
    s->enabled = enabled; /* as it was read the first time */
    err = take_up(s, text);
    s->enabled = now;
    n = s->notify;
    if (err != 0 || ((flags & FROZEN_NAMES) != 0) != (n->ngroups > 0)) {
        cursor_fail(c);
        return;
    }
    n->enabled = enabled;
    n->first = (flags & FROZEN_FIRST) != 0;
    n->first_new = cursor_u32(c);
    n->last_new = cursor_u32(c);
    if (n->ngroups > 0)
        get_told(c, &n->told);
    n->names = account_names_changes(s->acc) - 1; /* whatever it is now: to be compared */
    s->news = s->news || !n->first;               /* what is told first is told with what comes next */
}
