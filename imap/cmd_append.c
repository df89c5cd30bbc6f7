/*
 * APPEND (RFC 9051 6.3.12), MULTIAPPEND (RFC 3502), UTF8 data (RFC 6855 4), APPENDUID (RFC 4315 3).
 *
 * The messages are collected outside the log, small ones in memory and others in an unlinked spool file, and staged together when
 * the command is complete: a client that stalls in mid-literal holds up nobody. Bare LF line ends become CRLF on the way, which
 * is what the store keeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "imap/append.h"
#include "imap/command.h"
#include "imap/names.h"
#include "imap/respond.h"
#include "imap/rights.h"

#define MESSAGE_IN_MEMORY_MAX (256 * 1024)
#define MEMORY_MAX (1024 * 1024) /* of all messages of one command */
#define MESSAGES_MAX 1000

struct append_message {
    struct append_options options;
    bool spooled;
    uint64_t offset, size; /* in memory or in the spool */
};

struct append_args {
    struct view name;
    struct append_message *messages;
    size_t n, cap;
    struct buf memory;
    bool has_spool;
    int spool;
    uint64_t spool_size;
    bool utf8; /* the current message is in UTF8 (…) */
    bool literal8;
    uint8_t last; /* byte before, for CRLF */
    int err;      /* why the command will fail, though its input is still read */
    const char *refused;
    bool staged;
};

static struct append_message *add_message(struct imap_job *job, struct append_args *a)
{
    if (a->n == MESSAGES_MAX)
        return NULL;
    if (a->n == a->cap) {
        size_t cap = a->cap == 0 ? 1 : a->cap * 8;
        struct append_message *grown = imap_pool_alloc(&job->pool, cap * sizeof(*grown));

        if (grown == NULL)
            return NULL;
        if (a->n > 0)
            memcpy(grown, a->messages, a->n * sizeof(*grown));
        a->messages = grown;
        a->cap = cap;
    }
    return &a->messages[a->n++];
}

/* [flags] [date-time] and the literal's header. */
static void parse_message(struct imap_parse *p, struct imap_job *job)
{
    struct append_args *a = job->args;
    struct append_message *m = add_message(job, a);
    struct imap_flags flags = {0};

    if (m == NULL) {
        imap_parse_fail(p, "Too many messages");
        return;
    }
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
    a->utf8 = (job->s->enabled & IMAP_ENABLED_UTF8) != 0 && imap_parse_try_word(p, "UTF8 (");
    a->literal8 = imap_parse_try(p, '~');
    if (imap_parse_peek(p) != '{' || (a->utf8 && !a->literal8))
        imap_parse_fail(p, "Missing message literal");
    m->options.flags = flags.flags;
    m->options.keywords = flags.keywords;
    m->options.nkeywords = flags.nkeywords;
}

static void open_spool(struct append_args *a, int dir)
{
    if (a->has_spool)
        return;
    a->spool = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (a->spool < 0)
        a->err = err_from_errno(errno);
    else
        a->has_spool = true;
}

/* Where the bytes of the new message go. */
static void prepare(struct imap_session *s, struct append_args *a, uint64_t size)
{
    struct append_message *m = &a->messages[a->n - 1];

    a->last = 0;
    if (a->memory.max == 0)
        buf_init(&a->memory, 2 * MEMORY_MAX + MESSAGE_IN_MEMORY_MAX);
    m->spooled = size > MESSAGE_IN_MEMORY_MAX || buf_len(&a->memory) + size > MEMORY_MAX;
    if (m->spooled)
        open_spool(a, s->host->spool_dir);
    m->offset = m->spooled ? a->spool_size : buf_len(&a->memory);
}

/* Reasons to refuse before a byte of the message is read. DONE: refused. */
static enum imap_step check(struct imap_job *job, const struct append_args *a, uint64_t size)
{
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
    if (size == 0)
        return imap_job_no(job, NULL, "Empty message");
    if (size > s->host->set->message_size_max)
        return imap_job_no(job, "TOOBIG", "Message too large");
    account_quota(s->acc, &q);
    if ((q.bytes_limit != 0 && q.bytes + size > q.bytes_limit) || (q.messages_limit != 0 && q.messages + a->n > q.messages_limit))
        return imap_job_fail(job, ERR_QUOTA);
    if (a->err != 0)
        return imap_job_fail(job, a->err);
    if (a->refused != NULL)
        return imap_job_no(job, NULL, a->refused);
    return IMAP_STEP_AGAIN;
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
        imap_parse_space(&p);
        ((struct append_args *)job->args)->name = imap_parse_mailbox(&p, s);
    } else {
        imap_parse_init(&p, imap_pool_copy(&job->pool, text), &job->pool);
        if (((struct append_args *)job->args)->utf8)
            imap_parse_expect(&p, ')', "Missing closing parenthesis");
    }
    s->receiving = NULL;
    parse_message(&p, job);
    if (!imap_parse_ok(&p))
        (void)imap_job_bad(job, imap_parse_error(&p));
    else if (check(job, job->args, literal->size) == IMAP_STEP_AGAIN) {
        prepare(s, job->args, literal->size);
        s->receiving = job; /* transferred */
        imap_input_accept(s, literal);
        return;
    }
    imap_job_queue(s, &job);
    imap_input_refuse(s, literal);
}

