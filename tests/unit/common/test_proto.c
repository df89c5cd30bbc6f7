#include "tests/unit/common/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/ipc/ipc.h"
#include "common/log/log.h"
#include "tests/fuzz/proto_codecs.h"

static struct buf out;
static char text[PROTO_SASL_MAX + 2];

/* n bytes of filling; a path or a word where the field wants one. */
static struct view fill(size_t n)
{
    return view_make(text, n);
}

static struct view fill_path(size_t n)
{
    static char path[PROTO_PATH_MAX + 2];
    memset(path, 'p', sizeof(path));
    path[0] = '/';
    return view_make(path, n);
}

static struct net_addr v6(void)
{
    struct net_addr a = {.family = 6, .port = 65535};
    memset(a.ip, 0xab, sizeof(a.ip));
    return a;
}

static struct user_record user(bool big)
{
    return (struct user_record){.name = fill(big ? PROTO_NAME_MAX : 1),
                                .uid = UINT32_MAX,
                                .gid = 1,
                                .home = fill_path(big ? PROTO_PATH_MAX : 0),
                                .mail_path = fill_path(big ? PROTO_PATH_MAX : 1),
                                .format = big ? USER_FORMAT_MAILDIR : USER_FORMAT_GENERAL,
                                .sessions_max = big ? PROTO_SESSIONS_MAX : 0,
                                .sessions_per_address = big ? PROTO_SESSIONS_MAX : 1,
                                .quota_bytes = UINT64_MAX,
                                .quota_messages = 7,
                                .capability_disable = fill(big ? PROTO_CAPS_MAX : 0)};
}

#define ENCODE(name, ...)                     \
    do {                                      \
        struct msg_##name m_ = {__VA_ARGS__}; \
        msg_##name##_encode(&out, &m_);       \
    } while (0)

/* The kinds of hand-over, delivery, keys and control. n: 0 the least, 1 the greatest. */
static void encode_extreme_session(unsigned kind, size_t n)
{
    bool big = n > 0;

    switch ((enum ipc_kind)kind) {
    case IPC_LCONN_ROOM:
        ENCODE(room_ask, .rcpt_id = 1, .size = big ? UINT64_MAX : 0);
        break;
    case IPC_MASTER_ROOM:
        ENCODE(room, .rcpt_id = 1, .result = big ? ROOM_FULL_NOW : ROOM_FITS);
        break;
    case IPC_WORKER_ROOM:
        ENCODE(worker_room, .bytes = big ? UINT64_MAX : 0, .messages = 1);
        break;
    case IPC_CONN_TAKE:
        ENCODE(take, .tls = true, .tls_info = fill(n * 128), .tag = fill(n * PROTO_TAG_MAX), .input = fill(n * PROTO_INPUT_MAX),
               .final = fill(n * PROTO_TEXT_MAX));
        break;
    case IPC_MASTER_TAKE_FAIL:
        ENCODE(take_fail, .code = TAKE_FAIL_SHUTDOWN, .text = fill(n * PROTO_TEXT_MAX));
        break;
    case IPC_MASTER_USER:
        ENCODE(user, .user = user(big));
        break;
    case IPC_MASTER_SESSION:
        ENCODE(session, .session_id = 1, .protocol = PROTO_POP3, .peer = v6(), .tag = fill(n * PROTO_TAG_MAX),
               .input = fill(n * PROTO_INPUT_MAX), .final = fill(n * PROTO_TEXT_MAX), .detail = fill(n * PROTO_DETAIL_MAX));
        break;
    case IPC_MASTER_THAW:
        ENCODE(thaw, .session_id = 1, .protocol = PROTO_POP3, .peer = v6(), .size = PROTO_FROZEN_MAX);
        break;
    case IPC_WORKER_FROZEN:
        ENCODE(frozen, .session_id = 1, .size = 1, .quiet = n != 0);
        break;
    case IPC_LCONN_DELIVER:
    case IPC_MASTER_DELIVER:
        ENCODE(deliver, .rcpt_id = 1, .size = UINT64_MAX, .sender = fill(n * PROTO_ADDR_MAX),
               .prefix = fill(n * PROTO_PREFIX_MAX), .detail = fill(n * PROTO_DETAIL_MAX));
        break;
    case IPC_WORKER_DELIVERED:
        ENCODE(delivered, .code = 250, .enhanced = fill(n * 16), .text = fill(n * PROTO_TEXT_MAX));
        break;
    case IPC_CONN_SIGN:
        ENCODE(sign, .scheme = SIGN_EDDSA, .hash = SIGN_NONE, .tbs = fill(big ? PROTO_TBS_MAX : 1));
        break;
    case IPC_KEYS_SIGNED:
        ENCODE(signed, .signature = fill(n * PROTO_SIG_MAX));
        break;
    case IPC_CTL_REQUEST:
        ENCODE(ctl_request, .verb = CTL_UPGRADE, .argument = fill(n * PROTO_NAME_MAX));
        break;
    case IPC_CTL_LINE:
        ENCODE(ctl_line, .text = fill(n * PROTO_LINE_MAX));
        break;
    case IPC_CTL_END:
        ENCODE(ctl_end, .status = 255);
        break;
    default:
        break;
    }
}

