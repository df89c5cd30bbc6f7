/*
 * The input of APPEND and REPLACE: options, literals, parts, as they come.
 *
 * The messages are collected outside the log, small ones in memory and others in an unlinked spool file, and staged together when
 * the command is complete: a client that stalls in mid-literal holds up nobody. Bare LF line ends become CRLF on the way, which
 * is what the store keeps.
 */
#include "imap/append.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imap/capability.h"
#include "imap/command.h"
#include "imap/limit.h"
#include "imap/names.h"
#include "imap/respond.h"
#include "imap/rights.h"

#define MESSAGE_IN_MEMORY_MAX (256 * 1024)
#define MEMORY_MAX (1024 * 1024)                                /* of all messages of one command */
#define MEMORY_BUF_MAX (2 * MEMORY_MAX + MESSAGE_IN_MEMORY_MAX) /* bare LF may double them */
#define MESSAGES_MAX 1000
#define LITERALS_MAX (MESSAGES_MAX + PARTS_MAX)
#define PARTS_MAX 4000
#define URL_MAX 8192

static const char refused_nul[] = "Messages with NUL octets cannot be stored";

/* A new element of an array in the pool; NULL: the limit is reached. */
static void *grow(struct imap_job *job, void *array, size_t size, size_t *n, size_t *cap, size_t max)
{
    uint8_t *grown = array;

    if (*n == max)
        return NULL;
    if (*n == *cap) {
        size_t more = *cap == 0 ? 1 : *cap * 4;

        grown = imap_pool_alloc(&job->pool, more * size);
        if (grown == NULL)
            return NULL;
        if (*n > 0)
            memcpy(grown, array, *n * size);
        *cap = more;
    }
    ++*n;
    return grown;
}

static struct append_message *add_message(struct imap_job *job, struct append_args *a)
{
    struct append_message *grown = grow(job, a->messages, sizeof(*grown), &a->n, &a->cap, MESSAGES_MAX);

    if (grown == NULL)
        return NULL;
    a->messages = grown;
    return &a->messages[a->n - 1];
}

static struct append_part *add_part(struct imap_parse *p, struct imap_job *job, struct append_args *a)
{
    struct append_part *grown = grow(job, a->parts, sizeof(*grown), &a->nparts, &a->cap_parts, PARTS_MAX);

    if (grown == NULL) {
        imap_parse_fail(p, "Too many parts");
        return NULL;
    }
    a->parts = grown;
    a->messages[a->n - 1].nparts++;
    return &a->parts[a->nparts - 1];
}

/* A part that a URL names. One that is malformed fails the command when it is complete (RFC 4469 4.1), as others that cannot be
 * had. */
static void add_url(struct imap_parse *p, struct imap_job *job, struct view text)
{
    struct append_args *a = job->args;
    const struct mailbox *m = job->s->view == NULL ? NULL : mailbox_view_mailbox(job->s->view);
    struct append_part *part = add_part(p, job, a);
    struct imap_url *url = imap_pool_alloc(&job->pool, sizeof(*url));
    struct view selected = m == NULL ? (struct view){NULL, 0} : imap_pool_copy(&job->pool, mailbox_name(m));

    if (part == NULL || url == NULL || text.ptr == NULL) {
        imap_parse_fail(p, "Too many parts");
        return;
    }
    part->url = url;
    part->url_text = text;
    if (imap_url_parse(text, selected, imap_separator(job->s), &job->pool, url) != 0 && a->bad_url.ptr == NULL)
        a->bad_url = text;
}

