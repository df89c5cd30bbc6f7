/* culver-auth over its channels: log-ins, recipients, helpers, limits, the end. */
#include "tests/unit/auth/world.h"

static void test_plain_pass(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:{SSHA}+RsuSTrEcIi8C6kPYWVF79KkcYVzYWx0c2FsdA==:::::: userdb_quota_rule=*:bytes=77\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    plain(c, BYTES("\0Alice\0secret Pass1"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_int_equal(c->len, 0);
    assert_null(w.passed_before_grant);
    assert_int_equal(w.grants, 1);
    assert_int_equal(w.grant_conn, c->id);
    assert_int_equal(w.grant_rcpt, 0);
    assert_string_equal(w.grant_name, "alice");
    assert_string_equal(w.grant_mail, "/mail/alice");
    assert_true(w.grant.virtual_uid);
    assert_int_equal(w.grant.quota_bytes, 77);
    /* Nothing may come after it. */
    struct view again = BYTES("\0alice\0secret Pass1");
    send_auth(c, "PLAIN", true, &again);
    await(c, 2, 200);
    assert_true(c->closed);
    assert_int_equal(w.grants, 1);
    conn_free(c);
    world_free();
}

static void test_failures_equal(void **state)
{
    const struct view messages[] = {
        BYTES("\0alice\0wrong"), BYTES("\0nobody\0wrong"), BYTES("\0alice\0"),  BYTES("\0al/ice\0pw"),
        BYTES("bob\0alice\0pw"), BYTES("\0locked\0x"),     BYTES("\0nopass\0"), BYTES("\0nets\0pw"),
    };
    (void)state;
    world_new(FILE_CONF, "alice:pw\nbob:pw\nlocked:!pw\nnopass:\nnets:pw:::::: allow_nets=10.0.0.0/8\n", ROLE_LOGIN);
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct conn *c = conn_new();
        turns(3);
        uint64_t start = loop_now(w.loop);
        send_auth(c, "PLAIN", true, &messages[i]);
        await(c, 1, 20000);
        assert_int_equal(c->last, IPC_AUTH_FAIL);
        assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
        assert_true(loop_now(w.loop) - start >= 40);
        conn_free(c);
        turns(2);
        assert_int_equal(w.grants, 0);
        /* The address would be slowed down: a new server each time. */
        world_free();
        world_new(FILE_CONF, "alice:pw\nbob:pw\nlocked:!pw\nnopass:\nnets:pw:::::: allow_nets=10.0.0.0/8\n", ROLE_LOGIN);
    }
    world_free();
}

static void test_again_after_failure(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:pw:1000:100::/home/alice\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    plain(c, BYTES("\0alice\0wrong"));
    assert_int_equal(c->last, IPC_AUTH_FAIL);
    /* The authorisation identity may be the user. */
    plain(c, BYTES("alice\0alice\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_int_equal(w.grant.uid, 1000);
    assert_int_equal(w.grant.gid, 100);
    assert_string_equal(w.grant_home, "/home/alice");
    conn_free(c);
    world_free();
}

static void test_mechanisms(void **state)
{
    const struct view good = BYTES("\0alice\0pw"), bad = BYTES("alice pw");
    (void)state;
    world_new(FILE_CONF "auth_mechanisms = plain\n", "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    send_auth(c, "PLAIN", false, &good); /* not protected */
    await(c, 1, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    send_auth(c, "LOGIN", true, &good); /* not offered */
    await(c, 2, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    send_auth(c, "NONE", true, &good);
    await(c, 3, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MECHANISM);
    send_auth(c, "PLAIN", true, &bad);
    await(c, 4, 500);
    assert_int_equal(c->fail, AUTH_FAIL_MALFORMED);
    assert_int_equal(c->messages, 4);
    assert_false(c->closed);
    send_auth(c, "PLAIN", true, NULL);
    await(c, 5, 500);
    assert_int_equal(c->last, IPC_AUTH_CHALLENGE);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_CANCEL, NULL, NULL, 0), 0);
    await(c, 6, 500);
    assert_int_equal(c->fail, AUTH_FAIL_CANCELLED);
    send_auth(c, "PLAIN", true, NULL);
    await(c, 7, 500);
    send_response(c, good);
    await(c, 8, 500);
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    world_free();
}

/* cleartext_auth = yes */
static void test_cleartext(void **state)
{
    const struct view good = BYTES("\0alice\0pw");
    (void)state;
    world_new(FILE_CONF "cleartext_auth = yes\n", "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    send_auth(c, "PLAIN", false, &good);
    await(c, 1, 500);
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    world_free();
}

static void test_login_mechanism(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    send_auth(c, "LOGIN", true, NULL);
    await(c, 1, 500);
    assert_string_equal(c->data, "Username:");
    send_response(c, VIEW("alice"));
    await(c, 2, 500);
    assert_string_equal(c->data, "Password:");
    send_response(c, VIEW("pw"));
    await(c, 3, 500);
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    world_free();
}

/* What the table or the state does not allow costs the connection, and only it. */
static void test_protocol_errors(void **state)
{
    const struct view good = BYTES("\0alice\0pw"), wrong = BYTES("\0alice\0no");
    struct conn *bad[5], *other;
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    other = conn_new();
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = conn_new();
    send_response(bad[0], good); /* nothing was asked */
    assert_int_equal(ipc_send(bad[1]->ch, IPC_CONN_CANCEL, NULL, NULL, 0), 0);
    send_auth(bad[2], "PLAIN", true, &wrong);
    send_auth(bad[2], "PLAIN", true, &wrong); /* while the first is under way */
    send_auth(bad[3], "PLAIN", true, &wrong);
    assert_int_equal(ipc_send(bad[3]->ch, IPC_CONN_CANCEL, NULL, NULL, 0), 0); /* cannot cut the delay short */
    assert_int_equal(write(ipc_fd(bad[4]->ch), "\x63\x00\x00\x00", 4), 4);     /* no such kind */
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        await(bad[i], 99, 300);
        assert_true(bad[i]->closed);
        assert_int_equal(bad[i]->messages, 0);
        conn_free(bad[i]);
    }
    assert_int_equal(w.server->nconns, 1);
    plain(other, good);
    assert_int_equal(other->last, IPC_AUTH_PASS);
    conn_free(other);
    turns(5);
    assert_int_equal(w.server->nconns, 0);
    world_free();
}

static void test_conn_ids(void **state)
{
    struct conn *c, twin = {0}, lmtp = {0};
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    c = conn_new();
    twin.id = c->id;
    struct msg_conn msg = conn_msg(&twin, PROTO_IMAP);
    conn_open(&twin, &msg);
    await(&twin, 1, 300);
    assert_true(twin.closed);
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_false(w.login_closed);
    /* A login service has no LMTP connections. */
    lmtp.id = 77;
    msg = conn_msg(&lmtp, PROTO_LMTP);
    conn_open(&lmtp, &msg);
    turns(5);
    assert_true(w.login_closed);
    ipc_free(&lmtp.ch);
    ipc_free(&twin.ch);
    conn_free(c);
    world_free();
}

static void proxied(struct conn *c, bool tls)
{
    struct msg_proxied msg = {.peer = {.family = 6, .ip = {0x20, 1}}, .local = {.family = 6, .ip = {0x20, 1}}, .tls = tls};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_proxied_encode(&body, &msg);
    assert_int_equal(ipc_send(c->ch, IPC_CONN_PROXIED, &body, NULL, 0), 0);
    buf_free(&body);
}

static void test_proxied(void **state)
{
    const struct view good = BYTES("\0alice\0pw");
    struct conn c[4] = {{.id = 1}, {.id = 2}, {.id = 3}, {.id = 4}};
    (void)state;
    world_new(PAM_CONF, "", ROLE_LOGIN);
    w.answer = (struct msg_helper_result){.result = HELPER_WRONG};
    for (unsigned i = 0; i < 4; i++) {
        struct msg_conn msg = conn_msg(&c[i], PROTO_IMAP);
        msg.proxy = i != 3;
        conn_open(&c[i], &msg);
    }
    proxied(&c[0], true);
    send_auth(&c[0], "PLAIN", false, &good); /* the proxy's word counts */
    await(&c[0], 1, 500);
    assert_int_equal(c[0].fail, AUTH_FAIL_CREDENTIALS);
    assert_string_equal(w.asked_rhost, "2001::");
    proxied(&c[0], true); /* twice */
    await(&c[0], 2, 300);
    assert_true(c[0].closed);
    send_auth(&c[1], "PLAIN", true, &good); /* without it */
    await(&c[1], 1, 300);
    assert_true(c[1].closed);
    assert_int_equal(c[1].messages, 0);
    proxied(&c[2], false);
    send_auth(&c[2], "PLAIN", false, &good);
    await(&c[2], 1, 300);
    assert_int_equal(c[2].fail, AUTH_FAIL_MECHANISM);
    proxied(&c[3], true); /* where none is due */
    await(&c[3], 1, 300);
    assert_true(c[3].closed);
    for (unsigned i = 0; i < 4; i++)
        ipc_free(&c[i].ch);
    world_free();
}

static void test_pam(void **state)
{
    (void)state;
    world_new(PAM_CONF, "", ROLE_LOGIN);
    struct conn *c = conn_new();
    w.answer = (struct msg_helper_result){.result = HELPER_WRONG};
    plain(c, BYTES("\0alice\0no"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    assert_string_equal(w.asked_user, "alice");
    assert_string_equal(w.asked_rhost, "192.0.2.1");
    w.answer.result = HELPER_UNKNOWN;
    plain(c, BYTES("\0alice\0no2"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    w.answer.result = HELPER_EXPIRED;
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_DISABLED);
    w.answer.result = HELPER_TEMPORARY;
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    w.mode = MODE_DIE;
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.grants, 0);
    /* PAM and then NSS, which the same answer serves. */
    w.mode = MODE_ANSWER;
    w.answer = (struct msg_helper_result){
        .result = HELPER_OK, .uid = 1000, .gid = 1000, .name = VIEW("alice"), .home = VIEW("/home/alice")};
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_int_equal(w.asked, IPC_AUTH_LOOKUP_NSS);
    assert_int_equal(w.grant.uid, 1000);
    assert_string_equal(w.grant_mail, "/home/alice/culver");
    conn_free(c);
    world_free();
}

static void test_pam_strange(void **state)
{
    (void)state;
    world_new(PAM_CONF, "", ROLE_LOGIN);
    struct conn *c = conn_new();
    /* A module that makes somebody else of the user. */
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .name = VIEW("root")};
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    /* uid 0 */
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .gid = 5, .name = VIEW("alice"), .home = VIEW("/root")};
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    /* No home, and the mail path needs one. */
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .uid = 5, .gid = 5, .name = VIEW("alice"), .home = VIEW("/")};
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.grants, 0);
    conn_free(c);
    world_free();
}

static void test_slow_hash(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:" SLOW_HASH "\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    w.answer = (struct msg_helper_result){.result = HELPER_OK};
    plain(c, BYTES("\0alice\0password"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_string_equal(w.asked_hash, SLOW_HASH);
    conn_free(c);
    /* Nobody's password is checked against somebody's hash, and never right. */
    c = conn_new();
    w.asked_hash[0] = '\0';
    plain(c, BYTES("\0nobody\0password"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    assert_string_equal(w.asked_hash, SLOW_HASH);
    /* A hash that the helper cannot read is no wrong password. */
    w.answer.result = HELPER_UNKNOWN;
    plain(c, BYTES("\0alice\0password"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.grants, 1);
    conn_free(c);
    world_free();
}

/* At most auth_helpers_max at once; who waits too long, and who went away, is cleaned up. */
static void test_helper_limit(void **state)
{
    const struct view message = BYTES("\0alice\0pw");
    struct conn *c[5];
    (void)state;
    world_new(PAM_CONF, "", ROLE_LOGIN);
    w.mode = MODE_HANG;
    for (unsigned i = 0; i < 5; i++) {
        c[i] = conn_new();
        send_auth(c[i], "PLAIN", true, &message);
    }
    turns(20);
    assert_int_equal(w.nhelpers, 2);
    /* A client that goes away leaves the queue, but a running helper keeps its place. */
    conn_free(c[4]);
    conn_free(c[0]);
    turns(10);
    assert_int_equal(w.nhelpers, 2);
    /* The first helper ends: the next request runs. */
    helper_gone(&w.helpers[0]);
    turns(10);
    assert_int_equal(w.nhelpers, 3);
    await(c[1], 1, 6000);
    await(c[2], 1, 6000);
    await(c[3], 1, 6000);
    assert_int_equal(c[1]->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(c[2]->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(c[3]->fail, AUTH_FAIL_TEMPORARY);
    for (unsigned i = 1; i < 4; i++)
        conn_free(c[i]);
    world_free();
}

static void test_master_gone(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    ipc_free(&w.master);
    turns(3);
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    conn_free(c);
    world_free();
}

static void test_chain(void **state)
{
    static const char conf[] = "auth_failure_delay = 40ms\nauth_allow_weak_schemes = yes\n"
                               "passdb f {\n driver = passwd-file\n file = @\n scheme = PLAIN\n}\n"
                               "passdb p {\n driver = pam\n}\n"
                               "userdb x {\n driver = static\n uid = 500\n gid = 501\n home = /srv/%n\n}\n";
    (void)state;
    world_new(conf, "alice:pw\noff:pw:::::: nologin\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    w.answer = (struct msg_helper_result){.result = HELPER_OK, .name = VIEW("bob")};
    /* Known to the first: the second is not asked. */
    plain(c, BYTES("\0alice\0wrong"));
    assert_int_equal(c->fail, AUTH_FAIL_CREDENTIALS);
    assert_int_equal(w.nhelpers, 0);
    plain(c, BYTES("\0off\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_DISABLED);
    plain(c, BYTES("\0bob\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_int_equal(w.nhelpers, 1);
    assert_int_equal(w.grant.uid, 500);
    assert_int_equal(w.grant.gid, 501);
    assert_string_equal(w.grant_mail, "/srv/bob/culver");
    conn_free(c);
    /* The file gone: a temporary failure, and PAM is not asked in its stead. */
    c = conn_new();
    assert_int_equal(unlink(users), 0);
    plain(c, BYTES("\0bob\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_TEMPORARY);
    assert_int_equal(w.nhelpers, 1);
    conn_free(c);
    world_free();
}

static void send_rcpt(struct conn *c, uint32_t id, const char *address)
{
    struct msg_rcpt msg = {.rcpt_id = id, .address = view_str(address)};
    struct buf body;
    buf_init(&body, IPC_MAX_BODY);
    msg_rcpt_encode(&body, &msg);
    assert_int_equal(ipc_send(c->ch, IPC_LCONN_RCPT, &body, NULL, 0), 0);
    buf_free(&body);
}

static struct conn *lconn_new(void)
{
    struct conn *c = xcalloc(1, sizeof(*c));
    c->id = ++w.next_id;
    struct msg_conn msg = conn_msg(c, PROTO_LMTP);
    conn_open(c, &msg);
    return c;
}

static void test_rcpt(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice@example.org:!locked\nroot@example.org:x:0:0\n", ROLE_LMTP);
    struct conn *c = lconn_new();
    send_rcpt(c, 1, "Alice+lists@example.org");
    await(c, 1, 500);
    assert_int_equal(c->rcpts[1], RCPT_OK);
    assert_int_equal(w.grants, 1);
    assert_int_equal(w.grant_conn, c->id);
    assert_int_equal(w.grant_rcpt, 1);
    assert_string_equal(w.grant_name, "alice@example.org");
    send_rcpt(c, 2, "bob@example.org");
    send_rcpt(c, 3, "a b@example.org");
    send_rcpt(c, 4, "root@example.org");
    await(c, 4, 500);
    assert_int_equal(c->rcpts[2], RCPT_UNKNOWN);
    assert_int_equal(c->rcpts[3], RCPT_UNKNOWN);
    assert_int_equal(c->rcpts[4], RCPT_TEMPORARY);
    assert_int_equal(w.grants, 1);
    conn_free(c);
    world_free();
}

/* Mail for an alias is the target's, and nobody can be an alias. */
static void test_alias(void **state)
{
    static const char lines[] = "alice@example.org:pw\ninfo@example.org:pw::::::alias=Alice@example.org\n"
                                "loop@example.org:::::::alias=loop@example.org\ntwo@example.org:::::::alias=info@example.org\n"
                                "lost@example.org:::::::userdb_alias=nobody@example.org\nodd@example.org:::::::alias=a*b\n";
    static const struct {
        const char *address;
        enum rcpt_result result;
    } rows[] = {{"info@example.org", RCPT_OK},       {"info+lists@example.org", RCPT_OK}, {"loop@example.org", RCPT_TEMPORARY},
                {"two@example.org", RCPT_TEMPORARY}, {"lost@example.org", RCPT_UNKNOWN},  {"odd@example.org", RCPT_TEMPORARY}};
    (void)state;
    world_new(FILE_CONF, lines, ROLE_LMTP);
    struct conn *c = lconn_new();
    for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
        send_rcpt(c, i + 1, rows[i].address);
        await(c, i + 1, 500);
        assert_int_equal(c->rcpts[i + 1], rows[i].result);
        assert_string_equal(w.grant_name, "alice@example.org");
    }
    assert_int_equal(w.grants, 2);
    conn_free(c);
    world_free();
    world_new(FILE_CONF, lines, ROLE_LOGIN);
    c = conn_new();
    plain(c, BYTES("\0info@example.org\0pw"));
    assert_int_equal(c->fail, AUTH_FAIL_DISABLED);
    assert_int_equal(w.grants, 0);
    conn_free(c);
    world_free();
}

static void test_rcpt_static(void **state)
{
    static const char conf[] = "auth_allow_weak_schemes = yes\n"
                               "passdb f {\n driver = passwd-file\n file = @\n scheme = PLAIN\n}\n"
                               "passdb p {\n driver = pam\n}\n"
                               "userdb x {\n driver = static\n uid = 500\n gid = 501\n home = /srv/%n\n}\n";
    (void)state;
    world_new(conf, "alice:pw\n", ROLE_LMTP);
    struct conn *c = lconn_new();
    send_rcpt(c, 1, "alice");
    await(c, 1, 500);
    assert_int_equal(c->rcpts[1], RCPT_OK);
    assert_int_equal(w.nhelpers, 0);
    w.answer = (struct msg_helper_result){.result = HELPER_UNKNOWN};
    send_rcpt(c, 2, "nobody");
    await(c, 2, 500);
    assert_int_equal(c->rcpts[2], RCPT_UNKNOWN);
    w.answer =
        (struct msg_helper_result){.result = HELPER_OK, .uid = 7, .gid = 7, .name = VIEW("bob"), .home = VIEW("/home/bob")};
    send_rcpt(c, 3, "bob");
    await(c, 3, 500);
    assert_int_equal(c->rcpts[3], RCPT_OK);
    assert_int_equal(w.grant.uid, 500);
    assert_string_equal(w.grant_mail, "/srv/bob/culver");
    /* Gone while a look-up runs. */
    w.mode = MODE_HANG;
    send_rcpt(c, 4, "carol");
    turns(10);
    conn_free(c);
    turns(10);
    assert_int_equal(w.server->nconns, 0);
    world_free();
}

static void test_domain(void **state)
{
    static const char conf[] = "auth_failure_delay = 40ms\nauth_default_domain = example.org\nmail_path = /m/%d/%n\n"
                               "passdb p {\n driver = pam\n}\nuserdb s {\n driver = system\n}\n";
    (void)state;
    world_new(conf, "", ROLE_LOGIN);
    struct conn *c = conn_new();
    w.answer =
        (struct msg_helper_result){.result = HELPER_OK, .uid = 7, .gid = 7, .name = VIEW("alice"), .home = VIEW("/home/a")};
    plain(c, BYTES("\0ALICE\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    assert_string_equal(w.asked_user, "alice");
    assert_string_equal(w.grant_name, "alice@example.org");
    assert_string_equal(w.grant_mail, "/m/example.org/alice");
    conn_free(c);
    world_free();
}

static void test_too_many_failures(void **state)
{
    const struct view bad = BYTES("x");
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    for (unsigned i = 1; i <= CONN_FAILURES_MAX; i++) {
        send_auth(c, "PLAIN", true, &bad);
        await(c, i, 500);
        assert_int_equal(c->fail, i < CONN_FAILURES_MAX ? AUTH_FAIL_MALFORMED : AUTH_FAIL_LIMIT);
    }
    send_auth(c, "PLAIN", true, &bad);
    await(c, CONN_FAILURES_MAX + 1, 300);
    assert_true(c->closed);
    conn_free(c);
    world_free();
}

static void test_penalty(void **state)
{
    const struct net_addr a = {.family = 4, .ip = {192, 0, 2, 1}}, b = {.family = 4, .ip = {192, 0, 2, 2}};
    const struct net_addr n1 = {.family = 6, .ip = {0x20, 1, 0, 0, 0, 0, 0, 1, 5}},
                          n2 = {.family = 6, .ip = {0x20, 1, 0, 0, 0, 0, 0, 1, 9}};
    const struct net_addr home = {.family = 4, .ip = {127, 0, 0, 1}};
    struct penalty *p = penalty_new(2000);
    char pw[16];
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        snprintf(pw, sizeof(pw), "guess%u", i);
        penalty_failed(p, 1000, &a, VIEW("alice"), view_str(pw));
        penalty_failed(p, 1000, &n1, VIEW("carol"), view_str(pw));
        penalty_failed(p, 1000, &home, VIEW("dave"), view_str(pw));
        /* An old password, again and again. */
        penalty_failed(p, 1000, &b, VIEW("bob"), VIEW("old"));
    }
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &a), 0);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &a), 2000);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &a), 4000);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &b), 0);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &b), 0);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &n2), 0);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &n2), 2000);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &home), 0);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &home), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_true(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &a) <= PENALTY_BACKLOG_MS);
    assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &a), PENALTY_REFUSED);
    /* Answers: whole delays since the start, longer for the address and the user that failed often. */
    assert_int_equal(penalty_hold(p, 1500, 1000, &b, VIEW("bob")), 1500);
    assert_int_equal(penalty_hold(p, 3500, 1000, &b, VIEW("bob")), 1500);
    assert_int_equal(penalty_hold(p, 1000, 1000, &a, VIEW("x")), 15000);
    assert_int_equal(penalty_hold(p, 1000, 1000, &b, VIEW("alice")), 15000);
    /* And forgotten after some quiet minutes. */
    assert_int_equal(penalty_admit(p, 1000 + 10 * 60000, PENALTY_BACKLOG_MS, &a), 0);
    assert_int_equal(penalty_admit(p, 1000 + 10 * 60000, PENALTY_BACKLOG_MS, &a), 0);
    penalty_free(&p);
}