/* A record of exactly this length. */
static struct view fill_record(size_t len)
{
    static struct buf record;
    buf_free(&record);
    buf_init(&record, PROTO_RECORD_MAX);
    while (len > 0) {
        size_t n = MIN_OF(len - 5, (size_t)PROTO_VALUE_MAX);
        db_field_put(&record, VIEW("a"), fill(n));
        len -= 5 + n;
    }
    assert_true(buf_ok(&record));
    return buf_view(&record);
}

/* Tokens, certificates and databases. */
static void encode_extreme_outside(unsigned kind, bool big)
{
    size_t n = big ? 1 : 0;
    switch ((enum ipc_kind)kind) {
    case IPC_AUTH_CHECK_TOKEN:
        ENCODE(check_token, .token = fill(big ? PROTO_TOKEN_MAX : 1));
        break;
    case IPC_AUTH_NONCE:
        ENCODE(nonce, .nonce = fill(PROTO_NONCE_LEN));
        break;
    case IPC_CONN_HANDSHAKE:
    case IPC_AUTH_HANDSHAKE:
        ENCODE(handshake, .piece = fill(big ? PROTO_PIECE_MAX : 1));
        break;
    case IPC_AUTH_CHECK_CERT:
        ENCODE(check_cert, .nonce = fill(PROTO_NONCE_LEN), .digests = fill(big ? PROTO_DIGESTS_MAX : PROTO_DIGEST_LEN));
        break;
    case IPC_AUTH_ASK_DB:
        ENCODE(ask_db, .what = big ? ASK_DB_TOKEN : ASK_DB_USERDB, .section = fill(big ? PROTO_LABEL_MAX : 1),
               .user = fill(1 - n), .password = fill(n * PROTO_TOKEN_MAX));
        break;
    case IPC_HELPER_DB:
        ENCODE(helper_db, .result = HELPER_OK, .record = fill_record(n * PROTO_RECORD_MAX));
        break;
    default:
        break;
    }
}