/* cat-part *(SP cat-part) ")" up to the end, or up to a literal's header: true. */
static bool parse_parts(struct imap_parse *p, struct imap_job *job)
{
    struct append_args *a = job->args;

    while (imap_parse_ok(p)) {
        if (imap_parse_try_word(p, "URL ")) {
            a->url_literal = imap_parse_peek(p) == '{';
            if (a->url_literal)
                return true;
            add_url(p, job, imap_parse_astring(p));
        } else if (imap_parse_try_word(p, "TEXT ")) {
            a->literal8 = imap_parse_try(p, '~');
            if (imap_parse_peek(p) != '{')
                imap_parse_fail(p, "Missing message literal");
            return true;
        } else
            imap_parse_fail(p, "Expected TEXT or URL");
        if (imap_parse_try(p, ')')) {
            a->catenating = false;
            return false;
        }
        imap_parse_space(p);
    }
    return false;
}

/* append-message up to its end, or up to the header of a literal: true. */
static bool parse_message(struct imap_parse *p, struct imap_job *job)
{
    struct append_args *a = job->args;
    struct append_message *m = add_message(job, a);
    struct imap_flags flags = {0};

    if (m == NULL) {
        imap_parse_fail(p, "Too many messages");
        return false;
    }
    m->first_part = a->nparts;
    imap_parse_space(p);
    if (imap_parse_peek(p) == '(') {
        imap_parse_flags(p, false, &flags);
        imap_parse_space(p);
    }
    if (imap_parse_peek(p) == '"') {
        imap_parse_date_time(p, &m->options.date, &m->options.zone_minutes);
        m->options.has_date = true;
        imap_parse_space(p);
    }
    m->options.flags = flags.flags;
    m->options.keywords = flags.keywords;
    m->options.nkeywords = flags.nkeywords;
    a->last = 0;
    if (!imap_capability_disabled(job->s, "CATENATE") && imap_parse_try_word(p, "CATENATE (")) {
        m->catenate = a->catenating = true;
        return parse_parts(p, job);
    }
    a->utf8 = (job->s->enabled & IMAP_ENABLED_UTF8) != 0 && imap_parse_try_word(p, "UTF8 (");
    a->literal8 = imap_parse_try(p, '~');
    if (imap_parse_peek(p) != '{' || (a->utf8 && !a->literal8))
        imap_parse_fail(p, "Missing message literal");
    return true;
}

/* Goes on behind a literal, or behind the mailbox: true when the header of a literal is next. */
static bool parse_more(struct imap_parse *p, struct imap_job *job)
{
    struct append_args *a = job->args;
    bool literal = false;

    if (a->utf8)
        imap_parse_expect(p, ')', "Missing closing parenthesis");
    a->utf8 = false;
    if (a->catenating) {
        if (imap_parse_try(p, ')'))
            a->catenating = false;
        else {
            imap_parse_space(p);
            literal = parse_parts(p, job);
        }
    } else if (a->n == 0)
        literal = parse_message(p, job);
    while (!literal && imap_parse_ok(p) && cursor_left(&p->c) > 0) {
        if (job->cmd == &imap_cmd_replace)
            imap_parse_fail(p, "Only one message can take the place of another");
        else
            literal = parse_message(p, job);
    }
    return literal && imap_parse_ok(p);
}

void imap_append_parse(struct imap_parse *p, struct imap_job *job)
{
    struct append_args *a = job->args;

    if (job->cmd == &imap_cmd_replace)
        imap_replace_parse(p, job);
    imap_parse_space(p);
    a->name = imap_parse_mailbox(p, job->s);
    if (parse_more(p, job) || a->catenating)
        imap_parse_fail(p, "Missing message literal");
}

static void open_spool(struct append_args *a, int dir)
{
    if (a->has_spool || a->err != 0)
        return;
    a->spool = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (a->spool < 0)
        a->err = err_from_errno(errno);
    else
        a->has_spool = true;
}

void imap_append_spool(struct imap_session *s, struct append_args *a, struct view v)
{
    open_spool(a, s->host->spool_dir);
    if (a->intake != NULL)
        intake_add(a->intake, v);
    while (a->err == 0 && v.len > 0) {
        ssize_t n = pwrite(a->spool, v.ptr, v.len, (off_t)a->spool_size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            a->err = n < 0 ? err_from_errno(errno) : ERR_IO;
            return;
        }
        a->spool_size += (uint64_t)n;
        v = view_sub(v, (size_t)n, v.len);
    }
}

