/* The socket for mail servers: its lines, and both ends of it with the real culver-auth in one loop. */
#include "tests/unit/auth/world.h"

#include <sys/un.h>

#include "auth/smtp_int.h"
#include "common/secret/scram.h"
#include "common/text/text.h"

/* --- lines ---------------------------------------------------------------------------------------------------------------- */

static struct smtp_line parsed(const char *text)
{
    struct smtp_line l;
    memset(&l, 0xee, sizeof(l));
    assert_int_equal(smtp_line_parse(view_str(text), &l), 0);
    return l;
}

static void test_lines(void **state)
{
    struct smtp_line l = parsed("VERSION\t1\t2");
    (void)state;
    assert_int_equal(l.verb, SMTP_VERSION);
    assert_int_equal(l.major, 1);
    assert_int_equal(parsed("CPID\t77").verb, SMTP_OTHER);
    assert_int_equal(parsed("SOMETHING").verb, SMTP_OTHER);
    /* Postfix's form, then Exim's. */
    l = parsed("AUTH\t3\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.9\trip=2001:db8::1\tsecured\tresp=AGE=");
    assert_int_equal(l.verb, SMTP_AUTH);
    assert_int_equal(l.id, 3);
    assert_string_equal(l.mech, "PLAIN");
    assert_true(l.secured && l.counted && l.has_peer && l.has_data);
    assert_int_equal(l.peer.family, 6);
    assert_int_equal(l.local.family, 4);
    assert_int_equal(l.local.ip[3], 9);
    assert_view(l.data, "AGE=");
    l = parsed("AUTH\t4294967295\tlogin\tservice=smtp\trip=::ffff:192.0.2.1\tlip=\tnologin\tno-penalty\tresp=");
    assert_string_equal(l.mech, "LOGIN");
    assert_int_equal(l.id, UINT32_MAX);
    assert_false(l.secured || l.counted || l.has_data);
    assert_int_equal(l.peer.family, 4);
    assert_int_equal(l.peer.ip[0], 192);
    /* An empty message; a peer that is no address. */
    l = parsed("AUTH\t0\tEXTERNAL\trip=unknown\tresp==");
    assert_true(l.has_data && l.data.len == 0 && l.has_peer && l.peer.family == 0);
    l = parsed("CONT\t9\t");
    assert_true(l.verb == SMTP_CONT && l.id == 9 && l.has_data && l.data.len == 0);
    assert_int_equal(parsed("CONT\t9").data.len, 0);
    assert_view(parsed("CONT\t9\teA==").data, "eA==");
    assert_int_equal(parsed("CANCEL\t5").verb, SMTP_CANCEL);
}

static void test_bad_lines(void **state)
{
    static const char *const rows[] = {
        "",
        "\t",
        "VERSION",
        "VERSION\tx",
        "VERSION\t-1\t2",
        "AUTH",
        "AUTH\t1",
        "AUTH\tx\tPLAIN",
        "AUTH\t4294967296\tPLAIN",
        "AUTH\t1\t",
        "AUTH\t1\tPL AIN",
        "AUTH\t1\tPL\001AIN",
        "AUTH\t1\tABCDEFGHIJKLMNOPQRSTUVWXYZ0123456",
        "CONT",
        "CONT\t",
        "CONT\t1\teA==\tmore",
        "CANCEL\t",
    };
    struct smtp_line l = {.id = 42};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(smtp_line_parse(view_str(rows[i]), &l), ERR_SYNTAX);
    assert_int_equal(l.id, 42);
}

static void test_escapes(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 64);
    smtp_put_escaped(&b, BYTES("a\tb\nc\rd\001e\0f"));
    assert_view(buf_view(&b), "a\001tb\001nc\001rd\0011e\0010f");
    buf_free(&b);
}

/* --- the service ------------------------------------------------------------------------------------------------------------ */

static struct smtp_server *smtp;
static char sock[64];

static void tell_smtp(enum ipc_kind kind, const struct buf *body, int fd)
{
    struct ipc_msg msg = {.kind = kind, .body = buf_view(body), .fds = {fd, -1}, .nfds = 1};
    assert_int_equal(smtp_server_message(smtp, &msg), 0);
    assert_int_equal(msg.fds[0], -1);
}

static void connect_auth(void)
{
    struct msg_peer to_smtp = {.role = ROLE_AUTH}, to_auth = {.role = ROLE_SMTP, .instance = PROTO_SMTP};
    struct buf body;
    int fds[2];
    assert_int_equal(ipc_pair(fds), 0);
    buf_init(&body, 64);
    msg_peer_encode(&body, &to_smtp);
    tell_smtp(IPC_MASTER_PEER, &body, fds[0]);
    buf_free(&body);
    assert_int_equal(auth_server_add_parent(w.server, &to_auth, fds[1]), 0);
}