/* The least or the greatest message of each kind that has a body. */
static void encode_extreme(unsigned kind, bool big)
{
    size_t n = big ? 1 : 0;
    switch ((enum ipc_kind)kind) {
    case IPC_MASTER_CONFIG:
        ENCODE(config, .version = PROTO_VERSION, .log_level = LOG_LVL_FATAL, .chroot_dir = fill_path(n * PROTO_PATH_MAX));
        break;
    case IPC_MASTER_PEER:
        ENCODE(peer, .role = ROLE_CTL, .instance = PROTO_POP3);
        break;
    case IPC_MASTER_LISTENER:
        ENCODE(listener, .index = 1, .protocol = PROTO_LMTP, .tls = LISTENER_TLS_IMPLICIT, .proxy = true, .local = v6(),
               .name = fill(n * 64));
        break;
    case IPC_MASTER_CERT:
    case IPC_MASTER_KEY:
        ENCODE(cert, .index = 1, .name = fill(n * PROTO_DETAIL_MAX));
        break;
    case IPC_MASTER_TAKEN:
    case IPC_MASTER_KICK:
    case IPC_WORKER_THAWED:
    case IPC_WORKER_ENDED:
        ENCODE(id, .id = UINT64_MAX);
        break;
    case IPC_MASTER_CREDENTIAL:
    case IPC_CTL_CREDENTIAL:
        ENCODE(credential, .id = 1, .verb = CREDENTIAL_REMOVE, .user = fill(big ? PROTO_NAME_MAX : 1), .label = fill(n * 64),
               .secret = fill(n * 32), .code = fill(n * 16), .scopes = 7, .expires = UINT64_MAX);
        break;
    case IPC_AUTH_CREDENTIAL:
        ENCODE(credential_done, .id = 1, .status = 255, .text = fill(n * PROTO_LINES_MAX));
        break;
    case IPC_MASTER_HELPER:
    case IPC_AUTH_HELPER:
        ENCODE(helper, .kind = HELPER_TOKEN, .database = fill(n * PROTO_LABEL_MAX));
        break;
    case IPC_LOGIN_CONN:
        ENCODE(conn, .conn_id = 1, .protocol = PROTO_IMAP, .peer = v6(), .local = v6());
        break;
    case IPC_SMTP_CONN:
        ENCODE(smtp_conn, .conn_id = 1, .counted = big, .peer = v6(), .local = v6());
        break;
    case IPC_CONN_PROXIED:
        ENCODE(proxied, .peer = v6(), .tls = true);
        break;
    case IPC_CONN_AUTH:
        ENCODE(auth, .has_initial = true, .mechanism = view_make("SCRAM-SHA-256-PLUS_0123456789ABC", big ? 32 : 1),
               .initial = fill(n * PROTO_SASL_MAX), .client_id = fill(n * PROTO_DETAIL_MAX),
               .binding_exporter = fill(n * PROTO_BINDING_MAX), .binding_end_point = fill(n * PROTO_BINDING_MAX));
        break;
    case IPC_CONN_RESPONSE:
    case IPC_AUTH_CHALLENGE:
    case IPC_AUTH_PASS:
        ENCODE(sasl, .data = fill(n * PROTO_SASL_MAX));
        break;
    case IPC_AUTH_NAMED:
        ENCODE(named, .name = fill(big ? PROTO_NAME_MAX : 1), .data = fill(n * PROTO_SASL_MAX));
        break;
    case IPC_AUTH_FAIL:
        ENCODE(auth_fail, .code = AUTH_FAIL_LIMIT, .text = fill(n * PROTO_TEXT_MAX));
        break;
    case IPC_LCONN_RCPT:
        ENCODE(rcpt, .rcpt_id = 1, .address = fill(big ? PROTO_ADDR_MAX : 1));
        break;
    case IPC_AUTH_RCPT:
        ENCODE(rcpt_result, .rcpt_id = 1, .result = RCPT_DISABLED);
        break;
    case IPC_AUTH_GRANT:
        ENCODE(grant, .conn_id = 1, .detail = fill(n * PROTO_DETAIL_MAX), .user = user(big));
        break;
    case IPC_MASTER_LOOKUP:
        ENCODE(lookup, .id = 1, .name = fill(big ? PROTO_NAME_MAX : 1));
        break;
    case IPC_AUTH_FOUND:
        ENCODE(found, .id = 1, .result = big ? RCPT_OK : RCPT_UNKNOWN, .user = user(big));
        break;
    case IPC_AUTH_CHECK_PAM:
        ENCODE(check_pam, .service = fill(big ? 64 : 1), .user = fill(big ? PROTO_NAME_MAX : 1), .rhost = fill(n * 64),
               .password = fill(n * 1024));
        break;
    case IPC_AUTH_CHECK_HASH:
        ENCODE(check_hash, .hash = fill(n * 1024), .scheme = fill(n * 32), .password = fill(n * 1024));
        break;
    case IPC_AUTH_LOOKUP_NSS:
        ENCODE(lookup_nss, .user = fill(big ? PROTO_NAME_MAX : 1));
        break;
    case IPC_HELPER_RESULT:
        ENCODE(helper_result, .result = HELPER_TEMPORARY, .name = fill(n * PROTO_NAME_MAX),
               .home = fill_path(n * PROTO_PATH_MAX));
        break;
    default:
        encode_extreme_outside(kind, big);
        encode_extreme_session(kind, n);
        break;
    }
}

