/*
 * Two logged-in sessions, one of them a master user's, over one small account, fed with arbitrary bytes in pieces. The first byte
 * of the input chooses the size of the pieces and some settings, the second the operation of the disk that fails. 0xff gives the
 * word to the other session.
 *
 * Checked: the answers form whole lines and literals, free of NUL; no message number is told that the client cannot have; memory
 * and the input buffer stay within their limits; a session always gets to a state where it waits, and ends when it is told to.
 * Whatever was done, the account opens again and is what it was.
 */
#include "tests/fuzz/hosts.h"

#include "common/base/cursor.h"
#include "imap/session.h"

#define FEW_QUOTA 0x80
#define LITERAL_MINUS 0x40
#define PIECE 0x3f
#define FAIL_NOSPACE 0x80
#define FAIL_SYNC_TOO 0x40
#define FAIL_AFTER 0x3f

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct auto_mailbox autos[] = {{"Sent", USE_SENT}, {"a/b", 0}};
static const char *const mails[] = {
    "From: a@b\r\nSubject: =?utf-8?q?x=C3=BC?=\r\nMessage-ID: <1@x>\r\nContent-Type: multipart/mixed; "
    "boundary=q\r\n\r\n--q\r\n\r\n"
    "hello\r\n--q\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n--q--\r\n",
    "Date: Mon, 23 Nov 2026 10:00:00 +0100\r\nFrom: \"B C\" <b@c>, g:d@e;\r\nTo: u@h\r\nCc: v@h\r\nSubject: Re: x\r\nMessage-ID: "
    "<2@x>\r\nReferences: <0@x> <1@x>\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\n"
    "5Pb83w0KaGVsbG8NCg==\r\n",
    "Subject: y\r\nIn-Reply-To: <2@x>\r\nContent-Type: image/png; name*0=a; name*1=b\r\nContent-Disposition: attachment\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3D=\r\nb\r\n",
    "Subject: Fwd: [l] x\r\nMessage-ID: <2@x>\r\nReferences: <1@x> <2@x> <0@x>\r\nContent-Type: multipart/mixed; "
    "boundary=z\r\n\r\n",
};
static struct fuzz_account account;
static bool account_few; /* its quota */
static int spool_dir;

struct client {
    struct fuzz_side side;
    struct imap_session *session;
    enum session_run run;
};

/* --- what is answered ----------------------------------------------------------------------------------------------------- */

/* The line announces a literal of so many octets. */
static bool has_literal(struct view line, uint64_t *size_out)
{
    size_t digits = line.len, at;
    uint64_t n = 0;

    if (digits < 2 || line.ptr[digits - 1] != '}')
        return false;
    at = --digits;
    while (at > 0 && line.ptr[at - 1] >= '0' && line.ptr[at - 1] <= '9')
        at--;
    for (size_t i = at; i < digits; i++)
        n = n * 10 + (uint64_t)(line.ptr[i] - '0');
    ASSERT(at > 0 && at < digits && line.ptr[at - 1] == '{');
    *size_out = n;
    return true;
}

/* "* number NAME": the message must be there. *messages: as many as the client believes in, or more after VANISHED. */
static void check_number(struct view line, uint64_t *messages)
{
    struct cursor c = cursor_make(line);
    uint64_t n;
    struct view name;

    if (!view_starts(line, VIEW("* ")) || line.len < 3 || line.ptr[2] < '0' || line.ptr[2] > '9')
        return;
    (void)cursor_u8(&c);
    (void)cursor_u8(&c);
    n = cursor_dec(&c, 0, UINT32_MAX);
    ASSERT(!c.failed && cursor_u8(&c) == ' ');
    name = cursor_rest(&c);
    if (view_eq(name, VIEW("EXISTS"))) {
        *messages = n;
    } else if (view_eq(name, VIEW("EXPUNGE"))) {
        ASSERT(n >= 1 && n <= *messages);
        --*messages;
    } else if (view_starts(name, VIEW("FETCH ("))) {
        ASSERT(n >= 1 && n <= *messages);
    }
}

/* Lines and literals, down to the last byte. */
static void check_output(struct view v)
{
    uint64_t messages = 0;
    bool begins = true;

    while (v.len > 0) {
        size_t lf = view_find(v, '\n');
        struct view line;
        uint64_t n = 0;

        ASSERT(lf < v.len && lf > 0 && v.ptr[lf - 1] == '\r');
        line = view_sub(v, 0, lf - 1);
        ASSERT(memchr(line.ptr, '\0', line.len) == NULL && memchr(line.ptr, '\r', line.len) == NULL);
        if (begins)
            check_number(line, &messages);
        begins = !has_literal(line, &n);
        v = view_sub(v, lf + 1, v.len);
        ASSERT(n <= v.len);
        v = view_sub(v, (size_t)n, v.len);
    }
    ASSERT(begins);
}

/* --- the sessions --------------------------------------------------------------------------------------------------------- */

