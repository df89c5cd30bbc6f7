/* The commands of the TRANSACTION state (RFC 1939 5 and 7, RFC 2449) in one table. STAT, LIST and UIDL never open a message. */
#include "pop3/session_int.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "pop3/login_capa.h"

static void put_ok_counts(struct pop3_session *s, uint64_t n, uint64_t octets)
{
    buf_put_fmt(outq_buf(s->host->out), "+OK %llu %llu\r\n", (unsigned long long)n, (unsigned long long)octets);
}

static void bad(struct pop3_session *s, const char *text)
{
    pop3_line(s, text);
    if (++s->bad_commands >= s->host->set->imap_bad_commands) {
        pop3_line(s, "-ERR Too many invalid commands.");
        pop3_enter(s, POP3_CLOSING);
    }
}

/* A message number that exists and is not deleted; otherwise answers and gives 0. */
static uint32_t take_message(struct pop3_session *s, struct cursor *c)
{
    uint64_t n = cursor_dec(c, 1, UINT32_MAX);

    if (c->failed || n > s->count || pop3_is_deleted(s, (uint32_t)n)) {
        bad(s, "-ERR There is no such message.");
        return 0;
    }
    return (uint32_t)n;
}

static uint32_t only_message(struct pop3_session *s, struct view arg)
{
    struct cursor c = cursor_make(arg);
    uint32_t n = take_message(s, &c);

    if (n != 0 && !cursor_done(&c)) {
        bad(s, "-ERR One message number is expected.");
        return 0;
    }
    return n;
}

static void cmd_stat(struct pop3_session *s, struct view arg)
{
    (void)arg;
    put_ok_counts(s, s->count - s->ndeleted, s->total_size - s->deleted_size);
}

static void start_listing(struct pop3_session *s, enum pop3_job job)
{
    pop3_line(s, "+OK");
    s->job = job;
    s->job_n = 1;
    pop3_enter(s, POP3_SENDING);
}

static void cmd_list(struct pop3_session *s, struct view arg)
{
    struct msg_info info;
    uint32_t n;

    if (arg.len == 0) {
        start_listing(s, POP3_JOB_LIST);
        return;
    }
    n = only_message(s, arg);
    if (n == 0)
        return;
    mailbox_view_info(s->view, pop3_seq(s, n), &info);
    put_ok_counts(s, n, pop3_size(&info));
}

static void cmd_uidl(struct pop3_session *s, struct view arg)
{
    struct buf *out = outq_buf(s->host->out);
    uint32_t n;

    if (arg.len == 0) {
        start_listing(s, POP3_JOB_UIDL);
        return;
    }
    n = only_message(s, arg);
    if (n == 0)
        return;
    buf_put_fmt(out, "+OK %u ", n);
    pop3_put_uidl(s, out, n);
    buf_put_str(out, "\r\n");
}

/* \Seen for clients that read the same mailbox by IMAP. Not waited for: a flag that gets lost with a crash is read again. */
static void mark_seen(struct pop3_session *s, const struct msg_info *info)
{
    struct flag_change change = {.op = FLAGS_ADD, .flags = MSG_SEEN};
    struct mailbox *m = mailbox_view_mailbox(s->view);
    struct uidset uids;
    struct txn *t;

    if (!s->host->set->pop3_mark_seen || m == NULL || (info->flags & MSG_SEEN) != 0)
        return;
    uidset_init(&uids);
    uidset_add(&uids, info->uid);
    t = txn_begin(s->acc);
    if (txn_flags(t, m, &uids, &change) == 0)
        txn_commit(&t, NULL, NULL);
    else
        txn_abort(&t);
    uidset_free(&uids);
}

static void cmd_retr(struct pop3_session *s, struct view arg)
{
    uint32_t n = only_message(s, arg);
    struct msg_info info;

    if (n == 0)
        return;
    mailbox_view_info(s->view, pop3_seq(s, n), &info);
    pop3_send_start(s, n, UINT64_MAX);
    if (s->state == POP3_SENDING)
        mark_seen(s, &info);
}

static void cmd_top(struct pop3_session *s, struct view arg)
{
    struct cursor c = cursor_make(arg);
    uint32_t n = take_message(s, &c);
    uint64_t lines;

    if (n == 0)
        return;
    cursor_expect(&c, ' ');
    lines = cursor_dec(&c, 0, UINT32_MAX);
    if (!cursor_done(&c))
        bad(s, "-ERR TOP takes a message number and a number of lines.");
    else
        pop3_send_start(s, n, lines);
}