/* The table's bounds are exactly those of the encoders; every message survives; cutting or adding a byte never does. */
static void test_every_kind(void **state)
{
    (void)state;
    struct buf again;
    buf_init(&again, 2 * IPC_MAX_MSG);
    for (unsigned kind = 1; kind < IPC_KIND_COUNT; kind++) {
        const struct ipc_rule *rule = proto_rule(kind);
        assert_non_null(rule);
        assert_int_equal(rule->kind, kind);
        assert_true(rule->max_body <= IPC_MAX_BODY && rule->min_body <= rule->max_body && rule->fds <= IPC_MAX_FDS);
        assert_true(rule->from != 0 && rule->to != 0 && rule->states != 0 && (rule->states & (1u << IPC_STATE_DONE)) == 0);
        assert_true((proto_codecs[kind] == NULL) == (rule->max_body == 0));
        for (unsigned big = 0; big < 2 && proto_codecs[kind] != NULL; big++) {
            buf_reset(&out);
            encode_extreme(kind, big);
            assert_true(buf_ok(&out));
            assert_int_equal(buf_len(&out), big ? rule->max_body : rule->min_body);
            buf_reset(&again);
            assert_int_equal(proto_codecs[kind](buf_view(&out), &again), 0);
            assert_true(view_eq(buf_view(&out), buf_view(&again)));
            size_t n = buf_len(&out);
            for (size_t cut = 0; cut < n; cut += cut < 300 ? 1 : 101) {
                uint8_t *copy = xmalloc(cut); /* exact size, so that a read past the end is seen */
                memcpy(copy, buf_view(&out).ptr, cut);
                assert_int_equal(proto_codecs[kind](view_make(copy, cut), &again), ERR_PROTO);
                free(copy);
            }
            buf_put_byte(&out, 0);
            assert_int_equal(proto_codecs[kind](buf_view(&out), &again), ERR_PROTO);
        }
    }
    assert_null(proto_rule(0));
    assert_null(proto_rule(IPC_KIND_COUNT));
    assert_null(proto_rule(UINT32_MAX));
    buf_free(&again);
}

#define REFUSED_BY_ENCODER(name, ...) \
    do {                              \
        buf_reset(&out);              \
        ENCODE(name, __VA_ARGS__);    \
        assert_false(buf_ok(&out));   \
        buf_reset(&out);              \
    } while (0)

