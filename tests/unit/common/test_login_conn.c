/*
 * One login connection from greeting to hand-over, with a toy protocol, and auth and master played by the test on the same loop.
 * For TLS a forked process plays culver-keys, since a handshake waits for its signature in line.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/log/log.h"
#include "common/login/login_int.h"
#include "common/secret/secret.h"
#include "common/tls/openssl.h"

/* --- the toy protocol: lines --------------------------------------------------------------------------------------------- */

struct toy {
    bool response;
    char *heap; /* what deinit must free */
};

static void toy_put(struct login_conn *c, const char *text)
{
    buf_put_str(login_conn_out(c), text);
    buf_put_str(login_conn_out(c), "\r\n");
}

static void toy_greet(struct login_conn *c, void *state)
{
    struct toy *s = state;

    s->heap = xmalloc(10);
    toy_put(c, "HELLO");
}

static void toy_command(struct login_conn *c, struct toy *s, struct view line)
{
    struct view rest;

    if (s->response) {
        s->response = false;
        if (view_eq(line, VIEW("*")))
            login_conn_auth_cancel(c);
        else
            login_conn_auth_respond(c, line);
    } else if (view_eq(line, VIEW("NOOP"))) {
        toy_put(c, "OK");
    } else if (view_eq(line, VIEW("BIG"))) {
        for (unsigned i = 0; i < 1000; i++)
            toy_put(c, "0123456789");
    } else if (view_eq(line, VIEW("STLS"))) {
        toy_put(c, "GO");
        login_conn_starttls(c);
    } else if (view_eq(line, VIEW("QUIT"))) {
        toy_put(c, "BYE");
        login_conn_close(c);
    } else if (view_eq(line, VIEW("TLS?"))) {
        toy_put(c, login_conn_tls(c) ? "TLS" : "CLEAR");
        toy_put(c, login_conn_may_auth(c) ? "MAY" : "MAY NOT");
    } else if (view_eq(line, VIEW("MECHS"))) {
        const char *const *names;
        size_t n = login_conn_mechanisms(c, &names);

        for (size_t i = 0; i < n; i++)
            toy_put(c, names[i]);
    } else if (view_eq(line, VIEW("EXTERNAL"))) {
        login_conn_auth(c, VIEW("EXTERNAL"), NULL);
    } else if (view_starts(line, VIEW("AUTH "))) {
        rest = view_sub(line, 5, line.len);
        login_conn_auth(c, VIEW("PLAIN"), rest.len > 0 ? &rest : NULL);
    } else {
        toy_put(c, "WHAT");
        if (login_conn_bad_command(c)) {
            toy_put(c, "TOO BAD");
            login_conn_close(c);
        }
    }
}

static void toy_input(struct login_conn *c, void *state)
{
    struct view in = login_conn_input(c), line;
    size_t lf = view_find(in, '\n');
    uint8_t copy[9000];

    if (lf == in.len)
        return;
    memcpy(copy, in.ptr, lf);
    line = view_make(copy, lf > 0 && in.ptr[lf - 1] == '\r' ? lf - 1 : lf);
    /* Both orders are in use; STARTTLS must work with each. */
    if (view_eq(line, VIEW("STLS"))) {
        toy_command(c, state, line);
        login_conn_consume(c, lf + 1);
    } else {
        login_conn_consume(c, lf + 1);
        toy_command(c, state, line);
    }
}

static void toy_tls_done(struct login_conn *c, void *state)
{
    (void)c;
    (void)state;
}

static void toy_challenge(struct login_conn *c, void *state, struct view data)
{
    struct toy *s = state;

    s->response = true;
    buf_put_str(login_conn_out(c), "+ ");
    buf_put_view(login_conn_out(c), data);
    toy_put(c, "");
}

static void toy_auth_failed(struct login_conn *c, void *state, enum auth_fail code, struct view text)
{
    (void)state;
    (void)text;
    toy_put(c, code == AUTH_FAIL_TEMPORARY ? "FAIL TEMPORARY" : code == AUTH_FAIL_CANCELLED ? "FAIL CANCELLED" : "FAIL");
}

static void toy_auth_passed(struct login_conn *c, void *state, struct view final)
{
    (void)state;
    login_conn_take(c, VIEW("tag"), final);
}

static void toy_take_failed(struct login_conn *c, void *state, enum take_fail code, struct view text)
{
    (void)state;
    (void)text;
    toy_put(c, code == TAKE_FAIL_LIMIT ? "TAKE LIMIT" : "TAKE FAIL");
}