/* text: up to its header. False: there were too many. */
static bool note_literal(struct imap_job *job, struct append_args *a, struct view text)
{
    struct append_literal *grown = grow(job, a->literals, sizeof(*grown), &a->nliterals, &a->cap_literals, LITERALS_MAX);

    if (grown == NULL)
        return false;
    a->literals = grown;
    a->literals[a->nliterals - 1] = (struct append_literal){.text = text, .url = a->url_literal, .index = SIZE_MAX};
    return true;
}

/* Where the bytes of the literal go. */
static void prepare(struct imap_session *s, struct imap_job *job, uint64_t size)
{
    struct append_args *a = job->args;
    struct append_message *m = &a->messages[a->n - 1];
    struct append_literal *l = &a->literals[a->nliterals - 1];
    bool spooled = size > MESSAGE_IN_MEMORY_MAX || buf_len(&a->memory) + size > MEMORY_MAX;
    struct imap_parse none;

    if (a->url_literal) {
        l->index = a->nparts;
        buf_free(&a->url);
        buf_init(&a->url, URL_MAX);
        return;
    }
    if (a->memory.max == 0)
        buf_init(&a->memory, MEMORY_BUF_MAX);
    if (spooled)
        open_spool(a, s->host->spool_dir);
    if (m->catenate) {
        struct append_part *part;

        imap_parse_init(&none, (struct view){NULL, 0}, &job->pool);
        part = add_part(&none, job, a);
        if (part == NULL) {
            a->err = ERR_LIMIT;
            return;
        }
        l->in_part = true;
        l->index = a->nparts - 1;
        *part = (struct append_part){.spooled = spooled, .offset = spooled ? a->spool_size : buf_len(&a->memory)};
        return;
    }
    l->index = a->n - 1;
    imap_append_intake(a, size);
    m->spooled = spooled;
    m->offset = spooled ? a->spool_size : buf_len(&a->memory);
}

/* RFC 9738 3.1: all or nothing. False: the answer is set. */
static bool within_limit(struct imap_job *job, const struct append_args *a)
{
    uint32_t limit = imap_save_limit(job->s);

    if (limit == 0 || a->n <= limit)
        return true;
    (void)imap_limit_refuse(job, limit, 0, "Too many messages for one command");
    return false;
}

/* Reasons to refuse before a byte of the literal is read. DONE: refused. */
static enum imap_step check(struct imap_job *job, const struct append_args *a, uint64_t size)
{
    const struct append_message *msg = &a->messages[a->n - 1];
    struct imap_session *s = job->s;
    const struct mailbox *m;
    struct quota_usage q;

    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    m = account_find(s->acc, a->name);
    if (m == NULL)
        return imap_job_no(job, "TRYCREATE", "No such mailbox");
    if (!imap_may(m, ACL_INSERT))
        return imap_job_noperm(job);
    if (!within_limit(job, a))
        return IMAP_STEP_DONE;
    if (a->url_literal && size > URL_MAX)
        return imap_job_no(job, "TOOBIG", "URL too large");
    if (size == 0 && !msg->catenate)
        return imap_job_no(job, NULL, "Empty message");
    if (size > s->host->set->message_size_max || msg->size > s->host->set->message_size_max - size)
        return imap_job_no(job, "TOOBIG", "Message too large");
    account_quota(s->acc, &q);
    if (job->cmd != &imap_cmd_replace && (q.bytes + size > q.limits.bytes || q.messages + a->n > q.limits.messages))
        return imap_job_fail(job, ERR_QUOTA);
    if (a->err != 0)
        return imap_job_fail(job, a->err);
    if (a->bad_url.ptr != NULL)
        return imap_bad_url(job, a->bad_url);
    if (a->refused != NULL)
        return imap_job_no(job, NULL, a->refused);
    return IMAP_STEP_AGAIN;
}

