/*
 * The tables of all settings, set_check(), and that conf/culver.conf and docs/configuration.md say what the tables say. Run with
 * CULVER_UPDATE_SAMPLE=1 to write conf/culver.conf anew. The working directory is the top of the source tree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/settings.h"
#include "common/ipc/proto.h"
#include "common/log/log.h"

#define GOOD                                 \
    "listener imap {\n protocol = imap\n}\n" \
    "passdb a {\n driver = pam\n}\n"         \
    "userdb a {\n}\n"

static struct conf *parse_all(const char *text)
{
    struct conf *conf = NULL;
    struct buf errors;
    int err;

    buf_init(&errors, 65536);
    err = conf_parse(NULL, view_str(text), set_all_components, set_all_ncomponents, &conf, &errors);
    if (err != 0)
        fail_msg("%.*s", (int)buf_len(&errors), (const char *)buf_view(&errors).ptr);
    buf_free(&errors);
    return conf;
}

static void read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *room;
    ssize_t n = 1;

    assert_true(fd >= 0);
    buf_init(out, 1 << 20);
    while (n > 0) {
        room = buf_reserve(out, 4096);
        assert_non_null(room);
        n = read(fd, room, 4096);
        assert_true(n >= 0);
        buf_commit(out, (size_t)n);
    }
    close(fd);
}

/* --- tables ------------------------------------------------------------------------------------------------------------ */

static void test_defaults(void **state)
{
    struct conf *conf = parse_all("");
    const struct set_general *general = conf_get(conf, &set_general_component);
    const struct set_master *master = conf_get(conf, &set_master_component);
    const struct set_login *login = conf_get(conf, &set_login_component);
    const struct set_auth *auth = conf_get(conf, &set_auth_component);
    const struct set_worker *worker = conf_get(conf, &set_worker_component);
    const struct set_lmtp *lmtp = conf_get(conf, &set_lmtp_component);

    (void)state;
    assert_int_equal(general->log_level, LOG_LVL_INFO);
    assert_int_equal(general->sandbox, SET_SANDBOX_REQUIRED);
    assert_string_equal(master->run_dir, CULVER_RUNDIR);
    assert_int_equal(login->login_timeout, 60000);
    assert_int_equal(login->login_line_max, 8192);
    assert_int_equal(login->connections_per_address, 20);
    assert_false(login->cleartext_auth);
    assert_int_equal(login->tls_min, 0x0303);
    assert_string_equal(auth->mail_path, "~/culver");
    assert_true(auth->auth_lowercase);
    assert_int_equal(worker->worker_linger, 30000);
    assert_int_equal(worker->worker_memory, 512ull << 20);
    assert_int_equal(worker->message_size_max, 64ull << 20);
    assert_int_equal(worker->imap_literal_max, 256 << 10);
    assert_int_equal(worker->auto_mailboxes.n, 5);
    assert_string_equal(worker->auto_mailboxes.items[0], "Drafts:\\Drafts");
    assert_int_equal(worker->hierarchy_separator, '/');
    assert_int_equal(lmtp->lmtp_recipients_max, 1000);
    conf_free(&conf);
}

typedef void setting_fn(const struct conf_setting *s, const char *kind, void *arg);

/* Calls fn for every row of every table; kind is NULL outside of sections. */
static void each_setting(setting_fn *fn, void *arg)
{
    const struct conf_section *section;
    const struct conf_setting *s;
    size_t i;

    for (i = 0; i < set_all_ncomponents; i++) {
        for (s = set_all_components[i]->settings; s->name != NULL; s++)
            fn(s, NULL, arg);
        for (section = set_all_components[i]->sections; section != NULL && section->kind != NULL; section++)
            for (s = section->settings; s->name != NULL; s++)
                fn(s, section->kind, arg);
    }
}

struct twin {
    const struct conf_setting *of;
    unsigned found;
};

static void count_twin(const struct conf_setting *s, const char *kind, void *arg)
{
    struct twin *twin = arg;

    twin->found += kind == NULL && strcmp(s->name, twin->of->name) == 0;
}

static void check_row(const struct conf_setting *s, const char *kind, void *arg)
{
    struct twin twin = {s, 0};
    size_t len = strlen(s->help);

    (void)arg;
    assert_true(len > 10 && s->help[len - 1] == '.');
    assert_non_null(s->def);
    assert_true(s->min <= s->max);
    if (s->type == CONF_ENUM)
        assert_non_null(s->words);
    if (s->type == CONF_UINT || s->type == CONF_SIZE || s->type == CONF_TIME || s->type == CONF_STRING || s->type == CONF_PATH ||
        s->type == CONF_LIST)
        assert_true(s->max > 0);
    each_setting(count_twin, &twin);
    if (kind == NULL && twin.found != 1)
        fail_msg("%s is in more than one table", s->name);
}