static void toy_farewell(struct login_conn *c, void *state, const char *text)
{
    (void)state;
    (void)text;
    toy_put(c, "FAREWELL");
}

static void toy_deinit(void *state)
{
    struct toy *s = state;

    free(s->heap);
}

static void toy_refuse(struct buf *out, const char *text)
{
    buf_put_str(out, text);
}

static const struct login_protocol toy = {
    "toy",           PROTO_IMAP,      sizeof(struct toy), toy_greet,    toy_input,  toy_tls_done, toy_challenge,
    toy_auth_failed, toy_auth_passed, toy_take_failed,    toy_farewell, toy_deinit, toy_refuse,
};

/* --- the bench ------------------------------------------------------------------------------------------------------------- */

static struct {
    EVP_PKEY *key;
    X509 *cert;
    bool with_cert; /* the client has one */
    struct tls_ctx *tls;
    struct set_login set;
    struct login_service svc;
    struct loop *loop;
    struct login_conn *conn; /* NULL once it has ended */
    int client;
    struct ipc *auth, *master;
    enum ipc_kind auth_last, master_last;
    unsigned proxied;
    struct buf auth_data, handshake, take_tag, take_input;
    int taken_fd;
    pid_t keys;
    SSL_CTX *ssl_ctx;
    SSL *ssl;
} t;

static void bench_auth(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct msg_proxied p;
    struct msg_sasl sasl;
    struct msg_handshake piece;
    struct msg_auth m;

    (void)arg;
    t.auth_last = msg->kind;
    buf_reset(&t.auth_data);
    if (msg->kind == IPC_CONN_HANDSHAKE) {
        assert_int_equal(msg_handshake_decode(msg->body, &piece), 0);
        buf_put_view(&t.handshake, piece.piece);
    }
    if (msg->kind == IPC_CONN_AUTH) {
        assert_int_equal(msg_auth_decode(msg->body, &m), 0);
        assert_true(view_eq(m.mechanism, VIEW("PLAIN")) || view_eq(m.mechanism, VIEW("EXTERNAL")));
        buf_put_view(&t.auth_data, m.initial);
        ipc_set_state(ch, IPC_STATE_BUSY);
    } else if (msg->kind == IPC_CONN_RESPONSE) {
        assert_int_equal(msg_sasl_decode(msg->body, &sasl), 0);
        buf_put_view(&t.auth_data, sasl.data);
    } else if (msg->kind == IPC_CONN_PROXIED) {
        assert_int_equal(msg_proxied_decode(msg->body, &p), 0);
        t.proxied++;
    }
}

static void bench_master(void *arg, struct ipc *ch, struct ipc_msg *msg)
{
    struct msg_take m;

    (void)arg;
    (void)ch;
    t.master_last = msg->kind;
    if (msg->kind == IPC_CONN_PROXIED)
        t.proxied++;
    if (msg->kind != IPC_CONN_TAKE)
        return;
    assert_int_equal(msg_take_decode(msg->body, &m), 0);
    buf_put_view(&t.take_tag, m.tag);
    buf_put_view(&t.take_input, m.input);
    t.taken_fd = msg->fds[0];
    msg->fds[0] = -1;
}

static void bench_closed(void *arg, struct ipc *ch, int err)
{
    struct ipc **slot = arg;

    (void)ch;
    (void)err;
    ipc_free(slot);
}

static void bench_ended(void *arg, struct login_conn *c)
{
    (void)arg;
    assert_ptr_equal(c, t.conn);
    login_conn_free(&t.conn);
}

/* Plays culver-keys until its channel closes. */
_Noreturn static void bench_keys(int fd)
{
    uint8_t storage[IPC_MAX_MSG], bytes[PROTO_SIG_MAX];
    struct ipc_msg msg;

    while (ipc_recv_wait(fd, ROLE_KEYS, ROLE_CONN, IPC_STATE_NEW, storage, &msg, 20000) == 0) {
        EVP_PKEY_CTX *pctx = EVP_PKEY_CTX_new(t.key, NULL);
        struct msg_signed answer;
        struct msg_sign m;
        size_t len = sizeof(bytes);
        struct buf body;

        if (msg_sign_decode(msg.body, &m) != 0 || EVP_PKEY_sign_init(pctx) != 1 ||
            EVP_PKEY_sign(pctx, bytes, &len, m.tbs.ptr, m.tbs.len) != 1)
            _exit(1);
        EVP_PKEY_CTX_free(pctx);
        answer.signature = view_make(bytes, len);
        buf_init(&body, IPC_MAX_BODY);
        msg_signed_encode(&body, &answer);
        if (ipc_send_wait(fd, ROLE_KEYS, ROLE_CONN, IPC_KEYS_SIGNED, &body, NULL, 0, 5000) != 0)
            _exit(1);
        buf_free(&body);
    }
    _exit(0);
}