static void put_piece(struct append_args *a, struct view v)
{
    struct append_message *m = &a->messages[a->n - 1];

    if (a->err != 0 || v.len == 0)
        return;
    m->size += v.len;
    if (!m->spooled) {
        buf_put_view(&a->memory, v);
        if (!buf_ok(&a->memory))
            a->err = ERR_LIMIT;
        return;
    }
    while (v.len > 0) {
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

void imap_append_bytes(struct imap_session *s, struct view bytes)
{
    struct append_args *a = s->receiving->args;
    size_t from = 0;

    if (memchr(bytes.ptr, '\0', bytes.len) != NULL)
        a->refused = "Messages with NUL octets cannot be stored";
    for (size_t i = 0; i < bytes.len;) {
        size_t lf = i + view_find(view_sub(bytes, i, bytes.len), '\n');

        if (lf == bytes.len)
            break;
        if ((lf > 0 ? bytes.ptr[lf - 1] : a->last) != '\r') {
            put_piece(a, view_sub(bytes, from, lf - from));
            put_piece(a, VIEW("\r"));
            from = lf;
        }
        i = lf + 1;
    }
    put_piece(a, view_sub(bytes, from, bytes.len - from));
    a->last = bytes.ptr[bytes.len - 1];
    imap_input_taken(s);
}

void imap_append_end(struct imap_session *s, struct view text)
{
    struct imap_job *job = s->receiving;
    struct append_args *a = job->args;
    struct imap_parse p;

    imap_parse_init(&p, text, &job->pool);
    if (a->utf8)
        imap_parse_expect(&p, ')', "Missing closing parenthesis");
    imap_parse_end(&p);
    if (!imap_parse_ok(&p))
        (void)imap_job_bad(job, imap_parse_error(&p));
    imap_input_taken(s);
    s->receiving = NULL; /* transferred */
    imap_job_queue(s, &job);
}

/* An APPEND whose line ends without a message literal. */
static void parse(struct imap_parse *p, struct imap_job *job)
{
    (void)job;
    imap_parse_fail(p, "Missing message literal");
}

static int stage_messages(struct append_args *a, struct txn *t, struct mailbox *m, const uint8_t *spool)
{
    unsigned rights = mailbox_own_rights(m);
    int err = 0;

    for (size_t i = 0; i < a->n && err == 0; i++) {
        const struct append_message *msg = &a->messages[i];
        struct append_options options = msg->options;
        struct message_source src = {.fd = -1};

        src.parts[0] = msg->spooled ? view_make(spool + msg->offset, (size_t)msg->size)
                                    : view_sub(buf_view(&a->memory), (size_t)msg->offset, (size_t)msg->size);
        options.flags &= imap_rights_flags(rights); /* RFC 4314 4: the others are not set, and that is no failure */
        options.nkeywords = (rights & ACL_WRITE) != 0 ? options.nkeywords : 0;
        err = txn_append(t, m, &src, &options);
    }
    return err;
}

static enum imap_step stage(struct imap_job *job, struct append_args *a)
{
    struct imap_session *s = job->s;
    struct mailbox *m = account_find(s->acc, a->name);
    void *spool = NULL;
    struct txn *t;
    int err;

    a->staged = true;
    if (a->refused != NULL)
        return a->literal8 ? imap_job_no(job, "UNKNOWN-CTE", a->refused) : imap_job_bad(job, a->refused);
    if (a->err != 0)
        return imap_job_fail(job, a->err);
    if (m == NULL)
        return imap_job_no(job, "TRYCREATE", "No such mailbox");
    if (!imap_may(m, ACL_INSERT))
        return imap_job_noperm(job);
    if (a->spool_size > 0) {
        spool = mmap(NULL, (size_t)a->spool_size, PROT_READ, MAP_SHARED, a->spool, 0);
        if (spool == MAP_FAILED)
            return imap_job_fail(job, ERR_IO);
    }
    t = txn_begin(s->acc);
    err = stage_messages(a, t, m, spool);
    if (err != 0)
        txn_abort(&t);
    else
        imap_job_commit(job, &t);
    if (spool != NULL)
        munmap(spool, (size_t)a->spool_size);
    if (a->has_spool)
        close(a->spool);
    a->has_spool = false;
    buf_free(&a->memory);
    return err != 0 ? imap_job_fail(job, err) : IMAP_STEP_COMMIT;
}

static void committed(struct imap_job *job, const struct txn_result *result)
{
    buf_put_str(&job->code, "APPENDUID ");
    buf_put_dec(&job->code, result->append_uidvalidity);
    buf_put_byte(&job->code, ' ');
    uidset_put(&job->code, &result->append_uids);
}

static enum imap_step step(struct imap_job *job)
{
    struct append_args *a = job->args;

    if (!a->staged)
        return stage(job, a);
    return job->commit_err != 0 ? imap_job_fail(job, job->commit_err) : imap_job_ok(job, "APPEND completed");
}

static void drop(struct imap_job *job)
{
    struct append_args *a = job->args;

    if (a->has_spool)
        close(a->spool);
    buf_free(&a->memory);
}

const struct imap_command imap_cmd_append = {.name = "APPEND",
                                             .states = IMAP_ANY,
                                             .flags = IMAP_CMD_STACK,
                                             .args_size = sizeof(struct append_args),
                                             .parse = parse,
                                             .step = step,
                                             .committed = committed,
                                             .drop = drop};