/* Hopping through the /64s of a /48 does not help for long; the neighbours of that /48 are not meant. */
static void test_penalty_site(void **state)
{
    struct net_addr a = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 1}}, other = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8, 0, 2}};
    struct penalty *p = penalty_new(2000);
    (void)state;
    for (unsigned i = 0; i < PENALTY_FREE_SITE; i++) {
        a.ip[7] = (uint8_t)i;
        assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &a), 0);
        penalty_failed(p, 1000, &a, VIEW("alice"), view_make(&i, sizeof(i)));
    }
    for (unsigned i = 0; i < 5; i++) {
        a.ip[7] = (uint8_t)(100 + i);
        assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &a), i * PENALTY_SPACE_MS);
        assert_int_equal(penalty_admit(p, 1000, PENALTY_BACKLOG_MS, &other), 0);
    }
    assert_true(penalty_hold(p, 1000, 1000, &a, VIEW("nobody")) > penalty_hold(p, 1000, 1000, &other, VIEW("nobody")));
    penalty_free(&p);
}

/* A thousand guesses of one address at once: after the fifth failure one is looked at in two seconds; others do not notice. */
static void test_penalty_thousand(void **state)
{
    const struct net_addr a = {.family = 4, .ip = {192, 0, 2, 1}}, b = {.family = 4, .ip = {192, 0, 2, 2}};
    struct penalty *p = penalty_new(2000);
    unsigned looked_at = 0, failed = 0;
    (void)state;
    for (uint64_t now = 1000; now < 61000; now += 100) {
        for (unsigned i = 0; i < 2; i++) { /* 1200 of them in a minute */
            if (penalty_admit(p, now, 0, &a) != 0)
                continue;
            looked_at += failed >= PENALTY_FREE ? 1 : 0;
            failed++;
            penalty_failed(p, now, &a, VIEW("alice"), view_make(&failed, sizeof(failed)));
        }
        assert_int_equal(penalty_admit(p, now, 0, &b), 0);
    }
    assert_in_range(looked_at, 25, 30);
    penalty_free(&p);
}

