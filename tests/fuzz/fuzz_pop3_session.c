/* Whole POP3 sessions over a small maildrop in memory. Properties: the same octets get the same answers however they are cut into
 * pieces, and the session ends when the client does. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "pop3/session_int.h"
#include "storage/vfs_sim.h"
#include "tests/unit/support/still_host.h"

#define ANSWERS_MAX ((size_t)16 * 1024 * 1024)
#define INPUT_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct account *acc)
{
    static const char *const messages[] = {"Subject: a\r\n\r\none\r\n.two\r\n", "Subject: b\n\n..\r.\nno end", "\r\n", ".",
                                           "a: b\xc3\xb6\r\n\r\n"};

    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct message_source src = {.parts = {view_str(messages[i])}, .fd = -1};
        struct append_options opt = {0};
        struct txn *t = txn_begin(acc);

        ASSERT(txn_append(t, account_find(acc, VIEW("INBOX")), &src, &opt) == 0);
        txn_commit(&t, NULL, NULL);
        ASSERT(account_commit(acc) == 0);
    }
}

static bool runs_on(struct pop3_session *s, struct account *acc)
{
    enum session_run r = pop3_session_run(s);

    if (account_has_pending(acc)) {
        ASSERT(account_commit(acc) == 0);
        return true;
    }
    return r == SESSION_AGAIN;
}

static void feed(struct session_host *host, struct pop3_session *s, struct account *acc, struct view in, size_t piece,
                 struct buf *out)
{
    while (true) {
        struct view v = view_sub(in, 0, MIN_OF(piece, INPUT_MAX - buf_len(host->in)));

        buf_put_view(host->in, v);
        in = view_sub(in, v.len, in.len);
        host->eof = in.len == 0;
        while (runs_on(s, acc))
            ASSERT(outq_drain(host->out, out) == 0);
        ASSERT(outq_drain(host->out, out) == 0);
        if (s->state == POP3_CLOSING || (in.len == 0 && v.len == 0))
            break;
    }
    ASSERT(s->state == POP3_CLOSING && outq_ok(host->out));
}

static void session(struct view in, bool hide, size_t piece, struct buf *out)
{
    const struct set_worker set = {.pop3_idle_timeout = 600000,
                                   .imap_bad_commands = 20,
                                   .pop3_uidl_format = "%v-%u",
                                   .pop3_delete = hide ? SET_POP3_HIDE : SET_POP3_EXPUNGE,
                                   .pop3_hidden_keyword = "$POP3Deleted",
                                   .pop3_mark_seen = true};
    struct account_params params = {.now_ms = still_clock, .mailboxes_max = 100, .vfs = vfs_sim_new(1)};
    struct account *acc;
    struct buf input;
    struct session_host host = {.in = &input,
                                .out = outq_new(ANSWERS_MAX),
                                .set = &set,
                                .user = "u",
                                .now_ms = still_now,
                                .wake = still_wake,
                                .set_timeout = still_timeout};
    struct pop3_session *s;

    ASSERT(account_open(&params, &acc) == 0);
    fill(acc);
    buf_init(&input, INPUT_MAX);
    s = pop3_session_new(&host, acc, view_make(NULL, 0), view_make(NULL, 0));
    feed(&host, s, acc, in, piece, out);
    pop3_session_free(&s);
    outq_free(&host.out);
    buf_free(&input);
    account_close(&acc);
    vfs_free(&params.vfs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view in = view_make(data, size);
    bool hide = size > 0 && data[0] % 2 == 0;
    struct buf whole, pieces;

    buf_init(&whole, ANSWERS_MAX);
    buf_init(&pieces, ANSWERS_MAX);
    session(in, hide, INPUT_MAX, &whole);
    session(in, hide, size > 0 ? 1u + data[0] % 64 : 1, &pieces);
    ASSERT(view_starts(buf_view(&whole), VIEW("+OK Logged in.\r\n")));
    ASSERT(view_eq(buf_view(&whole), buf_view(&pieces)));
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