static void cmd_dele(struct pop3_session *s, struct view arg)
{
    uint32_t n = only_message(s, arg);
    struct msg_info info;

    if (n == 0)
        return;
    mailbox_view_info(s->view, pop3_seq(s, n), &info);
    s->deleted[(n - 1) / 64] |= (uint64_t)1 << (n - 1) % 64;
    s->ndeleted++;
    s->deleted_size += pop3_size(&info);
    pop3_line(s, "+OK Marked to be deleted.");
}

static void cmd_rset(struct pop3_session *s, struct view arg)
{
    (void)arg;
    for (uint32_t i = 0; i <= s->count / 64; i++)
        s->deleted[i] = 0;
    s->ndeleted = 0;
    s->deleted_size = 0;
    pop3_line(s, "+OK");
}

static void cmd_noop(struct pop3_session *s, struct view arg)
{
    (void)arg;
    pop3_line(s, "+OK");
}

static void cmd_capa(struct pop3_session *s, struct view arg)
{
    struct buf *out = outq_buf(s->host->out);

    (void)arg;
    pop3_line(s, "+OK Capability list follows");
    pop3_put_capabilities(out, s->host->set);
    for (const char *p = s->capa; *p != '\0'; p++) {
        if (*p == ';')
            buf_put_str(out, "\r\n");
        else
            buf_put_byte(out, (uint8_t)*p);
    }
    pop3_line(s, ".");
}

static void cmd_lang(struct pop3_session *s, struct view arg)
{
    if (!pop3_put_language(outq_buf(s->host->out), arg))
        s->bad_commands++;
}

static void updated(void *arg, int err, const struct txn_result *result)
{
    struct pop3_session *s = arg;

    (void)result;
    if (err == 0)
        pop3_line(s, "+OK Logging out, messages deleted.");
    else if (err == ERR_CLOSED)
        pop3_line(s, "-ERR [SYS/PERM] The folder does not exist any more.");
    else
        pop3_line(s, "-ERR [SYS/TEMP] No message could be deleted.");
    pop3_enter(s, POP3_CLOSING);
    s->host->wake(s->host);
}

/* RFC 1939 6: everything marked goes in one transaction; the answer follows its commit. */
static void cmd_quit(struct pop3_session *s, struct view arg)
{
    struct txn *t;
    int err;

    (void)arg;
    if (s->ndeleted == 0) {
        pop3_line(s, "+OK Logging out.");
        pop3_enter(s, POP3_CLOSING);
        return;
    }
    t = txn_begin(s->acc);
    err = pop3_update(s, t);
    if (err != 0) {
        txn_abort(&t);
        updated(s, err, NULL);
        return;
    }
    pop3_enter(s, POP3_UPDATING);
    txn_commit(&t, updated, s);
}

static const struct {
    const char *name;
    void (*run)(struct pop3_session *s, struct view arg);
    bool has_argument; /* may have one */
} commands[] = {
    {"STAT", cmd_stat, false}, {"LIST", cmd_list, true},  {"RETR", cmd_retr, true},  {"DELE", cmd_dele, true},
    {"NOOP", cmd_noop, false}, {"RSET", cmd_rset, false}, {"QUIT", cmd_quit, false}, {"TOP", cmd_top, true},
    {"UIDL", cmd_uidl, true},  {"CAPA", cmd_capa, false}, {"LANG", cmd_lang, true},
};

/* Only mistakes in a row count. */
static void run(struct pop3_session *s, void (*fn)(struct pop3_session *s, struct view arg), struct view arg)
{
    unsigned before = s->bad_commands;

    fn(s, arg);
    if (s->bad_commands == before)
        s->bad_commands = 0;
}

void pop3_command(struct pop3_session *s, struct view line)
{
    size_t blank = view_find(line, ' ');
    struct view name = view_sub(line, 0, blank), arg = view_trim(view_sub(line, blank + 1, line.len));

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!view_eq_nocase(view_str(commands[i].name), name))
            continue;
        if (arg.len > 0 && !commands[i].has_argument)
            bad(s, "-ERR This command takes no argument.");
        else
            run(s, commands[i].run, arg);
        return;
    }
    bad(s, "-ERR Unknown command.");
}