/* A million sources: no more memory than before, no time to speak of, and whoever goes on failing is still known. */
static void test_penalty_million(void **state)
{
    const struct net_addr a = {.family = 4, .ip = {192, 0, 2, 1}};
    struct penalty *p = penalty_new(2000);
    (void)state;
    for (uint32_t i = 0; i < 1000000; i++) {
        struct net_addr peer = {.family = 6, .ip = {0x20, 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        penalty_failed(p, 1000 + i, &peer, view_make(&i, sizeof(i)), VIEW("x"));
        if (i % 10000 == 0)
            penalty_failed(p, 1000 + i, &a, VIEW("alice"), view_make(&i, sizeof(i)));
    }
    assert_int_equal(penalty_admit(p, 1001000, PENALTY_BACKLOG_MS, &a), 0);
    assert_true(penalty_admit(p, 1001000, PENALTY_BACKLOG_MS, &a) > 0);
    penalty_free(&p);
}

static void test_stop(void **state)
{
    (void)state;
    world_new(FILE_CONF, "alice:pw\n", ROLE_LOGIN);
    struct conn *c = conn_new();
    turns(3);
    assert_int_equal(ipc_send(w.master, IPC_MASTER_STOP, NULL, NULL, 0), 0);
    turns(3);
    /* Still served. */
    plain(c, BYTES("\0alice\0pw"));
    assert_int_equal(c->last, IPC_AUTH_PASS);
    conn_free(c);
    uint64_t start = loop_now(w.loop);
    assert_int_equal(loop_run(w.loop), 0);
    assert_true(loop_now(w.loop) - start < 5000);
    world_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_pass),
        cmocka_unit_test(test_failures_equal),
        cmocka_unit_test(test_again_after_failure),
        cmocka_unit_test(test_mechanisms),
        cmocka_unit_test(test_login_mechanism),

        cmocka_unit_test(test_cleartext),
        cmocka_unit_test(test_protocol_errors),
        cmocka_unit_test(test_conn_ids),
        cmocka_unit_test(test_proxied),
        cmocka_unit_test(test_pam),
        cmocka_unit_test(test_pam_strange),
        cmocka_unit_test(test_slow_hash),
        cmocka_unit_test(test_helper_limit),
        cmocka_unit_test(test_master_gone),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_rcpt),
        cmocka_unit_test(test_alias),
        cmocka_unit_test(test_rcpt_static),
        cmocka_unit_test(test_domain),
        cmocka_unit_test(test_too_many_failures),
        cmocka_unit_test(test_penalty),
        cmocka_unit_test(test_penalty_site),
        cmocka_unit_test(test_penalty_thousand),
        cmocka_unit_test(test_penalty_million),
        cmocka_unit_test(test_stop),
    };
    return world_main(tests, ARRAY_LEN(tests));
}
