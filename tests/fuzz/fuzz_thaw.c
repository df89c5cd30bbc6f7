/*
 * Sessions as records. The input is commands for a logged-in session, and changes to the record that is made of it then. Checked:
 * the record as it was gives the session back, of which the same record is made again; the changed one is refused or gives a
 * session that can be run. Without changes: commands before and behind 0xff get the answers that they get without a move between.
 * An input with its first bit set is taken for a worker's whole record: read and written it is the same.
 */
#include "tests/fuzz/hosts.h"

#include "imap/session.h"
#include "pop3/session.h"
#include "worker/record.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct set_worker set = {.imap_idle_timeout = 1000,
                                      .pop3_idle_timeout = 1000,
                                      .pop3_uidl_format = "%v-%u",
                                      .pop3_hidden_keyword = "$POP3Deleted",
                                      .pop3_mark_seen = true,
                                      .message_size_max = 300000,
                                      .imap_line_max = 2000,
                                      .imap_literal_max = 3000,
                                      .imap_bad_commands = 50,
                                      .hierarchy_separator = '.'};
static struct fuzz_account account;
static int spool_dir;

static void open_account(void)
{
    static const char mail[] = "A: b\r\n\r\nbody\r\n.\r\n";
    static const char *const mails[] = {mail, mail, mail, mail, mail};
    static const struct account_params p = {.mailboxes_max = 20};

    fuzz_account_make(&account, &p, mails, ARRAY_LEN(mails));
}

/* One protocol's half of worker/protocol.h. */
struct kind {
    void *(*open)(struct session_host *host);
    enum session_run (*run)(void *session);
    void (*close)(void *session);
    void (*park)(void *session);
    bool (*parked)(const void *session);
    int (*freeze)(void *session, struct buf *out, int *spool);
    int (*thaw)(struct session_host *host, struct view record, int *spool, void **out);
};

#define KIND(name)                                                                                   \
    static void *name##_open(struct session_host *host)                                              \
    {                                                                                                \
        return name##_session_new(host, account.acc, VIEW("t"), VIEW(""));                           \
    }                                                                                                \
    static enum session_run name##_run(void *session)                                                \
    {                                                                                                \
        return name##_session_run(session);                                                          \
    }                                                                                                \
    static void name##_close(void *session)                                                          \
    {                                                                                                \
        struct name##_session *s = session;                                                          \
        name##_session_free(&s);                                                                     \
    }                                                                                                \
    static void name##_park(void *session)                                                           \
    {                                                                                                \
        name##_session_park(session);                                                                \
    }                                                                                                \
    static bool name##_parked(const void *session)                                                   \
    {                                                                                                \
        return name##_session_parked(session);                                                       \
    }                                                                                                \
    static int name##_freeze(void *session, struct buf *out, int *spool)                             \
    {                                                                                                \
        return name##_session_freeze(session, out, spool);                                           \
    }                                                                                                \
    static int name##_thaw(struct session_host *host, struct view record, int *spool, void **out)    \
    {                                                                                                \
        struct name##_session *s = NULL;                                                             \
        int err = name##_session_thaw(host, account.acc, record, spool, &s);                         \
        if (err == 0)                                                                                \
            *out = s;                                                                                \
        return err;                                                                                  \
    }                                                                                                \
    static const struct kind kind_##name = {name##_open,   name##_run,    name##_close, name##_park, \
                                            name##_parked, name##_freeze, name##_thaw};
KIND(imap)
KIND(pop3)

static enum session_run settle(const struct kind *k, void *session, struct fuzz_side *s)
{
    enum session_run run;
    unsigned turns = 0;

    do {
        s->woken = false;
        run = k->run(session);
        (void)account_commit(account.acc);
        ASSERT(outq_ok(s->host.out));
        ASSERT(outq_drain(s->host.out, &s->out) == 0);
        ASSERT(++turns < 100000);
    } while (run == SESSION_AGAIN || (s->woken && run != SESSION_CLOSE));
    return run;
}

/* Commands, as far as they have room; false: the session has ended, and is gone. */
static bool say(const struct kind *k, void **session, struct fuzz_side *s, struct view commands)
{
    buf_put_view(&s->in, view_sub(commands, 0, s->in.max - buf_len(&s->in)));
    if (settle(k, *session, s) != SESSION_CLOSE)
        return true;
    k->close(*session);
    *session = NULL;
    (void)account_commit(account.acc);
    return false;
}

static bool begin(const struct kind *k, void **session, struct fuzz_side *s, struct view commands)
{
    fuzz_side_init(s, &set, spool_dir);
    *session = k->open(&s->host);
    return say(k, session, s, k == &kind_imap ? VIEW("s SELECT INBOX\r\n") : VIEW("STAT\r\n")) && say(k, session, s, commands);
}

/* The session is gone afterwards. */
static void freeze(const struct kind *k, void **session, struct buf *record, int *spool)
{
    buf_init(record, 4 << 20);
    ASSERT(k->freeze(*session, record, spool) == 0 && buf_ok(record));
    k->close(*session);
}