static void test_encoder_refuses_what_decoder_would(void **state)
{
    (void)state;
    REFUSED_BY_ENCODER(config, .version = 2);
    REFUSED_BY_ENCODER(config, .version = 1, .chroot_dir = VIEW("relative"));
    REFUSED_BY_ENCODER(conn, .conn_id = 0, .protocol = PROTO_IMAP);
    REFUSED_BY_ENCODER(conn, .conn_id = 1, .protocol = 0);
    REFUSED_BY_ENCODER(conn, .conn_id = 1, .protocol = PROTO_IMAP, .peer = {.family = 5});
    REFUSED_BY_ENCODER(conn, .conn_id = 1, .protocol = PROTO_IMAP, .peer = {.family = 4, .ip = {1, 2, 3, 4, 5}});
    REFUSED_BY_ENCODER(conn, .conn_id = 1, .protocol = PROTO_IMAP, .peer = {.port = 1});
    REFUSED_BY_ENCODER(smtp_conn, .conn_id = 0);
    REFUSED_BY_ENCODER(named, .name = VIEW(""));
    REFUSED_BY_ENCODER(named, .name = VIEW("a\tb"));
    REFUSED_BY_ENCODER(auth, .mechanism = VIEW(""));
    REFUSED_BY_ENCODER(auth, .mechanism = VIEW("plain"));
    REFUSED_BY_ENCODER(auth, .mechanism = VIEW("PLAIN"), .initial = VIEW("x"));
    REFUSED_BY_ENCODER(auth_fail, .code = AUTH_FAIL_LIMIT, .text = VIEW("a\nb"));
    REFUSED_BY_ENCODER(rcpt, .rcpt_id = 0, .address = VIEW("a@b"));
    REFUSED_BY_ENCODER(rcpt, .rcpt_id = 1, .address = VIEW("a@\0b"));
    REFUSED_BY_ENCODER(grant, .conn_id = 1, .rcpt_id = 1, .admin = true, .user = user(false));
    REFUSED_BY_ENCODER(user, .user = {.name = VIEW("a\x01"), .mail_path = VIEW("/m")});
    REFUSED_BY_ENCODER(user, .user = {.name = VIEW("a"), .mail_path = VIEW("m")});
    REFUSED_BY_ENCODER(user, .user = {.name = VIEW("a"), .mail_path = VIEW("/m\0x")});
    REFUSED_BY_ENCODER(user, .user = {.name = VIEW("a"), .mail_path = VIEW("/m"), .virtual_uid = true, .uid = 1});
    REFUSED_BY_ENCODER(user, .user = {.name = VIEW("a"), .mail_path = VIEW("/m"), .format = USER_FORMAT_MAILDIR + 1});
    REFUSED_BY_ENCODER(user, .user = {.name = VIEW("a"), .mail_path = VIEW("/m"), .sessions_max = PROTO_SESSIONS_MAX + 1});
    REFUSED_BY_ENCODER(user, .user = {.name = VIEW("a"), .mail_path = VIEW("/m"), .sessions_per_address = UINT32_MAX});
    REFUSED_BY_ENCODER(check_pam, .service = VIEW("culver"), .user = VIEW("a\0b"));
    REFUSED_BY_ENCODER(check_pam, .service = VIEW("culver"), .user = VIEW("a"), .password = VIEW("a\0b"));
    REFUSED_BY_ENCODER(delivered, .code = 199);
    REFUSED_BY_ENCODER(delivered, .code = 600);
    REFUSED_BY_ENCODER(sign, .scheme = SIGN_ECDSA, .hash = SIGN_SHA256, .tbs = fill(31));
    REFUSED_BY_ENCODER(sign, .scheme = SIGN_RSA_PSS, .hash = SIGN_NONE, .tbs = fill(32));
    REFUSED_BY_ENCODER(sign, .scheme = SIGN_EDDSA, .hash = SIGN_SHA512, .tbs = fill(64));
    REFUSED_BY_ENCODER(sign, .scheme = SIGN_EDDSA, .hash = SIGN_NONE, .tbs = fill(257));
    buf_reset(&out);
    ENCODE(sign, .scheme = SIGN_ECDSA, .hash = SIGN_SHA384, .tbs = fill(48));
    assert_true(buf_ok(&out));
}

static void test_decode_leaves_out_alone(void **state)
{
    (void)state;
    struct msg_id id = {.id = 42};
    assert_int_equal(msg_id_decode(VIEW("1234567"), &id), ERR_PROTO);
    assert_int_equal(id.id, 42);
    struct msg_take take;
    buf_reset(&out);
    ENCODE(take, .tls = true, .tag = VIEW("a1"), .input = VIEW("NOOP\r\n"));
    assert_int_equal(msg_take_decode(buf_view(&out), &take), 0);
    assert_view(take.tag, "a1");
    assert_view(take.input, "NOOP\r\n");
    /* A bool of 2. */
    out.data[0] = 2;
    assert_int_equal(msg_take_decode(buf_view(&out), &take), ERR_PROTO);
}