static void bench_start(enum listener_tls tls, bool proxy, bool with_keys)
{
    struct msg_conn facts = {.conn_id = 77, .protocol = PROTO_IMAP, .proxy = proxy};
    int client[2], auth[2], master[2], keys[2] = {-1, -1};
    struct conn_fds fds;

    facts.peer = (struct net_addr){4, {192, 0, 2, 1}, 5};
    facts.local = (struct net_addr){4, {192, 0, 2, 2}, 143};
    t.svc = (struct login_service){&toy, &t.set, "host.test", t.tls, NULL};
    t.loop = loop_new();
    t.auth_last = t.master_last = 0;
    t.proxied = 0;
    t.taken_fd = -1;
    buf_reset(&t.auth_data);
    buf_reset(&t.handshake);
    buf_reset(&t.take_tag);
    buf_reset(&t.take_input);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client), 0);
    assert_int_equal(ipc_pair(auth), 0);
    assert_int_equal(ipc_pair(master), 0);
    if (with_keys) {
        assert_int_equal(ipc_pair(keys), 0);
        t.keys = fork();
        if (t.keys == 0) {
            close(keys[0]);
            close(client[0]);
            close(client[1]);
            close(auth[0]);
            close(auth[1]);
            close(master[0]);
            close(master[1]);
            bench_keys(keys[1]);
        }
        close(keys[1]);
    }
    t.client = client[1];
    t.auth = ipc_new(t.loop, auth[1], ROLE_AUTH, ROLE_CONN, bench_auth, bench_closed, &t.auth);
    t.master = ipc_new(t.loop, master[1], ROLE_MASTER, ROLE_CONN, bench_master, bench_closed, &t.master);
    fds = (struct conn_fds){client[0], auth[0], master[0], keys[0]};
    t.conn = login_conn_new(&t.svc, t.loop, &facts, tls, &fds, bench_ended, NULL);
    assert_non_null(t.conn);
    login_conn_step(t.conn);
}

static void bench_stop(void)
{
    int status = 0;

    login_conn_free(&t.conn);
    if (t.client >= 0)
        close(t.client);
    if (t.taken_fd >= 0)
        close(t.taken_fd);
    ipc_free(&t.auth);
    ipc_free(&t.master);
    loop_free(&t.loop);
    if (t.keys > 0) {
        assert_int_equal(waitpid(t.keys, &status, 0), t.keys);
        assert_int_equal(status, 0);
    }
    t.keys = 0;
    SSL_free(t.ssl);
    SSL_CTX_free(t.ssl_ctx);
    t.ssl = NULL;
    t.ssl_ctx = NULL;
}

static void turns(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(loop_turn(t.loop, 2), 0);
}

