/* Whole dialogues with an IMAP session over a real account in a temporary folder: what the worker does, in a few lines. */
#ifndef CULVER_TESTS_IMAP_FIXTURE_H
#define CULVER_TESTS_IMAP_FIXTURE_H

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "imap/session.h"
#include "storage/vfs.h"

struct client;
struct fixture {
    char dir[64];
    struct vfs *vfs;
    struct account *acc;
    struct set_worker set;
    struct client *clients[4]; /* open ones: a failed test leaves them to the teardown */
};

struct client {
    struct fixture *f;
    struct session_host host;
    struct buf in;
    struct imap_session *session;
    enum session_run run;
    bool woken;
    uint64_t timeout;
    struct buf out; /* what the client has received and not looked at */
};

static uint64_t fixture_now(void *arg)
{
    (void)arg;
    return UINT64_C(1790000000000);
}

static inline void fixture_open(struct fixture *f)
{
    static const struct auto_mailbox autos[] = {{"Sent", USE_SENT}, {"Trash", USE_TRASH}};
    static const char *id[] = {"name=Culver"};
    struct account_params p = {.mailboxes_max = 1000, .autos = autos, .nautos = 2, .now_ms = fixture_now};

    snprintf(f->dir, sizeof(f->dir), "/tmp/culver-imap-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(vfs_posix_open(f->dir, &f->vfs), 0);
    p.vfs = f->vfs;
    assert_int_equal(account_open(&p, &f->acc), 0);
    f->set = (struct set_worker){.imap_idle_timeout = 1800000,
                                 .message_size_max = 64 * 1024 * 1024,
                                 .imap_line_max = 65536,
                                 .imap_literal_max = 262144,
                                 .imap_bad_commands = 20,
                                 .mailboxes_max = 1000,
                                 .imap_id = {id, 1},
                                 .imap_server_comment = "",
                                 .imap_server_admin = "mailto:postmaster@example.org",
                                 .hierarchy_separator = '/'};
}

static uint64_t client_now(const struct session_host *h)
{
    (void)h;
    return 0;
}
static void client_wake(struct session_host *h)
{
    ((struct client *)h->priv)->woken = true;
}
static void client_set_timeout(struct session_host *h, uint64_t ms)
{
    ((struct client *)h->priv)->timeout = ms;
}

/* One tick: run, commit, send. */
static inline void client_tick(struct client *c)
{
    c->woken = false;
    if (c->run != SESSION_CLOSE)
        c->run = imap_session_run(c->session);
    account_commit(c->f->acc);
    assert_true(outq_ok(c->host.out));
    assert_int_equal(outq_drain(c->host.out, &c->out), 0);
}

/* Ticks until it has nothing more to do. */
static inline void client_settle(struct client *c)
{
    do
        client_tick(c);
    while (c->run == SESSION_AGAIN || (c->woken && c->run != SESSION_CLOSE));
}

static inline void client_open(struct client *c, struct fixture *f)
{
    *c = (struct client){.f = f};
    for (size_t i = 0; i < ARRAY_LEN(f->clients); i++) {
        if (f->clients[i] == NULL) {
            f->clients[i] = c;
            break;
        }
    }
    buf_init(&c->in, 4096);
    buf_init(&c->out, 256 * 1024 * 1024);
    c->host = (struct session_host){.id = 1,
                                    .in = &c->in,
                                    .out = outq_new(64 * 1024 * 1024),
                                    .set = &f->set,
                                    .hostname = "test",
                                    .user = "alice",
                                    .spool_dir = open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC),
                                    .now_ms = client_now,
                                    .wake = client_wake,
                                    .set_timeout = client_set_timeout,
                                    .priv = c};
    c->session = imap_session_new(&c->host, f->acc, VIEW("l1"), (struct view){NULL, 0});
    client_settle(c);
}

static inline void client_close(struct client *c)
{
    for (size_t i = 0; i < ARRAY_LEN(c->f->clients); i++)
        if (c->f->clients[i] == c)
            c->f->clients[i] = NULL;
    imap_session_free(&c->session);
    account_commit(c->f->acc);
    outq_free(&c->host.out);
    buf_free(&c->in);
    buf_free(&c->out);
    close(c->host.spool_dir);
}

/* Sends bytes as the host would: as much as the input buffer takes, a tick, and so on. */
static inline void client_send_view(struct client *c, struct view v, size_t piece)
{
    while (v.len > 0 && c->run != SESSION_CLOSE) {
        size_t n = MIN_OF(MIN_OF(v.len, piece), c->in.max - buf_len(&c->in));

        assert_true(n > 0);
        buf_put(&c->in, v.ptr, n);
        v = view_sub(v, n, v.len);
        client_settle(c);
    }
}

static inline void client_send(struct client *c, const char *text)
{
    client_send_view(c, view_str(text), SIZE_MAX);
}

static inline bool fixture_remove(void *arg, struct vfs_name name)
{
    assert_int_equal(vfs_remove(((struct fixture *)arg)->vfs, name), 0);
    return true;
}

static inline void fixture_close(struct fixture *f)
{
    char lock[96];

    for (size_t i = 0; i < ARRAY_LEN(f->clients); i++)
        if (f->clients[i] != NULL)
            return; /* the test has failed and its client's memory is gone */
    account_close(&f->acc);
    assert_int_equal(vfs_list(f->vfs, fixture_remove, f), 0);
    vfs_free(&f->vfs);
    snprintf(lock, sizeof(lock), "%s/lock", f->dir);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(f->dir), 0);
}

/* Everything received since the last call, as a string that lives until the next. */
static inline const char *client_received(struct client *c)
{
    static char *text;

    free(text);
    text = view_dup(buf_view(&c->out));
    buf_reset(&c->out);
    return text;
}

static inline void expect_at(struct client *c, const char *want, const char *file, int line)
{
    const char *got = client_received(c);

    if (strcmp(got, want) != 0) {
        print_error("got:\n%s\nwanted:\n%s\n", got, want);
        _fail(file, line);
    }
}

static inline void expect_has_at(struct client *c, const char *want, const char *file, int line)
{
    const char *got = client_received(c);

    if (strstr(got, want) == NULL) {
        print_error("got:\n%s\nwanted in it:\n%s\n", got, want);
        _fail(file, line);
    }
}

/* The whole answer, byte for byte. */
#define EXPECT(c, command, answer)                \
    do {                                          \
        client_send(c, command "\r\n");           \
        expect_at(c, answer, __FILE__, __LINE__); \
    } while (0)
/* The answer contains this. */
#define EXPECT_HAS(c, command, part)                \
    do {                                            \
        client_send(c, command "\r\n");             \
        expect_has_at(c, part, __FILE__, __LINE__); \
    } while (0)

#define MESSAGE_1                                                                                                                \
    "From: Alice Example <alice@example.org>\r\nTo: bob@example.net\r\nSubject: Hello world\r\nDate: Mon, 23 Nov 2026 10:00:00 " \
    "+0100\r\n"                                                                                                                  \
    "Message-ID: <1@example.org>\r\n\r\nFirst line\r\nSecond line\r\n"

static inline void client_append(struct client *c, const char *mailbox, const char *message)
{
    char *cmd = NULL;

    assert_true(asprintf(&cmd, "ap APPEND %s {%zu+}\r\n%s\r\n", mailbox, strlen(message), message) > 0);
    client_send(c, cmd);
    free(cmd);
    expect_has_at(c, "ap OK [APPENDUID ", __FILE__, __LINE__);
}

#endif