/* Behind others that it may not be staged behind it waits for its turn. */
static void enqueue(struct imap_session *s, struct imap_job **job)
{
    if (s->head != NULL && ((*job)->cmd->flags & IMAP_CMD_STACK) == 0) {
        s->held = *job;
        *job = NULL; /* transferred */
    } else
        imap_job_queue(s, job);
}

/* What comes before the first message. */
static void begin_command(struct imap_parse *p, struct imap_job *job)
{
    imap_job_check(job);
    if (job->cmd == &imap_cmd_replace)
        imap_replace_parse(p, job);
    imap_parse_space(p);
    ((struct append_args *)job->args)->name = imap_parse_mailbox(p, job->s);
}

/* Goes on up to the header of a literal. */
static void parse_to_literal(struct imap_parse *p, struct imap_job *job)
{
    struct view rest;

    if (!parse_more(p, job) && imap_parse_ok(p))
        imap_parse_fail(p, "Missing message literal");
    rest = cursor_rest(&p->c);
    if (imap_parse_ok(p) && view_find(rest, '}') + 1 != rest.len)
        imap_parse_fail(p, "Invalid literal");
}

void imap_append_literal(struct imap_session *s, struct view text, const struct imap_literal *literal)
{
    struct imap_job *job = s->receiving;
    struct imap_parse p;

    if (job == NULL) {
        job = imap_job_new(s, text, &p);
        if (job == NULL) {
            imap_input_refuse(s, literal);
            return;
        }
        begin_command(&p, job);
        text = job->text;
    } else {
        text = imap_pool_copy(&job->pool, text);
        imap_parse_init(&p, text, &job->pool);
    }
    s->receiving = NULL;
    parse_to_literal(&p, job);
    if (!imap_parse_ok(&p))
        (void)imap_job_bad_code(job, p.code, imap_parse_error(&p));
    else if (job->answer_text == NULL && !note_literal(job, job->args, text))
        (void)imap_job_bad(job, "Too many literals");
    else if (job->answer_text == NULL && check(job, job->args, literal->size) == IMAP_STEP_AGAIN) {
        prepare(s, job, literal->size);
        s->receiving = job; /* transferred */
        imap_input_accept(s, literal);
        return;
    }
    enqueue(s, &job);
    imap_input_refuse(s, literal);
}

void imap_append_intake(struct append_args *a, uint64_t size)
{
    intake_free(&a->intake);
    a->intake = intake_begin(a->structure.parts == NULL && size >= INTAKE_STRUCTURE_MIN);
}

void imap_append_known(struct append_args *a, struct append_message *m)
{
    struct mime_msg structure;

    intake_end(&a->intake, m->content_id, &structure);
    m->hashed = true;
    if (structure.parts == NULL)
        return;
    a->structure = structure; /* transferred */
    a->structured = (size_t)(m - a->messages);
}

static void put_piece(struct imap_session *s, struct append_args *a, struct view v)
{
    struct append_message *m = &a->messages[a->n - 1];
    struct append_part *part = m->catenate ? &a->parts[a->nparts - 1] : NULL;

    if (a->err != 0 || v.len == 0)
        return;
    m->size += v.len;
    if (part != NULL)
        part->size += v.len;
    if (part != NULL ? part->spooled : m->spooled) {
        imap_append_spool(s, a, v);
        return;
    }
    if (a->intake != NULL)
        intake_add(a->intake, v);
    buf_put_view(&a->memory, v);
    if (!buf_ok(&a->memory))
        a->err = ERR_LIMIT;
}

static void put_url(struct imap_job *job, struct view bytes)
{
    struct append_args *a = job->args;
    struct imap_parse p;

    buf_put_view(&a->url, bytes);
    if (!imap_input_message_done(job->s))
        return;
    imap_parse_init(&p, (struct view){NULL, 0}, &job->pool);
    add_url(&p, job, imap_pool_copy(&job->pool, buf_view(&a->url)));
    if (!imap_parse_ok(&p))
        a->err = ERR_LIMIT;
    a->url_literal = false;
}