static void smtp_world_new(const char *conf, const char *lines)
{
    struct msg_listener m = {.index = 1, .protocol = PROTO_SMTP, .name = VIEW("smtp-auth")};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct buf body;
    world_new(conf, lines, ROLE_LOGIN);
    smtp = smtp_server_new(w.loop, conf_get(w.conf, &set_login_component));
    connect_auth();
    snprintf(sock, sizeof(sock), "%s/s", dir);
    memcpy(a.sun_path, sock, strlen(sock));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(sock);
    assert_true(fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 16) == 0);
    buf_init(&body, 256);
    msg_listener_encode(&body, &m);
    tell_smtp(IPC_MASTER_LISTENER, &body, fd);
    buf_free(&body);
    assert_int_equal(smtp_server_start(smtp), 0);
}

static void smtp_world_free(void)
{
    smtp_server_free(&smtp);
    world_free();
    unlink(sock);
}

struct mta {
    int fd;
    char got[32768];
    size_t len;
    bool ended;
};

static void mta_read(struct mta *m)
{
    ssize_t n = recv(m->fd, m->got + m->len, sizeof(m->got) - 1 - m->len, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        m->ended = true;
    else if (n > 0)
        m->len += (size_t)n;
    m->got[m->len] = '\0';
}

/* Until text has come or the connection has ended. */
static bool mta_sees(struct mta *m, const char *text)
{
    uint64_t end = loop_now(w.loop) + 3000;
    do {
        assert_int_equal(loop_turn(w.loop, 5), 0);
        mta_read(m);
        if (strstr(m->got, text) != NULL)
            return true;
    } while (!m->ended && loop_now(w.loop) < end);
    return false;
}

static void mta_clear(struct mta *m)
{
    m->len = 0;
    m->got[0] = '\0';
}

static void mta_say(struct mta *m, const char *text)
{
    assert_int_equal(send(m->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static struct mta *mta_connect(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct mta *m = xcalloc(1, sizeof(*m));
    memcpy(a.sun_path, sock, strlen(sock));
    m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(m->fd >= 0 && connect(m->fd, (const struct sockaddr *)&a, sizeof(a)) == 0);
    return m;
}

static struct mta *mta_new(void)
{
    struct mta *m = mta_connect();
    assert_true(mta_sees(m, "\nDONE\n"));
    mta_say(m, "VERSION\t1\t1\nCPID\t1234\n");
    mta_clear(m);
    return m;
}

static void mta_free(struct mta *m)
{
    close(m->fd);
    free(m);
    turns(3);
}

static void base64(const char *data, size_t len, char *out, size_t size)
{
    struct buf b;
    buf_init(&b, size - 1);
    base64_encode(&b, view_make(data, len));
    copy(out, size, buf_view(&b));
    buf_free(&b);
}

static void mta_plain(struct mta *m, unsigned id, const char *parameters, const char *user, const char *password)
{
    char message[256], text[512], line[1024];
    int n = snprintf(message, sizeof(message), "%c%s%c%s", 0, user, 0, password);
    base64(message, (size_t)n, text, sizeof(text));
    snprintf(line, sizeof(line), "AUTH\t%u\tPLAIN\tservice=smtp\tnologin\t%s\tresp=%s\n", id, parameters, text);
    mta_say(m, line);
}

static void test_greeting(void **state)
{
    char number[32];
    (void)state;
    smtp_world_new(FILE_CONF "auth_mechanisms = plain scram-sha-256\n", "alice:pw\n");
    struct mta *m = mta_connect();
    assert_true(mta_sees(m, "\nDONE\n"));
    assert_ptr_equal(strstr(m->got, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-auth\nSPID\t"), m->got);
    snprintf(number, sizeof(number), "SPID\t%ld\n", (long)getpid());
    assert_non_null(strstr(m->got, number));
    assert_non_null(strstr(m->got, "\nCUID\t1\nCOOKIE\t"));
    struct mta *other = mta_connect();
    assert_true(mta_sees(other, "\nCUID\t2\n"));
    mta_free(m);
    mta_free(other);
    smtp_world_free();
}

static void test_plain(void **state)
{
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\nnologin:pw:::::: nologin\n");
    struct mta *m = mta_new();
    mta_plain(m, 1, "rip=192.0.2.1\tsecured", "Alice", "pw");
    assert_true(mta_sees(m, "OK\t1\tuser=alice\n"));
    mta_plain(m, 2, "rip=192.0.2.1\tsecured", "alice", "wrong");
    assert_true(mta_sees(m, "FAIL\t2\n"));
    mta_plain(m, 2, "rip=192.0.2.1\tsecured", "nobody", "wrong");
    mta_clear(m);
    assert_true(mta_sees(m, "FAIL\t2\n"));
    mta_plain(m, 3, "rip=192.0.2.1\tsecured", "nologin", "pw");
    assert_true(mta_sees(m, "FAIL\t3\tuser_disabled\tcode=user_disabled\t"));
    /* Nobody got a session. */
    assert_int_equal(w.grants, 0);
    mta_free(m);
    smtp_world_free();
}

/* Without TLS between client and mail server: only from this host. */
static void test_unprotected(void **state)
{
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *m = mta_new();
    mta_plain(m, 1, "rip=192.0.2.1", "alice", "pw");
    assert_true(mta_sees(m, "FAIL\t1\treason=This mechanism needs TLS\n"));
    mta_plain(m, 2, "rip=unknown", "alice", "pw");
    assert_true(mta_sees(m, "FAIL\t2\treason=This mechanism needs TLS\n"));
    mta_plain(m, 3, "rip=127.0.0.1", "alice", "pw");
    assert_true(mta_sees(m, "OK\t3\tuser=alice\n"));
    mta_plain(m, 4, "lip=127.0.0.1", "alice", "pw");
    assert_true(mta_sees(m, "OK\t4\tuser=alice\n"));
    mta_free(m);
    smtp_world_free();
}

static void test_login_steps(void **state)
{
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *m = mta_new();
    mta_say(m, "AUTH\t7\tLOGIN\tservice=smtp\tsecured\trip=192.0.2.1\tresp=\n");
    assert_true(mta_sees(m, "CONT\t7\tVXNlcm5hbWU6\n"));
    mta_say(m, "CONT\t7\tYWxpY2U=\n");
    assert_true(mta_sees(m, "CONT\t7\tUGFzc3dvcmQ6\n"));
    mta_say(m, "CONT\t7\tcHc=\n");
    assert_true(mta_sees(m, "OK\t7\tuser=alice\n"));
    /* The client gives up: it says "*", which the mail server does not pass on but cancels. */
    mta_say(m, "AUTH\t8\tLOGIN\tsecured\n");
    assert_true(mta_sees(m, "CONT\t8\t"));
    mta_say(m, "CANCEL\t8\n");
    turns(5);
    mta_say(m, "CONT\t8\tYWxpY2U=\n");
    assert_true(mta_sees(m, "FAIL\t8\t"));
    mta_free(m);
    smtp_world_free();
}

/* What a client wrote is that client's failure; the connection goes on. */
static void test_clients_garbage(void **state)
{
    static const char *const rows[] = {"a", "AGE", "AG E=", "AGE=\xff", "====", "AAAA\001"};
    char line[128];
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *m = mta_new();
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(line, sizeof(line), "AUTH\t%u\tPLAIN\tsecured\tresp=%s\n", i, rows[i]);
        mta_say(m, line);
        snprintf(line, sizeof(line), "FAIL\t%u\treason=Malformed", i);
        assert_true(mta_sees(m, line));
        snprintf(line, sizeof(line), "AUTH\t%u\tPLAIN\tsecured\n", i);
        mta_say(m, line);
        snprintf(line, sizeof(line), "CONT\t%u\t\n", i);
        assert_true(mta_sees(m, line));
        mta_clear(m);
        snprintf(line, sizeof(line), "CONT\t%u\t%s\n", i, rows[i]);
        mta_say(m, line);
        snprintf(line, sizeof(line), "FAIL\t%u\treason=Malformed", i);
        assert_true(mta_sees(m, line));
    }
    /* Base64, but not PLAIN. */
    mta_say(m, "AUTH\t90\tPLAIN\tsecured\tresp=AGE=\n");
    assert_true(mta_sees(m, "FAIL\t90\n"));
    mta_say(m, "AUTH\t91\tCRAM-MD5\tsecured\n");
    assert_true(mta_sees(m, "FAIL\t91\n"));
    mta_plain(m, 92, "secured", "alice", "pw");
    assert_true(mta_sees(m, "OK\t92\tuser=alice\n"));
    mta_free(m);
    smtp_world_free();
}

/* What a mail server must not say costs its connection, and only it. */
static void test_mail_servers_garbage(void **state)
{
    static const char *const first[] = {"AUTH\t1\tPLAIN\n", "CPID\t1\n", "VERSION\t2\t0\n",
                                        "VERSION\n",        "\n",        "GET / HTTP/1.0\r\n"};
    static const char *const later[] = {
        "VERSION\t1\t1\n",
        "AUTH\n",
        "AUTH\tx\tPLAIN\n",
        "CONT\t\n",
        "\n",
        "AUTH\t1\tLOGIN\nAUTH\t1\tLOGIN\n",
        "AUTH\t1\tLOGIN\nCONT\t1\tYQ==\nCONT\t1\tYQ==\n",
    };
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *good = mta_new();
    for (size_t i = 0; i < ARRAY_LEN(first); i++) {
        struct mta *m = mta_connect();
        assert_true(mta_sees(m, "\nDONE\n"));
        mta_say(m, first[i]);
        assert_false(mta_sees(m, "nothing"));
        assert_true(m->ended);
        mta_free(m);
    }
    for (size_t i = 0; i < ARRAY_LEN(later); i++) {
        struct mta *m = mta_new();
        mta_say(m, later[i]);
        assert_false(mta_sees(m, "nothing"));
        assert_true(m->ended);
        mta_free(m);
    }
    mta_plain(good, 1, "secured", "alice", "pw");
    assert_true(mta_sees(good, "OK\t1\tuser=alice\n"));
    mta_free(good);
    smtp_world_free();
}

static void test_long_lines(void **state)
{
    static char line[SMTP_LINE_MAX + 3];
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *m = mta_new();
    /* The longest: a message that is too long for any mechanism, but not for the connection. */
    memset(line, 'A', SMTP_LINE_MAX);
    memcpy(line, "AUTH\t1\tPLAIN\tresp=", 18);
    line[18 + PROTO_SASL_MAX / 3 * 4] = '\n';
    mta_say(m, line + 0); /* the text ends behind the rest, which is an unknown word without an end */
    assert_true(mta_sees(m, "FAIL\t1\n") || strstr(m->got, "FAIL\t1\treason=") != NULL);
    mta_free(m);
    m = mta_new();
    memset(line, 'A', SMTP_LINE_MAX + 2);
    mta_say(m, line);
    assert_false(mta_sees(m, "nothing"));
    assert_true(m->ended);
    mta_free(m);
    smtp_world_free();
}

/* Byte by byte is as in one piece; several lines in one piece are as many. */
static void test_pieces(void **state)
{
    const char *text = "AUTH\t1\tPLAIN\tsecured\tresp=AGFsaWNlAHB3\nAUTH\t2\tPLAIN\tsecured\tresp=AGFsaWNlAHB3\n";
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *m = mta_new();
    for (const char *p = text; *p != '\0'; p++) {
        assert_int_equal(send(m->fd, p, 1, MSG_NOSIGNAL), 1);
        turns(2);
    }
    assert_true(mta_sees(m, "OK\t1\tuser=alice\n"));
    assert_true(mta_sees(m, "OK\t2\tuser=alice\n"));
    mta_clear(m);
    mta_say(m, text);
    assert_true(mta_sees(m, "OK\t1\tuser=alice\n") && mta_sees(m, "OK\t2\tuser=alice\n"));
    mta_free(m);
    smtp_world_free();
}

/* No database: the one exchange of a connection ends it, so that its mail server says 454; among others it is a FAIL. */
static void test_temporary(void **state)
{
    (void)state;
    smtp_world_new(PAM_CONF, "");
    w.mode = MODE_DIE;
    struct mta *m = mta_new();
    mta_plain(m, 1, "secured", "alice", "pw");
    assert_false(mta_sees(m, "FAIL"));
    assert_true(m->ended);
    mta_free(m);
    m = mta_new();
    mta_say(m, "AUTH\t1\tLOGIN\tsecured\n");
    mta_plain(m, 2, "secured", "alice", "pw");
    assert_true(mta_sees(m, "FAIL\t2\ttemp\tcode=temp_fail\t"));
    mta_free(m);
    smtp_world_free();
}

/* Auth goes and comes back. */
static void test_auth_restarts(void **state)
{
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *m = mta_new();
    mta_say(m, "AUTH\t1\tLOGIN\tsecured\n");
    assert_true(mta_sees(m, "CONT\t1\t"));
    struct auth_dbs dbs;
    auth_server_free(&w.server);
    assert_false(mta_sees(m, "FAIL"));
    assert_true(m->ended);
    mta_free(m);
    m = mta_new();
    mta_plain(m, 1, "secured", "alice", "pw");
    assert_false(mta_sees(m, "OK"));
    assert_true(m->ended);
    mta_free(m);
    assert_int_equal(auth_dbs_init(&dbs, conf_get(w.conf, &set_auth_component)), 0);
    assert_int_equal(auth_dbs_open(&dbs), 0);
    w.server = auth_server_new(w.loop, w.auth_master, &dbs, conf_get(w.conf, &set_login_component));
    connect_auth();
    m = mta_new();
    mta_plain(m, 1, "secured", "alice", "pw");
    assert_true(mta_sees(m, "OK\t1\tuser=alice\n"));
    mta_free(m);
    smtp_world_free();
}

static void test_many_at_once(void **state)
{
    char line[64];
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *m = mta_new();
    for (unsigned i = 1; i <= SMTP_EXCHANGES_MAX; i++) {
        snprintf(line, sizeof(line), "AUTH\t%u\tLOGIN\tsecured\n", i);
        mta_say(m, line);
    }
    snprintf(line, sizeof(line), "CONT\t%u\t", SMTP_EXCHANGES_MAX);
    assert_true(mta_sees(m, line));
    mta_say(m, "AUTH\t1000\tLOGIN\tsecured\n");
    assert_true(mta_sees(m, "FAIL\t1000\ttemp"));
    assert_true(w.server->nconns == SMTP_EXCHANGES_MAX);
    /* Its end is the end of all of them. */
    mta_free(m);
    turns(5);
    assert_int_equal(w.server->nconns, 0);
    assert_int_equal(smtp->nclients, 0);
    smtp_world_free();
}

/* Failures count for the address that the mail server named, unless it asks otherwise. */
static void test_counted(void **state)
{
    struct net_addr peer = {.family = 4, .ip = {192, 0, 2, 7}};
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *m = mta_new();
    for (unsigned i = 0; i < 6; i++) {
        char password[16], line[32];
        snprintf(password, sizeof(password), "guess %u", i);
        mta_plain(m, i, "rip=192.0.2.7\tsecured\tno-penalty", "alice", password);
        snprintf(line, sizeof(line), "FAIL\t%u\n", i);
        assert_true(mta_sees(m, line));
    }
    assert_int_equal(penalty_admit(w.server->penalty, loop_now(w.loop), PENALTY_BACKLOG_MS, &peer), 0);
    for (unsigned i = 0; i < PENALTY_FREE; i++)
        penalty_failed(w.server->penalty, loop_now(w.loop), &peer, VIEW("x"), view_make(&i, sizeof(i)));
    /* The first is looked at, the second waits, and who would wait longer than a mail server does is refused. */
    for (unsigned i = 10; i < 15; i++)
        mta_plain(m, i, "rip=192.0.2.7\tsecured", "alice", "pw");
    assert_true(mta_sees(m, "OK\t10\t"));
    assert_true(mta_sees(m, "FAIL\t14\treason=Too many failed log-ins"));
    mta_free(m);
    smtp_world_free();
}

/* IPC_MASTER_STOP: whoever has nothing under way is let go at once, the others afterwards. */
static void test_stop(void **state)
{
    struct ipc_msg stop = {.kind = IPC_MASTER_STOP};
    (void)state;
    smtp_world_new(FILE_CONF, "alice:pw\n");
    struct mta *idle = mta_new(), *busy = mta_new();
    mta_say(busy, "AUTH\t1\tPLAIN\tsecured\n");
    assert_true(mta_sees(busy, "CONT\t1\t"));
    assert_int_equal(smtp_server_message(smtp, &stop), 0);
    assert_false(mta_sees(idle, "nothing"));
    assert_true(idle->ended);
    mta_say(busy, "CONT\t1\tAGFsaWNlAHB3\n");
    assert_true(mta_sees(busy, "OK\t1\tuser=alice\n"));
    assert_false(mta_sees(busy, "nothing"));
    assert_true(busy->ended);
    assert_int_equal(smtp->nclients, 0);
    mta_free(idle);
    mta_free(busy);
    smtp_world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),         cmocka_unit_test(test_bad_lines),       cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_greeting),      cmocka_unit_test(test_plain),           cmocka_unit_test(test_unprotected),
        cmocka_unit_test(test_login_steps),   cmocka_unit_test(test_clients_garbage), cmocka_unit_test(test_mail_servers_garbage),
        cmocka_unit_test(test_long_lines),    cmocka_unit_test(test_pieces),          cmocka_unit_test(test_temporary),
        cmocka_unit_test(test_auth_restarts), cmocka_unit_test(test_many_at_once),    cmocka_unit_test(test_counted),
        cmocka_unit_test(test_stop),
    };
    return world_main(tests, ARRAY_LEN(tests));
}
