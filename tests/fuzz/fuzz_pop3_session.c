/* Whole POP3 sessions over a small maildrop in memory. Properties: the same octets get the same answers however they are cut into
 * pieces, the session ends when the client does, and the account opens again as it was. Then once more with a disk that fails at
 * some operation. The first octet chooses settings and pieces, the second the operation. */
#include "tests/fuzz/hosts.h"

#include "pop3/session_int.h"

#define ANSWERS_MAX ((size_t)16 * 1024 * 1024)
#define INPUT_MAX 8192

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const mails[] = {"Subject: a\r\n\r\none\r\n.two\r\n", "Subject: b\n\n..\r.\nno end", "\r\n", ".",
                                    "a: b\xc3\xb6\r\n\r\n"};

static bool runs_on(struct pop3_session *s, struct account *acc, bool fails)
{
    enum session_run r = pop3_session_run(s);

    if (account_has_pending(acc)) {
        ASSERT(account_commit(acc) == 0 || fails);
        return true;
    }
    return r == SESSION_AGAIN;
}

static void feed(struct session_host *host, struct pop3_session *s, struct account *acc, struct view in, size_t piece, bool fails,
                 struct buf *out)
{
    while (true) {
        struct view v = view_sub(in, 0, MIN_OF(piece, INPUT_MAX - buf_len(host->in)));

        buf_put_view(host->in, v);
        in = view_sub(in, v.len, in.len);
        host->eof = in.len == 0;
        while (runs_on(s, acc, fails))
            ASSERT(outq_drain(host->out, out) == 0);
        ASSERT(outq_drain(host->out, out) == 0);
        if (s->state == POP3_CLOSING || (in.len == 0 && v.len == 0))
            break;
    }
    ASSERT(s->state == POP3_CLOSING && outq_ok(host->out));
}

/* fail: the operation of the disk that fails; 0: none. */
static void session(struct view in, bool hide, size_t piece, unsigned fail, struct buf *out)
{
    static const struct account_params params = {.mailboxes_max = 100};
    const struct set_worker set = {.pop3_idle_timeout = 600000,
                                   .imap_bad_commands = 20,
                                   .pop3_uidl_format = "%v-%u",
                                   .pop3_delete = hide ? SET_POP3_HIDE : SET_POP3_EXPUNGE,
                                   .pop3_hidden_keyword = "$POP3Deleted",
                                   .pop3_mark_seen = true};
    struct fuzz_account a = {0};
    struct fuzz_side side;
    struct pop3_session *s;

    fuzz_account_make(&a, &params, mails, ARRAY_LEN(mails));
    if (fail > 0)
        vfs_sim_fail_at(a.vfs, a.fresh + fail, fail % 2 == 0 ? ERR_IO : ERR_NOSPACE, 1);
    fuzz_side_init(&side, &set, -1);
    s = pop3_session_new(&side.host, a.acc, view_make(NULL, 0), view_make(NULL, 0));
    feed(&side.host, s, a.acc, in, piece, fail > 0, out);
    pop3_session_free(&s);
    fuzz_side_free(&side);
    vfs_sim_fail_at(a.vfs, 0, 0, 0);
    fuzz_account_end(&a, piece % 2 == 0, fail > 0);
}

/* From the log-in's to a whole last line. */
static void check_answers(struct view v)
{
    ASSERT(view_starts(v, VIEW("+OK Logged in.\r\n")));
    ASSERT(v.len >= 2 && v.ptr[v.len - 2] == '\r' && v.ptr[v.len - 1] == '\n');
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_init("fuzz", STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_FATAL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_make(data, size);
    struct buf whole, pieces, failed;
    bool hide;

    if (size < 2)
        return 0;
    in = view_sub(in, 2, size);
    hide = data[0] % 2 == 0;
    buf_init(&whole, ANSWERS_MAX);
    buf_init(&pieces, ANSWERS_MAX);
    buf_init(&failed, ANSWERS_MAX);
    session(in, hide, INPUT_MAX, 0, &whole);
    session(in, hide, 1u + data[0] % 64, 0, &pieces);
    check_answers(buf_view(&whole));
    ASSERT(view_eq(buf_view(&whole), buf_view(&pieces)));
    if (data[1] > 0) {
        session(in, hide, INPUT_MAX, data[1], &failed);
        check_answers(buf_view(&failed));
    }
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&failed);
    return 0;
}