void imap_append_bytes(struct imap_session *s, struct view bytes)
{
    struct append_args *a = s->receiving->args;
    size_t from = 0;

    if (a->url_literal) {
        struct view copy = imap_pool_copy(&s->receiving->pool, bytes);

        imap_input_taken(s);
        put_url(s->receiving, copy);
        return;
    }
    if (memchr(bytes.ptr, '\0', bytes.len) != NULL)
        a->refused = refused_nul;
    for (size_t i = 0; i < bytes.len;) {
        size_t lf = i + view_find(view_sub(bytes, i, bytes.len), '\n');

        if (lf == bytes.len)
            break;
        if ((lf > 0 ? bytes.ptr[lf - 1] : a->last) != '\r') {
            put_piece(s, a, view_sub(bytes, from, lf - from));
            put_piece(s, a, VIEW("\r"));
            from = lf;
        }
        i = lf + 1;
    }
    put_piece(s, a, view_sub(bytes, from, bytes.len - from));
    a->last = bytes.ptr[bytes.len - 1];
    imap_input_taken(s);
    if (a->intake != NULL && imap_input_message_done(s))
        imap_append_known(a, &a->messages[a->n - 1]);
}

void imap_append_end(struct imap_session *s, struct view text)
{
    struct imap_job *job = s->receiving;
    struct imap_parse p;

    imap_parse_init(&p, imap_pool_copy(&job->pool, text), &job->pool);
    imap_input_taken(s);
    if (parse_more(&p, job) || ((struct append_args *)job->args)->catenating)
        imap_parse_fail(&p, "Missing message literal");
    imap_parse_end(&p);
    if (!imap_parse_ok(&p))
        (void)imap_job_bad_code(job, p.code, imap_parse_error(&p));
    s->receiving = NULL; /* transferred */
    enqueue(s, &job);
}

static int stage_messages(struct append_args *a, struct txn *t, struct mailbox *m)
{
    unsigned rights = mailbox_own_rights(m);
    int err = 0;

    for (size_t i = 0; i < a->n && err == 0; i++) {
        const struct append_message *msg = &a->messages[i];
        struct append_options options = msg->options;
        struct message_source src = {.fd = -1, .content_id = msg->hashed ? msg->content_id : NULL};

        if (a->structure.parts != NULL && a->structured == i)
            src.structure = &a->structure;
        if (msg->spooled) {
            src.fd = a->spool;
            src.fd_offset = msg->offset;
            src.fd_size = msg->size;
        } else
            src.parts[0] = view_sub(buf_view(&a->memory), (size_t)msg->offset, (size_t)msg->size);
        options.flags &= imap_rights_flags(rights); /* RFC 4314 4: the others are not set, and that is no failure */
        options.nkeywords = (rights & ACL_WRITE) != 0 ? options.nkeywords : 0;
        err = txn_append(t, m, &src, &options);
    }
    return err;
}

/* Nothing of the messages is needed any more. */
static void release(struct append_args *a)
{
    if (a->has_spool)
        close(a->spool);
    a->has_spool = false;
    buf_free(&a->memory);
    mime_msg_free(&a->structure);
}

enum imap_step imap_append_stage(struct imap_job *job, struct append_args *a, struct txn *(*begin)(struct imap_job *job))
{
    struct imap_session *s = job->s;
    struct mailbox *m;
    struct txn *t;
    enum imap_step r;
    int err;

