/* passwd-file: lines, the index, and a file that changes. */
#include "tests/unit/auth/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/passwd_file.h"

static char dir[] = "/tmp/culver-passwd-XXXXXX";
static char path[64], other[64];

static void write_at(const char *where, const char *text)
{
    int fd = open(where, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct passwd_line parse(const char *text)
{
    struct passwd_line line;
    const char *why = "";
    if (passwd_line_parse(view_str(text), &line, &why) != PASSWD_LINE_USER)
        fail_msg("%s: %s", text, why == NULL ? "empty" : why);
    return line;
}

static void test_line_full(void **state)
{
    struct passwd_line l =
        parse("alice@example.org:{SSHA}abc=:1000:100:Alice A.:/home/alice:/bin/sh:userdb_mail=maildir:~/Maildir "
              "userdb_quota_rule=*:storage=2G:messages=1000  other=x allow_nets=192.0.2.0/24,::1 "
              "userdb_capability_disable=IDLE,COMPRESS=DEFLATE userdb_mail_format=culver userdb_sessions_max=10000 "
              "userdb_sessions_per_address=1");
    (void)state;
    assert_view(l.user, "alice@example.org");
    assert_view(l.password, "{SSHA}abc=");
    assert_true(l.uid.given && l.uid.number && l.gid.number);
    assert_int_equal(l.uid.value, 1000);
    assert_int_equal(l.gid.value, 100);
    assert_view(l.home, "/home/alice");
    assert_view(l.mail, "maildir:~/Maildir");
    assert_true(l.has_quota_bytes && l.has_quota_messages);
    assert_int_equal(l.quota_bytes, 2147483648);
    assert_int_equal(l.quota_messages, 1000);
    assert_view(l.allow_nets, "192.0.2.0/24,::1");
    assert_view(l.capability_disable, "IDLE,COMPRESS=DEFLATE");
    assert_true(l.format == USER_FORMAT_CULVER && l.sessions_max == 10000 && l.sessions_per_address == 1);
    assert_false(l.nologin);
}

/* What limits is not skipped, as a field would be that means nothing here. */
static void test_line_settings(void **state)
{
    static const char *const bad[] = {"userdb_mail_format=mbox",   "userdb_sessions_max=0",         "userdb_sessions_max=",
                                      "userdb_sessions_max=10001", "userdb_sessions_per_address=x", "userdb_uid=1x"};
    struct passwd_line l;
    char text[128];
    const char *why;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(text, sizeof(text), "u:x::::::%s", bad[i]);
        assert_int_equal(passwd_line_parse(view_str(text), &l, &why), PASSWD_LINE_BROKEN);
    }
}

static void test_line_short(void **state)
{
    struct passwd_line l = parse("bob");
    (void)state;
    assert_view(l.user, "bob");
    assert_view(l.password, "");
    assert_false(l.uid.given);
    l = parse("bob:x");
    assert_view(l.password, "x");
    l = parse("bob:x::::\r");
    assert_view(l.home, "");
    l = parse("bob:x:vmail:vmail::/srv/bob::nologin");
    assert_true(l.uid.given && !l.uid.number);
    assert_view(l.uid.text, "vmail");
    assert_true(l.nologin);
    l = parse("bob:x:1:2::/a::userdb_uid=77 userdb_gid=88 userdb_home=/b");
    assert_int_equal(l.uid.value, 77);
    assert_int_equal(l.gid.value, 88);
    assert_view(l.home, "/b");
}

static void test_line_quota(void **state)
{
    static const struct {
        const char *rule;
        bool has;
        uint64_t bytes;
    } rows[] = {
        {"*:storage=100", true, 102400},
        {"*:storage=1K", true, 1024},
        {"*:storage=7b", true, 7},
        {"*:bytes=5", true, 5},
        {"*:bytes=1M", true, 1048576},
        {"*:storage=0", true, 0},
        {"Trash:storage=1G", false, 0},
        {"*:storage=10%", false, 0},
        {"*:storage=", false, 0},
        {"*:storage=1X", false, 0},
        {"*", false, 0},
        {"*:storage=99999999999T", false, 0},
        {"*:backend=100", false, 0},
        {"*:storage=9223372036854775807", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[128];
        snprintf(text, sizeof(text), "u:x::::::userdb_quota_rule=%s", rows[i].rule);
        struct passwd_line l = parse(text);
        if (l.has_quota_bytes != rows[i].has || l.quota_bytes != rows[i].bytes)
            fail_msg("%s: %d %ju", rows[i].rule, l.has_quota_bytes, (uintmax_t)l.quota_bytes);
    }
}

static void test_line_bad(void **state)
{
    static const char *const broken[] = {
        ":x:1:1", "u:x:1x:1", "u:x:4294967295:1", "u:x:1:99999999999", "u:x:1:1::relative", "u:x::::::userdb_uid=1z",
    };
    static const char *const empty[] = {"", "   ", "\t\r", "# comment", "#u:x"};
    struct passwd_line l;
    const char *why;
    char longest[PASSWD_LINE_MAX + 2];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        assert_int_equal(passwd_line_parse(view_str(broken[i]), &l, &why), PASSWD_LINE_BROKEN);
        assert_non_null(why);
    }
    for (size_t i = 0; i < ARRAY_LEN(empty); i++)
        assert_int_equal(passwd_line_parse(view_str(empty[i]), &l, &why), PASSWD_LINE_EMPTY);
    memset(longest, 'a', sizeof(longest));
    longest[1] = ':';
    assert_int_equal(passwd_line_parse(view_make(longest, PASSWD_LINE_MAX), &l, &why), PASSWD_LINE_USER);
    assert_int_equal(passwd_line_parse(view_make(longest, PASSWD_LINE_MAX + 1), &l, &why), PASSWD_LINE_BROKEN);
    assert_int_equal(passwd_line_parse(view_make("u\0v:x", 5), &l, &why), PASSWD_LINE_BROKEN);
}

static void test_nets(void **state)
{
    const struct net_addr v4 = {.family = 4, .ip = {192, 0, 2, 130}}, v6 = {.family = 6, .ip = {0x20, 1, 0xd, 0xb8}}, local = {0};
    (void)state;
    assert_true(passwd_nets_match(VIEW("192.0.2.130"), &v4));
    assert_true(passwd_nets_match(VIEW("10.0.0.0/8, 192.0.2.128/25"), &v4));
    assert_true(passwd_nets_match(VIEW("0.0.0.0/0"), &v4));
    assert_false(passwd_nets_match(VIEW("192.0.2.0/25"), &v4));
    assert_false(passwd_nets_match(VIEW("192.0.2.130/33"), &v4));
    assert_false(passwd_nets_match(VIEW("192.0.2.130/"), &v4));
    assert_false(passwd_nets_match(VIEW("192.0.2.130x"), &v4));
    assert_false(passwd_nets_match(VIEW(""), &v4));
    assert_false(passwd_nets_match(VIEW("local,::/0"), &v4));
    assert_true(passwd_nets_match(VIEW("2001:db8::/32"), &v6));
    assert_false(passwd_nets_match(VIEW("2001:db9::/32,0.0.0.0/0"), &v6));
    assert_true(passwd_nets_match(VIEW("local"), &local));
    assert_false(passwd_nets_match(VIEW("0.0.0.0/0"), &local));
}

static void test_find(void **state)
{
    struct passwd_file *f = NULL;
    struct passwd_line l;
    (void)state;
    write_at(path, "# users\nalice:one:::\n\n:broken\nbob:two\nalice:again\ncarol:three");
    assert_int_equal(passwd_file_open(path, &f), 0);
    assert_int_equal(passwd_file_find(f, VIEW("alice"), &l), 0);
    assert_view(l.password, "one");
    assert_int_equal(passwd_file_find(f, VIEW("carol"), &l), 0);
    assert_view(l.password, "three");
    assert_int_equal(passwd_file_find(f, VIEW("ali"), &l), ERR_NOTFOUND);
    assert_int_equal(passwd_file_find(f, VIEW("alice:one"), &l), ERR_NOTFOUND);
    assert_int_equal(passwd_file_find(f, VIEW(""), &l), ERR_NOTFOUND);
    assert_int_equal(passwd_file_find(f, VIEW("# users"), &l), ERR_NOTFOUND);
    assert_int_equal(passwd_file_pick(f, VIEW("nobody"), NULL, NULL, &l), 0);
    assert_true(l.password.len > 0);
    passwd_file_close(&f);
    assert_null(f);
}

static void test_change(void **state)
{
    struct passwd_file *f = NULL;
    struct passwd_line l;
    (void)state;
    write_at(path, "alice:one\n");
    assert_int_equal(passwd_file_open(path, &f), 0);
    /* In place, the same size, at once: seen although no clock has ticked. */
    write_at(path, "alice:two\n");
    assert_int_equal(passwd_file_find(f, VIEW("alice"), &l), 0);
    assert_view(l.password, "two");
    usleep(60000);
    assert_int_equal(passwd_file_find(f, VIEW("alice"), &l), 0);
    /* By rename. */
    write_at(other, "alice:six\nbob:x\n");
    assert_int_equal(rename(other, path), 0);
    assert_int_equal(passwd_file_find(f, VIEW("bob"), &l), 0);
    assert_int_equal(passwd_file_find(f, VIEW("alice"), &l), 0);
    assert_view(l.password, "six");
    /* Gone: nobody is unknown, the file cannot be read. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(passwd_file_find(f, VIEW("alice"), &l), ERR_IO);
    assert_int_equal(passwd_file_find(f, VIEW("nobody"), &l), ERR_IO);
    write_at(path, "dave:x\n");
    assert_int_equal(passwd_file_find(f, VIEW("dave"), &l), 0);
    assert_int_equal(passwd_file_find(f, VIEW("alice"), &l), ERR_NOTFOUND);
    /* Empty: everybody is unknown. */
    write_at(path, "");
    assert_int_equal(passwd_file_find(f, VIEW("dave"), &l), ERR_NOTFOUND);
    assert_int_equal(passwd_file_pick(f, VIEW("dave"), NULL, NULL, &l), ERR_NOTFOUND);
    passwd_file_close(&f);
}

static void test_open_errors(void **state)
{
    struct passwd_file *f = NULL;
    (void)state;
    unlink(path);
    assert_int_equal(passwd_file_open(path, &f), ERR_NOTFOUND);
    assert_int_equal(passwd_file_open(dir, &f), ERR_UNSUPPORTED);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(passwd_file_open(path, &f), ERR_UNSUPPORTED);
    unlink(path);
    write_at(path, "");
    assert_int_equal(truncate(path, (off_t)PASSWD_FILE_MAX + 1), 0);
    assert_int_equal(passwd_file_open(path, &f), ERR_LIMIT);
    assert_null(f);
}

static void test_many(void **state)
{
    struct passwd_file *f = NULL;
    struct passwd_line l;
    char name[32];
    (void)state;
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    for (int i = 0; i < 20000; i++)
        fprintf(out, "user%d:pw%d\n", i, i);
    fclose(out);
    assert_int_equal(passwd_file_open(path, &f), 0);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        assert_int_equal(passwd_file_find(f, view_str(name), &l), 0);
        snprintf(name, sizeof(name), "pw%d", i);
        assert_view(l.password, name);
    }
    assert_int_equal(passwd_file_find(f, VIEW("user20000"), &l), ERR_NOTFOUND);
    passwd_file_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_full),  cmocka_unit_test(test_line_settings), cmocka_unit_test(test_line_short),
        cmocka_unit_test(test_line_quota), cmocka_unit_test(test_line_bad),      cmocka_unit_test(test_nets),
        cmocka_unit_test(test_find),       cmocka_unit_test(test_change),        cmocka_unit_test(test_open_errors),
        cmocka_unit_test(test_many),
    };
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof(path), "%s/users", dir);
    snprintf(other, sizeof(other), "%s/users.new", dir);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(dir);
    return rc;
}