/* What follows is taken for what was inflated. */
static void compress(struct session_host *h)
{
    h->compressed = true;
    buf_reset(h->in);
}

static bool turn(struct client *c)
{
    struct session_host *h = &c->side.host;

    if (c->run == SESSION_CLOSE)
        return false;
    c->side.woken = false;
    c->run = imap_session_run(c->session);
    (void)account_commit(account.acc);
    ASSERT(outq_ok(h->out) && outq_drain(h->out, &c->side.out) == 0);
    return c->run == SESSION_AGAIN || (c->side.woken && c->run != SESSION_CLOSE);
}

static void settle(struct client *clients)
{
    unsigned turns = 0;
    bool more;

    do {
        more = turn(&clients[0]);
        more |= turn(&clients[1]) || (clients[0].side.woken && clients[0].run != SESSION_CLOSE);
        ASSERT(++turns < 100000);
    } while (more);
}

static void client_open(struct client *c, const struct set_worker *set)
{
    *c = (struct client){.run = SESSION_WAIT};
    fuzz_side_init(&c->side, set, spool_dir);
    c->side.host.compress = compress;
    c->session = imap_session_new(&c->side.host, account.acc, VIEW("t"), (struct view){NULL, 0});
    buf_put_str(&c->side.in, "s SELECT INBOX\r\n");
}

static void feed(struct client *clients, struct client *c, struct view v, size_t piece)
{
    while (v.len > 0 && c->run != SESSION_CLOSE) {
        size_t n = MIN_OF(MIN_OF(v.len, piece), c->side.in.max - buf_len(&c->side.in));

        ASSERT(n > 0); /* a session that waits has room for more input */
        buf_put(&c->side.in, v.ptr, n);
        v = view_sub(v, n, v.len);
        settle(clients);
    }
}

/* One that waits, waits for its client alone. */
static void client_close(struct client *clients, struct client *c)
{
    imap_session_timeout(c->session);
    settle(clients);
    ASSERT(c->run == SESSION_CLOSE);
    check_output(buf_view(&c->side.out));
    imap_session_free(&c->session);
    (void)account_commit(account.acc);
    fuzz_side_free(&c->side);
}

static void open_account(bool few)
{
    struct account_params p = {.mailboxes_max = 20, .autos = autos, .nautos = ARRAY_LEN(autos)};

    if (few) {
        p.quota_messages = 5;
        p.quota_bytes = 2000;
    }
    account_few = few;
    fuzz_account_make(&account, &p, mails, ARRAY_LEN(mails));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_init("fuzz", STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_FATAL);
    spool_dir = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ASSERT(spool_dir >= 0);
    fuzz_time_step_us = 700; /* so that slices end, too */
    open_account(false);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct set_worker set = {.imap_idle_timeout = 1000,
                             .message_size_max = 300000,
                             .imap_line_max = 2000,
                             .imap_literal_max = 3000,
                             .imap_bad_commands = 50,
                             .imap_progress_interval = 1,
                             .acl_anyone = true,
                             .imap_server_comment = "c",
                             .imap_server_admin = "",
                             .hierarchy_separator = '.'};
    struct view v = view_make(data, size);
    struct client clients[2];
    size_t piece;
    bool fails;

    if (size < 2)
        return 0;
    if (account_few != ((data[0] & FEW_QUOTA) != 0)) {
        fuzz_account_end(&account, false, false);
        open_account((data[0] & FEW_QUOTA) != 0);
    }
    set.imap_literal_minus = (data[0] & LITERAL_MINUS) != 0;
    set.imap_message_limit = set.imap_literal_minus ? 2 : 0; /* both are rare */
    piece = (size_t)(data[0] & PIECE) * (data[0] & PIECE) + 1;
    fails = (data[1] & FAIL_AFTER) != 0;
    client_open(&clients[0], &set);
    client_open(&clients[1], &set);
    clients[1].side.host.admin = true; /* a master user's */
    settle(clients);
    if (fails)
        vfs_sim_fail_at(account.vfs, vfs_sim_ops(account.vfs) + (data[1] & FAIL_AFTER),
                        (data[1] & FAIL_NOSPACE) != 0 ? ERR_NOSPACE : ERR_IO, (data[1] & FAIL_SYNC_TOO) != 0 ? 3 : 1);
    v = view_sub(v, 2, v.len);
    for (unsigned turn_of = 0; v.len > 0; turn_of ^= 1) {
        size_t n = view_find(v, 0xff);

        feed(clients, &clients[turn_of], view_sub(v, 0, n), piece);
        v = view_sub(v, n + 1, v.len);
    }
    client_close(clients, &clients[0]);
    client_close(clients, &clients[1]);
    vfs_sim_fail_at(account.vfs, 0, 0, 0);
    if (fuzz_account_used(&account)) {
        fuzz_account_end(&account, data[1] % 2 == 0, fails);
        open_account(account_few);
    }
    return 0;
}