    if (a->name.ptr == NULL)
        return imap_job_fail(job, ERR_SYNTAX);
    m = account_find(s->acc, a->name);
    if (a->refused != NULL)
        return a->literal8 ? imap_job_no(job, "UNKNOWN-CTE", a->refused) : imap_job_bad(job, a->refused);
    if (m == NULL)
        return imap_job_no(job, "TRYCREATE", "No such mailbox");
    if (!imap_may(m, ACL_INSERT))
        return imap_job_noperm(job);
    if (!within_limit(job, a))
        return IMAP_STEP_DONE;
    if (a->bad_url.ptr != NULL)
        return imap_bad_url(job, a->bad_url);
    r = a->err != 0 ? imap_job_fail(job, a->err) : imap_catenate(job, a);
    if (r != IMAP_STEP_COMMIT)
        return r;
    a->staged = true;
    t = begin(job);
    err = t == NULL ? ERR_NOTFOUND : stage_messages(a, t, m);
    if (err == 0)
        imap_job_commit(job, &t);
    else if (t != NULL)
        txn_abort(&t);
    release(a);
    return err == 0 ? IMAP_STEP_COMMIT : job->answer_text != NULL ? IMAP_STEP_DONE : imap_job_fail(job, err);
}

void imap_append_code(struct imap_job *job, const struct txn_result *result)
{
    const struct append_args *a = job->args;
    const struct mailbox *m = account_find(job->s->acc, a->name);

    if (m == NULL || !imap_may(m, ACL_READ))
        return;
    buf_put_str(&job->code, "APPENDUID ");
    buf_put_dec(&job->code, result->append_uidvalidity);
    buf_put_byte(&job->code, ' ');
    uidset_put(&job->code, &result->append_uids);
}

void imap_append_drop(struct imap_job *job)
{
    struct append_args *a = job->args;

    imap_message_close(&a->m);
    mailbox_view_close(&a->view);
    buf_free(&a->made);
    buf_free(&a->url);
    intake_free(&a->intake);
    release(a);
}

/* --- between two processes ------------------------------------------------------------------------------------------------ */

static void put_literal(struct buf *out, const struct append_args *a, const struct append_literal *l, bool first)
{
    const struct append_part *part = (l->url || l->in_part) && l->index < a->nparts ? &a->parts[l->index] : NULL;
    const struct append_message *m = part == NULL && l->index < a->n ? &a->messages[l->index] : NULL;

    buf_put_view32(out, first ? (struct view){NULL, 0} : l->text); /* that of the first is the job's */
    if (l->url) {
        buf_put_view32(out, part != NULL ? part->url_text : buf_view(&a->url));
        return;
    }
    buf_put_u8(out, part != NULL ? part->spooled : m != NULL && m->spooled);
    buf_put_u64(out, part != NULL ? part->offset : m != NULL ? m->offset : 0);
    buf_put_u64(out, part != NULL ? part->size : m != NULL ? m->size : 0);
}

void imap_append_freeze(const struct imap_job *job, struct buf *out, int *spool_out)
{
    const struct append_args *a = job->args;

    buf_put_u32(out, a->replaces);
    buf_put_u8(out, a->refused != NULL);
    buf_put_u8(out, a->last);
    buf_put_u32(out, (uint32_t)-a->err);
    buf_put_u8(out, a->url_literal);
    buf_put_view32(out, buf_view(&a->memory));
    buf_put_u64(out, a->has_spool ? a->spool_size : 0);
    buf_put_u32(out, (uint32_t)a->nliterals);
    for (size_t i = 0; i < a->nliterals; i++)
        put_literal(out, a, &a->literals[i], i == 0);
    if (a->has_spool)
        *spool_out = fcntl(a->spool, F_DUPFD_CLOEXEC, 0);
    if (a->has_spool && *spool_out < 0)
        out->failed = true;
}

/* One that is complete unless it is the last and pending. */
static void thaw_url(struct imap_job *job, struct cursor *c, bool pending)
{
    struct append_args *a = job->args;
    struct view text = cursor_view32(c, URL_MAX);
    struct imap_parse p;

    a->literals[a->nliterals - 1].index = a->nparts;
    if (pending) {
        buf_free(&a->url);
        buf_init(&a->url, URL_MAX);
        buf_put_view(&a->url, text);
        return;
    }
    imap_parse_init(&p, (struct view){NULL, 0}, &job->pool);
    add_url(&p, job, imap_pool_copy(&job->pool, text));
    a->url_literal = false;
    if (!imap_parse_ok(&p))
        cursor_fail(c);
}