static void test_tables(void **state)
{
    (void)state;
    each_setting(check_row, NULL);
}

/* --- the sample and the manual ------------------------------------------------------------------------------------------ */

static void make_sample(struct buf *out)
{
    buf_init(out, 1 << 20);
    conf_write_sample(set_all_components, set_all_ncomponents, out);
    assert_true(buf_ok(out));
}

static void write_sample(const struct buf *text)
{
    int fd = open("conf/culver.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, buf_view(text).ptr, buf_len(text)), (ssize_t)buf_len(text));
    close(fd);
}

static void test_sample_file(void **state)
{
    struct buf wanted, have;

    (void)state;
    make_sample(&wanted);
    if (getenv("CULVER_UPDATE_SAMPLE") != NULL)
        write_sample(&wanted);
    read_file("conf/culver.conf", &have);
    if (!view_eq(buf_view(&wanted), buf_view(&have)))
        fail_msg("conf/culver.conf is not what the tables say; run this test with CULVER_UPDATE_SAMPLE=1");
    buf_free(&wanted);
    buf_free(&have);
}

/* Every line that is commented out once, without its '#'. */
static void uncomment(struct view text, struct buf *out)
{
    size_t n;

    for (; text.len > 0; text = view_sub(text, n + 1, text.len)) {
        n = view_find(text, '\n');
        if (view_starts(text, VIEW("#")) && !view_starts(text, VIEW("##"))) {
            buf_put_view(out, view_sub(text, 1, n - 1));
            buf_put_byte(out, '\n');
        }
    }
}

static void test_sample_is_defaults(void **state)
{
    struct buf sample, text, changed;
    struct conf *conf;
    size_t i;

    (void)state;
    make_sample(&sample);
    buf_init(&text, 1 << 20);
    buf_init(&changed, 1 << 20);
    uncomment(buf_view(&sample), &text);
    buf_put_byte(&text, '\0');
    conf = parse_all((const char *)buf_view(&text).ptr);
    for (i = 0; i < set_all_ncomponents; i++)
        conf_write(conf, set_all_components[i], true, &changed);
    buf_put_byte(&changed, '\0');
    assert_memory_equal(buf_view(&changed).ptr, "listener name {\n}\n", strlen("listener name {\n}\n"));
    conf_free(&conf);
    buf_free(&sample);
    buf_free(&text);
    buf_free(&changed);
}

static void find_in_manual(const struct conf_setting *s, const char *kind, void *arg)
{
    const char *manual = arg;
    struct buf name;

    buf_init(&name, 256);
    buf_put_fmt(&name, "`%s`", s->name);
    buf_put_byte(&name, '\0');
    if (strstr(manual, (const char *)buf_view(&name).ptr) == NULL)
        fail_msg("docs/configuration.md does not explain %s%s%s", kind != NULL ? kind : "", kind != NULL ? " " : "", s->name);
    buf_free(&name);
}

static void test_manual(void **state)
{
    struct buf manual;

    (void)state;
    read_file("docs/configuration.md", &manual);
    buf_put_byte(&manual, '\0');
    each_setting(find_in_manual, (void *)(uintptr_t)buf_view(&manual).ptr);
    buf_free(&manual);
}

/* --- set_check ---------------------------------------------------------------------------------------------------------- */

/* wanted: a part of the only line of errors, NULL for none. */
static void check(const char *text, const char *wanted)
{
    struct conf *conf = parse_all(text);
    struct buf errors;
    const char *lines;
    int err;

    buf_init(&errors, 65536);
    err = set_check(conf, &errors);
    buf_put_byte(&errors, '\0');
    lines = (const char *)buf_view(&errors).ptr;
    if (wanted == NULL)
        assert_string_equal(lines, "");
    else if (strstr(lines, wanted) == NULL || strchr(lines, '\n') == NULL || strchr(lines, '\n')[1] != '\0')
        fail_msg("wanted only '%s', have '%s'", wanted, lines);
    assert_int_equal(err, wanted == NULL ? 0 : ERR_SYNTAX);
    buf_free(&errors);
    conf_free(&conf);
}

static void test_check_good(void **state)
{
    (void)state;
    check(GOOD, NULL);
    check(GOOD "recipient_delimiter = \"\"\nimap_id =\nproxy_networks = 10.0.0.0/8 ::1 fe80::/10\n", NULL);
    check("listener l {\n protocol = lmtp\n address = /run/x\n}\nuserdb a {\n driver = static\n home = /home/%n\n}\n", NULL);
    check(GOOD "listener imaps {\n tls = implicit\n}\ntls_certificate = /a\ntls_key = /b\n", NULL);
    check(GOOD "auto_mailboxes = A:B:\\Sent C\nmail_path = /var/mail/%d/%n\nauth_default_domain = example.org\n", NULL);
}

static void test_check_master(void **state)
{
    (void)state;
    check("userdb a {\n}\n", "no listener");
    check("listener a {\n}\nuserdb a {\n}\n", "no passdb");
    check("listener a {\n}\npassdb a {\n driver = pam\n}\n", "no userdb");
    check(GOOD "listener b {\n tls = starttls\n port = 99\n}\n", "listener b: tls needs tls_certificate");
    check(GOOD "listener b {\n address = \"::1 *\"\n}\n", "is not an IP address");
    check(GOOD "listener b {\n}\n", "the same address and port as listener imap");
    check(GOOD "listener b {\n address = /x\n}\n", "only possible with protocol = lmtp");
    check(GOOD "listener b {\n address = /x\n protocol = lmtp\n port = 24\n}\n", "do not go with a socket path");
    check(GOOD "listener b {\n port = 1\n socket_group = x\n}\n", "socket_group needs a socket path");
    check(GOOD "listener b {\n port = 1\n socket_mode = 0660\n}\n", "socket_user and socket_mode too");
    check(GOOD "listener b {\n address = /x\n protocol = lmtp\n socket_mode = 4660\n}\n", "socket_mode is like 0660");
    check(GOOD "listener b {\n address = /x\n protocol = lmtp\n socket_mode = 0460\n}\n", "socket_mode is like 0660");
    check(GOOD "listener b {\n address = /x\n protocol = lmtp\n socket_mode = 680\n}\n", "socket_mode is like 0660");
    check(GOOD "listener b {\n address = 127.0.0.1\n protocol = smtp-auth\n}\n", "an IP address needs a port");
    check(GOOD "listener b {\n port = 1\n protocol = smtp-auth\n proxy_protocol = yes\n}\nproxy_networks = ::1\n",
          "do not go with protocol = smtp-auth");
    check(GOOD "smtp_auth_user = _culver_auth\n", "smtp_auth_user: the same account as auth_user");
    check(GOOD "listener b {\n port = 1\n proxy_protocol = yes\n}\n", "proxy_protocol needs proxy_networks");
    check(GOOD "tls_key = /a\n", "one without the other");
    check(GOOD "tls_certificate = /a\ntls_key = /a\ntls_host b {\n key = /k\n}\n", "certificate and key are both needed");
    check(GOOD "keys_user = _culver_auth\n", "keys_user: the same account as auth_user");
    check(GOOD "keys_user = root\n", "keys_user: not root");
    check(GOOD "virtual_uid_first = 10\n", "virtual_uid_first is below first_valid_uid");
    check(GOOD "virtual_uid_last = 10\n", "virtual_uid_first is above virtual_uid_last");
    check(GOOD "sessions_per_user = 2\n", "sessions_per_user_address is above");
    check(GOOD "log = file\n", "log = file needs log_file");
    check(GOOD "hostname = a_b\n", "hostname: 'a_b'");
}

static void test_check_users(void **state)
{
    (void)state;
    check(GOOD "passdb b {\n}\n", "passdb b: file is needed");
    check(GOOD "userdb b {\n driver = passwd-file\n}\n", "userdb b: file is needed");
    check(GOOD "database t {\n driver = oauth2\n connect = http://id.test/\n password_file = /p\n}\n",
          "database t: connect: 'http://id.test/' is not");
    check(GOOD "database t {\n driver = oauth2\n connect = https://id.test/\n}\n", "database t: password_file is needed");
    check(GOOD "oauth2_database = t\n", "oauth2_database: there is no section 'database t'");
    check(GOOD "userdb b {\n driver = static\n uid = 0\n gid = 5\n}\n", "userdb b: uid = 0 is not allowed");
    check(GOOD "userdb b {\n driver = static\n uid = 2000\n gid = root\n}\n", "userdb b: gid = root is not allowed");
    check(GOOD "userdb b {\n driver = static\n uid = 2000\n}\n", "virtual is possible for both only");
    check(GOOD "userdb b {\n home = ~/x\n}\n", "home cannot be made from itself");
    check(GOOD "mail_path = /var/mail\n", "would be the same for all users");
    check(GOOD "mail_path = mail/%u\n", "must begin with");
    check(GOOD "mail_path = /m/%q/%u\n", "may follow a %");
    check(GOOD "mail_path = /m/%u/..\n", "must not have '..'");
    check(GOOD "auth_name_chars = a/b\n", "auth_name_chars");
    check(GOOD "auth_master_separator = *\npassdb m {\n driver = pam\n master = yes\n allow_nets = 10.0.0.0/8 ::1\n}\n", NULL);
    check(GOOD "auth_master_separator = -\n", "auth_master_separator");
    check(GOOD "passdb b {\n driver = pam\n deny = yes\n}\n", "deny is for passwd-files");
    check(GOOD "passdb b {\n file = /x\n deny = yes\n master = yes\n}\n", "deny and master exclude each other");
    check(GOOD "passdb b {\n file = /x\n allow_nets = 10.0.0.0/33\n}\n", "allow_nets: '10.0.0.0/33'");
    check("listener a {\n}\nuserdb a {\n}\npassdb d {\n file = /x\n deny = yes\n}\npassdb m {\n file = /x\n master = yes\n}\n",
          "no passdb");
    check(GOOD "recipient_delimiter = @\n", "recipient_delimiter");
    check(GOOD "auth_mechanisms = plain external\n", "auth_mechanisms: external needs tls_client_ca");
    check(GOOD "auth_mechanisms = external\ntls_client_ca = /ca\ntls_client_crl = /crl\n", NULL);
    check(GOOD "tls_client_crl = /crl\n", "tls_client_crl without tls_client_ca");
}

static void test_check_sessions(void **state)
{
    (void)state;
    check(GOOD "proxy_networks = 10.0.0.0/33\n", "proxy_networks: '10.0.0.0/33'");
    check(GOOD "proxy_networks = 10.0.0.0/8/8\n", "proxy_networks");
    check(GOOD "imap_id = name\n", "imap_id: 'name'");
    check(GOOD "client_network x {\ncapability_disable = IDLE\nnetworks = 192.0.2.0/33\n}\n", "client_network x: '192.0.2.0/33'");
    check(GOOD "client_network x {\ncapability_disable = IDLE\nnetworks = 192.0.2.0/24 ::1\n}\n", NULL);
    check(GOOD "imap_server_admin = postmaster\n", "imap_server_admin: 'postmaster'");
    check(GOOD "imap_server_admin = mailto:postmaster@example.org\nimap_server_comment = caf\xc3\xa9\n", NULL);
    check(GOOD "greeting = caf\xc3\xa9\n", "greeting");
    check(GOOD "login_timeout = 5s\n", "tls_handshake_timeout is above login_timeout");
    check(GOOD "auto_mailboxes = Drafts:\\Nothing\n", "auto_mailboxes: 'Drafts:\\Nothing'");
    check(GOOD "auto_mailboxes = Inbox\n", "auto_mailboxes: 'Inbox'");
    check(GOOD "mailboxes_max = 3\n", "mailboxes_max is too low");
    check(GOOD "message_size_max = 600M\n", "message_size_max is above worker_memory");
}

static void test_listener_port(void **state)
{
    struct set_listener l = {.protocol = PROTO_IMAP, .tls = LISTENER_TLS_IMPLICIT};

    (void)state;
    assert_int_equal(set_listener_port(&l), 993);
    l.protocol = PROTO_POP3;
    assert_int_equal(set_listener_port(&l), 995);
    l.tls = LISTENER_TLS_STARTTLS;
    assert_int_equal(set_listener_port(&l), 110);
    l.protocol = PROTO_LMTP;
    assert_int_equal(set_listener_port(&l), 24);
    l.port = 2424;
    assert_int_equal(set_listener_port(&l), 2424);
}

static void test_listener_mode(void **state)
{
    struct set_listener l = {.socket_group = "", .socket_mode = ""};

    (void)state;
    assert_int_equal(set_listener_mode(&l), 0600);
    l.socket_group = "postfix";
    assert_int_equal(set_listener_mode(&l), 0660);
    l.socket_mode = "0666";
    assert_int_equal(set_listener_mode(&l), 0666);
    l.socket_mode = "600";
    assert_int_equal(set_listener_mode(&l), 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_tables),        cmocka_unit_test(test_sample_file),
        cmocka_unit_test(test_manual),        cmocka_unit_test(test_check_good),    cmocka_unit_test(test_sample_is_defaults),
        cmocka_unit_test(test_check_master),  cmocka_unit_test(test_check_users),   cmocka_unit_test(test_check_sessions),
        cmocka_unit_test(test_listener_port), cmocka_unit_test(test_listener_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