static void test_check(void **state)
{
    (void)state;
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_CONN, ROLE_MASTER, IPC_STATE_NEW, 100, 1), 0);
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_CONN, ROLE_MASTER, IPC_STATE_READY, 100, 1), 0);
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_CONN, ROLE_MASTER, IPC_STATE_BUSY, 100, 1), ERR_PROTO);
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_CONN, ROLE_MASTER, IPC_STATE_DONE, 100, 1), ERR_PROTO);
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_CONN, ROLE_MASTER, IPC_STATE_NEW, 100, 0), ERR_PROTO);
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_CONN, ROLE_MASTER, IPC_STATE_NEW, 100, 2), ERR_PROTO);
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_LCONN, ROLE_MASTER, IPC_STATE_NEW, 100, 1), ERR_PROTO);
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_CONN, ROLE_AUTH, IPC_STATE_NEW, 100, 1), ERR_PROTO);
    assert_int_equal(proto_check(IPC_CONN_TAKE, (enum ipc_role)99, ROLE_MASTER, IPC_STATE_NEW, 100, 1), ERR_PROTO);
    assert_int_equal(proto_check(IPC_CONN_TAKE, ROLE_CONN, ROLE_MASTER, (enum ipc_state)99, 100, 1), ERR_PROTO);
    assert_int_equal(proto_check(IPC_AUTH_GRANT, ROLE_CONN, ROLE_MASTER, IPC_STATE_READY, 100, 0), ERR_PROTO);
    /* Whatever a connection may send, nothing of it is a grant, a session or a signal to a service. */
    for (unsigned kind = 1; kind < IPC_KIND_COUNT; kind++) {
        const struct ipc_rule *rule = proto_rule(kind);
        bool from_conn = (rule->from & (1u << ROLE_CONN | 1u << ROLE_SCONN)) != 0;
        /* What asks for mail servers has no way to master but that of every service. */
        assert_true((rule->from & (1u << ROLE_SCONN)) == 0 || rule->to == 1u << ROLE_AUTH);
        assert_true((rule->from & (1u << ROLE_SMTP)) == 0 || kind == IPC_SERVICE_READY || rule->to == 1u << ROLE_AUTH);
        assert_true(!from_conn || strncmp(rule->name, "conn.", 5) == 0);
        bool from_master = (rule->from & (1u << ROLE_MASTER)) != 0;
        assert_true(!from_master || (rule->from & ~((1u << ROLE_MASTER) | (1u << ROLE_WORKER))) == 0);
    }
    for (int role = 0; role < ROLE_COUNT; role++)
        assert_string_not_equal(proto_role_name((enum ipc_role)role), "unknown");
    assert_string_equal(proto_role_name((enum ipc_role)ROLE_COUNT), "unknown");
}

static void test_net_addr(void **state)
{
    (void)state;
    char name[46];
    struct net_addr a, b;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(993)};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &in.sin_addr), 1);
    net_addr_from_sockaddr(&a, (const struct sockaddr *)&in);
    net_addr_format(&a, name);
    assert_string_equal(name, "192.0.2.1");
    assert_int_equal(a.port, 993);
    assert_false(net_addr_is_loopback(&a));
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
    net_addr_from_sockaddr(&b, (const struct sockaddr *)&in6);
    assert_true(net_addr_equal(&a, &b));
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr), 1);
    net_addr_from_sockaddr(&b, (const struct sockaddr *)&in6);
    net_addr_format(&b, name);
    assert_string_equal(name, "2001:db8::1");
    assert_false(net_addr_equal(&a, &b));
    assert_false(net_addr_is_loopback(&b));
    assert_int_equal(inet_pton(AF_INET6, "::1", &in6.sin6_addr), 1);
    net_addr_from_sockaddr(&b, (const struct sockaddr *)&in6);
    assert_true(net_addr_is_loopback(&b));
    a.ip[0] = 127;
    assert_true(net_addr_is_loopback(&a));
    struct sockaddr un = {.sa_family = AF_UNIX};
    net_addr_from_sockaddr(&a, &un);
    net_addr_format(&a, name);
    assert_string_equal(name, "local");
    assert_true(net_addr_is_loopback(&a));
}

static int setup(void **state)
{
    (void)state;
    memset(text, 'f', sizeof(text));
    buf_init(&out, 2 * IPC_MAX_MSG);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_encoder_refuses_what_decoder_would),
        cmocka_unit_test(test_decode_leaves_out_alone),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_net_addr),
    };
    return cmocka_run_group_tests_name("proto", tests, setup, teardown);
}