static void say(const char *text)
{
    assert_int_equal(send(t.client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    turns(4);
}

static void expect(const char *text)
{
    char got[32768];
    ssize_t n;

    turns(2);
    n = recv(t.client, got, sizeof(got) - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = '\0';
    assert_string_equal(got, text);
}

static void expect_closed(void)
{
    uint8_t byte;

    turns(4);
    assert_int_equal(recv(t.client, &byte, 1, MSG_DONTWAIT), 0);
}

static void auth_says(enum ipc_kind kind, enum auth_fail code, struct view data)
{
    const struct msg_auth_fail fail = {code, VIEW("")};
    const struct msg_sasl sasl = {data};
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    if (kind == IPC_AUTH_FAIL)
        msg_auth_fail_encode(&body, &fail);
    else
        msg_sasl_encode(&body, &sasl);
    assert_int_equal(ipc_send(t.auth, kind, &body, NULL, 0), 0);
    if (kind != IPC_AUTH_CHALLENGE)
        ipc_set_state(t.auth, IPC_STATE_READY);
    buf_free(&body);
    turns(4);
}

static void master_says_fail(enum take_fail code)
{
    const struct msg_take_fail fail = {code, VIEW("no")};
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    msg_take_fail_encode(&body, &fail);
    assert_int_equal(ipc_send(t.master, IPC_MASTER_TAKE_FAIL, &body, NULL, 0), 0);
    buf_free(&body);
    turns(4);
}

static int setup(void **state)
{
    X509 *cert = t.cert = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    long len;
    int fd = memfd_create("cert", MFD_CLOEXEC);

    (void)state;
    log_init("test", 2, LOG_SINK_STREAM, LOG_LVL_FATAL);
    t.key = EVP_EC_gen("P-256");
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, t.key);
    X509_sign(cert, t.key, EVP_sha256());
    PEM_write_bio_X509(bio, cert);
    len = BIO_get_mem_data(bio, &pem);
    assert_int_equal(write(fd, pem, (size_t)len), len);
    assert_int_equal(tls_ctx_new(0x0303, "", &t.tls), 0);
    assert_int_equal(tls_ctx_add_cert(t.tls, 0, VIEW(""), fd), 0);
    close(fd);
    BIO_free(bio);
    t.set = (struct set_login){.login_timeout = 60000,
                               .tls_handshake_timeout = 10000,
                               .login_line_max = 8192,
                               .login_bad_commands = 3,
                               .login_failures = 3};
    buf_init(&t.auth_data, 65536);
    buf_init(&t.handshake, PROTO_HANDSHAKE_MAX);
    buf_init(&t.take_tag, 65536);
    buf_init(&t.take_input, 65536);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tls_ctx_free(&t.tls);
    EVP_PKEY_free(t.key);
    X509_free(t.cert);
    buf_free(&t.auth_data);
    buf_free(&t.handshake);
    buf_free(&t.take_tag);
    buf_free(&t.take_input);
    return 0;
}

/* --- clear text ------------------------------------------------------------------------------------------------------------- */

static void test_commands(void **state)
{
    (void)state;
    bench_start(LISTENER_TLS_NONE, false, false);
    expect("HELLO\r\n");
    say("NOOP\r\n");
    expect("OK\r\n");
    for (const char *p = "NOOP\r\n"; *p != '\0'; p++)
        say((char[]){*p, '\0'});
    expect("OK\r\n");
    say("NOOP\r\nNOOP\r\nTLS?\r\nQUIT\r\nNOOP\r\n");
    expect("OK\r\nOK\r\nCLEAR\r\nMAY NOT\r\nBYE\r\n");
    expect_closed();
    shutdown(t.client, SHUT_WR);
    turns(4);
    assert_null(t.conn);
    bench_stop();
}

static void test_limits(void **state)
{
    char big[8193];

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    bench_start(LISTENER_TLS_NONE, false, false);
    expect("HELLO\r\n");
    say(big);
    expect("FAREWELL\r\n");
    expect_closed();
    bench_stop();
    bench_start(LISTENER_TLS_NONE, false, false);
    expect("HELLO\r\n");
    say("A\r\nB\r\nNOOP\r\nC\r\nNOOP\r\n");
    expect("WHAT\r\nWHAT\r\nOK\r\nWHAT\r\nTOO BAD\r\n");
    expect_closed();
    bench_stop();
}

/* A client that sends commands and reads nothing: what is held for it stays small, and it gets everything in the end. */
static void test_slow_reader(void **state)
{
    char got[65536];
    size_t total = 0, sent = 0;

    (void)state;
    bench_start(LISTENER_TLS_NONE, false, false);
    for (unsigned i = 0; i < 200; i++) {
        if (send(t.client, "BIG\r\n", 5, MSG_NOSIGNAL | MSG_DONTWAIT) == 5)
            sent++;
        turns(1);
        assert_true(buf_len(&t.conn->out) < 65536);
    }
    for (unsigned i = 0; i < 2000 && total < sent * 12000 + 7; i++) {
        ssize_t n = recv(t.client, got, sizeof(got), MSG_DONTWAIT);

        total += n > 0 ? (size_t)n : 0;
        turns(1);
    }
    assert_int_equal(total, sent * 12000 + 7);
    bench_stop();
}

static void test_end_of_input(void **state)
{
    (void)state;
    bench_start(LISTENER_TLS_NONE, false, false);
    say("NOOP\r\nNOO");
    shutdown(t.client, SHUT_WR);
    expect("HELLO\r\nOK\r\n");
    expect_closed();
    assert_null(t.conn);
    bench_stop();
    /* Gone while auth works. */
    bench_start(LISTENER_TLS_NONE, false, false);
    say("AUTH x\r\n");
    close(t.client);
    t.client = -1;
    turns(5);
    assert_null(t.conn);
    bench_stop();
}

static void test_timeout(void **state)
{
    (void)state;
    t.set.login_timeout = 30;
    bench_start(LISTENER_TLS_NONE, false, false);
    expect("HELLO\r\n");
    usleep(40000);
    expect("FAREWELL\r\n");
    expect_closed();
    bench_stop();
    t.set.login_timeout = 60000;
    t.set.tls_handshake_timeout = 30;
    bench_start(LISTENER_TLS_IMPLICIT, false, false);
    usleep(40000);
    expect_closed();
    assert_null(t.conn);
    bench_stop();
    t.set.tls_handshake_timeout = 10000;
}

/* --- auth ---------------------------------------------------------------------------------------------------------------------
 */

static void test_auth_and_take(void **state)
{
    char got[16];

    (void)state;
    bench_start(LISTENER_TLS_NONE, false, false);
    expect("HELLO\r\n");
    say("AUTH pass\r\nNEXT COMMAND\r\nHA");
    assert_int_equal(t.auth_last, IPC_CONN_AUTH);
    assert_true(view_eq(buf_view(&t.auth_data), VIEW("pass")));
    say("LF"); /* not read any more */
    auth_says(IPC_AUTH_PASS, 0, VIEW("final"));
    assert_int_equal(t.master_last, IPC_CONN_TAKE);
    assert_true(view_eq(buf_view(&t.take_tag), VIEW("tag")));
    assert_true(view_eq(buf_view(&t.take_input), VIEW("NEXT COMMAND\r\nHA")));
    assert_int_equal(ipc_send(t.master, IPC_MASTER_TAKE_OK, NULL, NULL, 0), 0);
    turns(4);
    assert_null(t.conn);
    /* What master got is the client itself, with every byte that was not handed over otherwise. */
    assert_int_equal(recv(t.taken_fd, got, sizeof(got), MSG_DONTWAIT), 2);
    assert_memory_equal(got, "LF", 2);
    assert_int_equal(send(t.taken_fd, "WORKER", 6, 0), 6);
    expect("WORKER");
    bench_stop();
}

static void test_auth_exchange(void **state)
{
    (void)state;
    bench_start(LISTENER_TLS_NONE, false, false);
    say("AUTH \r\n");
    auth_says(IPC_AUTH_CHALLENGE, 0, VIEW("more"));
    expect("HELLO\r\n+ more\r\n");
    say("answer\r\n");
    assert_int_equal(t.auth_last, IPC_CONN_RESPONSE);
    assert_true(view_eq(buf_view(&t.auth_data), VIEW("answer")));
    auth_says(IPC_AUTH_CHALLENGE, 0, VIEW("more"));
    say("*\r\n");
    assert_int_equal(t.auth_last, IPC_CONN_CANCEL);
    auth_says(IPC_AUTH_FAIL, AUTH_FAIL_CANCELLED, VIEW(""));
    expect("+ more\r\nFAIL CANCELLED\r\n");
    say("NOOP\r\n");
    expect("OK\r\n");
    for (unsigned i = 0; i < 2; i++) {
        say("AUTH wrong\r\n");
        auth_says(IPC_AUTH_FAIL, AUTH_FAIL_CREDENTIALS, VIEW(""));
    }
    expect("FAIL\r\nFAIL\r\nFAREWELL\r\n");
    expect_closed();
    bench_stop();
}

static void test_auth_gone(void **state)
{
    (void)state;
    bench_start(LISTENER_TLS_NONE, false, false);
    say("AUTH x\r\n");
    ipc_free(&t.auth);
    turns(4);
    expect("HELLO\r\nFAIL TEMPORARY\r\nFAREWELL\r\n");
    expect_closed();
    bench_stop();
    /* Between requests nothing happens until the next one. */
    bench_start(LISTENER_TLS_NONE, false, false);
    ipc_free(&t.auth);
    turns(4);
    say("NOOP\r\nAUTH x\r\n");
    expect("HELLO\r\nOK\r\nFAIL TEMPORARY\r\nFAREWELL\r\n");
    expect_closed();
    bench_stop();
    /* An answer that nobody asked for ends the channel, not the connection. */
    bench_start(LISTENER_TLS_NONE, false, false);
    auth_says(IPC_AUTH_PASS, 0, VIEW(""));
    say("NOOP\r\n");
    expect("HELLO\r\nOK\r\n");
    assert_int_equal(t.master_last, 0);
    bench_stop();
}

static void test_take_fails(void **state)
{
    (void)state;
    bench_start(LISTENER_TLS_NONE, false, false);
    say("AUTH x\r\n");
    auth_says(IPC_AUTH_PASS, 0, VIEW(""));
    master_says_fail(TAKE_FAIL_LIMIT);
    expect("HELLO\r\nTAKE LIMIT\r\n");
    shutdown(t.taken_fd, SHUT_WR); /* the test's copy of the same socket */
    expect_closed();
    bench_stop();
    bench_start(LISTENER_TLS_NONE, false, false);
    say("AUTH x\r\n");
    auth_says(IPC_AUTH_PASS, 0, VIEW(""));
    ipc_free(&t.master);
    expect("HELLO\r\nTAKE FAIL\r\n");
    bench_stop();
    /* Without master no log-in can succeed: the client need not wait to hear it. */
    bench_start(LISTENER_TLS_NONE, false, false);
    turns(2);
    ipc_free(&t.master);
    expect("HELLO\r\nFAREWELL\r\n");
    bench_stop();
    bench_start(LISTENER_TLS_NONE, false, false);
    say("AUTH x\r\n");
    ipc_free(&t.master);
    expect("HELLO\r\nFAREWELL\r\n");
    bench_stop();
}

/* --- PROXY
 * ------------------------------------------------------------------------------------------------------------------------ */

static void test_proxy(void **state)
{
    (void)state;
    bench_start(LISTENER_TLS_NONE, true, false);
    say("PROXY TCP4 127.0.0.1 127.0.0.2 1 ");
    expect("");
    say("2\r\nTLS?\r\n");
    expect("HELLO\r\nCLEAR\r\nMAY\r\n");
    assert_int_equal(t.proxied, 2);
    assert_int_equal(t.conn->peer.port, 1);
    bench_stop();
    bench_start(LISTENER_TLS_NONE, true, false);
    say("NOOP\r\n");
    expect_closed();
    assert_null(t.conn);
    assert_int_equal(t.proxied, 0);
    bench_stop();
}

/* --- TLS
 * -------------------------------------------------------------------------------------------------------------------------- */

static void tls_client(void)
{
    t.ssl_ctx = SSL_CTX_new(TLS_client_method());
    t.ssl = SSL_new(t.ssl_ctx);
    SSL_set_fd(t.ssl, t.client);
    if (t.with_cert) {
        assert_int_equal(SSL_use_certificate(t.ssl, t.cert), 1);
        assert_int_equal(SSL_use_PrivateKey(t.ssl, t.key), 1);
    }
    for (unsigned i = 0; i < 100; i++) {
        if (SSL_connect(t.ssl) == 1)
            return;
        turns(1);
    }
    fail();
}

static void tls_say(const char *text)
{
    assert_int_equal(SSL_write(t.ssl, text, (int)strlen(text)), strlen(text));
    turns(4);
}

static void tls_expect(const char *text)
{
    char got[4096];
    int n = 0;

    for (unsigned i = 0; i < 10; i++) {
        int r;

        turns(1);
        r = SSL_read(t.ssl, got + n, (int)sizeof(got) - 1 - n);
        n += r > 0 ? r : 0;
    }
    got[n] = '\0';
    assert_string_equal(got, text);
}

static void test_starttls_injection(void **state)
{
    (void)state;
    /* In one segment. */
    bench_start(LISTENER_TLS_STARTTLS, false, true);
    say("STLS\r\nNOOP\r\n");
    expect("HELLO\r\n");
    expect_closed();
    bench_stop();
    /* In the next one, before the handshake. */
    bench_start(LISTENER_TLS_STARTTLS, false, true);
    say("STLS\r\n");
    say("NOOP\r\n");
    turns(3);
    {
        char got[256];
        ssize_t n = recv(t.client, got, sizeof(got), MSG_DONTWAIT);

        assert_true(n >= 11);
        assert_memory_equal(got, "HELLO\r\nGO\r\n", 11);
        assert_null(memmem(got, (size_t)n, "OK", 2));
    }
    bench_stop();
    /* No key process, no TLS. */
    bench_start(LISTENER_TLS_STARTTLS, false, false);
    say("STLS\r\n");
    expect("HELLO\r\nGO\r\nFAREWELL\r\n");
    bench_stop();
}

static void tls_login(enum listener_tls listener)
{
    bench_start(listener, false, true);
    if (listener == LISTENER_TLS_STARTTLS) {
        say("STLS\r\n");
        expect("HELLO\r\nGO\r\n");
    }
    tls_client();
    tls_expect(listener == LISTENER_TLS_IMPLICIT ? "HELLO\r\n" : "");
    tls_say("TLS?\r\n");
    tls_expect("TLS\r\nMAY\r\n");
    tls_say("AUTH x\r\nPIPELINED\r\n");
    auth_says(IPC_AUTH_PASS, 0, VIEW(""));
    assert_int_equal(t.master_last, IPC_CONN_TAKE);
    assert_true(view_eq(buf_view(&t.take_input), VIEW("PIPELINED\r\n")));
}

static void test_tls_relay(void **state)
{
    static uint8_t big[300000], got[sizeof(big)];
    size_t have, sent;

    (void)state;
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)(i * 13 + i / 255);
    for (int listener = LISTENER_TLS_STARTTLS; listener <= LISTENER_TLS_IMPLICIT; listener++) {
        tls_login((enum listener_tls)listener);
        assert_int_equal(SSL_write(t.ssl, "early", 5), 5); /* before the answer */
        assert_int_equal(ipc_send(t.master, IPC_MASTER_TAKE_OK, NULL, NULL, 0), 0);
        turns(4);
        assert_non_null(t.conn);
        assert_null(t.auth); /* the connection closed its channels */
        assert_null(t.master);
        assert_int_equal(fcntl(t.taken_fd, F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(recv(t.taken_fd, got, sizeof(got), 0), 5);
        /* Worker to client, both slow. */
        for (have = sent = 0; have < sizeof(big);) {
            ssize_t n = sent < sizeof(big) ? send(t.taken_fd, big + sent, sizeof(big) - sent, MSG_NOSIGNAL) : 0;

            sent += n > 0 ? (size_t)n : 0;
            turns(1);
            n = SSL_read(t.ssl, got + have, 3000);
            have += n > 0 ? (size_t)n : 0;
        }
        assert_memory_equal(got, big, sizeof(big));
        /* Client to worker, while the worker does not read for a while. */
        for (sent = 0; sent < sizeof(big);) {
            int n = SSL_write(t.ssl, big + sent, (int)MIN_OF(sizeof(big) - sent, (size_t)8000));

            if (n <= 0)
                break;
            sent += (size_t)n;
            turns(1);
            assert_true(buf_len(&t.conn->in) <= 32768 && buf_len(&t.conn->net_in) <= 20000);
        }
        for (have = 0; have < sizeof(big);) {
            ssize_t n = recv(t.taken_fd, got + have, 7000, 0);

            have += n > 0 ? (size_t)n : 0;
            if (sent < sizeof(big)) {
                n = SSL_write(t.ssl, big + sent, (int)MIN_OF(sizeof(big) - sent, (size_t)8000));
                sent += n > 0 ? (size_t)n : 0;
            }
            turns(1);
        }
        assert_memory_equal(got, big, sizeof(big));
        /* The client ends its side; the worker still answers. */
        assert_int_equal(SSL_write(t.ssl, "last", 4), 4);
        SSL_shutdown(t.ssl);
        turns(4);
        assert_int_equal(recv(t.taken_fd, got, sizeof(got), 0), 4);
        assert_int_equal(recv(t.taken_fd, got, sizeof(got), 0), 0);
        assert_int_equal(send(t.taken_fd, "BYE", 3, MSG_NOSIGNAL), 3);
        close(t.taken_fd);
        t.taken_fd = -1;
        tls_expect("BYE");
        assert_int_equal(SSL_get_shutdown(t.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        turns(4);
        assert_null(t.conn);
        bench_stop();
    }
}

/* The worker ends while the client still talks; the client vanishes while the worker still talks. */
static void test_tls_relay_ends(void **state)
{
    static uint8_t big[400000];

    (void)state;
    tls_login(LISTENER_TLS_IMPLICIT);
    assert_int_equal(ipc_send(t.master, IPC_MASTER_TAKE_OK, NULL, NULL, 0), 0);
    turns(4);
    assert_int_equal(send(t.taken_fd, "BYE", 3, MSG_NOSIGNAL), 3);
    close(t.taken_fd);
    t.taken_fd = -1;
    tls_say("too late");
    tls_expect("BYE");
    close(t.client);
    t.client = -1;
    turns(5);
    assert_null(t.conn);
    bench_stop();

    tls_login(LISTENER_TLS_IMPLICIT);
    assert_int_equal(ipc_send(t.master, IPC_MASTER_TAKE_OK, NULL, NULL, 0), 0);
    turns(4);
    assert_int_equal(fcntl(t.taken_fd, F_SETFL, O_NONBLOCK), 0);
    assert_true(send(t.taken_fd, big, sizeof(big), MSG_NOSIGNAL) > 0);
    turns(4);
    close(t.client);
    t.client = -1;
    turns(5);
    assert_null(t.conn);
    bench_stop();
}

static void test_tls_take_fails(void **state)
{
    (void)state;
    tls_login(LISTENER_TLS_IMPLICIT);
    master_says_fail(TAKE_FAIL_LIMIT);
    tls_expect("TAKE LIMIT\r\n");
    assert_int_equal(SSL_get_shutdown(t.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    bench_stop();
}

/* --- client certificates ---------------------------------------------------------------------------------------------------- */

static void auth_says_nonce(void)
{
    static const uint8_t nonce[PROTO_NONCE_LEN] = "n";
    const struct msg_nonce m = {view_make(nonce, sizeof(nonce))};
    struct buf body;

    buf_init(&body, IPC_MAX_BODY);
    msg_nonce_encode(&body, &m);
    assert_int_equal(ipc_send(t.auth, IPC_AUTH_NONCE, &body, NULL, 0), 0);
    buf_free(&body);
    turns(4);
}

static void external_start(bool with_cert)
{
    static const char *words[] = {"plain", "external"};

    t.set.auth_mechanisms = (struct conf_list){.items = words, .n = ARRAY_LEN(words)};
    t.with_cert = with_cert;
    bench_start(LISTENER_TLS_IMPLICIT, false, true);
    turns(2);
    assert_int_equal(t.auth_last, IPC_CONN_NONCE);
}

static void external_stop(void)
{
    bench_stop();
    t.set.auth_mechanisms = (struct conf_list){.n = 0};
    t.with_cert = false;
}

static void test_client_certificate(void **state)
{
    (void)state;
    external_start(true);
    auth_says_nonce();
    tls_client();
    tls_expect("HELLO\r\n");
    tls_say("MECHS\r\n");
    tls_expect("EXTERNAL\r\nPLAIN\r\n");
    tls_say("AUTH x\r\n");
    assert_int_equal(buf_len(&t.handshake), 0); /* for nobody else */
    auth_says(IPC_AUTH_FAIL, AUTH_FAIL_CREDENTIALS, VIEW(""));
    tls_expect("FAIL\r\n");
    for (unsigned i = 1; i <= 2; i++) { /* anew for each exchange */
        buf_reset(&t.handshake);
        tls_say("EXTERNAL\r\n");
        assert_int_equal(t.auth_last, IPC_CONN_AUTH);
        assert_true(buf_len(&t.handshake) > 0);
        assert_true(view_eq(buf_view(&t.handshake), tls_client_proof(t.conn->tls)));
        auth_says(IPC_AUTH_FAIL, AUTH_FAIL_TEMPORARY, VIEW(""));
        tls_expect("FAIL TEMPORARY\r\n");
    }
    external_stop();
}

static void test_no_client_certificate(void **state)
{
    (void)state;
    external_start(false);
    auth_says_nonce();
    tls_client();
    tls_expect("HELLO\r\n");
    tls_say("MECHS\r\n");
    tls_expect("PLAIN\r\n");
    tls_say("EXTERNAL\r\n");
    assert_int_equal(t.auth_last, IPC_CONN_AUTH);
    assert_int_equal(buf_len(&t.handshake), 0);
    external_stop();
}

/* The handshake waits for the nonce; without auth, or with one that says something else, nobody is asked for a certificate. */
static void test_no_nonce(void **state)
{
    (void)state;
    for (int gone = 0; gone <= 1; gone++) {
        external_start(true);
        assert_null(t.conn->tls);
        if (gone)
            ipc_free(&t.auth);
        else
            auth_says(IPC_AUTH_PASS, 0, VIEW(""));
        turns(4);
        assert_null(t.conn->auth);
        tls_client();
        tls_expect("HELLO\r\n");
        tls_say("MECHS\r\n");
        tls_expect("PLAIN\r\n");
        external_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_no_client_certificate),
        cmocka_unit_test(test_no_nonce),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_end_of_input),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_auth_and_take),
        cmocka_unit_test(test_auth_exchange),
        cmocka_unit_test(test_auth_gone),
        cmocka_unit_test(test_take_fails),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_starttls_injection),
        cmocka_unit_test(test_tls_relay),
        cmocka_unit_test(test_tls_relay_ends),
        cmocka_unit_test(test_tls_take_fails),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup, teardown);
}
