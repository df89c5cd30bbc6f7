/*
 * Sessions as records. The input is commands for a logged-in session, and changes to the record that is made of it then. Checked:
 * the record as it was gives the session back, of which the same record is made again; the changed one is refused or gives a
 * session that can be run. An input with its first bit set is taken for a worker's whole record: read and written it is the same.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log/log.h"
#include "imap/session.h"
#include "pop3/session.h"
#include "storage/txn.h"
#include "storage/vfs.h"
#include "worker/record.h"

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
static struct vfs *vfs;
static struct account *acc;

struct side {
    struct session_host host;
    struct buf in, out;
    bool woken;
};

static void require(bool good)
{
    if (!good)
        abort();
}

static uint64_t wall(void *arg)
{
    (void)arg;
    return UINT64_C(1790000000000);
}
static uint64_t mono(const struct session_host *h)
{
    (void)h;
    return 0;
}
static void wake(struct session_host *h)
{
    ((struct side *)h->priv)->woken = true;
}
static void set_timeout(struct session_host *h, uint64_t ms)
{
    (void)h;
    (void)ms;
}

static void open_account(void)
{
    struct account_params p = {.mailboxes_max = 100, .now_ms = wall};
    static char dir[] = "/tmp/culver-fuzz-XXXXXX";

    log_init("fuzz", open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), LOG_SINK_STREAM, LOG_LVL_ERROR);
    require(mkdtemp(dir) != NULL && vfs_posix_open(dir, &vfs) == 0);
    p.vfs = vfs;
    require(account_open(&p, &acc) == 0);
    for (int i = 0; i < 5; i++) {
        struct message_source src = {.parts = {VIEW("A: b\r\n\r\nbody\r\n.\r\n")}, .fd = -1};
        struct append_options opt = {0};
        struct txn *t = txn_begin(acc);

        require(txn_append(t, account_find(acc, VIEW("INBOX")), &src, &opt) == 0);
        txn_commit(&t, NULL, NULL);
    }
    require(account_commit(acc) == 0);
}

static void side_init(struct side *s)
{
    *s = (struct side){.host = {.id = 1,
                                .in = &s->in,
                                .out = outq_new(32 << 20),
                                .set = &set,
                                .hostname = "h",
                                .user = "u",
                                .spool_dir = -1,
                                .now_ms = mono,
                                .wake = wake,
                                .set_timeout = set_timeout,
                                .priv = s}};
    buf_init(&s->in, 8192);
    buf_init(&s->out, 64 << 20);
}

static void side_free(struct side *s)
{
    outq_free(&s->host.out);
    buf_free(&s->in);
    buf_free(&s->out);
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
        return name##_session_new(host, acc, VIEW("t"), VIEW(""));                                   \
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
        int err = name##_session_thaw(host, acc, record, spool, &s);                                 \
        if (err == 0)                                                                                \
            *out = s;                                                                                \
        return err;                                                                                  \
    }                                                                                                \
    static const struct kind kind_##name = {name##_open,   name##_run,    name##_close, name##_park, \
                                            name##_parked, name##_freeze, name##_thaw};
KIND(imap)
KIND(pop3)

static enum session_run settle(const struct kind *k, void *session, struct side *s)
{
    enum session_run run;
    unsigned turns = 0;

    do {
        s->woken = false;
        run = k->run(session);
        (void)account_commit(acc);
        require(outq_ok(s->host.out));
        buf_reset(&s->out);
        require(outq_drain(s->host.out, &s->out) == 0);
        require(++turns < 100000);
    } while (run == SESSION_AGAIN || (s->woken && run != SESSION_CLOSE));
    return run;
}

/* The session is gone afterwards. */
static void freeze(const struct kind *k, void *session, struct buf *record, int *spool)
{
    buf_init(record, 4 << 20);
    require(k->freeze(session, record, spool) == 0 && buf_ok(record));
    k->close(session);
}

static void run_changed(const struct kind *k, struct side *s, struct view record, struct view changes)
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
        (void)account_commit(acc);
    }
    free(copy);
}

static void run_session(const struct kind *k, struct view changes, struct view commands)
{
    struct buf record, again;
    struct side s;
    void *session;
    int spool;

    side_init(&s);
    session = k->open(&s.host);
    buf_put_view(&s.in, k == &kind_imap ? VIEW("s SELECT INBOX\r\n") : VIEW("STAT\r\n"));
    (void)settle(k, session, &s);
    buf_put_view(&s.in, view_sub(commands, 0, s.in.max - buf_len(&s.in)));
    if (settle(k, session, &s) == SESSION_CLOSE) {
        k->close(session);
        (void)account_commit(acc);
        side_free(&s);
        return;
    }
    k->park(session);
    while (!k->parked(session))
        require(settle(k, session, &s) != SESSION_CLOSE);
    freeze(k, session, &record, &spool);
    require(k->thaw(&s.host, buf_view(&record), &spool, &session) == 0 && spool == -1);
    k->park(session);
    require(k->parked(session));
    freeze(k, session, &again, &spool);
    require(view_eq(buf_view(&record), buf_view(&again)));
    if (spool >= 0)
        close(spool);
    run_changed(k, &s, buf_view(&record), changes);
    buf_free(&record);
    buf_free(&again);
    side_free(&s);
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
    require(buf_ok(&out) && view_eq(buf_view(&out), view_sub(file, 0, (size_t)off)));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n;

    if (size == 0)
        return 0;
    if (acc == NULL)
        open_account();
    n = (size_t)(data[0] & 0x3f) * 3;
    if ((data[0] & 0x80) != 0)
        read_record(view_make(data + 1, size - 1));
    else if (size > 1 + n)
        run_session((data[0] & 0x40) != 0 ? &kind_pop3 : &kind_imap, view_make(data + 1, n),
                    view_make(data + 1 + n, size - 1 - n));
    return 0;
}