static void thaw_bytes(struct imap_job *job, struct cursor *c)
{
    struct append_args *a = job->args;
    struct append_message *m = &a->messages[a->n - 1];
    bool spooled = cursor_u8(c) != 0;
    uint64_t offset = cursor_u64(c), size = cursor_u64(c), have = spooled ? a->spool_size : buf_len(&a->memory);
    struct imap_parse none;
    struct append_part *part;

    if (offset > have || size > have - offset) {
        cursor_fail(c);
        return;
    }
    if (!m->catenate) {
        a->literals[a->nliterals - 1].index = a->n - 1;
        m->spooled = spooled;
        m->offset = offset;
        m->size = size;
        return;
    }
    imap_parse_init(&none, (struct view){NULL, 0}, &job->pool);
    part = add_part(&none, job, a);
    if (part == NULL) {
        cursor_fail(c);
        return;
    }
    a->literals[a->nliterals - 1].in_part = true;
    a->literals[a->nliterals - 1].index = a->nparts - 1;
    *part = (struct append_part){.spooled = spooled, .offset = offset, .size = size};
    m->size += size;
}

/* As imap_append_literal() has read it. */
static void thaw_literal(struct imap_job *job, struct imap_parse *p, struct cursor *c, bool pending)
{
    struct append_args *a = job->args;
    struct view text = cursor_view32(c, IMAP_POOL_MAX);

    if (a->nliterals == 0) {
        text = job->text;
    } else {
        text = imap_pool_copy(&job->pool, text);
        imap_parse_init(p, text, &job->pool);
    }
    parse_to_literal(p, job);
    if (!imap_parse_ok(p) || c->failed || !note_literal(job, a, text))
        cursor_fail(c);
    else if (a->url_literal)
        thaw_url(job, c, pending);
    else
        thaw_bytes(job, c);
}

static void thaw_spool(struct append_args *a, struct cursor *c, int *spool)
{
    struct stat st;

    a->spool_size = cursor_u64(c);
    if (c->failed || a->spool_size == 0)
        return;
    if (*spool < 0 || fstat(*spool, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < a->spool_size) {
        cursor_fail(c);
        return;
    }
    a->spool = *spool;
    a->has_spool = true;
    *spool = -1; /* transferred */
}

void imap_append_thaw(struct imap_job *job, struct imap_parse *p, struct cursor *c, int *spool)
{
    struct append_args *a = job->args;
    uint32_t replaces = cursor_u32(c), err, n;
    bool url;

    if (job->cmd != &imap_cmd_append && job->cmd != &imap_cmd_replace) {
        cursor_fail(c);
        return;
    }
    if (cursor_u8(c) != 0)
        a->refused = refused_nul;
    a->last = cursor_u8(c);
    err = cursor_u32(c);
    a->err = err < INT16_MAX ? -(int)err : ERR_IO;
    url = cursor_u8(c) != 0;
    buf_init(&a->memory, MEMORY_BUF_MAX);
    buf_put_view(&a->memory, cursor_view32(c, MEMORY_BUF_MAX));
    thaw_spool(a, c, spool);
    n = cursor_u32(c);
    begin_command(p, job);
    a->replaces = job->cmd == &imap_cmd_replace ? replaces : 0;
    if (n == 0 || n > LITERALS_MAX || !imap_parse_ok(p) || a->name.ptr == NULL || job->answer_text != NULL)
        cursor_fail(c);
    for (uint32_t i = 0; i < n && !c->failed; i++) {
        uint8_t last = a->last;

        thaw_literal(job, p, c, url && i + 1 == n);
        a->last = last; /* reading a message begins anew */
    }
    if (url != a->url_literal)
        cursor_fail(c);
}