/* The session as a record and back, twice: both records are the same. */
static void renew(const struct kind *k, void **session, struct fuzz_side *s, struct buf *record, int *spool)
{
    struct buf first;

    k->park(*session);
    while (!k->parked(*session))
        ASSERT(settle(k, *session, s) != SESSION_CLOSE);
    freeze(k, session, &first, spool);
    ASSERT(k->thaw(&s->host, buf_view(&first), spool, session) == 0 && *spool == -1);
    k->park(*session);
    ASSERT(k->parked(*session));
    freeze(k, session, record, spool);
    ASSERT(view_eq(buf_view(&first), buf_view(record)));
    buf_free(&first);
}

static void run_changed(const struct kind *k, struct fuzz_side *s, struct view record, struct view changes)
{
    uint8_t *copy = malloc(record.len + 1);
    void *session = NULL;
    int spool = -1;

    memcpy(copy, record.ptr, record.len);
    for (size_t i = 0; i + 2 < changes.len && record.len > 0; i += 3)
        copy[(changes.ptr[i] | (size_t)changes.ptr[i + 1] << 8) % record.len] = changes.ptr[i + 2];
    if (k->thaw(&s->host, view_make(copy, record.len), &spool, &session) == 0) {
        (void)settle(k, session, s);
        buf_reset(&s->in);
        buf_put_str(&s->in,
                    "\r\n)\r\nDONE\r\nf FETCH 1:* (FLAGS BODY.PEEK[])\r\nLIST\r\nUIDL\r\nRETR 1\r\ng EXPUNGE\r\nQUIT\r\n");
        (void)settle(k, session, s);
        k->close(session);
        (void)account_commit(account.acc);
    }
    free(copy);
}

static void damage(const struct kind *k, struct view changes, struct view commands)
{
    struct fuzz_side s;
    struct buf record;
    void *session;
    int spool;

    if (begin(k, &session, &s, commands)) {
        renew(k, &session, &s, &record, &spool);
        if (spool >= 0)
            close(spool);
        run_changed(k, &s, buf_view(&record), changes);
        buf_free(&record);
    }
    fuzz_side_free(&s);
}

/* All that a client receives, with a move to another process between its commands or without. */
static void play(const struct kind *k, struct view before, struct view after, bool moves, struct buf *heard)
{
    struct fuzz_side s;
    struct buf record;
    void *session;
    int spool;

    if (begin(k, &session, &s, before)) {
        if (moves) {
            renew(k, &session, &s, &record, &spool);
            account_close(&account.acc);
            ASSERT(account_open(&account.params, &account.acc) == 0);
            ASSERT(k->thaw(&s.host, buf_view(&record), &spool, &session) == 0 && spool == -1);
            buf_free(&record);
        }
        if (say(k, &session, &s, after)) {
            k->close(session);
            (void)account_commit(account.acc);
        }
    }
    buf_put_view(heard, buf_view(&s.out));
    fuzz_side_free(&s);
}

static void renew_account(void)
{
    if (!fuzz_account_used(&account))
        return;
    fuzz_account_end(&account, false, false);
    open_account();
}

static void move(const struct kind *k, struct view before, struct view after)
{
    struct buf with, without;

    buf_init(&with, 64 << 20);
    buf_init(&without, 64 << 20);
    play(k, before, after, true, &with);
    renew_account();
    play(k, before, after, false, &without);
    if (!view_eq(buf_view(&with), buf_view(&without))) {
        fprintf(stderr, "with:\n%.*s\nwithout:\n%.*s\n", (int)buf_len(&with), (const char *)buf_view(&with).ptr,
                (int)buf_len(&without), (const char *)buf_view(&without).ptr);
        PANIC("a client was told something else");
    }
    buf_free(&with);
    buf_free(&without);
}

static void read_record(struct view file)
{
    struct record r;
    struct buf out;
    uint64_t off;

    if (record_decode(file, &r, &off) != 0)
        return;
    buf_init(&out, RECORD_BODY_MAX);
    record_encode(&out, &r);
    ASSERT(buf_ok(&out) && view_eq(buf_view(&out), view_sub(file, 0, (size_t)off)));
    buf_free(&out);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_init("fuzz", STDERR_FILENO, LOG_SINK_STREAM, LOG_LVL_FATAL);
    spool_dir = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    ASSERT(spool_dir >= 0);
    open_account();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kind *k = size > 0 && (data[0] & 0x40) != 0 ? &kind_pop3 : &kind_imap;
    struct view v;
    size_t n;

    if (size == 0)
        return 0;
    v = view_make(data + 1, size - 1);
    n = (size_t)(data[0] & 0x3f) * 3;
    if ((data[0] & 0x80) != 0)
        read_record(v);
    else if (n > 0)
        damage(k, view_sub(v, 0, n), view_sub(v, n, v.len));
    else
        move(k, view_sub(v, 0, view_find(v, 0xff)), view_sub(v, view_find(v, 0xff) + 1, v.len));
    renew_account();
    return 0;
}
